//! Injection of faults into a running row.

use std::time::Duration;

use super::load::{Submission, now};
use super::plan::Plan;
use super::row::{Ending, Fault, Target};
use super::run::Running;
use super::system::{DISPATCHERS, Name, WORKERS};

/// Time limit for a server to end by itself; planned maintenance takes a few seconds.
const END_LIMIT: Duration = Duration::from_secs(20);
/// Time limit for a restarted server until it listens.
const LISTEN_LIMIT: Duration = Duration::from_secs(30);
/// Payload of the jobs that fill a store: just below the largest that servers take.
const BULK_LEN: usize = 900_000;
/// Jobs of this kind that may wait for their acknowledgement at once.
const BULK_OPEN_MAX: usize = 8;
/// More jobs than fill the largest store; and the time without an accepted job after
/// which it counts as full.
const BULK_COUNT_MAX: usize = 2_000;
const FULL_AFTER: Duration = Duration::from_secs(3);

impl Running {
    /// Injects the fault of the row, and undoes it.
    pub(super) async fn inject(&mut self, fault: Fault, plan: &Plan) {
        match fault {
            Fault::Server(target, ending) => self.end_server(target, ending, plan).await,
            Fault::Servers(count) => self.kill_servers(count, plan).await,
            Fault::Wipe => self.wipe(plan).await,
            Fault::Full => self.fill(plan).await,
            Fault::Partition => self.partition(plan).await,
            Fault::Dispatcher(ending) => self.end_dispatcher(ending, plan).await,
            Fault::Worker => {
                self.system.kill(Name::Worker(plan.pick % WORKERS));
                self.pass(plan.hold).await;
            }
            Fault::Programs => self.kill_programs(plan).await,
            Fault::ServerAndDispatcher(target) => self.kill_both(target, plan).await,
            Fault::SlowDisk => {
                self.system.servers.slow_down(plan.delay);
                self.pass(plan.hold).await;
                self.system.servers.slow_down(Duration::ZERO);
            }
            // The clock was wrong from the start.
            Fault::Skew(_) => self.pass(plan.hold).await,
        }
    }

    async fn end_server(&mut self, target: Target, ending: Ending, plan: &Plan) {
        let server = self.leader(target, plan).await;
        let is_single = self.system.servers.count() == 1;
        match ending {
            Ending::Kill => self.system.servers.kill(server),
            Ending::Freeze => self.system.servers.stop(server),
            Ending::Terminate => self.system.servers.terminate(server),
            Ending::LameDuck => self.system.servers.lame_duck(server),
        }
        if !is_single {
            self.expect_healthy(true);
        }
        match ending {
            Ending::Kill | Ending::Freeze => {}
            Ending::Terminate | Ending::LameDuck => self.wait_end(server).await,
        }
        self.pass(plan.hold).await;
        if ending == Ending::Freeze {
            self.system.servers.cont(server);
        } else {
            self.system.servers.start_again(server);
            self.wait_listening(&[server]).await;
        }
        self.expect_healthy(true);
    }

    async fn kill_servers(&mut self, count: usize, plan: &Plan) {
        let all = self.system.servers.count();
        let killed: Vec<usize> = (0..count).map(|index| (plan.pick + index) % all).collect();
        for server in &killed {
            self.system.servers.kill(*server);
        }
        self.pass(plan.hold).await;
        for server in &killed {
            self.system.servers.start_again(*server);
            self.pass(plan.gap).await;
        }
        self.wait_listening(&killed).await;
        self.expect_healthy(true);
    }

    async fn wipe(&mut self, plan: &Plan) {
        let is_single = self.system.servers.count() == 1;
        let server = plan.pick % self.system.servers.count();
        self.system.servers.kill(server);
        let killed_at = now();
        self.pass(plan.hold).await;
        self.system.servers.wipe(server);
        self.system.servers.start_again(server);
        self.wait_listening(&[server]).await;
        if is_single {
            // All jobs acknowledged before are gone with the only store.
            self.load.forget_before(killed_at);
            self.is_store_lost = true;
        }
        self.expect_healthy(!is_single);
    }

