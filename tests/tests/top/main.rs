//! `rolecast top` on a pseudo-terminal, with a real fleet.

mod pseudo_terminal;

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use rolecast_common::options::{HEADER_DELAY, HEADER_JOB_ID, HEADER_REQUIRE};
use rolecast_common::wire::NodeHealth;
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::jobs::headers;
use rolecast_tests::logins::OPERATOR;
use rolecast_tests::process::program;
use rolecast_tests::wait::{wait_for, wait_until};
use serde_json::Value;

use pseudo_terminal::PseudoTerminal;

const WORKER: &str = r#"
roles = ["follower"]
usage_scope = "process"
[capacity]
cpu = 2
memory = "1GiB"
[categories.echo]
command = ["cat"]
[categories.hold]
command = ["sh", "-c", "echo 0.4 page 3 of 8 >&$ROLECAST_PROGRESS_FD; exec sleep 600"]
"#;

const DISPATCHER: &str = "
[categories.echo]
[categories.hold]
";

async fn fleet() -> Cluster {
    Cluster::start(
        DISPATCHER,
        &[("n1", WORKER), ("n2", WORKER), ("large", WORKER)],
    )
    .await
}

fn top(cluster: &mut Cluster, environment: &[(&str, &str)]) -> PseudoTerminal {
    let url = cluster.server().url_as(OPERATOR);
    let mut environment = environment.to_vec();
    environment.push(("NATS_URL", url.as_str()));
    let directory = cluster.directory().to_path_buf();
    PseudoTerminal::spawn(&directory, &program("rolecast"), &["top"], &environment)
}

#[tokio::test]
async fn a_person_finds_a_node_and_the_reason_for_a_job_there() {
    let mut cluster = fleet().await;
    cluster.submit("echo", "order-17", "hello").await;
    let record = cluster.wait_record("order-17").await;
    let node = record.node.unwrap();
    cluster.wait_decisions(1).await;
    let mut top = top(&mut cluster, &[]);
    let all = [
        ", epoch 1",
        "3 nodes",
        "all is well",
        "\nn1 ",
        "\nn2 ",
        "\nlarge ",
    ];
    top.wait_text(&all).await;
    top.wait("it has colours", has_colours).await;
    // Sorted by name, in both directions.
    let before = |text: &str, a: &str, b: &str| text.find(a) < text.find(b);
    top.press("S");
    let text = top.wait_text(&["NODE▾"]).await;
    assert!(
        before(&text, "\nlarge ", "\nn1 ") && before(&text, "\nn1 ", "\nn2 "),
        "{text}"
    );
    top.press("r");
    let text = top.wait_text(&["NODE▴"]).await;
    assert!(
        before(&text, "\nn2 ", "\nn1 ") && before(&text, "\nn1 ", "\nlarge "),
        "{text}"
    );
    // Filtered, and opened.
    top.press(&format!("/{node}\r"));
    let other = if node.as_str() == "large" {
        "\nn1 "
    } else {
        "\nlarge "
    };
    top.wait_gone(other).await;
    top.press("\r");
    top.wait_text(&[
        &format!(" > node {node}"),
        "state      ready",
        "\norder-17 ",
    ])
    .await;
    top.press("\r");
    let sent = format!("job order-17 of echo was sent to {node}, the cheapest of 3");
    top.wait_text(&[" > job order-17", "job       order-17  completed", &sent])
        .await;
    top.press("\x1b");
    top.wait_gone(&sent).await;
    top.press("\x1b");
    top.wait_gone(" > node").await;
    top.press("q");
    assert!(top.wait_end().await.success());
    top.assert_as_before();
    assert!(top.is_written("\x1b[?1049h") && top.is_written("\x1b[?25l"));
}

#[tokio::test]
async fn every_page_is_a_key_away() {
    let mut cluster = fleet().await;
    cluster.submit("echo", "order-17", "hello").await;
    cluster.wait_record("order-17").await;
    cluster.wait_decisions(1).await;
    let mut top = top(&mut cluster, &[]);
    top.wait_text(&["\nn1 "]).await;
    top.press("eorder-17\r");
    top.wait_text(&["job order-17 of echo was sent to"]).await;
    for (key, part) in [
        ("2", "\necho "),
        ("3", "\nfollower "),
        ("4", "\norder-17 "),
        ("5", "\nall is well"),
        ("?", "any key closes the help"),
        ("x", "\nall is well"),
    ] {
        top.press(key);
        top.wait_text(&[part]).await;
    }
    top.press("q");
    assert!(top.wait_end().await.success());
}

