//! Placement on real workers: floods are kept apart, memory is never over-committed, and
//! the real use of jobs is learned.

use std::io::Write as _;
use std::time::Duration;

use rolecast_common::options::HEADER_REASON;
use rolecast_common::wire::{Record, RecordStatus};
use rolecast_tests::cluster::{Cluster, LIMIT};
use tokio::time::{MissedTickBehavior, interval};

const MIB: f64 = 1024.0 * 1024.0;

/// Two of these have four slots, which 2,000 jobs of the flood fill for ten
/// seconds at least.
const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
max_jobs = 2
[capacity]
cpu = 4
memory = "4GiB"
[categories.api]
command = ["true"]
[categories.flood]
command = ["sleep", "0.02"]
"#;
const FLOOD_JOBS: usize = 2000;
const API_JOBS: usize = 200;
const API_INTERVAL: Duration = Duration::from_millis(50);
/// The largest part of a flood's waiting time that a quiet category waits. Guessed: on a
/// quiet machine 25 ms beside 13 s were measured.
const WAIT_PART: u32 = 10;

#[tokio::test]
async fn a_flood_in_one_category_hardly_delays_another() {
    let config = "[categories.api]\ncpu = 0.1\nduration = \"5ms\"\n\
                  [categories.flood]\ncpu = 0.1\nduration = \"20ms\"\n";
    let cluster = Cluster::start(config, &[("n1", WORKER), ("n2", WORKER)]).await;
    cluster.submit("api", "warm-up", "").await;
    cluster.wait_record("warm-up").await;
    submit_paced(&cluster, "alone").await;
    cluster.wait_no_jobs(LIMIT).await;
    let flood = cluster.submit_many("flood", FLOOD_JOBS, |i| (format!("flood-{i}"), "".into()));
    tokio::join!(flood, submit_paced(&cluster, "beside"));
    cluster.wait_no_jobs(Duration::from_secs(90)).await;

    let records = cluster.records().await;
    let of = |prefix: &str| -> Vec<&Record> {
        let matching = records
            .iter()
            .filter(|r| r.job.as_str().starts_with(prefix));
        let found: Vec<&Record> = matching.collect();
        assert!(found.iter().all(|r| r.status == RecordStatus::Completed));
        found
    };
    let (alone, beside, flood) = (of("alone-"), of("beside-"), of("flood-"));
    assert_eq!(
        (alone.len(), beside.len(), flood.len()),
        (API_JOBS, API_JOBS, FLOOD_JOBS)
    );
    let flood_end = flood.iter().map(|r| r.finished_ms).max();
    let last_beside = beside.iter().map(|r| r.submitted_ms).max();
    assert!(flood_end > last_beside, "the flood ended too early");
    let (alone, beside, flood) = (wait_p99(&alone), wait_p99(&beside), wait_p99(&flood));
    let _ = writeln!(
        std::io::stderr(),
        "\nisolation: the 99th percentile of waits is {alone:?} alone, {beside:?} beside a flood \
         of {FLOOD_JOBS} whose own is {flood:?}",
    );
    // Behind the flood it would wait as long as that. Both are of one run, so that a busy
    // machine, which slows everything down, does not matter.
    assert!(beside <= flood / WAIT_PART, "{beside:?} of {flood:?}");
}

