//! `rolecast doctor`: every finding of its catalogue is made to happen by a real fault, or
//! is listed with the reason why only a unit test makes it.

#![allow(
    clippy::disallowed_methods,
    reason = "end-to-end tests live in real time and a real environment"
)]

mod dispatchers;
mod fleet;
mod nats;
mod quorum;
mod store;
mod work;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::logins::OPERATOR;
use rolecast_tests::process::{Process, program, run};
use rolecast_tests::server::Server;
use rolecast_tests::wait::wait_for;
use serde_json::Value;

/// A fault, or several at once; each has one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NoServer,
    WrongPassword,
    OldServer,
    FaultyServer,
    NoJetStream,
    EmptyServer,
    TightAccount,
    WeakLogin,
    SmallMessages,
    ChangedByHand,
    ClusterLosesServer,
    ClusterLosesQuorum,
    FrozenServer,
    NobodyLeads,
    OneCopy,
    FrozenDispatcher,
    FrozenStandby,
    SkewedStandby,
    TwoLeaders,
    LeaseRefused,
    ManyTakeovers,
    WrongClockHere,
    BadNodes,
    GoneNodes,
    FailingNode,
    WrongCapacity,
    SameName,
    UnrunnableJobs,
    LateJobs,
    TooManyCategories,
    Roles,
    OtherConfig,
}

impl Fault {
    const ALL: [Fault; 32] = [
        Fault::NoServer,
        Fault::WrongPassword,
        Fault::OldServer,
        Fault::FaultyServer,
        Fault::NoJetStream,
        Fault::EmptyServer,
        Fault::TightAccount,
        Fault::WeakLogin,
        Fault::SmallMessages,
        Fault::ChangedByHand,
        Fault::ClusterLosesServer,
        Fault::ClusterLosesQuorum,
        Fault::FrozenServer,
        Fault::NobodyLeads,
        Fault::OneCopy,
        Fault::FrozenDispatcher,
        Fault::FrozenStandby,
        Fault::SkewedStandby,
        Fault::TwoLeaders,
        Fault::LeaseRefused,
        Fault::ManyTakeovers,
        Fault::WrongClockHere,
        Fault::BadNodes,
        Fault::GoneNodes,
        Fault::FailingNode,
        Fault::WrongCapacity,
        Fault::SameName,
        Fault::UnrunnableJobs,
        Fault::LateJobs,
        Fault::TooManyCategories,
        Fault::Roles,
        Fault::OtherConfig,
    ];

    /// Returns the findings that it makes.
    pub(crate) fn findings(self) -> &'static [&'static str] {
        match self {
            Fault::NoServer => &["nats-unreachable"],
            Fault::WrongPassword => &["login-refused"],
            Fault::OldServer => &["server-too-old"],
            Fault::FaultyServer => &["server-faults"],
            Fault::NoJetStream => &["jetstream-off"],
            Fault::EmptyServer => &["stream-missing", "dispatcher-missing"],
            Fault::TightAccount => &["account-storage", "account-streams", "account-consumers"],
            Fault::WeakLogin => &["rights-missing"],
            Fault::SmallMessages => &["max-payload-small"],
            Fault::ChangedByHand => &[
                "stream-missing",
                "stream-unfit",
                "stream-copied",
                "stream-changed",
                "bucket-changed",
                "stream-hazard",
                "stream-unbounded",
                "stream-nearly-full",
                "consumer-foreign",
                "consumer-missing",
                "consumer-paused",
                "consumer-changed",
                "consumer-full",
                "consumer-not-pulled",
                "dead-letters",
            ],
            Fault::ClusterLosesServer => &["replica-offline"],
            Fault::ClusterLosesQuorum => &["stream-leaderless"],
            Fault::FrozenServer => &["replica-behind", "stream-silent", "backlog-unread"],
            Fault::NobodyLeads => &["nobody-leads"],
            Fault::OneCopy => &["replicas-one", "standby-none"],
            Fault::FrozenDispatcher => &["dispatcher-silent"],
            Fault::FrozenStandby => &["standby-lost"],
            Fault::SkewedStandby => &["clock-skew-standby"],
            Fault::TwoLeaders => &["leaders-many", "dispatcher-versions"],
            Fault::LeaseRefused => &["lease-lapsed"],
            Fault::ManyTakeovers => &["takeovers-many"],
            Fault::WrongClockHere => &["clock-skew-here"],
            Fault::BadNodes => &[
                "clock-skew-node",
                "node-memory",
                "node-slots",
                "node-name-passing",
                "messages-refused",
            ],
            Fault::GoneNodes => &["nodes-none", "node-gone", "node-draining"],
            Fault::FailingNode => &["node-distrusted"],
            Fault::WrongCapacity => &["node-capacity"],
            Fault::SameName => &["node-name-shared"],
            Fault::UnrunnableJobs => &[
                "category-not-run",
                "jobs-unplaceable",
                "label-missing",
                "memory-too-large",
                "category-unused",
                "consumer-orphaned",
            ],
            Fault::LateJobs => &["category-late"],
            Fault::TooManyCategories => &["category-not-served", "dispatcher-trouble"],
            Fault::Roles => &["role-vacant", "role-without-successor", "role-unused"],
            Fault::OtherConfig => &["config-not-loaded", "nodes-entry-unused"],
        }
    }
}

