//! Limits on the entries of lists in a message, and on the length of its remarks.
//!
//! The length of a message limits its size, but not its cost: a mebibyte holds 60,000
//! outcomes, and each takes more room and work here than it took its sender. So a list or
//! a map is refused at the first entry above its limit, before the rest of it is read. A
//! remark for people is cut instead: no node or outcome must be lost because of a long
//! remark.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The most jobs a worker may have in hand, so that its heartbeat stays small.
pub const JOBS_IN_HAND_MAX: u32 = 1024;
/// The most roles of a node, and the most it offers: services on one host have fewer.
pub const ROLES_MAX: usize = 64;
/// The most categories of a node. With the most roles and labels, and names of full
/// length, 30 KiB of a heartbeat; a worker leaves 32 for all that.
pub const CATEGORIES_MAX: usize = 256;
/// The most outcomes of a batch: one for each job in hand.
pub const OUTCOMES_MAX: usize = JOBS_IN_HAND_MAX as usize;
/// The largest generation: whole numbers up to it are exact in every language.
const GENERATION_MAX: u64 = 1 << 53;
/// The most characters of a remark.
pub const REMARK_CHARS_MAX: usize = 1000;
/// The most characters of the text of a progress: it is shown in one line of a table.
pub const PROGRESS_CHARS_MAX: usize = 100;
/// The most bytes of the log of an attempt.
pub const LOG_LEN_MAX: usize = 64 * 1024;

/// Reads a list of roles.
pub(super) fn roles<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(List::new("roles", ROLES_MAX))
}

/// Reads the jobs that a worker has in hand.
pub(super) fn jobs<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(List::new("jobs", JOBS_IN_HAND_MAX as usize))
}

/// Reads the progress of jobs in hand.
pub(super) fn progress<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(List::new("progress", JOBS_IN_HAND_MAX as usize))
}

/// Reads the outcomes of a batch.
pub(super) fn outcomes<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(List::new("outcomes", OUTCOMES_MAX))
}

/// Reads a map with an entry for each category.
pub(super) fn categories<'de, D, K, T>(deserializer: D) -> Result<BTreeMap<K, T>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord,
    T: Deserialize<'de>,
{
    map("categories", CATEGORIES_MAX, deserializer)
}

/// Reads a map of at most `max` entries.
pub(crate) fn map<'de, D, K, T>(
    what: &'static str,
    max: usize,
    deserializer: D,
) -> Result<BTreeMap<K, T>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord,
    T: Deserialize<'de>,
{
    deserializer.deserialize_map(Map {
        what,
        max,
        read: PhantomData,
    })
}

/// Reads a remark: its first characters, in one line and without control characters,
/// which would reach a terminal.
pub(super) fn remark<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let chars_max = REMARK_CHARS_MAX;
    deserializer.deserialize_str(Remark { chars_max })
}

/// Reads the text of a progress, in the same way.
pub(super) fn progress_text<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    let chars_max = PROGRESS_CHARS_MAX;
    d.deserialize_str(Remark { chars_max })
}

/// Returns the first characters of a text, without control characters.
pub(super) fn one_line(text: &str, chars_max: usize) -> String {
    let first = text.chars().take(chars_max);
    first
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Reads a number that other numbers are counted from.
pub(super) fn generation<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let generation = u64::deserialize(deserializer)?;
    if generation > GENERATION_MAX {
        let text = format_args!("generation {generation} leaves too few above it");
        return Err(D::Error::custom(text));
    }
    Ok(generation)
}

fn too_many<E: Error>(what: &str, max: usize) -> E {
    E::custom(format_args!("more than {max} {what}"))
}

/// A list with a limit on its entries.
struct List<T> {
    what: &'static str,
    max: usize,
    read: PhantomData<T>,
}

