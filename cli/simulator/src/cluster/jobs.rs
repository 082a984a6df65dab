//! Jobs of a running system: those that are recorded, and those that are drawn.
//!
//! Only the first decisions of each second are recorded. Where the records are such a
//! sample, jobs that are expected to arrive and are not in it are added beside those that
//! are, within a second.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use rolecast_common::id::{Category, Priority};
use rolecast_common::label::Requirement;
use rolecast_common::wire::{CategoryStatus, NodeHealth, NodeStatus, ProfileView};

use super::scales::Scales;
use super::size::Size;
use super::{JOBS_MIN, Recording, Span, Unusable, begin_ms, length};
use crate::count::whole;
use crate::world::{self, Arrival, Host, Needs};

/// Copies of a job arrive within this time after it. The first value is for copies of
/// recorded jobs, in the second of which only the first jobs are recorded; the second one
/// for additional jobs, late enough that the two seldom meet.
const SAMPLED_WITHIN_S: f64 = 1.0;
const ADDED_WITHIN_S: f64 = 10.0;
/// The most kinds, more than anyone reads; the rarest are left out.
const KINDS_MAX: usize = 100;
/// The default of scenarios.
const OBJECTIVE: f64 = 3.0;
/// With fewer jobs the declared peak of memory is a lower limit, as in the dispatcher.
const ENOUGH: u64 = 30;
/// The longest name of a category that leaves room for a number behind it.
const STEM_LEN_MAX: usize = 24;

/// The jobs of the system.
#[derive(Debug)]
pub(super) struct Jobs {
    pub(super) kinds: Vec<RecordedKind>,
    /// 95 of 100 jobs of any kind run no longer, alone on a core of speed 1.
    pub(super) longest_s: f64,
}

/// The jobs of one category that require the same labels.
#[derive(Clone, Debug)]
pub(super) struct RecordedKind {
    pub(super) name: String,
    pub(super) world: world::Kind,
    needs: Needs,
    work_s: Size,
    memory: Size,
    /// The number of jobs for each that is recorded.
    scale: f64,
    jobs: Vec<Job>,
}

/// A recorded job.
#[derive(Clone, Copy, Debug)]
struct Job {
    at_s: f64,
    key: Option<u32>,
}

impl RecordedKind {
    /// Returns the number of jobs that arrived while the run part was recorded.
    pub(super) fn expected(&self) -> f64 {
        self.scale * self.jobs.len() as f64
    }

    fn new(name: Name, status: &CategoryStatus, scale: f64, jobs: Vec<Job>) -> Self {
        let profile = &status.profile;
        let learned = &profile.learned;
        let average = needs(profile);
        let duration_s = duration_s(profile);
        let p50 = learned.duration_p50_s;
        let work_s = Size::of_quantiles(p50, learned.duration_p95_s);
        let memory = Size::of_quantiles(learned.memory_p50, learned.memory_p95);
        let declared_peak = profile.peak.memory.get() as f64;
        let peak = if learned.jobs >= ENOUGH && learned.memory_p95 > 0.0 {
            learned.memory_p95
        } else {
            learned.memory_p95.max(declared_peak)
        };
        Self {
            name: name.shown,
            world: world::Kind {
                category: name.category,
                roles: status.roles.clone(),
                average,
                peak: Needs {
                    memory: peak.max(average.memory),
                    ..average
                },
                duration_s,
                objective: OBJECTIVE,
                require: name.require,
            },
            needs: average,
            work_s: work_s.unwrap_or(Size::Exponential(duration_s)),
            memory: memory.unwrap_or(Size::Fixed(average.memory)),
            scale,
            jobs,
        }
    }

    /// Makes a job; values that are not recorded are drawn.
    fn arrival(&self, index: usize, at_s: f64, key: Option<u32>, rng: &mut Rng) -> Arrival {
        Arrival {
            at_s,
            kind: index,
            // The simulation counts in microseconds.
            work_s: self.work_s.draw(rng).max(1e-6),
            needs: Needs {
                memory: self.memory.draw(rng),
                ..self.needs
            },
            key,
            priority: Priority::Normal,
        }
    }
}

