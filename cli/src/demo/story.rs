//! Story of a role change in lines: the role leaves an overloaded holder and returns.

use std::time::Duration;

use rolecast_common::id::{NodeId, Role};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{
    Figures, PastRoleChange, RoleChange, RoleChangeResult, RolePhase, RolesView, Why,
};

/// The least harm to a holder that is worth a line.
const HARM_MIN: f64 = 0.2;

/// Events of one role that were reported so far.
#[derive(Debug)]
pub(crate) struct Story {
    role: Role,
    /// Steps that were stored before this generation are history.
    generation: u64,
    is_harm_told: bool,
    /// The start of the change whose reason was reported.
    reason_told: Option<WallTime>,
}

impl Story {
    /// Starts after the steps that are stored already.
    pub(crate) fn new(role: Role, view: &RolesView) -> Self {
        Self {
            role,
            generation: view.document.generation,
            is_harm_told: false,
            reason_told: None,
        }
    }

    /// Returns the lines about new events.
    pub(crate) fn look(&mut self, view: &RolesView) -> Vec<String> {
        let mut lines = Vec::new();
        self.add_harm(view, &mut lines);
        let document = &view.document;
        let past = document.history.iter();
        let past = past.map(|past| (past.generation, past.began_ms, &past.why, finished(past)));
        let changes = document.changes.values();
        let changes = changes.map(|c| (c.generation, c.began_ms, &c.why, step(c)));
        let mut news: Vec<_> = past
            .chain(changes)
            .filter(|(generation, ..)| *generation > self.generation)
            .collect();
        news.sort_by_key(|(generation, ..)| *generation);
        for (_, began, why, line) in news {
            if self.reason_told != Some(began) {
                self.reason_told = Some(began);
                lines.push(reason(why));
            }
            lines.push(line);
        }
        self.generation = document.generation.max(self.generation);
        lines
    }

    fn add_harm(&mut self, view: &RolesView, lines: &mut Vec<String>) {
        let Some(managed) = view.roles.get(&self.role) else {
            return;
        };
        let figures = &managed.judgement;
        let missed = figures.get("holder_missed_share").unwrap_or_default();
        if missed < HARM_MIN {
            self.is_harm_told = false;
            return;
        }
        let [holder] = managed.acting.as_slice() else {
            return;
        };
        if !std::mem::replace(&mut self.is_harm_told, true) {
            let load = percent(figures.get("holder_load_share").unwrap_or_default());
            lines.push(format!(
                "{holder} is {load} busy with work that is not ours: {} of the {}'s operations \
                 would miss; evidence so far: {}",
                percent(missed),
                self.role,
                evidence(figures)
            ));
        }
    }
}

fn step(change: &RoleChange) -> String {
    let RoleChange { role, phase, .. } = change;
    match phase {
        RolePhase::Demoting { node, .. } => {
            format!("demoting {node}, the {role}")
        }
        RolePhase::Promoting { node } => format!("promoting {node} to {role}"),
    }
}

fn finished(past: &PastRoleChange) -> String {
    let role = &past.role;
    let took = length(past.began_ms, past.ended_ms);
    let name = |node: &Option<NodeId>| {
        node.as_ref()
            .map_or_else(|| "nobody".to_owned(), ToString::to_string)
    };
    let to = name(&past.to);
    match past.result {
        RoleChangeResult::Done => format!("{to} is {role}; the change took {took}"),
        RoleChangeResult::Undone => format!("undone after {took}: {to} is {role} still"),
        RoleChangeResult::Vacated => format!("nobody is {role} now"),
    }
}

fn reason(why: &Why) -> String {
    match why {
        Why::Operator => "ordered".to_owned(),
        Why::Drain => "drained".to_owned(),
        Why::HolderGone => "its holder is gone".to_owned(),
        Why::HolderUnfit { reason } => reason.clone(),
        Why::Election => "a place is free".to_owned(),
        Why::Swap => "they change places".to_owned(),
        Why::Bottleneck { figures } => format!(
            "a change is expected to save {} and to cost {} ({})",
            core_seconds(figures, "benefit_core_s"),
            core_seconds(figures, "cost_core_s"),
            evidence(figures)
        ),
        Why::Restored { .. } => "the former holder is not overloaded any more".to_owned(),
    }
}

fn core_seconds(figures: &Figures, name: &str) -> String {
    let value = figures.get(name).unwrap_or_default();
    format!("{value:.1} core-seconds of delay")
}

fn evidence(figures: &Figures) -> String {
    let all = [
        ("unforeseen", "the forecast did not see it"),
        ("unusual", "unusual for the node"),
        ("above_peers", "above its peers"),
        ("over_limit", "over the limit"),
        ("pressed", "processes stall"),
        ("slow", "jobs are slow"),
    ];
    let known = all
        .into_iter()
        .filter(|(name, _)| figures.get(name) == Some(1.0));
    let known: Vec<&str> = known.map(|(_, text)| text).collect();
    if known.is_empty() {
        return "none".to_owned();
    }
    known.join(", ")
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn length(from: WallTime, to: WallTime) -> String {
    let length: Duration = to.since(from);
    format!("{} ms", length.as_millis())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rolecast_common::id::{Epoch, Group};
    use rolecast_common::wire::{ManagedRole, RoleDocument, VERSION};

    use super::*;

    fn view(generation: u64, missed: f64) -> RolesView {
        let role: Role = "leader".parse().unwrap();
        let managed = ManagedRole {
            group: "default".parse::<Group>().unwrap(),
            holders_wanted: 1,
            acting: vec!["oak".parse().unwrap()],
            offered_by: Vec::new(),
            judgement: Figures::new([("holder_missed_share", missed), ("unusual", 1.0)]),
            acting_left_out: 0,
            offered_left_out: 0,
        };
        RolesView {
            v: VERSION,
            epoch: Epoch::new(1),
            roles: BTreeMap::from([(role, managed)]),
            document: RoleDocument {
                v: VERSION,
                epoch: Epoch::new(1),
                generation,
                roles: BTreeMap::new(),
                changes: BTreeMap::new(),
                history: Vec::new(),
                drained: Default::default(),
            },
            drained_left_out: 0,
        }
    }

    #[test]
    fn trouble_and_steps_are_reported_once_each() {
        let mut story = Story::new("leader".parse().unwrap(), &view(3, 0.0));
        assert!(story.look(&view(3, 0.0)).is_empty());
        let lines = story.look(&view(3, 0.5));
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].contains("oak") && lines[0].contains("unusual for the node"),
            "{lines:?}"
        );
        let mut moving = view(4, 0.5);
        let change = RoleChange {
            role: "leader".parse().unwrap(),
            phase: RolePhase::Demoting {
                node: "oak".parse().unwrap(),
                to: None,
            },
            generation: 4,
            from: None,
            target: None,
            came_from: None,
            why: Why::Bottleneck {
                figures: Figures::new([("benefit_core_s", 12.0), ("cost_core_s", 3.0)]),
            },
            began_ms: WallTime::default(),
            since_ms: WallTime::default(),
            trouble: None,
        };
        moving
            .document
            .changes
            .insert("default".parse().unwrap(), change);
        let lines = story.look(&moving);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("save 12.0 core-seconds") && lines[1].contains("demoting oak"));
        assert!(story.look(&moving).is_empty());
    }
}
