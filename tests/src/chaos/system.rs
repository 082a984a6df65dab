//! Servers, dispatchers and workers of a row.
//!
//! A program that the row killed is started again after a while, as a service manager
//! would. One that ended by itself is reported, and a dispatcher that did so stays away,
//! because none may.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::ledger::Run;
use crate::leads::{Group, Leads};
use crate::logins::DISPATCHER;
use crate::process::{Process, program};
use crate::proxy::{Proxy, Way};
use crate::servers::{Options, Servers};

pub(crate) const DISPATCHERS: usize = 2;
pub(crate) const WORKERS: usize = 4;
/// Time until a killed program is started again: the delay of service managers.
const RESTART_DELAY: Duration = Duration::from_secs(3);
/// The lead of a wrong clock.
const SKEW: &str = "+600s";

/// A kind of program, and its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    Dispatcher(usize),
    Worker(usize),
}

impl Name {
    pub(crate) fn text(self) -> String {
        match self {
            Name::Dispatcher(index) => format!("d{}", index + 1),
            Name::Worker(index) => format!("n{}", index + 1),
        }
    }

    pub(crate) fn all() -> impl Iterator<Item = Name> {
        let dispatchers = (0..DISPATCHERS).map(Name::Dispatcher);
        dispatchers.chain((0..WORKERS).map(Name::Worker))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    /// By the row.
    Killed(Instant),
    /// By itself.
    Ended,
}

#[derive(Debug)]
struct Program {
    process: Process,
    state: State,
    /// Its number of starts before, and the length of its log at the last one.
    boots: usize,
    log_start: usize,
}

/// Settings of a system.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) servers: Options,
    /// Directory of the programs; by default that of this one.
    pub(crate) binaries: Option<PathBuf>,
    /// Whether every program reaches the servers through proxies, and each dispatcher
    /// only one server.
    pub(crate) has_proxies: bool,
    /// Programs whose clock is wrong, and the library that makes it wrong.
    pub(crate) skewed: Vec<Name>,
    pub(crate) skew_library: Option<PathBuf>,
}

/// A running system; all of it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct System {
    programs: BTreeMap<Name, Program>,
    dead: Vec<Run>,
    exits: Vec<String>,
    proxies: BTreeMap<(Name, usize), Proxy>,
    plan: Plan,
    pub(crate) servers: Servers,
}

