//! The configuration of `rolecast-worker`, with its defaults.

mod category;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use rolecast_common::id::{Category, NodeId, Role};
use rolecast_common::label::Labels;
use rolecast_common::settings::{self, Mistakes, Table};
use rolecast_common::unit::{Bytes, BytesPerSecond, Cores, Speed};
use rolecast_common::wire::{CATEGORIES_MAX, JOBS_IN_HAND_MAX, ROLES_MAX};
use rolecast_http as http;
use rolecast_nats::Settings;

use self::category::{ENVIRONMENT_DEFAULT, read_command, read_user};
use crate::agent::Limits;
use crate::command::Command;
use crate::host::{surroundings, usable_cores};
use crate::host_name::node_of_host;
use crate::usage::Scope;

/// A commented configuration to start from, which [`Config::read`] takes.
pub const SAMPLE: &str = include_str!("../sample.toml");

/// Long enough for most jobs, shorter than service managers wait (systemd: 90 s).
pub(crate) const GRACE_DEFAULT: Duration = Duration::from_secs(30);
const HOOK_LIMIT_DEFAULT: Duration = Duration::from_secs(3);
/// Two hooks, one that promotes and one that takes it back, and a heartbeat's
/// interval must fit into a role's lease of 10 s.
const HOOK_LIMIT_MAX: Duration = Duration::from_secs(4);

/// The contents of a configuration, complete and checked. [`Worker::from_config`] takes it.
///
/// [`Worker::from_config`]: crate::Worker::from_config
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) node: NodeId,
    pub(crate) roles: Vec<Role>,
    /// The managed roles that may be given to this node.
    pub(crate) offers: Vec<Role>,
    pub(crate) hook: Option<Hook>,
    /// Directory in which the epoch is kept over restarts, if roles are offered.
    pub(crate) state_directory: Option<PathBuf>,
    pub(crate) labels: Labels,
    pub(crate) speed: Speed,
    pub(crate) scope: Scope,
    pub(crate) jobs_max: u32,
    pub(crate) grace: Duration,
    /// Whether a heartbeat is sent at once when the use by others changes much.
    pub(crate) heartbeat_on_change: bool,
    pub(crate) capacity: Capacity,
    pub(crate) categories: BTreeMap<Category, CategorySettings>,
    pub(crate) http: http::Settings,
    /// The address of NATS and the login, as far as the configuration has them.
    pub nats: Settings,
}

/// The program that is run when the roles of the node change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, std::ffi::OsString)>,
    /// Time limit, after which it is killed.
    pub(crate) limit: Duration,
}

/// Capacity of a node, where it replaces the system's own figures. `None` keeps those of
/// the host, within the limits of the control group that the worker runs in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Capacity {
    /// Cores, above zero.
    pub cpu: Option<Cores>,
    /// Memory in bytes, above zero.
    pub memory: Option<Bytes>,
    /// Network in bytes per second, received and sent together; zero is unknown.
    pub network: Option<BytesPerSecond>,
    /// Disk in bytes per second, read and written together; zero is unknown.
    pub disk: Option<BytesPerSecond>,
}

/// Settings for the jobs of one category.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CategorySettings {
    pub(crate) limits: Limits,
    pub(crate) command: Command,
}

impl Config {
    /// Reads a configuration (TOML), and fills in what it omits from the host: its name, its
    /// cores, the environment. Programs, directories and users that it names are looked up.
    ///
    /// # Errors
    /// All mistakes in it, each with its line and key.
    pub fn read(text: &str) -> Result<Self, Mistakes> {
        let config = settings::read(text, read_root)?;
        Ok(config.expect("what is missing is a mistake"))
    }

    /// Returns the number of categories that the worker runs, at least one.
    pub fn category_count(&self) -> usize {
        self.categories.len()
    }

    /// Returns whether jobs of some category run as the worker's own user.
    pub fn has_jobs_of_own_user(&self) -> bool {
        let mut commands = self.categories.values().map(|settings| &settings.command);
        commands.any(|command| {
            let user = command.confinement.as_ref().map(|found| &found.user);
            user.is_none_or(Option::is_none)
        })
    }
}

fn read_root(root: &mut Table<'_>) -> Option<Config> {
    let node = read_node(root);
    let roles = read_roles(root);
    let offers = read_offers(root, &roles);
    let hook = read_hook(root);
    let state_directory = read_state_directory(root, !offers.is_empty());
    let labels = root.table("labels", read_labels);
    let speed = root.get_or("speed", Speed::default());
    let scope = read_scope(root);
    let capacity = root.table("capacity", read_capacity);
    let jobs_max = read_jobs_max(root, default_jobs_max(capacity.cpu));
    let grace = root.get_or("grace", GRACE_DEFAULT);
    let heartbeat_on_change = root.get_or("heartbeat_on_change", true);
    let nats = root.table("nats", Settings::from_table);
    let http = root.table("http", |table| {
        http::Settings::read(table, http::Listen::Off)
    });
    let run_as = read_user(root);
    let categories = root.tables("categories", |name, table| {
        let category = Category::new(name);
        if let Err(error) = &category {
            table.mistake("", error.to_string());
        }
        let settings = category::read(table, jobs_max, run_as.as_ref());
        Some((category.ok()?, settings?))
    });
    if categories.is_empty() {
        let text = "missing; a worker needs at least one [categories.<name>] with a command";
        root.mistake("categories", text);
    }
    if categories.len() > CATEGORIES_MAX {
        let text = format!("expected at most {CATEGORIES_MAX}: a heartbeat lists them all");
        root.mistake("categories", text);
    }
    let categories = categories.into_iter().collect::<Option<BTreeMap<_, _>>>();
    Some(Config {
        node: node?,
        roles,
        offers,
        hook,
        state_directory,
        labels,
        speed,
        scope: scope?,
        jobs_max,
        grace,
        heartbeat_on_change,
        capacity,
        categories: categories?,
        http,
        nats,
    })
}

