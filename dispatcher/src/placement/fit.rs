//! Fitness of a node for a class of jobs, before any figures, and the obstacles.

/// The fitness of a node for a class, before any figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The index of its role in the category's list.
    pub rank: u8,
    /// The most jobs of the category that it runs at a time.
    pub jobs_max: u32,
}

/// The reason why a node can take no job of a class at this moment.
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
    /// The job's learned memory would not fit even if nothing else ran there; its
    /// declared memory would.
    Outgrown,
    /// The job failed or was lost there, and others may take it.
    FailedBefore,
    /// Jobs that went down with a node together with this one run there.
    Apart,
    /// It recently could not start jobs of the category.
    Unable,
    /// It failed jobs of the category that others completed.
    Distrusted,
    /// It is kept for a job that must run alone.
    Kept,
    /// It refused the category since its last heartbeat.
    Refused,
    /// It has no free slot, in total or for the category.
    Full,
    /// The job's memory does not fit at present. The last one: see `COUNT`.
    Memory,
}

impl Obstacle {
    /// The number of different obstacles.
    pub(super) const COUNT: usize = Self::Memory as usize + 1;

    /// Whether the node takes such jobs, if not at this moment.
    pub(crate) fn is_busy(self) -> bool {
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

    /// Whether it passes by itself as jobs end or with time.
    pub(crate) fn is_passing(self) -> bool {
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

/// The state of a node beside its figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Availability {
    Open,
    Gone,
    Draining,
}

/// The thing that is kept free for a job on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Its memory.
    Memory,
    /// The node, for it and others like it.
    Node,
    /// The node, for it alone: the learned memory does not count.
    EmptyNode,
}
