//! User and limits that a command runs under.
//!
//! A worker that starts a command starts itself first, which takes these on and then
//! becomes the command: `io/leash`. They are passed as words in its arguments.

use std::fmt;
use std::path::PathBuf;

use rolecast_common::unit::{Bytes, Cores};

/// Addition to a worker's `oom_score_adj` for its jobs: as if each used half of all
/// memory more, so that where memory runs out the kernel kills a job and not the worker.
const OOM_SCORE_MORE: i32 = 500;
const OOM_SCORE_MAX: i32 = 1000;
/// Length of a period of `cpu.max`: the kernel's default.
const CPU_PERIOD_US: f64 = 100_000.0;
/// The smallest share of a core: the kernel takes no quota below a millisecond.
pub(crate) const CPU_MAX_MIN: f64 = 0.01;
/// The largest nice value of a process.
pub(crate) const NICE_MAX: u8 = 19;

/// A user of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// All groups it is a member of, its own included.
    pub(crate) groups: Vec<u32>,
    pub(crate) home: PathBuf,
    pub(crate) shell: PathBuf,
}

/// User and limits of a command.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Confinement {
    /// Without one it runs as the worker's own user.
    pub(crate) user: Option<User>,
    /// Its nice value relative to the worker's; 0 is the same.
    pub(crate) nice: u8,
    pub(crate) limits: GroupLimits,
}

/// Limits of a control group.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct GroupLimits {
    /// The most memory that all its processes use together.
    pub(crate) memory_max: Option<Bytes>,
    /// The most cores that they keep busy.
    pub(crate) cpu_max: Option<Cores>,
}

impl GroupLimits {
    pub(crate) fn is_none(&self) -> bool {
        self.memory_max.is_none() && self.cpu_max.is_none()
    }

    /// Returns the controllers of version 2 that these limits need.
    pub(crate) fn controllers(&self) -> impl Iterator<Item = &'static str> {
        let memory = self.memory_max.map(|_| "memory");
        let cpu = self.cpu_max.map(|_| "cpu");
        memory.into_iter().chain(cpu)
    }

    /// Returns the settings of the group's files, and whether each file must be there.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        if let Some(memory) = self.memory_max {
            settings.push(Setting::required("memory.max", memory.get().to_string()));
            // Otherwise the limit only moves the excess to the swap.
            settings.push(Setting::optional("memory.swap.max", "0".to_owned()));
            // Half a job is of no use: all of it is killed, and its end reports that.
            settings.push(Setting::optional("memory.oom.group", "1".to_owned()));
        }
        if let Some(cores) = self.cpu_max {
            let quota = cores.get() * CPU_PERIOD_US;
            let text = format!("{quota:.0} {CPU_PERIOD_US:.0}");
            settings.push(Setting::required("cpu.max", text));
        }
        settings
    }
}

/// One file of a control group and the text that is written to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) file: &'static str,
    pub(crate) value: String,
    /// Whether the file must be there; kernels lack some of them.
    pub(crate) is_required: bool,
}

impl Setting {
    fn required(file: &'static str, value: String) -> Self {
        Self {
            file,
            value,
            is_required: true,
        }
    }

    fn optional(file: &'static str, value: String) -> Self {
        Self {
            is_required: false,
            ..Self::required(file, value)
        }
    }
}

/// Returns the `oom_score_adj` of jobs whose worker has this one: special protection of a
/// worker is not for its jobs.
pub(crate) fn oom_score(own: i32) -> i32 {
    (own.max(0) + OOM_SCORE_MORE).min(OOM_SCORE_MAX)
}

/// Reads from `memory.events` how many processes were killed at the limit of a group.
pub(crate) fn parse_oom_kills(text: &str) -> u64 {
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

/// Steps of a process before it becomes a command, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    /// The file that the process writes itself to, to be in a control group.
    pub(crate) group: Option<PathBuf>,
    pub(crate) oom_score: Option<i32>,
    pub(crate) nice: u8,
    /// The pipe that it opens to report its progress.
    pub(crate) progress: Option<PathBuf>,
    pub(crate) user: Option<Ids>,
    /// Files that the user must not be able to read.
    pub(crate) secrets: Vec<PathBuf>,
}

/// The numbers of a user, by which the system knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
}

impl From<&User> for Ids {
    fn from(user: &User) -> Self {
        Self {
            uid: user.uid,
            gid: user.gid,
            groups: user.groups.clone(),
        }
    }
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)?;
        self.groups
            .iter()
            .try_for_each(|group| write!(f, ":{group}"))
    }
}

