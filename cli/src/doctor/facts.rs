//! Facts about a system, as far as they could be gathered.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::Epoch;
use rolecast_common::rights::Right;
use rolecast_common::subjects::{BUCKET_CONTROL, Source, bucket_stream};
use rolecast_common::time::WallTime;
use rolecast_common::wire::{DispatcherState, ForecastView, RolesView, Status};
use rolecast_dispatcher::config::Config;
use rolecast_dispatcher::io::difference::Difference;
use rolecast_dispatcher::io::inspection::Hazard;
use rolecast_dispatcher::io::strangers::Stranger;

/// Time within which the first dispatcher creates all streams, and they elect their first
/// leaders. Guessed.
const SETTLING_MAX: Duration = Duration::from_secs(10);

/// A fact, or the reason why it is not known.
#[derive(Clone, Debug)]
pub(crate) enum Part<T> {
    Known(T),
    Unknown(String),
}

impl<T> Part<T> {
    pub(crate) fn known(&self) -> Option<&T> {
        match self {
            Part::Known(fact) => Some(fact),
            Part::Unknown(_) => None,
        }
    }
}

/// All facts.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) reach: Reach,
    pub(crate) login: Part<Login>,
    pub(crate) account: Part<JetStream>,
    /// Every stream that there should be, by name; those of buckets among them.
    pub(crate) streams: BTreeMap<String, Part<Found>>,
    pub(crate) consumers: Part<Vec<Consumer>>,
    pub(crate) fleet: Part<Answer>,
    /// The dispatchers that answer requests for their figures.
    pub(crate) dispatchers: Part<Vec<Instance>>,
    pub(crate) roles: Part<RolesView>,
    pub(crate) forecasts: Part<Vec<ForecastView>>,
    pub(crate) decided: Part<Option<Decided>>,
    pub(crate) letters: Part<BTreeMap<String, Letters>>,
    /// The configuration of a dispatcher that was given for comparison.
    pub(crate) config: Option<Config>,
}

/// Result of the connection to NATS.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    Connected(Box<Server>),
    /// The reasons are complete sentences.
    TooOld(String),
    LoginRefused(String),
    Unreachable(String),
}

/// The server at the other end of the connection.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) cluster: Option<String>,
    pub(crate) max_payload: usize,
    pub(crate) is_leaving: bool,
    /// The lead of its clock over that of this machine.
    pub(crate) lead: Option<Lead>,
}

/// Lead of another clock over that of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lead {
    pub(crate) millis: i64,
    /// Half of the round trip: the lead may be off by this.
    pub(crate) unsure_millis: u64,
}

/// The rights of this login.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// The rights of a viewer, and those of an operator, that it lacks.
    pub(crate) lacks_of_viewer: Vec<Right>,
    pub(crate) lacks_of_operator: Vec<Right>,
    /// Whether it has a right of an operator that a viewer does not have.
    pub(crate) is_operator: bool,
}

/// JetStream for this account.
#[derive(Clone, Debug)]
pub(crate) enum JetStream {
    Off(String),
    /// The limits as a whole, or by tier.
    On(Vec<Tier>),
}

/// Use and limits of an account, for all streams or for those with some number of replicas.
#[derive(Clone, Debug)]
pub(crate) struct Tier {
    /// Empty, or a name such as `R3`.
    pub(crate) name: String,
    pub(crate) storage: u64,
    pub(crate) reserved: u64,
    pub(crate) streams: u64,
    pub(crate) consumers: u64,
    pub(crate) storage_max: Option<u64>,
    pub(crate) streams_max: Option<u64>,
    pub(crate) consumers_max: Option<u64>,
}

/// State of a stream that there should be.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    Missing,
    /// It did not answer, for this reason.
    Silent(String),
    Stream(Box<Stream>),
}

/// A stream on the server.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    /// The server's time of the answer.
    pub(crate) at: WallTime,
    pub(crate) bytes: u64,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) replicas: usize,
    pub(crate) times: Times,
    /// The server that leads it; `None` on a single server.
    pub(crate) leader: Option<String>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) lead: Lead,
    pub(crate) changed: Vec<Difference>,
    pub(crate) hazards: Vec<Hazard>,
    /// Jobs by subject, of the queue only.
    pub(crate) held: BTreeMap<String, u64>,
}

/// Times in the life of a stream, by the server's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) created: WallTime,
    pub(crate) first_write: WallTime,
    pub(crate) last_write: WallTime,
}

/// A server with a replica that does not lead.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) is_offline: bool,
    pub(crate) is_current: bool,
    pub(crate) lag: u64,
    /// The time since it was seen last.
    pub(crate) silent: Duration,
}

/// A consumer of the queue.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub(crate) name: String,
    /// `None` if no dispatcher made it.
    pub(crate) source: Option<Source>,
    pub(crate) stranger: Option<Stranger>,
    /// The difference from what a dispatcher makes.
    pub(crate) change: Option<String>,
    pub(crate) created: WallTime,
    pub(crate) pending: u64,
    pub(crate) ack_pending: u64,
    pub(crate) ack_pending_max: u64,
    pub(crate) pulls: u64,
    pub(crate) paused: Option<Duration>,
}

