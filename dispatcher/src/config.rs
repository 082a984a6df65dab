//! Configuration of the dispatcher: parsed and checked as a whole, with all defaults in
//! one place.

#![allow(
    clippy::disallowed_methods,
    reason = "config.rs is the file that reads the environment"
)]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use rolecast_common::id::{Category, Role};
use rolecast_common::settings::{self, Mistakes, Table};
use rolecast_common::subjects;
use rolecast_common::unit::{Bytes, Cores, Resources};
use rolecast_common::wire::{ForecastMode, Share};
use rolecast_forecast::{Model, Params, Quantile};
use rolecast_http as http;
use rolecast_nats::Settings;

use crate::allowance::Allowances;
use crate::category::{Backoff, Patience, Policy, Profile, Weights};
use crate::roles::{self, RoleDefaults};

/// Default length of a step of the near future.
const STEP: Duration = Duration::from_secs(10);
/// Shortest and longest step: heartbeats arrive every second, and the far future has
/// steps of a minute.
const STEP_MIN: Duration = Duration::from_secs(1);
const STEP_MAX: Duration = Duration::from_secs(60);
/// Default address of HTTP: the second and further dispatchers of a machine need others.
const HTTP: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 8640);
/// Smallest limit of the jobs stream: the largest message that a server takes by default.
/// Less is a typing error.
const JOBS_BYTES_MIN: u64 = 1024 * 1024;

const ROLE_DEFAULTS: RoleDefaults = RoleDefaults {
    change_cost: Duration::from_secs(10),
    term: Duration::from_secs(600),
    changes_per_hour: 6,
};

/// A commented configuration with every key.
pub const SAMPLE: &str = include_str!("sample.toml");

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Settings of one dispatcher, read at its start.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub name: String,
    pub nats: Settings,
    pub streams: Streams,
    pub api: Api,
    pub http: http::Settings,
    /// The collector of traces, as `http://host:4318`; `None` exports none.
    pub traces: Option<String>,
    pub forecast: Params,
    /// Whether nodes whose jobs take longer than predicted are avoided.
    pub has_feedback: bool,
    pub roles: roles::Settings,
    pub policies: Vec<Policy>,
    /// Limits on what nodes may claim.
    pub allowances: Allowances,
    /// The policy of undeclared categories; `None` dead-letters their jobs.
    pub undeclared: Option<Policy>,
}

/// Settings of the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    pub replicas: u32,
    /// Size limit of the jobs stream; `None` gives it a share of the server's storage.
    pub max_bytes: Option<u64>,
    pub duplicate_window: Duration,
    pub results_max_age: Duration,
    pub dead_max_age: Duration,
    pub logs_max_age: Duration,
}

/// Settings for answers to requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// Prefixes of the reply subjects that are answered.
    inbox_prefixes: Vec<String>,
}

impl Api {
    /// Returns the prefixes of the subjects that may receive answers.
    pub fn inbox_prefixes(&self) -> &[String] {
        &self.inbox_prefixes
    }

    /// Whether an answer may be sent to this subject. The requester chooses the subject,
    /// and a dispatcher may publish where others may not.
    pub fn may_answer(&self, reply: &str) -> bool {
        let mut prefixes = self.inbox_prefixes.iter();
        let is_below = |prefix: &String| {
            let rest = reply.strip_prefix(prefix.as_str());
            rest.is_some_and(|rest| rest.len() > 1 && rest.starts_with('.'))
        };
        subjects::is_literal(reply) && prefixes.any(is_below)
    }
}

/// Parses a configuration and reports all its mistakes at once.
pub fn parse(text: &str, host_name: &str) -> Result<Config, Mistakes> {
    settings::read(text, |root| {
        let roles = roles::Settings::read(root, ROLE_DEFAULTS);
        let known = &roles.known;
        Config {
            name: root.get_or("name", host_name.to_owned()),
            nats: root.table("nats", Settings::from_table),
            streams: root.table("streams", read_streams),
            api: root.table("api", read_api),
            http: root.table("http", |table| {
                http::Settings::read(table, http::Listen::Default(HTTP.into()))
            }),
            traces: root.table("traces", read_traces),
            forecast: root.table("forecast", read_forecast),
            has_feedback: root.table("placement", |table| table.get_or("feedback", true)),
            policies: read_policies(root, known),
            allowances: Allowances::read(root, known),
            undeclared: root.table("undeclared", |table| read_undeclared(table, known)),
            roles,
        }
    })
}