#[tokio::test]
async fn a_terminal_of_any_size_is_filled() {
    let mut cluster = fleet().await;
    let mut top = top(&mut cluster, &[("NO_COLOR", "1")]);
    let text = top.wait_text(&["\nn1 ", "q quit"]).await;
    assert!(!text.contains("FEEDBACK"), "{text}");
    top.resize(200, 60);
    top.wait_text(&["FEEDBACK", "RESERVED", "\nn1 ", "q quit"])
        .await;
    top.resize(60, 15);
    let text = top.wait_text(&["\nn1 ", "CPU", "JOBS", "↑↓ select"]).await;
    assert!(!text.contains("FEEDBACK"), "{text}");
    top.resize(30, 5);
    top.wait_text(&["30x5: too small, needs 40x8"]).await;
    top.resize(80, 24);
    top.wait_text(&["\nn1 ", "q quit"]).await;
    let text = top
        .wait("no cell has a colour", |screen| !has_colours(screen))
        .await;
    assert!(text.contains("n1"));
    // Ctrl-L draws every cell again, without a question to the terminal.
    let before = top.written.len();
    top.press("\x0c");
    top.wait("the tabs", |screen| screen.contents().contains("1 Nodes"))
        .await;
    wait_until("all is written again", LIMIT, async || {
        top.wait("the tabs", |screen| screen.contents().contains("1 Nodes"))
            .await;
        top.written[before..]
            .windows(5)
            .any(|part| part == b"Nodes")
    })
    .await;
    assert!(!top.is_written("\x1b[6n"));
    top.press("\x03");
    assert!(top.wait_end().await.success());
    top.assert_as_before();
}

#[tokio::test]
async fn a_dispatcher_that_is_gone_leaves_its_last_picture() {
    let mut cluster = fleet().await;
    let mut top = top(&mut cluster, &[]);
    top.wait_text(&["epoch 1", "\nn1 ", "all is well"]).await;
    cluster.dispatcher().kill();
    let parts = ["! no answer for", "no dispatcher answers", "\nn1 "];
    top.wait_text(&parts).await;
    let _second = cluster.second_dispatcher();
    top.wait_text(&["epoch 2", "\nn1 "]).await;
    top.wait_gone("no answer for").await;
    // A worker that is gone is the first row.
    cluster.worker("n2").kill();
    cluster.wait_health("n2", NodeHealth::Gone).await;
    let text = top
        .wait_text(&["! n2: gone, last heartbeat", "3 nodes (1 gone)"])
        .await;
    assert!(text.find("\nn2 ") < text.find("\nn1 "), "{text}");
    cluster.server().kill();
    top.wait_text(&["! no answer for", "\nn1 "]).await;
    top.press("q");
    assert!(top.wait_end().await.success());
    top.assert_as_before();
    cluster.server().restart().await;
}

#[tokio::test]
async fn the_terminal_is_given_back_whatever_ends_the_view() {
    let mut cluster = fleet().await;
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut top = top(&mut cluster, &[]);
        top.wait_text(&["\nn1 "]).await;
        top.signal(signal);
        assert!(top.wait_end().await.success(), "{signal}");
        top.assert_as_before();
    }
    // The connection of a person is lost: it ends, instead of reading on for ever.
    let mut top_of_person = top(&mut cluster, &[]);
    top_of_person.wait_text(&["\nn1 "]).await;
    top_of_person.hang_up();
    top_of_person.wait_end().await;
    // Suspended, and continued.
    let mut top = top(&mut cluster, &[]);
    top.wait_text(&["\nn1 "]).await;
    top.press("\x1a");
    let (pid, flags) = (top.pid(), WaitPidFlag::WUNTRACED | WaitPidFlag::WNOHANG);
    wait_until("it is stopped", LIMIT, async || {
        matches!(waitpid(pid, Some(flags)), Ok(WaitStatus::Stopped(..)))
    })
    .await;
    top.wait("the shell's screen", |screen| !screen.alternate_screen())
        .await;
    top.assert_as_before();
    top.signal(Signal::SIGCONT);
    top.wait("its screen again", |screen| screen.alternate_screen())
        .await;
    top.wait_text(&["\nn1 "]).await;
    top.press("q");
    assert!(top.wait_end().await.success());
    top.assert_as_before();
}

