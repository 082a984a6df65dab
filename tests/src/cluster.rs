//! Whole system for a test: one nats-server, one dispatcher, and workers.
//!
//! ```no_run
//! # async fn example() {
//! use rolecast_tests::cluster::Cluster;
//!
//! let worker = r#"
//!     roles = ["follower"]
//!     [categories.shout]
//!     command = ["tr", "a-z", "A-Z"]
//! "#;
//! let mut cluster = Cluster::start("", &[("one", worker), ("two", worker)]).await;
//! cluster.submit("shout", "job-1", "hello").await;
//! let record = cluster.wait_record("job-1").await;
//! assert_eq!(&record.output.0[..], b"HELLO");
//! cluster.worker("one").kill();
//! # }
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rolecast_common::subjects;
use rolecast_common::wire::{self, Encoding, NodeHealth, NodeStatus, Status};

use crate::logins::{DISPATCHER, OPERATOR, assert_node, assert_nothing_was_refused};
use crate::process::{Process, program};
use crate::server::Server;
use crate::wait::{wait_for, wait_until};

/// Time limit for everything that normally takes a second or two. Tests of a shorter time
/// assert it themselves.
pub const LIMIT: Duration = Duration::from_secs(30);
/// Time limit of one answer of the dispatcher.
const STATUS_LIMIT: Duration = Duration::from_secs(2);

/// A running system. All of it is killed when this is dropped.
#[derive(Debug)]
pub struct Cluster {
    workers: BTreeMap<String, Process>,
    dispatcher: Process,
    client: Client,
    operator: Client,
    server: Server,
    is_intruded: bool,
}

impl Cluster {
    /// Starts a server, a dispatcher with this config, and workers as
    /// `(node, config)`; the harness adds `node` to a worker's config and the
    /// server's URL to all. Returns when every worker is ready for jobs.
    pub async fn start(dispatcher: &str, workers: &[(&str, &str)]) -> Cluster {
        let mut cluster = Self::on(Server::start().await, dispatcher).await;
        for (node, config) in workers {
            cluster.add_worker(node, config);
        }
        let nodes: Vec<&str> = workers.iter().map(|(node, _)| *node).collect();
        cluster.wait_ready(&nodes).await;
        cluster
    }

    /// Starts a dispatcher on a server, and no worker.
    pub async fn on(server: Server, dispatcher: &str) -> Cluster {
        server.directory().write("rolecast.toml", dispatcher);
        let client = server.client().await;
        let cluster = Cluster {
            workers: BTreeMap::new(),
            dispatcher: spawn_dispatcher("dispatcher", &server),
            client,
            operator: server.client_as(OPERATOR).await,
            server,
            is_intruded: false,
        };
        cluster
            .wait_status("the dispatcher answers", |_| true)
            .await;
        cluster
    }

    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// Marks that the test tries actions that a login may not do. In all others nothing
    /// may be refused, which is checked when this is dropped.
    pub fn intrude(&mut self) {
        self.is_intruded = true;
    }

    pub fn dispatcher(&mut self) -> &mut Process {
        &mut self.dispatcher
    }

    /// Returns the directory in which all programs run.
    pub fn directory(&self) -> &Path {
        self.server.directory().path()
    }

    /// Starts another dispatcher with the same config beside the first; returns at once.
    pub fn second_dispatcher(&self) -> Process {
        spawn_dispatcher("dispatcher-2", &self.server)
    }

    /// Starts the dispatcher again, killing it first if it runs; returns at once.
    pub fn restart_dispatcher(&mut self) {
        self.dispatcher.kill();
        self.dispatcher = spawn_dispatcher("dispatcher", &self.server);
    }

    /// Starts a worker; returns at once.
    pub fn add_worker(&mut self, node: &str, config: &str) {
        let url = self.server.url_as(node);
        self.add_worker_as(node, config, &url);
    }

    /// Starts a worker that uses this URL, and with it this login; returns at once.
    pub fn add_worker_as(&mut self, node: &str, config: &str, url: &str) {
        let file = self.write_worker(node, config);
        let process = Process::spawn(
            &format!("worker-{node}"),
            self.server.directory().path(),
            &program("rolecast-worker"),
            ["--config", file.as_str(), "--nats-url", url],
        );
        self.workers.insert(node.to_owned(), process);
    }

