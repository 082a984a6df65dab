//! A dispatcher's process: the real lease and the real manager.

use std::time::Duration;

use rolecast_common::id::Epoch;
use rolecast_common::time::Now;
use rolecast_dispatcher::lease::{self, Lease};
use rolecast_dispatcher::roles::{self, Manager, Settings};

use super::clock::Clock;

/// One dispatcher; its process may be down.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) mind: Option<Mind>,
    pub(super) clock: Clock,
    pub(super) life: u32,
}

/// What a dispatcher forgets when it is killed.
#[derive(Debug)]
pub(super) struct Mind {
    pub(super) lease: Lease,
    pub(super) manager: Manager,
    pub(super) epoch: Epoch,
}

impl Desk {
    pub(super) fn start(&mut self, clock: Clock, name: &str, settings: Settings, jitter: Duration) {
        self.life += 1;
        self.clock = clock;
        let incarnation = format!("{name}-{}", self.life);
        self.mind = Some(Mind {
            lease: Lease::new(name.to_owned(), incarnation, Epoch::default(), jitter),
            manager: Manager::new(settings),
            epoch: Epoch::default(),
        });
    }
}

/// What a dispatcher says.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) lease: Vec<lease::Output>,
    pub(super) roles: Vec<roles::Output>,
}

impl Mind {
    pub(super) fn handle_lease(&mut self, now: Now, input: lease::Input, said: &mut Said) {
        let mut out = Vec::new();
        self.lease.handle(now.time, input, &mut out);
        for output in out {
            match &output {
                lease::Output::Lead { epoch } => self.epoch = *epoch,
                lease::Output::StepDown { .. } => {
                    self.manager
                        .handle(now, roles::Input::Unlead, &mut said.roles);
                }
                lease::Output::Read { .. }
                | lease::Output::Write { .. }
                | lease::Output::RolledBack { .. }
                | lease::Output::Lost
                | lease::Output::Unreadable { .. } => {}
            }
            said.lease.push(output);
        }
        if let Some(until) = self.lease.held_until() {
            let epoch = self.epoch;
            let lead = roles::Input::Lead { epoch, until };
            self.manager.handle(now, lead, &mut said.roles);
        }
    }

    pub(super) fn handle(&mut self, now: Now, input: roles::Input, said: &mut Said) {
        self.manager.handle(now, input, &mut said.roles);
    }
}
