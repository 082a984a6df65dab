//! Validated identifiers: parsed once where they enter, trusted afterwards.
//!
//! Names of nodes, categories and roles are `[a-z0-9_-]{1,32}`, which is valid
//! as a NATS subject token, a consumer name and a key-value key at once. Job
//! ids are `[A-Za-z0-9_-]{1,64}`, wide enough for UUIDs and ULIDs.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest node, category or role name, in bytes.
pub const NAME_LEN_MAX: usize = 32;
/// The longest job id, in bytes.
pub const JOB_ID_LEN_MAX: usize = 64;

/// An identifier that does not follow its grammar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} is not {grammar}")]
pub struct InvalidId {
    what: &'static str,
    text: String,
    grammar: &'static str,
}

impl InvalidId {
    fn new(what: &'static str, text: &str, grammar: &'static str) -> Self {
        // An error message quotes at most this much of hostile input.
        let text = text.chars().take(80).collect();
        Self {
            what,
            text,
            grammar,
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_LEN_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

fn is_job_id(text: &str) -> bool {
    (1..=JOB_ID_LEN_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Text of at most `N` bytes, kept in place: identifiers are made and copied for every
/// job, and an allocation for each would cost more than all other steps.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Inline<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Inline<N> {
    /// Keeps ASCII text; the caller has checked its length and alphabet.
    fn new(text: &str) -> Self {
        let mut bytes = [0; N];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        let len = u8::try_from(text.len()).expect("no identifier is longer than 255 bytes");
        Self { bytes, len }
    }

    fn as_str(&self) -> &str {
        let bytes = &self.bytes[..usize::from(self.len)];
        std::str::from_utf8(bytes).expect("identifiers are ASCII")
    }
}

/// Reads a value that is sent as text without keeping a copy of the text.
pub(crate) struct TextVisitor<T> {
    expected: &'static str,
    read: PhantomData<T>,
}

impl<T> TextVisitor<T> {
    pub(crate) fn new(expected: &'static str) -> Self {
        let read = PhantomData;
        Self { expected, read }
    }
}

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

// Five identifiers share one shape and differ only in name and grammar.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $len_max:ident, $is_valid:ident, $grammar:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Inline<$len_max>);

        impl $name {
            /// Parses the identifier, and refuses text that does not follow its grammar.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                if !$is_valid(text) {
                    return Err(InvalidId::new($what, text, $grammar));
                }
                Ok(Self(Inline::new(text)))
            }

            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextVisitor::new($grammar))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
    };
}

text_id!(
    /// A worker host.
    NodeId, "node id", NAME_LEN_MAX, is_name, "[a-z0-9_-]{1,32}"
);
text_id!(
    /// A service category: the kind of a job.
    Category, "category", NAME_LEN_MAX, is_name, "[a-z0-9_-]{1,32}"
);
text_id!(
    /// A role a node plays: leader, backup, follower, or the user's own.
    Role, "role", NAME_LEN_MAX, is_name, "[a-z0-9_-]{1,32}"
);
text_id!(
    /// A group of managed roles: one service, with its leader and its backups.
    Group, "role group", NAME_LEN_MAX, is_name, "[a-z0-9_-]{1,32}"
);
text_id!(
    /// A job, as its producer named it or as its position in the stream names it.
    JobId, "job id", JOB_ID_LEN_MAX, is_job_id, "[A-Za-z0-9_-]{1,64}"
);

/// Name by which people and programs ask for one job: its id, or `#41` with its sequence.
///
/// Ids may be made of digits only, so a bare number is always an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobName {
    Id(JobId),
    Sequence(Sequence),
}

impl FromStr for JobName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let Some(number) = text.strip_prefix('#') else {
            return JobId::new(text).map(JobName::Id);
        };
        let sequence = number.parse().map(Sequence::new).map(JobName::Sequence);
        sequence.map_err(|_| InvalidId::new("sequence", text, "# and a whole number"))
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JobName::Id(id) => id.fmt(f),
            JobName::Sequence(sequence) => write!(f, "#{sequence}"),
        }
    }
}

/// The position of a job in the stream ROLECAST_JOBS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(u64);

impl Sequence {
    pub fn new(sequence: u64) -> Self {
        Self(sequence)
    }

    pub fn get(self) -> u64 {
        self.0
    }

    /// Names a job that its producer did not name: by its sequence, and by when the
    /// stream was created, so that a recreated stream cannot reuse the id.
    pub fn job_id(self, stream_created: crate::time::WallTime) -> JobId {
        let text = format!("{}-{:x}", self.0, stream_created.as_millis() / 1000);
        JobId(Inline::new(&text))
    }

