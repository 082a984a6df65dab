//! Jobs of the category `wait`, which record their start and sleep.

use std::path::Path;

use crate::cluster::Cluster;

/// The config of a worker for four of these jobs at once.
pub const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
max_jobs = 4
[capacity]
cpu = 4
memory = "4GiB"
[categories.wait]
command = ["sh", "-c", "echo $ROLECAST_JOB_ID $ROLECAST_NODE >> starts.txt; exec xargs sleep"]
"#;

/// Submits `job-0` and so on, each of which takes this long.
pub async fn submit_waits(cluster: &Cluster, count: usize, seconds: &'static str) {
    cluster
        .submit_many("wait", count, |i| (format!("job-{i}"), seconds.into()))
        .await;
}

/// Returns the job and the node of each start so far, by workers in this directory.
pub fn starts(directory: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(directory.join("starts.txt")).unwrap_or_default();
    let line = |line: &str| {
        let (job, node) = line.split_once(' ').unwrap_or_default();
        (job.to_owned(), node.to_owned())
    };
    text.lines().map(line).collect()
}
