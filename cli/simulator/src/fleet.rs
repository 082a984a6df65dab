//! State of the hosts at one moment.

use super::host::LiveHost;
use super::moment::Moment;
use super::policy::{HostIndex, JobIndex, Live};
use super::world::World;

/// All hosts.
#[derive(Debug)]
pub(crate) struct Fleet<'a> {
    pub(crate) world: &'a World,
    pub(crate) now: Moment,
    pub(crate) hosts: Vec<LiveHost>,
}

impl Live for Fleet<'_> {
    fn world(&self) -> &World {
        self.world
    }

    fn utilization(&self, host: HostIndex) -> f64 {
        self.hosts[host].utilization()
    }

    fn memory_share(&self, host: HostIndex) -> f64 {
        self.hosts[host].memory_share()
    }

    fn in_flight(&self, host: HostIndex) -> usize {
        self.hosts[host].job_count()
    }

    fn remaining(&self, host: HostIndex, visit: &mut dyn FnMut(JobIndex, f64)) {
        self.hosts[host].remaining(self.now, visit);
    }
}
