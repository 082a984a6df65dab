//! Counts of the nodes that can take a job, and of those that cannot.

use super::fit::Obstacle;

/// The obstacles in the order in which they are reported, with their texts.
const TEXTS: [(Obstacle, &str); Obstacle::COUNT] = [
    (Obstacle::Gone, "gone"),
    (Obstacle::Draining, "draining"),
    (Obstacle::Role, "without a role for it"),
    (Obstacle::NotOffered, "not running it"),
    (Obstacle::Label, "without the labels"),
    (Obstacle::TooSmall, "too small for its memory"),
    (
        Obstacle::Outgrown,
        "too small for what was learned of its memory",
    ),
    (Obstacle::FailedBefore, "where it failed before"),
    (Obstacle::Apart, "with jobs it went down with"),
    (Obstacle::Unable, "unable to start it"),
    (Obstacle::Distrusted, "failing it where others do not"),
    (Obstacle::Kept, "kept for a job alone"),
    (Obstacle::Refused, "refusing it"),
    (Obstacle::Full, "full"),
    (Obstacle::Memory, "without the memory"),
];

/// The number of nodes that can take a job, and of those that cannot, by obstacle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shortfall {
    pub(crate) able: u32,
    /// The number of nodes by obstacle, in the order of its variants.
    unable: [u32; Obstacle::COUNT],
}

impl Shortfall {
    /// Counts a node that can take the job, or the obstacle.
    pub(crate) fn count(&mut self, found: Result<(), Obstacle>) {
        match found {
            Ok(()) => self.able += 1,
            Err(obstacle) => self.unable[obstacle as usize] += 1,
        }
    }

    /// Returns the number of nodes with this obstacle.
    pub(crate) fn of(&self, obstacle: Obstacle) -> u32 {
        self.unable[obstacle as usize]
    }

    fn any<const N: usize>(&self, obstacles: [Obstacle; N]) -> bool {
        obstacles.into_iter().any(|obstacle| self.of(obstacle) > 0)
    }

    /// Returns the number of nodes that could take the job, now or when others have
    /// ended.
    pub(crate) fn eligible(&self) -> u32 {
        let obstacles = TEXTS.into_iter().map(|(obstacle, _)| obstacle);
        let passing = obstacles.filter(|obstacle| obstacle.is_passing());
        self.able + passing.map(|obstacle| self.of(obstacle)).sum::<u32>()
    }

    /// Whether the shortfall passes by itself as jobs end, rather than needing another
    /// node or another configuration.
    pub(crate) fn is_passing(&self) -> bool {
        self.eligible() > 0
    }

    /// Whether the job's learned memory keeps it from all nodes that are there and would
    /// take it.
    pub(crate) fn is_outgrown(&self) -> bool {
        use Obstacle::{Full, Kept, Memory, Outgrown, Refused};
        self.any([Outgrown]) && self.able == 0 && !self.any([Full, Memory, Kept, Refused])
    }

    /// Whether nodes are known and not one of them could ever take the job, whatever else
    /// it does.
    pub(crate) fn is_hopeless(&self) -> bool {
        use Obstacle::{Draining, Gone};
        let is_known = self.parts().next().is_some();
        is_known && !self.is_passing() && !self.any([Gone, Draining])
    }

    /// Returns the counts that are not zero, with their texts.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (u32, &'static str)> {
        let parts = TEXTS.map(|(obstacle, text)| (self.of(obstacle), text));
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
