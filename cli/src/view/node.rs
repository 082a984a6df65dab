//! One node with everything that is known about it.

use std::time::Duration;

use rolecast_common::alarm::of_node;
use rolecast_common::id::Role;
use rolecast_common::unit::{BytesPerSecond, Resources};
use rolecast_common::wire::{JobList, NodeStatus, NodeView, Pressure};

use super::nodes::{health, role_list, roles_of_node};
use crate::quantity::{cores, counted, length, seconds};
use crate::style::{Palette, Tone, one_line};
use crate::table::{Align, plain, table};
use crate::view::job::Block;
use crate::view::status::lines;
use rolecast_common::words::{amounts, rate};

const JOB_COLUMNS: [(&str, Align); 5] = [
    ("job", Align::Left),
    ("category", Align::Left),
    ("attempt", Align::Right),
    ("running", Align::Right),
    ("submitted", Align::Left),
];

/// The characters of a reason that are shown.
const REASON_CHARS_MAX: usize = 200;

/// Shows the node and the jobs that it has in hand.
pub(crate) fn page(view: &NodeView, jobs: &JobList, palette: Palette) -> String {
    let mut block = Block::new(palette);
    let node = &view.status;
    let state = palette.paint(Tone::of_health(node.health), health(node.health));
    let by = match view.is_drained {
        true => ", drained by an operator",
        false => "",
    };
    let lasted = length(view.at_ms.since(view.since_ms));
    let title = palette.paint(Tone::Strong, node.node.as_str());
    let since = view.since_ms;
    block.line(
        "node",
        &format!("{title}  {state}{by} since {since} ({lasted})"),
    );
    identity(&mut block, view);
    resources(&mut block, view);
    conduct(&mut block, node);
    for (index, refusal) in view.refusals.iter().enumerate() {
        let key = if index == 0 { "refused" } else { "" };
        let reason = one_line(&refusal.reason, REASON_CHARS_MAX);
        let (at, job, category) = (refusal.at_ms, &refusal.job, &refusal.category);
        block.line(key, &format!("{at}  job {job} of {category}: {reason}"));
    }
    let mut text = block.text;
    text.push_str(&lines(&of_node(node), palette));
    text.push('\n');
    text.push_str(&in_hand(node, jobs, palette));
    text
}

fn identity(block: &mut Block, view: &NodeView) {
    let node = &view.status;
    let offers = offers(&view.offers);
    block.line("roles", &format!("{}{offers}", roles_of_node(&node.roles)));
    if !node.labels.is_empty() {
        block.line("labels", &node.labels.to_string());
    }
    let runs = view.categories.iter();
    let runs = runs.map(|(name, most)| format!("{name} ({most} at once)"));
    let runs: Vec<String> = runs.collect();
    let runs = if runs.is_empty() {
        "nothing".to_owned()
    } else {
        runs.join(", ")
    };
    block.line("runs", &one_line(&runs, 1000));
    let age = seconds(Duration::from_millis(node.heartbeat_age_ms));
    let every = seconds(Duration::from_millis(view.interval_ms));
    let boot = &view.boot;
    block.line(
        "heartbeat",
        &format!("{age} ago, every {every}, start {boot}"),
    );
    let trip = node.round_trip_us.map(Duration::from_micros);
    let trip = trip.map_or("not measured yet".to_owned(), length);
    let skew = match node.clock_skew_ms {
        None => "not reported".to_owned(),
        Some(skew) if skew < 0 => format!("{} ms behind the dispatcher's", skew.unsigned_abs()),
        Some(skew) => format!("{skew} ms ahead of the dispatcher's"),
    };
    block.line("distance", &format!("round trip {trip}; its clock: {skew}"));
}

fn resources(block: &mut Block, view: &NodeView) {
    let node = &view.status;
    block.line("capacity", &known(&node.capacity));
    let jobs = amounts(&node.usage.jobs);
    block.line(
        "use",
        &format!("{}; of that by jobs: {jobs}", all(&node.usage.total)),
    );
    if let Some(pressure) = node.usage.pressure {
        block.line("pressure", &pressed(&pressure));
    }
    let (now, likely, safe) = (
        amounts(&view.others),
        amounts(&view.likely),
        amounts(&view.safe),
    );
    block.line(
        "others",
        &format!("{now}; within 10 minutes at most {likely} in half of all cases, {safe} at the configured quantile"),
    );
    let (slots, of) = (counted(u64::from(node.jobs), "slot"), node.jobs_max);
    let reserved = amounts(&node.reserved);
    block.line("reserved", &format!("{reserved}; {slots} of {of} taken"));
}

fn conduct(block: &mut Block, node: &NodeStatus) {
    let NodeStatus {
        sent,
        completed,
        failed,
        diverted,
        ..
    } = node;
    let diverted = match diverted {
        0 => String::new(),
        count => format!("; forecasts kept {count} away"),
    };
    block.line(
        "jobs",
        &format!("{sent} sent, {completed} completed, {failed} failed{diverted}"),
    );
    block.line(
        "speed",
        &format!(
            "{:.2} learned, {:.2} declared; its jobs take {:.2} times as long as predicted",
            node.learned_speed,
            node.speed.get(),
            node.feedback,
        ),
    );
}

fn offers(offers: &[Role]) -> String {
    match offers {
        [] => String::new(),
        offers => format!("; offers {}", role_list(offers)),
    }
}

/// Lists a capacity: network and disk are unknown where they are zero.
fn known(capacity: &Resources) -> String {
    let rates = [("network", capacity.network), ("disk", capacity.disk)];
    let rates = rates.map(|(name, at_most)| match at_most {
        BytesPerSecond::ZERO => format!("{name} unknown"),
        at_most => format!("{name} {}", rate(at_most.get())),
    });
    let memory = capacity.memory;
    format!(
        "{} cores, {memory}, {}",
        cores(capacity.cpu),
        rates.join(", ")
    )
}

