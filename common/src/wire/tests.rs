//! Tests of the messages: hostile bytes are refused, valid ones survive both encodings.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::id::{BootId, Category, Epoch, NodeId, Role};
use crate::label::Labels;
use crate::unit::{Bytes, Cores, Resources, Speed};

fn heartbeat() -> Heartbeat {
    Heartbeat {
        v: VERSION,
        node: NodeId::new("web-1").unwrap(),
        boot: BootId::new("b1").unwrap(),
        sequence: 7,
        epoch: Epoch::new(3),
        sent_ms: None,
        joining: false,
        interval_ms: 1000,
        roles: vec![Role::new("leader").unwrap()],
        offers: vec![Role::new("leader").unwrap()],
        assigned: RoleVersion {
            epoch: Epoch::new(3),
            generation: 12,
        },
        role_failure: Some(RoleFailure {
            epoch: Epoch::new(3),
            generation: 13,
            roles: vec![Role::new("backup").unwrap()],
            reason: "the hook failed".to_owned(),
        }),
        draining: false,
        labels: Labels::try_from(BTreeMap::from([("zone".to_owned(), "eu".to_owned())])).unwrap(),
        speed: Speed::new(1.5).unwrap(),
        capacity: Resources {
            cpu: Cores::new(4.0).unwrap(),
            memory: Bytes::from_mib(4096),
            ..Resources::default()
        },
        usage: Usage::default(),
        jobs_max: 4,
        categories: BTreeMap::from([(Category::new("ocr").unwrap(), 2)]),
        jobs: vec![
            "1.ocr.j1.1.$JS.ACK.ROLECAST_JOBS.normal-ocr.1.2.3.4.5"
                .parse()
                .unwrap(),
        ],
        progress: vec![JobProgress {
            job: 0,
            done: Share::clamped(0.4),
            text: "page 3 of 8".to_owned(),
        }],
    }
}

fn outcome(output: &'static [u8]) -> Outcome {
    Outcome {
        v: VERSION,
        job: None,
        status: OutcomeStatus::Completed,
        reason: String::new(),
        output: Blob(output.into()),
        output_truncated: false,
        log: Blob::default(),
        log_truncated: false,
        started_ms: None,
        run_us: 12,
        usage: JobUsage::default(),
        traceparent: None,
    }
}

fn decode_value(value: &serde_json::Value) -> Result<Heartbeat, Malformed> {
    decode(
        Encoding::MessagePack,
        &rmp_serde::to_vec_named(value).unwrap(),
    )
}

#[test]
fn a_message_survives_both_encodings() {
    for encoding in [Encoding::MessagePack, Encoding::Json] {
        let bytes = encode(encoding, &heartbeat());
        assert_eq!(decode(encoding, &bytes), Ok(heartbeat()));
        for output in [&b""[..], b"text", &[0xff, 0, 1]] {
            let bytes = encode(encoding, &outcome(output));
            assert_eq!(decode(encoding, &bytes), Ok(outcome(output)));
        }
    }
}

#[test]
fn unknown_fields_are_ignored_and_other_versions_refused() {
    let mut value = serde_json::to_value(heartbeat()).unwrap();
    value["colour"] = json!({"deep": [1, 2, {"deeper": null}]});
    assert_eq!(decode_value(&value), Ok(heartbeat()));
    value["v"] = json!(2);
    assert_eq!(decode_value(&value), Err(Malformed::Version(2)));
}

#[test]
fn labels_and_speeds_that_cannot_be_are_refused_and_the_usual_ones_left_out() {
    for (field, hostile) in [
        ("labels", json!({"Zone": "eu"})),
        ("labels", json!({"zone": "e\u{1b}u"})),
        ("labels", json!(["zone"])),
        ("speed", json!(0)),
        ("speed", json!(1e300)),
    ] {
        let mut value = serde_json::to_value(heartbeat()).unwrap();
        value[field] = hostile;
        let refused = decode_value(&value);
        assert!(matches!(refused, Err(Malformed::Undecodable(_))), "{value}");
    }
    let usual = Heartbeat {
        labels: Labels::default(),
        speed: Speed::default(),
        ..heartbeat()
    };
    let value = serde_json::to_value(&usual).unwrap();
    assert!(value.get("labels").is_none() && value.get("speed").is_none());
    assert_eq!(decode_value(&value), Ok(usual));
}

