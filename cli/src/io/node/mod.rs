//! `rolecast node`: lists nodes, shows one, takes nodes out of service and back.

mod ls;
mod show;

use rolecast_common::wire::RoleOrderKind;

use super::failure::Failure;
use super::role::carry_out;
use super::session::Session;
use super::terminal::Terminal;
use crate::args::node::Node;
use crate::exit::Exit;

pub(crate) async fn run(
    session: &Session,
    node: &Node,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let order = match node {
        Node::Ls(wanted) => return ls::run(session, wanted, terminal).await,
        Node::Show { node } => return show::run(session, node, terminal).await,
        Node::Drain { node } => RoleOrderKind::Drain { node: node.clone() },
        Node::Undrain { node } => RoleOrderKind::Undrain { node: node.clone() },
    };
    carry_out(session, order, terminal).await
}
