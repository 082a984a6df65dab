//! Headers as the server counts and reads them.

use async_nats::HeaderMap;
use rolecast_common::options::Headers;

/// The most bytes of headers that JetStream stores; it refuses more with 10097.
pub const HEADERS_LEN_MAX: usize = 65_535;

/// Selects the headers of a job that have a meaning, if the message has headers.
pub fn job_headers(headers: Option<&HeaderMap>) -> Headers<'_> {
    let lines = headers.into_iter().flat_map(HeaderMap::iter);
    Headers::read(lines.flat_map(|(name, values)| {
        let name: &str = name.as_ref();
        values.iter().map(move |value| (name, value.as_str()))
    }))
}

/// Returns whether a header is addressed to, or made by, the stream that a message is
/// stored in: its message id, its conditions on that stream, its time to live, roll-up,
/// schedule, counter, batch, and what the server adds. On a copy in another stream it
/// would be an instruction that nobody gave, and often one that cannot be obeyed.
pub fn is_for_the_store(name: &str) -> bool {
    const PREFIX: &str = "nats-";
    let start = name.get(..PREFIX.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Returns the headers for a copy of the message in another stream.
pub fn without_store_headers(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for (name, values) in headers.iter() {
        if !is_for_the_store(name.as_ref()) {
            for value in values {
                kept.append(name.clone(), value.clone());
            }
        }
    }
    kept
}

/// Returns the bytes of the headers, which count towards the largest message of the
/// server.
pub fn headers_len(headers: &HeaderMap) -> usize {
    const FRAME: usize = "NATS/1.0\r\n\r\n".len();
    const LINE: usize = ": \r\n".len();
    let values = headers.iter().flat_map(|(name, values)| {
        let name_len = AsRef::<str>::as_ref(name).len();
        values
            .iter()
            .map(move |value| name_len + value.as_str().len() + LINE)
    });
    FRAME + values.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_for_one_store_are_not_kept_for_another() {
        let mut headers = HeaderMap::new();
        for name in [
            "Nats-Expected-Stream",
            "Nats-Expected-Last-Sequence",
            "Nats-Expected-Last-Subject-Sequence",
            "Nats-TTL",
            "Nats-Rollup",
            "Nats-Schedule",
            "Nats-Schedule-Target",
            "Nats-Msg-Id",
            "Nats-Incr",
            "Nats-Batch-Id",
            "Nats-Marker-Reason",
            "Nats-Required-Api-Level",
            "nats-expected-stream",
        ] {
            headers.append(name, "1");
        }
        headers.append("Language", "de");
        headers.append("Language", "fr");
        headers.insert("Rolecast-Require", "gpu");
        headers.insert("Natsy", "no");
        headers.insert("Nat", "no");
        let kept = without_store_headers(&headers);
        let mut names: Vec<&str> = kept.iter().map(|(name, _)| name.as_ref()).collect();
        names.sort_unstable();
        assert_eq!(names, ["Language", "Nat", "Natsy", "Rolecast-Require"]);
        assert_eq!(kept.get_all("Language").count(), 2);
    }

    #[test]
    fn headers_are_as_long_as_they_are_written() {
        let mut headers = HeaderMap::new();
        headers.append("Key", "value");
        headers.append("Key", "second");
        let written = "NATS/1.0\r\nKey: value\r\nKey: second\r\n\r\n";
        assert_eq!(headers_len(&headers), written.len());
    }
}
