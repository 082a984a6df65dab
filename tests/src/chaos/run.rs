//! Run of a row, from its first server to its verdict.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_nats::Client;

use super::ledger::{Acked, running};
use super::load::{Load, Submission, millis, now};
use super::plan::Plan;
use super::row::{Fault, Party, Row};
use super::system::{self, Name, System, WORKERS};
use super::verdict::{Evidence, Verdict};
use super::watch::Watch;
use crate::servers::Options;

/// Interval of checks of programs, servers and conditions.
const TICK: Duration = Duration::from_millis(25);
/// Time limit for the first job to complete.
const START_LIMIT: Duration = Duration::from_secs(90);
/// Size of a store that is full after a few hundred large jobs; room for all buckets and
/// decisions must be left beside them.
const FULL_STORE: &str = "max_file_store: 640MB";
/// Libraries that set a clock wrong, where systems have them.
const SKEW_LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
];

/// Settings of all rows.
#[derive(Clone, Debug)]
pub struct Settings {
    pub seed: u64,
    /// Short jobs a second.
    pub rate: u64,
    pub is_quick: bool,
    /// Directory of the programs; by default that of this one.
    pub binaries: Option<PathBuf>,
    /// Whether the second dispatcher is started only when the first one leads.
    pub starts_apart: bool,
    /// Directory to which the logs of each row are copied.
    pub logs: Option<PathBuf>,
    /// Time limit for acknowledged jobs to be recorded after the load's end.
    pub settle_limit: Duration,
}

/// A row while it runs.
pub(super) struct Running {
    pub(super) system: System,
    pub(super) load: Load,
    pub(super) is_store_lost: bool,
    watch: Watch,
    healthy: Vec<i64>,
    /// The condition under which the servers count as healthy, while they are not.
    awaited: Option<Awaited>,
    remarks: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Awaited {
    has_streams: bool,
    without: Option<usize>,
}

/// Runs one row; returns the reason if this machine cannot.
pub async fn run(row: &Row, settings: &Settings) -> Result<Verdict, String> {
    let plan = Plan::of(row, settings.seed, settings.is_quick);
    let system = System::new(system_plan(row, settings)?).await;
    // The observers are never on the side that is cut off.
    let client = system.servers.client().await;
    let started = millis(now());
    let mut running = Running::start(system, client, settings);
    running.start_programs(settings).await;
    let is_up = running.pass_until(START_LIMIT, |running| {
        running.has_completed() || running.system.has_no_dispatcher()
    });
    let mut evidence = Evidence::default();
    evidence.moments.started = started;
    if is_up.await && running.has_completed() {
        running.load_and_fault(row, &plan, &mut evidence).await;
    } else {
        running.remark("no job was completed".to_owned());
        evidence.moments.fault = millis(now());
    }
    Ok(running.judge(row, settings, evidence).await)
}

fn system_plan(row: &Row, settings: &Settings) -> Result<system::Plan, String> {
    let (skewed, skew_library) = match row.fault {
        Fault::Skew(party) => {
            let library = SKEW_LIBRARIES
                .iter()
                .map(PathBuf::from)
                .find(|path| path.exists());
            let library = library.ok_or("there is no libfaketime (package faketime)")?;
            let skewed = match party {
                Party::Worker => vec![Name::Worker(0)],
                Party::Dispatchers => vec![Name::Dispatcher(0), Name::Dispatcher(1)],
            };
            (skewed, Some(library))
        }
        Fault::Server(..)
        | Fault::Servers(_)
        | Fault::Wipe
        | Fault::Full
        | Fault::Partition
        | Fault::Dispatcher(_)
        | Fault::Worker
        | Fault::Programs
        | Fault::ServerAndDispatcher(_)
        | Fault::SlowDisk => (Vec::new(), None),
    };
    let is_full = row.fault == Fault::Full;
    Ok(system::Plan {
        servers: Options {
            jetstream: if is_full { FULL_STORE } else { "" }.to_owned(),
            has_links: row.has_links(),
            ..Options::replicas(row.replicas)
        },
        binaries: settings.binaries.clone(),
        has_proxies: row.fault == Fault::Partition,
        skewed,
        skew_library,
    })
}

impl Running {
    fn start(system: System, client: Client, settings: &Settings) -> Running {
        let watch = Watch::start(&client);
        Running {
            system,
            load: Load::start(client, settings.rate, settings.seed),
            is_store_lost: false,
            watch,
            healthy: Vec::new(),
            awaited: None,
            remarks: Vec::new(),
        }
    }

    async fn start_programs(&mut self, settings: &Settings) {
        for index in 0..WORKERS {
            self.system.start(Name::Worker(index));
        }
        self.system.start(Name::Dispatcher(0));
        if settings.starts_apart {
            self.pass_until(START_LIMIT, |running| running.system.active().is_some())
                .await;
        }
        self.system.start(Name::Dispatcher(1));
    }

