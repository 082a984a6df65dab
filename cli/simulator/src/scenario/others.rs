//! Use by others on the hosts of a scenario, read from its file.
//!
//! Each component is a signal over time, which [`super::trace`] draws, times what it uses
//! of each resource, as a share of what the host has.

use rolecast_common::id::Role;
use rolecast_common::settings::Table;
use rolecast_common::wire::Share;

use super::value::{Range, Span};

/// One component of the use by others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Component {
    /// The share of the hosts that have it.
    pub(crate) hosts: f64,
    /// Only on hosts with one of these roles; empty means all.
    pub(crate) roles: Vec<Role>,
    pub(crate) signal: Signal,
    pub(crate) amplitude: Amplitude,
}

/// Use where the signal is 1, as shares of what the host has. Drawn once for each host,
/// and for bursts each time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amplitude {
    pub(crate) cpu: Range,
    pub(crate) memory: Range,
    pub(crate) network: Range,
    pub(crate) disk: Range,
    /// Share of the host's speed that is left, which no metric shows.
    pub(crate) speed_left: Range,
}

/// Course of the use over time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Signal {
    /// 1 at all times.
    Constant,
    /// An autoregressive process of order 1, of mean 0 and deviation 1, whose correlation
    /// falls to 1/e in this time.
    Noise { correlation: Span },
    /// Straight lines between levels from -1 to 1, each as long as this.
    Ramp { length: Span },
    /// A cosine from 0 to 1 and back in a day. Hosts differ by at most this share of a
    /// day.
    Day { spread: f64 },
    /// 1 for a length, once in each period.
    Periodic {
        period: Span,
        length: Span,
        /// Standard deviation of a start, as a share of the period.
        jitter: f64,
        /// Whether the gaps are exponential, without any period.
        random_gaps: bool,
        /// Whether all hosts have one period and begin together.
        is_common: bool,
    },
    /// 1 for a length, after exponential gaps.
    Bursts { every: Span, length: Span },
    /// Levels from -1 to 1, each for an exponential time.
    Shifts { every: Span },
    /// Recorded series, each a share of its maximum: one for each host, and repeated from
    /// a random row on if there are more hosts.
    Series {
        file: String,
        columns: Vec<String>,
        speed_up: f64,
    },
}

const KINDS: &str = "constant, noise, ramp, day, periodic, cron, bursts, shifts or series";

/// Reads `[others.<name>]`.
pub(super) fn read(root: &mut Table<'_>) -> Vec<(String, Component)> {
    let components = root.tables("others", |name, table| {
        read_component(table).map(|component| (name.to_owned(), component))
    });
    components.into_iter().flatten().collect()
}

fn read_component(table: &mut Table<'_>) -> Option<Component> {
    let hosts = table.get::<Share>("hosts").map_or(1.0, Share::get);
    let roles = table.get_or("roles", Vec::new());
    let amplitude = read_amplitude(table);
    let signal = read_signal(table);
    Some(Component {
        hosts,
        roles,
        amplitude,
        signal: signal?,
    })
}

fn read_amplitude(table: &mut Table<'_>) -> Amplitude {
    let zero = Range::default();
    let amplitude = Amplitude {
        cpu: table.get_or("cpu", zero),
        memory: table.get_or("memory", zero),
        network: table.get_or("network", zero),
        disk: table.get_or("disk", zero),
        speed_left: table.get_or("speed_left", Range::new(1.0, 1.0)),
    };
    let Range { low, high } = amplitude.speed_left;
    if low <= 0.0 || high > 1.0 {
        table.mistake("speed_left", "must be above 0 and at most 1");
    }
    amplitude
}

fn read_signal(table: &mut Table<'_>) -> Option<Signal> {
    let kind = table.require::<String>("kind")?;
    match kind.as_str() {
        "constant" => Some(Signal::Constant),
        "noise" => {
            let correlation = table.require("correlation");
            Some(Signal::Noise {
                correlation: correlation?,
            })
        }
        "ramp" => Some(Signal::Ramp {
            length: table.require("length")?,
        }),
        "day" => Some(Signal::Day {
            spread: table.get::<Share>("spread").map_or(0.0, Share::get),
        }),
        "periodic" => read_periodic(table, false),
        "cron" => read_periodic(table, true),
        "bursts" => {
            let (every, length) = (table.require("every"), table.require("length"));
            let (every, length) = (every?, length?);
            check_fits(table, "every", every, length);
            Some(Signal::Bursts { every, length })
        }
        "shifts" => Some(Signal::Shifts {
            every: table.require("every")?,
        }),
        "series" => read_series(table),
        _ => {
            table.mistake("kind", format!("there is no such kind; there are {KINDS}"));
            None
        }
    }
}

fn read_periodic(table: &mut Table<'_>, is_common: bool) -> Option<Signal> {
    let (period, length) = (table.require("period"), table.require("length"));
    let jitter = table.get_or("jitter", 0.0);
    if !(0.0..=0.5).contains(&jitter) {
        table.mistake("jitter", "from 0 to 0.5");
    }
    let random_gaps = table.get_or("random_gaps", false);
    if random_gaps && is_common {
        table.mistake("random_gaps", "what is common to all hosts has a period");
    }
    let (period, length) = (period?, length?);
    check_fits(table, "period", period, length);
    Some(Signal::Periodic {
        period,
        length,
        jitter,
        random_gaps,
        is_common,
    })
}

fn read_series(table: &mut Table<'_>) -> Option<Signal> {
    let file = table.require::<String>("file");
    let columns = table.get_or("columns", Vec::new());
    let speed_up = table.get_or("speed_up", 1.0);
    super::above_zero(table, "speed_up", speed_up);
    Some(Signal::Series {
        file: file?,
        columns,
        speed_up,
    })
}

fn check_fits(table: &mut Table<'_>, key: &str, period: Span, length: Span) {
    if period.0.low <= length.0.high {
        table.mistake(key, "must be longer than length");
    }
}