fn read_node(root: &mut Table<'_>) -> Option<NodeId> {
    if root.has("node") {
        return root.get("node");
    }
    let node = host_node();
    if node.is_none() {
        root.mistake("node", "missing, and the host name cannot be used for it");
    }
    node
}

/// Returns the node id made of the host name.
pub(crate) fn host_node() -> Option<NodeId> {
    node_of_host(&surroundings::host_name()?)
}

fn read_roles(root: &mut Table<'_>) -> Vec<Role> {
    let roles: Vec<Role> = root.get_or("roles", Vec::new());
    let mut seen = BTreeSet::new();
    for role in &roles {
        if !seen.insert(role) {
            root.mistake("roles", format!("{role} is there twice"));
        }
    }
    roles
}

fn read_offers(root: &mut Table<'_>, roles: &[Role]) -> Vec<Role> {
    let offers: Vec<Role> = root.get_or("offers", Vec::new());
    if roles.len() + offers.len() > ROLES_MAX {
        let key = if offers.is_empty() { "roles" } else { "offers" };
        let text = format!("expected at most {ROLES_MAX} roles and offers together");
        root.mistake(key, text);
    }
    for (index, role) in offers.iter().enumerate() {
        if offers[..index].contains(role) {
            root.mistake("offers", format!("{role} is there twice"));
        }
        if roles.contains(role) {
            let text = format!("{role} is in roles too; a role is either in roles or in offers");
            root.mistake("offers", text);
        }
    }
    offers
}

fn read_hook(root: &mut Table<'_>) -> Option<Hook> {
    let limit = root.get_or("hook_limit", HOOK_LIMIT_DEFAULT);
    if limit.is_zero() || limit > HOOK_LIMIT_MAX {
        root.mistake("hook_limit", "expected more than 0s, at most 4s");
    }
    if !root.has("on_role_change") {
        return None;
    }
    let (program, arguments) = read_command(root, "on_role_change", None)?;
    Some(Hook {
        program,
        arguments,
        environment: surroundings::variables(ENVIRONMENT_DEFAULT.map(str::to_owned)),
        limit,
    })
}

fn read_state_directory(root: &mut Table<'_>, is_needed: bool) -> Option<PathBuf> {
    let written: Option<String> = root.get("state_directory");
    let directory = match written.map(|text| surroundings::expand_home(&text)) {
        Some(Ok(directory)) => Some(directory),
        Some(Err(text)) => {
            root.mistake("state_directory", text);
            return None;
        }
        None => surroundings::state_directory(),
    };
    if is_needed && directory.is_none() {
        let text = "missing; a worker that offers roles stores the largest epoch there";
        root.mistake("state_directory", text);
    }
    directory
}

fn read_labels(table: &mut Table<'_>) -> Labels {
    let mut labels = Labels::default();
    for name in table.names() {
        let Some(value) = table.get::<String>(&name) else {
            continue;
        };
        if let Err(error) = labels.insert(&name, &value) {
            table.mistake(&name, error.to_string());
        }
    }
    labels
}

fn read_scope(root: &mut Table<'_>) -> Option<Scope> {
    let text = root.get_or("usage_scope", "host".to_owned());
    let scope = Scope::parse(&text);
    if scope.is_none() {
        root.mistake(
            "usage_scope",
            "expected \"host\", \"cgroup\" or \"process\"",
        );
    }
    scope
}

/// Slots for each core. With one, short jobs wait behind long ones as in a plain queue:
/// in simulation, at a load of 0.8, the slowest of 100 took a thousand times its run time.
/// With two they share the core with them, and placement still sees how busy it is.
const SLOTS_PER_CORE: f64 = 2.0;

/// Returns the most jobs at once by the configured cores, otherwise by those that this
/// program may use.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cores are not negative, and the conversion saturates"
)]
pub(crate) fn default_jobs_max(cores: Option<Cores>) -> u32 {
    let cores = cores.or_else(usable_cores).map_or(1.0, Cores::get);
    let slots = (cores * SLOTS_PER_CORE).ceil() as u32;
    slots.clamp(1, JOBS_IN_HAND_MAX)
}

fn read_jobs_max(table: &mut Table<'_>, default: u32) -> u32 {
    let jobs_max = table.get_or("max_jobs", default);
    if !(1..=JOBS_IN_HAND_MAX).contains(&jobs_max) {
        table.mistake("max_jobs", format!("expected 1 to {JOBS_IN_HAND_MAX}"));
        return default;
    }
    jobs_max
}

fn read_capacity(table: &mut Table<'_>) -> Capacity {
    let capacity = Capacity {
        cpu: table.get("cpu"),
        memory: table.get("memory"),
        network: table.get("network"),
        disk: table.get("disk"),
    };
    if capacity.cpu == Some(Cores::ZERO) {
        table.mistake("cpu", "expected more than 0");
    }
    if capacity.memory == Some(Bytes::ZERO) {
        table.mistake("memory", "expected more than 0");
    }
    capacity
}

#[cfg(test)]
mod tests;