    async fn load_and_fault(&mut self, row: &Row, plan: &Plan, evidence: &mut Evidence) {
        self.pass(plan.warm / 2).await;
        for (number, length) in plan.long.iter().enumerate() {
            self.load.submit(long(number, *length));
        }
        self.pass(plan.warm / 2).await;
        evidence.running_at_fault = running(&self.system.runs());
        evidence.moments.fault = millis(now());
        self.inject(row.fault, plan).await;
        self.pass(plan.calm).await;
    }

    /// Lets time pass, while programs that were killed are started again.
    pub(super) async fn pass(&mut self, length: Duration) {
        self.pass_until(length, |_| false).await;
    }

    /// Lets time pass until the condition holds; returns false if it does not by the limit.
    pub(super) async fn pass_until(
        &mut self,
        limit: Duration,
        mut condition: impl FnMut(&mut Running) -> bool,
    ) -> bool {
        let start = Instant::now();
        loop {
            if condition(self) {
                return true;
            }
            if start.elapsed() >= limit {
                return false;
            }
            self.system.tend();
            self.look_for_health().await;
            tokio::time::sleep(TICK).await;
        }
    }

    /// Starts the search for the moment at which the servers are healthy: each stream and
    /// consumer that jobs need has a leader that lives, or, if no streams exist any more,
    /// the servers have one.
    pub(super) fn expect_healthy(&mut self, has_streams: bool) {
        self.awaited = Some(Awaited {
            has_streams,
            without: None,
        });
    }

    /// The same, without one server.
    pub(super) fn expect_healthy_without(&mut self, server: usize) {
        self.awaited = Some(Awaited {
            has_streams: true,
            without: Some(server),
        });
    }

    async fn look_for_health(&mut self) {
        let Some(awaited) = self.awaited else {
            return;
        };
        if self
            .system
            .is_healthy(awaited.has_streams, awaited.without)
            .await
        {
            self.healthy.push(millis(now()));
            self.awaited = None;
        }
    }

    pub(super) fn remark(&mut self, text: String) {
        self.remarks.push(text);
    }

    fn has_completed(&self) -> bool {
        self.watch
            .with_records(|records| records.all().next().is_some())
    }

    fn has_settled(&self, acked: &Acked) -> bool {
        self.watch.with_records(|records| {
            let recorded = records.jobs();
            acked.jobs().all(|job| recorded.contains(job))
        })
    }

    async fn judge(mut self, row: &Row, settings: &Settings, mut evidence: Evidence) -> Verdict {
        evidence.moments.load_end = millis(now());
        let acked = self.stop_load().await;
        let start = Instant::now();
        let is_over =
            |running: &Running| running.has_settled(&acked) || running.system.has_no_dispatcher();
        while !is_over(&self) && start.elapsed() < settings.settle_limit {
            self.pass(4 * TICK).await;
        }
        evidence.acked = acked;
        evidence.moments.end = millis(now());
        evidence.records = self.watch.records();
        evidence.left = self.watch.left().await.unwrap_or(0);
        evidence.results = self.watch.results().await.unwrap_or_default();
        evidence.holders = self.watch.holders();
        evidence.runs = self.system.runs();
        evidence.exits = self.system.exits().to_vec();
        evidence.epochs = self.system.epochs();
        if self.awaited.is_some() {
            self.remark("the servers were not found healthy again".to_owned());
        }
        if self.is_store_lost {
            // Epochs are kept in the store: they start again from the beginning.
            evidence.epochs.clear();
        }
        evidence.moments.healthy = std::mem::take(&mut self.healthy);
        let mut verdict = Verdict::of(*row, &evidence);
        verdict.remarks.append(&mut self.remarks);
        if let Some(logs) = &settings.logs {
            let copied = copy_logs(self.system.directory(), &logs.join(row.name));
            verdict
                .remarks
                .extend(copied.err().map(|error| format!("logs: {error}")));
        }
        verdict
    }

    async fn stop_load(&mut self) -> Acked {
        self.load.end();
        let load_limit = super::load::LAST_LIMIT;
        self.pass_until(load_limit, |running| running.load.is_idle())
            .await;
        self.load.give_up()
    }
}

fn long(number: usize, length: Duration) -> Submission {
    Submission {
        id: format!("long-{number}"),
        subject: "rolecast.jobs.long".to_owned(),
        payload: length.as_millis().to_string().into(),
        has_deadline: true,
    }
}

/// Copies the output of programs and workers.
fn copy_logs(from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let is_log = path
            .extension()
            .is_some_and(|end| end == "log" || end == "txt");
        if let Some(name) = path.file_name().filter(|_| is_log) {
            std::fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
