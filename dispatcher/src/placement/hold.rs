//! Hold: a long job waits although a node could take it. The hold is soft, and ages.
//!
//! A hard threshold makes a cliff where the fleet's mean reaches it: all jobs queue while
//! capacity is idle. So only long jobs are held, only where even the best node would slow
//! them down much, and less the longer they have waited. It is not an optimization; it
//! keeps room for short jobs when there is too much work.

use std::time::Duration;

use crate::category::Patience;

/// Run time below which jobs never wait: a wait of seconds is as bad as sharing. From
/// simulation, where holding jobs of 2 s doubled their 99th percentile.
const NEVER_BELOW_S: f32 = 10.0;
/// Slow-down by our own jobs above which a job waits, and its increase for each run time
/// of waiting. From simulation: with 2 and 0.2 twice as many short jobs miss their
/// objective where there is too much work, and at loads of 0.75 and 0.9 nothing differs
/// by more than chance; with 1.3 long jobs are a tenth slower there.
const SLOW_DOWN_MAX: f32 = 1.6;
const AGEING: f32 = 0.05;

/// Whether a job that has waited for this long should wait on, if our own jobs would slow
/// it down this much even on the best node.
pub(super) fn is_held(
    patience: Patience,
    duration_s: f32,
    slow_down: f32,
    waited: Duration,
) -> bool {
    let limit = match patience {
        Patience::Never => return false,
        Patience::Above(limit) => limit,
        Patience::ByDuration if duration_s < NEVER_BELOW_S => return false,
        Patience::ByDuration => SLOW_DOWN_MAX,
    };
    slow_down > limit + AGEING * waited.as_secs_f32() / duration_s.max(1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(duration_s: f32, slow_down: f32, waited_s: u64) -> bool {
        let waited = Duration::from_secs(waited_s);
        is_held(Patience::ByDuration, duration_s, slow_down, waited)
    }

    #[test]
    fn short_jobs_never_wait_and_long_ones_not_for_ever() {
        assert!(!held(0.02, 100.0, 0) && !held(2.0, 100.0, 0));
        assert!(held(30.0, 1.7, 0) && !held(30.0, 1.5, 0));
        assert!(!held(30.0, 1.7, 90));
    }

    #[test]
    fn the_config_has_the_last_word() {
        let is_held = |patience| is_held(patience, 30.0, 3.0, Duration::ZERO);
        assert!(is_held(Patience::ByDuration) && is_held(Patience::Above(2.0)));
        assert!(!is_held(Patience::Never) && !is_held(Patience::Above(4.0)));
    }
}