    /// Fills the store while no worker runs; then the workers return.
    async fn fill(&mut self, plan: &Plan) {
        for index in 0..WORKERS {
            self.system.freeze(Name::Worker(index), true);
        }
        let mut count = 0;
        let mut acked = 0;
        let mut since_last = Duration::ZERO;
        let step = Duration::from_millis(50);
        while count < BULK_COUNT_MAX && since_last < FULL_AFTER {
            let open = count - acked;
            for _ in open..BULK_OPEN_MAX {
                self.load.submit(bulk(count));
                count += 1;
            }
            self.pass(step).await;
            let before = acked;
            acked = self.load.acked_of("bulk-");
            since_last = if acked > before {
                Duration::ZERO
            } else {
                since_last + step
            };
        }
        self.remark(format!("{acked} jobs of {BULK_LEN} B filled the store"));
        self.pass(plan.hold).await;
        for index in 0..WORKERS {
            // Each starts without state: its jobs in hand run again.
            self.system.kill(Name::Worker(index));
            self.system.start(Name::Worker(index));
        }
        self.expect_healthy(true);
    }

    async fn partition(&mut self, plan: &Plan) {
        let active = self.system.active().unwrap_or(Name::Dispatcher(0));
        let server = match active {
            Name::Dispatcher(index) | Name::Worker(index) => index,
        };
        self.system.isolate(server, active, true);
        self.expect_healthy_without(server);
        self.pass(plan.hold).await;
        self.system.isolate(server, active, false);
        self.expect_healthy(true);
    }

    async fn end_dispatcher(&mut self, ending: Ending, plan: &Plan) {
        let active = self.system.active().unwrap_or(Name::Dispatcher(0));
        if ending == Ending::Freeze {
            self.system.freeze(active, true);
            self.pass(plan.hold).await;
            self.system.freeze(active, false);
        } else {
            self.system.kill(active);
            self.pass(plan.hold).await;
        }
    }

    async fn kill_programs(&mut self, plan: &Plan) {
        for index in 0..DISPATCHERS {
            self.system.kill(Name::Dispatcher(index));
        }
        for index in 0..WORKERS {
            self.system.kill(Name::Worker(index));
        }
        self.pass(plan.hold).await;
    }

    async fn kill_both(&mut self, target: Target, plan: &Plan) {
        let server = self.leader(target, plan).await;
        let active = self.system.active().unwrap_or(Name::Dispatcher(0));
        // In either order.
        if plan.pick.is_multiple_of(2) {
            self.system.servers.kill(server);
            self.pass(plan.gap).await;
            self.system.kill(active);
        } else {
            self.system.kill(active);
            self.pass(plan.gap).await;
            self.system.servers.kill(server);
        }
        self.expect_healthy(true);
        self.pass(plan.hold).await;
        self.system.servers.start_again(server);
        self.wait_listening(&[server]).await;
        self.expect_healthy(true);
    }

    /// Returns the server that leads the target, or any if none reports that at the
    /// moment.
    async fn leader(&self, target: Target, plan: &Plan) -> usize {
        let servers = &self.system.servers;
        let leader = servers.leader(&target.group()).await;
        leader.unwrap_or(plan.pick % servers.count())
    }

    async fn wait_end(&mut self, server: usize) {
        let ended = self.pass_until(END_LIMIT, |running| {
            !running.system.servers.is_running(server)
        });
        if !ended.await {
            self.remark(format!(
                "server s{} did not end in {END_LIMIT:?}; killed",
                server + 1
            ));
            self.system.servers.kill(server);
        }
    }

    async fn wait_listening(&mut self, servers: &[usize]) {
        let listen = self.pass_until(LISTEN_LIMIT, |running| {
            servers
                .iter()
                .all(|server| running.system.servers.listens(*server))
        });
        if !listen.await {
            self.remark(format!(
                "servers {servers:?} do not listen after {LISTEN_LIMIT:?}"
            ));
        }
    }
}

fn bulk(number: usize) -> Submission {
    let mut payload = b"20 ".to_vec();
    payload.resize(BULK_LEN, b'x');
    Submission {
        id: format!("bulk-{number}"),
        subject: "rolecast.jobs.bulk".to_owned(),
        payload: payload.into(),
        has_deadline: false,
    }
}
