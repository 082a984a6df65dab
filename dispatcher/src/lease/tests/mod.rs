//! Tests of dispatchers that contend for one key, one situation at a time.

mod bucket;

use super::*;

/// The key, and whether its answers arrive.
#[derive(Debug)]
struct Key {
    entry: Entry,
    is_cut: bool,
    /// Writes are carried out, and their answers are lost.
    is_mute: bool,
    requests: u64,
}

impl Default for Key {
    fn default() -> Self {
        Self {
            entry: Entry::Missing,
            is_cut: false,
            is_mute: false,
            requests: 0,
        }
    }
}

impl Key {
    fn answer(&mut self, output: &Output) -> Option<Input> {
        match output {
            Output::Read { asked } => {
                self.requests += 1;
                let (asked, entry) = (*asked, self.entry.clone());
                Some(match self.is_cut {
                    true => Input::Unread { asked },
                    false => Input::Read { asked, entry },
                })
            }
            Output::Write {
                asked,
                revision,
                record,
            } => {
                self.requests += 1;
                let (asked, result) = (*asked, self.write(*revision, record));
                Some(Input::Written { asked, result })
            }
            Output::Lead { .. }
            | Output::StepDown { .. }
            | Output::RolledBack { .. }
            | Output::Lost
            | Output::Unreadable { .. } => None,
        }
    }

    fn write(&mut self, expected: u64, record: &LeaseRecord) -> Written {
        if self.is_cut {
            return Written::Unknown;
        }
        if self.entry.revision() != expected {
            return Written::Conflict;
        }
        let (revision, record) = (expected + 1, record.clone());
        self.entry = Entry::Record { revision, record };
        match self.is_mute {
            true => Written::Unknown,
            false => Written::Done(revision),
        }
    }

    fn delete(&mut self) {
        let revision = self.entry.revision() + 1;
        self.entry = Entry::Deleted { revision };
    }

    fn damage(&mut self) {
        let revision = self.entry.revision() + 1;
        self.entry = Entry::Unreadable { revision };
    }
}

fn at(millis: u64) -> Time {
    Time::from_start(Duration::from_millis(millis))
}

fn lease(name: &str) -> Lease {
    let jitter = Duration::from_millis(name.len() as u64);
    Lease::new(
        name.to_owned(),
        format!("{name}-1"),
        Epoch::default(),
        SealKey::new([1; 16]),
        jitter,
    )
}

/// Lets one dispatcher do what is due, with immediate answers; returns its outputs.
fn step(lease: &mut Lease, key: &mut Key, now: Time) -> Vec<Output> {
    let mut emitted = Vec::new();
    let mut inputs = vec![Input::Tick];
    while let Some(input) = inputs.pop() {
        let mut out = Vec::new();
        lease.handle(now, input, &mut out);
        inputs.extend(out.iter().filter_map(|output| key.answer(output)));
        emitted.extend(out);
    }
    emitted.retain(|output| !matches!(output, Output::Read { .. } | Output::Write { .. }));
    emitted
}

/// Runs them side by side, and checks that never two hold the lease.
fn run(leases: &mut [Lease], key: &mut Key, from: u64, to: u64) -> Vec<(u64, usize, Output)> {
    let mut emitted = Vec::new();
    for millis in (from..to).step_by(10) {
        for (index, lease) in leases.iter_mut().enumerate() {
            let out = step(lease, key, at(millis));
            emitted.extend(out.into_iter().map(|output| (millis, index, output)));
        }
        let held = leases.iter().filter(|lease| lease.is_held(at(millis)));
        assert!(held.count() <= 1, "at {millis} ms");
    }
    emitted
}

#[test]
fn the_first_leads_at_once_and_the_other_waits_for_as_long_as_it_renews() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    let emitted = run(&mut leases, &mut key, 0, 20_000);
    let [(0, 0, Output::Lead { epoch, .. })] = &emitted[..] else {
        panic!("{emitted:?}");
    };
    assert_eq!(*epoch, Epoch::new(1));
    assert!(leases[0].is_held(at(20_000)));
}

#[test]
fn after_a_death_the_other_leads_within_a_second_and_a_half_under_a_later_epoch() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    let emitted = run(&mut leases[1..], &mut key, 5_000, 8_000);
    let [(when, _, Output::Lead { epoch, .. })] = &emitted[..] else {
        panic!("{emitted:?}");
    };
    assert_eq!(*epoch, Epoch::new(2));
    // Not before the former holder's own lease was over: it renewed at 4.7 s at least.
    assert!((5_900..6_500).contains(when), "{when}");
}

#[test]
fn a_paused_holder_that_wakes_up_finds_that_it_has_lost() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    run(&mut leases[1..], &mut key, 5_000, 9_000);
    assert!(!leases[0].is_held(at(9_000)));
    let emitted = run(&mut leases, &mut key, 9_000, 20_000);
    assert!(
        matches!(&emitted[..], [(9_000, 0, Output::StepDown { .. })]),
        "{emitted:?}"
    );
}

