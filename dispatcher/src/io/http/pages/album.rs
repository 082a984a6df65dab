//! Pictures for the page, and their renderings: one for all viewers of an address.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use rolecast_common::id::NodeId;
use rolecast_common::unit::Resources;
use rolecast_common::wire::{CloudEvent, ForecastView, JobList, JobState, JobsRequest};
use rolecast_forecast::Ahead;
use rolecast_page::{Ask, Flow, Lease, Picture, Standing, Wants, render, render_main, wants};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use super::decisions::{self, Decisions};
use super::latest_events::{self, LatestEvents};
use crate::io::holder::Holder;
use crate::io::http::Observatory;
use crate::io::http::observatory::Phase;
use crate::io::questions::{Question, REST};

/// The age up to which a rendering is shown: less than the pause between two updates.
const AGE_MAX: Duration = Duration::from_millis(900);
/// The same of what changes with the forecasts, whose steps take ten seconds.
const FORECAST_AGE_MAX: Duration = Duration::from_secs(5);
/// Addresses whose renderings are kept: more than there may be viewers.
const PAGES_MAX: usize = 128;
/// Nodes whose forecasts are kept: those of a few pages.
const FORECASTS_MAX: usize = 512;

/// Jobs of a node that are shown.
const JOBS_MAX: u32 = 50;

/// The rooms expected on nodes.
type Rooms = BTreeMap<NodeId, Resources>;

/// What all viewers share; clones are one.
#[derive(Clone, Debug)]
pub(super) struct Album(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    observatory: Observatory,
    /// Parts that are the same for all views, and renderings.
    kept: Mutex<Kept>,
    decisions: Mutex<Decisions>,
    events: Mutex<LatestEvents>,
}

#[derive(Debug, Default)]
struct Kept {
    flow: Flow,
    rooms: BTreeMap<u32, (Instant, Rooms)>,
    forecasts: BTreeMap<NodeId, (Instant, Arc<ForecastView>)>,
    pages: BTreeMap<Ask, (Instant, Arc<str>)>,
    /// The time before which no list of jobs is taken.
    jobs_from: Option<Instant>,
}

impl Album {
    pub(super) fn new(observatory: &Observatory) -> Self {
        Self(Arc::new(Shared {
            observatory: observatory.clone(),
            kept: Mutex::default(),
            decisions: Mutex::default(),
            events: Mutex::default(),
        }))
    }

    /// Returns a whole page.
    pub(super) async fn page(&self, ask: &Ask) -> String {
        let mut kept = self.0.kept.lock().await;
        let picture = self.picture(&mut kept, ask).await;
        render(&picture, ask)
    }

    /// Returns the part of a page that changes, the same for all who ask within a moment.
    pub(super) async fn main(&self, ask: &Ask) -> Arc<str> {
        // Whoever asks meanwhile waits for this picture.
        let mut kept = self.0.kept.lock().await;
        if let Some((at, page)) = kept.pages.get(ask)
            && at.elapsed() < AGE_MAX
        {
            return Arc::clone(page);
        }
        let begun = Instant::now();
        let picture = self.picture(&mut kept, ask).await;
        let page: Arc<str> = render_main(&picture, ask).into();
        if kept.pages.len() >= PAGES_MAX {
            kept.pages.retain(|_, (at, _)| at.elapsed() < AGE_MAX);
        }
        if kept.pages.len() < PAGES_MAX {
            kept.pages.insert(ask.clone(), (begun, Arc::clone(&page)));
        }
        page
    }

    async fn picture(&self, kept: &mut Kept, ask: &Ask) -> Picture {
        let observatory = &self.0.observatory;
        let standing = observatory.standing();
        let mut picture = Picture::new(
            observatory.name(),
            observatory.now(),
            part(standing.phase, standing.holder.as_ref()),
        );
        picture.is_cut_off = !standing.is_connected;
        picture.lease = standing.holder.map(|holder| Lease {
            holder: holder.name,
            epoch: holder.epoch,
        });
        picture.status = observatory.status().await;
        let Some(status) = picture.status.clone() else {
            return picture;
        };
        picture.at = status.at_ms;
        kept.flow.observe(&status);
        picture.flow = kept.flow.clone();
        picture.roles = observatory.roles().await;
        let Wants {
            capacity,
            decisions,
            events,
            rooms_s,
            forecasts,
            jobs_of,
        } = wants(ask, &status);
        if capacity {
            picture.capacity = observatory.capacity().await;
        }
        if let Some(seconds) = rooms_s {
            picture.rooms = self.rooms(kept, seconds).await;
        }
        picture.forecasts = self.forecasts(kept, forecasts).await;
        if decisions {
            picture.course.decisions = self.decisions().await;
        }
        if events {
            picture.course.events = self.events().await;
        }
        if let Some(node) = jobs_of {
            picture.course.jobs = self.jobs(kept, node).await;
        }
        picture
    }

