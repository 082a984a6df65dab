//! `rolecast node show`: one node with everything about it.

use std::num::NonZeroU32;

use bytes::Bytes;
use rolecast_common::id::NodeId;
use rolecast_common::subjects;
use rolecast_common::wire::{self, Encoding, JobList, JobsRequest, NodeView};
use serde_json::json;

use super::super::failure::Failure;
use super::super::session::{Session, no_dispatcher};
use super::super::terminal::Terminal;
use crate::exit::Exit;
use crate::view::node::page;

/// Jobs in hand that are shown.
const JOBS_MAX: NonZeroU32 = NonZeroU32::new(50).expect("it is not zero");

pub(super) async fn run(
    session: &Session,
    node: &NodeId,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let body = Bytes::copy_from_slice(node.as_str().as_bytes());
    let view: Option<NodeView> = session.request(subjects::API_NODE, body).await?;
    let view = view.ok_or_else(no_dispatcher)?;
    let request = JobsRequest {
        node: Some(node.clone()),
        limit: Some(JOBS_MAX),
        ..JobsRequest::first()
    };
    let body = wire::encode(Encoding::MessagePack, &request).into();
    let jobs: Option<JobList> = session.request(subjects::API_JOBS, body).await?;
    let jobs = jobs.ok_or_else(no_dispatcher)?;
    if terminal.json {
        terminal.print_document(&json!({ "node": view, "jobs": jobs.jobs }))?;
    } else {
        terminal.print(&page(&view, &jobs, terminal.palette))?;
    }
    Ok(Exit::Fine)
}
