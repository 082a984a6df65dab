//! Real nats-server, and programs that reach it, as docs/security.md configures them.

use rolecast_tests::cluster::LIMIT;
use rolecast_tests::directory::Directory;
use rolecast_tests::document::blocks;
use rolecast_tests::process::{Process, program, run};
use rolecast_tests::server::Server;

use crate::rights::Rights;

const DOCUMENT: &str = "docs/security.md";
pub(crate) const PARTIES: [&str; 4] = ["dispatcher", "web-1", "producer", "operator"];

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
state_directory = "state"
[capacity]
cpu = 2
memory = "1GiB"
[categories.thumbnail]
command = ["tr", "a-z", "A-Z"]
"#;

/// Returns the server's part of the configurations with these names.
pub(crate) fn server_lines(names: &[&str]) -> String {
    let part = |name: &&str| only(&format!("nats {name}"));
    names.iter().map(part).collect::<Vec<_>>().join("\n")
}

/// Returns the part of the dispatcher and the worker.
pub(crate) fn client_lines(names: &[&str]) -> String {
    let part = |name: &&str| only(&format!("toml {name}"));
    names.iter().map(part).collect::<Vec<_>>().join("\n")
}

fn only(label: &str) -> String {
    let mut found = blocks(DOCUMENT, label);
    assert_eq!(found.len(), 1, "blocks {label}");
    found.remove(0)
}

/// A server, and the settings of its clients.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) directory: Directory,
    client: String,
}

impl Site {
    /// Starts the server with these lines; `directory` has the files that they name.
    pub(crate) async fn start(directory: Directory, server: &str, client: &str) -> Site {
        let mut lines = server.to_owned();
        for party in PARTIES {
            let block = Rights::of(party).block();
            lines = lines.replace(&format!("<rights of {party}>"), &block);
        }
        let lines = local(&lines, &directory);
        assert!(
            !lines.contains('<'),
            "something is left to fill in: {lines}"
        );
        let server = Server::start_with_authorization(&lines).await;
        let client = local(client, &directory);
        Site {
            server,
            directory,
            client,
        }
    }

    /// Returns the lines of a party, on this server.
    pub(crate) fn client(&self, party: &str) -> String {
        let address = format!("localhost:{}", self.server.port());
        let lines = self.client.replace("nats.example.com:4222", &address);
        lines.replace("web-1", party)
    }

    pub(crate) fn dispatcher(&self) -> Process {
        self.dispatcher_with(&self.client("dispatcher"), "60s")
    }

    /// Starts a dispatcher with these settings for NATS.
    pub(crate) fn dispatcher_with(&self, nats: &str, limit: &str) -> Process {
        let config = format!("{nats}\n[categories.thumbnail]\n");
        self.spawn("rolecast-dispatcher", "rolecast.toml", &config, limit)
    }

    /// Starts a worker of this node with the login of another party.
    pub(crate) fn worker(&self, node: &str, party: &str) -> Process {
        self.worker_with(node, &self.client(party), "60s")
    }

    pub(crate) fn worker_with(&self, node: &str, nats: &str, limit: &str) -> Process {
        let config = format!("node = \"{node}\"\n{WORKER}\n{nats}\n");
        let file = format!("worker-{node}.toml");
        self.spawn("rolecast-worker", &file, &config, limit)
    }

    fn spawn(&self, name: &str, file: &str, config: &str, limit: &str) -> Process {
        self.directory.write(file, config);
        let arguments = ["--config", file, "--connect-timeout", limit];
        let log = unique(name);
        Process::spawn(&log, self.directory.path(), &program(name), arguments)
    }

    /// Runs the command `rolecast` as a party; returns its output and its exit code.
    pub(crate) async fn rolecast(&self, party: &str, arguments: &[&str]) -> (String, i32) {
        self.rolecast_with(&self.client(party), arguments).await
    }

    /// Runs the command `rolecast`, which gets by the environment the settings that the
    /// others get by their configuration.
    pub(crate) async fn rolecast_with(&self, nats: &str, arguments: &[&str]) -> (String, i32) {
        let settings = nats.lines().filter_map(|line| line.split_once(" = "));
        let variables: Vec<(String, &str)> = settings
            .map(|(key, value)| {
                (
                    format!("NATS_{}", key.to_uppercase()),
                    value.trim_matches('"'),
                )
            })
            .collect();
        let variables: Vec<(&str, &str)> = variables
            .iter()
            .map(|(key, value)| (key.as_str(), *value))
            .collect();
        let log = unique("rolecast");
        let process = Process::spawn_with(
            &log,
            self.directory.path(),
            &program("rolecast"),
            arguments,
            &variables,
        );
        let (output, status) = run(process, LIMIT).await;
        (output, status.code().unwrap_or(-1))
    }

    /// Submits a job as the producer, and checks its output.
    pub(crate) async fn complete_a_job(&self) {
        let arguments = [
            "submit",
            "thumbnail",
            "--data",
            "photo",
            "--wait",
            "--timeout",
            "20s",
        ];
        let (output, code) = self.rolecast("producer", &arguments).await;
        assert!(output.contains("PHOTO") && code == 0, "{code}: {output}");
    }
}

/// Replaces the directories of the document by the test's one.
fn local(lines: &str, directory: &Directory) -> String {
    let directory = format!("{}/", directory.path().display());
    let lines = lines.replace("/etc/nats/", &directory);
    let lines = lines.replace("/etc/rolecast/", &directory);
    lines.replace("<password>", "s3cret")
}

/// Returns a unique name: each process has a log of its own.
fn unique(name: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};

    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
