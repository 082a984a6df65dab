//! The demonstration, shortened: it kills, compares, and loses nothing.

use rolecast_tests::cluster::LIMIT;
use rolecast_tests::directory::Directory;
use rolecast_tests::process::{Process, program, run};
use rolecast_tests::server::binary;
use rolecast_tests::slot::Slot;

#[tokio::test]
async fn the_demonstration_loses_nothing_and_compares_the_same_jobs() {
    let _slot = Slot::take();
    let directory = Directory::new();
    let server = binary();
    let process = Process::spawn_with(
        "demo",
        directory.path(),
        &program("rolecast"),
        ["demo", "--jobs", "80", "--no-roles"],
        &[("NATS_SERVER", &server.to_string_lossy())],
    );
    let (output, status) = run(process, LIMIT).await;
    assert!(status.success(), "{status}: {output}");
    for part in [
        "80 completed, 0 dead, 0 expired, lost = 0",
        "0 ran where their role does not allow",
        "of 28 by round-robin",
        "of 28 by Rolecast",
        "the page: http://127.0.0.1:",
        "the page shows: demo leads in epoch 1; ",
        " of 4 nodes ready",
    ] {
        assert!(output.contains(part), "{part:?} not in {output}");
    }
}
