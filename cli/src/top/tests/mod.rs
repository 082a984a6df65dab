//! Tests of the view as a whole: keys and answers in, cells out.

mod bench;

use rolecast_common::id::{JobId, Sequence};
use rolecast_common::wire::{JobState, JobView, ListedJob};

use super::fixture;
use super::picture::JobAnswer;
use super::*;
use bench::Bench;

#[test]
fn the_first_screen_has_the_nodes_those_with_trouble_above() {
    let mut bench = Bench::open();
    bench.answer(Request::Capacity, Answer::Capacity(fixture::capacity()));
    let title = "\
\x20main, epoch 3  2 nodes (1 gone)  backlog 3  running 2                 00:00:09
 ! elm: gone, last heartbeat 0.3 s ago";
    let list = "
  1 Nodes  2 Categories  3 Roles  4 Jobs  5 Alarms   every 1.00 s
NODE          STATE▾   ROLES             CPU     LAST  FREE 1M  MEM   JOBS  BEAT
elm           gone     leader      0.00/2.00        ▁        -  50%    1/4  0.3s
oak           ready    leader      1.00/2.00        ▅     1.25  50%    1/4  0.3s
";
    let screen = bench.screen();
    let is_whole = screen.starts_with(title) && screen.contains(list);
    assert!(is_whole, "\n{screen}");
    let keys = " ↑↓ select  Enter details  / filter  s sort  r reverse  p pause  ? help  q quit\n";
    assert!(screen.ends_with(keys), "\n{screen}");
    assert_eq!(bench.selected(), ["elm"]);
}

#[test]
fn calm_is_one_short_line() {
    let mut bench = Bench::open();
    bench.page(|status| {
        status.nodes.remove(0);
    });
    bench.assert_shows(&["\n all is well\n"]);
    bench.press("5");
    bench.assert_shows(&["\nall is well\n"]);
}

#[test]
fn trouble_has_its_cause_and_its_command() {
    let mut bench = Bench::open();
    bench.page(|status| {
        status.nodes.remove(0);
        status.categories[0].dead_letters = Some(2);
        status.categories[1].nodes_eligible = 0;
        status.categories[1].backlog = 1;
    });
    // The gravest first.
    bench.assert_shows(&[
        "\n ! scale: 1 job and no ready node that may run them (roles: leader); see",
        "(+1: 5)\n",
    ]);
    bench.press("5");
    bench.assert_shows(&["! ocr: 2 dead letters; see rolecast dead ls --category ocr\n"]);
}

#[test]
fn lists_are_sorted_filtered_and_the_selection_stays() {
    let mut bench = Bench::open();
    bench.press("j");
    assert_eq!(bench.selected(), ["oak"]);
    bench.press("r");
    assert_eq!(bench.selected(), ["oak"]);
    bench.assert_shows(&["STATE▴"]);
    // Two further, to the CPU: the one in use is above.
    bench.press("ss");
    let screen = bench.screen();
    assert!(screen.contains("CPU▾"), "{screen}");
    assert!(screen.find("\noak") < screen.find("\nelm"), "{screen}");
    bench.press("/GONE");
    let screen = bench.screen();
    assert!(
        !screen.contains("\noak") && screen.contains(" filter: GONE▏"),
        "{screen}"
    );
    bench.key(Key::Enter);
    assert_eq!(bench.selected(), ["elm"]);
    // A key is a key again.
    bench.press("r");
    bench.key(Key::Escape);
    bench.assert_shows(&["\noak", "\nelm"]);
    for (filter, found) in [
        ("zone=e", true),
        ("zone=us", false),
        ("zone", true),
        ("leader", true),
    ] {
        bench.press("/");
        bench.press(filter);
        assert_eq!(bench.screen().contains("\noak"), found, "{filter}");
        bench.key(Key::Escape);
    }
}

