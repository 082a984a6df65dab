//! Tests of roles that are assigned for a lease, one situation at a time.

use rolecast_common::id::BootId;
use rolecast_common::wire::{RoleAssignment, RoleVersion, VERSION};

use super::*;

const LEASE: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(3);

fn names(roles: &[Role]) -> Vec<&str> {
    roles.iter().map(Role::as_str).collect()
}

/// The assignment of these roles that answers the newest heartbeat.
fn answer(bench: &Bench, epoch: u64, generation: u64, roles: &[&str]) -> RoleAssignment {
    let roles = roles.iter().map(|name| Role::new(name).unwrap());
    RoleAssignment {
        v: VERSION,
        epoch: Epoch::new(epoch),
        generation,
        boot: BootId::new("boot").unwrap(),
        answers: bench.heartbeat().sequence,
        lease_ms: u32::try_from(LEASE.as_millis()).unwrap(),
        roles: roles.collect(),
    }
}

fn give(bench: &mut Bench, epoch: u64, generation: u64, roles: &[&str]) {
    let assignment = answer(bench, epoch, generation, roles);
    bench.input(Input::Roles(assignment));
}

fn acts(bench: &Bench) -> String {
    names(&bench.heartbeat().roles).join(",")
}

fn assigned(bench: &Bench) -> RoleVersion {
    bench.heartbeat().assigned
}

/// Takes the outputs and returns the hook that they run, as old and new roles.
fn hook(bench: &mut Bench) -> Option<(HookRun, String, String)> {
    bench.take().into_iter().find_map(|output| match output {
        Output::Hook { run, old, new } => Some((run, names(&old).join(","), names(&new).join(","))),
        _ => None,
    })
}

fn objection(bench: &mut Bench) -> Option<RoleObjection> {
    bench.take().into_iter().find_map(|output| match output {
        Output::Event(Event::RolesRefused { objection, .. }) => Some(objection),
        _ => None,
    })
}

fn end_hook(bench: &mut Bench, run: HookRun, result: Result<(), &str>) {
    let result = result.map_err(str::to_owned);
    bench.input(Input::HookEnded { run, result });
}

/// An agent with a hook that was notified of the initial roles.
fn with_hook() -> Bench {
    let mut bench = Bench::with_offers(Some(LIMIT));
    end_hook(&mut bench, HookRun::FIRST, Ok(()));
    bench.take();
    bench
}

/// The same, as the leader of generation 1.
fn leader() -> Bench {
    let mut bench = with_hook();
    give(&mut bench, 7, 1, &["leader"]);
    let (run, ..) = hook(&mut bench).unwrap();
    end_hook(&mut bench, run, Ok(()));
    bench.take();
    bench
}

#[test]
fn a_role_is_held_until_its_lease_counted_from_the_heartbeat_ends() {
    let mut bench = Bench::with_offers(None);
    bench.take();
    let assignment = answer(&bench, 7, 1, &["leader"]);
    bench.pass(4 * SECOND);
    bench.take();
    bench.input(Input::Roles(assignment));
    assert_eq!(acts(&bench), "follower,leader");
    assert_eq!(assigned(&bench).generation, 1);
    let is_reported = |output: &Output| matches!(output, Output::Heartbeat(_));
    assert!(
        bench.take().iter().any(is_reported),
        "it is reported at once"
    );
    bench.pass(6 * SECOND - Duration::from_millis(1));
    assert_eq!(acts(&bench), "follower,leader");
    bench.pass(Duration::from_millis(1));
    assert_eq!(acts(&bench), "follower");
}

#[test]
fn an_equal_version_renews_and_an_older_one_does_nothing() {
    let mut bench = leader();
    for _ in 0..4 {
        bench.pass(4 * SECOND);
        give(&mut bench, 7, 1, &["leader"]);
    }
    assert_eq!(acts(&bench), "follower,leader");
    assert_eq!(hook(&mut bench), None);
    give(&mut bench, 7, 2, &[]);
    bench.take();
    give(&mut bench, 7, 1, &["leader"]);
    assert_eq!(objection(&mut bench), Some(RoleObjection::Stale));
    give(&mut bench, 6, 9, &["leader"]);
    assert_eq!(objection(&mut bench), Some(RoleObjection::Stale));
    give(&mut bench, 7, 2, &["leader"]);
    assert_eq!(objection(&mut bench), Some(RoleObjection::Contradiction));
    assert_eq!(acts(&bench), "follower");
}

#[test]
fn what_answers_no_heartbeat_of_this_boot_promotes_nothing() {
    let mut bench = Bench::with_offers(None);
    let mut other = answer(&bench, 7, 1, &["leader"]);
    other.boot = BootId::new("former").unwrap();
    let mut unasked = answer(&bench, 7, 1, &["leader"]);
    unasked.answers += 1;
    let late = answer(&bench, 7, 1, &["leader"]);
    for (assignment, wait, expected) in [
        (other, Duration::ZERO, RoleObjection::OtherBoot),
        (unasked, Duration::ZERO, RoleObjection::Unasked),
        (late, LEASE, RoleObjection::TooLate),
    ] {
        bench.pass(wait);
        bench.take();
        bench.input(Input::Roles(assignment));
        assert_eq!(objection(&mut bench), Some(expected));
        assert_eq!(acts(&bench), "follower");
    }
    assert_eq!(bench.heartbeat().epoch, Epoch::new(5));
}

