//! Forecasts of the CPU of the last hour, each made five minutes before, to be shown beside
//! the actual use. A restart begins anew: nothing depends on them.

use crate::Quantiles;

/// Steps of a minute between a forecast and its moment.
pub(super) const AHEAD_STEPS: u32 = 5;
/// An hour, and those whose moment is still to come.
const COUNT: usize = SHOWN + AHEAD_STEPS as usize;
const SHOWN: usize = 60;
/// Steps in a core: errors are invisible on a chart, and 1,023 cores have room.
const PER_CORE: f64 = 64.0;
/// A moment of which nothing was forecast.
const NONE: [u16; 2] = [u16::MAX; 2];

/// Medians and 90 % quantiles in a ring, by the number of the minute that they are for.
#[derive(Clone, Debug)]
pub(super) struct Past {
    slots: [[u16; 2]; COUNT],
    /// The number behind the last one.
    end: u64,
}

impl Default for Past {
    fn default() -> Self {
        Self {
            slots: [NONE; COUNT],
            end: 0,
        }
    }
}

impl Past {
    /// Adds the forecast for the minute with this number, in cores. Numbers only grow.
    pub(super) fn add(&mut self, number: u64, forecast: Quantiles) {
        if number < self.end {
            return;
        }
        // Minutes between were not forecast: no heartbeat arrived in time.
        for skipped in self.end.max(number.saturating_sub(COUNT as u64))..number {
            self.slots[place(skipped)] = NONE;
        }
        self.slots[place(number)] = [
            pack(forecast.p50, f64::round),
            // A steady use does not exceed what was expected because of rounding.
            pack(forecast.p90, f64::ceil),
        ];
        self.end = number + 1;
    }

    /// Returns the forecasts of the hour that ends with this minute, oldest first: minutes
    /// ago, median and 90 % quantile.
    pub(super) fn until(&self, number: u64) -> impl Iterator<Item = (u32, f64, f64)> {
        let kept = self.end.saturating_sub(COUNT as u64)..self.end;
        let ago = (0u32..).take(SHOWN).collect::<Vec<u32>>();
        ago.into_iter().rev().filter_map(move |ago| {
            let number = number.checked_sub(u64::from(ago))?;
            let slot = self.slots[place(number)];
            (kept.contains(&number) && slot != NONE)
                .then(|| (ago, unpack(slot[0]), unpack(slot[1])))
        })
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the rest is below the length of the ring"
)]
fn place(number: u64) -> usize {
    (number % COUNT as u64) as usize
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates"
)]
fn pack(cores: f64, whole: fn(f64) -> f64) -> u16 {
    (whole(cores * PER_CORE) as u16).min(u16::MAX - 1)
}

fn unpack(cores: u16) -> f64 {
    f64::from(cores) / PER_CORE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(past: &mut Past, number: u64) {
        let p50 = f64::from(u32::try_from(number % 100).unwrap());
        let p90 = p50 + 0.5;
        let p99 = p50 + 1.0;
        past.add(number, Quantiles { p50, p90, p99 });
    }

    fn until(past: &Past, number: u64) -> Vec<(u32, f64, f64)> {
        past.until(number).collect()
    }

    #[test]
    fn an_hour_is_kept_and_what_is_still_to_come_is_not_shown() {
        let mut past = Past::default();
        assert_eq!(until(&past, 70), []);
        for number in 1000..1200 {
            add(&mut past, number + 5);
            let shown = until(&past, number);
            let known = usize::try_from(number - 1000).unwrap() + 1;
            assert_eq!(shown.len(), known.saturating_sub(5).min(SHOWN), "{number}");
            for (ago, p50, p90) in shown {
                let of = (number - u64::from(ago)) % 100;
                assert_eq!((p50, p90), (of as f64, of as f64 + 0.5));
            }
        }
    }

    #[test]
    fn minutes_without_a_forecast_are_gaps() {
        let mut past = Past::default();
        for number in (100..110).chain([120, 119]) {
            add(&mut past, number);
        }
        let ago: Vec<u32> = past.until(121).map(|(ago, ..)| ago).collect();
        assert_eq!(ago, [21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 1]);
        add(&mut past, 5000);
        assert_eq!(until(&past, 5000), [(0, 0.0, 0.5)]);
    }

    #[test]
    fn it_is_small_and_takes_any_number_of_cores() {
        assert_eq!(size_of::<Past>(), 272);
        for (cores, expected) in [
            (0.0, 0.0),
            (1.3, 1.296_875),
            (512.0, 512.0),
            (1e9, 65_534.0 / 64.0),
            (-1.0, 0.0),
            (f64::NAN, 0.0),
        ] {
            assert_eq!(unpack(pack(cores, f64::round)), expected, "{cores}");
        }
    }
}
