//! Nats-servers of one JetStream cluster, which a test can kill, freeze, wipe, isolate
//! and slow down, each by itself.
//!
//! ```no_run
//! # async fn example() {
//! use rolecast_tests::leads::Group;
//! use rolecast_tests::servers::{Options, Servers};
//!
//! let mut servers = Servers::start(&Options::replicas(3)).await;
//! let leader = servers.leader(&Group::Meta).await.expect("one leads");
//! servers.kill(leader);
//! servers.start_again(leader);
//! # }
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use async_nats::Client;
use nix::sys::signal::Signal;

use crate::directory::Directory;
use crate::leads::{Group, Leads, leads};
use crate::logins::{self, ADMIN};
use crate::process::Process;
use crate::proxy::{Proxy, Way};
use crate::server::{binary, free_port};
use crate::slot::Slot;
use crate::wait::wait_until;

/// Three servers that start at once elect their first leader in 1 to 5 s.
const START_LIMIT: Duration = Duration::from_secs(40);

/// Settings of a cluster.
#[derive(Clone, Debug)]
pub struct Options {
    pub count: usize,
    /// More lines of each server's block `jetstream`.
    pub jetstream: String,
    /// Whether servers reach each other through proxies only; see [`Servers::isolate`].
    pub has_links: bool,
}

impl Options {
    /// Returns the settings of most tests for this many servers.
    pub fn replicas(count: usize) -> Options {
        Options {
            count,
            jetstream: String::new(),
            has_links: false,
        }
    }
}

/// One server of the cluster.
#[derive(Debug)]
struct Member {
    process: Process,
    port: u16,
    monitor: u16,
}

/// The servers. They are killed, and their stores removed, when this is dropped.
#[derive(Debug)]
pub struct Servers {
    members: Vec<Member>,
    /// Links from the first to the second.
    links: BTreeMap<(usize, usize), Proxy>,
    directory: Directory,
    _slot: Slot,
}

impl Servers {
    /// Starts the servers and waits until all listen and follow a leader.
    pub async fn start(options: &Options) -> Servers {
        let slot = Slot::take();
        let directory = Directory::new();
        let routes: Vec<u16> = (0..options.count).map(|_| free_port()).collect();
        let links = links(options, &routes).await;
        let member = |index: usize| {
            let (port, monitor) = (free_port(), free_port());
            let config = config(index, options, &directory, [port, monitor], &routes, &links);
            directory.write(&format!("{}.conf", name(index)), &config);
            Member {
                process: spawn(&directory, index),
                port,
                monitor,
            }
        };
        let members = (0..options.count).map(member).collect();
        let mut servers = Servers {
            members,
            links,
            directory,
            _slot: slot,
        };
        servers.wait_ready().await;
        servers
    }

    pub fn count(&self) -> usize {
        self.members.len()
    }

    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Returns the URLs of all servers, for a user that may log in at any.
    pub fn url_as(&self, user: &str) -> String {
        let all = 0..self.count();
        let urls: Vec<String> = all.map(|index| self.url_of(index, user)).collect();
        urls.join(",")
    }

    /// Returns the URL of one, for a user, whose password is its name.
    pub fn url_of(&self, index: usize, user: &str) -> String {
        logins::url(self.port_of(index), user)
    }

    pub fn port_of(&self, index: usize) -> u16 {
        self.members[index].port
    }

    /// Connects the harness itself, which may do anything; the client reconnects by
    /// itself.
    pub async fn client(&self) -> Client {
        let urls = self.url_as(ADMIN);
        let urls: Vec<&str> = urls.split(',').collect();
        let options = logins::options(ADMIN)
            .ping_interval(Duration::from_secs(1))
            .connection_timeout(Duration::from_secs(1));
        let client = options.connect(urls).await;
        client.expect("a server that listens takes connections")
    }

    /// Kills one with SIGKILL; its store stays.
    pub fn kill(&mut self, index: usize) {
        self.members[index].process.kill();
    }

    /// Asks one with SIGTERM to end.
    pub fn terminate(&self, index: usize) {
        self.members[index].process.terminate();
    }

    /// Starts lame duck mode in one: it hands over what it leads, then disconnects its
    /// clients, then ends.
    pub fn lame_duck(&self, index: usize) {
        self.members[index].process.signal(Signal::SIGUSR2);
    }

    /// Freezes one with SIGSTOP.
    pub fn stop(&self, index: usize) {
        self.members[index].process.stop();
    }

    /// Continues one with SIGCONT.
    pub fn cont(&self, index: usize) {
        self.members[index].process.cont();
    }

    pub fn is_running(&mut self, index: usize) -> bool {
        self.members[index].process.is_running()
    }

