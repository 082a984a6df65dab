//! Confinement: access of a job to its host, and effects of its output on a terminal.

use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};

use rolecast_common::wire::RecordStatus;
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::process::{Process, program};
use rolecast_tests::server::Server;
use rolecast_tests::wait::wait_until;

const HEAD: &str = r#"
roles = ["follower"]
usage_scope = "process"
[capacity]
cpu = 2
memory = "1GiB"
"#;

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[tokio::test]
async fn a_job_runs_as_its_user_and_sees_no_login() {
    let script = "id -u; env; cat /proc/$PPID/environ 2>&1; true";
    let worker = format!(
        "run_as = \"nobody\"\n{HEAD}[categories.look]\ncommand = [\"sh\", \"-c\", '{script}']\n"
    );
    let mut cluster = Cluster::on(Server::start().await, "[categories.look]\n").await;
    cluster.add_worker("n1", &worker);
    if !is_root() {
        // A worker that may not change users reports that at its start.
        wait_until("the worker ends", LIMIT, async || {
            cluster.worker("n1").exit_status().is_some()
        })
        .await;
        let log = cluster.worker("n1").log();
        assert!(log.contains("may not run jobs as another user"), "{log}");
        return;
    }
    cluster.wait_ready(&["n1"]).await;
    cluster.submit("look", "look", "").await;
    let record = cluster.wait_record("look").await;
    let output = String::from_utf8_lossy(&record.output.0).into_owned();
    assert_eq!(record.status, RecordStatus::Completed, "{}", record.reason);
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    assert!(output.starts_with(&format!("{}\n", nobody.uid)), "{output}");
    assert!(output.contains("ROLECAST_JOB_ID=look\n"), "{output}");
    assert!(!output.contains("NATS_"), "{output}");
    assert!(output.contains("Permission denied"), "{output}");
}

#[tokio::test]
async fn a_worker_whose_jobs_could_read_its_login_does_not_start() {
    if !is_root() {
        // No other user may run jobs as another user.
        return;
    }
    let server = Server::start().await;
    // Every user may enter the directory of tests; access to this file is tested.
    let directory = tempfile::Builder::new()
        .prefix("login")
        .tempdir_in("/tmp")
        .unwrap();
    open_to_all(directory.path(), 0o755);
    let creds = directory.path().join("worker.creds");
    fs::write(&creds, "none").unwrap();
    open_to_all(&creds, 0o644);
    let config = format!(
        "node = \"n1\"\nrun_as = \"nobody\"\n{HEAD}[categories.a]\ncommand = [\"cat\"]\n\
         [nats]\ncreds = \"{}\"\n",
        creds.display()
    );
    let file = server.directory().write("worker.toml", &config);
    let start = |name: &str| {
        let arguments = ["--config", file.as_str()];
        let program = program("rolecast-worker");
        Process::spawn(name, server.directory().path(), &program, arguments)
    };
    let mut refused = start("refused");
    wait_until("it ends", LIMIT, async || refused.exit_status().is_some()).await;
    let log = refused.log();
    let advice = format!(
        "its user can read {0} (mode 0644), which holds this worker's login: chmod 600 {0}",
        creds.display()
    );
    assert!(log.contains(&advice), "{log}");
    assert!(log.contains("category a (run_as nobody)"), "{log}");
    // With that done, it gets as far as reading the file, which holds no login.
    open_to_all(&creds, 0o600);
    let mut taken = start("taken");
    wait_until("it ends", LIMIT, async || taken.exit_status().is_some()).await;
    let log = taken.log();
    assert!(!log.contains("can read"), "{log}");
    assert!(log.contains("credentials file"), "{log}");
}

