//! Reports to the service manager, as systemd receives them on its socket.

#![allow(clippy::disallowed_methods, reason = "a watchdog measures real time")]

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use rolecast_tests::cluster::LIMIT;
use rolecast_tests::process::{Process, program};
use rolecast_tests::server::Server;
use rolecast_tests::wait::wait_for;

/// The longest message that a program sends.
const MESSAGE_MAX: usize = 4096;
/// The watchdog of these tests: signs of life are due every second.
const WATCHDOG_USEC: &str = "2000000";

/// The socket of a service manager, and what it received.
struct Manager {
    socket: UnixDatagram,
    path: String,
    received: Vec<String>,
}

impl Manager {
    fn new(directory: &Path, name: &str) -> Self {
        let path = directory.join(format!("{name}.notify"));
        let socket = UnixDatagram::bind(&path).expect("the directory is writable");
        socket
            .set_nonblocking(true)
            .expect("a socket can be polled");
        let path = path.display().to_string();
        let received = Vec::new();
        Self {
            socket,
            path,
            received,
        }
    }

    /// Starts a program of the workspace as systemd starts a unit of `Type=notify`.
    fn spawn(&self, name: &str, server: &Server, arguments: &[&str]) -> Process {
        let environment = [
            ("NOTIFY_SOCKET", self.path.as_str()),
            ("WATCHDOG_USEC", WATCHDOG_USEC),
        ];
        let directory = server.directory().path();
        Process::spawn_with(name, directory, &program(name), arguments, &environment)
    }

    fn read(&mut self) {
        let mut buffer = [0; MESSAGE_MAX];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(len) => {
                    let text = String::from_utf8_lossy(&buffer[..len]);
                    self.received.extend(text.lines().map(str::to_owned));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("cannot read the socket: {error}"),
            }
        }
    }

    /// Waits for a line with this beginning, and forgets all lines up to it.
    async fn wait(&mut self, start: &str) -> Vec<String> {
        wait_for(start, LIMIT, async || {
            self.read();
            let found = self
                .received
                .iter()
                .position(|line| line.starts_with(start));
            found.map(|index| self.received.drain(..=index).collect())
        })
        .await
    }
}

#[tokio::test]
async fn a_dispatcher_is_ready_when_it_stands_by_and_alive_without_nats() {
    let mut server = Server::start().await;
    server.directory().write("rolecast.toml", "");
    let url = server.url_as("dispatcher");
    let arguments = ["--config", "rolecast.toml", "--nats-url", &url];
    let mut manager = Manager::new(server.directory().path(), "first");
    let mut first = manager.spawn("rolecast-dispatcher", &server, &arguments);
    let before = manager.wait("READY=1").await;
    assert!(
        before[0].starts_with("STATUS=connects to NATS"),
        "{before:?}"
    );
    manager.wait("STATUS=leads with epoch ").await;
    let mut standby = Manager::new(server.directory().path(), "second");
    let mut second = standby.spawn("rolecast-dispatcher", &server, &arguments);
    let before = standby.wait("READY=1").await;
    assert!(
        before
            .iter()
            .any(|line| line.starts_with("STATUS=stands by")),
        "{before:?}"
    );

    // Longer than the watchdog: a sign of life in each half of it.
    server.kill();
    manager.wait("STATUS=has no connection to NATS").await;
    for manager in [&mut manager, &mut standby] {
        for _ in 0..4 {
            manager.wait("WATCHDOG=1").await;
        }
        assert!(!manager.received.iter().any(|line| line == "READY=1"));
    }
    assert!(first.is_running() && second.is_running());
    server.restart().await;
    for (process, manager) in [(&mut first, &mut manager), (&mut second, &mut standby)] {
        process.terminate();
        manager.wait("STOPPING=1").await;
        assert!(process.wait(LIMIT).await.success());
    }
}

#[tokio::test]
async fn a_dispatcher_that_does_not_run_gives_no_sign_of_life() {
    let server = Server::start().await;
    server.directory().write("rolecast.toml", "");
    let url = server.url_as("dispatcher");
    let arguments = ["--config", "rolecast.toml", "--nats-url", &url];
    let mut manager = Manager::new(server.directory().path(), "only");
    let process = manager.spawn("rolecast-dispatcher", &server, &arguments);
    manager.wait("STATUS=leads with epoch ").await;
    process.stop();
    // As systemd does: nothing for the whole time of the watchdog.
    let mut quiet_since = std::time::Instant::now();
    wait_for("the watchdog ends the wait", LIMIT, async || {
        let before = manager.received.len();
        manager.read();
        if manager.received.len() > before {
            quiet_since = std::time::Instant::now();
        }
        (quiet_since.elapsed() > Duration::from_secs(2)).then_some(())
    })
    .await;
    process.cont();
    manager.wait("WATCHDOG=1").await;
}

#[tokio::test]
async fn a_worker_is_ready_when_it_takes_jobs() {
    let server = Server::start().await;
    let config = "node = \"one\"\nroles = [\"follower\"]\n[categories.count]\n\
                  command = [\"wc\", \"-w\"]\n";
    server.directory().write("worker.toml", config);
    let url = server.url_as("one");
    let arguments = ["--config", "worker.toml", "--nats-url", &url];
    let mut manager = Manager::new(server.directory().path(), "worker");
    let mut worker = manager.spawn("rolecast-worker", &server, &arguments);
    // Without a dispatcher it takes jobs after a while.
    let before = manager.wait("STATUS=waits for a dispatcher to admit").await;
    assert!(!before.iter().any(|line| line == "READY=1"), "{before:?}");
    let before = manager.wait("READY=1").await;
    assert!(before.iter().any(|line| line == "STATUS=takes jobs: 0 run"));
    for _ in 0..3 {
        manager.wait("WATCHDOG=1").await;
    }
    worker.terminate();
    let before = manager.wait("STOPPING=1").await;
    assert!(before.iter().any(|line| line.starts_with("STATUS=drains")));
    assert!(worker.wait(LIMIT).await.success());
}