    /// Removes the store of one that does not run.
    pub fn wipe(&mut self, index: usize) {
        assert!(!self.is_running(index), "a store in use stays");
        let store = self.directory.path().join(name(index));
        fs::remove_dir_all(store).expect("the store is there");
    }

    /// Starts one again on its ports and store, and kills it first if it runs; returns at
    /// once.
    pub fn start_again(&mut self, index: usize) {
        self.members[index].process.kill();
        self.members[index].process = spawn(&self.directory, index);
    }

    /// Returns whether one takes connections.
    pub fn listens(&self, index: usize) -> bool {
        let address = (Ipv4Addr::LOCALHOST, self.members[index].port);
        TcpStream::connect_timeout(&address.into(), Duration::from_millis(200)).is_ok()
    }

    /// Holds or opens all links between one server and the others; see [`Options::has_links`].
    pub fn isolate(&self, index: usize, is_isolated: bool) {
        assert!(!self.links.is_empty(), "the servers have no links");
        let way = if is_isolated { Way::Held } else { Way::Open };
        for ((from, to), link) in &self.links {
            if [*from, *to].contains(&index) {
                link.set(way);
            }
        }
    }

    /// Delays all messages between servers, in each direction; see
    /// [`Options::has_links`].
    pub fn slow_down(&self, delay: Duration) {
        assert!(!self.links.is_empty(), "the servers have no links");
        for link in self.links.values() {
            link.set(Way::Slow(delay));
        }
    }

    /// Asks one for the groups that it leads; `None` if it does not answer.
    pub async fn leads(&self, index: usize) -> Option<Leads> {
        let name = (self.count() > 1).then(|| name(index));
        leads(self.members[index].monitor, name.as_deref()).await
    }

    /// Returns the server that leads this group, if one reports that.
    pub async fn leader(&self, group: &Group) -> Option<usize> {
        for index in 0..self.count() {
            let leads = self.leads(index).await;
            if leads.is_some_and(|leads| leads.has(group)) {
                return Some(index);
            }
        }
        None
    }

    /// Returns whether all others follow the leader: before that streams have no place.
    async fn is_complete(&self) -> bool {
        for index in 0..self.count() {
            let leads = self.leads(index).await.unwrap_or_default();
            if leads.has(&Group::Meta) {
                return leads.followers() == self.count() - 1;
            }
        }
        false
    }

    async fn wait_ready(&mut self) {
        wait_until("the servers follow a leader", START_LIMIT, async || {
            for member in &mut self.members {
                assert!(member.process.is_running(), "nats-server ended");
            }
            let all = (0..self.count()).all(|index| self.listens(index));
            all && self.is_complete().await
        })
        .await;
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            for member in &self.members {
                logins::assert_nothing_was_refused(&member.process);
            }
        }
    }
}

fn name(index: usize) -> String {
    format!("s{}", index + 1)
}

fn spawn(directory: &Directory, index: usize) -> Process {
    let name = name(index);
    let config = format!("{name}.conf");
    Process::spawn(&name, directory.path(), &binary(), ["-c", config.as_str()])
}

async fn links(options: &Options, routes: &[u16]) -> BTreeMap<(usize, usize), Proxy> {
    let mut links = BTreeMap::new();
    if !options.has_links {
        return links;
    }
    for from in 0..routes.len() {
        for (to, port) in routes.iter().enumerate().filter(|(to, _)| *to != from) {
            links.insert((from, to), Proxy::start(*port).await);
        }
    }
    links
}

fn config(
    index: usize,
    options: &Options,
    directory: &Directory,
    [port, monitor]: [u16; 2],
    routes: &[u16],
    links: &BTreeMap<(usize, usize), Proxy>,
) -> String {
    let name = name(index);
    let store = directory.path().join(&name);
    let server = format!(
        "server_name: {name}\nlisten: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{monitor}\"\n\
         lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"1s\"\n\
         jetstream {{ store_dir: \"{}\"\n{} }}\n",
        store.display(),
        options.jetstream
    );
    let server = format!("{server}{}", logins::block(""));
    if options.count == 1 {
        return server;
    }
    let others = (0..options.count).filter(|other| *other != index);
    let urls: Vec<String> = others
        .map(|other| {
            let link = links.get(&(index, other));
            let port = link.map_or(routes[other], Proxy::port);
            format!("\"nats-route://127.0.0.1:{port}\"")
        })
        .collect();
    // Servers send each other the addresses of all. Nobody listens at the address
    // here, so that all routes are those of `routes`.
    let advertise = if options.has_links {
        "advertise: \"127.0.0.1:9\""
    } else {
        ""
    };
    format!(
        "{server}cluster {{ name: rolecast\nlisten: \"127.0.0.1:{}\"\nno_advertise: true\n\
         {advertise}\nroutes: [{}] }}\n",
        routes[index],
        urls.join(", ")
    )
}
