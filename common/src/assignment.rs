//! Which execution of which job a message is about.
//!
//! An assignment travels as the tail of a job's reply subject,
//! `<epoch>.<category>.<job>.<attempt>.<ack subject>`, so a dispatcher that has
//! just taken over learns from it all it needs to settle the job. To a worker
//! it is one opaque string.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{Attempt, Category, Epoch, JobId, Sequence, TextVisitor};
use crate::time::WallTime;

/// The longest assignment accepted, in bytes: twice what the longest ids,
/// numbers and stream names add up to.
pub const ASSIGNMENT_LEN_MAX: usize = 512;

/// One execution of a job, as sent to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub epoch: Epoch,
    pub category: Category,
    pub job: JobId,
    pub attempt: Attempt,
    pub ack: Ack,
}

/// Text that is not an assignment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an assignment <epoch>.<category>.<job>.<attempt>.<ack subject>")]
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
        let ack = Ack::parse(token()?).ok_or(InvalidAssignment)?;
        if attempt == 0 {
            return Err(InvalidAssignment);
        }
        Ok(Self {
            epoch: Epoch::new(epoch),
            category,
            job,
            attempt: Attempt::new(attempt),
            ack,
        })
    }
}

impl Serialize for Assignment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Assignment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor::new("an assignment"))
    }
}

impl fmt::Display for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            epoch,
            category,
            job,
            attempt,
            ack,
        } = self;
        write!(f, "{epoch}.{category}.{job}.{attempt}.{ack}")
    }
}

/// The subject on which the server wants one delivery of a job acknowledged.
///
/// The server has two forms of it, `$JS.ACK.<stream>.<consumer>...` and
/// `$JS.ACK.<domain>.<account>.<stream>.<consumer>...`; both carry the same
/// numbers. It is sent back exactly as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    subject: Arc<str>,
    sequence: Sequence,
    stored: WallTime,
}

impl Ack {
    /// Reads an ack subject in either form; `None` if it is not one.
    pub fn parse(subject: &str) -> Option<Self> {
        let mut tokens = [""; 12];
        let mut count = 0;
        for token in subject.strip_prefix("$JS.ACK.")?.split('.') {
            *tokens.get_mut(count)? = token;
            count += 1;
        }
        // <stream>.<consumer> then delivered, stream sequence, consumer
        // sequence, time, pending; in the second form two tokens stand before
        // them and one may follow.
        let first = match count {
            7 => 2,
            9 | 10 => 4,
            _ => return None,
        };
        let _delivered: u64 = tokens[first].parse().ok()?;
        let sequence: u64 = tokens[first + 1].parse().ok()?;
        let nanos: u64 = tokens[first + 3].parse().ok()?;
        if subject.contains([' ', '*', '>', '\r', '\n', '\t']) {
            return None;
        }
        Some(Self {
            subject: subject.into(),
            sequence: Sequence::new(sequence),
            stored: WallTime::from_millis(nanos / 1_000_000),
        })
    }

    pub fn as_str(&self) -> &str {
        &self.subject
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

impl fmt::Display for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject)
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
        }
    }

    #[test]
    fn an_assignment_survives_its_text_form() {
        let text = format!("7.ocr.job-1.3.{FIRST_FORM}");
        let assignment: Assignment = text.parse().unwrap();
        assert_eq!(assignment.attempt, Attempt::new(3));
        assert_eq!(assignment.epoch, Epoch::new(7));
        assert_eq!(assignment.to_string(), text);
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
