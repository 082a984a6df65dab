//! Discovery of jobs in categories without a consumer, from the subjects in the stream.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream;
use rolecast_common::id::{Category, Priority, Sequence};
use rolecast_common::options::Origin;
use rolecast_common::requests;
use rolecast_common::subjects::{STREAM_JOBS, Source};
use rolecast_common::time::WallTime;
use rolecast_nats::job_headers;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::Streams;
use super::listing::ask;
use crate::scheduler::{Input, Scheduler, Stray, Trouble};

/// The most strays read per subject and round, so that a flood of them stays cheap.
const STRAYS_MAX: usize = 100;
/// The most undeclared categories that are served at once. Each has three consumers,
/// which cost the server memory and an idle heartbeat each half second, and a room that
/// is checked in every turn; with 256 of them turns took tens of milliseconds
/// (`make bench-hostile`). Thousands of names are a mistake of a producer.
const FOUND_MAX: usize = 64;
/// Time without jobs after which an undeclared category loses its consumers; they are
/// recreated with its next job, which then waits some 2 s more. Guessed.
const IDLE_MAX: Duration = Duration::from_secs(3600);
/// Time for which an error of one search is shown, until some searches went well.
const TROUBLE_SHOWN: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Info {
    created: String,
    state: State,
}

#[derive(Deserialize)]
struct State {
    subjects: Option<BTreeMap<String, u64>>,
}

/// The content of the jobs stream.
#[derive(Clone, Debug)]
pub(super) struct Backlogs {
    pub(super) created: WallTime,
    /// The number of messages on each subject.
    pub(super) held: BTreeMap<String, u64>,
}

/// The decision about the jobs on a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Meeting {
    /// They have consumers.
    Served,
    /// Their category is served from now on.
    New(Category),
    /// They wait in the stream: the number of undeclared categories has reached its
    /// limit.
    Beyond,
    /// They are dead letters, for this reason.
    Stray(String),
}

/// The treatment of jobs of undeclared categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undeclared {
    Serve,
    DeadLetter,
}

/// The served categories.
#[derive(Debug)]
pub(super) struct Discovery {
    declared: BTreeSet<Category>,
    /// Undeclared ones, with the last time when the stream held jobs of them.
    found: BTreeMap<Category, Instant>,
    undeclared: Undeclared,
}

/// The results of one search.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) inputs: Vec<Input>,
    /// Categories that need consumers.
    pub(super) found: Vec<Category>,
    /// Undeclared ones that had no job for long; they are no longer served.
    pub(super) idle: Vec<Category>,
}

impl Discovery {
    /// Begins with the categories that the scheduler serves.
    pub(super) fn of(machine: &Scheduler) -> Self {
        let undeclared = match machine.serves_undeclared() {
            true => Undeclared::Serve,
            false => Undeclared::DeadLetter,
        };
        Self::new(machine.served(), undeclared)
    }

    fn new(declared: Vec<Category>, undeclared: Undeclared) -> Self {
        Self {
            declared: declared.into_iter().collect(),
            found: BTreeMap::new(),
            undeclared,
        }
    }

    /// Returns the categories that have consumers, or are to have them.
    pub(super) fn served(&self) -> impl Iterator<Item = &Category> {
        self.declared.iter().chain(self.found.keys())
    }

    /// Returns the sources of all of them.
    pub(super) fn sources(&self) -> Vec<Source> {
        let of_category = |category: &Category| {
            Priority::ALL.map(|priority| {
                let category = category.clone();
                Source { category, priority }
            })
        };
        self.served().flat_map(of_category).collect()
    }

    /// Finds categories that are not served yet, and jobs that no consumer delivers. An
    /// error with one subject is reported and does not affect others.
    pub(super) async fn search(&mut self, streams: &Streams, backlogs: Backlogs) -> Found {
        let now = Instant::now();
        let idle = self.take_idle(now, &backlogs.held);
        let mut inputs = vec![Input::Backlogs(by_category(&backlogs.held))];
        let mut found = Vec::new();
        let mut beyond = 0;
        for subject in backlogs.held.into_keys() {
            let reason = match self.meet(now, &subject) {
                Meeting::Served => continue,
                Meeting::Beyond => {
                    beyond += 1;
                    continue;
                }
                Meeting::New(category) => {
                    inputs.push(Input::Found(category.clone()));
                    found.push(category);
                    continue;
                }
                Meeting::Stray(reason) => reason,
            };
            match strays(streams, &subject, &reason).await {
                Ok(strays) => inputs.extend(strays),
                Err(error) => inputs.push(Input::Troubled(unread(&subject, &error))),
            }
        }
        inputs.push(beyond_limit(beyond));
        Found {
            inputs,
            found,
            idle,
        }
    }

    /// Decides about a subject that has jobs.
    fn meet(&mut self, now: Instant, subject: &str) -> Meeting {
        let category = match Source::parse(subject) {
            Ok(source) => source.category,
            Err(error) => return Meeting::Stray(error.to_string()),
        };
        if self.is_served(&category) {
            return Meeting::Served;
        }
        match self.undeclared {
            Undeclared::DeadLetter => {
                Meeting::Stray(format!("category {category} is not declared"))
            }
            Undeclared::Serve if self.found.len() >= FOUND_MAX => Meeting::Beyond,
            Undeclared::Serve => {
                self.found.insert(category.clone(), now);
                Meeting::New(category)
            }
        }
    }