    /// Starts a worker whose clock is ahead by this many seconds; returns at once.
    pub fn add_skewed_worker(&mut self, node: &str, config: &str, ahead_s: i32) {
        let file = self.write_worker(node, config);
        let url = self.server.url_as(node);
        let process = spawn_skewed(
            &format!("worker-{node}"),
            self.directory(),
            "rolecast-worker",
            ["--config", file.as_str(), "--nats-url", url.as_str()],
            ahead_s,
        );
        self.workers.insert(node.to_owned(), process);
    }

    /// Starts the dispatcher again with a clock that is ahead by this many seconds,
    /// killing it first; returns at once.
    pub fn restart_skewed_dispatcher(&mut self, ahead_s: i32) {
        self.dispatcher.kill();
        self.dispatcher = self.spawn_skewed_dispatcher("dispatcher", ahead_s);
    }

    /// Starts another dispatcher beside the first, with a clock that is ahead by this many
    /// seconds; returns at once.
    pub fn second_skewed_dispatcher(&self, ahead_s: i32) -> Process {
        self.spawn_skewed_dispatcher("dispatcher-2", ahead_s)
    }

    fn spawn_skewed_dispatcher(&self, name: &str, ahead_s: i32) -> Process {
        let url = self.server.url_as(DISPATCHER);
        let arguments = ["--config", "rolecast.toml", "--nats-url", &url];
        let directory = self.directory();
        spawn_skewed(name, directory, "rolecast-dispatcher", arguments, ahead_s)
    }

    /// Starts a worker with an endless loop as another child of its process, which it
    /// measures as the use of others; see [`Cluster::load`]. Returns at once.
    pub fn add_loaded_worker(&mut self, node: &str, config: &str) {
        let file = self.write_worker(node, config);
        let script = format!(
            "sh -c 'while kill -0 $PPID 2>/dev/null; do :; done' & echo $! > {node}.load; \
             kill -STOP $!; exec \"$0\" \"$@\""
        );
        let worker = program("rolecast-worker");
        let (worker, url) = (worker.to_string_lossy(), self.server.url_as(node));
        let process = Process::spawn(
            &format!("worker-{node}"),
            self.server.directory().path(),
            Path::new("/bin/sh"),
            [
                "-c",
                &script,
                &worker,
                "--config",
                &file,
                "--nats-url",
                &url,
            ],
        );
        self.workers.insert(node.to_owned(), process);
    }

    /// Lets the loop beside a loaded worker run, or stops it.
    pub fn load(&self, node: &str, is_on: bool) {
        let path = self.directory().join(format!("{node}.load"));
        let id = std::fs::read_to_string(path).expect("the worker was started with a load");
        let id = Pid::from_raw(id.trim().parse().expect("it is a process id"));
        let signal = if is_on {
            Signal::SIGCONT
        } else {
            Signal::SIGSTOP
        };
        kill(id, signal).expect("the load is there");
    }

    fn write_worker(&self, node: &str, config: &str) -> String {
        assert_node(node);
        // Side by side on one machine, each test keeps its state to itself.
        let text = format!("node = \"{node}\"\nstate_directory = \"state\"\n{config}");
        let file = format!("worker-{node}.toml");
        self.server.directory().write(&file, &text);
        file
    }

    /// Returns a worker that was started.
    pub fn worker(&mut self, node: &str) -> &mut Process {
        let worker = self.workers.get_mut(node);
        worker.unwrap_or_else(|| panic!("no worker {node} was started"))
    }

    /// Starts a worker again with the config it had, and kills it first if it runs;
    /// returns at once.
    pub fn restart_worker(&mut self, node: &str) {
        self.worker(node).kill();
        let file = format!("worker-{node}.toml");
        let url = self.server.url_as(node);
        let process = Process::spawn(
            &format!("worker-{node}"),
            self.server.directory().path(),
            &program("rolecast-worker"),
            ["--config", file.as_str(), "--nats-url", url.as_str()],
        );
        self.workers.insert(node.to_owned(), process);
    }

    /// Starts a second worker with the config, and so the node id, of another.
    pub fn double_worker(&mut self, node: &str) -> Process {
        let file = format!("worker-{node}.toml");
        let url = self.server.url_as(node);
        Process::spawn(
            &format!("worker-{node}-double"),
            self.server.directory().path(),
            &program("rolecast-worker"),
            ["--config", file.as_str(), "--nats-url", url.as_str()],
        )
    }

    /// Returns a client that may do anything, for actions that no party may do.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns JetStream with the rights of an operator.
    pub(crate) fn operator(&self) -> jetstream::Context {
        jetstream::new(self.operator.clone())
    }