    /// Reads the sequence back from the id of a job that its producer did not name.
    pub fn of_unnamed(job: &JobId, stream_created: crate::time::WallTime) -> Option<Self> {
        let (number, _) = job.as_str().split_once('-')?;
        let sequence = Self(number.parse().ok()?);
        (sequence.job_id(stream_created) == *job).then_some(sequence)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The term of a dispatcher. Every command carries it; workers refuse smaller ones.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(u64);

impl Epoch {
    pub fn new(epoch: u64) -> Self {
        Self(epoch)
    }

    pub fn get(self) -> u64 {
        self.0
    }

    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns whether a dispatcher can come to lead under `later` if this is the largest
    /// known epoch. Epochs rise by one with each take-over, and by some thousands where
    /// the lease's key is lost; one far above all others would lock dispatchers out for
    /// good, so nobody follows it.
    pub fn may_reach(self, later: Self) -> bool {
        const LEAP_MAX: u64 = 1_000_000;
        const MAX: u64 = 1 << 53;
        let is_near = self == Self::default() || later.0 <= self.0.saturating_add(LEAP_MAX);
        is_near && later.0 <= MAX
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of one execution of a job, counted from 1.
///
/// It distinguishes a revoked execution from the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempt(u32);

impl Attempt {
    pub const FIRST: Attempt = Attempt(1);

    pub fn new(attempt: u32) -> Self {
        Self(attempt.max(1))
    }

    pub fn get(self) -> u32 {
        self.0
    }

    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One start of a worker program; each restart has another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(JobId);

impl BootId {
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        JobId::new(text).map(Self)
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Urgency of a job among those of its category, most urgent first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    High,
    #[default]
    Normal,
    Low,
}

impl Priority {
    pub const ALL: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

    pub fn as_str(self) -> &'static str {
        match self {
            Priority::High => "high",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Priority {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Priority::ALL
            .into_iter()
            .find(|priority| priority.as_str() == text)
            .ok_or_else(|| InvalidId::new("priority", text, "high, normal or low"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::WallTime;

    #[test]
    fn an_epoch_far_above_the_known_ones_is_not_reached() {
        let may = |from, to| Epoch::new(from).may_reach(Epoch::new(to));
        assert!(may(7, 8) && may(7, 3) && may(7, 1_000_007));
        assert!(!may(7, 1_000_008));
        // Who knows no epoch follows any, except those that leave no room above them.
        assert!(may(0, 1 << 53));
        assert!(!may(0, u64::MAX) && !may(u64::MAX, u64::MAX));
    }

    #[test]
    fn hostile_names_are_refused_with_their_grammar() {
        for text in [
            "",
            "a.b",
            "a*",
            ">",
            "$JS",
            "Å",
            "UPPER",
            "a b",
            "a\r\nb",
            &"x".repeat(33),
        ] {
            let error = NodeId::new(text).unwrap_err().to_string();
            assert!(error.contains("[a-z0-9_-]{1,32}"), "{error}");
        }
    }

    #[test]
    fn an_unnamed_job_is_named_by_sequence_and_stream() {
        let created = WallTime::from_millis(1_700_000_000_123);
        let job = Sequence::new(42).job_id(created);
        assert_eq!(job.as_str(), "42-6553f100");
        assert_eq!(Sequence::of_unnamed(&job, created), Some(Sequence::new(42)));
        for other in ["42", "42-6553f101", "042-6553f100", "order-7"] {
            let other = JobId::new(other).unwrap();
            assert_eq!(Sequence::of_unnamed(&other, created), None, "{other}");
        }
    }

    #[test]
    fn a_bare_number_is_an_id_and_one_behind_a_sign_a_sequence() {
        let id = JobName::Id(JobId::new("7").unwrap());
        assert_eq!("7".parse(), Ok(id));
        let sequence = JobName::Sequence(Sequence::new(7));
        assert_eq!("#7".parse(), Ok(sequence));
        for text in ["", "#", "#x", "#-1", "# 7", "a.b", "##7"] {
            assert!(text.parse::<JobName>().is_err(), "{text}");
        }
        for name in ["7", "#7", "order-7"] {
            assert_eq!(name.parse::<JobName>().unwrap().to_string(), name);
        }
    }

    proptest! {
        #[test]
        fn an_accepted_name_is_exactly_one_subject_token(text in "\\PC{0,40}") {
            if let Ok(id) = Category::new(&text) {
                let subject = format!("rolecast.jobs.{id}");
                prop_assert_eq!(subject.split('.').count(), 3);
                prop_assert!(!subject.contains(['*', '>', ' ', '\r', '\n']));
            }
        }

        #[test]
        fn an_accepted_job_id_is_exactly_one_subject_token(text in "\\PC{0,80}") {
            if let Ok(id) = JobId::new(&text) {
                prop_assert_eq!(id.as_str(), text.as_str());
                prop_assert!(!text.contains(['.', '*', '>', ' ', '\r', '\n']));
            }
        }

        #[test]
        fn a_name_survives_its_text_form(text in "[a-z0-9_-]{1,32}") {
            let id = Role::new(&text).unwrap();
            prop_assert_eq!(Role::new(&id.to_string()).unwrap(), id);
        }
    }
}
