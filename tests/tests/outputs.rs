//! Large outputs: kept whole as far as a message holds them, else cut and marked as cut.

use std::process::Command;

use bytes::Bytes;
use rolecast_common::wire::RecordStatus;
use rolecast_tests::cluster::Cluster;
use rolecast_tests::server::Server;
use rolecast_worker::config::SAMPLE;

const DISPATCHER: &str = "[categories.compress]\n[categories.zeros]\nmax_attempts = 1\n";

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
max_jobs = 1
[capacity]
cpu = 2
memory = "1GiB"
[categories.zeros]
command = ["sh", "-c", "head -c $(cat) /dev/zero"]
"#;

#[tokio::test]
async fn the_sample_compresses_what_a_message_just_holds() {
    // The harness names the node, and jobs here require no labels.
    let cluster = Cluster::start(DISPATCHER, &[("n1", SAMPLE)]).await;
    let mut random = fastrand::Rng::with_seed(7);
    let input: Bytes = std::iter::repeat_with(|| random.u8(..))
        .take(700_000)
        .collect();
    cluster.submit("compress", "large", input.clone()).await;
    let record = cluster.wait_record("large").await;
    assert_eq!(record.status, RecordStatus::Completed, "{}", record.reason);
    assert!(!record.output_truncated);
    let file = cluster.directory().join("large.gz");
    std::fs::write(&file, &record.output.0).unwrap();
    let restored = Command::new("gzip").arg("-dc").arg(&file).output();
    assert!(restored.unwrap().stdout == input, "it is another input");
    let (_, code) = cluster.rolecast(&["job", "get", "large", "--output"]).await;
    assert_eq!(code, 0);
}

#[tokio::test]
async fn an_output_that_fits_no_message_is_cut_and_the_slot_is_free_again() {
    let server = Server::start_with_config("max_payload: 65536\n").await;
    let mut cluster = Cluster::on(server, DISPATCHER).await;
    cluster.add_worker("n1", WORKER);
    cluster.wait_ready(&["n1"]).await;
    for (job, length) in [("far-above", "100000"), ("just-above", "65300")] {
        let line = ["submit", "zeros", "--id", job, "--data", length, "--wait"];
        let (output, code) = cluster.rolecast(&line).await;
        assert_eq!(code, 6, "{output}");
        assert!(output.contains("the output is truncated"), "{output}");
        let record = cluster.wait_record(job).await;
        assert_eq!(record.status, RecordStatus::Completed);
        assert_eq!(record.attempt.map(|attempt| attempt.get()), Some(1));
        assert!(record.output_truncated);
        let kept = record.output.0.len();
        assert!((60_000..65_300).contains(&kept), "{kept}");
        let (output, code) = cluster.rolecast(&["job", "get", job, "--output"]).await;
        assert_eq!(code, 6, "{}", output.len());
        assert!(output.contains("the output is truncated"));
    }
    // There is one slot, so this job has got it.
    let line = ["submit", "zeros", "--data", "10", "--wait"];
    let (output, code) = cluster.rolecast(&line).await;
    assert_eq!(code, 0, "{output}");
    assert_eq!(cluster.worker("n1").log().matches("output_cut").count(), 2);
}
