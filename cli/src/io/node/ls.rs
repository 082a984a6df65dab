//! `rolecast node ls`: nodes by role, label, health and category.

use serde_json::json;

use super::super::failure::Failure;
use super::super::session::{Session, no_dispatcher};
use super::super::status;
use super::super::terminal::Terminal;
use crate::args::node::NodeList;
use crate::exit::Exit;
use crate::view::nodes::{list, select};

pub(super) async fn run(
    session: &Session,
    wanted: &NodeList,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let status = status::request(session).await?.ok_or_else(no_dispatcher)?;
    let nodes = select(&status.nodes, wanted);
    if terminal.json {
        let shown = &nodes[..wanted.limit.unwrap_or(nodes.len()).min(nodes.len())];
        let (at, total) = (status.at_ms, nodes.len());
        terminal.print_document(&json!({ "at_ms": at, "total": total, "nodes": shown }))?;
    } else {
        terminal.print(&list(&nodes, wanted.limit, terminal.palette))?;
    }
    Ok(Exit::Fine)
}