impl<T> List<T> {
    fn new(what: &'static str, max: usize) -> Self {
        let read = PhantomData;
        Self { what, max, read }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {} {}", self.max, self.what)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let said = list.size_hint().unwrap_or_default();
        if said > self.max {
            return Err(too_many(self.what, self.max));
        }
        let mut read = Vec::with_capacity(said);
        while let Some(item) = list.next_element()? {
            if read.len() == self.max {
                return Err(too_many(self.what, self.max));
            }
            read.push(item);
        }
        Ok(read)
    }
}

/// A map with a limit on its entries.
struct Map<K, T> {
    what: &'static str,
    max: usize,
    read: PhantomData<(K, T)>,
}

impl<'de, K: Deserialize<'de> + Ord, T: Deserialize<'de>> Visitor<'de> for Map<K, T> {
    type Value = BTreeMap<K, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map of at most {} {}", self.max, self.what)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BTreeMap<K, T>, A::Error> {
        let mut read = BTreeMap::new();
        // Entries of one name count each: they cost as much as others.
        for count in 0.. {
            let Some((key, value)) = map.next_entry()? else {
                break;
            };
            if count == self.max {
                return Err(too_many(self.what, self.max));
            }
            read.insert(key, value);
        }
        Ok(read)
    }
}

struct Remark {
    chars_max: usize,
}

