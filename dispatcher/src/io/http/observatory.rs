//! The observatory: a view of the dispatcher for readers on other threads.
//!
//! It lives as long as the process, whether the dispatcher connects, stands by or leads.
//! Snapshots are taken only while somebody asks for them, and readers within a second share
//! one, so the loop's work does not depend on their number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rolecast_common::id::{Epoch, NodeId};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{
    CapacityMap, DispatcherStatus, ForecastView, JobList, JobsRequest, RolesView, Status,
};
use rolecast_http::metrics::connection::Connection;
use rolecast_nats::{Clock, Link};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};

use crate::io::holder::Holder;
use crate::io::questions::{Asker, Lead, Pulse, Question, Unanswered};
use crate::io::{Streams, api};
use crate::metrics::{DispatcherFigures, Figures};

/// The age up to which a snapshot is shown.
const AGE_MAX: Duration = Duration::from_secs(1);
/// The same of the capacity map, which takes the loop longer; it changes with forecasts,
/// every ten seconds.
const MAP_AGE_MAX: Duration = Duration::from_secs(5);
/// Forecasts that the loop is asked for at once: a millisecond or so.
const FORECASTS_AT_ONCE: usize = 10;
/// Time in which the loop must answer: many of its turns, and more than the steps between
/// standing by and leading.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The dispatcher for readers; clones are one.
#[derive(Clone, Debug)]
pub(in crate::io) struct Observatory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: String,
    clock: Clock,
    /// Times that it took the lead, and connections that were given up.
    takeovers: AtomicU64,
    former_connections: AtomicU64,
    phase: watch::Sender<(Phase, WallTime)>,
    view: watch::Sender<Option<View>>,
    /// Answers show that the dispatcher's thread runs.
    heart: mpsc::Sender<oneshot::Sender<()>>,
    status: Kept<Status>,
    capacity: Kept<CapacityMap>,
    roles: Kept<RolesView>,
}

/// The part of its work in which a dispatcher is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::io) enum Phase {
    Connecting,
    /// It is connected and reads what is stored.
    Preparing,
    StandingBy,
    /// It took the lease and reads the jobs' histories.
    SettingUp,
    Leading(Epoch),
}

impl Phase {
    /// Returns its name for people and programs.
    pub(in crate::io) fn name(self) -> &'static str {
        match self {
            Phase::Connecting => "connecting",
            Phase::Preparing => "preparing",
            Phase::StandingBy => "standing by",
            Phase::SettingUp => "setting up",
            Phase::Leading(_) => "leading",
        }
    }
}

/// The ways to see what a dispatcher knows, for as long as it keeps a connection.
#[derive(Clone, Debug)]
pub(in crate::io) struct View {
    pub(in crate::io) asker: Asker,
    pub(in crate::io) streams: Streams,
    pub(in crate::io) link: watch::Receiver<Link>,
    pub(in crate::io) holder: watch::Receiver<Option<Holder>>,
    pub(in crate::io) dispatchers: watch::Receiver<Vec<DispatcherStatus>>,
}

/// The place of this dispatcher among all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::io) struct Standing {
    pub(in crate::io) phase: Phase,
    /// Time when the phase began.
    pub(in crate::io) since: WallTime,
    /// Whether there is a connection to NATS.
    pub(in crate::io) is_connected: bool,
    /// The dispatcher that the lease names; this one, or another.
    pub(in crate::io) holder: Option<Holder>,
}

impl Observatory {
    /// Returns the observatory of a dispatcher that begins to connect. The task that calls
    /// it belongs to the dispatcher's thread.
    pub(in crate::io) fn new(name: &str, clock: Clock) -> Self {
        let (heart, mut beats) = mpsc::channel::<oneshot::Sender<()>>(8);
        tokio::spawn(async move {
            while let Some(beat) = beats.recv().await {
                // Whoever asked may have gone.
                let _ = beat.send(());
            }
        });
        Self(Arc::new(Shared {
            name: name.to_owned(),
            clock,
            takeovers: AtomicU64::new(0),
            former_connections: AtomicU64::new(0),
            phase: watch::Sender::new((Phase::Connecting, clock.now().wall)),
            view: watch::Sender::new(None),
            heart,
            status: Kept::default(),
            capacity: Kept::default(),
            roles: Kept::default(),
        }))
    }

