//! The judge: when a role with one holder should move to another node, and when back.
//!
//! Placement sends jobs to other nodes if a holder is expected to be loaded. The judge
//! weighs the load that cannot be sent elsewhere, that of others and of the role itself,
//! against the cost of a change of holders. In this order:
//!
//! 1. *Load* (`harm`): use, or more where pressure or slow jobs show it. The harm
//!    `p(load)` is the share of the role's operations that miss.
//! 2. *Suspicion* (`node`, `usual`): the load is beyond the upper quantile of its forecast,
//!    unusual for the node, above the median of the group, and over the limit, a little for
//!    a long time or far for a short time. All four must hold.
//! 3. No role moves if most of the group is overloaded: one alert. Readings older than three
//!    heartbeats do not count.
//! 4. *Target*: the candidate with the least harm, by the worse of its present and of
//!    most of its last minute, with the whole role on top. Among equals the former
//!    holder, then the one with the most headroom.
//! 5. *Regret* accumulates while the target would be better by a fifth: the bad seconds
//!    that a change would have avoided (ski-rental). The role moves when regret reaches the
//!    cost of a change; sooner if past episodes (`episodes`) show that this one will
//!    outlast the cost and that waiting gains nothing, and later otherwise; the more
//!    episodes are known, the larger is their effect. Each recent change (`changes`)
//!    doubles the cost, but beyond four times the plain cost a good target is taken in any
//!    case. Each change beyond half of the limit for an hour doubles both.
//! 6. *Temporary*: the former holder gets the role back after a term, longer for expensive
//!    or recent changes, if its forecast has room for the role over the whole horizon. A
//!    pause after each change, and a limit of changes in an hour, hold for all changes.
//!
//! `make bench-roles` measures the rule.

mod assessment;
mod changes;
mod episodes;
mod failback;
mod harm;
mod node;
mod settings;
mod target;
mod usual;
mod verdict;

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::time::Time;
use rolecast_common::unit::Cores;
use rolecast_common::wire::Share;

pub use assessment::{Assessment, Burden, Evidence, Objection};
use changes::Changes;
use episodes::Episodes;
use failback::Failback;
pub use failback::{Change, Purpose};
use harm::{Load, missed};
use node::Node;
pub use settings::Settings;
use target::Target;
pub use verdict::Verdict;

/// Regret per second that counts as noise: from simulation.
const SLACK: f64 = 0.03;
/// The least improvement by a target: from simulation.
const BETTER_MIN: f64 = 0.2;
/// Regret, in plain costs, that moves a role whatever the back-off: from simulation.
const REGRET_MAX: f64 = 4.0;
/// The least height of a load above its usual, and above its peers. Guessed: three times
/// the variation of calm nodes.
const ABOVE: f64 = 0.15;
/// Excess for suspicion (`node::Bad::excess_s`): an eighth of a second at 120 % of the
/// CPU, a third at 100 %, two at 92 %. From simulation: half of it saves nothing more
/// where a change costs 2.5 s, twice as much loses a tenth.
const EXCESS_S: f64 = 0.1;
/// The least time between two changes, unless a term is shorter: enough for heartbeats of
/// the new holder. Beyond that only their cost holds changes back. From simulation: with
/// 60 s mixed bottlenecks cost a third more where a change costs 2.5 s.
const COOL_DOWN: Duration = Duration::from_secs(10);
/// The share of hot nodes above which nothing moves: of five three may be hot, and two
/// are left to move to.
const HOT_SHARE: f64 = 0.6;
/// Decisions are made at heartbeats; regret never grows for longer, in seconds.
const STEP_MAX_S: f64 = 2.0;
/// The share of an hour's changes beyond which each doubles the cost of the next, so that
/// the last ones are kept for lasting load. From simulation: with 6 an hour this halves
/// the bad seconds of mixed bottlenecks where a change costs 2.5 s, with 12 it changes
/// them by a twentieth.
const FREE: f64 = 0.5;
/// Changes of the hour that a restore must leave: should it prove wrong, the role can
/// move again.
const SPARE: usize = 2;
/// The doublings that are counted: the cap acts far below.
const DOUBLINGS_MAX: f64 = 16.0;
/// The least assumed load of a role, in cores: one without would be worth nothing.
/// Guessed.
const MOVED_MIN: f64 = 0.05;

/// The figures of a node at a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    pub capacity: Cores,
    /// Total use.
    pub used: Cores,
    /// The part of it by our jobs, which can be shed.
    pub jobs: Cores,
    /// The upper quantile of the use by others in the next ten seconds, the role included
    /// on the node that holds it. The judge keeps it until its time has come.
    pub upper: Cores,
    /// The same of their peak within [`Settings::horizon`].
    pub ahead_upper: Cores,
    pub pressure: Option<Share>,
    /// The run time of jobs over the usual one of their category; 1 if unknown.
    pub slow_down: f32,
}

