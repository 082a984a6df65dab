//! Tests of when a role moves, and above all of when it does not.

mod any_readings;
mod changes;
mod failback;
mod targets;

use super::*;

/// Five nodes of ten cores, with a heartbeat every second; the role takes three.
struct Group {
    judge: Judge,
    names: Vec<NodeId>,
    second: u64,
    holder: usize,
    loads: [f64; 5],
    /// The forecasts, and the silent nodes.
    upper: [f64; 5],
    ahead: [f64; 5],
    silent: [bool; 5],
    jobs: f64,
    pressure: Option<f64>,
    slow_down: f32,
}

const COST: Duration = Duration::from_secs(10);

fn settings() -> Settings {
    Settings {
        change_cost: COST,
        role_load: Cores::clamped(3.0),
        term: Duration::from_secs(600),
        changes_per_hour: 6,
    }
}

impl Group {
    /// A group that has been calm for ten minutes; the first node has the role.
    fn calm() -> Self {
        Self::with(settings())
    }

    fn with(settings: Settings) -> Self {
        let names = (0..5).map(|node| NodeId::new(&format!("n{node}")).unwrap());
        let mut group = Self {
            judge: Judge::new(settings),
            names: names.collect(),
            second: 0,
            holder: 0,
            loads: [0.2; 5],
            upper: [0.6; 5],
            ahead: [0.3; 5],
            silent: [false; 5],
            jobs: 0.0,
            pressure: None,
            slow_down: 1.0,
        };
        assert_eq!(group.go_on(600), None);
        group
    }

    fn now(&self) -> Time {
        Time::from_start(Duration::from_secs(self.second))
    }

    fn reading(&self, node: usize) -> Reading {
        let cores = |share: f64| Cores::clamped(share * 10.0);
        let role = if node == self.holder { 0.3 } else { 0.0 };
        Reading {
            capacity: cores(1.0),
            used: cores((self.loads[node] + role + self.jobs).min(1.0)),
            jobs: cores(self.jobs),
            upper: cores(self.upper[node]),
            ahead_upper: cores(self.ahead[node] + role),
            pressure: self.pressure.map(Share::clamped),
            slow_down: if node == self.holder {
                self.slow_down
            } else {
                1.0
            },
        }
    }

    /// Passes the heartbeats of the next second and asks for a verdict.
    fn tick(&mut self) -> Verdict {
        self.second += 1;
        for node in (0..5).filter(|node| !self.silent[*node]) {
            let (now, reading) = (self.now(), self.reading(node));
            self.judge.observe(now, &self.names[node], &reading);
        }
        let (now, names) = (self.now(), self.names.clone());
        self.judge.decide(now, &names[self.holder], &names)
    }

    /// Continues for this many seconds or until a verdict other than keeping.
    fn go_on(&mut self, seconds: u64) -> Option<Verdict> {
        let mut ticks = (0..seconds).map(|_| self.tick());
        ticks.find(|verdict| !matches!(verdict, Verdict::Keep(_)))
    }

    /// Continues until the role moves, and carries it out.
    fn moved(&mut self, seconds: u64) -> Option<usize> {
        let (purpose, to) = match self.go_on(seconds)? {
            Verdict::Move { to, .. } => (Purpose::Relief, to),
            Verdict::Restore { to, .. } => (Purpose::Return, to),
            Verdict::Keep(_) | Verdict::Alert(_) => return None,
        };
        let from = self.holder;
        self.holder = self.names.iter().position(|name| *name == to).unwrap();
        self.second += 2;
        let change = self.change(purpose, from, self.holder, Duration::ZERO);
        let now = self.now();
        self.judge.record(now, &change);
        Some(self.holder)
    }

    /// Returns a change that took two seconds and was over this long ago.
    fn change(&self, purpose: Purpose, from: usize, to: usize, ended: Duration) -> Change {
        Change {
            purpose,
            from: Some(self.names[from].clone()),
            to: Some(self.names[to].clone()),
            is_done: true,
            ended,
            length: Duration::from_secs(2),
        }
    }

