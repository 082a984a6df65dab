//! `rolecast category`: needs of jobs, as declared and as learned.

use super::failure::Failure;
use super::session::{Session, no_dispatcher};
use super::status;
use super::terminal::Terminal;
use crate::args::category::Category;
use crate::exit::Exit;
use crate::view::category::{list, page};

pub(crate) async fn run(
    session: &Session,
    category: &Category,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let status = status::request_categories(session)
        .await?
        .ok_or_else(no_dispatcher)?;
    let categories = status.categories;
    match category {
        Category::Ls if terminal.json => terminal.print_document(&categories)?,
        Category::Ls => terminal.print(&list(&categories, terminal.palette))?,
        Category::Show { name } => {
            let found = categories.iter().find(|known| known.category == *name);
            let Some(found) = found else {
                let known: Vec<&str> = categories.iter().map(|c| c.category.as_str()).collect();
                let known = known.join(", ");
                let text = format!("there is no category {name}; known are {known}");
                return Err(Failure::new(Exit::Failed, text));
            };
            if terminal.json {
                terminal.print_document(found)?;
            } else {
                terminal.print(&page(found, terminal.palette))?;
            }
        }
    }
    Ok(Exit::Fine)
}
