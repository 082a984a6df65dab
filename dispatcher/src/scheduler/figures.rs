//! Figures for metrics, bounded whatever the fleet and the jobs are.

use std::time::Duration;

use foldhash::{HashMap, HashMapExt as _};
use rolecast_common::id::Category;
use rolecast_common::resource::Resource;
use rolecast_common::time::{Now, WallTime};
use rolecast_forecast::NodeForecast;

use super::Scheduler;
use super::queue::CategoryState;
use crate::metrics::{Accuracy, CategoryFigures, Figures, Forecasts, Loop, NodeFigures, Nodes};

/// The most nodes that are listed one by one: Prometheus keeps each series for weeks.
const NODES_MAX: usize = 250;
/// Nodes of which the accuracy of forecasts is read: enough for a mean.
const SAMPLE: usize = 250;
const RESOURCES: [(Resource, &str); Resource::COUNT] = [
    (Resource::Cpu, "cpu"),
    (Resource::Memory, "memory"),
    (Resource::Network, "network"),
    (Resource::Disk, "disk"),
];

/// The jobs of a category that are held.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    waiting: u64,
    running: u64,
    oldest: Option<WallTime>,
    is_late: bool,
}

/// Returns the figures; the loop adds its own.
pub(super) fn of(scheduler: &Scheduler, now: Now) -> Figures {
    let categories = scheduler.queue.categories().iter();
    let held = held_by_category(scheduler);
    Figures {
        work: Loop::default(),
        counters: scheduler.reporting.counters(),
        refused: scheduler.reporting.refused().clone(),
        troubles: u64::try_from(scheduler.reporting.troubles().len()).unwrap_or(u64::MAX),
        // No more than 64 undeclared ones are served at once.
        categories: categories
            .map(|state| {
                let held = held.get(&state.policy().category).copied();
                category_figures(now, state, held.unwrap_or_default())
            })
            .collect(),
        nodes: node_figures(scheduler),
        capacity: scheduler.reporting.capacity().clone(),
        managed: scheduler.relocation.figures(),
        forecasts: forecast_figures(scheduler, now),
    }
}

fn held_by_category(scheduler: &Scheduler) -> HashMap<&Category, Held> {
    let mut held: HashMap<&Category, Held> = HashMap::new();
    for job in scheduler.jobs.iter() {
        let of_category = held.entry(&job.source().category).or_default();
        of_category.running += u64::from(job.is_running());
        if job.is_waiting() {
            of_category.waiting += 1;
            let oldest = of_category.oldest.unwrap_or(job.ready());
            of_category.oldest = Some(oldest.min(job.ready()));
        }
    }
    let late = scheduler.queue.rooms().filter(|(_, room)| room.is_late());
    for (source, _) in late {
        held.entry(&source.category).or_default().is_late = true;
    }
    held
}

fn category_figures(now: Now, state: &CategoryState, held: Held) -> CategoryFigures {
    let (counts, timings) = (state.counts(), state.timings());
    CategoryFigures {
        category: state.policy().category.clone(),
        jobs: [
            ("completed", counts.completed),
            ("dead", counts.dead),
            ("expired", counts.expired),
            ("cancelled", counts.cancelled),
        ],
        attempts: [
            ("completed", counts.completed),
            ("failed", counts.failed),
            ("gave_up", counts.gave_up),
            ("refused", counts.refused),
            ("handed_back", counts.handed_back),
            ("unreported", counts.unreported),
            ("lost", counts.lost),
        ],
        waits: timings.waits.clone(),
        delays: timings.delays.clone(),
        runs: timings.runs.clone(),
        backlog: state.stored(),
        waiting: held.waiting,
        running: held.running,
        oldest: held
            .oldest
            .map_or(Duration::ZERO, |ready| now.wall.since(ready)),
        is_late: held.is_late,
    }
}

fn node_figures(scheduler: &Scheduler) -> Nodes {
    let totals = scheduler.totals(0);
    let mut nodes = Nodes {
        ready: u64::from(totals.ready),
        draining: u64::from(totals.draining),
        gone: u64::from(totals.gone),
        each: Vec::new(),
    };
    let listed = scheduler.fleet.nodes().filter(|node| !node.is_gone());
    let listed: Vec<_> = listed.take(NODES_MAX + 1).collect();
    if listed.len() <= NODES_MAX {
        let figures = listed.into_iter().map(|node| NodeFigures {
            node: node.id().clone(),
            jobs: u64::from(node.jobs()),
            jobs_max: u64::from(node.jobs_max()),
            reserved: scheduler.fleet.reserved(node),
        });
        nodes.each = figures.collect();
    }
    nodes
}

fn forecast_figures(scheduler: &Scheduler, now: Now) -> Forecasts {
    let warmth = scheduler.warmth(now);
    let count = usize::try_from(warmth.forecast).unwrap_or(usize::MAX);
    let live = scheduler.fleet.nodes().filter(|node| !node.is_gone());
    let forecasts = live.filter_map(|node| node.forecast());
    // Every so many, so that the sample is spread over all names.
    let sample = forecasts.step_by(count.div_ceil(SAMPLE).max(1));
    let sample: Vec<&NodeForecast> = sample.collect();
    Forecasts {
        nodes: u64::from(warmth.forecast),
        known: u64::from(warmth.known),
        accuracy: RESOURCES
            .into_iter()
            .flat_map(|(resource, name)| accuracy(&sample, resource, name))
            .collect(),
    }
}

/// Returns the mean accuracy at each horizon for which forecasts were scored.
fn accuracy(sample: &[&NodeForecast], resource: Resource, name: &'static str) -> Vec<Accuracy> {
    let scored: Vec<_> = sample
        .iter()
        .map(|forecast| forecast.accuracy(resource))
        .collect();
    let Some(first) = scored.first() else {
        return Vec::new();
    };
    let horizons = first.iter().enumerate();
    let at = |(index, first): (usize, &rolecast_common::wire::AccuracyAt)| {
        let of = scored.iter().map(|accuracy| accuracy[index]);
        let of: Vec<_> = of.filter(|at| at.scored > 0).collect();
        #[allow(clippy::cast_precision_loss, reason = "a few hundred nodes")]
        let count = of.len() as f64;
        let (error, naive): (f64, f64) = (
            of.iter().map(|at| at.error).sum(),
            of.iter().map(|at| at.naive_error).sum(),
        );
        (!of.is_empty()).then(|| Accuracy {
            resource: name,
            seconds: first.seconds,
            // What never changes is forecast without an error by anything.
            error: if naive > 0.0 { error / naive } else { 1.0 },
            coverage: of.iter().map(|at| at.coverage).sum::<f64>() / count,
        })
    };
    horizons.filter_map(at).collect()
}