fn all(usage: &Resources) -> String {
    format!(
        "{} cores, {}, network {}, disk {}",
        cores(usage.cpu),
        usage.memory,
        rate(usage.network.get()),
        rate(usage.disk.get()),
    )
}

fn pressed(pressure: &Pressure) -> String {
    format!(
        "cpu {:.0} %, memory {:.0} %, disk {:.0} % of the time",
        100.0 * pressure.cpu.get(),
        100.0 * pressure.memory.get(),
        100.0 * pressure.io.get(),
    )
}

fn in_hand(node: &NodeStatus, jobs: &JobList, palette: Palette) -> String {
    if jobs.jobs.is_empty() {
        return match node.jobs {
            0 => "no job in hand\n".to_owned(),
            count => format!(
                "{} without a record here\n",
                counted(u64::from(count), "job")
            ),
        };
    }
    let rows = jobs.jobs.iter().map(|job| {
        let category = job.category.as_ref();
        let running = job.since_ms.map(Duration::from_millis);
        vec![
            (job.job.to_string(), Tone::Strong),
            plain(category.map_or("-", |category| category.as_str())),
            plain(
                job.attempt
                    .map_or("-".to_owned(), |attempt| attempt.to_string()),
            ),
            plain(running.map_or("ended".to_owned(), length)),
            plain(job.submitted_ms.map_or("-".to_owned(), |at| at.to_string())),
        ]
    });
    let mut text = table(palette, &JOB_COLUMNS, rows.collect());
    text.push('\n');
    if jobs.next.is_some() {
        let name = &node.node;
        text.push_str(&format!("\nmore with rolecast job ls --node {name}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use rolecast_common::id::{Attempt, BootId, Category, JobId, Priority, Sequence};
    use rolecast_common::time::WallTime;
    use rolecast_common::unit::{Bytes, Cores};
    use rolecast_common::wire::{JobState, JobTotals, ListedJob, NodeRefusal, VERSION};

    use super::*;
    use crate::view::status::tests::status;

    fn view() -> NodeView {
        let others = |cpu| Resources {
            cpu: Cores::clamped(cpu),
            memory: Bytes::from_mib(1),
            ..Resources::default()
        };
        NodeView {
            v: VERSION,
            at_ms: WallTime::from_millis(65_000),
            status: status().nodes.remove(0),
            since_ms: WallTime::from_millis(5_000),
            boot: BootId::new("b1").unwrap(),
            interval_ms: 1000,
            is_drained: true,
            offers: vec![Role::new("leader").unwrap()],
            categories: [(Category::new("ocr").unwrap(), 4)].into(),
            others: others(0.25),
            likely: others(0.5),
            safe: others(1.5),
            refusals: vec![NodeRefusal {
                at_ms: WallTime::from_millis(60_000),
                job: JobId::new("j7").unwrap(),
                category: Category::new("ocr").unwrap(),
                reason: "unable: no\nfile".to_owned(),
            }],
        }
    }

    fn jobs() -> JobList {
        JobList {
            v: VERSION,
            at_ms: WallTime::from_millis(65_000),
            jobs: vec![ListedJob {
                job: JobId::new("j8").unwrap(),
                sequence: Sequence::new(8),
                category: Some(Category::new("ocr").unwrap()),
                priority: Priority::Normal,
                state: JobState::Running,
                node: None,
                attempt: Some(Attempt::new(2)),
                submitted_ms: Some(WallTime::from_millis(60_000)),
                since_ms: Some(4_000),
                until_ms: None,
                progress: None,
                reason: String::new(),
                failed: 0,
                lost: 0,
            }],
            totals: JobTotals::default(),
            next: Some(Sequence::new(8)),
        }
    }

    #[test]
    fn everything_about_a_node_is_on_one_screen() {
        let text = page(&view(), &jobs(), Palette::PLAIN);
        let expected = "\
node      oak  ready, drained by an operator since 1970-01-01T00:00:05.000Z (1m)
roles     leader,backup; offers leader
runs      ocr (4 at once)
heartbeat 0.3 s ago, every 1.0 s, start b1
distance  round trip 0.25 ms; its clock: not reported
capacity  2.00 cores, 2.0 MiB, network unknown, disk unknown
use       0.50 cores, 1.0 MiB, network 0 B/s, disk 0 B/s; of that by jobs: -
others    0.25 cores, 1.0 MiB; within 10 minutes at most 0.50 cores, 1.0 MiB in half of all cases, 1.50 cores, 1.0 MiB at the configured quantile
reserved  1.00 cores; 1 slot of 4 taken
jobs      0 sent, 12 completed, 0 failed
speed     1.00 learned, 1.00 declared; its jobs take 1.00 times as long as predicted
refused   1970-01-01T00:01:00.000Z  job j7 of ocr: unable: no file

JOB  CATEGORY  ATTEMPT  RUNNING  SUBMITTED
j8   ocr             2   4.00 s  1970-01-01T00:01:00.000Z

more with rolecast job ls --node oak
";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_wrong_with_a_node_is_shown_with_the_remedy() {
        let mut view = view();
        view.status.feedback = 2.5;
        view.status.clock_skew_ms = Some(-60_000);
        view.status.jobs = 0;
        let jobs = JobList {
            jobs: Vec::new(),
            next: None,
            ..jobs()
        };
        let text = page(&view, &jobs, Palette::PLAIN);
        assert!(
            text.contains("\n! oak: its jobs take 2.5 times as long"),
            "{text}"
        );
        assert!(text.contains("\n! oak: its clock is 1m behind"), "{text}");
        assert!(text.ends_with("no job in hand\n"), "{text}");
    }
}
