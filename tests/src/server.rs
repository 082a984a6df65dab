//! Real nats-server with JetStream, on its own port and store.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use async_nats::Client;

use crate::directory::Directory;
use crate::logins::{self, ADMIN};
use crate::process::{Process, repository};
use crate::slot::Slot;
use crate::wait::{wait_for, wait_until};

/// Ports are taken from below the range of outgoing connections, so that none takes the
/// port while its server is dead.
const PORT_MIN: u16 = 20_000;
const PORT_COUNT: u16 = 10_000;
/// Ports tried before giving up: more than all concurrent tests would hold.
const PORTS_TRIED_MAX: u16 = 200;
/// A server is up in a fraction of a second, unless the machine is busy.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A nats-server. It is killed, and its store removed, when this is dropped.
#[derive(Debug)]
pub struct Server {
    process: Process,
    port: u16,
    directory: Directory,
    _slot: Slot,
}

impl Server {
    /// Starts a server with the logins of [`crate::logins`].
    pub async fn start() -> Server {
        Self::start_with_users("").await
    }

    /// Starts a server with these entries in its list of users, beside the usual ones,
    /// such as `{ user: a, password: a, permissions: { publish: [...], subscribe: [...] } }`.
    pub async fn start_with_users(users: &str) -> Server {
        Self::start_with("", &logins::block(users)).await
    }

    /// Starts a server with this block `authorization`; it has the user [`ADMIN`].
    pub async fn start_with_authorization(block: &str) -> Server {
        Self::start_with("", block).await
    }

    /// Starts a server with these lines in its config.
    pub async fn start_with_config(lines: &str) -> Server {
        let lines = format!("{lines}\n{}", logins::block(""));
        Self::start_with("", &lines).await
    }

    /// Starts a server whose users are in an account with these limits of JetStream, such
    /// as `{ max_consumers: 7 }`.
    pub async fn start_with_limits(limits: &str) -> Server {
        Self::start_with("", &logins::account(limits)).await
    }

    /// Starts a server that offers this much storage, such as `64MB`.
    pub async fn start_with_storage(size: &str) -> Server {
        let jetstream = format!("max_file_store: {size}");
        Self::start_with(&jetstream, &logins::block("")).await
    }

    async fn start_with(jetstream: &str, lines: &str) -> Server {
        let slot = Slot::take();
        let directory = Directory::new();
        let port = free_port();
        let store = directory.path().join("store");
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\nserver_name: rolecast-test\n\
             jetstream {{ store_dir: \"{}\"\n{jetstream} }}\n{lines}",
            store.display()
        );
        directory.write("nats.conf", &config);
        let process = spawn(directory.path());
        let mut server = Server {
            process,
            port,
            directory,
            _slot: slot,
        };
        server.wait_ready().await;
        server
    }

    /// Kills it with SIGKILL; its store stays.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port and store.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = spawn(self.directory.path());
        self.wait_ready().await;
    }

    /// Freezes it with SIGSTOP.
    pub fn stop(&self) {
        self.process.stop();
    }

    /// Continues it with SIGCONT.
    pub fn cont(&self) {
        self.process.cont();
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Returns the directory that is removed with the server; a test may write there.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL for the harness, which may do anything.
    pub fn url(&self) -> String {
        self.url_as(ADMIN)
    }

    /// Returns the URL for a user, whose password is its name.
    pub fn url_as(&self, user: &str) -> String {
        logins::url(self.port, user)
    }

    /// Connects as the user that may do anything.
    pub async fn client(&self) -> Client {
        self.client_as(ADMIN).await
    }

    /// Connects as a user; the client reconnects by itself after a restart.
    pub async fn client_as(&self, user: &str) -> Client {
        let url = format!("nats://127.0.0.1:{}", self.port);
        wait_for("a connection to nats-server", START_LIMIT, async || {
            logins::options(user).connect(&url).await.ok()
        })
        .await
    }

    /// Waits for the port; JetStream is ready before the port is open.
    async fn wait_ready(&mut self) {
        let address = (Ipv4Addr::LOCALHOST, self.port);
        wait_until("nats-server listens", START_LIMIT, async || {
            assert!(self.process.is_running(), "nats-server ended");
            TcpStream::connect(address).is_ok()
        })
        .await;
    }
}

fn spawn(directory: &Path) -> Process {
    Process::spawn("nats-server", directory, &binary(), ["-c", "nats.conf"])
}

/// Finds nats-server: the variable NATS_SERVER, the one of `make tools`, PATH.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("NATS_SERVER") {
        return path.into();
    }
    let fetched = repository().join(".tools/python/bin/nats-server");
    if fetched.is_file() {
        return fetched;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join("nats-server"))
        .find(|candidate| candidate.is_file())
        .expect("no nats-server: run `make tools`, or set NATS_SERVER")
}

/// Returns a port that nobody listens on, and another one each time.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Concurrent test programs start at different ports.
    let start = u16::try_from(std::process::id() * 37 % u32::from(PORT_COUNT))
        .expect("a remainder is smaller than its divisor");
    for _ in 0..PORTS_TRIED_MAX {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORT_MIN + (start + step % PORT_COUNT) % PORT_COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port found from {PORT_MIN} on");
}
