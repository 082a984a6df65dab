//! Tests of a bucket that is away or rolled back, and of a key that is deleted or damaged.

use super::*;

/// Two dispatchers, and a bucket that does not answer from 5 s on for a while.
fn away(length: u64) -> Vec<(u64, usize, Output)> {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    key.is_cut = true;
    let mut emitted = run(&mut leases, &mut key, 5_000, 5_000 + length);
    key.is_cut = false;
    // The challenger is the first to be answered.
    leases.reverse();
    emitted.extend(run(&mut leases, &mut key, 5_000 + length, 5_300 + length));
    assert!(
        leases[1].is_held(at(5_300 + length)),
        "away for {length} ms"
    );
    emitted.extend(run(&mut leases, &mut key, 5_300 + length, 30_000));
    emitted
}

#[test]
fn a_bucket_that_is_away_is_no_death_of_the_holder() {
    for length in (100..15_000).step_by(370) {
        let emitted = away(length);
        assert!(emitted.is_empty(), "away for {length} ms: {emitted:?}");
    }
}

#[test]
fn a_holder_that_died_while_the_bucket_was_away_is_followed() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    key.is_cut = true;
    run(&mut leases[1..], &mut key, 5_000, 9_000);
    key.is_cut = false;
    let emitted = run(&mut leases[1..], &mut key, 9_000, 12_000);
    assert!(
        matches!(&emitted[..], [(10_200..10_500, 0, Output::Lead { .. })]),
        "{emitted:?}"
    );
}

#[test]
fn requests_that_fail_at_once_are_made_ten_times_a_second_at_most() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    (key.is_cut, key.requests) = (true, 0);
    run(&mut leases, &mut key, 5_000, 15_000);
    assert!(key.requests <= 2 * 100 + 2, "{}", key.requests);
    // A full store is read as usual, and refuses what is written.
    let (mut leases, mut key) = ([lease("a")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    (key.is_mute, key.requests) = (true, 0);
    run(&mut leases, &mut key, 5_000, 15_000);
    assert!(key.requests <= 2 * 100 + 2, "{}", key.requests);
}

#[test]
fn a_key_that_is_deleted_or_damaged_is_written_again_by_the_holder_under_its_epoch() {
    for is_deleted in [true, false] {
        let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
        run(&mut leases, &mut key, 0, 5_000);
        match is_deleted {
            true => key.delete(),
            false => key.damage(),
        }
        let revision = key.entry.revision();
        let emitted = run(&mut leases, &mut key, 5_000, 10_000);
        let expected = match is_deleted {
            true => Output::Lost,
            false => Output::Unreadable { revision },
        };
        // Each reports it once, and nobody else leads.
        assert_eq!(emitted.len(), 2, "{emitted:?}");
        assert!(emitted.iter().all(|(_, _, output)| *output == expected));
        assert!(leases[0].is_held(at(10_000)));
    }
}

#[test]
fn a_key_that_is_deleted_is_claimed_by_the_other_when_the_holder_is_dead() {
    for fault in [Key::delete, Key::damage] {
        let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
        run(&mut leases, &mut key, 0, 5_000);
        fault(&mut key);
        let emitted = run(&mut leases[1..], &mut key, 5_000, 10_000);
        let [(_, _, _), (when, _, Output::Lead { epoch, .. })] = &emitted[..] else {
            panic!("{emitted:?}");
        };
        assert!((6_260..6_500).contains(when), "{when}");
        assert!(epoch.get() > claim::LOST_EPOCHS, "{epoch}");
    }
}

#[test]
fn a_key_of_which_nothing_is_left_is_claimed_as_one_that_was_deleted() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    run(&mut leases[..1], &mut key, 0, 5_000);
    key.entry = Entry::Deleted { revision: 0 };
    // The other one starts only then, and knows of no epoch.
    leases[1].due = at(5_000);
    let emitted = run(&mut leases[1..], &mut key, 5_000, 6_200);
    assert_eq!(emitted, [(5_000, 0, Output::Lost)]);
    let emitted = run(&mut leases, &mut key, 6_200, 10_000);
    assert!(
        matches!(
            &emitted[..],
            [(_, 0, Output::Lost), (_, 0, Output::StepDown { .. }), ..]
        ),
        "{emitted:?}"
    );
}

#[test]
fn a_holder_whose_term_is_over_does_not_write_a_deleted_key_again_at_once() {
    let (mut leases, mut key) = ([lease("a"), lease("bb")], Key::default());
    run(&mut leases, &mut key, 0, 5_000);
    // The other one led meanwhile, and nothing shows that any more.
    run(&mut leases[1..], &mut key, 5_000, 9_000);
    assert!(leases[1].is_held(at(9_000)));
    key.delete();
    let emitted = run(&mut leases, &mut key, 9_000, 15_000);
    assert!(
        emitted
            .iter()
            .any(|(_, index, output)| *index == 0 && matches!(output, Output::StepDown { .. })),
        "{emitted:?}"
    );
    assert!(leases[1].is_held(at(15_000)));
}

#[test]
fn a_bucket_that_was_rolled_back_is_noticed_and_its_epochs_are_not_used_again() {
    let (mut leases, mut key) = ([lease("a")], Key::default());
    leases[0].observe(Epoch::new(7));
    key.entry = Entry::Record {
        revision: 3,
        record: LeaseRecord {
            epoch: Epoch::new(5),
            name: "former".to_owned(),
            is_resigned: true,
            ..LeaseRecord::default()
        },
    };
    let emitted = run(&mut leases, &mut key, 0, 1_000);
    let (known, found) = (Epoch::new(7), Epoch::new(5));
    let [(0, 0, rolled_back), (0, 0, Output::Lead { epoch, .. })] = &emitted[..] else {
        panic!("{emitted:?}");
    };
    assert_eq!(*rolled_back, Output::RolledBack { known, found });
    assert_eq!(*epoch, known.next());
}
