//! Subjects of requests to JetStream's API, behind the prefix, which is `$JS.API` unless
//! the domain has another one.

/// The account's limits, and whether it has JetStream at all.
pub const INFO: &str = "INFO";
/// The names of all streams.
pub const STREAM_NAMES: &str = "STREAM.NAMES";
/// All streams, with their configuration and state.
pub const STREAM_LIST: &str = "STREAM.LIST";

/// The prefix if neither a domain nor another prefix is set.
pub const PREFIX: &str = "$JS.API";

pub fn stream_info(stream: &str) -> String {
    format!("STREAM.INFO.{stream}")
}

pub fn stream_create(stream: &str) -> String {
    format!("STREAM.CREATE.{stream}")
}

pub fn stream_update(stream: &str) -> String {
    format!("STREAM.UPDATE.{stream}")
}

pub fn stream_purge(stream: &str) -> String {
    format!("STREAM.PURGE.{stream}")
}

/// One message by its sequence, or the last one of a subject, from the stream's leader.
pub fn message_get(stream: &str) -> String {
    format!("STREAM.MSG.GET.{stream}")
}

pub fn message_delete(stream: &str) -> String {
    format!("STREAM.MSG.DELETE.{stream}")
}

/// One message by its sequence, or the next one of a subject, from any replica.
pub fn direct_get(stream: &str) -> String {
    format!("DIRECT.GET.{stream}")
}

/// The last message of a subject, from any replica.
pub fn direct_get_last(stream: &str, subject: &str) -> String {
    format!("DIRECT.GET.{stream}.{subject}")
}

/// A consumer whose name the server chooses.
pub fn consumer_create_unnamed(stream: &str) -> String {
    format!("CONSUMER.CREATE.{stream}")
}

/// A consumer of one subject.
pub fn consumer_create(stream: &str, consumer: &str, filter: &str) -> String {
    format!("CONSUMER.CREATE.{stream}.{consumer}.{filter}")
}

/// A consumer of all that the stream holds.
pub fn consumer_create_all(stream: &str, consumer: &str) -> String {
    format!("CONSUMER.CREATE.{stream}.{consumer}")
}

pub fn consumer_info(stream: &str, consumer: &str) -> String {
    format!("CONSUMER.INFO.{stream}.{consumer}")
}

pub fn consumer_delete(stream: &str, consumer: &str) -> String {
    format!("CONSUMER.DELETE.{stream}.{consumer}")
}

pub fn consumer_names(stream: &str) -> String {
    format!("CONSUMER.NAMES.{stream}")
}

pub fn consumer_list(stream: &str) -> String {
    format!("CONSUMER.LIST.{stream}")
}

/// The next messages of a consumer.
pub fn consumer_next(stream: &str, consumer: &str) -> String {
    format!("CONSUMER.MSG.NEXT.{stream}.{consumer}")
}
