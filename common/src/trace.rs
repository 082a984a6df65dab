//! Trace context of a job, as W3C Trace Context defines the header `traceparent`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fnv::fnv1a;

/// The header of a producer that traces its job, and of a job on its way to a node.
pub const HEADER_TRACEPARENT: &str = "traceparent";
/// The producer's own value of it, if the dispatcher has set another one for the node.
pub const HEADER_PRODUCER: &str = "Rolecast-Traceparent";
/// What tracing systems add to it; it is passed on unchanged.
pub const HEADER_TRACESTATE: &str = "tracestate";

const SAMPLED: u8 = 1;
/// Characters of a version, a trace, a span and flags, with the dashes between.
const LEN: usize = 55;

/// A trace: 16 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId([u8; 16]);

impl TraceId {
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        parse_hex(text).filter(|id| *id != [0; 16]).map(Self)
    }
}

/// A span within a trace: 8 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId([u8; 8]);

impl SpanId {
    pub fn to_bytes(self) -> [u8; 8] {
        self.0
    }

    /// Returns the span of this name in the trace: the same name gives the same span, so
    /// that each party that knows the name knows the span.
    pub fn of(trace: TraceId, name: &str) -> Self {
        let hash = fnv1a(format!("{trace}.{name}").as_bytes());
        Self(hash.max(1).to_be_bytes())
    }

    fn parse(text: &str) -> Option<Self> {
        parse_hex(text).filter(|id| *id != [0; 8]).map(Self)
    }
}

/// The place of a job in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub trace: TraceId,
    /// The span that caused it.
    pub span: SpanId,
    flags: u8,
}

impl TraceContext {
    /// Parses a value of [`HEADER_TRACEPARENT`]; `None` if it is none, which the standard
    /// has readers ignore. What a later version may append is ignored too.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        let (fields, rest) = value.split_at_checked(LEN)?;
        let mut parts = fields.split('-');
        let [version] = parse_hex(parts.next()?)?;
        let is_whole = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        let trace = TraceId::parse(parts.next()?)?;
        let span = SpanId::parse(parts.next()?)?;
        let [flags] = parse_hex(parts.next()?)?;
        (is_whole && parts.next().is_none()).then_some(Self { trace, span, flags })
    }

    /// Whether its producer records the trace, and others should.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Returns the context of what `span` causes.
    #[must_use]
    pub fn below(self, span: SpanId) -> Self {
        Self { span, ..self }
    }
}

/// Reads a field with a context, which is absent if it is invalid: no message is refused
/// because of its trace.
pub(crate) fn lenient<'de, D>(deserializer: D) -> Result<Option<TraceContext>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    Ok(TraceContext::parse(&text))
}

impl Serialize for TraceContext {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, flags } = self;
        write!(f, "00-{trace}-{span}-{flags:02x}")
    }
}

/// Reads bytes in lower-case hex, as the standard has it, of exactly this length.
fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for TraceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("a trace is 32 hex digits, not all zero");
        Self::parse(&text).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_is_written_as_it_was_read() {
        let context = TraceContext::parse(VALUE).unwrap();
        assert!(context.is_sampled());
        assert_eq!(context.to_string(), VALUE);
        assert_eq!(context.span.to_string(), "00f067aa0ba902b7");
        let unsampled = TraceContext::parse(&VALUE.replace("-01", "-00")).unwrap();
        assert!(!unsampled.is_sampled());
    }

    #[test]
    fn a_later_version_may_append_fields() {
        let later = VALUE.replacen("00-", "cc-", 1);
        let context = TraceContext::parse(&format!("{later}-what-follows")).unwrap();
        assert_eq!(context.to_string(), VALUE);
        assert!(TraceContext::parse(&later).is_some());
        assert_eq!(TraceContext::parse(&format!("{later}.x")), None);
    }

    #[test]
    fn what_is_no_context_is_ignored() {
        for wrong in [
            String::new(),
            "00".to_owned(),
            VALUE.to_uppercase(),
            VALUE.replacen("00-", "ff-", 1),
            VALUE.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            VALUE.replace("00f067aa0ba902b7", &"0".repeat(16)),
            VALUE.replace('-', "_"),
            VALUE.replace("-01", "-é"),
            format!("{VALUE}-01"),
            format!("{VALUE}0"),
            VALUE.replace("4bf92f35", "4bf92-35"),
        ] {
            assert_eq!(TraceContext::parse(&wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn names_tell_spans_apart() {
        let context = TraceContext::parse(VALUE).unwrap();
        let one = SpanId::of(context.trace, "job-1.1.run");
        assert_eq!(one, SpanId::of(context.trace, "job-1.1.run"));
        assert_ne!(one, SpanId::of(context.trace, "job-1.2.run"));
        assert_eq!(context.below(one).span, one);
    }
}