#[test]
fn epochs_are_kept_before_anything_else_and_never_fall() {
    let mut bench = Bench::with_offers(None);
    bench.take();
    assert_eq!(bench.heartbeat().epoch, Epoch::new(5));
    give(&mut bench, 4, 9, &["leader"]);
    assert_eq!(objection(&mut bench), Some(RoleObjection::Stale));
    give(&mut bench, 7, 1, &["leader"]);
    assert_eq!(bench.take()[0], Output::KeepEpoch(Epoch::new(7)));
    bench.offer(with_epoch(&assignment("a", 1), 8));
    assert_eq!(bench.take()[0], Output::KeepEpoch(Epoch::new(8)));
    give(&mut bench, 7, 2, &[]);
    assert_eq!(objection(&mut bench), Some(RoleObjection::Stale));
}

#[test]
fn an_epoch_that_no_dispatcher_can_have_come_to_is_neither_followed_nor_kept() {
    let mut bench = Bench::with_offers(None);
    bench.take();
    for far in [5 + 1_000_001, u64::MAX] {
        give(&mut bench, far, 1, &["leader"]);
        assert_eq!(objection(&mut bench), Some(RoleObjection::Stale), "{far}");
        bench.offer(with_epoch(&assignment("a", 1), far));
        let out = bench.take();
        let is_kept = |output: &Output| matches!(output, Output::KeepEpoch(_));
        assert!(!out.iter().any(is_kept), "{out:?}");
        assert_eq!(bench.heartbeat().epoch, Epoch::new(5));
        assert_eq!(bench.heartbeat().jobs, []);
    }
    assert_eq!(acts(&bench), "follower");
    give(&mut bench, 6, 1, &["leader"]);
    assert_eq!(acts(&bench), "follower,leader");
}

#[test]
fn the_first_hook_shows_that_nothing_is_held() {
    let mut bench = Bench::with_offers(Some(LIMIT));
    give(&mut bench, 7, 1, &["leader"]);
    assert_eq!(hook(&mut bench), None, "one hook at a time");
    end_hook(&mut bench, HookRun::FIRST, Err("no service yet"));
    let (run, old, new) = hook(&mut bench).unwrap();
    assert_eq!(
        (old.as_str(), new.as_str()),
        ("follower", "follower,leader")
    );
    assert_eq!(acts(&bench), "follower");
    end_hook(&mut bench, run, Ok(()));
    assert_eq!(acts(&bench), "follower,leader");
    assert_eq!(assigned(&bench).generation, 1);
}

#[test]
fn a_demotion_acts_no_more_at_once_and_confirms_after_the_hook() {
    let mut bench = leader();
    give(&mut bench, 7, 2, &[]);
    assert_eq!(acts(&bench), "follower");
    assert_eq!(assigned(&bench).generation, 1);
    let (run, old, new) = hook(&mut bench).unwrap();
    assert_eq!(
        (old.as_str(), new.as_str()),
        ("follower,leader", "follower")
    );
    end_hook(&mut bench, run, Err("it is gone already"));
    assert_eq!(assigned(&bench).generation, 2);
    assert_eq!(bench.heartbeat().role_failure, None);
}

#[test]
fn a_failed_promotion_is_taken_back_then_reported_and_not_tried_again() {
    let mut bench = with_hook();
    give(&mut bench, 7, 1, &["leader"]);
    let (run, ..) = hook(&mut bench).unwrap();
    end_hook(&mut bench, run, Err("the disk is full"));
    let (run, old, new) = hook(&mut bench).unwrap();
    assert_eq!(
        (old.as_str(), new.as_str()),
        ("follower,leader", "follower")
    );
    assert_eq!(bench.heartbeat().role_failure, None, "the service may lead");
    end_hook(&mut bench, run, Ok(()));
    let failure = bench.heartbeat().role_failure.unwrap();
    assert_eq!(failure.reason, "the disk is full");
    assert_eq!(names(&failure.roles), ["leader"]);
    assert_eq!(assigned(&bench).generation, 0);
    bench.take();
    give(&mut bench, 7, 1, &["leader"]);
    assert_eq!(hook(&mut bench), None);
    give(&mut bench, 7, 2, &["leader"]);
    let (run, ..) = hook(&mut bench).unwrap();
    end_hook(&mut bench, run, Ok(()));
    assert_eq!(acts(&bench), "follower,leader");
    assert_eq!(bench.heartbeat().role_failure, None);
}

