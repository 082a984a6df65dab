//! The number of nodes that can take a job, and of those that cannot, by obstacle.

use super::fit::Obstacle;

/// The number of nodes that can take a job, and of those that cannot, by obstacle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shortfall {
    pub(crate) able: u32,
    pub(crate) gone: u32,
    pub(crate) draining: u32,
    pub(crate) role: u32,
    pub(crate) not_offered: u32,
    pub(crate) label: u32,
    pub(crate) too_small: u32,
    pub(crate) outgrown: u32,
    pub(crate) failed_before: u32,
    pub(crate) apart: u32,
    pub(crate) unable: u32,
    pub(crate) distrusted: u32,
    pub(crate) kept: u32,
    pub(crate) refused: u32,
    pub(crate) full: u32,
    pub(crate) memory: u32,
}

impl Shortfall {
    /// Counts a node that can take the job, or the obstacle.
    pub(crate) fn count(&mut self, found: Result<(), Obstacle>) {
        let Err(obstacle) = found else {
            self.able += 1;
            return;
        };
        *match obstacle {
            Obstacle::Gone => &mut self.gone,
            Obstacle::Draining => &mut self.draining,
            Obstacle::Role => &mut self.role,
            Obstacle::NotOffered => &mut self.not_offered,
            Obstacle::Label => &mut self.label,
            Obstacle::TooSmall => &mut self.too_small,
            Obstacle::Outgrown => &mut self.outgrown,
            Obstacle::FailedBefore => &mut self.failed_before,
            Obstacle::Apart => &mut self.apart,
            Obstacle::Unable => &mut self.unable,
            Obstacle::Distrusted => &mut self.distrusted,
            Obstacle::Kept => &mut self.kept,
            Obstacle::Refused => &mut self.refused,
            Obstacle::Full => &mut self.full,
            Obstacle::Memory => &mut self.memory,
        } += 1;
    }

    /// Returns the number of nodes that could take the job, now or when others have
    /// ended.
    pub(crate) fn eligible(&self) -> u32 {
        let others = self.outgrown + self.failed_before + self.apart;
        let kept_out = self.unable + self.distrusted + self.kept;
        self.able + self.full + self.memory + self.refused + others + kept_out
    }

    /// Whether the shortfall passes by itself as jobs end, rather than needing another
    /// node or another configuration.
    pub(crate) fn is_passing(&self) -> bool {
        self.eligible() > 0
    }

    /// Whether the job's learned memory keeps it from all nodes that are there and would
    /// take it.
    pub(crate) fn is_outgrown(&self) -> bool {
        let busy = self.full + self.memory + self.kept + self.refused;
        self.outgrown > 0 && self.able + busy == 0
    }

    /// Whether nodes are known and not one of them could ever take the job, whatever else
    /// it does.
    pub(crate) fn is_hopeless(&self) -> bool {
        let never = self.role + self.not_offered + self.label + self.too_small;
        never > 0 && !self.is_passing() && self.gone + self.draining == 0
    }

    /// Returns the counts that are not zero, with their names.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (u32, &'static str)> {
        let parts = [
            (self.gone, "gone"),
            (self.draining, "draining"),
            (self.role, "without a role for it"),
            (self.not_offered, "not running it"),
            (self.label, "without the labels"),
            (self.too_small, "too small for its memory"),
            (
                self.outgrown,
                "too small for what was learned of its memory",
            ),
            (self.failed_before, "where it failed before"),
            (self.apart, "with jobs it went down with"),
            (self.unable, "unable to start it"),
            (self.distrusted, "failing it where others do not"),
            (self.kept, "kept for a job alone"),
            (self.refused, "refusing it"),
            (self.full, "full"),
            (self.memory, "without the memory"),
        ];
        parts.into_iter().filter(|(count, _)| *count > 0)
    }
}

impl std::fmt::Display for Shortfall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut is_first = true;
        for (count, what) in self.parts() {
            let separator = if is_first { "" } else { ", " };
            write!(f, "{separator}{count} {what}")?;
            is_first = false;
        }
        if is_first {
            f.write_str("no node known")?;
        }
        Ok(())
    }
}
