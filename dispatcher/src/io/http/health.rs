//! Health for probes: whether the process is alive, and whether it does its work.

use std::fmt::Write as _;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use rolecast_common::time::format_duration;
use serde_json::json;

use super::Observatory;
use super::observatory::{ANSWER_LIMIT, Phase, Standing};
use crate::io::questions::{Lead, Pulse, Unanswered};

/// Time in which every live node has sent a heartbeat: three intervals.
const OBSERVED_MIN: Duration = Duration::from_secs(3);

/// Answers whether the loop runs; if not, only a restart helps.
pub(super) async fn healthz(State(observatory): State<Observatory>) -> Response {
    match observatory.pulse().await {
        Ok(_) => "ok\n".into_response(),
        Err(Unanswered) => {
            let text = format!("{}\n", no_answer());
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

/// Answers whether the dispatcher does its work, or why not: as text, or as JSON to a
/// request with `?json` or for JSON.
pub(super) async fn readyz(
    State(observatory): State<Observatory>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let (standing, why, _) = readiness(&observatory).await;
    let code = match why.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let wants_json = accepted.is_some_and(|accepted| accepted.contains("application/json"));
    if wants_json || query.as_deref() == Some("json") {
        let json = in_json(&standing, &why);
        return (code, [(CONTENT_TYPE, "application/json")], json).into_response();
    }
    (code, in_text(&standing, &why)).into_response()
}

/// Returns the standing, the reasons why it is not ready, and the loop's signs of life.
pub(super) async fn readiness(observatory: &Observatory) -> (Standing, Vec<String>, Option<Pulse>) {
    let pulse = observatory.pulse().await;
    let standing = observatory.standing();
    let why = obstacles(&standing, pulse);
    (standing, why, pulse.ok().flatten())
}

fn in_text(standing: &Standing, why: &[String]) -> String {
    let mut text = match why.is_empty() {
        true => "ready".to_owned(),
        false => "not ready".to_owned(),
    };
    let _ = write!(text, ": {} since {}", standing.phase.name(), standing.since);
    if let Some(holder) = &standing.holder {
        let _ = write!(
            text,
            "; {} holds the lease, epoch {}",
            holder.name, holder.epoch
        );
    }
    text.push('\n');
    for line in why {
        let _ = writeln!(text, "- {line}");
    }
    text
}

fn in_json(standing: &Standing, why: &[String]) -> String {
    let holder = standing.holder.as_ref();
    let answer = json!({
        "ready": why.is_empty(),
        "standing": standing.phase.name(),
        "since": standing.since.to_string(),
        "holder": holder.map(|holder| &holder.name),
        "epoch": holder.map(|holder| holder.epoch),
        "why": why,
    });
    format!("{answer}\n")
}

/// Returns the reasons why it is not ready.
fn obstacles(standing: &Standing, pulse: Result<Option<Pulse>, Unanswered>) -> Vec<String> {
    let mut why = Vec::new();
    match standing.phase {
        Phase::Connecting => why.push("it has no connection to NATS yet; see its log"),
        Phase::Preparing => why.push("it reads the stored forecasts and opens the lease"),
        Phase::SettingUp => why.push("it took the lease and prepares to lead"),
        Phase::StandingBy | Phase::Leading(_) if !standing.is_connected => {
            why.push("it lost the connection to NATS and tries again");
        }
        Phase::StandingBy | Phase::Leading(_) => {}
    }
    let mut why: Vec<String> = why.into_iter().map(str::to_owned).collect();
    match pulse {
        Err(Unanswered) => why.push(no_answer()),
        Ok(Some(pulse)) if why.is_empty() => why.extend(chill(standing.phase, &pulse)),
        // Without a loop the phase is a reason already, or is over in a moment.
        Ok(_) => {}
    }
    why
}

fn chill(phase: Phase, pulse: &Pulse) -> Option<String> {
    if pulse.lead == Lead::Lapsed && matches!(phase, Phase::Leading(_)) {
        let text = "its lease could not be renewed, so it sends nothing until it is";
        return Some(text.to_owned());
    }
    let warmth = pulse.warmth;
    if warmth.observed < OBSERVED_MIN {
        let (observed, min) = (warmth.observed, format_duration(OBSERVED_MIN));
        let observed = Duration::from_millis(u64::try_from(observed.as_millis()).unwrap_or(0));
        return Some(format!(
            "it has observed heartbeats for {} of {min}",
            format_duration(observed)
        ));
    }
    (2 * warmth.known < warmth.forecast).then(|| {
        format!(
            "{} of {} nodes have a forecast; each has one some seconds after its first heartbeat",
            warmth.known, warmth.forecast
        )
    })
}

fn no_answer() -> String {
    let limit = format_duration(ANSWER_LIMIT);
    format!("its loop does not answer within {limit}; its log shows the last thing that it did")
}

#[cfg(test)]
mod tests {
    use rolecast_common::id::Epoch;
    use rolecast_common::time::{Time, WallTime};

    use super::*;
    use crate::scheduler::Warmth;

    fn standing(phase: Phase, is_connected: bool) -> Standing {
        Standing {
            phase,
            since: WallTime::from_millis(0),
            is_connected,
            holder: None,
        }
    }

    fn pulse(lead: Lead, observed_s: u64, known: u32) -> Result<Option<Pulse>, Unanswered> {
        let warmth = Warmth {
            observed: Duration::from_secs(observed_s),
            forecast: 10,
            known,
        };
        Ok(Some(Pulse { lead, warmth }))
    }

    #[test]
    fn it_is_ready_when_it_leads_or_stands_by_with_warm_forecasts() {
        let leading = standing(Phase::Leading(Epoch::new(7)), true);
        let held = Lead::Held(Time::ZERO);
        assert_eq!(obstacles(&leading, pulse(held, 3, 5)), Vec::<String>::new());
        let standby = standing(Phase::StandingBy, true);
        let warm = pulse(Lead::Standby, 3, 10);
        assert_eq!(obstacles(&standby, warm), Vec::<String>::new());
        let text = in_text(&standby, &[]);
        assert_eq!(text, "ready: standing by since 1970-01-01T00:00:00.000Z\n");
    }

    #[test]
    fn each_obstacle_is_named() {
        let leading = Phase::Leading(Epoch::new(7));
        let held = Lead::Held(Time::ZERO);
        for (phase, is_connected, pulse, part) in [
            (
                Phase::Connecting,
                false,
                Ok(None),
                "no connection to NATS yet",
            ),
            (Phase::Preparing, true, Ok(None), "stored forecasts"),
            (
                Phase::SettingUp,
                true,
                pulse(Lead::Standby, 9, 9),
                "prepares to lead",
            ),
            (leading, false, pulse(held, 9, 9), "lost the connection"),
            (leading, true, Err(Unanswered), "does not answer within 5s"),
            (
                leading,
                true,
                pulse(Lead::Lapsed, 9, 9),
                "could not be renewed",
            ),
            (leading, true, pulse(held, 2, 9), "for 2s of 3s"),
            (
                Phase::StandingBy,
                true,
                pulse(Lead::Standby, 9, 4),
                "4 of 10 nodes",
            ),
        ] {
            let why = obstacles(&standing(phase, is_connected), pulse);
            assert_eq!(why.len(), 1, "{phase:?}: {why:?}");
            assert!(why[0].contains(part), "{part:?} not in {why:?}");
        }
    }
}
