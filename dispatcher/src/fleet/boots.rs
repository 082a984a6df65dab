//! The boots of one node's worker, and the choice of the one that counts as the node.
//!
//! Two workers may use the same name by mistake, and a worker that was killed may be
//! started again within a moment. Only time distinguishes these cases:
//!
//! 1. A boot that is not known yet contends. It becomes the node as soon as the present
//!    one has missed two heartbeats, with a margin, or is gone. A killed worker is found
//!    to be gone sooner, because nobody listens on its subjects.
//! 2. A heartbeat of the present boot, half an interval or more after the first one of
//!    the other, shows that both live. The other is refused, and stays refused while the
//!    present one lives. An earlier heartbeat may have been sent before its sender died.
//! 3. While the present boot drains the other waits: it is its successor.
//! 4. A boot that was replaced does not become the node again while its successor lives.
//!    When the successor is gone it may: it was silent for a while, and the other boot
//!    was a message that arrived very late.

use std::collections::VecDeque;
use std::time::Duration;

use rolecast_common::id::BootId;
use rolecast_common::time::Time;

use super::Refusal;

/// Replaced and refused boots remembered per node, of each kind, to distinguish a replay
/// from a restart. More than eight that live at a time are more mistakes than one makes.
const REMEMBERED_MAX: usize = 8;
/// Tenths of an interval without a heartbeat after which the present boot has missed two.
/// A busy host misses a single one, and replacing its worker for that would cost its
/// jobs.
pub(super) const MISSED_TENTHS: u32 = 23;

#[derive(Debug)]
pub(super) struct Boots {
    current: BootId,
    former: VecDeque<BootId>,
    refused: VecDeque<BootId>,
    contender: Option<Contender>,
}

#[derive(Debug)]
struct Contender {
    boot: BootId,
    since: Time,
}

/// The signs of life and the state of the present boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) seen: Time,
    pub(super) interval: Duration,
    pub(super) is_gone: bool,
    pub(super) is_draining: bool,
}

impl Boots {
    pub(super) fn new(first: BootId) -> Self {
        Self {
            current: first,
            former: VecDeque::new(),
            refused: VecDeque::new(),
            contender: None,
        }
    }

    pub(super) fn current(&self) -> &BootId {
        &self.current
    }

    /// Processes a heartbeat of a boot; returns whether the boot has become the node by
    /// it.
    pub(super) fn take(&mut self, now: Time, boot: &BootId, life: Life) -> Result<bool, Refusal> {
        if *boot == self.current {
            self.resist(now, life);
            return Ok(false);
        }
        if self.former.contains(boot) && !life.is_gone {
            return Err(Refusal::SupersededBoot);
        }
        if life.is_gone || now.since(life.seen) >= life.interval * MISSED_TENTHS / 10 {
            let former = std::mem::replace(&mut self.current, boot.clone());
            self.former.retain(|former| former != boot);
            remember(&mut self.former, former);
            self.refused.retain(|refused| refused != boot);
            self.contender = None;
            return Ok(true);
        }
        if self.refused.contains(boot) {
            return Err(Refusal::NameInUse);
        }
        if self
            .contender
            .as_ref()
            .is_none_or(|other| other.boot != *boot)
        {
            let boot = boot.clone();
            self.contender = Some(Contender { boot, since: now });
        }
        Err(Refusal::Contends)
    }

    /// Refuses a boot that has contended for long enough, since the present one lives.
    fn resist(&mut self, now: Time, life: Life) {
        let is_refuted = |contender: &Contender| now.since(contender.since) >= life.interval / 2;
        if life.is_draining || !self.contender.as_ref().is_some_and(is_refuted) {
            return;
        }
        if let Some(contender) = self.contender.take() {
            remember(&mut self.refused, contender.boot);
        }
    }
}

