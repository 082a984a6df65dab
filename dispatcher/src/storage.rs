//! Shares of the server's storage: the size limit of each stream.
//!
//! A server whose storage is full refuses every write, the outcomes of jobs and the
//! lease included, so nothing could drain it again. Therefore the streams are bounded
//! so that together they fit: 60 % for jobs, and a *reserve* of 40 %: half of it for
//! outcomes, a quarter for dead letters, an eighth for decisions and logs together, a
//! thirty-second for events, and the rest without a bound of its own for the buckets, which
//! are small.
//!
//! No request reports how much storage a server has left, but a request for too much is
//! refused without harm. So [`ladder`] is tried from the top, and the first reserve that
//! fits together with the jobs is kept.

use rolecast_common::subjects;

const MIB: u64 = 1024 * 1024;
/// The largest reserve: with it jobs may take 77 GiB. Guessed; a longer queue is set with
/// `[streams] max_bytes`.
const RESERVE_MAX: u64 = 52_428 * MIB;
/// The smallest reserve: its outcomes have room for 8 messages of the largest usual size.
/// With it jobs may take 24 MiB.
const RESERVE_MIN: u64 = 16 * MIB;
/// Ratio of each rung of the ladder to the one above, so that at least that share of what
/// the server offers is used; 38 rungs, each a refusal of a millisecond.
const RUNG_NUMERATOR: u64 = 4;
const RUNG_DENOMINATOR: u64 = 5;
/// The largest share of decisions: they explain the present; more is not worth its
/// storage.
const DECISIONS_MAX: u64 = 512 * MIB;
/// The largest share of events: a hundred thousand and more, and a day has far fewer.
const EVENTS_MAX: u64 = 64 * MIB;
/// The largest share of logs: 16,000 of full length.
const LOGS_MAX: u64 = 1024 * MIB;
/// The largest part of a limit that a stream may hold when the limit is first set or
/// lowered. The server deletes what is above a lowered limit, waiting jobs included, and
/// jobs arrive while the request is on its way.
const HELD_PART: u64 = 2;

/// The storage for everything but jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reserve(u64);

impl Reserve {
    /// Returns a stored reserve.
    pub(crate) fn new(bytes: u64) -> Option<Self> {
        (bytes >= MIB).then_some(Self(bytes))
    }

    pub(crate) fn bytes(self) -> u64 {
        self.0
    }

    /// Returns the size limit of the jobs stream, unless another size is configured.
    pub(crate) fn jobs(self) -> u64 {
        self.0 / 2 * 3
    }

    /// Returns the size limit of a stream other than the jobs stream; `None` for one
    /// without a limit in bytes.
    pub(crate) fn share(self, stream: &str) -> Option<u64> {
        match stream {
            subjects::STREAM_RESULTS => Some(self.0 / 2),
            subjects::STREAM_DEAD => Some(self.0 / 4),
            subjects::STREAM_DECISIONS => Some((self.0 / 16).min(DECISIONS_MAX)),
            subjects::STREAM_LOGS => Some((self.0 / 16).min(LOGS_MAX)),
            subjects::STREAM_EVENTS => Some((self.0 / 32).min(EVENTS_MAX)),
            _ => None,
        }
    }
}

/// Returns the reserves to try, the largest first.
pub(crate) fn ladder() -> impl Iterator<Item = Reserve> {
    let below = |rung: &u64| {
        let next = rung / RUNG_DENOMINATOR * RUNG_NUMERATOR / MIB * MIB;
        (*rung > RESERVE_MIN).then_some(next.max(RESERVE_MIN))
    };
    std::iter::successors(Some(RESERVE_MAX), below).map(Reserve)
}

/// Returns the least storage that is of use, if jobs are to have `jobs` bytes of it.
pub(crate) fn need(jobs: Option<u64>) -> u64 {
    let least = Reserve(RESERVE_MIN);
    jobs.unwrap_or_else(|| least.jobs()) + least.bytes()
}

/// The present state of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Existing {
    /// Its size limit, if it has one.
    pub(crate) limit: Option<u64>,
    /// The bytes that it holds.
    pub(crate) held: u64,
    /// Whether this program set its limit before.
    pub(crate) is_sized: bool,
}

/// An action on a stream's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Keep,
    Set(u64),
    /// To be set when the stream holds less.
    Later,
}