    /// Returns JetStream with all rights.
    pub fn jetstream(&self) -> jetstream::Context {
        jetstream::new(self.client.clone())
    }

    /// Asks the dispatcher; `None` if nobody answers.
    pub async fn status(&self) -> Option<Status> {
        let asked = self.operator.request(subjects::API_STATUS, "".into());
        let answer = tokio::time::timeout(STATUS_LIMIT, asked).await;
        let answer = answer.ok()?.ok()?;
        wire::decode(Encoding::Json, &answer.payload).ok()
    }

    /// Waits until the dispatcher's answer satisfies the condition.
    pub async fn wait_status(&self, what: &str, condition: impl Fn(&Status) -> bool) -> Status {
        wait_for(what, LIMIT, async || self.status().await.filter(&condition)).await
    }

    /// Waits until the dispatcher gives jobs to all these nodes.
    pub async fn wait_ready(&self, nodes: &[&str]) {
        let is_ready = |status: &Status, name: &str| {
            node_of(status, name).is_some_and(|node| node.health == NodeHealth::Ready)
        };
        let condition = |status: &Status| nodes.iter().all(|name| is_ready(status, name));
        self.wait_status("all workers are ready", condition).await;
    }

    /// Waits until the dispatcher reports the node in this health; returns the time of
    /// the wait.
    pub async fn wait_health(&self, node: &str, health: NodeHealth) -> Duration {
        let what = format!("node {node} is {health:?}");
        wait_until(&what, LIMIT, async || {
            let status = self.status().await;
            let found = status.as_ref().and_then(|status| node_of(status, node));
            found.is_some_and(|node| node.health == health)
        })
        .await
    }

    /// Waits until this many jobs run, on all nodes together.
    pub async fn wait_running(&self, count: u32) {
        let what = format!("{count} jobs run");
        let running = |status: &Status| status.categories.iter().map(|c| c.running).sum::<u32>();
        self.wait_status(&what, |status| running(status) >= count)
            .await;
    }

    /// Runs the command `rolecast` as an operator; returns its output and its exit code.
    pub async fn rolecast(&self, arguments: &[&str]) -> (String, i32) {
        self.rolecast_as(OPERATOR, arguments).await
    }

    /// Runs the command `rolecast` as an operator, and checks its exit code and a part of
    /// its output.
    pub async fn assert_output(&self, arguments: &[&str], code: i32, part: &str) {
        let (output, found) = self.rolecast(arguments).await;
        assert_eq!(found, code, "{arguments:?}: {output}");
        assert!(output.contains(part), "{arguments:?}: {output}");
    }

    /// Runs the command `rolecast` as a user; returns its output and its exit code.
    pub async fn rolecast_as(&self, user: &str, arguments: &[&str]) -> (String, i32) {
        use std::sync::atomic::{AtomicU32, Ordering};

        // Each call has a log of its own.
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let name = format!("rolecast-{}", CALLS.fetch_add(1, Ordering::Relaxed));
        let url = self.server.url_as(user);
        let process = Process::spawn_with(
            &name,
            self.server.directory().path(),
            &program("rolecast"),
            arguments,
            &[("NATS_URL", url.as_str())],
        );
        let (output, status) = crate::process::run(process, LIMIT).await;
        (output, status.code().unwrap_or(-1))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !self.is_intruded && !std::thread::panicking() {
            assert_nothing_was_refused(self.server.process());
        }
    }
}

fn node_of<'a>(status: &'a Status, name: &str) -> Option<&'a NodeStatus> {
    status.nodes.iter().find(|node| node.node.as_str() == name)
}

fn spawn_skewed(
    name: &str,
    directory: &Path,
    program_name: &str,
    arguments: [&str; 4],
    ahead_s: i32,
) -> Process {
    let library = crate::skew::library(directory);
    let (library, ahead) = (library.to_string_lossy(), ahead_s.to_string());
    let environment = [
        ("LD_PRELOAD", library.as_ref()),
        ("CLOCK_SKEW_S", ahead.as_str()),
    ];
    let program = program(program_name);
    Process::spawn_with(name, directory, &program, arguments, &environment)
}

fn spawn_dispatcher(name: &str, server: &Server) -> Process {
    let url = server.url_as(DISPATCHER);
    Process::spawn(
        name,
        server.directory().path(),
        &program("rolecast-dispatcher"),
        ["--config", "rolecast.toml", "--nats-url", &url],
    )
}
