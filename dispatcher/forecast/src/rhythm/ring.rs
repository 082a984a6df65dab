//! The last two hours and a quarter of use, in bins of two seconds, a byte a resource.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "levels are bytes and bins are counted in thousands"
)]

use super::RESOURCES;

/// The length of a bin, in milliseconds.
pub(super) const BIN_MS: u64 = 2000;
/// Bins kept: two hours and a quarter, which hold four cycles of half an hour.
const BINS: usize = 4096;
/// The most bins without a heartbeat that are filled with the next one.
const FILL_MAX: u64 = 8;
/// Levels of a byte; the last one means unknown.
const LEVELS: f32 = 254.0;
const UNKNOWN: [u8; RESOURCES] = [u8::MAX; RESOURCES];

/// Means of bins, as shares of a scale that the caller keeps.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    cells: Box<[[u8; RESOURCES]]>,
    /// The bin that is being measured, counted from the Unix epoch.
    open: u64,
    sums: [f32; RESOURCES],
    count: f32,
    len: usize,
    /// The place of the next bin.
    head: usize,
}

/// The content of the ring, oldest first.
#[derive(Clone, Debug)]
pub(super) struct Past {
    /// The number of the first bin.
    pub(super) first: u64,
    /// Each resource's means; unknown ones are the mean of all.
    pub(super) values: [Vec<f32>; RESOURCES],
}

impl Ring {
    pub(super) fn new() -> Self {
        Self {
            cells: vec![UNKNOWN; BINS].into_boxed_slice(),
            open: 0,
            sums: [0.0; RESOURCES],
            count: 0.0,
            len: 0,
            head: 0,
        }
    }

    /// Adds the shares in use at this moment, which is not before the last.
    pub(super) fn add(&mut self, at_ms: u64, shares: &[f32; RESOURCES]) {
        let bin = at_ms / BIN_MS;
        if self.count == 0.0 {
            self.open = bin;
        } else if bin > self.open {
            self.close(bin, shares);
        }
        for (sum, share) in self.sums.iter_mut().zip(shares) {
            *sum += share;
        }
        self.count += 1.0;
    }

    /// Writes the bin that is over, and skipped ones.
    fn close(&mut self, bin: u64, shares: &[f32; RESOURCES]) {
        self.push(self.sums.map(|sum| level(sum / self.count)));
        let skipped = bin - self.open - 1;
        let fill = if skipped <= FILL_MAX {
            shares.map(level)
        } else {
            UNKNOWN
        };
        for _ in 0..skipped.min(BINS as u64) {
            self.push(fill);
        }
        self.open = bin;
        (self.sums, self.count) = ([0.0; RESOURCES], 0.0);
    }

    fn push(&mut self, cell: [u8; RESOURCES]) {
        self.cells[self.head] = cell;
        self.head = (self.head + 1) % BINS;
        self.len = (self.len + 1).min(BINS);
    }

    /// Multiplies the content by a factor, when the scale has changed.
    pub(super) fn rescale(&mut self, resource: usize, factor: f32) {
        self.sums[resource] *= factor;
        for cell in &mut self.cells {
            if *cell != UNKNOWN {
                cell[resource] = level(f32::from(cell[resource]) / LEVELS * factor);
            }
        }
    }

    /// Returns the number of known bins.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn past(&self) -> Past {
        let (newer, older) = self.cells.split_at(self.head);
        let all = || older.iter().chain(newer).skip(BINS - self.len);
        let known = || all().filter(|cell| **cell != UNKNOWN);
        let count = known().count().max(1) as f32;
        let values = std::array::from_fn(|resource| {
            let share = |cell: &[u8; RESOURCES]| f32::from(cell[resource]) / LEVELS;
            let mean = known().map(share).sum::<f32>() / count;
            all()
                .map(|cell| if *cell == UNKNOWN { mean } else { share(cell) })
                .collect()
        });
        Past {
            first: self.open - self.len as u64,
            values,
        }
    }
}

/// Returns the byte nearest to a share.
fn level(share: f32) -> u8 {
    (share.clamp(0.0, 1.0) * LEVELS).round() as u8
}