impl Ids {
    #[cfg(any(target_os = "linux", test))]
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(':').map(|number| number.parse().ok());
        Some(Self {
            uid: numbers.next()??,
            gid: numbers.next()??,
            groups: numbers.collect::<Option<_>>()?,
        })
    }
}

impl Steps {
    /// Returns the words that these steps are read from.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(group) = &self.group {
            words.push(format!("group={}", group.display()));
        }
        if let Some(score) = self.oom_score {
            words.push(format!("oom={score}"));
        }
        if self.nice > 0 {
            words.push(format!("nice={}", self.nice));
        }
        if let Some(pipe) = &self.progress {
            words.push(format!("progress={}", pipe.display()));
        }
        if let Some(user) = &self.user {
            words.push(format!("user={user}"));
        }
        let secrets = self.secrets.iter();
        words.extend(secrets.map(|path| format!("secret={}", path.display())));
        words
    }

    /// Takes one word; returns whether it is one.
    #[cfg(any(target_os = "linux", test))]
    pub(crate) fn take(&mut self, word: &str) -> bool {
        let Some((name, value)) = word.split_once('=') else {
            return false;
        };
        match name {
            "group" => self.group = Some(PathBuf::from(value)),
            "oom" => self.oom_score = value.parse().ok(),
            "nice" => self.nice = value.parse().unwrap_or(NICE_MAX),
            "progress" => self.progress = Some(PathBuf::from(value)),
            "user" => {
                self.user = Ids::parse(value);
                return self.user.is_some();
            }
            "secret" => self.secrets.push(PathBuf::from(value)),
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_from_their_words() {
        let steps = Steps {
            group: Some(PathBuf::from("/sys/fs/cgroup/w/job-7/cgroup.procs")),
            oom_score: Some(500),
            nice: 5,
            progress: Some(PathBuf::from("/proc/7/fd/9")),
            user: Some(Ids {
                uid: 1000,
                gid: 1001,
                groups: vec![1001, 27],
            }),
            secrets: vec![PathBuf::from("/etc/a=b.creds")],
        };
        let mut read = Steps::default();
        for word in steps.words() {
            assert!(read.take(&word), "{word}");
        }
        assert_eq!(read, steps);
        assert_eq!(Steps::default().words(), Vec::<String>::new());
        for word in ["--", "uid", "colour=red", "user=root", "user=0", "user="] {
            assert!(!read.take(word), "{word}");
        }
    }

    #[test]
    fn a_job_is_killed_before_its_worker_and_not_spared_as_it_is() {
        let scores = [0, 200, -900, 1000].map(oom_score);
        assert_eq!(scores, [500, 700, 500, 1000]);
    }

    #[test]
    fn limits_become_files_of_a_group() {
        let limits = GroupLimits {
            memory_max: Some(Bytes::from_mib(256)),
            cpu_max: Some(Cores::clamped(1.5)),
        };
        let written: Vec<(&str, String, bool)> = limits
            .settings()
            .into_iter()
            .map(|setting| (setting.file, setting.value, setting.is_required))
            .collect();
        let expected = [
            ("memory.max", "268435456", true),
            ("memory.swap.max", "0", false),
            ("memory.oom.group", "1", false),
            ("cpu.max", "150000 100000", true),
        ];
        let expected = expected.map(|(file, value, needed)| (file, value.to_owned(), needed));
        assert_eq!(written, expected);
        let controllers: Vec<&str> = limits.controllers().collect();
        assert_eq!(controllers, ["memory", "cpu"]);
        assert!(GroupLimits::default().is_none());
        let least = GroupLimits {
            cpu_max: Some(Cores::clamped(CPU_MAX_MIN)),
            ..GroupLimits::default()
        };
        assert_eq!(least.settings()[0].value, "1000 100000");
    }

    /// The lines that the kernel's documentation of version 2 names.
    const EVENTS: &str = "low 0\nhigh 0\nmax 53\noom 1\noom_kill 2\noom_group_kill 1\n";

    #[test]
    fn kills_at_the_limit_are_counted() {
        assert_eq!(parse_oom_kills(EVENTS), 2);
        assert_eq!(parse_oom_kills("max 3\noom 0\noom_kill 0\n"), 0);
        assert_eq!(parse_oom_kills("oom_kill_disable 0\nunder_oom 1\n"), 0);
        assert_eq!(parse_oom_kills(""), 0);
    }
}
