//! The hosts of a scenario.

use fastrand::Rng;
use rolecast_common::id::{NodeId, Role};
use rolecast_common::label::Labels;
use rolecast_common::settings::{Setting, Table};
use rolecast_common::unit::{Bytes, BytesPerSecond};
use rolecast_common::wire::Share;

use super::value::{Span, Weighted};
use crate::world::{Host, Load};

/// The most hosts: above the largest fleet that anyone waits for.
const HOSTS_MAX: u32 = 20_000;

/// Description of the hosts.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Number of hosts, from 1 to 20,000.
    pub hosts: u32,
    cores: Weighted,
    speed: Weighted,
    /// Equally likely values.
    memory_per_core: Vec<Bytes>,
    disk_per_core: BytesPerSecond,
    network_per_core: BytesPerSecond,
    /// A host with fewer cores has the disk and network of one with this many.
    io_cores_min: u32,
    /// Host i has the one at i modulo the length.
    pub(crate) roles: Vec<Role>,
    /// The same for labels: a list of `name=value` for each.
    labels: Vec<Vec<String>>,
    latency: Span,
    /// The largest error of a declared capacity, as a share.
    capacity_error: f64,
}

impl Default for Fleet {
    fn default() -> Self {
        let rate = |bytes| BytesPerSecond::new(bytes).expect("rates are finite and above zero");
        Self {
            hosts: 100,
            cores: Weighted::fixed(4.0),
            speed: Weighted::fixed(1.0),
            memory_per_core: vec![Bytes::new(4_000_000_000)],
            disk_per_core: rate(60e6),
            network_per_core: rate(62.5e6),
            io_cores_min: 4,
            roles: Vec::new(),
            labels: Vec::new(),
            latency: Span::new(0.00005, 0.00005),
            capacity_error: 0.0,
        }
    }
}

impl Fleet {
    /// Reads the section `[fleet]`.
    pub(super) fn read(&mut self, root: &mut Table<'_>) {
        root.table("fleet", |table| {
            self.hosts = table.get_or("hosts", self.hosts);
            if !is_host_count(self.hosts) {
                table.mistake("hosts", format!("from 1 to {HOSTS_MAX}"));
            }
            take(table, "cores", &mut self.cores);
            take(table, "speed", &mut self.speed);
            take(table, "memory_per_core", &mut self.memory_per_core);
            if self.memory_per_core.is_empty() {
                table.mistake("memory_per_core", "name one size at least");
            }
            take(table, "disk_per_core", &mut self.disk_per_core);
            take(table, "network_per_core", &mut self.network_per_core);
            take(table, "io_cores_min", &mut self.io_cores_min);
            take(table, "roles", &mut self.roles);
            take(table, "labels", &mut self.labels);
            if self.labels.iter().any(|host| to_labels(host).is_none()) {
                table.mistake("labels", "expected lists of \"name=value\"");
            }
            take(table, "latency", &mut self.latency);
            if let Some(error) = table.get::<Share>("capacity_error") {
                self.capacity_error = error.get();
                if self.capacity_error > 0.9 {
                    table.mistake("capacity_error", "at most 0.9");
                }
            }
        });
    }

    /// Makes the hosts; the use by others is added later.
    pub(super) fn build(&self, rng: &mut Rng) -> Vec<Host> {
        let count = self.hosts as usize;
        let cores = self.cores.deal(count, rng);
        let speeds = self.speed.deal(count, rng);
        let hosts = cores.into_iter().zip(speeds).enumerate();
        let hosts = hosts.map(|(index, (cores, speed))| self.host(index, cores, speed, rng));
        hosts.collect()
    }

    fn host(&self, index: usize, cores: f64, speed: f64, rng: &mut Rng) -> Host {
        let io_cores = cores.max(f64::from(self.io_cores_min));
        let memory = rng
            .choice(&self.memory_per_core)
            .map_or(0, |size| size.get());
        let error = self.capacity_error;
        let product = 1.0 + error * (2.0 * rng.f64() - 1.0);
        let name = format!("n{index:05}");
        let labels = cycle(&self.labels, index).into_iter().flatten();
        Host {
            id: NodeId::new(&name).expect("a letter and digits are an id"),
            roles: cycle(&self.roles, index).cloned().into_iter().collect(),
            labels: to_labels(labels).unwrap_or_default(),
            cores,
            speed,
            memory: cores * memory as f64,
            disk: io_cores * self.disk_per_core.get(),
            network: io_cores * self.network_per_core.get(),
            // Half of the error each, so that the product is wrong by all of it.
            declared_cores: cores * product.sqrt(),
            declared_speed: speed * product.sqrt(),
            latency_s: self.latency.0.draw(rng),
            load: Load {
                start_s: 0.0,
                step_s: 1.0,
                samples: Vec::new(),
            },
        }
    }
}

/// Returns whether a fleet may have this many hosts: from 1 to 20,000.
pub fn is_host_count(hosts: u32) -> bool {
    (1..=HOSTS_MAX).contains(&hosts)
}

/// Reads a value into its place, if the key is present.
fn take<T: Setting>(table: &mut Table<'_>, key: &str, place: &mut T) {
    if let Some(value) = table.get(key) {
        *place = value;
    }
}

fn cycle<T>(list: &[T], index: usize) -> Option<&T> {
    list.get(index.checked_rem(list.len())?)
}

/// Reads labels written as `name=value`; `None` if one is not.
fn to_labels<'a>(texts: impl IntoIterator<Item = &'a String>) -> Option<Labels> {
    let mut labels = Labels::default();
    for text in texts {
        let (name, value) = text.split_once('=')?;
        labels.insert(name, value).ok()?;
    }
    Some(labels)
}
