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
use rolecast_nats::Settings;

use self::category::{ENVIRONMENT_DEFAULT, read_command, read_user};
use crate::agent::Limits;
use crate::command::Command;
use crate::host::{surroundings, usable_cores};
use crate::host_name::node_of_host;
use crate::usage::Scope;

/// A commented configuration to start from.
pub const SAMPLE: &str = include_str!("../sample.toml");

/// Long enough for most jobs, shorter than service managers wait (systemd: 90 s).
pub(crate) const GRACE_DEFAULT: Duration = Duration::from_secs(30);
const HOOK_LIMIT_DEFAULT: Duration = Duration::from_secs(3);
/// Two hooks, one that promotes and one that takes it back, and a heartbeat's
/// interval must fit into a role's lease of 10 s.
const HOOK_LIMIT_MAX: Duration = Duration::from_secs(4);

#[derive(Clone, Debug)]
pub struct Config {
    pub node: NodeId,
    pub roles: Vec<Role>,
    /// The managed roles that may be given to this node.
    pub offers: Vec<Role>,
    pub hook: Option<Hook>,
    /// Directory in which the epoch is kept over restarts, if roles are offered.
    pub state_directory: Option<PathBuf>,
    pub labels: Labels,
    pub speed: Speed,
    pub scope: Scope,
    pub jobs_max: u32,
    pub grace: Duration,
    /// Whether a heartbeat is sent at once when the use by others changes much.
    pub heartbeat_on_change: bool,
    pub capacity: Capacity,
    pub categories: BTreeMap<Category, CategorySettings>,
    pub nats: Settings,
}

/// The program that is run when the roles of the node change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, std::ffi::OsString)>,
    /// Time limit, after which it is killed.
    pub limit: Duration,
}

/// Capacity of a node, where it replaces the system's own figures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Capacity {
    pub cpu: Option<Cores>,
    pub memory: Option<Bytes>,
    pub network: Option<BytesPerSecond>,
    pub disk: Option<BytesPerSecond>,
}

/// Settings for the jobs of one category.
#[derive(Clone, Debug, PartialEq)]
pub struct CategorySettings {
    pub limits: Limits,
    pub command: Command,
}

impl Config {
    /// Reads a configuration, or returns all mistakes in it.
    pub fn read(text: &str) -> Result<Self, Mistakes> {
        let config = settings::read(text, read_root)?;
        Ok(config.expect("what is missing is a mistake"))
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
        nats,
    })
}

