//! Assignment: the identity of one execution of a job, as messages carry it.
//!
//! An assignment travels as the tail of a job's reply subject,
//! `<epoch>.<category>.<job>.<attempt>.<seal>.<ack subject>`. So a dispatcher that has
//! just taken over reads from it all it needs to settle the job, and the seal proves that
//! a dispatcher made it. To a worker it is one opaque string.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{Attempt, Category, Epoch, JobId, Sequence, TextVisitor};
use crate::time::WallTime;

/// The longest assignment accepted, in bytes: twice the sum of the longest ids, numbers
/// and stream names.
pub const ASSIGNMENT_LEN_MAX: usize = 512;

/// One execution of a job, as sent to one node; a copy shares the original.
#[derive(Clone, PartialEq, Eq)]
pub struct Assignment(Arc<Parts>);

#[derive(PartialEq, Eq)]
struct Parts {
    /// The whole text: it is sent far more often than it is made.
    text: Arc<str>,
    epoch: Epoch,
    category: Category,
    job: JobId,
    attempt: Attempt,
    seal: Option<Seal>,
    /// The start of the seal, or of the ack subject if there is none.
    head: usize,
    ack: Ack,
}

/// Proof that a dispatcher made an assignment; sixteen hexadecimal digits in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal(u64);

impl Seal {
    pub const fn new(tag: u64) -> Self {
        Self(tag)
    }

    /// Reads the canonical form of a seal, and no other form.
    fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 16 || !text.bytes().all(is_digit) {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Assignment {
    /// Makes an assignment; `seal` receives the text before and behind its place.
    pub fn sealed(
        epoch: Epoch,
        category: Category,
        job: JobId,
        attempt: Attempt,
        ack: Ack,
        seal: impl FnOnce([&str; 2]) -> Seal,
    ) -> Self {
        let mut text = format!("{epoch}.{category}.{job}.{attempt}.");
        let head = text.len();
        let seal = seal([&text, ack.as_str()]);
        // The length is known, and the text is made for each job.
        text.reserve_exact(17 + ack.as_str().len());
        let _ = write!(text, "{seal}.{ack}");
        Self(Arc::new(Parts {
            text: text.into(),
            epoch,
            category,
            job,
            attempt,
            seal: Some(seal),
            head,
            ack,
        }))
    }

    pub fn seal(&self) -> Option<Seal> {
        self.0.seal
    }

    /// Returns the text before and behind the place of the seal.
    pub fn sealed_text(&self) -> [&str; 2] {
        [&self.0.text[..self.0.head], self.0.ack.as_str()]
    }

    pub fn epoch(&self) -> Epoch {
        self.0.epoch
    }

    pub fn category(&self) -> &Category {
        &self.0.category
    }

    pub fn job(&self) -> &JobId {
        &self.0.job
    }

    pub fn attempt(&self) -> Attempt {
        self.0.attempt
    }

    pub fn ack(&self) -> &Ack {
        &self.0.ack
    }

    pub fn as_str(&self) -> &str {
        &self.0.text
    }
}

/// Text that is not an assignment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an assignment <epoch>.<category>.<job>.<attempt>.<seal>.<ack subject>")]
pub struct InvalidAssignment;

impl FromStr for Assignment {
    type Err = InvalidAssignment;

    fn from_str(text: &str) -> Result<Self, InvalidAssignment> {
        if text.len() > ASSIGNMENT_LEN_MAX {
            return Err(InvalidAssignment);
        }
        let mut tokens = text.splitn(5, '.');
        let mut token = || tokens.next().ok_or(InvalidAssignment);
        let epoch = token()?.parse().map_err(|_| InvalidAssignment)?;
        let category = Category::new(token()?).map_err(|_| InvalidAssignment)?;
        let job = JobId::new(token()?).map_err(|_| InvalidAssignment)?;
        let attempt: u32 = token()?.parse().map_err(|_| InvalidAssignment)?;
        let rest = token()?;
        if attempt == 0 {
            return Err(InvalidAssignment);
        }
        let head = text.len() - rest.len();
        let sealed = rest.split_once('.');
        let sealed = sealed.and_then(|(seal, ack)| Some((Seal::parse(seal)?, ack.len())));
        let (seal, ack_len) = match sealed {
            Some((seal, ack_len)) => (Some(seal), ack_len),
            None => (None, rest.len()),
        };
        let text: Arc<str> = text.into();
        let start = text.len() - ack_len;
        let ack = Ack::within(Arc::clone(&text), start).ok_or(InvalidAssignment)?;
        Ok(Self(Arc::new(Parts {
            text,
            epoch: Epoch::new(epoch),
            category,
            job,
            attempt: Attempt::new(attempt),
            seal,
            head,
            ack,
        })))
    }
}

impl Serialize for Assignment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Assignment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor::new("an assignment"))
    }
}