/// Findings that no test here makes, and the reason; `cli/src/doctor/tests` makes all.
const BY_UNIT_TESTS: [(&str, &str); 6] = [
    ("server-leaving", "such a server takes no new connection"),
    (
        "clock-skew-server",
        "nats-server does not read its clock through libc",
    ),
    (
        "clock-skew-dispatcher",
        "a dispatcher follows the server's clock",
    ),
    ("role-change-stuck", "a change is slow after a minute"),
    ("capacity-short", "a forecast needs minutes of load"),
    ("forecast-worse", "a hundred forecasts have to be scored"),
];

/// The result of one run of the command.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    pub(crate) code: i32,
    pub(crate) document: Value,
}

impl Diagnosis {
    fn read((output, code): (String, i32)) -> Diagnosis {
        let document = serde_json::from_str(&output);
        let document = document.unwrap_or_else(|error| panic!("{error}: {output}"));
        Diagnosis { code, document }
    }

    pub(crate) fn ids(&self) -> BTreeSet<&str> {
        let findings = self.document["findings"].as_array();
        let findings = findings.expect("a report has findings").iter();
        findings
            .filter_map(|finding| finding["id"].as_str())
            .collect()
    }

    pub(crate) fn has_all(&self, fault: Fault) -> bool {
        let ids = self.ids();
        fault.findings().iter().all(|id| ids.contains(id))
    }

    /// Returns the areas that were not checked.
    pub(crate) fn not_checked(&self) -> BTreeSet<&str> {
        let areas = self.document["not_checked"].as_array();
        let areas = areas.expect("a report has areas").iter();
        areas.filter_map(|area| area["area"].as_str()).collect()
    }

    /// Returns the finding with this id.
    pub(crate) fn finding(&self, id: &str) -> &Value {
        let findings = self.document["findings"].as_array();
        let mut findings = findings.expect("a report has findings").iter();
        let found = findings.find(|finding| finding["id"] == id);
        found.unwrap_or_else(|| panic!("no {id} in {:#}", self.document))
    }
}

/// Runs the command as an operator.
pub(crate) async fn diagnose(cluster: &Cluster) -> Diagnosis {
    diagnose_as(cluster, OPERATOR, &[]).await
}

pub(crate) async fn diagnose_as(cluster: &Cluster, user: &str, more: &[&str]) -> Diagnosis {
    let arguments: Vec<&str> = ["doctor", "--json"].iter().chain(more).copied().collect();
    Diagnosis::read(cluster.rolecast_as(user, &arguments).await)
}

/// Runs the command with this URL, and more variables in its environment.
pub(crate) async fn diagnose_at(
    directory: &Path,
    url: &str,
    environment: &[(&str, &str)],
) -> Diagnosis {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let name = format!("doctor-{}", CALLS.fetch_add(1, Ordering::Relaxed));
    let environment: Vec<(&str, &str)> = [("NATS_URL", url)]
        .into_iter()
        .chain(environment.iter().copied())
        .collect();
    let program = program("rolecast");
    let arguments = ["doctor", "--json"];
    let process = Process::spawn_with(&name, directory, &program, arguments, &environment);
    let (output, status) = run(process, LIMIT).await;
    Diagnosis::read((output, status.code().unwrap_or(-1)))
}

