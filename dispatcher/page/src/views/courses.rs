//! The time line of managed roles: the holders of each, in a row for each of its places.

use maud::{Markup, html};
use rolecast_common::id::{NodeId, Role};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{PastRoleChange, RolesView};
use rolecast_common::words::{course, why};

use crate::svg::timeline::{Span, timeline};

/// The shortest time that a time line spans, in milliseconds.
const SPAN_MIN_MS: u64 = 60_000;

/// Draws the holders of each role, as far as the finished changes reach back.
pub(super) fn section(view: &RolesView, now: WallTime) -> Markup {
    let history = &view.document.history;
    let began = history.iter().map(|change| change.began_ms.as_millis());
    let Some(first) = began.min() else {
        return html! {};
    };
    let end = now.as_millis().max(first + SPAN_MIN_MS);
    // A little of the time before, so that the first holder is seen.
    let start = first.saturating_sub((end - first) / 20);
    let place = |at: WallTime| share(at.as_millis().saturating_sub(start), end - start);
    let (mut names, mut spans) = (Vec::new(), Vec::new());
    for role in view.roles.keys() {
        let holders = view.document.roles.get(role).map_or(&[][..], Vec::as_slice);
        for (index, lane) in lanes(role, holders, history, &place)
            .into_iter()
            .enumerate()
        {
            let row = names.len();
            names.push(if index == 0 {
                role.to_string()
            } else {
                String::new()
            });
            spans.extend(lane.into_iter().map(|span| Span { row, ..span }));
        }
    }
    let ends = (WallTime::from_millis(start).to_string(), now.to_string());
    html! {
        section aria-labelledby="h-course" {
            h2 #h-course { "Time line" }
            div.scroll tabindex="0" role="region" aria-label="Time line of the holders" {
                (timeline("Holders of the managed roles over time; the table below has each change in words", &names, &spans, (&ends.0, &ends.1)))
            }
            ul.legend { li { span.swatch.held {} "held" } li { span.swatch.moving {} "moving" } li { span.swatch.empty {} "vacant" } }
        }
    }
}

/// One place of a role, up to the last change of it.
struct Lane<'a> {
    holder: Option<&'a NodeId>,
    since: f64,
    spans: Vec<Span>,
}

impl<'a> Lane<'a> {
    fn begin(holder: Option<&'a NodeId>) -> Self {
        Self {
            holder,
            since: 0.0,
            spans: Vec::new(),
        }
    }

    /// Adds the time until then, in which the holder stayed the same.
    fn stay(&mut self, role: &Role, to: f64) {
        let (class, text, title) = match self.holder {
            Some(node) => ("held", node.to_string(), format!("{node} held {role}")),
            None => ("vacant", "vacant".to_owned(), format!("nobody held {role}")),
        };
        self.spans.push(Span {
            row: 0,
            from: self.since,
            to,
            class,
            text,
            title,
        });
    }
}

/// Returns the spans of a role, for each of its places; the rows are still to be set.
fn lanes(
    role: &Role,
    holders: &[NodeId],
    history: &[PastRoleChange],
    place: &impl Fn(WallTime) -> f64,
) -> Vec<Vec<Span>> {
    let mut lanes: Vec<Lane<'_>> = Vec::new();
    for change in history.iter().filter(|change| change.role == *role) {
        let from = change.from.as_ref();
        let known = lanes.iter().position(|lane| lane.holder == from);
        let index = known.unwrap_or_else(|| {
            lanes.push(Lane::begin(from));
            lanes.len() - 1
        });
        let lane = &mut lanes[index];
        let (began, ended) = (place(change.began_ms), place(change.ended_ms));
        lane.stay(role, began);
        lane.spans.push(Span {
            row: 0,
            from: began,
            to: ended,
            class: "moving",
            text: String::new(),
            title: format!(
                "{role}: {}, {}, {}",
                course(change),
                why(&change.why),
                change.began_ms
            ),
        });
        (lane.holder, lane.since) = (change.to.as_ref(), ended);
    }
    for node in holders {
        if lanes.iter().all(|lane| lane.holder != Some(node)) {
            lanes.push(Lane::begin(Some(node)));
        }
    }
    let ended = lanes.into_iter().map(|mut lane| {
        lane.stay(role, 1.0);
        lane.spans
    });
    ended.collect()
}

#[allow(clippy::cast_precision_loss, reason = "a place on a screen")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(from: Option<&str>, to: Option<&str>, at: u64) -> PastRoleChange {
        let change = json!({"group": "default", "role": "backup", "from": from, "to": to,
            "why": "election", "result": "done", "began_ms": at, "ended_ms": at + 1,
            "epoch": 1, "generation": 1});
        serde_json::from_value(change).unwrap()
    }

    #[test]
    fn each_place_of_a_role_has_its_own_row() {
        let role = Role::new("backup").unwrap();
        let holders = ["n3", "n4", "n9"].map(|node| NodeId::new(node).unwrap());
        let history = [
            change(None, Some("n1"), 10),
            change(None, Some("n2"), 20),
            change(Some("n1"), None, 30),
            change(None, Some("n3"), 40),
            change(Some("n2"), Some("n4"), 50),
        ];
        let place = |at: WallTime| share(at.as_millis(), 100);
        let lanes = lanes(&role, &holders, &history, &place);
        let texts: Vec<String> = lanes
            .iter()
            .map(|lane| {
                let texts = lane.iter().filter(|span| !span.text.is_empty());
                let texts: Vec<&str> = texts.map(|span| span.text.as_str()).collect();
                texts.join(" ")
            })
            .collect();
        // The last one held it before all that is remembered.
        let expected = ["vacant n1 vacant n3", "vacant n2 n4", "n9"];
        assert_eq!(texts, expected);
        assert_eq!((lanes[2][0].from, lanes[2][0].to), (0.0, 1.0));
    }
}
