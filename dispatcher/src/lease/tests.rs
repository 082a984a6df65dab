//! Dispatchers that contend for one key, one situation at a time.

use super::*;

/// The key, and whether its answers arrive.
#[derive(Debug, Default)]
struct Key {
    revision: u64,
    record: Option<Record>,
    is_cut: bool,
}

impl Key {
    fn answer(&mut self, output: &Output) -> Option<Input> {
        match output {
            Output::Read { asked } if self.is_cut => Some(Input::Unread { asked: *asked }),
            Output::Read { asked } => Some(Input::Read {
                asked: *asked,
                entry: self.record.clone().map(|record| (self.revision, record)),
            }),
            Output::Write {
                asked,
                revision,
                record,
            } => {
                let result = match (self.is_cut, self.revision == *revision) {
                    (true, _) => Written::Unknown,
                    (false, false) => Written::Conflict,
                    (false, true) => {
                        self.revision += 1;
                        self.record = Some(record.clone());
                        Written::Done(self.revision)
                    }
                };
                Some(Input::Written {
                    asked: *asked,
                    result,
                })
            }
            Output::Lead { .. } | Output::StepDown { .. } | Output::RolledBack { .. } => None,
        }
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
        jitter,
    )
}

/// Lets one dispatcher do what is due, with answers at once; returns what it says.
fn step(lease: &mut Lease, key: &mut Key, now: Time) -> Vec<Output> {
    let mut said = Vec::new();
    let mut inputs = vec![Input::Tick];
    while let Some(input) = inputs.pop() {
        let mut out = Vec::new();
        lease.handle(now, input, &mut out);
        inputs.extend(out.iter().filter_map(|output| key.answer(output)));
        said.extend(out);
    }
    said.retain(|output| !matches!(output, Output::Read { .. } | Output::Write { .. }));
    said
}

/// Runs them side by side, and checks that never two hold the lease.
fn run(leases: &mut [Lease], key: &mut Key, from: u64, to: u64) -> Vec<(u64, usize, Output)> {
    let mut said = Vec::new();
    for millis in (from..to).step_by(10) {
        for (index, lease) in leases.iter_mut().enumerate() {
            let out = step(lease, key, at(millis));
            said.extend(out.into_iter().map(|output| (millis, index, output)));
        }
        let held = leases.iter().filter(|lease| lease.is_held(at(millis)));
        assert!(held.count() <= 1, "at {millis} ms");
    }
    said
}

#[test]
fn the_first_leads_at_once_and_the_other_waits_for_as_long_as_it_renews() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    let said = run(&mut leases, &mut key, 0, 20_000);
    let epoch = Epoch::new(1);
    assert_eq!(said, [(0, 0, Output::Lead { epoch })]);
    assert!(leases[0].is_held(at(20_000)));
}

#[test]
fn after_a_death_the_other_leads_within_three_seconds_under_a_later_epoch() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    let said = run(&mut leases[1..], &mut key, 5_000, 8_000);
    let [(when, _, Output::Lead { epoch })] = &said[..] else {
        panic!("{said:?}");
    };
    assert_eq!(*epoch, Epoch::new(2));
    // Not before the former holder's own lease was over: it renewed at 4.5 s at least.
    assert!((6_500..7_800).contains(when), "{when}");
}

#[test]
fn a_paused_holder_that_wakes_up_finds_that_it_has_lost() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    run(&mut leases[1..], &mut key, 5_000, 9_000);
    assert!(!leases[0].is_held(at(9_000)));
    let said = run(&mut leases, &mut key, 9_000, 20_000);
    assert!(
        matches!(&said[..], [(9_000, 0, Output::StepDown { .. })]),
        "{said:?}"
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
fn a_renewal_of_unknown_fate_does_not_lengthen_the_lease() {
    let (mut leases, mut key) = ([lease("a")], Key::default());
    run(&mut leases, &mut key, 0, 10);
    let mut out = Vec::new();
    leases[0].handle(at(500), Input::Tick, &mut out);
    let Some(Output::Write { asked, .. }) = out.pop() else {
        panic!("it renews");
    };
    let result = Written::Unknown;
    leases[0].handle(at(1_100), Input::Written { asked, result }, &mut out);
    assert_eq!(leases[0].held_until(), Some(at(2_000)));
    // An answer to a request that was given up is none.
    let late = Input::Written {
        asked,
        result: Written::Done(9),
    };
    leases[0].handle(at(1_200), late, &mut out);
    assert_eq!(leases[0].held_until(), Some(at(2_000)));
}

#[test]
fn who_resigns_is_followed_at_once() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    let mut out = Vec::new();
    leases[0].handle(at(5_000), Input::Resign, &mut out);
    key.answer(&out[0]);
    assert_eq!(leases[0].held_until(), None);
    let said = run(&mut leases, &mut key, 5_000, 5_300);
    assert!(
        matches!(&said[..], [(_, 1, Output::Lead { .. })]),
        "{said:?}"
    );
}

#[test]
fn a_bucket_that_was_rolled_back_is_noticed_and_its_epochs_are_not_used_again() {
    let (mut leases, mut key) = ([lease("a")], Key::default());
    leases[0].note(Epoch::new(7));
    key.revision = 3;
    key.record = Some(Record {
        epoch: Epoch::new(5),
        name: "former".to_owned(),
        is_resigned: true,
        ..Record::default()
    });
    let said = run(&mut leases, &mut key, 0, 1_000);
    let (known, found) = (Epoch::new(7), Epoch::new(5));
    let expected = [
        (0, 0, Output::RolledBack { known, found }),
        (
            0,
            0,
            Output::Lead {
                epoch: known.next(),
            },
        ),
    ];
    assert_eq!(said, expected);
}