#[test]
fn trailing_bytes_arrays_and_oversize_are_refused() {
    let mut bytes = encode(Encoding::MessagePack, &heartbeat());
    bytes.push(0xc0);
    let refused = decode::<Heartbeat>(Encoding::MessagePack, &bytes);
    assert_eq!(refused, Err(Malformed::TrailingBytes(1)));
    let by_position = rmp_serde::to_vec(&heartbeat()).unwrap();
    let refused = decode::<Heartbeat>(Encoding::MessagePack, &by_position);
    assert_eq!(refused, Err(Malformed::NotAMap));
    let large = vec![0x80; HEARTBEAT_LEN_MAX + 1];
    let refused = decode::<Heartbeat>(Encoding::MessagePack, &large);
    assert!(matches!(refused, Err(Malformed::TooLarge { .. })));
    let json = [encode(Encoding::Json, &heartbeat()), b"{}".to_vec()].concat();
    assert!(decode::<Heartbeat>(Encoding::Json, &json).is_err());
}

#[test]
fn nested_bombs_end_in_an_error() {
    // A map whose unknown field nests arrays, or maps, a hundred thousand deep.
    for nest in [&[0x91][..], &[0x81, 0xa1, b'x']] {
        let mut bytes = vec![0x81, 0xa1, b'x'];
        bytes.extend(nest.repeat(100_000 / nest.len()));
        bytes.push(0xc0);
        let refused = decode::<Heartbeat>(Encoding::MessagePack, &bytes);
        assert_eq!(refused, Err(Malformed::TooDeep));
    }
    let json = format!("{{\"x\":{}", "[".repeat(100_000));
    assert!(decode::<Heartbeat>(Encoding::Json, json.as_bytes()).is_err());
    // An array that claims four billion elements.
    let bytes = [0x81, 0xa1, b'x', 0xdd, 0xff, 0xff, 0xff, 0xff];
    assert!(decode::<Heartbeat>(Encoding::MessagePack, &bytes).is_err());
}

#[test]
fn numbers_that_no_host_can_have_are_refused() {
    for cpu in [f64::NAN, f64::INFINITY, -1.0] {
        let mut bytes = vec![0x81, 0xa3];
        bytes.extend(b"cpu");
        bytes.push(0xcb);
        bytes.extend(cpu.to_be_bytes());
        assert!(rmp_serde::from_slice::<Resources>(&bytes).is_err(), "{cpu}");
    }
}

proptest! {
    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for encoding in [Encoding::MessagePack, Encoding::Json] {
            let _ = decode::<Heartbeat>(encoding, &bytes);
            let _ = decode::<Outcome>(encoding, &bytes);
            let _ = decode::<OutcomeBatch>(encoding, &bytes);
            let _ = decode::<RoleAssignment>(encoding, &bytes);
            let _ = decode::<Record>(encoding, &bytes);
        }
    }

    #[test]
    fn a_flipped_byte_is_an_error_or_another_valid_message(at in 0usize..400, to in any::<u8>()) {
        let mut bytes = encode(Encoding::MessagePack, &heartbeat());
        let at = at % bytes.len();
        bytes[at] = to;
        if let Ok(message) = decode::<Heartbeat>(Encoding::MessagePack, &bytes) {
            prop_assert!(message.capacity.cpu.get().is_finite());
            prop_assert_eq!(message.version(), VERSION);
        }
    }
}

