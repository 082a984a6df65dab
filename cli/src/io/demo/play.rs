//! Submits the jobs, watches them end, and kills a worker halfway.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use async_nats::{Client, Message};
use futures_util::StreamExt as _;
use rolecast_common::id::JobId;
use rolecast_common::subjects;
use rolecast_common::wire::{self, Encoding, Heartbeat};
use rolecast_nats::Clock;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::super::failure::Failure;
use super::super::session::Session;
use super::super::terminal::Terminal;
use super::Played;
use super::cluster::Cluster;
use super::display::Display;
use super::load::submit_all;
use super::own_load::OwnLoads;
use crate::demo::corpus::Corpus;
use crate::demo::fate::Kill;
use crate::demo::fleet::COMPRESS;
use crate::demo::plan::Planned;
use crate::demo::progress::Progress;
use crate::style::Tone;

const DRAW_EVERY: Duration = Duration::from_millis(100);
/// The longest time without the end of a job: one takes a tenth of a second, a lost one
/// is started again after three.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Silence after which the records are read, because announcements may be lost.
const CHECK_AFTER: Duration = Duration::from_secs(2);
/// The number of the longest jobs that a worker should have in hand to be a good example:
/// few of them end between its heartbeat and its end.
const IN_HAND_WANTED: usize = 2;
/// Time after which any worker with a job in hand is chosen.
const CHOOSY_MAX: Duration = Duration::from_secs(3);

/// Settings of the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Show<'a> {
    pub(super) session: &'a Session,
    pub(super) audience: &'a Client,
    pub(super) terminal: &'a Terminal,
    /// Whether a worker is killed.
    pub(super) kills: bool,
}

/// State of the run.
struct Scene {
    progress: Progress,
    /// Jobs that require a node and have not ended: without it they never would.
    pinned: BTreeSet<JobId>,
    /// Submissions after which a worker is killed.
    kill_after: u64,
    /// The time when they were reached.
    kill_time: Option<Instant>,
    kill: Option<Kill>,
    last_end: Instant,
    clock: Clock,
}

impl Show<'_> {
    /// Returns when every job has ended, according to the announcements.
    pub(super) async fn play(
        self,
        plan: &[Planned],
        corpus: Corpus,
        cluster: &mut Cluster,
    ) -> Result<Played, Failure> {
        let client = &self.session.connection.client;
        let mut results = client.subscribe(subjects::RESULTS).await?;
        let mut heartbeats = self.audience.subscribe(subjects::HEARTBEATS).await?;
        client.flush().await?;
        let start = Instant::now();
        let mut own_loads = OwnLoads::new(cluster, start, plan.len());
        let (mut load, mut stored) = self.submit(plan, corpus);
        let mut scene = Scene::new(plan);
        let mut display = Display::new(self.terminal, &scene.progress);
        let mut ticks = interval(DRAW_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !scene.progress.is_done() {
            tokio::select! {
                Some(category) = stored.recv() => scene.progress.submitted(category),
                Some(ended) = load.join_next() => ended.context("submitting panicked")??,
                Some(message) = results.next() => scene.ended(&message),
                Some(message) = heartbeats.next() => {
                    let killed = scene.heartbeat(&message, self.kills, cluster)?;
                    if let Some(text) = killed {
                        display.print_line(Tone::Warning, &text);
                    }
                }
                _ = ticks.tick() => {
                    cluster.check()?;
                    self.look(&mut scene, cluster).await?;
                    for (node, is_on) in own_loads.turn() {
                        let verb = if is_on { "begins" } else { "ends" };
                        let text = format!("work of its own {verb} on {node}");
                        display.print_line(Tone::Faint, &text);
                    }
                }
            }
            display.update(&scene.progress);
        }
        display.finish();
        if self.kills && scene.kill.is_none() {
            let text = "no worker had jobs in hand at the right moment, so none was killed";
            display.print_line(Tone::Warning, text);
        }
        Ok(Played {
            took: scene.last_end - start,
            kill: scene.kill,
        })
    }

    fn submit(
        self,
        plan: &[Planned],
        corpus: Corpus,
    ) -> (JoinSet<anyhow::Result<()>>, UnboundedReceiver<&'static str>) {
        // As many messages as jobs, each a pointer.
        let (sender, stored) = unbounded_channel();
        let mut load = JoinSet::new();
        let jetstream = self.session.jetstream.clone();
        load.spawn(submit_all(jetstream, plan.to_vec(), corpus, sender));
        (load, stored)
    }

    /// Reads the records after a silence; gives up when no job ends at all.
    async fn look(self, scene: &mut Scene, cluster: &Cluster) -> Result<(), Failure> {
        let silence = scene.last_end.elapsed();
        if silence < CHECK_AFTER {
            return Ok(());
        }
        // A few are enough: if they have ended, the silence is over.
        let open: Vec<JobId> = scene.progress.open().take(20).cloned().collect();
        for job in &open {
            if self.session.record(job).await?.is_some() {
                scene.note_end(job);
            }
        }
        if scene.last_end.elapsed() < SILENCE_MAX {
            return Ok(());
        }
        let names: Vec<&str> = open.iter().take(5).map(JobId::as_str).collect();
        let count = scene.progress.open().count();
        Err(anyhow!(
            "no job has ended for {} s; {count} are open: {} ...\n{}",
            SILENCE_MAX.as_secs(),
            names.join(", "),
            cluster.log_tail("dispatcher"),
        )
        .into())
    }
}