#[tokio::test]
async fn a_job_above_its_memory_has_failed_or_the_worker_reports_that_it_cannot_limit_it() {
    let worker = format!(
        "{HEAD}[categories.hog]\nmemory_max = \"32MiB\"\n\
         command = [\"sh\", \"-c\", \"head -c 200000000 /dev/zero | tail -c 150000000 | wc -c\"]\n"
    );
    let dispatcher = "[categories.hog]\nmax_attempts = 1\n";
    let mut cluster = Cluster::on(Server::start().await, dispatcher).await;
    cluster.add_worker("n1", &worker);
    let mut is_refused = false;
    wait_until("it is ready or ends", LIMIT, async || {
        is_refused = cluster.worker("n1").exit_status().is_some();
        let status = cluster.status().await;
        is_refused || status.is_some_and(|status| !status.nodes.is_empty())
    })
    .await;
    if is_refused {
        let log = cluster.worker("n1").log();
        assert!(
            log.contains("memory_max and cpu_max need a control group"),
            "{log}"
        );
        return;
    }
    cluster.submit("hog", "hog", "").await;
    let record = cluster.wait_record("hog").await;
    assert_eq!(record.status, RecordStatus::Dead);
    let is_told = record.reason.contains("memory_max of 32.0 MiB reached");
    assert!(is_told, "{}", record.reason);
    assert_eq!(record.losses, []);
}

#[tokio::test]
async fn a_worker_without_a_time_limit_learns_the_dispatchers() {
    let worker = format!("{HEAD}[categories.slow]\ncommand = [\"sleep\", \"60\"]\n");
    let dispatcher = "[categories.slow]\ntime_limit = \"1s\"\nmax_attempts = 1\n";
    let cluster = Cluster::start(dispatcher, &[("n1", &worker)]).await;
    cluster.submit("slow", "slow", "").await;
    let record = cluster.wait_record("slow").await;
    assert_eq!(record.status, RecordStatus::Dead);
    let reason = "1 attempt failed: time limit of 1s reached";
    assert_eq!(record.reason, reason);
}

#[tokio::test]
async fn what_a_job_wrote_reaches_a_file_whole_and_a_terminal_without_its_controls() {
    let worker = format!("{HEAD}[categories.echo]\ncommand = [\"cat\"]\n");
    let mut cluster = Cluster::start("[categories.echo]\n", &[("n1", &worker)]).await;
    let hostile = b"a\x1b[2J\x1b]0;title\x07\xc2\x9b2Jb\r\n";
    cluster.submit("echo", "job", hostile.to_vec()).await;
    cluster.wait_record("job").await;
    let url = cluster.server().url();
    let line = |words: &[&str]| {
        let mut command = Command::new(program("rolecast"));
        command
            .args(words)
            .args(["--nats-url", &url])
            .env("NO_COLOR", "1");
        command
    };
    let get = ["job", "get", "job", "--output"];
    assert_eq!(line(&get).output().unwrap().stdout, hostile);
    let safe = "a\u{fffd}[2J\u{fffd}]0;title\u{fffd}\u{fffd}2Jb\u{fffd}\r\n";
    assert_eq!(on_terminal(line(&get)), safe.as_bytes());
    let raw = ["job", "get", "job", "--output", "--raw"];
    let shown = on_terminal(line(&raw));
    assert!(shown.starts_with(b"a\x1b[2J\x1b]0;"), "{shown:?}");
    for words in [
        ["job", "get", "job"].as_slice(),
        &["job", "get", "job", "--json"],
    ] {
        let shown = String::from_utf8(on_terminal(line(words))).unwrap();
        assert!(shown.contains("completed"), "{shown:?}");
        assert!(!shown.contains(['\x1b', '\x07', '\u{9b}']), "{shown:?}");
    }
}

/// Runs a command whose stdout is a terminal, and returns the terminal's input.
fn on_terminal(mut command: Command) -> Vec<u8> {
    let pty = nix::pty::openpty(None, None).expect("a test may have a terminal");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::from(pty.slave))
        .stderr(Stdio::piped())
        .spawn()
        .expect("rolecast was built");
    // The command holds the terminal too, and is not needed any more.
    drop(command);
    let mut shown = Vec::new();
    let mut buffer = [0; 4096];
    let mut master = fs::File::from(pty.master);
    // A read of a terminal that nobody holds any more is an error.
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..count]);
    }
    assert!(child.wait().is_ok_and(|status| status.success()));
    shown
}

fn open_to_all(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is the test's own");
}
