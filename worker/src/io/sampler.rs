//! Measures the use of resources every second, and at once when others changed it.
//!
//! It has a thread of its own: reading the system may be slow and must not delay jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rolecast_common::unit::{Bytes, Resources};
use rolecast_common::wire::Usage;
use tokio::sync::watch;

use super::gauge::Gauge;
use super::processes::Table;
use crate::config::Capacity;
use crate::host::{Cgroup, Host, host_pressure};
use crate::usage::jobs::{Spent, Tracker};
use crate::usage::part::{self, CpuTime, Level};
use crate::usage::process::{Process, trees};
use crate::usage::{Counters, Scope, Snapshot, between, has_moved};

const INTERVAL: Duration = Duration::from_secs(1);
/// Interval of readings of the CPU alone; sysinfo counts nothing shorter.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// The first reading is sooner, because the first heartbeat waits for it; a shorter
/// interval would hold too few clock ticks (sysinfo asks for 200 ms).
const FIRST_INTERVAL: Duration = Duration::from_millis(250);

/// A running sampler; dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Sampler {
    pub(super) capacity: Resources,
    /// The last reading; `None` before the first.
    pub(super) usage: watch::Receiver<Option<Usage>>,
    _stop: mpsc::Sender<()>,
}

impl Sampler {
    /// Determines the capacity and starts measuring; with `reports_changes` not only every
    /// second but also when the CPU that others use has changed.
    pub(super) fn start(
        meter: Meter,
        capacity: Capacity,
        reports_changes: bool,
    ) -> anyhow::Result<Self> {
        let found = meter.capacity;
        let capacity = Resources {
            cpu: capacity.cpu.unwrap_or(found.cpu),
            memory: capacity.memory.unwrap_or(found.memory),
            network: capacity.network.unwrap_or(found.network),
            disk: capacity.disk.unwrap_or(found.disk),
        };
        // Within its own process a worker has no others.
        let interval = match meter.scope {
            Scope::Host | Scope::Cgroup if reports_changes => CHECK_INTERVAL,
            Scope::Host | Scope::Cgroup | Scope::Process => INTERVAL,
        };
        let (sender, usage) = watch::channel(None);
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("usage".to_owned());
        thread
            .spawn(move || measure(meter, capacity, interval, &stopped, &sender))
            .context("cannot start the thread that measures")?;
        Ok(Self {
            capacity,
            usage,
            _stop: stop,
        })
    }
}

/// Measures the use repeatedly until it is to stop.
fn measure(
    mut meter: Meter,
    capacity: Resources,
    interval: Duration,
    stopped: &mpsc::Receiver<()>,
    sender: &watch::Sender<Option<Usage>>,
) {
    let mut reported = Usage::default();
    let mut earlier = Reading::new(meter.read());
    let mut checked = earlier;
    let (mut wait, mut due) = (FIRST_INTERVAL, FIRST_INTERVAL);
    while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        let is_due = earlier.at.elapsed() >= due;
        if !is_due {
            let check = Reading::new(meter.read_cpu());
            if !has_moved(&reported, &check.since(&checked, capacity), capacity) {
                checked = check;
                continue;
            }
            // A check may count a new process of a job among others, so a change is
            // reported from a whole reading.
        }
        let later = Reading::new(meter.read());
        let mut usage = later.since(&earlier, capacity);
        if !is_due {
            // A recent change must not be averaged with the use before it.
            let recent = later.since(&checked, capacity);
            usage.total.cpu = recent.total.cpu;
            usage.jobs.cpu = recent.jobs.cpu;
        }
        sender.send_replace(Some(usage));
        reported = usage;
        earlier = later;
        checked = later;
        (wait, due) = (interval, INTERVAL);
    }
}

/// A snapshot and the time when it was complete.
#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    snapshot: Snapshot,
}

impl Reading {
    fn new(snapshot: Snapshot) -> Self {
        let at = Instant::now();
        Self { at, snapshot }
    }

    fn since(&self, earlier: &Reading, capacity: Resources) -> Usage {
        let length = self.at - earlier.at;
        between(&earlier.snapshot, &self.snapshot, length, capacity)
    }
}

