//! Facts that the dispatcher reports: its status, roles and forecasts.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use rolecast_common::id::NodeId;
use rolecast_common::subjects;
use rolecast_common::time::format_duration;
use rolecast_common::wire::{ForecastView, NodeHealth, RolesView, Status};
use tokio::time::{sleep, timeout};

use super::super::failure::Failure;
use super::super::status;
use super::ask::{Asker, Unanswered, lead};
use super::dispatchers;
use crate::doctor::facts::{Answer, Instance, Part, is_changing};

/// Time limit of all pages of the status; the largest fleet has 40.
const PAGES_LIMIT: Duration = Duration::from_secs(4);
/// Pause in which a dispatcher takes the lead, or starts.
const CHANGE_PAUSE: Duration = Duration::from_millis(2500);
/// Nodes whose forecasts are looked at: enough to see a fault that all have.
const FORECASTS_MAX: usize = 24;
/// Requests at once, fewer than a dispatcher answers at once.
const AT_ONCE_MAX: usize = 8;

/// The answers of the dispatcher.
pub(super) struct Fleet {
    pub(super) answer: Part<Answer>,
    pub(super) dispatchers: Part<Vec<Instance>>,
    pub(super) roles: Part<RolesView>,
}

pub(super) async fn gather(asker: &Asker<'_>) -> Fleet {
    let fleet = gather_once(asker).await;
    if !is_changing(&fleet.answer, &fleet.dispatchers) {
        return fleet;
    }
    sleep(CHANGE_PAUSE).await;
    gather_once(asker).await
}

async fn gather_once(asker: &Asker<'_>) -> Fleet {
    let (answer, dispatchers, roles) =
        tokio::join!(answer(asker), dispatchers::gather(asker), roles(asker));
    Fleet {
        answer,
        dispatchers,
        roles,
    }
}

async fn answer(asker: &Asker<'_>) -> Part<Answer> {
    if let Some(denial) = asker.denial(subjects::API_STATUS) {
        return denial.part();
    }
    let sent = asker.now();
    let limit = PAGES_LIMIT.max(asker.session.answer_max);
    let asked = timeout(limit, status::request(asker.session)).await;
    let received = asker.now();
    Part::Known(match asked {
        Ok(Ok(Some(status))) => Answer::Status {
            lead: lead(sent, received, status.at_ms),
            status: Box::new(status),
        },
        Ok(Ok(None)) => Answer::Nobody,
        Ok(Err(failure)) if is_denied(asker, &failure) => {
            return Unanswered::Denied.part();
        }
        Ok(Err(failure)) => Answer::Silent(failure.text()),
        Err(_) => {
            let limit = format_duration(limit);
            Answer::Silent(format!(
                "the dispatcher's status is not complete within {limit}"
            ))
        }
    })
}

/// Whether the server refused a request whose rights were not known.
fn is_denied(asker: &Asker<'_>, failure: &Failure) -> bool {
    asker.session.denial(&failure.error).is_some() || failure.text().contains("lacks a permission")
}

async fn roles(asker: &Asker<'_>) -> Part<RolesView> {
    if let Some(denial) = asker.denial(subjects::API_ROLES) {
        return denial.part();
    }
    let asked = asker.session.request(subjects::API_ROLES, Bytes::new());
    match asked.await {
        Ok(Some(view)) => Part::Known(view),
        Ok(None) => Part::Unknown("no dispatcher answers".to_owned()),
        Err(failure) => Part::Unknown(failure.text()),
    }
}

/// Requests the forecasts of some nodes, spread over the whole fleet.
pub(super) async fn forecasts(asker: &Asker<'_>, answer: &Part<Answer>) -> Part<Vec<ForecastView>> {
    let status = match answer {
        Part::Known(Answer::Status { status, .. }) => status,
        Part::Known(Answer::Nobody | Answer::Silent(_)) => {
            return Part::Unknown("no dispatcher answers".to_owned());
        }
        Part::Unknown(why) => return Part::Unknown(why.clone()),
    };
    if let Some(denial) = asker.denial(subjects::API_FORECAST) {
        return denial.part();
    }
    let requests = stream::iter(sample(status)).map(|node| {
        let body = Bytes::copy_from_slice(node.as_str().as_bytes());
        asker.session.request(subjects::API_FORECAST, body)
    });
    let views = requests.buffer_unordered(AT_ONCE_MAX).collect::<Vec<_>>();
    let Ok(views) = timeout(asker.session.answer_max, views).await else {
        return Unanswered::Silent(asker.session.answer_max).part();
    };
    let mut known = Vec::new();
    for view in views {
        match view {
            Ok(view) => known.extend(view),
            Err(failure) => return Part::Unknown(failure.text()),
        }
    }
    Part::Known(known)
}

fn sample(status: &Status) -> Vec<&NodeId> {
    let nodes = status.nodes.iter();
    let ready = nodes.filter(|node| node.health == NodeHealth::Ready);
    let ready: Vec<&NodeId> = ready.map(|node| &node.node).collect();
    let step = ready.len().div_ceil(FORECASTS_MAX).max(1);
    ready.into_iter().step_by(step).collect()
}
