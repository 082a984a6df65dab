//! Checks of `compose/` that need no container engine.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rolecast_common::id::NodeId;
use rolecast_common::rights::{Login, Party, authorization};
use rolecast_tests::cluster::Cluster;
use rolecast_tests::logins::fill;
use rolecast_tests::process::{program, repository};
use rolecast_tests::server;

/// The service that runs the command `rolecast`, and has no config.
const COMMAND: &str = "rolecast";

/// Services of other projects: their configs have tests of their own.
const OTHERS: [&str; 2] = ["grafana", "prometheus"];

/// A service of the compose file, with the parts that are read here.
#[derive(Debug, Default)]
struct Service {
    command: Vec<String>,
    /// Paths in the container, and the files of `compose/` mounted there.
    mounts: BTreeMap<String, String>,
}

impl Service {
    /// Returns the file of `compose/` that its command reads its config from.
    fn config(&self) -> PathBuf {
        let path = self
            .command
            .last()
            .expect("every command ends with its config");
        let mounted = self.mounts.get(path);
        let file = mounted.unwrap_or_else(|| panic!("{path} is not mounted: {self:?}"));
        repository().join("compose").join(file)
    }
}

fn read(name: &str) -> String {
    fs::read_to_string(repository().join("compose").join(name)).expect("it can be read")
}

/// Reads the services, in the few forms of YAML that the compose file uses.
fn services() -> BTreeMap<String, Service> {
    let text = read("docker-compose.yml");
    let (_, text) = text.split_once("\nservices:\n").expect("services");
    let (text, _) = text.split_once("\nvolumes:\n").expect("volumes at the end");
    let mut services = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let indent = line.len() - line.trim_start().len();
        assert!(indent.is_multiple_of(2) && !line.contains('\t'), "{line}");
        if indent == 2 {
            name = line.trim().trim_end_matches(':').to_owned();
        }
        let service: &mut Service = services.entry(name.clone()).or_default();
        if let Some(command) = line.trim().strip_prefix("command: ") {
            service.command = serde_json::from_str(command).expect("a list of texts");
        }
        for quoted in line.split('"').filter(|text| text.starts_with("./")) {
            let parts: Vec<&str> = quoted.split(':').collect();
            let [file, path, "ro"] = parts[..] else {
                panic!("not a read-only mount: {line}");
            };
            service
                .mounts
                .insert(path.to_owned(), file.trim_start_matches("./").to_owned());
        }
    }
    services
}

/// Returns a config without its last section, whose port and token are those of a container.
fn without_http(config: &str) -> &str {
    let (before, after) = config.split_once("\n[http]\n").expect("a section");
    assert!(!after.contains("\n["), "not the last section: {after}");
    before
}

/// Returns the words that follow `word` in the text.
fn words_after<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pairs = words.windows(2).filter(|pair| pair[0] == word);
    pairs.map(|pair| pair[1]).collect()
}

#[test]
fn every_program_and_file_that_is_named_exists() {
    let services = services();
    let names: Vec<&str> = services.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "backup",
            "dispatcher",
            "follower",
            "grafana",
            "leader",
            "nats",
            "prometheus",
            "rolecast",
            "standby"
        ]
    );
    let dockerfile = read("Dockerfile");
    let built = words_after(&dockerfile, "--bin");
    for (name, service) in &services {
        for file in service.mounts.values() {
            let file = repository().join("compose").join(file);
            assert!(file.exists(), "{}", file.display());
        }
        if OTHERS.contains(&name.as_str()) {
            continue;
        }
        assert!(name == COMMAND || service.config().is_file(), "{service:?}");
        let name = service.command[0].as_str();
        // The image of nats-server starts it by itself.
        assert!(name == "-c" || built.contains(&name), "{name} is not built");
    }
    for name in built {
        assert!(program(name).is_file());
        let copied = format!("target/release/{name} ");
        assert!(dockerfile.contains(&copied), "{name} is not copied");
    }
}