    /// Removes undeclared categories of which no job was in the stream for long.
    fn take_idle(&mut self, now: Instant, held: &BTreeMap<String, u64>) -> Vec<Category> {
        for subject in held.keys() {
            if let Ok(source) = Source::parse(subject)
                && let Some(seen) = self.found.get_mut(&source.category)
            {
                *seen = now;
            }
        }
        let is_idle = |seen: Instant| now.saturating_duration_since(seen) >= IDLE_MAX;
        let idle = self.found.iter().filter(|(_, seen)| is_idle(**seen));
        let idle: Vec<Category> = idle.map(|(category, _)| category.clone()).collect();
        for category in &idle {
            self.found.remove(category);
        }
        idle
    }

    fn is_served(&self, category: &Category) -> bool {
        self.declared.contains(category) || self.found.contains_key(category)
    }
}

/// Reads the numbers of jobs in the stream.
pub(super) async fn backlogs(jetstream: &jetstream::Context) -> anyhow::Result<Backlogs> {
    let subject = requests::stream_info(STREAM_JOBS);
    let info: Info = ask(jetstream, &subject, &json!({"subjects_filter": ">"})).await?;
    let created = WallTime::parse(&info.created).context("the stream's age is not a time")?;
    let seconds = created.as_millis() / 1000;
    Ok(Backlogs {
        created: WallTime::from_millis(seconds * 1000),
        held: info.state.subjects.unwrap_or_default(),
    })
}

fn unread(subject: &str, error: &anyhow::Error) -> Trouble {
    Trouble {
        what: format!("jobs on {subject}"),
        why: format!("{error:#}"),
        remedy: "they are checked again".to_owned(),
        lasts: Some(TROUBLE_SHOWN),
    }
}

/// Returns the report on undeclared categories beyond the limit, or on its end.
fn beyond_limit(subjects: usize) -> Input {
    let what = "undeclared categories".to_owned();
    if subjects == 0 {
        return Input::Mended { what };
    }
    Input::Troubled(Trouble {
        what,
        why: format!(
            "more than {FOUND_MAX}; the jobs on {subjects} more subjects wait in the stream"
        ),
        remedy: "declare the categories, or find the producer that invents their names".to_owned(),
        lasts: None,
    })
}

/// Returns the number of jobs of each category.
fn by_category(held: &BTreeMap<String, u64>) -> BTreeMap<Category, u64> {
    let mut categories = BTreeMap::new();
    for (subject, count) in held {
        if let Ok(source) = Source::parse(subject) {
            *categories.entry(source.category).or_default() += count;
        }
    }
    categories
}

async fn strays(streams: &Streams, subject: &str, reason: &str) -> anyhow::Result<Vec<Input>> {
    let stream = streams.jetstream.get_stream_no_info(STREAM_JOBS).await?;
    let mut strays = Vec::new();
    let mut from = 1;
    while strays.len() < STRAYS_MAX {
        let next = stream
            .direct_get_next_for_subject(subject, Some(from))
            .await;
        let message = match next {
            Ok(message) => message,
            Err(error) if error.kind() == jetstream::stream::DirectGetErrorKind::NotFound => break,
            Err(error) => return Err(error).context("cannot read a job"),
        };
        from = message.sequence + 1;
        let seconds = u64::try_from(message.time.unix_timestamp()).unwrap_or(0);
        let origin = Origin {
            sequence: Sequence::new(message.sequence),
            stored: WallTime::from_millis(seconds * 1000),
            stream_created: streams.jobs_created,
        };
        let job = origin.job_id(&job_headers(Some(&message.headers)));
        strays.push(Input::Stray(Stray {
            sequence: origin.sequence,
            job,
            category: subject.split('.').nth(2).unwrap_or_default().to_owned(),
            submitted: origin.stored,
            reason: reason.to_owned(),
        }));
    }
    Ok(strays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undeclared_category_without_jobs_for_an_hour_is_idle_and_a_declared_one_never() {
        let category = |name: &str| Category::new(name).unwrap();
        let mut discovery = Discovery::new(vec![category("declared")], Undeclared::Serve);
        let begun = Instant::now();
        for name in ["busy", "quiet"] {
            discovery.found.insert(category(name), begun);
        }
        let held = BTreeMap::from([("rolecast.jobs.busy.high".to_owned(), 1)]);
        let later = begun + IDLE_MAX / 2;
        assert!(discovery.take_idle(later, &held).is_empty());
        let idle = discovery.take_idle(begun + IDLE_MAX, &BTreeMap::new());
        assert_eq!(idle, [category("quiet")]);
        let served: Vec<Category> = discovery.served().cloned().collect();
        assert_eq!(served, [category("declared"), category("busy")]);
    }

    #[test]
    fn undeclared_categories_beyond_the_bound_wait_until_others_are_idle() {
        let declared = Category::new("declared").unwrap();
        let mut discovery = Discovery::new(vec![declared], Undeclared::Serve);
        let begun = Instant::now();
        let mut meet = |now, name: &str| discovery.meet(now, &format!("rolecast.jobs.{name}"));
        for number in 0..FOUND_MAX {
            let name = format!("c{number}");
            let category = Category::new(&name).unwrap();
            assert_eq!(meet(begun, &name), Meeting::New(category));
        }
        for number in 0..2_000 {
            assert_eq!(meet(begun, &format!("d{number}")), Meeting::Beyond);
        }
        assert_eq!(meet(begun, "c1.high"), Meeting::Served);
        assert_eq!(meet(begun, "declared.low"), Meeting::Served);
        assert_eq!(discovery.served().count(), 1 + FOUND_MAX);
        let later = begun + IDLE_MAX;
        discovery.take_idle(later, &BTreeMap::new());
        let met = discovery.meet(later, "rolecast.jobs.d1");
        assert_eq!(met, Meeting::New(Category::new("d1").unwrap()));
    }
}