    /// Records the phase.
    pub(in crate::io) fn enter(&self, phase: Phase) {
        if matches!(phase, Phase::Leading(_)) {
            self.0.takeovers.fetch_add(1, Ordering::Relaxed);
        }
        let now = self.0.clock.now().wall;
        self.0.phase.send_if_modified(|present| {
            let is_new = present.0 != phase;
            if is_new {
                *present = (phase, now);
            }
            is_new
        });
    }

    /// Shows what another loop knows, from now on.
    pub(in crate::io) fn open(&self, view: View) {
        let link = view.link.clone();
        let former = self.0.view.send_replace(Some(view));
        // A dispatcher that stands by again keeps its connection.
        let former = former.filter(|former| !former.link.same_channel(&link));
        if let Some(former) = former {
            let made = former.link.borrow().number;
            self.0.former_connections.fetch_add(made, Ordering::Relaxed);
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the time of the wall clock.
    pub(super) fn now(&self) -> WallTime {
        self.0.clock.now().wall
    }

    pub(in crate::io) fn standing(&self) -> Standing {
        let (phase, since) = *self.0.phase.borrow();
        let view = self.view();
        let view = view.filter(|_| phase != Phase::Connecting);
        Standing {
            phase,
            since,
            is_connected: view.as_ref().is_some_and(|view| view.link.borrow().is_up),
            holder: view.and_then(|view| view.holder.borrow().clone()),
        }
    }

    /// Returns the whole status with all nodes, at most a second old; `None` if no loop
    /// answers, as before it is connected.
    pub(in crate::io) async fn status(&self) -> Option<Arc<Status>> {
        let take = async |view: View| {
            let (mut status, _) = view.asker.status().await?;
            if view.link.borrow().is_up {
                api::add_stored(&view.streams, &mut status).await;
            } else {
                status.unread = Some("there is no connection to NATS".to_owned());
            }
            status.dispatchers.clone_from(&view.dispatchers.borrow());
            Ok(status)
        };
        self.kept(&self.0.status, AGE_MAX, take).await
    }

    /// Returns the role capacity map, some seconds old.
    pub(in crate::io) async fn capacity(&self) -> Option<Arc<CapacityMap>> {
        let take = async |view: View| view.asker.ask(Question::Capacity).await;
        self.kept(&self.0.capacity, MAP_AGE_MAX, take).await
    }

    /// Returns the managed roles, at most a second old; `None` also before their holders
    /// are known, as on a standby.
    pub(in crate::io) async fn roles(&self) -> Option<Arc<RolesView>> {
        let take = async |view: View| {
            let roles = view.asker.ask(Question::Roles).await?;
            roles.ok_or(Unanswered)
        };
        self.kept(&self.0.roles, AGE_MAX, take).await
    }

    /// Returns the forecasts of nodes, a few at a time; of those that could be asked for.
    pub(super) async fn forecasts(&self, nodes: &[NodeId]) -> Vec<ForecastView> {
        let mut views = Vec::new();
        let Some(view) = self.view() else {
            return views;
        };
        for few in nodes.chunks(FORECASTS_AT_ONCE) {
            let asked = view
                .asker
                .ask(|answer| Question::Forecasts(few.to_vec(), answer));
            match timeout(ANSWER_LIMIT, asked).await {
                Ok(Ok(more)) => views.extend(more),
                Ok(Err(_)) | Err(_) => break,
            }
        }
        views
    }

    /// Returns a list of jobs, and the time that it took the loop.
    pub(super) async fn jobs(&self, asked: JobsRequest) -> Option<(JobList, Duration)> {
        let asker = self.view()?.asker;
        let list = asker.ask(|answer| Question::Jobs(asked, answer));
        timeout(ANSWER_LIMIT, list).await.ok()?.ok()
    }

    /// Returns the signs of life of the loop; `None` within it if there is no loop yet.
    pub(super) async fn pulse(&self) -> Result<Option<Pulse>, Unanswered> {
        let pulse = async {
            let (sender, beat) = oneshot::channel();
            let sent = self.0.heart.send(sender).await;
            sent.map_err(|_| Unanswered)?;
            beat.await.map_err(|_| Unanswered)?;
            match self.view() {
                None => Ok(None),
                // A loop that has ended is followed by another one.
                Some(view) => Ok(view.asker.ask(Question::Pulse).await.ok()),
            }
        };
        let answered = timeout(ANSWER_LIMIT, pulse).await;
        answered.unwrap_or(Err(Unanswered))
    }

    /// Returns the figures of the dispatcher among others; `pulse` is what the loop answered.
    pub(super) fn figures(&self, pulse: Option<Pulse>, is_ready: bool) -> DispatcherFigures {
        let shared = &self.0;
        let standing = self.standing();
        let made = self.view().map_or(0, |view| view.link.borrow().number);
        let lead = pulse.map_or(Lead::Standby, |pulse| pulse.lead);
        DispatcherFigures {
            name: shared.name.clone(),
            connection: Connection {
                is_up: standing.is_connected,
                made: made + shared.former_connections.load(Ordering::Relaxed),
            },
            is_ready,
            lease_left: match lead {
                Lead::Held(until) => Some(until.since(shared.clock.now().time)),
                Lead::Standby | Lead::Lapsed => None,
            },
            epoch: standing.holder.map(|holder| holder.epoch.get()),
            takeovers: shared.takeovers.load(Ordering::Relaxed),
        }
    }

    /// Returns all that the loop counts; `None` while there is no loop.
    pub(super) async fn counted(&self) -> Option<Figures> {
        let asked = self.view()?.asker;
        let asked = asked.ask(Question::Figures);
        timeout(ANSWER_LIMIT, asked).await.ok()?.ok()
    }

    pub(super) fn view(&self) -> Option<View> {
        self.0.view.borrow().clone()
    }

    async fn kept<T>(
        &self,
        kept: &Kept<T>,
        age_max: Duration,
        take: impl AsyncFnOnce(View) -> Result<T, Unanswered>,
    ) -> Option<Arc<T>> {
        let view = self.view()?;
        let taken = kept.get(age_max, take(view));
        timeout(ANSWER_LIMIT, taken).await.ok()?
    }
}

/// The last answer to a question, for all who ask it soon after.
#[derive(Debug)]
struct Kept<T>(Mutex<Option<(Instant, Arc<T>)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Kept<T> {
    /// Returns the last answer if it is young enough; otherwise the one that `take` gives.
    /// Those who ask meanwhile wait for that one.
    async fn get(
        &self,
        age_max: Duration,
        take: impl Future<Output = Result<T, Unanswered>>,
    ) -> Option<Arc<T>> {
        let mut last = self.0.lock().await;
        let young = last.as_ref().filter(|(at, _)| at.elapsed() < age_max);
        if let Some((_, answer)) = young {
            return Some(Arc::clone(answer));
        }
        let at = Instant::now();
        *last = take.await.ok().map(|answer| (at, Arc::new(answer)));
        last.as_ref().map(|(_, answer)| Arc::clone(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn readers_within_a_second_share_one_answer() {
        let kept = Kept::default();
        let get = |number: u32| {
            let kept = &kept;
            async move {
                kept.get(AGE_MAX, async { Ok(number) })
                    .await
                    .map(|answer| *answer)
            }
        };
        assert_eq!(get(1).await, Some(1));
        tokio::time::advance(Duration::from_millis(900)).await;
        assert_eq!(get(2).await, Some(1));
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(get(3).await, Some(3));
        tokio::time::advance(AGE_MAX).await;
        assert_eq!(kept.get(AGE_MAX, async { Err(Unanswered) }).await, None);
        assert_eq!(get(5).await, Some(5));
    }
}
