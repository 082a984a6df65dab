//! `rolecast capacity`: free capacity that the nodes of each role will have.

use bytes::Bytes;
use rolecast_common::subjects;
use rolecast_common::wire::CapacityMap;

use super::failure::Failure;
use super::session::{Session, no_dispatcher};
use super::terminal::Terminal;
use crate::args::fleet::Capacity;
use crate::exit::Exit;
use crate::view::capacity::{nodes, page};

pub(crate) async fn run(
    session: &Session,
    capacity: &Capacity,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let map: Option<CapacityMap> = session
        .request(subjects::API_CAPACITY, Bytes::new())
        .await?;
    let map = map.ok_or_else(no_dispatcher)?;
    if terminal.json {
        terminal.print_document(&map)?;
        return Ok(Exit::Fine);
    }
    let mut text = page(&map, terminal.palette);
    if capacity.nodes {
        text.push('\n');
        text.push_str(&nodes(&map, terminal.palette));
    }
    terminal.print(&text)?;
    Ok(Exit::Fine)
}
