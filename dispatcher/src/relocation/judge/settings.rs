//! Settings of the changes of one role.

use std::time::Duration;

use rolecast_common::unit::Cores;

/// The longest horizon over which a node that gets the role should be well. Peaks
/// of a whole hour ahead keep it from nodes that are fit: with 3600 s mixed bottlenecks
/// cost 30 instead of 27 bad seconds an hour where a change costs 2.5 s
/// (`bench-roles --quick --hours 1 --kills 0`).
const HORIZON_MAX: Duration = Duration::from_secs(900);
/// Settings of the changes of one role.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Bad seconds that one change costs: stall, drain, warm-up.
    pub change_cost: Duration,
    /// The load of the role itself on its holder.
    pub role_load: Cores,
    /// Time after which the former holder gets the role back, if it is not overloaded.
    pub term: Duration,
    pub changes_per_hour: u32,
}

impl Settings {
    /// Returns the horizon over which a node that gets the role should be well.
    pub fn horizon(&self) -> Duration {
        self.term.min(HORIZON_MAX)
    }
}