impl System {
    /// Starts servers; the programs are started by [`System::start`].
    pub(crate) async fn new(plan: Plan) -> System {
        let servers = Servers::start(&plan.servers).await;
        let mut proxies = BTreeMap::new();
        if plan.has_proxies {
            for name in Name::all() {
                for index in 0..servers.count() {
                    let proxy = Proxy::start(servers.port_of(index)).await;
                    proxies.insert((name, index), proxy);
                }
            }
        }
        for index in 0..DISPATCHERS {
            let file = format!("d{}.toml", index + 1);
            let config = config(index, servers.count());
            servers.directory().write(&file, &config);
        }
        System {
            programs: BTreeMap::new(),
            dead: Vec::new(),
            exits: Vec::new(),
            proxies,
            plan,
            servers,
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.servers.directory().path()
    }

    /// Starts a program; returns at once.
    pub(crate) fn start(&mut self, name: Name) {
        let before = self.programs.get(&name);
        let boots = before.map_or(0, |program| program.boots + 1);
        let log_start = before.map_or(0, |program| program.process.log().len());
        let process = self.spawn(name, boots);
        let program = Program {
            process,
            state: State::Running,
            boots,
            log_start,
        };
        self.programs.insert(name, program);
    }

    fn spawn(&self, name: Name, boots: usize) -> Process {
        let url = self.url(name);
        let text = name.text();
        let (file, arguments) = match name {
            Name::Dispatcher(_) => {
                let config = format!("{text}.toml");
                let arguments = ["--config".to_owned(), config, "--nats-url".to_owned(), url];
                ("rolecast-dispatcher", arguments.to_vec())
            }
            Name::Worker(_) => (
                "chaos-worker",
                vec![url, text.clone(), runs_file(name, boots)],
            ),
        };
        let path = match &self.plan.binaries {
            Some(directory) => directory.join(file),
            None => program(file),
        };
        let library = self
            .plan
            .skew_library
            .as_ref()
            .filter(|_| self.plan.skewed.contains(&name));
        let library = library.map(|path| path.display().to_string());
        let mut environment = Vec::new();
        if let Some(library) = &library {
            environment.push(("LD_PRELOAD", library.as_str()));
            environment.push(("FAKETIME", SKEW));
            // Lengths of time are right: only the wall clock is set wrong.
            environment.push(("FAKETIME_DONT_FAKE_MONOTONIC", "1"));
            environment.push(("DONT_FAKE_MONOTONIC", "1"));
        }
        Process::spawn_with(&text, self.directory(), &path, arguments, &environment)
    }

    fn url(&self, name: Name) -> String {
        let user = match name {
            Name::Dispatcher(_) => DISPATCHER.to_owned(),
            Name::Worker(_) => name.text(),
        };
        if self.proxies.is_empty() {
            return self.servers.url_as(&user);
        }
        let is_used = |server: usize| match name {
            Name::Dispatcher(index) => server == index,
            Name::Worker(_) => true,
        };
        let urls = self
            .proxies
            .iter()
            .filter(|((of, server), _)| *of == name && is_used(*server));
        let urls: Vec<String> = urls.map(|(_, proxy)| proxy.url_as(&user)).collect();
        urls.join(",")
    }

    /// Starts again programs that were killed long enough ago, and records those that
    /// ended by themselves.
    pub(crate) fn tend(&mut self) {
        for name in Name::all() {
            let Some(program) = self.programs.get_mut(&name) else {
                continue;
            };
            match program.state {
                State::Running => {
                    if let Some(status) = program.process.exit_status() {
                        program.state = State::Ended;
                        let log = program.process.log();
                        let last = log.lines().last().unwrap_or_default();
                        self.exits
                            .push(format!("{} ended by itself, {status}: {last}", name.text()));
                    }
                }
                State::Killed(at) if at.elapsed() >= RESTART_DELAY => self.start(name),
                State::Killed(_) | State::Ended => {}
            }
        }
    }

    /// Kills a program; [`System::tend`] starts it again.
    pub(crate) fn kill(&mut self, name: Name) {
        let Some(program) = self
            .programs
            .get_mut(&name)
            .filter(|p| p.state == State::Running)
        else {
            return;
        };
        program.process.kill();
        program.state = State::Killed(Instant::now());
        if let Name::Worker(_) = name {
            let text = self.runs_of(name);
            self.dead.push(Run {
                text,
                is_killed: true,
            });
        }
    }

    /// Freezes a program, or lets it continue.
    pub(crate) fn freeze(&mut self, name: Name, is_frozen: bool) {
        let program = self
            .programs
            .get(&name)
            .filter(|p| p.state == State::Running);
        match (program, is_frozen) {
            (Some(program), true) => program.process.stop(),
            (Some(program), false) => program.process.cont(),
            (None, _) => {}
        }
    }

    /// Cuts a server off from all others and from all programs but one dispatcher.
    pub(crate) fn isolate(&self, server: usize, except: Name, is_isolated: bool) {
        self.servers.isolate(server, is_isolated);
        let way = if is_isolated { Way::Held } else { Way::Open };
        for ((name, index), proxy) in &self.proxies {
            if *index == server && *name != except {
                proxy.set(way);
            }
        }
    }

    /// Returns the dispatcher that took the lease last and still runs.
    pub(crate) fn active(&self) -> Option<Name> {
        let taken = self.taken();
        let (_, _, name) = taken.last()?;
        let program = self.programs.get(name)?;
        (program.state == State::Running).then_some(*name)
    }

    /// Returns whether a dispatcher has reported since its start that it stands by.
    pub(crate) fn stands_by(&self, name: Name) -> bool {
        let Some(program) = self.programs.get(&name) else {
            return false;
        };
        let log = program.process.log();
        program.state == State::Running
            && log
                .get(program.log_start..)
                .is_some_and(|log| log.contains("standing_by"))
    }

    /// Returns the epochs that were taken, in order.
    pub(crate) fn epochs(&self) -> Vec<u64> {
        self.taken().iter().map(|(_, epoch, _)| *epoch).collect()
    }

    /// Returns the epochs with their times and dispatchers, from the logs, in order.
    fn taken(&self) -> Vec<(String, u64, Name)> {
        let mut taken = Vec::new();
        for (name, program) in &self.programs {
            let Name::Dispatcher(_) = name else {
                continue;
            };
            let log = program.process.log();
            for line in log.lines().filter(|line| line.contains("lease_taken")) {
                let time = line.split(' ').next().unwrap_or_default();
                let epoch = line.split("epoch=").nth(1).and_then(|rest| {
                    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                    digits.parse().ok()
                });
                taken.extend(epoch.map(|epoch| (time.to_owned(), epoch, *name)));
            }
        }
        taken.sort();
        taken
    }

    /// Returns the records of all workers so far.
    pub(crate) fn runs(&self) -> Vec<Run> {
        let alive = self.programs.iter().filter(|(name, program)| {
            matches!(name, Name::Worker(_)) && !matches!(program.state, State::Killed(_))
        });
        let alive = alive.map(|(name, _)| Run {
            text: self.runs_of(*name),
            is_killed: false,
        });
        self.dead.iter().cloned().chain(alive).collect()
    }

    fn runs_of(&self, name: Name) -> String {
        let boots = self.programs.get(&name).map_or(0, |program| program.boots);
        let path = self.directory().join(runs_file(name, boots));
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Returns whether every dispatcher ended by itself: no further event is possible.
    pub(crate) fn has_no_dispatcher(&self) -> bool {
        let programs = self.programs.iter();
        let mut dispatchers = programs.filter(|(name, _)| matches!(name, Name::Dispatcher(_)));
        dispatchers.all(|(_, program)| program.state == State::Ended)
    }

    pub(crate) fn exits(&self) -> &[String] {
        &self.exits
    }

    /// Returns whether living servers lead everything that jobs need.
    ///
    /// One server may be excluded.
    pub(crate) async fn is_healthy(&self, has_streams: bool, without: Option<usize>) -> bool {
        let counted = (0..self.servers.count()).filter(|index| Some(*index) != without);
        let asked = counted.map(|index| self.servers.leads(index));
        let leads: Vec<Leads> = join_all(asked).await.into_iter().flatten().collect();
        let mut needed = BTreeSet::from([Group::Meta]);
        if has_streams {
            let streams = ["ROLECAST_JOBS", "ROLECAST_RESULTS", "KV_ROLECAST_CONTROL"];
            needed.extend(streams.map(|stream| Group::Stream(stream.to_owned())));
            let known = leads.iter().flat_map(|leads| leads.known());
            needed.extend(known.filter(|group| is_consumer_of_jobs(group)).cloned());
        }
        needed
            .iter()
            .all(|group| leads.iter().any(|leads| leads.has(group)))
    }
}

fn is_consumer_of_jobs(group: &Group) -> bool {
    match group {
        Group::Consumer(stream, _) => stream == "ROLECAST_JOBS",
        Group::Meta | Group::Stream(_) => false,
    }
}

fn runs_file(name: Name, boots: usize) -> String {
    format!("runs-{}-{boots}.txt", name.text())
}

/// Returns the config of a worker. The jobs wait and take no resources. A long one may
/// fail once only: a lost node or server is no failure of the job.
fn config(index: usize, replicas: usize) -> String {
    format!(
        r#"
name = "d{}"
[streams]
replicas = {replicas}
[roles.leader]
holders = 1
[roles.follower]
[categories.short]
cpu = 0.01
memory = "1MiB"
duration = "200ms"
[categories.long]
cpu = 0.01
memory = "1MiB"
duration = "15s"
max_attempts = 1
[categories.lead]
roles = ["leader"]
cpu = 0.01
memory = "1MiB"
duration = "200ms"
[categories.bulk]
cpu = 0.01
memory = "2MiB"
duration = "20ms"
"#,
        index + 1
    )
}
