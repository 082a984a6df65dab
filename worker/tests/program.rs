//! Tests of the program `rolecast-worker` that need no NATS.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails, and one measures how long a death takes"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rolecast_worker::config::SAMPLE;

const WORKER: &str = env!("CARGO_BIN_EXE_rolecast-worker");

#[test]
fn a_valid_configuration_passes_the_check() {
    let output = check(SAMPLE);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_bad_configuration_is_reported_in_full_with_exit_code_2() {
    let output = check("max_jobs = 0\n[categories.a]\ncommand = [\"no-such-program\"]\n");
    assert_eq!(output.status.code(), Some(2));
    for line in [
        "worker.toml",
        "line 1: max_jobs",
        "line 3: categories.a.command",
    ] {
        assert!(stderr(&output).contains(line), "{}", stderr(&output));
    }
    let output = Command::new(WORKER)
        .args(["--config", "/nowhere/worker.toml"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("No such file"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn without_nats_it_gives_up_after_its_time_and_shows_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("worker.toml");
    fs::write(
        &file,
        "node = \"n1\"\n[categories.a]\ncommand = [\"cat\"]\n",
    )
    .unwrap();
    let output = Command::new(WORKER)
        .arg("--config")
        .arg(&file)
        .args([
            "--nats-url",
            "nats://127.0.0.1:1",
            "--connect-timeout",
            "200ms",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("start nats-server"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn it_ends_at_once_when_asked_to_while_nats_is_not_reached() {
    let (mut worker, _log) = unconnected(Command::new(WORKER));
    let start = Instant::now();
    kill(id(&worker), Signal::SIGTERM).unwrap();
    assert!(worker.wait().unwrap().success());
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[cfg(target_os = "linux")]
#[test]
fn a_hangup_drains_unless_the_worker_was_started_to_ignore_it() {
    let with = |setting: &str| {
        let mut command = Command::new("env");
        command.arg(setting).arg(WORKER);
        unconnected(command)
    };
    let (mut worker, _log) = with("--default-signal=HUP");
    kill(id(&worker), Signal::SIGHUP).unwrap();
    let status = worker.wait().unwrap();
    assert!(status.success(), "it was not ended in good order: {status}");

    // A listener would have taken the signal from those that are ignored.
    assert!(is_ignored_by(&with("--ignore-signal=HUP").0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_leashed_command_is_run_as_it_is() {
    let script = "cat; exit 3";
    let output = leashed(std::process::id(), &["/bin/sh", "-c", script]);
    assert_eq!(output.status.code(), Some(3));
    let output = leashed(std::process::id(), &["/nowhere/x"]);
    assert_eq!(output.status.code(), Some(127));
    assert!(stderr(&output).contains("cannot run /nowhere/x: No such file"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_whose_worker_is_gone_does_not_start() {
    let output = leashed(std::process::id() + 1, &["/bin/echo", "x"]);
    assert_eq!(output.status.code(), Some(127));
    assert!(output.stdout.is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_is_nicer_and_killed_before_its_worker() {
    let own = fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let wanted = (own.trim().parse::<i32>().unwrap() + 7)
        .min(1000)
        .to_string();
    let script = "cat /proc/self/oom_score_adj; nice";
    let steps = [format!("oom={wanted}"), "nice=5".to_owned()];
    let output = confined(&steps, &["/bin/sh", "-c", script]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let own_nice = Command::new("nice").output().unwrap().stdout;
    let own_nice: i32 = String::from_utf8(own_nice).unwrap().trim().parse().unwrap();
    let expected = format!("{wanted}\n{}\n", (own_nice + 5).min(19));
    assert_eq!(text, expected, "{}", stderr(&output));
    let output = confined(&["colour=red".to_owned()], &["/bin/true"]);
    assert_eq!(output.status.code(), Some(127));
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_becomes_another_user_without_a_way_back() {
    // Numbers that need no entry in any table.
    let steps = ["user=60001:60002:60002:60003".to_owned()];
    let script = "id -u; id -g; id -G; grep -E 'Cap(Inh|Prm|Eff|Amb)|^Uid' /proc/self/status";
    let output = confined(&steps, &["/bin/sh", "-c", script]);
    if !nix::unistd::geteuid().is_root() {
        assert_eq!(output.status.code(), Some(127));
        assert!(stderr(&output).contains("may not run jobs as another user"));
        return;
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let none = "0000000000000000";
    let expected = format!(
        "60001 60002 60002 60003 Uid: 60001 60001 60001 60001 \
         CapInh: {none} CapPrm: {none} CapEff: {none} CapAmb: {none}"
    );
    assert_eq!(text, expected, "{}", stderr(&output));
}

#[cfg(target_os = "linux")]
#[test]
fn a_leashed_command_dies_with_a_worker_that_is_killed() {
    // Another user's process forgets the parent-death signal, so that is tested where it
    // can be.
    let step = match nix::unistd::geteuid().is_root() {
        true => "user=60001:60001:60001",
        false => "nice=1",
    };
    // The shell stands for the worker; the command holds the pipe open.
    let script =
        format!("{WORKER} __become $$ {step} -- /bin/sh -c 'echo up; exec sleep 30' & wait");
    let mut worker = Command::new("/bin/sh")
        .args(["-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(worker.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    let start = Instant::now();
    worker.kill().unwrap();
    worker.wait().unwrap();
    stdout.read_to_string(&mut line).unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// Starts a worker and waits until it has failed to find NATS.
fn unconnected(mut command: Command) -> (Running, BufReader<ChildStderr>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("worker.toml");
    fs::write(&file, SAMPLE).unwrap();
    let worker = command
        .arg("--config")
        .arg(&file)
        .args(["--nats-url", "nats://127.0.0.1:1"])
        .stderr(Stdio::piped())
        .spawn();
    let mut worker = Running(worker.unwrap());
    let mut log = BufReader::new(worker.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("no connection to NATS yet") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "it ended by itself");
    }
    (worker, log)
}

/// A worker that does not outlive its test.
struct Running(Child);

impl Running {
    fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.0.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn id(worker: &Running) -> Pid {
    Pid::from_raw(i32::try_from(worker.0.id()).unwrap())
}

#[cfg(target_os = "linux")]
fn is_ignored_by(worker: &Running) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", worker.0.id())).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = u64::from_str_radix(mask.unwrap().trim(), 16).unwrap();
    mask & 1 == 1
}

fn check(config: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("worker.toml");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(WORKER);
    command
        .arg("--check")
        .arg("--config")
        .arg(&file)
        .output()
        .unwrap()
}

#[cfg(target_os = "linux")]
fn confined(steps: &[String], command: &[&str]) -> Output {
    Command::new(WORKER)
        .args(["__become", &std::process::id().to_string()])
        .args(steps)
        .arg("--")
        .args(command)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[cfg(target_os = "linux")]
fn leashed(parent: u32, command: &[&str]) -> Output {
    Command::new(WORKER)
        .args(["__become", &parent.to_string(), "--"])
        .args(command)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
