//! What forecasts would have changed: jobs sent into a node's own load.
//!
//! One node has a load of its own that comes and goes. A job is sent *into* it
//! if the load is there when the job comes, or within the moment after. Jobs are
//! placed by the last heartbeats while the dispatcher notes where forecasts
//! would have sent them, so both ways are judged on the same jobs and load.

use std::time::Duration;

/// A job sent this long before the load comes still meets it; heartbeats, which
/// tell of it, are a second apart.
const STAY: Duration = Duration::from_secs(1);

/// What was known at one moment of the node with the load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moment {
    /// Since the start.
    pub(crate) at: Duration,
    pub(crate) is_loaded: bool,
    /// Jobs placed so far, on any node.
    pub(crate) placed: u64,
    /// Of these, sent to the node, and advised to it by forecasts.
    pub(crate) sent: u64,
    pub(crate) advised: u64,
}

/// The moments, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Foresight {
    moments: Vec<Moment>,
}

/// Jobs to the node, and those of them into its load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Toll {
    pub(crate) sent: u64,
    pub(crate) into_load: u64,
}

/// Both ways side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) placed: u64,
    pub(crate) last_heartbeat: Toll,
    pub(crate) forecast: Toll,
}

impl Foresight {
    pub(crate) fn observe(&mut self, moment: Moment) {
        self.moments.push(moment);
    }

    pub(crate) fn compare(&self) -> Comparison {
        let mut comparison = Comparison::default();
        for (index, pair) in self.moments.windows(2).enumerate() {
            let (before, after) = (pair[0], pair[1]);
            let near = self.moments[index..].iter();
            let mut near = near.take_while(|moment| moment.at <= after.at + STAY);
            let is_into_load = near.any(|moment| moment.is_loaded);
            comparison.placed += after.placed - before.placed;
            let tolls = [
                (&mut comparison.last_heartbeat, after.sent - before.sent),
                (&mut comparison.forecast, after.advised - before.advised),
            ];
            for (toll, sent) in tolls {
                toll.sent += sent;
                if is_into_load {
                    toll.into_load += sent;
                }
            }
        }
        comparison
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_just_before_the_load_is_sent_into_it() {
        let mut foresight = Foresight::default();
        let rows = [
            (0, false, 0, 0),
            (1000, false, 1, 1),
            (2000, false, 3, 1),
            (2500, true, 4, 1),
            (3500, true, 6, 1),
            (4500, false, 7, 2),
            (6000, false, 9, 4),
        ];
        for (at, is_loaded, sent, advised) in rows {
            foresight.observe(Moment {
                at: Duration::from_millis(at),
                is_loaded,
                placed: 2 * sent,
                sent,
                advised,
            });
        }
        let comparison = foresight.compare();
        assert_eq!(comparison.placed, 18);
        let toll = |sent, into_load| Toll { sent, into_load };
        assert_eq!(comparison.last_heartbeat, toll(9, 6));
        assert_eq!(comparison.forecast, toll(4, 1));
    }

    #[test]
    fn nothing_is_compared_before_two_moments() {
        let mut foresight = Foresight::default();
        assert_eq!(foresight.compare(), Comparison::default());
        foresight.observe(Moment::default());
        assert_eq!(foresight.compare(), Comparison::default());
    }
}