fn remember(boots: &mut VecDeque<BootId>, boot: BootId) {
    boots.push_back(boot);
    if boots.len() > REMEMBERED_MAX {
        boots.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node whose first boot sent a heartbeat at 0 s.
    struct World {
        boots: Boots,
        life: Life,
    }

    impl World {
        fn new() -> Self {
            let life = Life {
                seen: at(0.0),
                interval: Duration::from_secs(1),
                is_gone: false,
                is_draining: false,
            };
            let boots = Boots::new(boot("a"));
            Self { boots, life }
        }

        fn beat(&mut self, seconds: f64, name: &str) -> Result<bool, Refusal> {
            let taken = self.boots.take(at(seconds), &boot(name), self.life);
            if taken.is_ok() {
                self.life.seen = at(seconds);
            }
            taken
        }
    }

    #[test]
    fn a_worker_that_was_killed_and_started_again_is_the_node_once_heartbeats_are_missed() {
        let mut world = World::new();
        assert_eq!(world.beat(0.2, "b"), Err(Refusal::Contends));
        assert_eq!(world.beat(1.2, "b"), Err(Refusal::Contends));
        assert_eq!(world.beat(2.2, "b"), Err(Refusal::Contends));
        assert_eq!(world.beat(2.3, "b"), Ok(true));
        assert_eq!(world.beat(2.4, "a"), Err(Refusal::SupersededBoot));
        assert_eq!(world.beat(9.0, "a"), Err(Refusal::SupersededBoot));
        assert_eq!(world.boots.current(), &boot("b"));
    }

    #[test]
    fn a_second_worker_is_refused_as_long_as_the_first_one_lives() {
        let mut world = World::new();
        assert_eq!(world.beat(0.8, "b"), Err(Refusal::Contends));
        // This one may have been on its way.
        assert_eq!(world.beat(1.0, "a"), Ok(false));
        assert_eq!(world.beat(1.8, "b"), Err(Refusal::Contends));
        assert_eq!(world.beat(2.0, "a"), Ok(false));
        for second in 2..20 {
            let second = f64::from(second);
            assert_eq!(world.beat(second + 0.8, "b"), Err(Refusal::NameInUse));
            assert_eq!(world.beat(second + 1.0, "a"), Ok(false));
        }
        assert_eq!(world.beat(22.4, "b"), Ok(true), "the first one is silent");
    }

    #[test]
    fn a_node_that_is_gone_is_replaced_at_once() {
        let mut world = World::new();
        world.life.is_gone = true;
        assert_eq!(world.beat(0.1, "b"), Ok(true));
    }

    #[test]
    fn a_message_that_comes_very_late_does_not_unseat_a_worker_for_ever() {
        let mut world = World::new();
        // It was cut off for a while, and then a message of an earlier boot arrives.
        assert_eq!(world.beat(5.0, "old"), Ok(true));
        assert_eq!(world.beat(5.5, "a"), Err(Refusal::SupersededBoot));
        world.life.is_gone = true;
        assert_eq!(world.beat(8.5, "a"), Ok(true));
        world.life.is_gone = false;
        assert_eq!(world.beat(8.6, "old"), Err(Refusal::SupersededBoot));
        assert_eq!(world.beat(9.5, "a"), Ok(false));
    }

    #[test]
    fn a_successor_waits_for_one_that_drains() {
        let mut world = World::new();
        world.life.is_draining = true;
        for second in 1..9 {
            let second = f64::from(second);
            assert_eq!(world.beat(second - 0.2, "b"), Err(Refusal::Contends));
            assert_eq!(world.beat(second, "a"), Ok(false));
        }
        assert_eq!(world.beat(10.4, "b"), Ok(true));
    }

    #[test]
    fn whatever_is_claimed_memory_is_bounded() {
        let mut world = World::new();
        for n in 0..1000u32 {
            let second = f64::from(n);
            assert!(world.beat(second + 0.3, &format!("b{n}")).is_err());
            assert_eq!(world.beat(second + 1.0, "a"), Ok(false));
        }
        assert!(world.boots.refused.len() <= REMEMBERED_MAX);
    }

    fn boot(name: &str) -> BootId {
        BootId::new(name).unwrap()
    }

    fn at(seconds: f64) -> Time {
        Time::from_start(Duration::from_secs_f64(seconds))
    }
}