#[test]
fn a_status_of_an_older_dispatcher_is_read() {
    let older = json!({"v": 1, "dispatcher": "main", "epoch": 1, "at_ms": 5,
        "nodes": [{"node": "n1", "roles": [], "health": "ready", "heartbeat_age_ms": 1,
            "capacity": {}, "usage": {"total": {}}, "reserved": {}, "jobs": 0, "jobs_max": 1,
            "completed": 0, "failed": 0}],
        "categories": [{"category": "ocr", "declared": true, "roles": [], "backlog": 0,
            "waiting": 0, "running": 0, "nodes_eligible": 0, "oldest_ms": null, "completed": 0,
            "retried": 0, "dead": 0, "expired": 0}],
        "counters": {"heartbeats": 3}});
    let bytes = serde_json::to_vec(&older).unwrap();
    let status: Status = decode(Encoding::Json, &bytes).unwrap();
    assert_eq!(status.forecast_mode, ForecastMode::On);
    assert_eq!(status.nodes[0].clock_skew_ms, None);
    assert_eq!(status.categories[0].expected_per_minute, None);
    assert_eq!(status.counters.heartbeats, 3);
}

/// A message as msgpackr 2.1.4 writes it: `Date.now()` is a float, and so is any other
/// integer above 2^32.
fn as_msgpackr_writes(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0xde, 0, u8::try_from(fields.len()).unwrap()];
    for (name, value) in fields {
        bytes.push(0xa0 | u8::try_from(name.len()).unwrap());
        bytes.extend(name.as_bytes());
        bytes.extend(*value);
    }
    bytes
}

fn float(number: f64) -> Vec<u8> {
    [&[0xcb][..], &number.to_be_bytes()].concat()
}

#[test]
fn an_outcome_of_javascript_is_read() {
    let undefined = [0xd4, 0, 0];
    let bytes = as_msgpackr_writes(&[
        ("v", &[1]),
        ("status", b"\xa9completed"),
        ("reason", &undefined),
        ("output", &[0xc0]),
        ("output_truncated", &[0xc0]),
        ("started_ms", &float(1_769_860_800_000.0)),
        ("run_us", &float(5_000_000_000.0)),
        ("usage", &undefined),
    ]);
    let read: Outcome = decode(Encoding::MessagePack, &bytes).unwrap();
    let expected = Outcome {
        started_ms: Some(crate::time::WallTime::from_millis(1_769_860_800_000)),
        run_us: 5_000_000_000,
        ..outcome(b"")
    };
    assert_eq!(read, expected);
}

#[test]
fn a_heartbeat_with_whole_floats_and_nothing_in_it_is_read() {
    let mut value = serde_json::to_value(heartbeat()).unwrap();
    value["seq"] = json!(7.0);
    value["interval_ms"] = json!(1000.0);
    value["categories"] = json!({"ocr": 2.0});
    value["role_failure"] = json!(null);
    value["draining"] = json!(null);
    value["labels"] = json!({"zone": "eu", "gpu": null});
    value["usage"] = json!({"total": {"cpu": 0, "memory": 0.0}, "jobs": null});
    let expected = Heartbeat {
        role_failure: None,
        ..heartbeat()
    };
    assert_eq!(decode_value(&value), Ok(expected.clone()));
    let bytes = serde_json::to_vec(&value).unwrap();
    assert_eq!(decode(Encoding::Json, &bytes), Ok(expected));
}

#[test]
fn a_number_with_a_fraction_is_no_integer_and_nothing_no_required_field() {
    let mut value = serde_json::to_value(heartbeat()).unwrap();
    value["seq"] = json!(7.5);
    assert!(decode_value(&value).is_err());
    let mut value = serde_json::to_value(heartbeat()).unwrap();
    value["boot"] = json!(null);
    let refused = decode_value(&value).unwrap_err();
    assert!(
        refused.to_string().contains("missing field `boot`"),
        "{refused}"
    );
    let bytes = serde_json::to_vec(&value).unwrap();
    let refused = decode::<Heartbeat>(Encoding::Json, &bytes).unwrap_err();
    assert!(
        refused.to_string().contains("missing field `boot`"),
        "{refused}"
    );
}