#[tokio::test]
async fn one_picture_is_text_or_a_document() {
    let mut cluster = fleet().await;
    cluster.submit("hold", "long-1", "").await;
    cluster.wait_running(1).await;
    cluster.wait_decisions(1).await;
    // The first check of a new system finds streams that are still being created.
    let calm = wait_for("all is well", LIMIT, async || {
        let (text, code) = cluster.rolecast(&["top", "--once"]).await;
        (code == 0 && text.contains("all is well")).then_some(text)
    });
    let text = calm.await;
    for part in ["\nNODE ", "\nn1 ", "\nhold ", "\nfollower ", "\nlong-1 "] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?} {text}");
    let (text, code) = cluster.rolecast(&["top", "--once", "--json"]).await;
    assert_eq!(code, 0, "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["status"]["totals"]["nodes"], 3);
    assert_eq!(document["decisions"][0]["job"], "long-1");
    assert_eq!(document["jobs"]["totals"]["running"], 1);
    assert_eq!(document["attention"], serde_json::json!([]));
    assert!(
        document["capacity"]["roles"]["follower"].is_object(),
        "{document}"
    );
    // A pipe, and a terminal that cannot be drawn on.
    cluster
        .assert_output(&["top"], 2, "top --once prints one picture")
        .await;
    let mut top = top(&mut cluster, &[("TERM", "dumb")]);
    top.wait_text(&["TERM=dumb", "--once"]).await;
    assert_eq!(top.wait_end().await.code(), Some(2));
}

#[tokio::test]
async fn jobs_that_wait_and_run_are_listed() {
    let mut cluster = fleet().await;
    cluster.submit("hold", "long-1", "").await;
    cluster.wait_running(1).await;
    let wish = headers([(HEADER_JOB_ID, "choosy"), (HEADER_REQUIRE, "gpu")]);
    cluster.submit_to("rolecast.jobs.echo", wish, "x").await;
    let mut top = top(&mut cluster, &[]);
    top.wait_text(&["\nn1 "]).await;
    top.press("4");
    let text = top
        .wait_text(&["\nchoosy ", "\nlong-1 ", "1 wait, 1 run"])
        .await;
    assert!(text.find("\nchoosy ") < text.find("\nlong-1 "), "{text}");
    // The part that is done is on a narrow screen, its text in the job's details.
    let text = top.wait_text(&[" 40 % "]).await;
    assert!(!text.contains("page 3 of 8"), "{text}");
    top.press("/long-1\r\r");
    top.wait_text(&[" > job long-1", "40 %  page 3 of 8, since"])
        .await;
    top.press("\x1b");
    top.wait_gone(" > job long-1").await;
    top.press("\x1b");
    top.wait_text(&["\nchoosy "]).await;
    top.resize(120, 24);
    top.wait_text(&["PROGRESS", "page 3 of 8"]).await;
    top.resize(80, 24);
    top.press("g\r");
    top.wait_text(&[" > job choosy", "had to wait: none of 3 nodes known"])
        .await;
    top.press("q");
    assert!(top.wait_end().await.success());
}

#[tokio::test]
async fn further_jobs_are_read_when_the_reader_comes_near_the_end() {
    let mut cluster = fleet().await;
    for number in 0..230 {
        let id = format!("later-{number:03}");
        let delayed = headers([(HEADER_JOB_ID, id.as_str()), (HEADER_DELAY, "1h")]);
        cluster.submit_to("rolecast.jobs.echo", delayed, "x").await;
    }
    let mut top = top(&mut cluster, &[]);
    top.wait_text(&["\nn1 "]).await;
    top.press("4");
    top.wait_text(&["  200 of 230 jobs", "\nlater-000 "]).await;
    top.press("G");
    top.wait_text(&["0 wait, 0 run, 230 delaye", "\nlater-199 "])
        .await;
    top.press("G");
    top.wait_text(&["\nlater-229 "]).await;
    // The filter finds jobs of all pages.
    top.press("/later-20\r");
    top.wait_text(&["\nlater-200 ", "\nlater-209 "]).await;
    top.press("q");
    assert!(top.wait_end().await.success());
}

#[tokio::test]
async fn a_viewer_sees_all_but_the_list_of_decisions() {
    let mut cluster = fleet().await;
    // It tries the list, which it may not read.
    cluster.intrude();
    cluster.submit("echo", "order-17", "hello").await;
    cluster.wait_record("order-17").await;
    let url = cluster.server().url_as("viewer");
    let directory = cluster.directory().to_path_buf();
    let environment = [("NATS_URL", url.as_str())];
    let mut top = PseudoTerminal::spawn(&directory, &program("rolecast"), &["top"], &environment);
    top.wait_text(&["\nn1 ", "all is well"]).await;
    top.press("4");
    top.wait_text(&["this login may not read the list of decisions; e explains"])
        .await;
    top.press("eorder-17\r");
    top.wait_text(&["job order-17 of echo was sent to"]).await;
    top.press("q");
    assert!(top.wait_end().await.success());
}

fn has_colours(screen: &vt100::Screen) -> bool {
    let (rows, columns) = screen.size();
    let mut cells =
        (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
    cells.any(|(row, column)| {
        let cell = screen.cell(row, column);
        cell.is_some_and(|cell| cell.fgcolor() != vt100::Color::Default)
    })
}
