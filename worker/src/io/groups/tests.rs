//! Tests on directories that look like groups, and on real groups where they exist.

use std::process::{Command, Stdio};

use rolecast_common::unit::{Bytes, Cores};

use super::*;

/// A directory that looks like a group which offers these controllers.
fn group(offers: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("cgroup.controllers"), offers).unwrap();
    directory
}

fn read(base: &Path, file: &str) -> String {
    fs::read_to_string(base.join(file)).unwrap()
}

#[test]
fn the_worker_moves_below_its_group_and_hands_the_controllers_down() {
    let base = group("cpuset cpu io memory pids\n");
    let needed = BTreeSet::from(["cpu", "memory"]);
    let groups = Groups::take_over(base.path(), &needed).unwrap();
    let id = std::process::id().to_string();
    assert_eq!(read(base.path(), "rolecast-worker/cgroup.procs"), id);
    let handed = read(base.path(), "cgroup.subtree_control");
    assert_eq!(handed, "+cpu +memory");

    let limits = GroupLimits {
        memory_max: Some(Bytes::from_mib(64)),
        cpu_max: Some(Cores::clamped(0.5)),
    };
    let job = groups.create(&limits).unwrap();
    assert_eq!(job.processes(), base.path().join("job-1/cgroup.procs"));
    assert_eq!(read(base.path(), "job-1/memory.max"), "67108864");
    assert_eq!(read(base.path(), "job-1/cpu.max"), "50000 100000");
    assert!(!job.is_out_of_memory());
    let events = "oom 1\noom_kill 1\n";
    fs::write(base.path().join("job-1/memory.events"), events).unwrap();
    assert!(job.is_out_of_memory());
    let second = groups.create(&limits).unwrap();
    assert_eq!(second.processes(), base.path().join("job-2/cgroup.procs"));

    // A worker that runs in the leaf already stays there.
    let again = Groups::take_over(&base.path().join(OWN), &needed).unwrap();
    assert_eq!(again.base, base.path());
}

#[test]
fn a_limit_that_cannot_be_held_is_an_error_that_shows_why() {
    let base = group("cpu pids\n");
    let needed = BTreeSet::from(["cpu", "memory"]);
    let error = Groups::take_over(base.path(), &needed).unwrap_err();
    assert!(
        error.to_string().contains("has no memory controller"),
        "{error}"
    );
    assert!(!base.path().join(OWN).exists(), "it was not touched");
    let error = Groups::take_over(&base.path().join("nowhere"), &needed).unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    // A file that cannot be written is named.
    let base = group("memory\n");
    fs::create_dir(base.path().join("cgroup.subtree_control")).unwrap();
    let error = Groups::take_over(base.path(), &BTreeSet::from(["memory"])).unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("cannot be delegated"), "{text}");
    assert!(text.contains("cgroup.subtree_control"), "{text}");
}

/// Makes a group of version 2 where this host lets tests do that.
fn real_group(name: &str) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let place = cgroup::locate_v2(&own, &mounts)?;
    let name = format!("rolecast-test-{}-{name}", std::process::id());
    let directory = place.directory.join(name);
    fs::create_dir(&directory).ok()?;
    Some(directory)
}

#[test]
fn a_job_leaves_its_group_and_whatever_it_left_there_is_killed() {
    let Some(base) = real_group("kill") else {
        // Without a group of version 2 that may be written there is nothing to test.
        return;
    };
    let groups = Groups {
        base: base.clone(),
        next: AtomicU64::new(1),
    };
    let job = groups.create(&GroupLimits::default()).unwrap();
    let mut left = Command::new("sleep")
        .arg("60")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    fs::write(job.processes(), left.id().to_string()).unwrap();
    let directory = base.join("job-1");
    assert!(directory.exists());
    drop(job);
    assert!(!directory.exists(), "its group is still there");
    let status = left.wait().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(9)
    );

    // What a former start left is ended by the next one.
    let job = groups.create(&GroupLimits::default()).unwrap();
    let directory = base.join("job-2");
    std::mem::forget(job);
    remove_left(&base);
    assert!(!directory.exists());
    fs::remove_dir(&base).unwrap();
}
