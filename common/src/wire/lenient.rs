//! Rewrites a message as our own encoder would have written it.
//!
//! Other languages have one type of number and two types of absence: msgpackr writes
//! `Date.now()` as a float, an absent field as nil, and `undefined` as an extension. Here
//! whole floats become integers, and fields without a value are left out. Messages in our
//! own form skip this step.

use serde_json::Value;

/// Rewrites the message; `None` if it is not one whole value. The caller has checked its
/// shape, and so limited the depth of this recursion.
pub(super) fn rewrite(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes;
    let mut out = Vec::with_capacity(bytes.len() + HEADROOM);
    value(&mut rest, &mut out)?;
    rest.is_empty().then_some(out)
}

/// The same for a message in JSON; Python writes `time.time() // 1` as a float.
pub(super) fn rewrite_json(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let present = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                present
                    .map(|(name, value)| (name, rewrite_json(value)))
                    .collect(),
            )
        }
        Value::Array(values) => Value::Array(values.into_iter().map(rewrite_json).collect()),
        Value::Number(number) => match number.as_f64().and_then(whole) {
            Some(whole) if number.is_f64() => Value::from(whole),
            Some(_) | None => Value::Number(number),
        },
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

/// Returns the number as an integer if it is one; all of ours are at least 0.
fn whole(number: f64) -> Option<u64> {
    const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
    let is_whole = number.fract() == 0.0 && (0.0..TWO_TO_64).contains(&number);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, and within 0 and 2^64"
    )]
    is_whole.then_some(number as u64)
}

/// A map's head grows by up to 4 bytes, and our messages have few maps.
const HEADROOM: usize = 64;
/// Form in which msgpackr and others write `undefined`: an extension of type 0 and one
/// byte.
const UNDEFINED: [u8; 3] = [0xd4, 0x00, 0x00];
const NIL: u8 = 0xc0;

fn value(rest: &mut &[u8], out: &mut Vec<u8>) -> Option<()> {
    if skip_nothing(rest) {
        out.push(NIL);
        return Some(());
    }
    let marker = *rest.first()?;
    match marker {
        0x80..=0x8f => map(rest, 1, u32::from(marker & 0x0f), out),
        0xde => map(rest, 3, number(rest.get(1..3)?), out),
        0xdf => map(rest, 5, number(rest.get(1..5)?), out),
        0x90..=0x9f => list(rest, 1, u32::from(marker & 0x0f), out),
        0xdc => list(rest, 3, number(rest.get(1..3)?), out),
        0xdd => list(rest, 5, number(rest.get(1..5)?), out),
        0xca => {
            let bits = rest.get(1..5)?.try_into().ok()?;
            float(rest, 5, f64::from(f32::from_be_bytes(bits)), out)
        }
        0xcb => {
            let bits = rest.get(1..9)?.try_into().ok()?;
            float(rest, 9, f64::from_be_bytes(bits), out)
        }
        _ => copy(rest, super::shape::len_of_one(rest)?, out),
    }
}

/// Skips a nil or an `undefined`, and returns whether there was one.
fn skip_nothing(rest: &mut &[u8]) -> bool {
    let after = rest
        .strip_prefix(&UNDEFINED)
        .or_else(|| rest.strip_prefix(&[NIL]));
    match after {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}

/// Writes the fields that have a value, and their count.
fn map(rest: &mut &[u8], head_len: usize, count: u32, out: &mut Vec<u8>) -> Option<()> {
    *rest = rest.get(head_len..)?;
    out.push(0xdf);
    let count_at = out.len();
    out.extend([0; 4]);
    let mut kept: u32 = 0;
    for _ in 0..count {
        let field_at = out.len();
        value(rest, out)?;
        if skip_nothing(rest) {
            out.truncate(field_at);
        } else {
            value(rest, out)?;
            kept += 1;
        }
    }
    out.get_mut(count_at..count_at + 4)?
        .copy_from_slice(&kept.to_be_bytes());
    Some(())
}

fn list(rest: &mut &[u8], head_len: usize, count: u32, out: &mut Vec<u8>) -> Option<()> {
    copy(rest, head_len, out)?;
    for _ in 0..count {
        value(rest, out)?;
    }
    Some(())
}

/// Writes a whole number as an integer.
fn float(rest: &mut &[u8], len: usize, number: f64, out: &mut Vec<u8>) -> Option<()> {
    let Some(whole) = whole(number) else {
        return copy(rest, len, out);
    };
    *rest = rest.get(len..)?;
    out.push(0xcf);
    out.extend(whole.to_be_bytes());
    Some(())
}

fn copy(rest: &mut &[u8], len: usize, out: &mut Vec<u8>) -> Option<()> {
    let (head, tail) = rest.split_at_checked(len)?;
    out.extend_from_slice(head);
    *rest = tail;
    Some(())
}

/// Reads a big-endian number of at most four bytes.
fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rewritten(bytes: &[u8]) -> Value {
        rmp_serde::from_slice(&rewrite(bytes).unwrap()).unwrap()
    }

    #[test]
    fn whole_floats_become_integers_and_others_stay() {
        for (number, expected) in [
            (1_769_860_800_000.0, json!(1_769_860_800_000_u64)),
            (0.0, json!(0)),
            (-0.0, json!(0)),
            (1.5, json!(1.5)),
            (-3.0, json!(-3.0)),
            (1e300, json!(1e300)),
        ] {
            let bytes = rmp_serde::to_vec_named(&json!({"x": [number]})).unwrap();
            assert_eq!(rewritten(&bytes), json!({"x": [expected]}));
            let in_json = rewrite_json(json!({"x": [number], "y": null}));
            assert_eq!(in_json, json!({"x": [expected]}));
        }
        let single = [0x81, 0xa1, b'x', 0xca, 0x40, 0xe0, 0, 0];
        assert_eq!(rewritten(&single), json!({"x": 7}));
    }

    #[test]
    fn fields_without_a_value_are_left_out() {
        let bytes = rmp_serde::to_vec_named(&json!({"a": null, "b": {"c": null}, "d": [null]}));
        assert_eq!(rewritten(&bytes.unwrap()), json!({"b": {}, "d": [null]}));
        let undefined = [&[0x82, 0xa1, b'x'], &UNDEFINED[..], &[0xa1, b'y', 1]].concat();
        assert_eq!(rewritten(&undefined), json!({"y": 1}));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z]{0,300}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 20, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
                proptest::collection::btree_map("[a-z]{1,3}", inner, 0..20)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_our_way_stays_as_it_is(value in any_value()) {
            let message = json!({"v": value});
            let bytes = rmp_serde::to_vec_named(&message).unwrap();
            prop_assert_eq!(rewritten(&bytes), message);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            // The shape limits the depth of the recursion.
            if super::super::shape::check(&bytes).is_ok() {
                prop_assert!(rewrite(&bytes).is_some());
            }
        }
    }
}