#[test]
fn a_node_leads_to_its_jobs_and_a_job_to_its_explain() {
    let mut bench = Bench::open();
    bench.press("j");
    bench.key(Key::Enter);
    let of = JobsOf {
        node: Some(NodeId::new("oak").unwrap()),
        category: None,
    };
    for request in [Request::Jobs(of, None), Request::Follow] {
        assert!(bench.commands.contains(&Command::Request(request)));
    }
    let decisions = vec![fixture::decision("j1", 4000), fixture::decision("j2", 8000)];
    bench.answer(Request::Follow, Answer::Decided(decisions));
    bench.answer(
        Request::Forecast(NodeId::new("oak").unwrap()),
        Answer::Forecast(fixture::forecast()),
    );
    bench.assert_shows(&[
        " > node oak",
        "state      ready, last heartbeat 300 ms ago",
        "cpu used by others 1.00, in 1h 1.00 expected, at most 1.50 (90 %)",
        "+60 min",
        "\nj2               ocr          sent          - oak           1.0s    0.1s       0\n",
    ]);
    bench.press("j");
    bench.key(Key::Enter);
    let job = JobId::new("j1").unwrap();
    assert_eq!(
        bench.commands,
        [Command::Request(Request::Job(job.clone()))]
    );
    bench.assert_shows(&[" > job j1", "reading ..."]);
    let view = JobView::new(job.clone(), JobState::Running, String::new());
    let decision = fixture::decision("j1", 4000);
    let shown = JobAnswer {
        job: job.clone(),
        view: Ok(view),
        decision: Ok(decision),
    };
    bench.answer(Request::Job(job), Answer::Job(Box::new(shown)));
    bench.assert_shows(&[
        "job       j1  running\n",
        "job j1 of ocr was sent to oak, the only one that could take it; 2 nodes known",
        "NODE   COST  SLOW  ROLE    CPU NOW  RESERVED  FEEDBACK    BEAT\noak *  1.20",
        "refused    1 gone",
    ]);
    bench.key(Key::Escape);
    assert_eq!(bench.selected(), ["j1"]);
    bench.key(Key::Escape);
    assert_eq!(bench.selected(), ["oak"]);
}

#[test]
fn jobs_that_wait_are_above_those_that_run_and_those_that_were_decided() {
    let mut bench = Bench::open();
    bench.press("4");
    let of = JobsOf::default();
    let jobs = Answer::Jobs(of.clone(), None, fixture::jobs());
    bench.answer(Request::Jobs(of, None), jobs);
    let decisions = vec![fixture::decision("j1", 4000), fixture::decision("j2", 8000)];
    bench.answer(Request::Follow, Answer::Decided(decisions));
    let expected = "\
JOB              CATEGORY     STATE▾     DONE NODE           AGO  WAITED  FAILED
j9               ocr          waiting       - -             2.0s    2.0s       0
j2               ocr          running    40 % oak           1.5s    0.5s       1
j1               ocr          sent          - oak           5.0s    0.1s       0
";
    let screen = bench.screen();
    assert!(screen.contains(expected), "{screen}");
    assert!(screen.contains("  1 wait, 1 run\n"), "{screen}");
    bench.press("/running");
    assert_eq!(bench.selected(), ["j2"]);
    // What a job reports has room on a wide screen.
    assert!(!bench.screen().contains("page 3 of 8"));
    bench.size = (120, 24);
    bench.assert_shows(&["PROGRESS", "       1 page 3 of 8\n"]);
}

#[test]
fn more_jobs_are_requested_when_the_reader_comes_near_the_end() {
    let mut bench = Bench::open();
    bench.press("4");
    let of = JobsOf::default();
    let page = |first: u64, is_last: bool| {
        let mut page = fixture::jobs();
        let job = page.jobs[0].clone();
        let jobs = (first..first + 200).map(|place| ListedJob {
            job: JobId::new(&format!("j{place:04}")).unwrap(),
            sequence: Sequence::new(place),
            ..job.clone()
        });
        page.jobs = jobs.collect();
        page.totals.waiting = 399;
        page.next = (!is_last).then(|| Sequence::new(first + 199));
        page
    };
    let first = Answer::Jobs(of.clone(), None, page(1, false));
    bench.answer(Request::Jobs(of.clone(), None), first);
    bench.assert_shows(&["  200 of 400 jobs\n"]);
    let last = Some(Sequence::new(200));
    let more = Command::Request(Request::Jobs(of.clone(), last));
    bench.key(Key::PageDown);
    assert!(!bench.commands.contains(&more));
    bench.key(Key::End);
    assert!(bench.commands.contains(&more));
    assert_eq!(bench.selected(), ["j0200"]);
    bench.handle(Event::Tick);
    assert!(!bench.commands.contains(&more));
    let second = Answer::Jobs(of.clone(), last, page(201, true));
    bench.answer(Request::Jobs(of, last), second);
    bench.assert_shows(&["  399 wait, 1 run\n"]);
    assert_eq!(bench.selected(), ["j0200"]);
    bench.key(Key::End);
    assert_eq!(bench.selected(), ["j0400"]);
}

#[test]
fn a_job_is_explained_by_its_id() {
    let mut bench = Bench::open();
    bench.press("eorder 17");
    bench.key(Key::Enter);
    let screen = bench.screen();
    assert!(screen.contains(" explain job: order 17▏  "), "{screen}");
    for _ in 0..3 {
        bench.key(Key::Backspace);
    }
    bench.press("-17");
    bench.key(Key::Enter);
    let job = JobId::new("order-17").unwrap();
    assert_eq!(bench.commands, [Command::Request(Request::Job(job))]);
    bench.assert_shows(&[" > job order-17"]);
}

