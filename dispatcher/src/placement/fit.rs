//! Whether a node can take a job of a class, before any figures, and why not.

/// How well a node suits a class, before any figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The place of its role in the category's list.
    pub rank: u8,
    /// Jobs of the category it runs at a time.
    pub jobs_max: u32,
}

/// Why a node can take no job of a class at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// Its heartbeats stopped or nobody listens on its subject.
    Gone,
    Draining,
    /// It has no role the category may run on.
    Role,
    /// It does not run the category.
    NotOffered,
    /// It lacks a label that the job requires.
    Label,
    /// The job's memory would not fit even if nothing else ran there.
    TooSmall,
    /// The job's memory, as learned and not as declared, would not fit even if nothing
    /// else ran there.
    Outgrown,
    /// The job failed or was lost there, and others may take it.
    FailedBefore,
    /// Jobs are there that went down with a node together with this one.
    Apart,
    /// It could not start jobs of the category lately.
    Unable,
    /// It failed jobs of the category that others completed.
    Distrusted,
    /// It is kept for a job that must be alone.
    Kept,
    /// It refused the category since its last heartbeat.
    Refused,
    /// It has no free slot, in total or for the category.
    Full,
    /// The job's memory does not fit at present.
    Memory,
}

impl Obstacle {
    /// Returns whether the node takes such jobs, if not at this moment.
    pub fn is_busy(self) -> bool {
        match self {
            Self::Kept | Self::Full | Self::Memory => true,
            Self::Gone
            | Self::Draining
            | Self::Role
            | Self::NotOffered
            | Self::Label
            | Self::TooSmall
            | Self::Outgrown
            | Self::FailedBefore
            | Self::Apart
            | Self::Unable
            | Self::Distrusted
            | Self::Refused => false,
        }
    }

    /// Returns whether it passes by itself as jobs end or time goes by.
    pub fn is_passing(self) -> bool {
        match self {
            Self::Outgrown
            | Self::FailedBefore
            | Self::Apart
            | Self::Unable
            | Self::Distrusted
            | Self::Kept
            | Self::Refused
            | Self::Full
            | Self::Memory => true,
            Self::Gone
            | Self::Draining
            | Self::Role
            | Self::NotOffered
            | Self::Label
            | Self::TooSmall => false,
        }
    }
}

/// The state of a node that figures do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Open,
    Gone,
    Draining,
}

/// What is kept for a job on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Its memory.
    Memory,
    /// The node, for it and others like it.
    Node,
    /// The node, for it alone: what was learned of its memory does not count.
    EmptyNode,
}