/// Names of a kind.
struct Name {
    shown: String,
    category: Category,
    require: Requirement,
}

/// Returns the needs that placement uses, which are the declared profile if nothing was
/// learned.
fn needs(profile: &ProfileView) -> Needs {
    let average = if profile.learned.jobs > 0 {
        profile.learned.average
    } else {
        profile.average
    };
    Needs {
        cores: average.cpu.get(),
        memory: average.memory.get() as f64,
        network: average.network.get(),
        disk: average.disk.get(),
    }
}

fn duration_s(profile: &ProfileView) -> f64 {
    let learned_s = profile.learned.duration_s;
    let is_learned = profile.learned.jobs > 0 && learned_s > 0.0;
    let duration_s = if is_learned {
        learned_s
    } else {
        profile.duration_s
    };
    duration_s.max(1e-6)
}

/// Finds the kinds of the jobs that arrived in the part that is run.
pub(super) fn kinds(
    recording: &Recording,
    span: Span,
    hosts: &[Host],
    notes: &mut Vec<String>,
) -> Result<Jobs, Unusable> {
    let groups = group(recording, span);
    if groups.is_empty() {
        let within = span.within();
        return Err(Unusable::NoJob { within });
    }
    let scales = Scales::new(recording);
    let mut left_out = LeftOut::default();
    let mut taken = BTreeSet::new();
    let mut kinds = Vec::new();
    for ((category, require), jobs) in groups {
        let mut statuses = recording.status.categories.iter();
        let Some(status) = statuses.find(|status| status.category == *category) else {
            left_out.add("its category is no longer served", jobs.len());
            continue;
        };
        let Some(name) = name(category, require, &mut taken) else {
            left_out.add("its requirement cannot be read", jobs.len());
            continue;
        };
        let (scale, note) = scales.of(status);
        let kind = RecordedKind::new(name, status, scale, jobs);
        if kinds.len() == KINDS_MAX {
            left_out.add("there are too many kinds of jobs", kind.jobs.len());
        } else if hosts.iter().any(|host| kind.world.suits(host)) {
            for note in [note, offers_note(status, recording), unlearned_note(status)] {
                // Several kinds may be of one category.
                let note = note.filter(|note| !notes.contains(note));
                notes.extend(note);
            }
            kinds.push(kind);
        } else {
            left_out.add("no host has the role and labels for it", kind.jobs.len());
        }
    }
    let why = left_out.text();
    check_count(&kinds, span, &why)?;
    if !why.is_empty() {
        notes.push(format!("jobs left out: {why}"));
    }
    kinds.sort_by(|a, b| a.name.cmp(&b.name));
    let longest_s = kinds.iter().map(|kind| kind.work_s.p95());
    Ok(Jobs {
        longest_s: longest_s.fold(0.0, f64::max),
        kinds,
    })
}

/// Returns a note about nodes that could run the category by their roles and do not offer
/// it.
fn offers_note(status: &CategoryStatus, recording: &Recording) -> Option<String> {
    let CategoryStatus {
        category,
        roles,
        nodes_eligible,
        ..
    } = status;
    let nodes = recording.status.nodes.iter();
    let ready = nodes.filter(|node| node.health == NodeHealth::Ready);
    let has_role = |node: &&NodeStatus| node.roles.iter().any(|role| roles.contains(role));
    let suited = ready.filter(|node| roles.is_empty() || has_role(node));
    let suited = suited.count();
    let is_known = usize::try_from(*nodes_eligible).is_ok_and(|eligible| eligible < suited);
    is_known.then(|| {
        format!(
            "{category}: {nodes_eligible} of {suited} nodes with its roles can run it, and it \
             is not recorded which; here all can"
        )
    })
}

fn unlearned_note(status: &CategoryStatus) -> Option<String> {
    let is_known = status.profile.learned.jobs == 0;
    is_known.then(|| {
        format!(
            "{}: as declared, because no job has completed",
            status.category
        )
    })
}

