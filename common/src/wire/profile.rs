//! Needs of the jobs of a category: as declared, and as learned.

use serde::{Deserialize, Serialize};

use crate::unit::Resources;

/// The profile of a category.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileView {
    /// Declared use of one job on average and at most.
    pub average: Resources,
    pub peak: Resources,
    /// Declared run time of one job alone on a core of speed 1, in seconds.
    pub duration_s: f64,
    pub learned: LearnedProfile,
}

/// Profile that was learned from completed jobs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LearnedProfile {
    /// Jobs it was learned from; with few, the declared profile is mixed in.
    pub jobs: u64,
    /// Measurements that no machine could have produced: limited or left out.
    pub clamped: u64,
    /// Values that placement uses.
    pub average: Resources,
    pub duration_s: f64,
    /// Half of the jobs, and 95 of 100, run no longer than this, in seconds.
    pub duration_p50_s: f64,
    pub duration_p95_s: f64,
    /// Half of the jobs, and 95 of 100, use no more memory than this, in bytes.
    pub memory_p50: f64,
    pub memory_p95: f64,
}
