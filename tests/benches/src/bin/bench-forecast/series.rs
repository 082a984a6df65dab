//! Series benchmark: cost of a sample with each model, and memory of a series.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use rolecast_benches::usage::Usage;
use rolecast_forecast::{Forecaster, HORIZONS, Model, PEAK_HORIZONS, Stack, StackTrainer};
use rolecast_tests::cpu;
use rolecast_tests::figures::median;

use super::ALLOCATOR;

const STEP: Duration = Duration::from_secs(60);
/// Series forecast in turn, as a fleet's are: none stays in the nearest cache.
const SERIES: usize = 64;
/// Samples before anything is measured: all experts have begun by then.
const WARM_UP: u64 = 400;
/// Samples of a round, for each series.
const ROUND: u64 = 200;

/// Cost of one sample with a model, the median of the rounds, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) model: Model,
    /// Learning from a sample, and a new forecast.
    pub(crate) update_us: f64,
    /// Reading the forecasts of all horizons.
    pub(crate) read_us: f64,
    /// The cheapest and the most expensive round, both together.
    pub(crate) least_us: f64,
    pub(crate) most_us: f64,
}

/// The memory of a series, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) size: usize,
    pub(crate) heap: usize,
    /// Samples taken while the allocator was observed.
    pub(crate) samples: u64,
}

/// Many series with one model.
struct Group {
    model: Model,
    usages: Vec<Usage>,
    forecasters: Vec<Forecaster>,
    number: u64,
    updates: Vec<f64>,
    reads: Vec<f64>,
}

/// The rounds over all models.
pub(crate) struct Rounds;

impl Rounds {
    pub(crate) fn run(rounds: u16, seed: u64) -> Vec<Cost> {
        let stack = Arc::new(taught(seed));
        let mut groups: Vec<Group> = Model::ALL
            .into_iter()
            .map(|model| Group::new(model, seed, &stack))
            .collect();
        for round in 0..rounds {
            for group in &mut groups {
                group.round();
            }
            eprintln!("models: round {} of {rounds}", round + 1);
        }
        groups.iter().map(Group::cost).collect()
    }
}

impl Group {
    fn new(model: Model, seed: u64, stack: &Arc<Stack>) -> Self {
        let seeds = (0..SERIES as u64).map(|number| seed ^ (number << 32));
        let mut group = Self {
            model,
            usages: seeds.map(Usage::new).collect(),
            forecasters: vec![Forecaster::new(model, STEP, 1.0); SERIES],
            number: 0,
            updates: Vec::new(),
            reads: Vec::new(),
        };
        for forecaster in &mut group.forecasters {
            forecaster.set_stack(Arc::clone(stack));
        }
        for _ in 0..WARM_UP {
            let samples = group.samples();
            group.observe(&samples);
        }
        group
    }

    /// Returns the next sample of each series.
    fn samples(&mut self) -> Vec<f64> {
        self.number += 1;
        #[allow(clippy::cast_precision_loss, reason = "a few thousand samples")]
        let second = self.number as f64 * STEP.as_secs_f64();
        let usages = self.usages.iter_mut();
        usages.map(|usage| usage.next(second)).collect()
    }

    fn observe(&mut self, samples: &[f64]) {
        for (forecaster, sample) in self.forecasters.iter_mut().zip(samples) {
            forecaster.observe(self.number, Some(*sample));
        }
    }

    fn read(&self) {
        for forecaster in &self.forecasters {
            for horizon in HORIZONS {
                black_box(forecaster.predict(black_box(horizon)));
            }
            for horizon in PEAK_HORIZONS {
                black_box(forecaster.predict_peak(black_box(horizon)));
            }
        }
    }

    fn round(&mut self) {
        let (mut updates, mut reads) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..ROUND {
            let samples = self.samples();
            let begun = cpu::time();
            self.observe(&samples);
            let observed = cpu::time();
            self.read();
            reads += cpu::time() - observed;
            updates += observed - begun;
        }
        #[allow(clippy::cast_precision_loss, reason = "a few thousand samples")]
        let count = (ROUND * SERIES as u64) as f64;
        self.updates.push(updates.as_secs_f64() * 1e6 / count);
        self.reads.push(reads.as_secs_f64() * 1e6 / count);
    }

    fn cost(&self) -> Cost {
        let both = self.updates.iter().zip(&self.reads);
        let both: Vec<f64> = both.map(|(update, read)| update + read).collect();
        Cost {
            model: self.model,
            update_us: median(self.updates.iter().copied()),
            read_us: median(self.reads.iter().copied()),
            least_us: both.iter().copied().fold(f64::INFINITY, f64::min),
            most_us: both.iter().copied().fold(0.0, f64::max),
        }
    }
}

/// Measures the memory of series of the ensemble, and checks that samples allocate none.
pub(crate) fn memory(seed: u64) -> anyhow::Result<Memory> {
    let stack = Arc::new(taught(seed));
    let mut group = Group::new(Model::Ensemble, seed, &stack);
    let samples: Vec<Vec<f64>> = (0..ROUND).map(|_| group.samples()).collect();
    group.number -= ROUND;
    let before = ALLOCATOR.total_allocated();
    for samples in &samples {
        group.number += 1;
        group.observe(samples);
        group.read();
    }
    let allocated = ALLOCATOR.total_allocated() - before;
    let samples = ROUND * SERIES as u64;
    ensure!(
        allocated == 0,
        "{allocated} bytes were allocated for {samples} samples"
    );
    let held = ALLOCATOR.allocated();
    // Memory that a series holds beside itself is freed with it.
    let size = size_of::<Forecaster>();
    let own = group.forecasters.capacity() * size;
    drop(std::mem::take(&mut group.forecasters));
    let heap = (held - ALLOCATOR.allocated()).saturating_sub(own) / SERIES;
    Ok(Memory {
        size,
        heap,
        samples,
    })
}

/// Returns a stack that has learned from some series.
fn taught(seed: u64) -> Stack {
    let mut trainer = StackTrainer::default();
    let mut group = Group::new(Model::Ensemble, seed, &Arc::default());
    for _ in 0..ROUND {
        let samples = group.samples();
        group.observe(&samples);
        for lesson in group.forecasters.iter().filter_map(Forecaster::lesson) {
            trainer.learn(&lesson);
        }
    }
    trainer.fit()
}