impl fmt::Display for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The subject on which the server expects the acknowledgement of one delivery of a job.
///
/// The server has two forms of it, `$JS.ACK.<stream>.<consumer>...` and
/// `$JS.ACK.<domain>.<account>.<stream>.<consumer>...`; both carry the same numbers. It
/// is sent back unchanged.
#[derive(Clone)]
pub struct Ack {
    /// The subject, or an assignment that ends with it.
    text: Arc<str>,
    start: usize,
    /// Starts of the names of the stream and of the consumer, and the end of the latter.
    names: [usize; 3],
    sequence: Sequence,
    stored: WallTime,
}

/// The most tokens behind `$JS.ACK.`: those of the second form, and one more
/// that a server may add.
const TOKENS_MAX: usize = 10;

impl Ack {
    /// Reads an ack subject in either form; `None` if it is not one.
    pub fn parse(subject: &str) -> Option<Self> {
        Self::within(subject.into(), 0)
    }

    /// Reads the ack subject that `text` ends with.
    fn within(text: Arc<str>, start: usize) -> Option<Self> {
        let tokens = text.get(start..)?.strip_prefix("$JS.ACK.")?;
        let mut ends = [0; TOKENS_MAX];
        let mut count = 0;
        let mut first = 0;
        for (at, byte) in tokens.bytes().enumerate() {
            match byte {
                b'.' if at == first => return None,
                b'.' => {
                    *ends.get_mut(count)? = at;
                    count += 1;
                    first = at + 1;
                }
                b'*' | b'>' => return None,
                // Some of it is shown to people, and all of it is published to.
                0..=b' ' | 0x7f => return None,
                _ => {}
            }
        }
        if first == tokens.len() {
            return None;
        }
        *ends.get_mut(count)? = tokens.len();
        // <stream>.<consumer> then delivered, stream sequence, consumer
        // sequence, time, pending; in the second form two tokens stand before
        // them and one may follow.
        let first = match count + 1 {
            7 => 2,
            9 | 10 => 4,
            _ => return None,
        };
        let number = |index: usize| -> Option<u64> {
            tokens.get(ends[index - 1] + 1..ends[index])?.parse().ok()
        };
        let base = start + "$JS.ACK.".len();
        let stream = match first {
            2 => base,
            _ => base + ends[first - 3] + 1,
        };
        let consumer = base + ends[first - 2] + 1;
        let sequence = number(first + 1)?;
        let nanos = number(first + 3)?;
        Some(Self {
            start,
            names: [stream, consumer, base + ends[first - 1]],
            sequence: Sequence::new(sequence),
            stored: WallTime::from_millis(nanos / 1_000_000),
            text,
        })
    }

    pub fn as_str(&self) -> &str {
        &self.text[self.start..]
    }

    /// Returns the name of the stream.
    pub fn stream(&self) -> &str {
        let [start, end, _] = self.names;
        &self.text[start..end - 1]
    }

    /// Returns the name of the consumer.
    pub fn consumer(&self) -> &str {
        let [_, start, end] = self.names;
        &self.text[start..end]
    }

    /// Returns the job's place in the stream.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Returns when the server stored the job.
    pub fn stored(&self) -> WallTime {
        self.stored
    }
}