async fn submit_paced(cluster: &Cluster, prefix: &str) {
    let mut ticks = interval(API_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for i in 0..API_JOBS {
        ticks.tick().await;
        cluster.submit("api", &format!("{prefix}-{i}"), "").await;
    }
}

fn wait_p99(records: &[&Record]) -> Duration {
    let started = |record: &&Record| record.started_ms.expect("it completed");
    let wait = |record: &&Record| started(record).since(record.submitted_ms);
    let mut waits: Vec<Duration> = records.iter().map(wait).collect();
    waits.sort_unstable();
    waits[waits.len() * 99 / 100]
}

/// Returns the config of a worker: `tail` holds its input until the end, so a hog really
/// has this much memory, for this long.
fn hog_worker(capacity: &str, held: &str, seconds: &str) -> String {
    let hog = format!("(head -c {held} /dev/zero; sleep {seconds}) | tail > /dev/null");
    format!(
        "roles = [\"follower\"]\nusage_scope = \"process\"\nmax_jobs = 6\n\
         [capacity]\ncpu = 6\nmemory = \"{capacity}\"\n\
         [categories.hog]\ncommand = [\"sh\", \"-c\", \"{hog}\"]\n\
         [categories.giant]\ncommand = [\"true\"]\n"
    )
}

#[tokio::test]
async fn no_more_jobs_run_at_a_time_than_fit_into_memory() {
    let config = "[categories.hog]\ncpu = 0.1\nmemory = \"140MiB\"\nduration = \"1s\"\n\
                  [categories.hog.peak]\ncpu = 1\nmemory = \"150MiB\"\n\
                  [categories.giant]\nmemory = \"1GiB\"\nwait_max = \"2s\"\n";
    let large = hog_worker("420MiB", "150M", "1");
    let small = hog_worker("140MiB", "150M", "1");
    let cluster = Cluster::start(config, &[("large", &large), ("small", &small)]).await;
    cluster
        .submit_many("hog", 8, |i| (format!("hog-{i}"), "".into()))
        .await;
    cluster.submit("giant", "giant", "").await;
    cluster.wait_no_jobs(Duration::from_secs(60)).await;

    let records = cluster.records().await;
    let (giants, hogs): (Vec<_>, Vec<_>) = records.iter().partition(|r| r.category == "giant");
    assert_eq!((giants.len(), hogs.len()), (1, 8));
    for record in &hogs {
        assert_eq!(record.status, RecordStatus::Completed, "{}", record.reason);
        assert!(record.failures.is_empty(), "{:?}", record.failures);
        assert_eq!(
            record.node.as_ref().map(|node| node.as_str()),
            Some("large")
        );
        assert!(record.usage.memory_max >= 150_000_000, "{:?}", record.usage);
    }
    assert_eq!(running_most(&hogs), 2);
    assert_eq!(giants[0].status, RecordStatus::Dead);
    let letters = cluster.dead_letters().await;
    let reason = letters[0].header(HEADER_REASON);
    assert!(reason.contains("2 too small for its memory"), "{reason}");
}

/// Returns the most jobs that ran at a time, by the worker's clock.
fn running_most(records: &[&Record]) -> usize {
    let span = |record: &&Record| {
        let start = record.started_ms.expect("it completed").as_millis();
        (start, start + record.run_us / 1000)
    };
    let spans: Vec<(u64, u64)> = records.iter().map(span).collect();
    let at = |moment: u64| {
        let running = spans
            .iter()
            .filter(|(start, end)| *start <= moment && moment < *end);
        running.count()
    };
    spans.iter().map(|(start, _)| at(*start)).max().unwrap_or(0)
}

#[tokio::test]
async fn the_memory_that_jobs_really_use_is_learned() {
    let config = "[categories.hog]\ncpu = 0.1\nmemory = \"15MiB\"\nduration = \"100ms\"\n";
    let worker = hog_worker("2GiB", "60M", "0.1");
    let cluster = Cluster::start(config, &[("n1", &worker)]).await;
    cluster
        .submit_many("hog", 40, |i| (format!("hog-{i}"), "".into()))
        .await;
    cluster.wait_no_jobs(Duration::from_secs(60)).await;
    let is_learned =
        |status: &rolecast_common::wire::Status| status.categories[0].profile.learned.jobs == 40;
    let status = cluster
        .wait_status("all outcomes are learned from", is_learned)
        .await;
    let profile = &status.categories[0].profile;
    let learned = &profile.learned;
    #[allow(clippy::cast_precision_loss, reason = "memory is below 2^53 bytes")]
    let average = learned.average.memory.get() as f64;
    let _ = writeln!(
        std::io::stderr(),
        "\nlearned memory: half use up to {:.1} MiB, 95 of 100 up to {:.1} MiB, placement goes by \
         {:.1} MiB; declared were 15, real are 60",
        learned.memory_p50 / MIB,
        learned.memory_p95 / MIB,
        average / MIB,
    );
    assert_eq!(profile.average.memory.get(), 15 * 1024 * 1024);
    for memory in [learned.memory_p50, learned.memory_p95] {
        assert!((57.0..69.0).contains(&(memory / MIB)), "{learned:?}");
    }
    // The declaration counts as ten of the outcomes.
    assert!((45.0..69.0).contains(&(average / MIB)), "{learned:?}");
}
