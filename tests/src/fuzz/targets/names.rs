//! Subjects, headers, and the short texts of requests.

use rolecast_common::assignment::{Ack, Assignment};
use rolecast_common::id::{Category, JobId, JobName, NodeId, Sequence};
use rolecast_common::label::Requirement;
use rolecast_common::options::{self, Headers, Origin, parse_roles};
use rolecast_common::subjects::{
    self, Done, Source, done, done_batch, heartbeat, is_of_node, parse_done, parse_heartbeat,
    parse_pong, pong,
};
use rolecast_common::time::{WallTime, parse_duration};

use super::assert_token;
use super::messages::assert_assignment;

/// Reads a text as each subject of messages from outside, and as the body of a request.
pub(in super::super) fn subjects(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let mut is_read = false;
    if let Ok(source) = Source::parse(text) {
        assert_eq!(source.subject(), text);
        assert_eq!(Source::from_consumer(&source.consumer()), Some(source));
        is_read = true;
    }
    if let Ok(done) = parse_done(text) {
        check_done(text, &done);
        is_read = true;
    }
    if let Ok(node) = parse_heartbeat(text) {
        assert_eq!(heartbeat(&node), text);
        is_read = true;
    }
    if let Some((node, number)) = parse_pong(text) {
        assert!(parse_done(&pong(&node, number)).is_err());
        is_read = true;
    }
    if let Ok(assignment) = text.parse::<Assignment>() {
        assert_assignment(&assignment);
        is_read = true;
    }
    if let Some(ack) = Ack::parse(text) {
        assert_eq!(ack.as_str(), text);
        assert!(
            !text.contains(|c: char| c.is_ascii_control() || c == ' '),
            "{text:?}"
        );
        assert!(!ack.stream().is_empty() && !ack.stream().contains(['.', '*', '>']));
        assert!(!ack.consumer().is_empty() && !ack.consumer().contains(['.', '*', '>']));
        let _ = Source::from_consumer(ack.consumer());
        is_read = true;
    }
    let node = NodeId::new("n1").expect("it is a node's name");
    if is_of_node(text, &node) {
        assert!(text.starts_with("rolecast.node.n1.") && subjects::is_literal(text));
        is_read = true;
    }
    if let Ok(name) = text.parse::<JobName>() {
        assert_eq!(name.to_string().parse(), Ok(name));
        is_read = true;
    }
    if let Ok(category) = Category::new(text) {
        assert_token(category.as_str());
    }
    is_read
}

fn check_done(text: &str, done_at: &Done) {
    match done_at {
        Done::One(node, assignment) => {
            assert_assignment(assignment);
            assert_eq!(done(node, assignment), text);
        }
        Done::Batch(node) => assert_eq!(done_batch(node), text),
    }
}

/// Reads lines `name: value` as the headers of a job.
pub(in super::super) fn headers(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    let headers = Headers::read(lines.clone());
    let origin = Origin {
        sequence: Sequence::new(41),
        stored: WallTime::from_millis(1_769_860_800_000),
        stream_created: WallTime::from_millis(1_769_000_000_000),
    };
    assert_token(origin.job_id(&headers).as_str());
    check_values(lines.map(|(_, value)| value));
    let wishes = options::parse_wishes(&headers);
    let options = match options::parse(origin, &headers) {
        Ok(options) => options,
        Err(error) => {
            // It becomes a line of a log, and the reason of a dead letter.
            assert!(error.to_string().chars().count() < 1000, "{error}");
            return false;
        }
    };
    let (require, key) = wishes.expect("what all headers allow their wishes do");
    assert_eq!((&options.require, &options.key), (&require, &key));
    assert_token(options.job.as_str());
    assert_eq!(options.job, origin.job_id(&headers));
    if let (Some(start), Some(end)) = (options.not_before, options.deadline) {
        assert!(start < end, "it may start at {start}, and ends at {end}");
    }
    let again = Requirement::parse(&require.to_string());
    assert!(
        require.is_empty() || again.as_ref() == Some(&require),
        "{require}"
    );
    true
}

fn check_values<'a>(values: impl Iterator<Item = &'a str>) {
    for value in values {
        if let Some(roles) = parse_roles(value) {
            roles.iter().for_each(|role| assert_token(role.as_str()));
        }
        if let Some(time) = WallTime::parse(value) {
            assert_eq!(WallTime::parse(&time.to_string()), Some(time), "{value}");
        }
        let _ = parse_duration(value);
        if let Ok(job) = JobId::new(value) {
            assert_token(job.as_str());
        }
    }
}