impl PartialEq for Ack {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Ack {}

impl fmt::Display for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIRST_FORM: &str = "$JS.ACK.ROLECAST_JOBS.normal-ocr.2.41.77.1700000000123456789.9";
    const SECOND_FORM: &str =
        "$JS.ACK._.AbCdEf.ROLECAST_JOBS.normal-ocr.2.41.77.1700000000123456789.9.x9";

    #[test]
    fn both_forms_of_an_ack_subject_carry_the_same_numbers() {
        for subject in [FIRST_FORM, SECOND_FORM] {
            let ack = Ack::parse(subject).unwrap();
            assert_eq!(ack.sequence(), Sequence::new(41));
            assert_eq!(ack.stored(), WallTime::from_millis(1_700_000_000_123));
            assert_eq!(ack.as_str(), subject);
            assert_eq!(
                (ack.stream(), ack.consumer()),
                ("ROLECAST_JOBS", "normal-ocr")
            );
        }
    }

    #[test]
    fn an_assignment_survives_its_text_form() {
        for ack in [FIRST_FORM, SECOND_FORM] {
            let text = format!("7.ocr.job-1.3.00c0ffee00000001.{ack}");
            let assignment: Assignment = text.parse().unwrap();
            assert_eq!(assignment.attempt(), Attempt::new(3));
            assert_eq!(assignment.epoch(), Epoch::new(7));
            assert_eq!(assignment.seal(), Some(Seal::new(0x00c0_ffee_0000_0001)));
            assert_eq!(assignment.sealed_text(), ["7.ocr.job-1.3.", ack]);
            assert_eq!(assignment.ack().as_str(), ack);
            assert_eq!(assignment.ack().consumer(), "normal-ocr");
            assert_eq!(assignment.to_string(), text);
            let made = Assignment::sealed(
                Epoch::new(7),
                assignment.category().clone(),
                assignment.job().clone(),
                Attempt::new(3),
                assignment.ack().clone(),
                |parts| {
                    assert_eq!(parts, assignment.sealed_text());
                    Seal::new(0x00c0_ffee_0000_0001)
                },
            );
            assert_eq!(made, assignment);
        }
    }

    #[test]
    fn an_assignment_without_a_seal_is_read() {
        let text = format!("7.ocr.job-1.3.{FIRST_FORM}");
        let assignment: Assignment = text.parse().unwrap();
        assert_eq!(assignment.seal(), None);
        assert_eq!(assignment.sealed_text(), ["7.ocr.job-1.3.", FIRST_FORM]);
        assert_eq!(assignment.ack().as_str(), FIRST_FORM);
    }

    #[test]
    fn what_is_not_an_assignment_is_refused() {
        for text in [
            String::new(),
            "7.ocr.job-1.3".to_owned(),
            format!("7.ocr.job-1.0.{FIRST_FORM}"),
            format!("x.ocr.job-1.3.{FIRST_FORM}"),
            format!("7.OCR.job-1.3.{FIRST_FORM}"),
            format!("7.ocr.job-1.3.{FIRST_FORM}.1.2.3.4.5"),
            format!("7.ocr.job-1.3.{}", "$JS.ACK.a.b.1.2.3.4.*"),
            format!("7.ocr.job-1.3.{}", "$JS.ACK.a.\u{1b}b.1.2.3.4.5"),
            format!("7.ocr.job-1.3.{}", "$JS.ACK.\0.b.1.2.3.4.5"),
            format!("7.ocr.job-1.3.{}", "$JS.ACK..b.1.2.3.4.5"),
            format!("7.ocr.job-1.3.{}", "$JS.ACK.a.b.1.2.3.4."),
            format!("7.ocr.job-1.3.C0FFEE0000000001.{FIRST_FORM}"),
            format!("7.ocr.job-1.3.c0ffee.{FIRST_FORM}"),
        ] {
            assert!(text.parse::<Assignment>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_an_assignment_never_panics(text in "[$A-Za-z0-9._*> -]{0,200}") {
            let _ = text.parse::<Assignment>();
            let _ = Ack::parse(&text);
            let _ = Ack::parse(&format!("$JS.ACK.{text}"));
        }
    }
}