fn check_count(kinds: &[RecordedKind], span: Span, why: &str) -> Result<(), Unusable> {
    let count: usize = kinds.iter().map(|kind| kind.jobs.len()).sum();
    let within = span.within();
    if count == 0 {
        let why = why.to_owned();
        return Err(Unusable::NoneFits { within, why });
    }
    if count < JOBS_MIN {
        let lacking = (JOBS_MIN - count) as f64;
        return Err(Unusable::TooFew {
            jobs: count,
            within,
            wait: length((lacking * span.period_s / count as f64).ceil()),
        });
    }
    Ok(())
}

/// Reasons why jobs cannot be run, with the number of jobs for each.
#[derive(Default)]
struct LeftOut(BTreeMap<&'static str, usize>);

impl LeftOut {
    fn add(&mut self, why: &'static str, count: usize) {
        *self.0.entry(why).or_default() += count;
    }

    fn text(&self) -> String {
        let parts = self.0.iter().map(|(why, count)| format!("{count} ({why})"));
        parts.collect::<Vec<_>>().join(", ")
    }
}

type Groups<'a> = Vec<((&'a Category, &'a str), Vec<Job>)>;

/// Groups the jobs that arrived in the part that is run, the largest group first.
fn group(recording: &Recording, span: Span) -> Groups<'_> {
    let begin_ms = begin_ms(recording, span) as f64;
    let mut keys: BTreeMap<u64, u32> = BTreeMap::new();
    let mut groups: BTreeMap<(&Category, &str), Vec<Job>> = BTreeMap::new();
    for job in &recording.jobs {
        let at_s = (job.arrived.as_millis() as f64 - begin_ms) / 1000.0;
        if !(0.0..=span.period_s).contains(&at_s) {
            continue;
        }
        let next = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        let key = job.key.map(|hash| *keys.entry(hash).or_insert(next));
        let group = groups.entry((&job.category, &job.require));
        group.or_default().push(Job { at_s, key });
    }
    let mut groups: Groups<'_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, jobs)| Reverse(jobs.len()));
    groups
}

/// Names a kind; those of one category are different categories to a policy, because it
/// knows one requirement of each. `None` if the requirement is invalid.
fn name(category: &Category, require: &str, taken: &mut BTreeSet<Category>) -> Option<Name> {
    let parsed = match require {
        "" => Requirement::default(),
        _ => Requirement::parse(require)?,
    };
    let shown = if require.is_empty() {
        category.to_string()
    } else {
        format!("{category} {require}")
    };
    let stem = category.as_str();
    let stem = &stem[..stem.len().min(STEM_LEN_MAX)];
    let others = (2..).map(|number: usize| {
        let name = format!("{stem}-{number}");
        Category::new(&name).expect("a category's beginning, a dash and digits are one")
    });
    let mut names = std::iter::once(category.clone()).chain(others);
    let category = names.find(|name| !taken.contains(name))?;
    taken.insert(category.clone());
    Some(Name {
        shown,
        category,
        require: parsed,
    })
}

/// Draws the jobs of all kinds, in the order of their times.
pub(super) fn arrivals(kinds: &[RecordedKind], span: Span, factor: f64, seed: u64) -> Vec<Arrival> {
    let mut rng = Rng::with_seed(seed);
    let turns = whole((span.length_s / span.period_s).ceil());
    let mut all = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        let mut rng = rng.fork();
        for turn in 0..turns {
            for job in &kind.jobs {
                let at_s = job.at_s + turn as f64 * span.period_s;
                for at_s in copies(at_s, kind.scale, SAMPLED_WITHIN_S, &mut rng) {
                    for at_s in copies(at_s, factor, ADDED_WITHIN_S, &mut rng) {
                        if at_s < span.length_s {
                            all.push(kind.arrival(index, at_s, job.key, &mut rng));
                        }
                    }
                }
            }
        }
    }
    all.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    all
}

/// Returns `factor` times in the mean, the first as it is and the others within a time
/// after it.
fn copies(at_s: f64, factor: f64, within_s: f64, rng: &mut Rng) -> Vec<f64> {
    let count = whole(factor) + usize::from(rng.f64() < factor.fract());
    let later = |index: usize, rng: &mut Rng| match index {
        0 => at_s,
        _ => at_s + within_s * rng.f64(),
    };
    (0..count).map(|index| later(index, rng)).collect()
}