#[test]
fn images_have_exact_versions_and_do_not_run_as_root() {
    let (dockerfile, compose) = (read("Dockerfile"), read("docker-compose.yml"));
    let mut images = words_after(&dockerfile, "FROM");
    images.extend(words_after(&compose, "image:"));
    assert_eq!(images.len(), 6, "{images:?}");
    for image in images {
        let (_, tag) = image.split_once(':').unwrap();
        assert!(
            tag.matches('.').count() >= 1
                && tag
                    .trim_start_matches('v')
                    .starts_with(|c: char| c.is_ascii_digit()),
            "{image}"
        );
    }
    assert_eq!(words_after(&dockerfile, "USER"), ["10001:10001"]);
    let toolchain = fs::read_to_string(repository().join("rust-toolchain.toml")).unwrap();
    let version = toolchain.split('"').nth(1).unwrap();
    assert!(
        dockerfile.contains(&format!("FROM rust:{version}-")),
        "{version}"
    );
}

#[test]
fn every_config_is_accepted_by_its_program() {
    for (name, service) in services() {
        if name == COMMAND || OTHERS.contains(&name.as_str()) {
            continue;
        }
        let config = service.config();
        let mut command = match service.command[0].as_str() {
            "-c" => {
                let mut command = Command::new(server::binary());
                command.arg("-t").arg("-c").arg(config);
                command
            }
            name => {
                let mut command = Command::new(program(name));
                command.arg("--check").arg("--config").arg(config);
                command
            }
        };
        let output = command.output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {log}");
    }
}

#[test]
fn each_service_logs_in_with_its_own_rights() {
    let node = |name: &str| Party::Worker(name.parse().unwrap());
    let parties = [
        Party::dispatcher(),
        node("leader-1"),
        node("backup-1"),
        node("follower-1"),
        Party::Operator,
    ];
    let logins: Vec<Login> = parties
        .iter()
        .map(|party| Login::new(party, party.user()))
        .collect();
    let block = fill(&authorization(&logins), "");
    let conf = read("nats.conf");
    assert!(
        conf.ends_with(&block),
        "nats.conf does not end with:\n{block}"
    );
    let compose = read("docker-compose.yml");
    for party in &parties {
        let user = party.user();
        let url = format!("\"nats://{user}:{user}@nats:4222\"");
        assert!(compose.contains(&url), "{url}");
    }
}

#[tokio::test]
async fn the_system_of_these_configs_does_what_its_readme_shows() {
    let services = services();
    let mut workers = Vec::new();
    for name in ["leader", "backup", "follower"] {
        let config = fs::read_to_string(services[name].config()).unwrap();
        // The harness names the nodes. Not every machine has control groups.
        let lines = without_http(&config)
            .lines()
            .filter(|line| !line.starts_with("node ") && !line.contains("cgroup"));
        workers.push((name, lines.collect::<Vec<_>>().join("\n")));
    }
    let workers: Vec<(&str, &str)> = workers
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    let dispatcher = read("rolecast.toml");
    let cluster = Cluster::start(without_http(&dispatcher), &workers).await;

    let readme = read("README.md");
    let shown = readme
        .lines()
        .filter_map(|line| line.split_once(" run --rm rolecast rolecast "));
    let shown: Vec<&str> = shown.map(|(_, arguments)| arguments).collect();
    assert_eq!(shown.len(), 2);
    for arguments in shown {
        // Every second piece between quotes is one argument as it stands.
        let pieces = arguments.split('"').enumerate();
        let arguments: Vec<&str> = pieces
            .flat_map(|(i, piece)| match i % 2 {
                0 => piece.split_whitespace().collect(),
                _ => vec![piece],
            })
            .collect();
        let (output, code) = cluster.rolecast(&arguments).await;
        assert_eq!(code, 0, "{arguments:?}: {output}");
        assert!(arguments[0] == "status" || output.contains('3'), "{output}");
    }

    for (category, nodes) in [
        ("report", ["leader", ""]),
        ("compress", ["backup", "follower"]),
    ] {
        cluster.submit(category, category, "payload").await;
        let record = cluster.wait_record(category).await;
        let node = record.node.as_ref().map(NodeId::as_str);
        assert!(node.is_some_and(|node| nodes.contains(&node)), "{record:?}");
    }
}