/// The answer to the request for the status.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Nobody,
    /// There is a dispatcher, and no answer, for this reason.
    Silent(String),
    Status {
        status: Box<Status>,
        /// The lead of the dispatcher's clock.
        lead: Lead,
    },
}

/// A dispatcher that answers.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) is_leader: bool,
    pub(crate) epoch: Option<Epoch>,
    /// The lead of its clock.
    pub(crate) lead: Option<Lead>,
}

/// Returns the names of the dispatchers that give signs of life as standbys and are not
/// among those that answer; two may have one name.
pub(crate) fn unanswered<'a>(status: &'a Status, instances: &[Instance]) -> Vec<&'a str> {
    let signs = status.dispatchers.iter();
    let signs = signs.filter(|sign| sign.state == DispatcherState::StandsBy);
    let mut names: Vec<&str> = signs.map(|sign| sign.name.as_str()).collect();
    for instance in instances.iter().filter(|instance| !instance.is_leader) {
        if let Some(place) = names.iter().position(|name| *name == instance.name) {
            names.remove(place);
        }
    }
    names
}

/// Returns whether the dispatchers may be changing at this moment, so that they should be
/// asked once more: one starts, ends, or takes the lead.
pub(crate) fn is_changing(answer: &Part<Answer>, instances: &Part<Vec<Instance>>) -> bool {
    let Some(instances) = instances.known() else {
        return false;
    };
    let leaders = instances.iter().filter(|instance| instance.is_leader);
    let is_led_once = leaders.count() == 1;
    match answer {
        Part::Known(Answer::Nobody) => !instances.is_empty(),
        Part::Known(Answer::Status { status, .. }) => {
            !is_led_once || !unanswered(status, instances).is_empty()
        }
        Part::Known(Answer::Silent(_)) | Part::Unknown(_) => false,
    }
}

/// The oldest recorded decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided {
    pub(crate) at: WallTime,
    pub(crate) epoch: Epoch,
}

/// The latest dead letters of one category.
#[derive(Clone, Debug, Default)]
pub(crate) struct Letters {
    /// Those that were read, by reason.
    pub(crate) reasons: BTreeMap<String, u64>,
    pub(crate) oldest: Option<WallTime>,
}

impl Facts {
    /// Returns the facts if nothing but the failed connection is known.
    pub(crate) fn without_connection(reach: Reach) -> Self {
        let why = "there is no connection to NATS";
        Self::all_unknown(reach, why)
    }

    pub(crate) fn all_unknown(reach: Reach, why: &str) -> Self {
        fn unknown<T>(why: &str) -> Part<T> {
            Part::Unknown(why.to_owned())
        }
        Self {
            reach,
            login: unknown(why),
            account: unknown(why),
            streams: BTreeMap::new(),
            consumers: unknown(why),
            fleet: unknown(why),
            dispatchers: unknown(why),
            roles: unknown(why),
            forecasts: unknown(why),
            decided: unknown(why),
            letters: unknown(why),
            config: None,
        }
    }

    pub(super) fn server(&self) -> Option<&Server> {
        match &self.reach {
            Reach::Connected(server) => Some(server),
            Reach::TooOld(_) | Reach::LoginRefused(_) | Reach::Unreachable(_) => None,
        }
    }

    pub(super) fn status(&self) -> Option<&Status> {
        match self.fleet.known()? {
            Answer::Status { status, .. } => Some(status),
            Answer::Nobody | Answer::Silent(_) => None,
        }
    }

    /// Returns the dispatchers that give signs of life and do not answer.
    pub(super) fn unanswered(&self) -> Vec<&str> {
        match (self.status(), self.dispatchers.known()) {
            (Some(status), Some(instances)) => unanswered(status, instances),
            (_, None) | (None, _) => Vec::new(),
        }
    }

    /// Returns whether a dispatcher sets the system up at this moment: its first bucket is
    /// new.
    pub(super) fn is_beginning(&self) -> bool {
        let control = self.stream(&bucket_stream(BUCKET_CONTROL));
        control.is_some_and(|control| control.at.since(control.times.created) < SETTLING_MAX)
    }

    /// Returns why there is no status, if there is none.
    pub(super) fn why_no_status(&self) -> &str {
        match &self.fleet {
            Part::Unknown(why) => why,
            Part::Known(_) => "no dispatcher answers",
        }
    }

    pub(super) fn stream(&self, name: &str) -> Option<&Stream> {
        match self.streams.get(name)?.known()? {
            Found::Stream(stream) => Some(stream),
            Found::Missing | Found::Silent(_) => None,
        }
    }

    /// Returns the streams that answered, with their names.
    pub(super) fn found(&self) -> impl Iterator<Item = (&str, &Stream)> {
        let names = self.streams.keys();
        names.filter_map(|name| Some((name.as_str(), self.stream(name)?)))
    }
}
