//! `rolecast forecast`: forecast of the use by others on a node.

use bytes::Bytes;
use rolecast_common::id::NodeId;
use rolecast_common::subjects;
use rolecast_common::wire::ForecastView;
use terminal_size::{Width, terminal_size_of};

use super::failure::Failure;
use super::session::{Session, no_dispatcher};
use super::status;
use super::terminal::Terminal;
use crate::args::fleet::Forecast;
use crate::exit::Exit;
use crate::view::forecast::{csv, page};

/// The width if stdout is not a terminal.
const COLUMNS: usize = 80;

pub(crate) async fn run(
    session: &Session,
    forecast: &Forecast,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let mut view = request(session, &forecast.node).await?;
    if let Some(resource) = forecast.resource {
        view.resources.retain(|name, _| name == resource.name());
    }
    if terminal.json {
        terminal.print_document(&view)?;
    } else if forecast.csv {
        terminal.print_output(&csv(&view)?, false)?;
    } else {
        let width = terminal_size_of(std::io::stdout());
        let columns = width.map_or(COLUMNS, |(Width(columns), _)| usize::from(columns));
        terminal.print(&page(&view, columns, terminal.palette))?;
    }
    Ok(Exit::Fine)
}

/// Asks the dispatcher; for an unknown node, the error lists the known ones.
async fn request(session: &Session, node: &NodeId) -> Result<ForecastView, Failure> {
    let body = Bytes::copy_from_slice(node.as_str().as_bytes());
    let view: Option<ForecastView> = session.request(subjects::API_FORECAST, body).await?;
    let view = view.ok_or_else(no_dispatcher)?;
    if view.health.is_some() {
        return Ok(view);
    }
    let status = status::request(session).await?.ok_or_else(no_dispatcher)?;
    let known: Vec<&str> = status
        .nodes
        .iter()
        .map(|known| known.node.as_str())
        .collect();
    let known = if known.is_empty() {
        "none is known yet".to_owned()
    } else {
        format!("known are {}", known.join(", "))
    };
    let text = format!("there is no node {node}; {known}");
    Err(Failure::new(Exit::Failed, text))
}