/// Reads one snapshot after another.
#[derive(Debug)]
pub(super) struct Meter {
    scope: Scope,
    has_handlers: bool,
    host: Host,
    /// The control group that is measured, or that limits the use of the host.
    cgroup: Option<Cgroup>,
    /// The part of the host that may be used, if that is less than all of it.
    part: Option<Part>,
    capacity: Resources,
    table: Table,
    gauge: Arc<Gauge>,
    tracker: Tracker,
    /// The processes of the commands, as far as they were seen.
    members: BTreeSet<u32>,
    /// The memory of this process when no handler was at work.
    idle_memory: Option<Bytes>,
}

impl Meter {
    pub(super) fn new(scope: Scope, has_handlers: bool, gauge: Arc<Gauge>) -> anyhow::Result<Self> {
        let mut cgroup = match scope {
            Scope::Cgroup => Some(Cgroup::find()?),
            // In every scope, no more can be used than the group may.
            Scope::Host | Scope::Process => Cgroup::find().ok(),
        };
        let host = Host::usable()?;
        let mut capacity = host.capacity();
        if let Some(cgroup) = &mut cgroup {
            cgroup.measure_at_limits(host.capacity());
            capacity = cgroup.limit(capacity);
        }
        let part = match scope {
            Scope::Host => Part::new(host.capacity(), capacity),
            Scope::Cgroup | Scope::Process => None,
        };
        Ok(Self {
            scope,
            has_handlers,
            host,
            cgroup,
            part,
            capacity,
            table: Table::new()?,
            gauge,
            tracker: Tracker::default(),
            members: BTreeSet::new(),
            idle_memory: None,
        })
    }

    /// Returns the part of the host's use that counts within the part that may be used.
    fn host_cpu(&mut self) -> Duration {
        let cpu = self.host.cpu();
        let (Some(part), Some(cgroup)) = (&mut self.part, &self.cgroup) else {
            return cpu;
        };
        part.cpu(cpu, || cgroup.cpu())
    }

    /// Returns the same for its memory.
    fn host_memory(&mut self) -> Bytes {
        let memory = self.host.memory();
        let (Some(part), Some(cgroup)) = (&self.part, &self.cgroup) else {
            return memory;
        };
        part.memory(memory, || cgroup.memory())
    }

    fn read(&mut self) -> Snapshot {
        let commands = self.gauge.take();
        let needs_table = self.scope == Scope::Process || !commands.running.is_empty();
        let processes = if needs_table {
            self.table.all()
        } else {
            Vec::new()
        };
        let running = self.spent(&processes, &commands.running);
        self.tracker.update(&commands.ended, &running);
        let total = match self.scope {
            Scope::Host => Counters {
                cpu: self.host_cpu(),
                memory: self.host_memory(),
                network: self.host.network(),
                disk: self.host.disk(),
            },
            Scope::Cgroup => {
                let network = self.host.network();
                let cgroup = self.cgroup.as_ref();
                cgroup.map_or_else(Counters::default, |cgroup| cgroup.read(network))
            }
            Scope::Process => self.own_tree(&processes),
        };
        Snapshot {
            total,
            jobs: self.jobs(),
            pressure: match self.scope {
                Scope::Host => host_pressure(),
                Scope::Cgroup => self.cgroup.as_ref().and_then(Cgroup::pressure),
                // The system does not report it for single processes.
                Scope::Process => None,
            },
        }
    }

    /// Reads CPU time only, and for commands that of the known processes.
    fn read_cpu(&mut self) -> Snapshot {
        let commands = self.gauge.take();
        let known = self.members.union(&commands.running);
        let processes: Vec<Process> = known.filter_map(|id| self.table.one(*id)).collect();
        let running = self.spent(&processes, &commands.running);
        self.tracker.update(&commands.ended, &running);
        let cpu = match (self.scope, &self.cgroup) {
            (Scope::Cgroup, Some(cgroup)) => cgroup.cpu().unwrap_or_default(),
            (Scope::Cgroup | Scope::Host | Scope::Process, _) => self.host_cpu(),
        };
        Snapshot {
            total: Counters {
                cpu,
                ..Counters::default()
            },
            jobs: self.jobs(),
            pressure: None,
        }
    }

    /// Sums the use of each tree of processes.
    fn spent(&mut self, processes: &[Process], roots: &BTreeSet<u32>) -> BTreeMap<u32, Spent> {
        let by_id: BTreeMap<u32, &Process> = processes.iter().map(|p| (p.id, p)).collect();
        let mut spent = BTreeMap::<u32, Spent>::new();
        self.members.clear();
        for (root, members) in trees(processes, roots) {
            self.members.extend(&members);
            let sum = spent.entry(root).or_default();
            for member in members {
                let process = by_id[&member];
                sum.cpu += process.cpu;
                sum.memory += process.memory;
                sum.disk += self.table.disk(member);
            }
        }
        spent
    }