#[test]
fn categories_and_roles_have_lists_and_details() {
    let mut bench = Bench::open();
    bench.press("2");
    let screen = bench.screen();
    let expected = "\
CATEGORY      BACKLOG▾  WAIT   RUN  NODES  OLDEST  END/S     LAST   EXPECT  DEAD
ocr                  3     2     1      1    1.5s      -           2.5/min     -
";
    assert!(screen.contains(expected), "{screen}");
    bench.key(Key::Enter);
    bench.assert_shows(&[
        " > category ocr",
        "3 in the queue, 2 waiting here, 1 running",
    ]);
    bench.key(Key::Escape);
    bench.press("3");
    assert!(bench.commands.contains(&Command::Request(Request::Roles)));
    bench.answer(Request::Roles, Answer::Roles(Box::new(fixture::roles())));
    bench.answer(Request::Capacity, Answer::Capacity(fixture::capacity()));
    bench.assert_shows(&["leader            1 oak", "1.25"]);
    bench.key(Key::Enter);
    bench.assert_shows(&["holders    oak; 1 wanted, in group pair", "0.75 cores"]);
}

#[test]
fn a_silent_dispatcher_leaves_the_last_picture_with_its_age() {
    let mut bench = Bench::empty();
    bench.handle(Event::Tick);
    bench.assert_shows(&["waiting for the dispatcher's answer"]);
    bench.handle(Event::Failed(
        Request::Page(None),
        "no dispatcher answers".to_owned(),
    ));
    bench.assert_shows(&["! no answer for 0.00 ms: no dispatcher answers\n"]);
    bench.page(|_| {});
    bench.handle(Event::Failed(
        Request::Page(None),
        "no dispatcher answers".to_owned(),
    ));
    bench.now = bench.now + Duration::from_secs(7);
    let why = "! no answer for 7.00 s: no dispatcher answers; this is the last picture";
    bench.assert_shows(&[why, "\noak"]);
    bench.handle(Event::Tick);
    assert!(
        bench
            .commands
            .contains(&Command::Request(Request::Page(None)))
    );
    bench.page(|_| {});
    bench.assert_shows(&["! elm: gone"]);
}

#[test]
fn every_size_is_drawn() {
    let mut bench = Bench::open();
    bench.answer(
        Request::Follow,
        Answer::Decided(vec![fixture::decision("j1", 4000)]),
    );
    for size in [
        (1, 1),
        (39, 24),
        (80, 7),
        (40, 8),
        (60, 15),
        (80, 24),
        (200, 60),
    ] {
        bench.size = size;
        for keys in ["1", "2", "3", "4", "5", "?", "?"] {
            bench.press(keys);
            bench.screen();
            bench.key(Key::Enter);
            bench.screen();
        }
        bench.press("1");
        let is_small = size.0 < 40 || size.1 < 8;
        assert_eq!(bench.screen().contains("\noak"), !is_small, "{size:?}");
    }
    bench.assert_shows(&["RESERVED", "FEEDBACK"]);
    bench.size = (39, 24);
    bench.assert_shows(&["39x24: too small, needs 40x8"]);
}

#[test]
fn pause_quit_and_the_interval_are_keys() {
    let mut bench = Bench::open();
    bench.handle(Event::Tick);
    bench.page(|_| {});
    bench.press("p");
    bench.now = bench.now + Duration::from_secs(60);
    bench.handle(Event::Tick);
    assert!(
        !bench
            .commands
            .contains(&Command::Request(Request::Page(None)))
    );
    bench.assert_shows(&["PAUSED"]);
    bench.press(" ");
    assert!(
        bench
            .commands
            .contains(&Command::Request(Request::Page(None)))
    );
    bench.press("--");
    bench.assert_shows(&["every 5.00 s"]);
    bench.press("+");
    bench.assert_shows(&["every 2.00 s"]);
    bench.press("?");
    bench.assert_shows(&["explain a job by its id", "any key closes the help"]);
    // The first key closes the help and does nothing else.
    bench.press("q");
    assert!(!bench.commands.contains(&Command::Quit));
    bench.press("q");
    assert!(bench.commands.contains(&Command::Quit));
    bench.press("/q");
    assert!(!bench.commands.contains(&Command::Quit));
    bench.key(Key::Interrupt);
    assert!(bench.commands.contains(&Command::Quit));
}

#[test]
fn colours_are_only_on_a_screen_that_has_them() {
    let mut bench = Bench::open();
    let colours = |bench: &Bench| {
        let terminal = bench.terminal();
        let cells = terminal.backend().buffer().content();
        let is_coloured = |cell: &&ratatui::buffer::Cell| cell.fg != ratatui::style::Color::Reset;
        cells.iter().filter(is_coloured).count()
    };
    assert_eq!(colours(&bench), 0);
    let plain = bench.screen();
    bench.app.palette = Palette::new(true);
    assert!(colours(&bench) > 0);
    assert_eq!(bench.screen(), plain);
}