impl Visitor<'_> for Remark {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(one_line(text, self.chars_max))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::label::LABELS_MAX;
    use crate::wire::{
        Encoding, Heartbeat, JobUsage, Malformed, Message, Outcome, OutcomeBatch, RoleAssignment,
        RoleDocument, decode,
    };

    const JOB: &str = "1.ocr.j1.1.$JS.ACK.ROLECAST_JOBS.normal-ocr.1.2.3.4.5";

    fn heartbeat() -> Value {
        json!({"v": 1, "node": "web-1", "boot": "b1", "seq": 7, "interval_ms": 1000, "roles": [],
            "capacity": {"cpu": 4.0, "memory": 1000}, "usage": {"total": {}}, "jobs_max": 4,
            "categories": {}})
    }

    fn names(count: usize) -> Value {
        (0..count).map(|n| format!("name-{n}")).collect()
    }

    fn counts(count: usize) -> Value {
        let entries = (0..count).map(|n| (format!("name-{n}"), json!(1)));
        Value::Object(entries.collect())
    }

    fn labels(count: usize) -> Value {
        let entries = (0..count).map(|n| (format!("name-{n}"), json!("eu")));
        Value::Object(entries.collect())
    }

    fn repeated(value: &Value, count: usize) -> Value {
        Value::Array(vec![value.clone(); count])
    }

    /// Returns the reason of the refusal in both encodings, which is the same; empty if
    /// there is none.
    fn refusal<M: Message>(message: &Value) -> String {
        let packed = rmp_serde::to_vec_named(message).unwrap();
        let written = serde_json::to_vec(message).unwrap();
        let all = [(Encoding::MessagePack, packed), (Encoding::Json, written)];
        let [one, other] = all.map(|(encoding, bytes)| match decode::<M>(encoding, &bytes) {
            Ok(_) => String::new(),
            Err(Malformed::Undecodable(why)) => why,
            Err(other) => panic!("{other}"),
        });
        assert!(other.starts_with(&one), "{one:?} and {other:?}");
        one
    }

    #[test]
    fn a_list_or_map_is_read_at_its_bound_and_refused_one_above_it() {
        type Build = fn(usize) -> Value;
        let jobs: Build = |count| repeated(&json!(JOB), count);
        let fields: [(&str, &str, usize, Build); 5] = [
            ("roles", "roles", ROLES_MAX, names),
            ("offers", "roles", ROLES_MAX, names),
            ("categories", "categories", CATEGORIES_MAX, counts),
            ("labels", "labels", LABELS_MAX, labels),
            ("jobs", "jobs", JOBS_IN_HAND_MAX as usize, jobs),
        ];
        for (field, what, max, build) in fields {
            let mut message = heartbeat();
            message[field] = build(max);
            assert_eq!(refusal::<Heartbeat>(&message), "", "{field}");
            message[field] = build(max + 1);
            let why = refusal::<Heartbeat>(&message);
            assert_eq!(why, format!("more than {max} {what}"), "{field}");
        }
        let failure = |count| {
            let mut message = heartbeat();
            message["role_failure"] =
                json!({"epoch": 1, "generation": 1, "roles": names(count), "reason": ""});
            refusal::<Heartbeat>(&message)
        };
        assert_eq!(failure(ROLES_MAX), "");
        assert_eq!(failure(ROLES_MAX + 1), "more than 64 roles");
        let assignment = |count| {
            let message = json!({"v": 1, "epoch": 1, "generation": 1, "boot": "b1", "answers": 1,
                "lease_ms": 10_000, "roles": names(count)});
            refusal::<RoleAssignment>(&message)
        };
        assert_eq!(assignment(ROLES_MAX), "");
        assert_eq!(assignment(ROLES_MAX + 1), "more than 64 roles");
        let outcome = json!({"v": 1, "status": "completed", "job": JOB});
        let batch = |count| {
            let message = json!({"v": 1, "outcomes": repeated(&outcome, count)});
            refusal::<OutcomeBatch>(&message)
        };
        assert_eq!(batch(OUTCOMES_MAX), "");
        assert_eq!(batch(OUTCOMES_MAX + 1), "more than 1024 outcomes");
    }

    #[test]
    fn a_map_with_one_name_again_and_again_is_too_long() {
        let entries = (0..=CATEGORIES_MAX).map(|n| (format!("n{n:03}"), json!(1)));
        let mut message = heartbeat();
        message["categories"] = Value::Object(entries.collect());
        let mut bytes = rmp_serde::to_vec_named(&message).unwrap();
        for at in 0..bytes.len() - 4 {
            if bytes[at..].starts_with(b"\xa4n") {
                bytes[at + 2..at + 5].fill(b'0');
            }
        }
        let refused = decode::<Heartbeat>(Encoding::MessagePack, &bytes).unwrap_err();
        assert_eq!(
            refused,
            Malformed::Undecodable("more than 256 categories".to_owned())
        );
    }

    #[test]
    fn a_generation_that_leaves_none_above_it_is_refused() {
        let refusal = |generation: u64| {
            let message = json!({"v": 1, "epoch": 1, "generation": generation, "roles": {}});
            refusal::<RoleDocument>(&message)
        };
        assert_eq!(refusal(GENERATION_MAX), "");
        assert!(refusal(GENERATION_MAX + 1).contains("leaves too few above it"));
    }

    #[test]
    fn a_remark_is_cut_and_printed_in_one_line() {
        let long = format!("\u{1b}[2J\n{}", "ä".repeat(2 * REMARK_CHARS_MAX));
        let kept = format!(" [2J {}", "ä".repeat(REMARK_CHARS_MAX - 5));
        let mut message = heartbeat();
        message["role_failure"] = json!({"epoch": 1, "generation": 1, "roles": [], "reason": long});
        for encoding in [Encoding::MessagePack, Encoding::Json] {
            let bytes = match encoding {
                Encoding::MessagePack => rmp_serde::to_vec_named(&message).unwrap(),
                Encoding::Json => serde_json::to_vec(&message).unwrap(),
            };
            let read: Heartbeat = decode(encoding, &bytes).unwrap();
            assert_eq!(read.role_failure.unwrap().reason, kept);
        }
        let outcome = json!({"v": 1, "status": "retry", "reason": long});
        let bytes = serde_json::to_vec(&outcome).unwrap();
        let read: Outcome = decode(Encoding::Json, &bytes).unwrap();
        assert_eq!((read.reason, read.usage), (kept, JobUsage::default()));
    }
}
