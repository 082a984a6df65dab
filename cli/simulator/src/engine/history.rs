//! History before second 0: heartbeats of hosts without jobs.

use fastrand::Rng;
use rolecast_common::wire::Usage;

use super::Engine;
use super::driver::TURN_GAP_S;
use crate::heartbeat;
use crate::host;
use crate::policy::{Event, HostIndex, Report};
use crate::world::Needs;

impl Engine<'_> {
    /// Sends the heartbeats before second 0, in the order of their times; all take the
    /// least delay. Only a policy that learns receives them.
    pub(super) fn learn(&mut self) {
        let (history_s, interval_s) = (self.world.history_s, self.world.heartbeats.interval_s);
        let mut order: Vec<HostIndex> = (0..self.pulses.len()).collect();
        order.sort_by(|a, b| self.pulses[*a].phase_s.total_cmp(&self.pulses[*b].phase_s));
        let mut rng = Rng::with_seed(!self.world.seed);
        let mut now_s = -history_s;
        for tick in 0_u32.. {
            let tick_s = f64::from(tick) * interval_s - history_s;
            if tick_s >= 0.0 {
                break;
            }
            for &host in &order {
                let sent_s = tick_s + self.pulses[host].phase_s;
                if sent_s >= 0.0 {
                    continue;
                }
                let sequence = self.pulses[host].count();
                if self.driver.learns() {
                    let received_s = (sent_s + self.world.heartbeats.delay_s).min(0.0);
                    self.pass_deadlines(now_s, received_s);
                    now_s = received_s;
                    let usage = self.past_usage(host, sent_s, &mut rng);
                    let is_lost = rng.f64() < self.world.heartbeats.loss;
                    if !is_lost {
                        self.pass_heartbeat(now_s, host, sequence, usage);
                    }
                }
            }
        }
    }

    fn pass_heartbeat(&mut self, now_s: f64, host: HostIndex, sequence: u64, usage: Usage) {
        let report = Report {
            sequence,
            usage,
            jobs: &[],
        };
        self.pass_event(now_s, Event::Heartbeat { host, report });
        self.pass_event(now_s, Event::Turn);
    }

    /// Takes the turns of the history that are due after `now_s` and before `until_s`.
    fn pass_deadlines(&mut self, mut now_s: f64, until_s: f64) {
        while let Some(deadline_s) = self.driver.next_deadline_s() {
            now_s = deadline_s.max(now_s + TURN_GAP_S);
            if now_s >= until_s {
                return;
            }
            self.pass_event(now_s, Event::Turn);
        }
    }

    fn pass_event(&mut self, now_s: f64, event: Event<'_>) {
        let mut sends = Vec::new();
        self.driver.pass(now_s, event, &self.fleet, &mut sends);
        assert!(sends.is_empty(), "a job was sent before any arrived");
    }

    /// Returns the use in the interval before `sent_s`, in the history.
    fn past_usage(&self, host: HostIndex, sent_s: f64, rng: &mut Rng) -> Usage {
        let plan = self.world.heartbeats;
        let node = &self.world.hosts[host];
        let from_s = (sent_s - plan.interval_s).max(-self.world.history_s);
        let used = host::Usage {
            others: heartbeat::mean_load(node, from_s, sent_s),
            jobs: Needs::default(),
        };
        heartbeat::measured(used, node.memory, plan.noise, rng)
    }
}
