//! Categories as text: declared needs of their jobs beside learned ones.

use std::time::Duration;

use rolecast_common::unit::{Bytes, BytesPerSecond};
use rolecast_common::wire::CategoryStatus;
use rolecast_common::words::arrivals;

use super::job::Block;
use super::nodes::role_list;
use crate::quantity::{cores, counted, length, seconds};
use crate::style::{Palette, Tone};
use crate::table::{Align, Text, plain, table};

const COLUMNS: [(&str, Align); 12] = [
    ("category", Align::Left),
    ("run declared", Align::Right),
    ("learned", Align::Right),
    ("cpu declared", Align::Right),
    ("learned", Align::Right),
    ("memory declared", Align::Right),
    ("learned", Align::Right),
    ("learned from", Align::Right),
    ("backlog", Align::Right),
    ("waiting", Align::Right),
    ("running", Align::Right),
    ("nodes", Align::Right),
];

const PROFILE_COLUMNS: [(&str, Align); 6] = [
    ("one job", Align::Left),
    ("declared", Align::Right),
    ("at most", Align::Right),
    ("learned", Align::Right),
    ("half within", Align::Right),
    ("95 % within", Align::Right),
];

/// Lists categories.
pub(crate) fn list(categories: &[CategoryStatus], palette: Palette) -> String {
    if categories.is_empty() {
        return "no categories yet\n".to_owned();
    }
    let rows = categories.iter().map(list_row).collect();
    format!("{}\n", table(palette, &COLUMNS, rows))
}

fn list_row(category: &CategoryStatus) -> Vec<Text> {
    let (declared, learned) = (&category.profile, &category.profile.learned);
    vec![
        (category.category.to_string(), Tone::Strong),
        plain(run(declared.duration_s)),
        plain(run(learned.duration_s)),
        plain(cores(declared.average.cpu)),
        plain(cores(learned.average.cpu)),
        plain(declared.average.memory),
        plain(learned.average.memory),
        plain(counted(learned.jobs, "job")),
        plain(category.backlog),
        plain(category.waiting),
        plain(category.running),
        plain(category.nodes_eligible),
    ]
}

/// Shows one category.
pub(crate) fn page(category: &CategoryStatus, palette: Palette) -> String {
    let learned = &category.profile.learned;
    let name = palette.paint(Tone::Strong, category.category.as_str());
    let declared = if category.declared {
        "declared in the dispatcher's config"
    } else {
        "not declared: it has the profile of [undeclared]"
    };
    let mut block = Block::new(palette);
    block.line("category", &format!("{name}  {declared}"));
    block.line("roles", &role_list(&category.roles));
    let nodes = counted(u64::from(category.nodes_eligible), "node");
    block.line("nodes", &format!("{nodes} can run it, when there is room"));
    block.line("jobs", &queue(category));
    block.line(
        "ended",
        &format!(
            "{} completed, {} dead, {} expired, {} cancelled; {} since the dispatcher started",
            category.completed,
            category.dead,
            category.expired,
            category.cancelled,
            counted(category.retried, "retry"),
        ),
    );
    block.line("expected", &arrivals(category.expected_per_minute));
    let odd = match learned.clamped {
        0 => String::new(),
        count => format!(
            "; {} limited, because no machine can do that",
            counted(count, "figure")
        ),
    };
    block.line(
        "learned",
        &format!("from {}{odd}", counted(learned.jobs, "job")),
    );
    let profile = table(palette, &PROFILE_COLUMNS, profile_rows(category));
    format!("{}\n{profile}\n", block.text)
}

fn queue(category: &CategoryStatus) -> String {
    let mut text = format!(
        "{} in the queue, {} waiting here, {} running",
        category.backlog, category.waiting, category.running,
    );
    if let Some(oldest) = category.oldest_ms.map(Duration::from_millis) {
        text.push_str(&format!("; the oldest since {}", seconds(oldest)));
    }
    if category.late {
        text.push_str("; they wait long");
    }
    text
}

