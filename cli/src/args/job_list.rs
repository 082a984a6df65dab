//! Arguments of `rolecast job ls`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use rolecast_common::id::{Category, NodeId, Sequence};
use rolecast_common::wire::JobState;

use super::length;

pub(super) const EXAMPLES: &str = "\
Examples:
  rolecast job ls                                 # all that have not ended, oldest first
  rolecast job ls --state waiting --category ocr --older 5m
  rolecast job ls --node oak
  rolecast job ls --state dead,expired --limit 20  # newest first

Jobs that have not ended come from the dispatcher, and those that it has not fetched yet from
ROLECAST_JOBS; ended ones from ROLECAST_RESULTS. A login for viewers sees the former only.";

/// A list of jobs.
#[derive(Args, Debug)]
pub(crate) struct JobList {
    /// Only jobs of this category
    #[arg(long, value_name = "NAME")]
    pub(crate) category: Option<Category>,
    /// Only jobs in these states: waiting, running and delayed, or completed, dead,
    /// expired and cancelled
    #[arg(
        long = "state",
        value_name = "STATE",
        value_delimiter = ',',
        default_values = ["waiting", "running", "delayed"]
    )]
    pub(crate) states: Vec<State>,
    /// Only jobs that this node has in hand, or ended
    #[arg(long, value_name = "ID")]
    pub(crate) node: Option<NodeId>,
    /// Only jobs that were submitted longer ago than this, such as 5m
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    pub(crate) older: Option<Duration>,
    /// Only jobs that were submitted within this time
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    pub(crate) younger: Option<Duration>,
    /// The first job of the list (default: the oldest, or the newest of ended jobs)
    #[arg(long, value_name = "FIRST")]
    pub(crate) first: Option<First>,
    /// The most jobs to list
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    /// Continue after this place, which the end of a list shows
    #[arg(long, value_name = "SEQUENCE", value_parser = sequence)]
    pub(crate) after: Option<Sequence>,
}

impl JobList {
    /// Returns the states; whether they are those of ended jobs; or a mistake.
    pub(crate) fn wanted(&self) -> Result<(Vec<JobState>, bool), &'static str> {
        let ended = self.states.iter().filter(|state| state.is_ended()).count();
        if ended > 0 && ended < self.states.len() {
            return Err(
                "list jobs that have ended and those that have not in two calls: they are in \
                 two streams, with places of their own",
            );
        }
        Ok((
            self.states.iter().map(|s| s.on_the_wire()).collect(),
            ended > 0,
        ))
    }
}

/// The first job of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum First {
    Oldest,
    Newest,
}

/// A state by which jobs are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    Waiting,
    Running,
    Delayed,
    Completed,
    Dead,
    Expired,
    Cancelled,
}

impl State {
    fn is_ended(self) -> bool {
        match self {
            State::Waiting | State::Running | State::Delayed => false,
            State::Completed | State::Dead | State::Expired | State::Cancelled => true,
        }
    }

    fn on_the_wire(self) -> JobState {
        match self {
            State::Waiting => JobState::Waiting,
            State::Running => JobState::Running,
            State::Delayed => JobState::Delayed,
            State::Completed => JobState::Completed,
            State::Dead => JobState::Dead,
            State::Expired => JobState::Expired,
            State::Cancelled => JobState::Cancelled,
        }
    }
}

fn sequence(text: &str) -> Result<Sequence, String> {
    let number = text.strip_prefix('#').unwrap_or(text).parse();
    let number = number.map_err(|_| "expected a whole number, such as 41".to_owned());
    number.map(Sequence::new)
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::super::job::Job;
    use super::super::tests::parse;
    use super::*;

    fn parsed(line: &str) -> JobList {
        let Command::Job(Job::Ls(list)) = parse(line).unwrap().command else {
            panic!("{line} is no list of jobs");
        };
        list
    }

    #[test]
    fn jobs_that_have_not_ended_are_listed_unless_others_are_wanted() {
        let (states, is_ended) = parsed("rolecast job ls").wanted().unwrap();
        assert_eq!(
            (states, is_ended),
            (
                vec![JobState::Waiting, JobState::Running, JobState::Delayed],
                false
            )
        );
        let list = parsed("rolecast job ls --state dead,expired --after #7 --older 5m");
        assert_eq!(
            list.wanted(),
            Ok((vec![JobState::Dead, JobState::Expired], true))
        );
        assert_eq!(list.after, Some(Sequence::new(7)));
        assert!(
            parsed("rolecast job ls --state dead,running")
                .wanted()
                .is_err()
        );
        for line in ["--state gone", "--limit 0", "--after x", "--older soon"] {
            assert!(parse(&format!("rolecast job ls {line}")).is_err(), "{line}");
        }
    }
}