#[test]
fn a_holder_that_was_cut_off_goes_on_under_its_epoch_if_nobody_took_it() {
    let (mut leases, mut key) = ([lease("a")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    key.is_cut = true;
    assert!(run(&mut leases, &mut key, 5_000, 15_000).is_empty());
    assert!(!leases[0].is_held(at(7_000)));
    key.is_cut = false;
    assert!(run(&mut leases, &mut key, 15_000, 16_000).is_empty());
    assert!(leases[0].is_held(at(16_000)));
}

#[test]
fn a_holder_that_is_doubted_reads_the_key_and_goes_on_if_it_still_is_its_own() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    let before = leases[0].held_until();
    let mut out = Vec::new();
    leases[0].handle(at(5_000), Input::Doubt, &mut out);
    let [read @ Output::Read { .. }] = &out[..] else {
        panic!("{out:?}");
    };
    let answer = key.answer(read).unwrap();
    // One request at a time: a second doubt does not void what is under way.
    leases[0].handle(at(5_005), Input::Doubt, &mut out);
    assert_eq!(out.len(), 1, "{out:?}");
    leases[0].handle(at(5_010), answer, &mut out);
    assert!(run(&mut leases, &mut key, 5_010, 5_020).is_empty());
    // It was renewed at once.
    assert_eq!(leases[0].held_until(), Some(at(5_010 + 1_200)));
    assert!(leases[0].held_until() > before);
    // A challenger has nothing to read sooner.
    let mut out = Vec::new();
    leases[1].handle(at(5_020), Input::Doubt, &mut out);
    assert_eq!(out, []);
}

#[test]
fn a_holder_that_is_doubted_and_finds_another_steps_down_at_once() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    // It stands still; the other one leads, and a node reports that before it looks.
    run(&mut leases[1..], &mut key, 5_000, 9_000);
    let mut out = Vec::new();
    leases[0].handle(at(9_000), Input::Doubt, &mut out);
    let answer = key.answer(&out[0]).unwrap();
    leases[0].handle(at(9_001), answer, &mut out);
    let Some(Output::StepDown { reason }) = out.last() else {
        panic!("{out:?}");
    };
    assert_eq!(reason, "bb holds the lease under epoch 2");
}

#[test]
fn a_renewal_of_unknown_fate_counts_only_when_the_key_shows_it() {
    let (mut leases, mut key) = ([lease("a")], Key::default());
    run(&mut leases, &mut key, 0, 10);
    let mut out = Vec::new();
    leases[0].handle(at(300), Input::Tick, &mut out);
    let Some(renewal @ Output::Write { asked, .. }) = out.pop() else {
        panic!("it renews");
    };
    key.is_mute = true;
    let answer = key.answer(&renewal).unwrap();
    leases[0].handle(at(700), answer, &mut out);
    assert_eq!(leases[0].held_until(), Some(at(1_200)));
    // An answer to a request that was given up does not count.
    let late = Input::Written {
        asked,
        result: Written::Done(9),
    };
    leases[0].handle(at(700), late, &mut out);
    assert_eq!(leases[0].held_until(), Some(at(1_200)));
    leases[0].handle(at(700), Input::Tick, &mut out);
    let answer = key.answer(&out.pop().unwrap()).unwrap();
    leases[0].handle(at(800), answer, &mut out);
    assert_eq!(leases[0].held_until(), Some(at(300 + 1_200)));
}

#[test]
fn who_resigns_is_followed_at_once() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    let mut out = Vec::new();
    leases[0].handle(at(5_000), Input::Resign, &mut out);
    key.answer(&out[0]);
    assert_eq!(leases[0].held_until(), None);
    let emitted = run(&mut leases, &mut key, 5_000, 5_300);
    assert!(
        matches!(&emitted[..], [(_, 1, Output::Lead { .. })]),
        "{emitted:?}"
    );
}

#[test]
fn who_gives_it_back_is_followed_at_once_and_contends_again_after_the_pause() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    let pause = Duration::from_secs(2);
    let mut out = Vec::new();
    leases[0].handle(at(5_000), Input::GiveBack { pause }, &mut out);
    key.answer(&out[0]);
    assert!(matches!(&out[1..], [Output::StepDown { .. }]), "{out:?}");
    let emitted = run(&mut leases, &mut key, 5_000, 10_000);
    assert!(
        matches!(&emitted[..], [(5_000..5_300, 1, Output::Lead { .. })]),
        "{emitted:?}"
    );
    // A single one leads again after the pause, and not before.
    leases[1].handle(at(10_000), Input::GiveBack { pause }, &mut out);
    key.answer(&out[2]);
    let emitted = run(&mut leases[1..], &mut key, 10_000, 20_000);
    assert!(
        matches!(&emitted[..], [(12_000, 0, Output::Lead { epoch, .. })] if *epoch == Epoch::new(3)),
        "{emitted:?}"
    );
}

#[test]
fn each_holder_hands_the_keys_of_its_seals_to_the_next() {
    let keys = [1, 2, 3].map(|key| SealKey::new([key; 16]));
    let mut stored = Key::default();
    let mut expected = Seals::default();
    for (number, key) in (1..).zip(keys) {
        let name = format!("d{number}");
        let jitter = Duration::ZERO;
        let mut leases = [Lease::new(
            name.clone(),
            name,
            Epoch::default(),
            key,
            jitter,
        )];
        let emitted = run(&mut leases, &mut stored, 0, 1_000);
        let [(_, _, Output::Lead { epoch, seals })] = &emitted[..] else {
            panic!("{emitted:?}");
        };
        expected = expected.with(Epoch::new(number), key);
        assert_eq!((*epoch, seals), (Epoch::new(number), &expected));
        let mut out = Vec::new();
        leases[0].handle(at(1_000), Input::Resign, &mut out);
        stored.answer(&out[0]);
    }
}