fn read_streams(table: &mut Table<'_>) -> Streams {
    let streams = Streams {
        replicas: table.get_or("replicas", 1),
        max_bytes: table.get::<Bytes>("max_bytes").map(Bytes::get),
        duplicate_window: table.get_or("duplicate_window", Duration::from_secs(120)),
        results_max_age: table.get_or("results_max_age", 7 * DAY),
        dead_max_age: table.get_or("dead_max_age", 90 * DAY),
        logs_max_age: table.get_or("logs_max_age", 7 * DAY),
    };
    if ![1, 3, 5].contains(&streams.replicas) {
        table.mistake("replicas", "must be 1, 3 or 5");
    }
    if streams
        .max_bytes
        .is_some_and(|bytes| bytes < JOBS_BYTES_MIN)
    {
        table.mistake("max_bytes", "must be at least 1MiB");
    }
    if streams.duplicate_window < Duration::from_millis(100) {
        table.mistake("duplicate_window", "must be at least 100ms");
    }
    for (key, age) in [
        ("results_max_age", streams.results_max_age),
        ("dead_max_age", streams.dead_max_age),
        ("logs_max_age", streams.logs_max_age),
    ] {
        if age < streams.duplicate_window {
            table.mistake(key, "must be at least duplicate_window");
        }
    }
    streams
}

