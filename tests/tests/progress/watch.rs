//! `rolecast job watch` with progress: a bar on a terminal, lines and objects elsewhere.

use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroU16;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};

use nix::pty::{Winsize, openpty};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::process::program;
use rolecast_tests::wait::wait_for;
use serde_json::Value;

use super::{DISPATCHER, WORKER, end, wait_progress};

const SIZE: Winsize = Winsize {
    ws_row: 24,
    ws_col: 80,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// A command on a terminal, and what the terminal shows.
struct Screen {
    child: Child,
    pieces: Receiver<Vec<u8>>,
    parser: vt100::Parser,
}

impl Screen {
    fn start(directory: &std::path::Path, url: &str, arguments: &[&str]) -> Self {
        let terminal = openpty(&SIZE, None).expect("a terminal can be made");
        let theirs = || File::from(terminal.slave.try_clone().expect("a terminal can be made"));
        let child = Command::new(program("rolecast"))
            .args(arguments)
            .current_dir(directory)
            .env("NATS_URL", url)
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .stdin(theirs())
            .stdout(theirs())
            .stderr(theirs())
            .spawn()
            .expect("a terminal can be made");
        let mut ours = File::from(terminal.master);
        let (sender, pieces) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = ours.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            pieces,
            parser: vt100::Parser::new(size(SIZE.ws_row), size(SIZE.ws_col), 0),
        }
    }

    fn text(&mut self) -> String {
        for piece in self.pieces.try_iter() {
            self.parser.process(&piece);
        }
        self.parser.screen().contents()
    }

    async fn wait(&mut self, what: &str, is_met: impl Fn(&str) -> bool) -> String {
        wait_for(what, LIMIT, async || {
            Some(self.text()).filter(|text| is_met(text))
        })
        .await
    }
}

fn size(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).expect("the screen has cells")
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn watch_draws_a_bar_on_a_terminal_and_removes_it_at_the_end() {
    let mut cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    cluster.submit("pages", "job-1", "end").await;
    let url = cluster.server().url_as("operator");
    let mut screen = Screen::start(cluster.directory(), &url, &["job", "watch", "job-1"]);
    let shown = screen
        .wait("the bar is drawn", |text| text.contains("page 3 of 8"))
        .await;
    let bar = shown.lines().find(|line| line.contains("page 3 of 8"));
    assert!(
        bar.unwrap().contains("====") && bar.unwrap().contains(" 40 %  page"),
        "{shown}"
    );
    assert!(
        shown
            .lines()
            .any(|line| line.contains("running on n1, attempt 1")),
        "{shown}"
    );
    end(&cluster, "end");
    let shown = screen
        .wait("the end is shown", |text| {
            text.contains("job-1 completed on n1")
        })
        .await;
    assert!(!shown.contains("page 3 of 8"), "{shown}");
    assert!(screen.child.wait().unwrap().success());
}

#[tokio::test]
async fn watch_prints_lines_into_a_pipe_and_objects_for_programs() {
    let cluster = Cluster::start(DISPATCHER, &[("n1", WORKER)]).await;
    cluster.submit("pages", "job-1", "end").await;
    wait_progress(&cluster, "job-1", 0.4, "page 3 of 8").await;
    let lines = cluster.rolecast(&["job", "watch", "job-1"]);
    let objects = cluster.rolecast(&["job", "watch", "job-1", "--json"]);
    let ends = async {
        // Both have begun once they have asked; then the job may end.
        wait_for("both commands watch", LIMIT, async || {
            let logs = std::fs::read_dir(cluster.directory()).unwrap();
            let logs = logs.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
            let count = logs.filter(|log| log.contains("page 3 of 8")).count();
            // One is the config of the worker, and one the output of the wait above.
            (count >= 4).then_some(())
        })
        .await;
        end(&cluster, "end");
    };
    let ((lines, code), (objects, _), ()) = tokio::join!(lines, objects, ends);
    assert_eq!(code, 0, "{lines}");
    let part = "running on n1, attempt 1, 40 %  page 3 of 8\n";
    assert!(lines.contains(part), "{lines}");
    assert!(!lines.contains('\u{1b}'), "{lines:?}");
    let objects: Vec<Value> = objects
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(objects[0]["view"]["progress"]["done"], 0.4);
    assert_eq!(objects[0]["view"]["progress"]["text"], "page 3 of 8");
}
