//! Search for a job in ROLECAST_JOBS by its id.
//!
//! The stream knows sequences and subjects, not ids. For a job that the dispatcher does
//! not hold yet, only its own message shows that it waits.

use async_nats::jetstream::stream::DirectGetErrorKind;
use rolecast_common::id::{JobId, Sequence};
use rolecast_common::options::Origin;
use rolecast_common::subjects::STREAM_JOBS;
use rolecast_common::time::WallTime;
use rolecast_nats::job_headers;
use tokio::time::timeout;

use super::super::session::Session;

/// The most jobs that are read, and the most bytes of payload, which are sent with each:
/// below a second on one machine, and no harm to a network.
const JOBS_MAX: u64 = 1000;
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// The result of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Searched {
    /// It is there, behind this many others.
    Found {
        ahead: u64,
    },
    Absent,
    /// It is not among this many of the first; there are more.
    Unfinished {
        seen: u64,
    },
}

/// Searches from the oldest job on, within the time limit of an answer.
pub(super) async fn search(session: &Session, job: &JobId) -> Searched {
    let mut seen = 0;
    let scan = scan(session, job, &mut seen);
    let found = timeout(session.answer_max, scan).await;
    found.unwrap_or(Searched::Unfinished { seen })
}

async fn scan(session: &Session, job: &JobId, seen: &mut u64) -> Searched {
    let Ok(stream) = session.jetstream.get_stream(STREAM_JOBS).await else {
        return Searched::Unfinished { seen: 0 };
    };
    let created = wall(stream.cached_info().created.unix_timestamp_nanos());
    let (mut from, mut bytes) = (1, 0);
    while *seen < JOBS_MAX && bytes < BYTES_MAX {
        let next = stream.direct_get_next_for_subject(">", Some(from)).await;
        let message = match next {
            Ok(message) => message,
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => return Searched::Absent,
            Err(_) => break,
        };
        let origin = Origin {
            sequence: Sequence::new(message.sequence),
            stored: wall(message.time.unix_timestamp_nanos()),
            stream_created: created,
        };
        if origin.job_id(&job_headers(Some(&message.headers))) == *job {
            return Searched::Found { ahead: *seen };
        }
        from = message.sequence + 1;
        bytes += message.payload.len();
        *seen += 1;
    }
    Searched::Unfinished { seen: *seen }
}

/// Converts the server's time.
pub(in super::super) fn wall(nanos: i128) -> WallTime {
    WallTime::from_millis(u64::try_from(nanos / 1_000_000).unwrap_or(0))
}