fn read_node(root: &mut Table<'_>) -> Option<NodeId> {
    if root.has("node") {
        return root.get("node");
    }
    let node = host_node();
    if node.is_none() {
        root.mistake("node", "missing, and the host name does not make one");
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
            let text = format!("{role} is in roles too; a role is either held always or given");
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
        let text = "missing; a worker that offers roles keeps the epoch it has seen there";
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
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_a_configuration() {
        let config = Config::read(SAMPLE).unwrap();
        assert_eq!(config.roles, [Role::new("follower").unwrap()]);
        assert_eq!(config.labels.get("zone"), Some("eu-1"));
        assert_eq!(config.jobs_max, default_jobs_max(None));
        let compress = &config.categories[&Category::new("compress").unwrap()];
        assert_eq!(compress.limits.time_limit, Some(Duration::from_secs(300)));
        assert_eq!(compress.command.output_max, 768 * 1024);
        assert_eq!(compress.command.arguments, ["-c"]);
        assert!(compress.command.program.is_absolute());
    }

    #[test]
    fn there_are_two_slots_for_each_core() {
        let jobs_max = |text: &str| {
            let text = format!("{text}\n[categories.a]\ncommand = [\"cat\"]\n");
            Config::read(&text).unwrap().jobs_max
        };
        assert_eq!(jobs_max("[capacity]\ncpu = 3"), 6);
        assert_eq!(jobs_max("[capacity]\ncpu = 0.25"), 1);
        assert_eq!(jobs_max("[capacity]\ncpu = 1.2"), 3);
        assert_eq!(jobs_max("[capacity]\ncpu = 4000"), JOBS_IN_HAND_MAX);
        let usable = usable_cores().unwrap();
        assert_eq!(jobs_max(""), default_jobs_max(Some(usable)));
    }

    #[test]
    fn no_more_roles_and_categories_than_a_heartbeat_may_list() {
        let read = |offers: usize, categories: usize| {
            let offers: Vec<String> = (0..offers).map(|n| format!("\"r{n}\"")).collect();
            let categories = (0..categories).map(|n| format!("[categories.c{n}]\n"));
            let categories: String = categories
                .map(|head| head + "command = [\"cat\"]\n")
                .collect();
            let offers = offers.join(",");
            let text = format!("roles = [\"a\"]\noffers = [{offers}]\n{categories}");
            Config::read(&text)
                .map(drop)
                .map_err(|error| error.to_string())
        };
        assert_eq!(read(ROLES_MAX - 1, CATEGORIES_MAX), Ok(()));
        let error = read(ROLES_MAX, CATEGORIES_MAX + 1).unwrap_err();
        assert!(
            error.contains("offers: expected at most 64 roles"),
            "{error}"
        );
        assert!(
            error.contains("categories: expected at most 256"),
            "{error}"
        );
    }

    #[test]
    fn what_the_sample_shows_as_a_comment_is_a_known_key() {
        let shown = SAMPLE.lines().map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.contains(" = ") => setting,
            Some(_) | None => line,
        });
        let is_text = |line: &&str| line.contains("host name") || line.contains("of this host");
        let text: Vec<&str> = shown.filter(|line| !is_text(line)).collect();
        Config::read(&text.join("\n")).unwrap();
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = "\
node = \"A B\"
roles = [\"a\", \"a\"]
usage_scope = \"moon\"
max_jobs = 2000
[capacity]
memory = \"0\"
[categories.a]
command = []
[categories.b]
command = [\"/nowhere/at/all\"]
output_max = \"1MiB\"
time_limit = \"0s\"
[categories.c]
command = [\"surely-no-such-program\"]
max_jobs = 0
env = [\"ROLECAST_X\", \"NATS_PASSWORD\"]
[categories.d]
comand = [\"cat\"]
directory = \"here\"
[categories.E]
command = [\"/etc/passwd\"]
[categories.f]
command = [\"cat\"]
run_as = \"surely-no-such-user\"
nice = 20
memory_max = \"1MiB\"
cpu_max = 0.001
";
        let error = Config::read(text).unwrap_err().to_string();
        for mistake in [
            "line 1: node: expected a node id",
            "line 2: roles: a is there twice",
            "line 3: usage_scope: expected \"host\"",
            "line 4: max_jobs: expected 1 to 1024",
            "line 6: capacity.memory: expected more than 0",
            "line 8: categories.a.command: empty",
            "line 10: categories.b.command: /nowhere/at/all does not exist",
            "line 11: categories.b.output_max: expected at most",
            "line 12: categories.b.time_limit: expected more than 0",
            "line 14: categories.c.command: no program \"surely-no-such-program\"",
            "line 15: categories.c.max_jobs: expected 1 to 1024",
            "line 16: categories.c.env: \"ROLECAST_X\" cannot be passed on",
            "line 17: categories.d.command: missing",
            "line 18: categories.d.comand: unknown key",
            "line 19: categories.d.directory: expected the absolute path",
            "line 20: categories.E: category \"E\" is not",
            "line 21: categories.E.command: /etc/passwd is not executable",
            "line 16: categories.c.env: NATS_PASSWORD is this worker's login",
            "line 24: categories.f.run_as: there is no user \"surely-no-such-user\"",
            "line 25: categories.f.nice: expected 0 to 19",
            "line 26: categories.f.memory_max: expected at least",
            "line 27: categories.f.cpu_max: expected at least 0.01",
        ] {
            assert!(error.contains(mistake), "{mistake:?} not in {error}");
        }
    }

    #[test]
    fn jobs_run_as_the_categorys_user_else_as_the_workers_choice_else_as_itself() {
        let text = "\
run_as = \"nobody\"
[categories.a]
command = [\"cat\"]
env = [\"HOME\", \"PATH\"]
nice = 5
[categories.b]
command = [\"cat\"]
run_as = \"0\"
memory_max = \"256MiB\"
cpu_max = 1.5
";
        let config = Config::read(text).unwrap();
        let confinement = |category: &str| {
            let service = &config.categories[&Category::new(category).unwrap()];
            let confinement = service.command.confinement.clone();
            (confinement.unwrap(), service.command.environment.clone())
        };
        let own = surroundings::own_uid();
        let (a, environment) = confinement("a");
        let nobody = surroundings::find_user("nobody").unwrap();
        assert!(nobody.groups.contains(&nobody.gid));
        let home = environment.iter().find(|(name, _)| name == "HOME");
        assert_eq!(home.unwrap().1, nobody.home.clone().into_os_string());
        assert_eq!((a.user, a.nice), (Some(nobody).filter(|_| own == 0), 5));
        let (b, _) = confinement("b");
        assert_eq!(b.user.map(|user| user.uid), (own != 0).then_some(0));
        assert_eq!(b.limits.memory_max, Some(Bytes::from_mib(256)));
        assert_eq!(b.limits.cpu_max, Cores::new(1.5).ok());
    }

    #[test]
    fn a_command_that_is_one_text_is_told_what_to_write() {
        let text = "[categories.a]\ncommand = \"wc -w\"\n";
        let error = Config::read(text).unwrap_err().to_string();
        let expected = "line 2: categories.a.command: expected a list with the program and each \
             argument in quotes, such as [\"wc\", \"-w\"]";
        assert!(error.contains(expected), "{error}");
        assert!(error.starts_with("1 mistake "), "{error}");
    }

    #[test]
    fn a_state_directory_may_be_below_the_home() {
        let read = |directory: &str| {
            let text =
                format!("state_directory = \"{directory}\"\n[categories.a]\ncommand = [\"cat\"]\n");
            Config::read(&text)
        };
        let home = surroundings::variables(["HOME".to_owned()]).remove(0).1;
        let home = PathBuf::from(home);
        let found = read("~/x").unwrap().state_directory;
        assert_eq!(found, Some(home.join("x")));
        assert_eq!(read("~").unwrap().state_directory, Some(home));
        let error = read("~root/x").unwrap_err().to_string();
        let expected = "line 1: state_directory: ~root is not expanded; write the whole path";
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn labels_and_speed_are_checked() {
        let text = "\
speed = 50
[labels]
Zone = \"eu\"
gpu = 1
\"disk.kind\" = \"a,b\"
[categories.a]
command = [\"cat\"]
";
        let error = Config::read(text).unwrap_err().to_string();
        for mistake in [
            "line 1: speed: expected a number from 0.05 to 20",
            "line 3: labels.Zone: label name \"Zone\" is not",
            "line 4: labels.gpu: expected text in quotes",
            "line 5: labels.disk.kind: label value \"a,b\" is not",
        ] {
            assert!(error.contains(mistake), "{mistake:?} not in {error}");
        }
    }

    #[test]
    fn a_worker_without_categories_is_a_mistake() {
        let error = Config::read("node = \"n1\"").unwrap_err().to_string();
        assert!(
            error.contains("at least one [categories.<name>]"),
            "{error}"
        );
    }

    #[test]
    fn a_category_cannot_have_more_jobs_than_the_worker() {
        let text = "max_jobs = 2\n[categories.a]\ncommand = [\"cat\"]\nmax_jobs = 3\n";
        let error = Config::read(text).unwrap_err().to_string();
        assert!(
            error.contains("line 4: categories.a.max_jobs: 3 is above"),
            "{error}"
        );
    }
}