    /// Resumes the judge after this many moves for load, all this long ago.
    fn resume(&mut self, moves: usize, ended: Duration) {
        let change = self.change(Purpose::Return, 1, 0, ended);
        let now = self.now();
        self.judge.resume(now, std::iter::repeat_n(change, moves));
    }
}

/// Returns the reason of a judge to keep a role.
fn objection(verdict: &Verdict) -> Option<Objection> {
    verdict.assessment().objection
}

#[test]
fn a_bottleneck_that_nobody_foresaw_moves_the_role_once_it_cost_enough() {
    let mut group = Group::calm();
    group.loads[0] = 1.0;
    let before = group.second;
    let Some(Verdict::Move { to, assessment }) = group.go_on(120) else {
        panic!("the role stays");
    };
    assert_ne!(to.as_str(), "n0");
    assert!(assessment.evidence.is_complete());
    assert!(assessment.regret_s >= assessment.needed_s);
    assert!(assessment.benefit_core_s > 0.0 && assessment.cost_core_s > 0.0);
    // Not at one heartbeat, nor long after the plain cost.
    assert!((3..45).contains(&(group.second - before)));
}

#[test]
fn one_bad_heartbeat_moves_nothing() {
    let mut group = Group::calm();
    group.loads[0] = 1.0;
    assert!(matches!(group.tick(), Verdict::Keep(_)));
    group.loads[0] = 0.2;
    assert_eq!(group.go_on(300), None);
}

#[test]
fn what_was_foreseen_is_left_to_placement() {
    let mut group = Group::calm();
    group.upper[0] = 1.4;
    assert_eq!(group.go_on(60), None);
    group.loads[0] = 1.0;
    assert_eq!(group.go_on(300), None);
    assert_eq!(objection(&group.tick()), Some(Objection::Unproven));
}

#[test]
fn what_is_usual_for_the_node_is_no_reason() {
    let mut group = Group::calm();
    group.holder = 1;
    group.loads[0] = 0.65;
    assert_eq!(group.go_on(9000), None);
    group.holder = 0;
    assert_eq!(group.go_on(300), None);
    let verdict = group.tick();
    assert!(!verdict.assessment().evidence.is_unusual);
    assert_eq!(objection(&verdict), Some(Objection::Unproven));
}

#[test]
fn a_load_like_that_of_the_peers_is_no_reason() {
    let mut group = Group::calm();
    group.loads = [0.7, 0.7, 0.7, 0.7, 0.3];
    assert_eq!(group.go_on(120), None);
    assert!(!group.tick().assessment().evidence.is_above_peers);
}

#[test]
fn a_high_load_below_the_limit_is_no_reason() {
    let mut group = Group::calm();
    group.loads[0] = 0.55;
    assert_eq!(group.go_on(3600), None);
    assert_eq!(objection(&group.tick()), Some(Objection::Healthy));
}

#[test]
fn a_small_excess_takes_longer_than_a_large_one() {
    let suspected_after = |load: f64| {
        let mut group = Group::calm();
        group.loads[0] = load;
        let ticks = (1..100).map(|second| (second, group.tick()));
        let mut over = ticks.filter(|(_, verdict)| verdict.assessment().evidence.is_over_limit);
        over.next().unwrap().0
    };
    assert!(suspected_after(1.0) <= 2);
    assert!(suspected_after(0.62) >= 3);
}

#[test]
fn jobs_are_shed_before_a_role_moves() {
    let mut group = Group::calm();
    group.jobs = 0.6;
    assert_eq!(group.go_on(600), None);
}

#[test]
fn slow_jobs_stand_in_for_use_when_they_stay_slow() {
    let mut group = Group::calm();
    group.slow_down = 2.0;
    assert_eq!(group.go_on(12), None);
    let verdict = group.go_on(120).expect("it lasts");
    assert!(matches!(verdict, Verdict::Move { .. }));
    assert!(verdict.assessment().evidence.is_slow);
}

#[test]
fn pressure_shows_how_far_over_the_limit_a_full_node_is() {
    let harm = |pressure| {
        let mut group = Group::calm();
        group.loads[0] = 1.0;
        group.pressure = pressure;
        group.tick();
        group.tick().assessment().holder.missed
    };
    assert!(harm(Some(0.4)) > harm(None) + 0.3);
}

