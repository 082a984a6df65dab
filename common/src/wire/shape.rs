//! Checks the shape of a message before it is decoded.
//!
//! In MessagePack it must be a map, complete, not too deep, and with nothing behind it;
//! in JSON it must not be too deep.
//!
//! The decoder alone accepts trailing bytes, and when it reads from a slice it cannot
//! report how much it read. One pass over the markers checks all of this, without
//! recursion, so no nesting can exhaust the stack.

use super::Malformed;

/// The deepest nesting accepted; our messages need 5.
const DEPTH_MAX: usize = 16;

/// Checks the shape of a whole message.
pub(super) fn check(bytes: &[u8]) -> Result<(), Malformed> {
    // Arrays are refused: a struct sent by position breaks when a field is added.
    if !matches!(bytes.first(), Some(0x80..=0x8f | 0xde | 0xdf)) {
        return Err(Malformed::NotAMap);
    }
    let mut rest = bytes;
    // Values still to be read, of the innermost array or map last.
    let mut open = [0u64; DEPTH_MAX + 1];
    open[0] = 1;
    let mut depth = 0;
    loop {
        while open[depth] == 0 {
            if depth == 0 {
                return match rest.len() {
                    0 => Ok(()),
                    len => Err(Malformed::TrailingBytes(len)),
                };
            }
            depth -= 1;
        }
        open[depth] -= 1;
        let children = skip(&mut rest).ok_or(Malformed::Incomplete)?;
        if children > 0 {
            depth += 1;
            if depth > DEPTH_MAX {
                return Err(Malformed::TooDeep);
            }
            open[depth] = children;
        }
    }
}

/// Checks that JSON is not nested too deep; the decoder checks everything else.
pub(super) fn check_json(bytes: &[u8]) -> Result<(), Malformed> {
    let (mut depth, mut is_text, mut is_escaped) = (0usize, false, false);
    for byte in bytes {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => depth += 1,
            b'}' | b']' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(Malformed::TooDeep);
        }
    }
    Ok(())
}

/// Skips one value up to its children, and returns how many of these follow.
fn skip(rest: &mut &[u8]) -> Option<u64> {
    let (marker, tail) = rest.split_first()?;
    *rest = tail;
    let (len, children) = match *marker {
        0x00..=0x7f | 0xc0..=0xc3 | 0xe0..=0xff => (0, 0),
        0x80..=0x8f => (0, 2 * u64::from(marker & 0x0f)),
        0x90..=0x9f => (0, u64::from(marker & 0x0f)),
        0xa0..=0xbf => (u64::from(marker & 0x1f), 0),
        0xc4 | 0xd9 => (number(rest, 1)?, 0),
        0xc5 | 0xda => (number(rest, 2)?, 0),
        0xc6 | 0xdb => (number(rest, 4)?, 0),
        // An extension has a type byte before its data.
        0xc7 => (1 + number(rest, 1)?, 0),
        0xc8 => (1 + number(rest, 2)?, 0),
        0xc9 => (1 + number(rest, 4)?, 0),
        0xca | 0xce | 0xd2 => (4, 0),
        0xcb | 0xcf | 0xd3 => (8, 0),
        0xcc | 0xd0 => (1, 0),
        0xcd | 0xd1 => (2, 0),
        0xd4 => (2, 0),
        0xd5 => (3, 0),
        0xd6 => (5, 0),
        0xd7 => (9, 0),
        0xd8 => (17, 0),
        0xdc => (0, number(rest, 2)?),
        0xdd => (0, number(rest, 4)?),
        0xde => (0, 2 * number(rest, 2)?),
        0xdf => (0, 2 * number(rest, 4)?),
    };
    *rest = rest.get(usize::try_from(len).ok()?..)?;
    Some(children)
}

/// Returns the length of the first value if it has no children.
pub(super) fn len_of_one(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    (skip(&mut rest)? == 0).then(|| bytes.len() - rest.len())
}

/// Reads a big-endian number of `width` bytes.
fn number(rest: &mut &[u8], width: usize) -> Option<u64> {
    let (bytes, tail) = rest.split_at_checked(width)?;
    *rest = tail;
    Some(
        bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
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

    #[test]
    fn both_encodings_may_be_nested_as_deep() {
        let nested = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({"x": inner}));
        for (depth, expected) in [(16, Ok(())), (17, Err(Malformed::TooDeep))] {
            let value = nested(depth);
            // An empty map is a value like any other in MessagePack.
            let filled = rmp_serde::to_vec_named(
                &(1..depth).fold(json!({"x": 1}), |inner, _| json!({"x": inner})),
            );
            assert_eq!(check(&filled.unwrap()), expected, "{depth}");
            assert_eq!(
                check_json(value.to_string().as_bytes()),
                expected,
                "{depth}"
            );
        }
        let brackets = json!({"x": "\\\"[[[[[[[[[[[[[[[[[[[["}).to_string();
        assert_eq!(check_json(brackets.as_bytes()), Ok(()));
    }

    proptest! {
        #[test]
        fn whole_messages_pass_and_cut_or_longer_ones_do_not(value in value(), cut in any::<usize>()) {
            let bytes = rmp_serde::to_vec_named(&json!({"v": value})).unwrap();
            prop_assert_eq!(check(&bytes), Ok(()));
            let cut = cut % bytes.len();
            prop_assert!(check(&bytes[..cut]).is_err());
            let longer = [&bytes[..], &[0]].concat();
            prop_assert_eq!(check(&longer), Err(Malformed::TrailingBytes(1)));
        }
    }
}