impl Scene {
    fn new(plan: &[Planned]) -> Self {
        let progress = Progress::new(plan);
        let planned = progress.total().planned;
        let pinned = plan.iter().filter(|planned| planned.node.is_some());
        Self {
            progress,
            pinned: pinned.map(|planned| planned.job.clone()).collect(),
            // While the last part, which is submitted together, is processed.
            kill_after: planned * 9 / 10,
            kill_time: None,
            kill: None,
            last_end: Instant::now(),
            clock: Clock::new(),
        }
    }

    fn ended(&mut self, message: &Message) {
        let job = message.subject.rsplit('.').next().unwrap_or_default();
        if let Ok(job) = JobId::new(job) {
            self.note_end(&job);
        }
    }

    fn note_end(&mut self, job: &JobId) {
        self.progress.ended(job);
        self.pinned.remove(job);
        self.last_end = Instant::now();
    }

    fn is_victim(&mut self, beat: &Heartbeat) -> bool {
        if self.progress.total().submitted < self.kill_after || !self.pinned.is_empty() {
            return false;
        }
        let since = *self.kill_time.get_or_insert_with(Instant::now);
        let longest = beat
            .jobs
            .iter()
            .filter(|job| job.category().as_str() == COMPRESS.category);
        longest.count() >= IN_HAND_WANTED || (since.elapsed() > CHOOSY_MAX && !beat.jobs.is_empty())
    }

    /// Records the jobs in hand of a node; kills it, if that is due, and prints that.
    fn heartbeat(
        &mut self,
        message: &Message,
        kills: bool,
        cluster: &mut Cluster,
    ) -> anyhow::Result<Option<String>> {
        let beat: Heartbeat = wire::decode(Encoding::MessagePack, &message.payload)
            .context("cannot read a heartbeat")?;
        self.progress.heartbeat(&beat.node, beat.jobs.len());
        if !kills || self.kill.is_some() || !self.is_victim(&beat) {
            return Ok(None);
        }
        // At once, while the heartbeat is still correct.
        let status = cluster.kill(beat.node.as_str())?;
        let in_hand: Vec<JobId> = beat.jobs.iter().map(|job| job.job().clone()).collect();
        let names: Vec<&str> = in_hand.iter().map(JobId::as_str).collect();
        let text = format!(
            "killed {} ({status}) with {} in hand",
            beat.node,
            names.join(", ")
        );
        self.progress.killed(&beat.node);
        self.kill = Some(Kill {
            node: beat.node,
            at: self.clock.now().wall,
            in_hand,
        });
        Ok(Some(text))
    }
}