#[test]
fn the_newest_wish_wins_while_a_hook_runs() {
    let mut bench = with_hook();
    give(&mut bench, 7, 1, &["leader"]);
    let (run, ..) = hook(&mut bench).unwrap();
    give(&mut bench, 7, 2, &["backup"]);
    give(&mut bench, 7, 3, &[]);
    assert_eq!(hook(&mut bench), None, "one hook at a time");
    end_hook(&mut bench, run, Ok(()));
    assert_eq!(acts(&bench), "follower");
    let (run, old, new) = hook(&mut bench).unwrap();
    assert_eq!(
        (old.as_str(), new.as_str()),
        ("follower,leader", "follower")
    );
    end_hook(&mut bench, run, Ok(()));
    assert_eq!(assigned(&bench).generation, 3);
}

#[test]
fn a_role_is_lost_a_hook_before_its_lease_ends_and_wins_only_with_time_for_two() {
    let mut bench = leader();
    bench.pass(LEASE - LIMIT - Duration::from_millis(1));
    assert_eq!(acts(&bench), "follower,leader");
    let now = bench.now.time + Duration::from_millis(1);
    assert!(!bench.agent.acts_in(now, &Role::new("leader").unwrap()));
    bench.take();
    bench.pass(Duration::from_millis(1));
    assert_eq!(acts(&bench), "follower");
    let (run, _, new) = hook(&mut bench).unwrap();
    assert_eq!(new, "follower");
    end_hook(&mut bench, run, Ok(()));
    let soon_over = answer(&bench, 7, 1, &["leader"]);
    bench.pass(LEASE - 2 * LIMIT + Duration::from_millis(1));
    bench.take();
    bench.input(Input::Roles(soon_over));
    assert_eq!(hook(&mut bench), None);
    give(&mut bench, 7, 1, &["leader"]);
    assert!(hook(&mut bench).is_some());
}

#[test]
fn a_hook_takes_a_role_with_it_whose_lease_leaves_no_time_for_another_one() {
    for (late, left) in [
        (LEASE - 2 * LIMIT, "follower,leader"),
        (5 * SECOND, "follower"),
    ] {
        let mut bench = with_hook();
        give(&mut bench, 7, 1, &["backup", "leader"]);
        let (run, ..) = hook(&mut bench).unwrap();
        end_hook(&mut bench, run, Ok(()));
        let without_backup = answer(&bench, 7, 2, &["leader"]);
        bench.pass(late);
        bench.take();
        bench.input(Input::Roles(without_backup));
        let (_, _, new) = hook(&mut bench).unwrap();
        assert_eq!((new.as_str(), acts(&bench).as_str()), (left, left));
    }
}

#[test]
fn a_role_that_is_not_offered_is_refused() {
    let mut bench = Bench::with_offers(None);
    give(&mut bench, 7, 1, &["boss", "leader"]);
    assert_eq!(acts(&bench), "follower,leader");
    let failure = bench.heartbeat().role_failure.unwrap();
    assert_eq!(names(&failure.roles), ["boss"]);
}

#[test]
fn a_job_for_roles_starts_only_where_one_of_them_is_acted_in() {
    let mut bench = leader();
    let offer = |job: &str, roles: &[&str]| {
        let roles = roles.iter().map(|name| Role::new(name).unwrap());
        Input::Job(Offer {
            assignment: assignment(job, 1),
            deadline: None,
            time_limit: None,
            roles: roles.collect(),
            trace: None,
        })
    };
    bench.input(offer("a", &["backup", "leader"]));
    assert_eq!(bench.starts().len(), 1);
    bench.input(offer("b", &["follower"]));
    assert_eq!(bench.starts().len(), 1, "a fixed role is one too");
    bench.input(offer("c", &["backup"]));
    let (status, reason) = bench.refusal().unwrap();
    assert_eq!(status, OutcomeStatus::HandedBack);
    assert_eq!(reason, "this node acts in none of the roles it is for");
    // The lease is over, and the agent has not acted on that yet.
    bench.now.time = bench.now.time + (LEASE - LIMIT);
    bench.input(offer("d", &["leader"]));
    assert!(bench.starts().is_empty());
}

#[test]
fn a_worker_that_leaves_gives_its_roles_up_and_waits_for_the_word() {
    let mut bench = leader();
    bench.input(Input::Drain);
    assert_eq!(acts(&bench), "follower");
    let (run, ..) = hook(&mut bench).unwrap();
    end_hook(&mut bench, run, Ok(()));
    bench.pass(SECOND);
    assert!(!bench.has_left, "others may not know it");
    give(&mut bench, 7, 1, &["leader"]);
    assert_eq!(hook(&mut bench), None, "nothing is taken on any more");
    give(&mut bench, 7, 2, &[]);
    assert_eq!(assigned(&bench).generation, 2);
    bench.pass(SECOND);
    assert!(bench.has_left);
}

#[test]
fn a_worker_in_a_hurry_to_leave_still_waits_for_its_hook() {
    let mut bench = leader();
    bench.input(Input::Drain);
    let (run, ..) = hook(&mut bench).unwrap();
    bench.input(Input::Drain);
    bench.pass(3 * SECOND);
    assert!(!bench.has_left, "the service is still being notified");
    end_hook(&mut bench, run, Ok(()));
    give(&mut bench, 7, 2, &[]);
    bench.pass(SECOND);
    assert!(bench.has_left);
}
