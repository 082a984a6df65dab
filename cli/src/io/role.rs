//! `rolecast role`: shows the holders of managed roles, and moves roles.

use std::time::Duration;

use anyhow::anyhow;
use async_nats::HeaderMap;
use bytes::Bytes;
use rolecast_common::subjects;
use rolecast_common::wire::{
    self, Done, Encoding, PastRoleChange, RoleOrder, RoleOrderKind, RolesView, VERSION,
};

use super::failure::Failure;
use super::session::{Session, no_dispatcher};
use super::terminal::Terminal;
use crate::args::role::{History, Role};
use crate::exit::Exit;
use crate::style::Tone;
use crate::view::role::{history, list, order};

/// Time limit of an order without `--timeout`. A holder that does not answer takes a role
/// lease of 10 s, its successor a hook of at most 4 s, and a change that is under way in
/// the group is completed first.
const ORDER_MAX: Duration = Duration::from_secs(30);

pub(crate) async fn run(
    session: &Session,
    role: &Role,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    match role {
        Role::Ls { verbose } => {
            let view = request(session).await?;
            if terminal.json {
                terminal.print_document(&view)?;
            } else {
                terminal.print(&list(&view, *verbose, terminal.palette))?;
            }
            Ok(Exit::Fine)
        }
        Role::History(which) => show_history(session, which, terminal).await,
        Role::Set { role, node } => {
            let order = RoleOrderKind::Set {
                role: role.clone(),
                node: node.clone(),
            };
            carry_out(session, order, terminal).await
        }
        Role::Swap { role, from, to } => {
            let order = RoleOrderKind::Swap {
                role: role.clone(),
                from: from.clone(),
                to: to.clone(),
            };
            carry_out(session, order, terminal).await
        }
    }
}

async fn request(session: &Session) -> Result<RolesView, Failure> {
    let view = session.request(subjects::API_ROLES, Bytes::new());
    view.await?.ok_or_else(no_dispatcher)
}

async fn show_history(
    session: &Session,
    which: &History,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let view = request(session).await?;
    let is_wanted = |change: &&PastRoleChange| {
        which.role.as_ref().is_none_or(|role| change.role == *role)
            && which
                .group
                .as_ref()
                .is_none_or(|group| change.group == *group)
    };
    let changes: Vec<&PastRoleChange> = view.document.history.iter().filter(is_wanted).collect();
    if terminal.json {
        terminal.print_document(&changes)?;
    } else {
        let is_managed = !view.roles.is_empty();
        terminal.print(&history::list(&changes, is_managed, terminal.palette))?;
    }
    Ok(Exit::Fine)
}

/// Sends an order, waits until it is carried out, and prints its effect.
pub(super) async fn carry_out(
    session: &Session,
    order: RoleOrderKind,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let before = request(session).await?;
    let message = RoleOrder {
        v: VERSION,
        order: order.clone(),
    };
    let body = wire::encode(Encoding::MessagePack, &message).into();
    let limit = session.limit.unwrap_or(ORDER_MAX);
    let headers = HeaderMap::new();
    let done = session.request_within(limit, subjects::API_ROLE_ORDER, headers, body);
    let done: Done = done.await.map_err(unsure)?.ok_or_else(no_dispatcher)?;
    match request(session).await {
        Ok(after) if terminal.json => terminal.print_document(&after)?,
        Ok(after) => terminal.print(&changed(&order, &before, &after, terminal))?,
        // The order is carried out anyway, which the exit code reports.
        Err(failure) => {
            let text = format!("done, but the new state is not known: {}", failure.text());
            terminal.note(&terminal.notes.paint(Tone::Warning, &text));
            if terminal.json {
                terminal.print_document(&done)?;
            }
        }
    }
    Ok(Exit::Fine)
}

/// Adds to the failure of a missing answer that the order may still be carried out.
fn unsure(failure: Failure) -> Failure {
    if failure.exit != Exit::Unreachable {
        return failure;
    }
    let text = failure.text();
    Failure::unreachable(anyhow!(
        "{text}; the order may still be carried out, as rolecast role ls will show"
    ))
}

fn changed(
    order: &RoleOrderKind,
    before: &RolesView,
    after: &RolesView,
    terminal: &Terminal,
) -> String {
    let palette = terminal.palette;
    match order {
        RoleOrderKind::Set { role, node: to } | RoleOrderKind::Swap { role, to, .. } => {
            order::moved(role, to, before, after, palette)
        }
        RoleOrderKind::Drain { node } => order::drained(node, before, after, palette),
        RoleOrderKind::Undrain { node } => order::undrained(node, before, palette),
    }
}