fn read_traces(table: &mut Table<'_>) -> Option<String> {
    let endpoint = table.get::<String>("endpoint")?;
    let rest = endpoint.strip_prefix("http://").unwrap_or_default();
    let has_host = rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[');
    if !has_host {
        let text = "expected the address of a collector for OTLP over plain HTTP, such as \
                    http://127.0.0.1:4318";
        table.mistake("endpoint", text);
    }
    Some(endpoint)
}

fn read_api(table: &mut Table<'_>) -> Api {
    let inbox_prefixes = table.get_or("inbox_prefixes", vec!["_INBOX".to_owned()]);
    for prefix in &inbox_prefixes {
        let first = prefix.split('.').next().unwrap_or_default();
        let is_reserved = first.is_empty() || first == "rolecast" || first.starts_with('$');
        if is_reserved || !subjects::is_literal(prefix) || prefix.ends_with('.') {
            let text = format!("{prefix:?} is not the prefix of an inbox, such as \"_INBOX\"");
            table.mistake("inbox_prefixes", text);
        }
    }
    Api { inbox_prefixes }
}

fn read_forecast(table: &mut Table<'_>) -> Params {
    let mode = read_name(table, "mode", ForecastMode::parse, || {
        ForecastMode::ALL.map(ForecastMode::name).join(", ")
    });
    let model = read_name(table, "model", Model::parse, || {
        Model::ALL.map(Model::name).join(", ")
    });
    let share: Option<Share> = table.get("quantile");
    let is_meant = |quantile: &Quantile| {
        share.is_some_and(|share| (quantile.share() - share.get()).abs() < 1e-9)
    };
    let quantile = Quantile::ALL.into_iter().find(is_meant);
    if share.is_some() && quantile.is_none() {
        table.mistake("quantile", "must be 0.5, 0.9 or 0.99");
    }
    let step = table.get_or("step", STEP);
    if step < STEP_MIN || step > STEP_MAX || step.subsec_nanos() > 0 {
        table.mistake("step", "must be whole seconds, from 1s to 60s");
    }
    Params {
        mode,
        model,
        step_s: u32::try_from(step.as_secs()).unwrap_or(u32::MAX),
        quantile: quantile.unwrap_or(Quantile::P90),
    }
}

/// Reads one of several names, or returns the default.
fn read_name<T: Default>(
    table: &mut Table<'_>,
    key: &str,
    parse: fn(&str) -> Option<T>,
    names: fn() -> String,
) -> T {
    let Some(name) = table.get::<String>(key) else {
        return T::default();
    };
    let read = parse(&name);
    if read.is_none() {
        table.mistake(key, format!("must be one of {}", names()));
    }
    read.unwrap_or_default()
}

fn read_policies(root: &mut Table<'_>, known: &BTreeSet<Role>) -> Vec<Policy> {
    let policies = root.tables("categories", |name, table| {
        let policy = read_policy(table, known, placeholder());
        match Category::new(name) {
            Ok(category) => Some(Policy { category, ..policy }),
            Err(error) => {
                table.mistake("", error.to_string());
                None
            }
        }
    });
    policies.into_iter().flatten().collect()
}

fn read_undeclared(table: &mut Table<'_>, known: &BTreeSet<Role>) -> Option<Policy> {
    let name = table.get_or("policy", "default".to_owned());
    let policy = Policy {
        declared: false,
        ..read_policy(table, known, placeholder())
    };
    match name.as_str() {
        "default" => Some(policy),
        "dead-letter" => None,
        _ => {
            table.mistake("policy", "must be \"default\" or \"dead-letter\"");
            None
        }
    }
}

/// Returns a placeholder until the real name is known; it never leaves this file.
fn placeholder() -> Category {
    Category::new("undeclared").expect("it is a category name")
}

fn read_policy(table: &mut Table<'_>, known: &BTreeSet<Role>, category: Category) -> Policy {
    let policy = Policy {
        category,
        declared: true,
        roles: table.get_or("roles", Vec::new()),
        profile: read_profile(table),
        weights: table.table("weights", read_weights),
        patience: read_patience(table),
        wait_max: table.get_or("wait_max", Duration::from_secs(3600)),
        running_max: table.get("max_running"),
        time_limit: table.get("time_limit"),
        attempts_max: table.get_or("max_attempts", 5),
        backoff: Backoff {
            min: table.get_or("retry_min", Duration::from_secs(1)),
            max: table.get_or("retry_max", Duration::from_secs(300)),
        },
        records_completed: table.get_or("record_outcomes", true),
    };
    if policy.attempts_max == 0 {
        table.mistake("max_attempts", "must be at least 1");
    }
    if policy.running_max == Some(0) {
        table.mistake("max_running", "must be at least 1");
    }
    if policy.time_limit == Some(Duration::ZERO) {
        table.mistake("time_limit", "must be longer than 0s");
    }
    if policy.backoff.min > policy.backoff.max {
        table.mistake("retry_min", "must not be above retry_max");
    }
    for role in policy.roles.iter().filter(|role| !known.contains(role)) {
        let text = format!("role \"{role}\" is not among the roles");
        table.mistake("roles", text);
    }
    policy
}

fn read_profile(table: &mut Table<'_>) -> Profile {
    let average = read_resources(
        table,
        Resources {
            cpu: Cores::clamped(1.0),
            memory: Bytes::from_mib(64),
            ..Resources::default()
        },
    );
    let profile = Profile {
        average,
        peak: table.table("peak", |table| {
            let peak = read_resources(table, average);
            if peak.memory < average.memory {
                table.mistake("memory", "must be at least the average");
            }
            peak
        }),
        duration: table.get_or("duration", Duration::from_secs(1)),
    };
    if profile.duration.is_zero() {
        table.mistake("duration", "must be longer than 0s");
    }
    profile
}

fn read_resources(table: &mut Table<'_>, default: Resources) -> Resources {
    Resources {
        cpu: table.get_or("cpu", default.cpu),
        memory: table.get_or("memory", default.memory),
        network: table.get_or("network", default.network),
        disk: table.get_or("disk", default.disk),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "weights need few digits")]
fn read_weights(table: &mut Table<'_>) -> Weights {
    let default = Weights::default();
    let mut weight = |key: &str, default: f32| {
        let value = table.get_or(key, Cores::clamped(f64::from(default)));
        value.get() as f32
    };
    Weights {
        role: weight("role", default.role),
        latency: weight("latency", default.latency),
        others: weight("others", default.others),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a slow-down needs few digits"
)]
fn read_patience(table: &mut Table<'_>) -> Patience {
    let Some(limit) = table.get::<String>("hold") else {
        return Patience::default();
    };
    match limit.as_str() {
        "auto" => Patience::ByDuration,
        "never" => Patience::Never,
        number => match number.parse::<f64>() {
            Ok(limit) if limit.is_finite() && limit >= 1.0 => Patience::Above(limit as f32),
            Ok(_) | Err(_) => {
                table.mistake(
                    "hold",
                    "must be \"auto\", \"never\" or a slow-down such as \"3\"",
                );
                Patience::default()
            }
        },
    }
}

/// Returns the host's name, or `dispatcher` if it has none.
pub fn host_name() -> String {
    sysname().unwrap_or_else(|| "dispatcher".to_owned())
}

fn sysname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").ok())?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_valid_and_shows_the_defaults() {
        let sample = parse(SAMPLE, "host").unwrap();
        let mut declared = sample.policies[0].clone();
        assert_eq!(declared.category.as_str(), "thumbnail");
        declared.category = placeholder();
        declared.roles = Vec::new();
        declared.declared = false;
        assert_eq!(sample.undeclared, Some(declared));
        let empty = parse("", "host").unwrap();
        let without_example = Config {
            policies: Vec::new(),
            ..sample
        };
        assert_eq!(empty, without_example);
    }

    #[test]
    fn what_nodes_may_claim_is_read_and_mistakes_in_it_are_reported() {
        let text = "\
[nodes.\"web-*\"]
roles = [\"follower\"]
categories = [\"ocr\"]
max_jobs = 3
labels = [\"gpu\"]
[nodes.db-1]
";
        let read = parse(text, "host").unwrap().allowances;
        assert_ne!(read, Allowances::default());
        let text = "\
[nodes.\"a*b*\"]
[nodes.a]
roles = [\"boss\"]
max_jobs = 0
labels = [\"=\"]
";
        let error = parse(text, "host").unwrap_err().to_string();
        for part in [
            "line 1: nodes.a*b*: \"a*b*\" is not the name of a node",
            "line 3: nodes.a.roles: role \"boss\"",
            "line 4: nodes.a.max_jobs: must be at least 1",
            "line 5: nodes.a.labels: must be labels such as",
        ] {
            assert!(error.contains(part), "{part:?} not in {error}");
        }
    }

    #[test]
    fn answers_go_to_inboxes_only() {
        let text = "[api]\ninbox_prefixes = [\"_INBOX\", \"_INBOX_web.a\"]\n";
        let api = parse(text, "host").unwrap().api;
        for reply in ["_INBOX.x", "_INBOX.a.b", "_INBOX_web.a.1"] {
            assert!(api.may_answer(reply), "{reply}");
        }
        for reply in [
            "",
            "_INBOX",
            "_INBOX.",
            "_INBOX.>",
            "_INBOX.a b",
            "_INBOXES.x",
            "_INBOX_web.b.1",
            "rolecast.jobs.ocr",
            "$JS.API.STREAM.LIST",
            "$KV.ROLECAST_CONTROL.dispatcher",
        ] {
            assert!(!api.may_answer(reply), "{reply}");
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = "\
[streams]
replicas = 2
max_bytes = \"1kB\"
[api]
inbox_prefixes = [\"_INBOX_web\", \"rolecast.jobs\"]
[forecast]
model = \"oracle\"
mode = \"maybe\"
quantile = 0.7
step = \"90s\"
[categories.OCR]
cpu = 1
[categories.ocr]
max_attempts = 0
retry_min = \"10m\"
roles = [\"boss\"]
memry = \"1MiB\"
max_running = 0
time_limit = \"0s\"
[undeclared]
policy = \"maybe\"
";
        let error = parse(text, "host").unwrap_err().to_string();
        for part in [
            "line 2: streams.replicas: must be 1, 3 or 5",
            "line 3: streams.max_bytes: must be at least 1MiB",
            "line 5: api.inbox_prefixes: \"rolecast.jobs\" is not the prefix",
            "line 7: forecast.model: must be one of naive, seasonal-naive",
            "line 8: forecast.mode: must be one of on, advisory, off",
            "line 9: forecast.quantile: must be 0.5, 0.9 or 0.99",
            "line 10: forecast.step: must be whole seconds, from 1s to 60s",
            "line 11: categories.OCR: category \"OCR\" is not",
            "line 14: categories.ocr.max_attempts: must be at least 1",
            "line 15: categories.ocr.retry_min: must not be above retry_max",
            "line 16: categories.ocr.roles: role \"boss\" is not among the roles",
            "line 17: categories.ocr.memry: unknown key",
            "line 18: categories.ocr.max_running: must be at least 1",
            "line 19: categories.ocr.time_limit: must be longer than 0s",
            "line 21: undeclared.policy",
        ] {
            assert!(error.contains(part), "{part:?} not in {error}");
        }
    }
}