/// Judges one role that has a single holder.
#[derive(Clone, Debug)]
pub struct Judge {
    settings: Settings,
    nodes: BTreeMap<NodeId, Node>,
    episodes: Episodes,
    changes: Changes,
    holder: Option<NodeId>,
    /// The former holder to which the role returns.
    failback: Option<Failback>,
    /// Whether a change was requested and is not over: it counts already.
    has_asked: bool,
    regret_s: f64,
    decided: Option<Time>,
    /// The last time at which most of the group was hot.
    hot_last: Option<Time>,
}

impl Judge {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            nodes: BTreeMap::new(),
            episodes: Episodes::default(),
            changes: Changes::default(),
            holder: None,
            failback: None,
            has_asked: false,
            regret_s: 0.0,
            decided: None,
            hot_last: None,
        }
    }

    /// Continues after a predecessor's changes, oldest first.
    pub fn resume(&mut self, now: Time, past: impl IntoIterator<Item = Change>) {
        self.changes = Changes::default();
        self.failback = None;
        self.has_asked = false;
        for change in past {
            self.record(now, &change);
        }
    }

    /// Records a change that is over.
    pub fn record(&mut self, now: Time, change: &Change) {
        self.failback = Failback::after(self.failback.take(), now, change);
        if change.purpose == Purpose::Other {
            return;
        }
        if !std::mem::take(&mut self.has_asked) {
            let began = change.ended.saturating_add(change.length);
            self.changes.add(now, began);
        }
        if change.is_done {
            self.changes.measure(change.length);
        }
    }

    /// Records the reading of a heartbeat of a node of the group.
    pub fn observe(&mut self, now: Time, node: &NodeId, reading: &Reading) {
        let Some(load) = Load::of(reading) else {
            self.nodes.remove(node);
            return;
        };
        let is_holder = self.holder.as_ref() == Some(node);
        let role_load = self.settings.role_load.get();
        let known = self
            .nodes
            .entry(node.clone())
            .or_insert_with(|| Node::new(now));
        if now < known.at {
            return;
        }
        if let Some(length) = known.observe(now, reading, load, role_load, is_holder) {
            self.episodes.add(length.as_secs_f64());
        }
    }

    /// Forgets a node that left the group.
    pub fn forget(&mut self, node: &NodeId) {
        self.nodes.remove(node);
    }

    /// Decides where the role should be, at a heartbeat; the candidates may take it, the
    /// best rank first.
    pub fn decide(&mut self, now: Time, holder: &NodeId, candidates: &[NodeId]) -> Verdict {
        let step_s = self.step_s(now);
        self.take_holder(holder);
        let mut figures = self.assess(now, holder);
        if figures.objection == Some(Objection::HolderUnknown) {
            return Verdict::Keep(figures);
        }
        if self.is_all_hot(&figures) {
            figures.objection = Some(Objection::AllHot);
            let is_news = !self.was_hot(now);
            self.hot_last = Some(now);
            return match is_news {
                true => Verdict::Alert(figures),
                false => Verdict::Keep(figures),
            };
        }
        if figures.holder.missed < BETTER_MIN {
            self.regret_s = (self.regret_s - SLACK * step_s).max(0.0);
            figures.regret_s = self.regret_s;
            return self.restore(now, candidates, figures);
        }
        let target = self.target(now, holder, candidates);
        self.weigh(now, &mut figures, target.as_ref(), step_s);
        figures.objection = self.objection(now, &figures, target.as_ref());
        match target {
            Some(target) if figures.objection.is_none() => {
                self.ask(now);
                Verdict::Move {
                    to: target.node,
                    assessment: figures,
                }
            }
            Some(_) | None => Verdict::Keep(figures),
        }
    }

    /// Returns the time since the last decision.
    fn step_s(&mut self, now: Time) -> f64 {
        let before = self.decided.replace(now);
        let step = before.map_or(Duration::ZERO, |before| now.since(before));
        step.as_secs_f64().min(STEP_MAX_S)
    }

    /// Records the holder; a new one begins without regret.
    fn take_holder(&mut self, holder: &NodeId) {
        if self.holder.as_ref() == Some(holder) {
            return;
        }
        self.holder = Some(holder.clone());
        self.regret_s = 0.0;
    }

    /// Returns the known figures of the holder and of the group.
    fn assess(&self, now: Time, holder: &NodeId) -> Assessment {
        let recent_changes = self.changes.recent(now);
        let mut figures = Assessment {
            regret_s: self.regret_s,
            change_s: self.changes.cost_s(self.settings.change_cost),
            recent_changes,
            objection: Some(Objection::HolderUnknown),
            ..Assessment::default()
        };
        for node in self.nodes.values().filter(|node| node.is_fresh(now)) {
            figures.group.fresh += 1;
            figures.group.hot += u32::from(node.is_hot());
        }
        let known = self.nodes.get(holder).filter(|node| node.is_fresh(now));
        let Some(node) = known else {
            return figures;
        };
        figures.objection = Some(Objection::Healthy);
        figures.holder.load = node.load.share;
        figures.holder.missed = missed(node.load.share);
        if let Some(bad) = node.bad {
            figures.episode.elapsed_s = now.since(bad.since).as_secs_f64();
            figures.episode.remaining_s = self.episodes.remaining_s(figures.episode.elapsed_s);
        }
        figures.evidence = self.evidence(now, holder, node);
        figures
    }

    fn evidence(&self, now: Time, holder: &NodeId, node: &Node) -> Evidence {
        let others = self.nodes.iter().filter(|(id, _)| *id != holder);
        let fresh = others.filter(|(_, other)| other.is_fresh(now));
        let mut peers: Vec<f64> = fresh.map(|(_, other)| other.alone).collect();
        peers.sort_by(f64::total_cmp);
        // The lower of an even number: being above half of them is enough.
        let median = peers.get(peers.len().saturating_sub(1) / 2);
        let bad = node.bad;
        let usual = node.usual();
        Evidence {
            is_unforeseen: bad.is_some_and(|bad| bad.is_unforeseen),
            is_unusual: usual.is_some_and(|usual| node.alone >= usual + ABOVE),
            is_above_peers: median.is_some_and(|median| node.alone >= median + ABOVE),
            is_over_limit: bad.is_some_and(|bad| bad.excess_s >= EXCESS_S),
            is_pressed: node.load.is_pressed,
            is_slow: node.is_slow,
        }
    }

    fn is_all_hot(&self, figures: &Assessment) -> bool {
        f64::from(figures.group.hot) > HOT_SHARE * f64::from(figures.group.fresh)
    }

    /// Whether most of the group was hot a moment ago.
    fn was_hot(&self, now: Time) -> bool {
        self.hot_last
            .is_some_and(|last| now.since(last) < node::CALM)
    }

    /// Weighs the saving of a move to the target against its cost.
    fn weigh(&mut self, now: Time, figures: &mut Assessment, target: Option<&Target>, step_s: f64) {
        let better = target.map_or(0.0, |target| {
            figures.target = Some(Burden {
                load: target.load,
                missed: target.missed,
            });
            figures.holder.missed - target.missed - target.harm
        });
        let gain = if better > BETTER_MIN { better } else { 0.0 };
        self.regret_s = (self.regret_s + (gain - SLACK) * step_s).max(0.0);
        figures.regret_s = self.regret_s;
        let doublings = (figures.recent_changes - 1.0).clamp(0.0, DOUBLINGS_MAX);
        let scarcity = self.scarcity(now);
        let cost_s = figures.change_s * doublings.exp2() * scarcity;
        // Time that it must last for a move to be worth it.
        let worth_s = cost_s / better.max(BETTER_MIN);
        let is_lasting = figures.episode.remaining_s > worth_s
            && self
                .episodes
                .best_wait_s(figures.episode.elapsed_s, worth_s)
                >= worth_s;
        let doubt = self.episodes.doubt(figures.episode.elapsed_s);
        // Squared, by simulation: long bottlenecks cost a twelfth less, mixed ones the same.
        let share = if is_lasting {
            doubt * doubt
        } else {
            1.0 / doubt
        };
        figures.needed_s = (cost_s * share).min(figures.change_s * REGRET_MAX * scarcity);
        let moved = self.settings.role_load.get().max(MOVED_MIN);
        let harm = target.map_or(0.0, |target| target.harm);
        figures.benefit_core_s = moved * gain * figures.episode.remaining_s;
        figures.cost_core_s = moved * (cost_s + harm * figures.episode.remaining_s);
    }

    /// Returns the factor by which a change costs more because few are left in the hour.
    fn scarcity(&self, now: Time) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "they are few")]
        let made = self.changes.within_hour(now) as f64;
        let free = f64::from(self.settings.changes_per_hour) * FREE;
        (made - free).clamp(0.0, DOUBLINGS_MAX).exp2()
    }

    /// Returns the reason why the role does not move.
    fn objection(
        &self,
        now: Time,
        figures: &Assessment,
        target: Option<&Target>,
    ) -> Option<Objection> {
        if !figures.evidence.is_complete() {
            return Some(Objection::Unproven);
        }
        // An overload of most nodes ends for each at its own heartbeat.
        if self.was_hot(now) {
            return Some(Objection::AllHot);
        }
        if target.is_none() {
            return Some(Objection::NoTarget);
        }
        if let Some(objection) = self.limited(now, 0) {
            return Some(objection);
        }
        (figures.regret_s < figures.needed_s).then_some(Objection::TooDear)
    }

    /// Returns the objection by the bounds on changes, if `spare` of them must be left.
    fn limited(&self, now: Time, spare: usize) -> Option<Objection> {
        let last = self.changes.last(now);
        if last.is_some_and(|age| age < COOL_DOWN.min(self.settings.term)) {
            return Some(Objection::CoolDown);
        }
        let allowed = usize::try_from(self.settings.changes_per_hour).unwrap_or(usize::MAX);
        let is_spent = self.changes.within_hour(now) + spare >= allowed;
        is_spent.then_some(Objection::TooManyChanges)
    }

    /// Records a requested change: it counts, made or not.
    fn ask(&mut self, now: Time) {
        self.has_asked = true;
        self.changes.add(now, Duration::ZERO);
        self.regret_s = 0.0;
    }
}

#[cfg(test)]
mod tests;