#[test]
fn if_most_nodes_are_hot_it_is_shown_once_and_nothing_moves() {
    let mut group = Group::calm();
    group.loads = [1.0, 1.0, 1.0, 1.0, 0.1];
    assert!(matches!(group.tick(), Verdict::Alert(_)));
    assert_eq!(group.go_on(300), None);
    assert_eq!(objection(&group.tick()), Some(Objection::AllHot));
    group.loads = [0.2; 5];
    assert_eq!(group.go_on(60), None);
    group.loads = [1.0; 5];
    assert!(matches!(group.tick(), Verdict::Alert(_)));
}

#[test]
fn a_holder_that_is_not_seen_is_not_judged() {
    let mut group = Group::calm();
    group.loads[0] = 1.0;
    assert_eq!(group.go_on(2), None);
    group.silent[0] = true;
    assert_eq!(group.go_on(2), None);
    let regret_s = group.judge.regret_s;
    assert_eq!(group.go_on(300), None);
    assert_eq!(objection(&group.tick()), Some(Objection::HolderUnknown));
    assert!(group.judge.regret_s <= regret_s + 2.0);
}

#[test]
fn a_short_past_keeps_a_role_and_a_long_one_moves_it_early() {
    let moved_after = |lengths_s: f64| {
        let mut group = Group::calm();
        (0..50).for_each(|_| group.judge.episodes.add(lengths_s));
        group.loads[0] = 1.0;
        let before = group.second;
        group.moved(300).map(|_| group.second - before)
    };
    let (early, late) = (moved_after(600.0).unwrap(), moved_after(8.0).unwrap());
    assert!(early < 10 && late > 10, "{early} {late}");
}

#[test]
fn who_is_last_to_recover_from_what_befell_most_is_no_bottleneck() {
    let mut group = Group::calm();
    (0..50).for_each(|_| group.judge.episodes.add(600.0));
    group.loads = [1.0; 5];
    assert!(matches!(group.tick(), Verdict::Alert(_)));
    assert_eq!(group.go_on(5), None);
    group.loads = [1.0, 0.2, 0.2, 0.2, 0.2];
    assert_eq!(group.go_on(1), None);
    assert_eq!(objection(&group.tick()), Some(Objection::AllHot));
    assert!(group.moved(60).is_some());
}

#[test]
fn long_trouble_now_and_then_is_not_usual() {
    let mut group = Group::calm();
    group.holder = 1;
    for _ in 0..3 {
        group.loads[0] = 1.0;
        group.go_on(600);
        group.loads[0] = 0.2;
        group.go_on(600);
    }
    group.holder = 0;
    group.loads[0] = 1.0;
    group.tick();
    assert!(group.tick().assessment().evidence.is_unusual);
}

#[test]
fn a_flapping_group_keeps_its_roles() {
    let mut group = Group::calm();
    for second in 0..3600_usize {
        for node in 0..5 {
            let is_hot = (second + 5 * node) % 25 < 10;
            group.loads[node] = if is_hot { 1.0 } else { 0.2 };
        }
        let verdict = group.tick();
        assert!(
            matches!(verdict, Verdict::Keep(_) | Verdict::Alert(_)),
            "{second}: {verdict:?}"
        );
    }
}

#[test]
fn clocks_that_jump_and_nodes_without_a_cpu_do_no_harm() {
    let mut group = Group::calm();
    group.loads[0] = 1.0;
    group.tick();
    group.second += 1_000_000;
    assert!(matches!(group.tick(), Verdict::Keep(_)));
    group.second = 5;
    assert!(matches!(group.tick(), Verdict::Keep(_)));
    let nothing = Reading {
        capacity: Cores::ZERO,
        ..group.reading(0)
    };
    let (now, names) = (group.now(), group.names.clone());
    group.judge.observe(now, &names[0], &nothing);
    let verdict = group.judge.decide(now, &names[0], &names);
    assert_eq!(objection(&verdict), Some(Objection::HolderUnknown));
    group.judge.forget(&names[1]);
}