/// Runs the command until it reports all findings of a fault.
pub(crate) async fn wait_made(
    fault: Fault,
    mut diagnose: impl AsyncFnMut() -> Diagnosis,
) -> Diagnosis {
    let mut last = None;
    let what = format!("the findings of {fault:?}");
    let made = wait_for(&what, LIMIT, async || {
        let diagnosis = diagnose().await;
        let is_made = diagnosis.has_all(fault);
        let ids: Vec<String> = diagnosis.ids().into_iter().map(str::to_owned).collect();
        if last.as_ref() != Some(&ids) {
            report(fault, &ids);
        }
        last = Some(ids);
        is_made.then_some(diagnosis)
    });
    made.await
}

#[allow(clippy::print_stderr, reason = "a failed test shows what was found")]
fn report(fault: Fault, ids: &[String]) {
    eprintln!("{fault:?}: {}", ids.join(" "));
}

#[tokio::test]
async fn every_finding_of_the_catalogue_is_made_to_happen() {
    let directory = rolecast_tests::directory::Directory::new();
    let arguments = ["doctor", "--list", "--json"];
    let process = Process::spawn("list", directory.path(), &program("rolecast"), arguments);
    let (output, _) = run(process, LIMIT).await;
    let catalogue: Vec<Value> = serde_json::from_str(&output).unwrap();
    let listed = catalogue.iter().filter_map(|entry| entry["id"].as_str());
    let listed: BTreeSet<&str> = listed.collect();
    let here = Fault::ALL.iter().flat_map(|fault| fault.findings());
    let here: BTreeSet<&str> = here.copied().collect();
    let by_unit_tests: BTreeSet<&str> = BY_UNIT_TESTS.iter().map(|(id, _)| *id).collect();
    assert_eq!(here.intersection(&by_unit_tests).count(), 0);
    let made: BTreeSet<&str> = here.union(&by_unit_tests).copied().collect();
    assert_eq!(made, listed);
}

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
max_jobs = 4
[capacity]
cpu = 4
memory = "1GiB"
[categories.echo]
command = ["cat"]
"#;

#[tokio::test]
async fn a_healthy_fleet_has_no_finding_for_an_operator_and_none_for_a_viewer() {
    let mut cluster = Cluster::start("[categories.echo]\n", &[("n1", WORKER)]).await;
    cluster.submit("echo", "job-1", "x").await;
    cluster.wait_record("job-1").await;
    cluster.wait_no_jobs(LIMIT).await;
    // An old server has known faults; nothing else may be found.
    let is_well = |diagnosis: &Diagnosis| diagnosis.ids().iter().all(|id| *id == "server-faults");
    let operator = wait_for("all is well", LIMIT, async || {
        let diagnosis = diagnose_as(&cluster, OPERATOR, &["--config", "rolecast.toml"]).await;
        is_well(&diagnosis).then_some(diagnosis)
    })
    .await;
    let is_newest = operator.ids().is_empty();
    assert_eq!(operator.code, if is_newest { 0 } else { 7 });
    assert_eq!(operator.not_checked().len(), 0, "{:#}", operator.document);
    assert_eq!(operator.document["checked"].as_array().unwrap().len(), 14);
    // A viewer asks for its rights, which it may not, and for nothing else.
    cluster.intrude();
    let viewer = diagnose_as(&cluster, "viewer", &[]).await;
    let log = cluster.server().process().log();
    assert_eq!(log.matches("Violation").count(), 1, "{log}");
    assert!(is_well(&viewer), "{:#}", viewer.document);
    assert_eq!(viewer.code, operator.code);
    let not_checked = viewer.not_checked();
    for area in ["account", "streams", "consumers"] {
        assert!(not_checked.contains(area), "{area}: {:#}", viewer.document);
    }
    assert!(!not_checked.contains("nodes"), "{:#}", viewer.document);
    // What people read: a line for each area.
    let (text, _) = cluster.rolecast(&["doctor"]).await;
    assert_eq!(text.matches("\nok ").count(), 13, "{text}");
    if is_newest {
        assert!(text.ends_with("\nall is well\n"), "{text}");
    }
}

/// Starts a server and a dispatcher with one category.
pub(crate) async fn dispatcher() -> Cluster {
    Cluster::on(Server::start().await, "[categories.echo]\n").await
}