impl Existing {
    /// Decides on the limit: what the configuration `asked` for counts, then what an
    /// operator has set or removed on the stream, then the `share`.
    pub(crate) fn limit(self, asked: Option<u64>, share: Option<u64>) -> Limit {
        let wanted = match (asked, self.limit) {
            (Some(asked), _) => asked,
            (None, Some(_)) => return Limit::Keep,
            (None, None) if self.is_sized => return Limit::Keep,
            (None, None) => match share {
                Some(share) => share,
                None => return Limit::Keep,
            },
        };
        match self.limit {
            Some(limit) if limit == wanted => Limit::Keep,
            Some(limit) if limit < wanted => Limit::Set(wanted),
            Some(_) | None if is_safe(self.held, wanted) => Limit::Set(wanted),
            Some(_) | None => Limit::Later,
        }
    }
}

/// Whether a stream that holds so much can be given the limit without losing anything.
pub(crate) fn is_safe(held: u64, limit: u64) -> bool {
    held <= limit / HELD_PART
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1024 * MIB;

    /// The reserve that a server with this much storage grants.
    fn granted(offer: u64, asked: Option<u64>) -> Option<Reserve> {
        ladder().find(|reserve| asked.unwrap_or(reserve.jobs()) + reserve.bytes() <= offer)
    }

    #[test]
    fn all_shares_fit_what_the_server_offers_and_use_most_of_it() {
        for offer in [40 * MIB, 256 * MIB, 600 * MIB, 10 * GIB, 100 * GIB] {
            let reserve = granted(offer, None).unwrap();
            let others = [
                subjects::STREAM_RESULTS,
                subjects::STREAM_DEAD,
                subjects::STREAM_DECISIONS,
                subjects::STREAM_EVENTS,
                subjects::STREAM_LOGS,
            ];
            let others: u64 = others.iter().map(|name| reserve.share(name).unwrap()).sum();
            assert!(others <= reserve.bytes() / 32 * 29, "{offer}");
            let total = reserve.jobs() + reserve.bytes();
            assert!(total <= offer, "{offer}");
            assert!(total * 10 >= offer * 7, "{offer}: {total}");
            let share = reserve.jobs() * 100 / total;
            assert_eq!(share, 60, "{offer}");
        }
        assert_eq!(granted(39 * MIB, None), None);
        assert_eq!(need(None), 40 * MIB);
        assert!(ladder().count() <= 40);
    }

    #[test]
    fn jobs_get_what_was_asked_for_and_the_others_share_the_rest() {
        let reserve = granted(10 * GIB, Some(9 * GIB)).unwrap();
        assert!(reserve.bytes() <= GIB && reserve.bytes() >= GIB * 3 / 4);
        assert_eq!(granted(10 * GIB, Some(10 * GIB)), None);
        assert_eq!(need(Some(10 * GIB)), 10 * GIB + 16 * MIB);
    }

    fn stream(limit: Option<u64>, held: u64) -> Existing {
        Existing {
            limit,
            held,
            is_sized: false,
        }
    }

    #[test]
    fn a_limit_never_deletes_what_a_stream_holds() {
        let share = Some(600);
        assert_eq!(stream(None, 300).limit(None, share), Limit::Set(600));
        assert_eq!(stream(None, 301).limit(None, share), Limit::Later);
        assert_eq!(stream(Some(900), 301).limit(Some(600), share), Limit::Later);
        assert_eq!(
            stream(Some(900), 300).limit(Some(600), share),
            Limit::Set(600)
        );
        // A raised limit deletes nothing.
        assert_eq!(
            stream(Some(500), 499).limit(Some(600), share),
            Limit::Set(600)
        );
    }

    #[test]
    fn what_an_operator_set_or_removed_is_kept() {
        let share = Some(600);
        assert_eq!(stream(Some(7), 0).limit(None, share), Limit::Keep);
        let removed = Existing {
            is_sized: true,
            ..stream(None, 0)
        };
        assert_eq!(removed.limit(None, share), Limit::Keep);
        assert_eq!(removed.limit(Some(8), share), Limit::Set(8));
        assert_eq!(stream(Some(8), 0).limit(Some(8), share), Limit::Keep);
        assert_eq!(stream(None, 0).limit(None, None), Limit::Keep);
    }
}