    /// Returns the rooms of all nodes; it is taken in pieces, as the status is.
    async fn rooms(&self, kept: &mut Kept, seconds: u32) -> Rooms {
        if let Some((at, rooms)) = kept.rooms.get(&seconds)
            && at.elapsed() < FORECAST_AGE_MAX
        {
            return rooms.clone();
        }
        let at = Instant::now();
        let ahead = Ahead::covering(Duration::from_secs(u64::from(seconds)));
        let mut rooms = Rooms::new();
        let Some(view) = self.0.observatory.view() else {
            return rooms;
        };
        loop {
            let after = rooms.last_key_value().map(|(node, _)| node.clone());
            let asked = view
                .asker
                .ask(|answer| Question::Rooms(after, ahead, answer));
            let Ok(Ok(more)) = tokio::time::timeout(FORECAST_AGE_MAX, asked).await else {
                break;
            };
            if more.is_empty() {
                break;
            }
            rooms.extend(more);
        }
        kept.rooms.insert(seconds, (at, rooms.clone()));
        rooms
    }

    async fn forecasts(
        &self,
        kept: &mut Kept,
        nodes: Vec<NodeId>,
    ) -> BTreeMap<NodeId, Arc<ForecastView>> {
        let forecasts = &mut kept.forecasts;
        forecasts.retain(|_, (at, _)| at.elapsed() < FORECAST_AGE_MAX);
        let is_missing = |node: &&NodeId| !forecasts.contains_key(node);
        let missing: Vec<NodeId> = nodes.iter().filter(is_missing).cloned().collect();
        let taken = Instant::now();
        let mut found = BTreeMap::new();
        for forecast in self.0.observatory.forecasts(&missing).await {
            let forecast = Arc::new(forecast);
            found.insert(forecast.node.clone(), Arc::clone(&forecast));
            if forecasts.len() < FORECASTS_MAX {
                forecasts.insert(forecast.node.clone(), (taken, forecast));
            }
        }
        for node in nodes {
            if let Some((_, forecast)) = forecasts.get(&node) {
                found.insert(node, Arc::clone(forecast));
            }
        }
        found
    }

    async fn decisions(&self) -> Vec<Arc<rolecast_page::Choice>> {
        let mut decisions = self.0.decisions.lock().await;
        if let Some(view) = self.0.observatory.view() {
            let newest = |read| decisions::newest(&view.streams.jetstream, read);
            decisions.read(newest).await;
        }
        decisions.all()
    }

    async fn events(&self) -> Vec<Arc<CloudEvent>> {
        let mut events = self.0.events.lock().await;
        if let Some(view) = self.0.observatory.view() {
            let newest = |read| latest_events::newest(&view.streams, read);
            events.read(newest).await;
        }
        events.all()
    }

    /// Returns the jobs that a node has in hand. The list costs the loop a look at each job,
    /// so it rests after each: a tenth of its time at most goes to lists.
    async fn jobs(&self, kept: &mut Kept, node: NodeId) -> Option<JobList> {
        if let Some(from) = kept.jobs_from {
            sleep_until(from).await;
        }
        let asked = JobsRequest {
            limit: NonZeroU32::new(JOBS_MAX),
            states: vec![JobState::Running],
            node: Some(node),
            ..JobsRequest::first()
        };
        let (list, took) = self.0.observatory.jobs(asked).await?;
        kept.jobs_from = Some(Instant::now() + took * REST);
        Some(list)
    }
}

fn part(phase: Phase, holder: Option<&Holder>) -> Standing {
    let preparing = |what: &str| Standing::Preparing {
        what: what.to_owned(),
    };
    match phase {
        Phase::Connecting => {
            let why = "it has no connection yet, and tries again and again";
            Standing::Connecting {
                why: why.to_owned(),
            }
        }
        Phase::Preparing => preparing("reads the stored forecasts"),
        Phase::SettingUp => preparing("took the lease and prepares to lead"),
        Phase::StandingBy => Standing::StandingBy {
            leader: holder.map(|holder| holder.name.clone()),
        },
        Phase::Leading(epoch) => Standing::Leading { epoch },
    }
}
