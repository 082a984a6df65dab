//! Assessments: the figures of a verdict, for events and for history.

use std::fmt;

use rolecast_common::wire::Figures;

/// The figures of a verdict; all are finite.
///
/// Loads are shares of the node's CPU by work that cannot be shed, the role included;
/// above 1 the demand exceeds the capacity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assessment {
    /// The expected saving of a change, in core-seconds of delayed work.
    pub benefit_core_s: f64,
    /// The expected cost of a change: stall, drain and warm-up, more for each recent
    /// change, and the delay of the target's own work; in core-seconds.
    pub cost_core_s: f64,
    /// The bad seconds of this episode that a change would have avoided.
    pub regret_s: f64,
    /// The regret at which the role moves.
    pub needed_s: f64,
    /// The bad seconds that a change costs by itself.
    pub change_s: f64,
    pub episode: Episode,
    /// Recent changes, each counting less with time.
    pub recent_changes: f64,
    pub holder: Burden,
    /// The best target, with the whole role on top.
    pub target: Option<Burden>,
    pub group: Group,
    pub evidence: Evidence,
    /// The reason why the role stays; `None` with a move.
    pub objection: Option<Objection>,
}

/// The bad episode of the holder.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Episode {
    /// Its duration so far.
    pub elapsed_s: f64,
    /// Its expected further duration, by past episodes.
    pub remaining_s: f64,
}

/// The load of a node that has the role, or would have it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Burden {
    pub load: f64,
    /// The share of the role's operations that miss there.
    pub missed: f64,
}

/// The number of nodes of the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub hot: u32,
    /// Those with recent heartbeats.
    pub fresh: u32,
}

impl Assessment {
    /// Returns the figures by name, as they are reported and stored.
    pub fn figures(&self) -> Figures {
        let of = |is_said: bool| f64::from(u8::from(is_said));
        let evidence = self.evidence;
        let all = [
            ("benefit_core_s", self.benefit_core_s),
            ("cost_core_s", self.cost_core_s),
            ("regret_s", self.regret_s),
            ("needed_s", self.needed_s),
            ("elapsed_s", self.episode.elapsed_s),
            ("remaining_s", self.episode.remaining_s),
            ("recent_changes", self.recent_changes),
            ("holder_load_share", self.holder.load),
            ("holder_missed_share", self.holder.missed),
            ("hot", f64::from(self.group.hot)),
            ("heard", f64::from(self.group.fresh)),
            ("unforeseen", of(evidence.is_unforeseen)),
            ("unusual", of(evidence.is_unusual)),
            ("above_peers", of(evidence.is_above_peers)),
            ("over_limit", of(evidence.is_over_limit)),
            ("pressed", of(evidence.is_pressed)),
            ("slow", of(evidence.is_slow)),
        ];
        let target = [
            ("target_load_share", self.target.map(|target| target.load)),
            (
                "target_missed_share",
                self.target.map(|target| target.missed),
            ),
        ];
        let target = target
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        Figures::new(all.into_iter().chain(target))
    }
}

/// Evidence of a bottleneck that nobody foresaw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The load rose beyond the upper quantile of its forecast.
    pub is_unforeseen: bool,
    /// It is high against the node's own history.
    pub is_unusual: bool,
    /// It is high against the median of the group.
    pub is_above_peers: bool,
    /// It is beyond the absolute limit: far for a short time, or a little for long.
    pub is_over_limit: bool,
    /// Stalls, or slow jobs, are stronger evidence than use.
    pub is_pressed: bool,
    pub is_slow: bool,
}

impl Evidence {
    /// Whether all required evidence agrees.
    pub fn is_complete(self) -> bool {
        self.is_unforeseen && self.is_unusual && self.is_above_peers && self.is_over_limit
    }
}

/// The reason why a role stays with its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objection {
    /// Nothing is wrong with the holder.
    Healthy,
    /// The holder has not sent a heartbeat recently, or has no CPU.
    HolderUnknown,
    /// Most of the group is hot: no move helps.
    AllHot,
    /// Too little of the evidence agrees.
    Unproven,
    /// No candidate has room for the whole role.
    NoTarget,
    /// The last change is too recent.
    CoolDown,
    /// The number of changes in the last hour has reached its limit.
    TooManyChanges,
    /// The regret does not yet justify the cost of a change.
    TooDear,
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Objection::Healthy => "the holder is not overloaded",
            Objection::HolderUnknown => "the holder sends no heartbeats",
            Objection::AllHot => "most of the group is overloaded",
            Objection::Unproven => "not all conditions of an overload hold",
            Objection::NoTarget => "no candidate has room for the role",
            Objection::CoolDown => "the last change is too recent",
            Objection::TooManyChanges => "too many changes in the last hour",
            Objection::TooDear => "a change costs more than the loss so far",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_complete_only_if_all_that_must_agree_does() {
        let all = Evidence {
            is_unforeseen: true,
            is_unusual: true,
            is_above_peers: true,
            is_over_limit: true,
            is_pressed: false,
            is_slow: false,
        };
        assert!(all.is_complete());
        let lacking = [
            Evidence {
                is_unforeseen: false,
                ..all
            },
            Evidence {
                is_unusual: false,
                ..all
            },
            Evidence {
                is_above_peers: false,
                ..all
            },
            Evidence {
                is_over_limit: false,
                ..all
            },
        ];
        for evidence in lacking {
            assert!(!evidence.is_complete(), "{evidence:?}");
        }
    }
}