    /// Returns the use of this process and its descendants. The system does not report
    /// their network use.
    fn own_tree(&mut self, processes: &[Process]) -> Counters {
        let own = std::process::id();
        let spent = self.spent(processes, &BTreeSet::from([own]));
        let spent = spent.get(&own).copied().unwrap_or_default();
        Counters {
            cpu: spent.cpu,
            memory: spent.memory,
            network: Bytes::ZERO,
            disk: spent.disk,
        }
    }

    /// Returns the jobs' share: for commands their processes, for handlers this one.
    fn jobs(&mut self) -> Counters {
        let commands = self.tracker.counters();
        if !self.has_handlers {
            return commands;
        }
        let own = std::process::id();
        let Some(process) = self.table.one(own) else {
            return commands;
        };
        // The memory of the program between jobs is its own, not a job's.
        let idle_memory = self.idle_memory.get_or_insert(process.memory);
        if self.gauge.handlers() == 0 {
            *idle_memory = process.memory;
        }
        Counters {
            cpu: commands.cpu + process.cpu,
            memory: commands.memory + process.memory.minus(*idle_memory),
            network: Bytes::ZERO,
            disk: commands.disk + self.table.disk(own),
        }
    }
}

/// A part of the host, by the limits of a control group.
#[derive(Debug)]
struct Part {
    host: Resources,
    limit: Resources,
    cpu: CpuTime,
    checked: Instant,
}

impl Part {
    /// Returns `None` if nothing is limited.
    fn new(host: Resources, limit: Resources) -> Option<Self> {
        let is_part = limit.cpu < host.cpu || limit.memory < host.memory;
        is_part.then(|| Self {
            host,
            limit,
            cpu: CpuTime::new(host.cpu, limit.cpu),
            checked: Instant::now(),
        })
    }

    fn cpu(&mut self, host: Duration, group: impl FnOnce() -> Option<Duration>) -> Duration {
        if self.limit.cpu >= self.host.cpu {
            return host;
        }
        let now = Instant::now();
        let length = now - std::mem::replace(&mut self.checked, now);
        self.cpu.advance(length, host, group())
    }

    fn memory(&self, host: Bytes, group: impl FnOnce() -> Option<Bytes>) -> Bytes {
        if self.limit.memory >= self.host.memory {
            return host;
        }
        let level = |capacity, used| Level { capacity, used };
        let group = group().unwrap_or_default();
        part::memory(
            level(self.host.memory, host),
            level(self.limit.memory, group),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;

    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn the_use_of_a_running_command_is_the_jobs_share() {
        let gauge = Arc::new(Gauge::default());
        let script = "while :; do :; done";
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", script])
            .spawn()
            .unwrap();
        gauge.command_started(child.id());
        let meter = Meter::new(Scope::Process, false, gauge).unwrap();
        let sampler = Sampler::start(meter, Capacity::default(), false);
        let mut usage = sampler.as_ref().unwrap().usage.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let seen = runtime.block_on(
            usage.wait_for(|usage| usage.is_some_and(|usage| usage.jobs.cpu.get() > 0.05)),
        );
        let seen = seen.unwrap().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(seen.jobs.memory > Bytes::ZERO && seen.total.memory > seen.jobs.memory);
    }

    #[test]
    fn a_look_knows_the_children_of_commands_that_a_reading_found() {
        let gauge = Arc::new(Gauge::default());
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "(while :; do :; done) & wait"])
            .process_group(0)
            .spawn()
            .unwrap();
        gauge.command_started(child.id());
        let mut meter = Meter::new(Scope::Host, false, gauge).unwrap();
        let start = Instant::now();
        let mut until_more = |read: fn(&mut Meter) -> Snapshot, before: Duration| {
            loop {
                let cpu = read(&mut meter).jobs.cpu;
                if cpu > before || start.elapsed() > Duration::from_secs(10) {
                    return cpu;
                }
            }
        };
        let found = until_more(Meter::read, Duration::ZERO);
        let checked = until_more(Meter::read_cpu, found);
        let group = i32::try_from(child.id()).unwrap();
        killpg(Pid::from_raw(group), Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        assert!(checked > found && !found.is_zero(), "{found:?} {checked:?}");
    }
}