fn profile_rows(category: &CategoryStatus) -> Vec<Vec<Text>> {
    let (profile, learned) = (&category.profile, &category.profile.learned);
    let (average, peak) = (&profile.average, &profile.peak);
    let none = || "-".to_owned();
    let row = |name: &str, cells: [String; 5]| {
        let mut row = vec![plain(name)];
        row.extend(cells.map(plain));
        row
    };
    vec![
        row(
            "run, alone",
            [
                run(profile.duration_s),
                none(),
                run(learned.duration_s),
                run(learned.duration_p50_s),
                run(learned.duration_p95_s),
            ],
        ),
        row(
            "cpu",
            [
                cores(average.cpu),
                cores(peak.cpu),
                cores(learned.average.cpu),
                none(),
                none(),
            ],
        ),
        row(
            "memory",
            [
                average.memory.to_string(),
                peak.memory.to_string(),
                learned.average.memory.to_string(),
                memory(learned.memory_p50),
                memory(learned.memory_p95),
            ],
        ),
        row(
            "network",
            [
                rate(average.network),
                rate(peak.network),
                rate(learned.average.network),
                none(),
                none(),
            ],
        ),
        row(
            "disk",
            [
                rate(average.disk),
                rate(peak.disk),
                rate(learned.average.disk),
                none(),
                none(),
            ],
        ),
    ]
}

/// Writes the run time of a job; 0 is unknown.
fn run(seconds: f64) -> String {
    match Duration::try_from_secs_f64(seconds) {
        Ok(known) if !known.is_zero() => length(known),
        Ok(_) | Err(_) => "-".to_owned(),
    }
}

/// Writes an amount of memory; 0 is unknown.
fn memory(bytes: f64) -> String {
    if bytes > 0.0 {
        return Bytes::clamped(bytes).to_string();
    }
    "-".to_owned()
}

fn rate(rate: BytesPerSecond) -> String {
    rolecast_common::words::rate(rate.get())
}

#[cfg(test)]
mod tests {
    use rolecast_common::unit::{Cores, Resources};
    use rolecast_common::wire::{LearnedProfile, ProfileView};

    use super::*;

    #[test]
    fn declared_is_shown_beside_learned() {
        let text = page(&category(), Palette::PLAIN);
        let expected = "\
category  ocr  declared in the dispatcher's config
roles     leader
nodes     1 node can run it, when there is room
jobs      3 in the queue, 2 waiting here, 1 running; the oldest since 1.5 s
ended     12 completed, 0 dead, 0 expired, 0 cancelled; 1 retry since the dispatcher started
expected  2.5/min
learned   from 40 jobs; 2 figures limited, because no machine can do that

ONE JOB     DECLARED   AT MOST   LEARNED  HALF WITHIN  95 % WITHIN
run, alone    1.00 s         -     12 ms        10 ms        30 ms
cpu             1.00      1.00      0.50            -            -
memory      64.0 MiB  64.0 MiB  32.0 MiB      4.0 MiB      8.0 MiB
network        0 B/s     0 B/s     0 B/s            -            -
disk           0 B/s     0 B/s     0 B/s            -            -
";
        assert_eq!(text, expected);
        let text = list(&[category()], Palette::PLAIN);
        assert!(
            text.contains("1.00 s    12 ms          1.00     0.50"),
            "{text}"
        );
        assert!(text.contains("40 jobs"), "{text}");
    }

    #[test]
    fn nothing_learned_is_shown_as_nothing() {
        let mut fresh = category();
        fresh.profile.learned = LearnedProfile::default();
        fresh.late = true;
        let text = page(&fresh, Palette::PLAIN);
        assert!(text.contains("from 0 jobs\n"), "{text}");
        assert!(
            text.contains("run, alone    1.00 s         -        -"),
            "{text}"
        );
        assert!(text.contains("they wait long"), "{text}");
    }

    fn category() -> CategoryStatus {
        let resources = |cpu, mib| Resources {
            cpu: Cores::clamped(cpu),
            memory: Bytes::from_mib(mib),
            ..Resources::default()
        };
        CategoryStatus {
            retried: 1,
            profile: ProfileView {
                average: resources(1.0, 64),
                peak: resources(1.0, 64),
                duration_s: 1.0,
                learned: LearnedProfile {
                    jobs: 40,
                    clamped: 2,
                    average: resources(0.5, 32),
                    duration_s: 0.012,
                    duration_p50_s: 0.01,
                    duration_p95_s: 0.03,
                    memory_p50: 4.0 * 1024.0 * 1024.0,
                    memory_p95: 8.0 * 1024.0 * 1024.0,
                },
            },
            ..crate::view::status::tests::category()
        }
    }
}
