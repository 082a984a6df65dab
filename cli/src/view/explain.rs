//! Decision as text: its result, the candidate nodes, and the reasons.

use std::time::Duration;

use rolecast_common::resource::ByResource;
use rolecast_common::unit::Bytes;
use rolecast_common::wire::{Decision, DecisionNode, Status};
use rolecast_common::words::{Emphasis, amounts, sentence};
use rolecast_dispatcher::placement::{decision::replay, resources};
use rolecast_forecast::{BUCKET_EDGES_S, BUCKETS};

use super::job::Block;
use crate::quantity::{counted, length};
use crate::style::{Palette, Tone, one_line};
use crate::table::{Align, Text, plain, table};

/// The least share of its stay in a bucket that matters for the job.
const STAY_SHARE_MIN: f32 = 0.005;

/// The characters of a list of labels that are shown.
const LABELS_CHARS_MAX: usize = 100;

/// Shows a decision.
pub(crate) fn page(decision: &Decision, palette: Palette) -> String {
    let mut block = Block::new(palette);
    block.text = format!("{}\n\n", verdict(decision, palette));
    if !decision.best.is_empty() {
        block.text.push_str(&nodes(decision, palette));
        block.text.push_str("\n\n");
    }
    for (name, text) in facts(decision, palette) {
        block.line(name, &text);
    }
    block.text
}

/// Returns what the decision was made from, each with its name.
pub(crate) fn facts(decision: &Decision, palette: Palette) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if decision.failed + decision.lost > 0 {
        let failed = counted(u64::from(decision.failed), "attempt");
        let lost = counted(u64::from(decision.lost), "attempt");
        facts.push((
            "before",
            format!("{failed} failed, {lost} lost with a node"),
        ));
    }
    facts.extend([
        ("refused", refusals(decision)),
        ("needs", needs(decision)),
        ("stay", stay(decision)),
        ("weights", weights(decision)),
        ("again", again(decision, palette)),
    ]);
    facts
}

/// Returns a note on what a decision about no job in particular does not cover: the
/// labels that waiting jobs of the category require.
pub(crate) fn other_requirements(decision: &Decision, status: &Status) -> Option<String> {
    let mut categories = status.categories.iter();
    let category = categories.find(|found| found.category == decision.category)?;
    let others = category.required.iter();
    let others = others.filter(|(labels, _)| **labels != decision.require);
    let others: Vec<String> = others
        .map(|(labels, jobs)| {
            let jobs = counted(u64::from(*jobs), "waiting job");
            format!(
                "{jobs} with --require {}",
                one_line(labels, LABELS_CHARS_MAX)
            )
        })
        .collect();
    let assumed = match decision.require.as_str() {
        "" => "a job that requires no labels".to_owned(),
        labels => format!("one that requires {labels}"),
    };
    (!others.is_empty()).then(|| {
        let others = others.join(", ");
        format!("note: this is about {assumed}; others go elsewhere or nowhere: {others}")
    })
}

/// Returns in one sentence the decision, and its time.
pub(crate) fn verdict(decision: &Decision, palette: Palette) -> String {
    sentence(decision, replay(decision), |part, text| match part {
        Emphasis::Node => palette.paint(Tone::Good, text),
        Emphasis::Wait => palette.paint(Tone::Warning, text),
    })
}

fn nodes(decision: &Decision, palette: Palette) -> String {
    let buckets: Vec<usize> = if decision.is_forecast {
        stays(decision).map(|(bucket, _)| bucket).collect()
    } else {
        Vec::new()
    };
    let mut columns: Vec<(String, Align)> = vec![("node".to_owned(), Align::Left)];
    let right = ["cost", "slow-down", "role", "cpu now"].map(str::to_owned);
    let ahead = buckets.iter().map(|bucket| span(*bucket));
    let last = ["reserved", "speed", "feedback", "round trip", "heartbeat"].map(str::to_owned);
    let names = right.into_iter().chain(ahead).chain(last);
    columns.extend(names.map(|name| (name, Align::Right)));
    let columns: Vec<(&str, Align)> = columns
        .iter()
        .map(|(name, align)| (name.as_str(), *align))
        .collect();
    let rows = decision
        .best
        .iter()
        .map(|found| row(found, decision.node.as_ref() == Some(&found.node), &buckets))
        .collect();
    table(palette, &columns, rows)
}

fn row(found: &DecisionNode, is_chosen: bool, buckets: &[usize]) -> Vec<Text> {
    let name = if is_chosen {
        (format!("{} *", found.node), Tone::Strong)
    } else {
        plain(&found.node)
    };
    let trip = match found.round_trip_s {
        0.0 => "-".to_owned(),
        seconds => length(lasting(seconds)),
    };
    let age = Duration::from_millis(found.heartbeat_age_ms);
    let mut cells = vec![
        name,
        plain(format!("{:.2}", found.cost)),
        plain(format!("{:.2}", found.slow_down)),
        plain(u32::from(found.role_rank) + 1),
        plain(format!("{:.2}/{:.2}", found.present[0], found.capacity[0])),
    ];
    let ahead = buckets.iter().map(|bucket| found.ahead[*bucket][0]);
    cells.extend(ahead.map(|cores| plain(format!("{cores:.2}"))));
    cells.extend([
        plain(format!("{:.2}", found.reserved[0])),
        plain(format!("{:.2}", found.speed)),
        plain(format!("{:.2}", found.feedback)),
        plain(trip),
        plain(format!("{} ago", length(age))),
    ]);
    cells
}

fn refusals(decision: &Decision) -> String {
    if decision.refusals.is_empty() {
        return "none".to_owned();
    }
    let mut parts: Vec<(&String, &u32)> = decision.refusals.iter().collect();
    parts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(why, count)| format!("{count} {why}"))
        .collect();
    parts.join(", ")
}

fn needs(decision: &Decision) -> String {
    let needs = &decision.needs;
    let mut text = amounts(&resources(ByResource::new(needs.average)));
    let peak = resources(ByResource::new([0.0, needs.memory_peak, 0.0, 0.0])).memory;
    if peak > Bytes::ZERO {
        text.push_str(&format!(", and {peak} at its peak"));
    }
    let alone = length(lasting(needs.duration_s));
    text.push_str(&format!("; {alone} alone on a core of speed 1"));
    text
}

fn stay(decision: &Decision) -> String {
    let parts: Vec<String> = stays(decision)
        .map(|(bucket, share)| format!("{:.0} % in {}", 100.0 * share, span(bucket)))
        .collect();
    parts.join(", ")
}

fn weights(decision: &Decision) -> String {
    let needs = &decision.needs;
    format!(
        "role {}, latency {}, others {}; others come first on a CPU: {:.0} %",
        needs.weight_role,
        needs.weight_latency,
        needs.weight_others,
        100.0 * decision.priority_share,
    )
}

/// Repeats the choice from the record, and returns whether it differs.
fn again(decision: &Decision, palette: Palette) -> String {
    let chosen = replay(decision);
    if chosen == decision.node.as_ref() {
        return "these figures lead to the same choice".to_owned();
    }
    let chosen = chosen.map_or("no node", |node| node.as_str());
    let text = format!(
        "by these figures alone it would be {chosen}: this program is not of the \
         dispatcher's version"
    );
    palette.paint(Tone::Warning, &text)
}

/// Returns the buckets of time ahead that matter for the job, with its share in each.
fn stays(decision: &Decision) -> impl Iterator<Item = (usize, f32)> {
    let shares = decision.needs.stay.iter().copied().enumerate();
    shares.filter(|(_, share)| *share >= STAY_SHARE_MIN)
}

/// Names a bucket of time ahead, such as `0.5-2s`.
fn span(bucket: usize) -> String {
    let start = BUCKET_EDGES_S[bucket];
    if bucket + 1 == BUCKETS {
        return format!("{start}s on");
    }
    format!("{start}-{}s", BUCKET_EDGES_S[bucket + 1])
}

/// Converts a recorded length; an invalid one is zero.
fn lasting(seconds: f32) -> Duration {
    Duration::try_from_secs_f32(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rolecast_common::id::{Category, Epoch, JobId, NodeId};
    use rolecast_common::time::WallTime;
    use rolecast_common::wire::{DecisionNeeds, VERSION, Verdict};

    use super::*;

    #[test]
    fn a_decision_is_reported_with_its_figures() {
        let text = page(&decision(), Palette::PLAIN);
        let expected = "\
job j1 of ocr that requires zone=eu was sent to oak, the cheapest of 2 that could take it; \
5 nodes known (1970-01-01T00:00:09.000Z, after 120 ms)

NODE   COST  SLOW-DOWN  ROLE    CPU NOW  0-0.5S  0.5-2S  RESERVED  SPEED  FEEDBACK  ROUND TRIP   HEARTBEAT
oak *  1.20       1.10     1  0.50/4.00    0.50    0.75      1.00   1.00      1.00     0.25 ms  300 ms ago
elm    1.30       1.10     1  2.50/4.00    2.50    2.75      1.00   1.00      1.00           -  300 ms ago

refused   2 without the labels, 1 full
needs     1.00 cores, 64.0 MiB, and 8.0 MiB at its peak; 500 ms alone on a core of speed 1
stay      60 % in 0-0.5s, 40 % in 0.5-2s
weights   role 0.25, latency 1, others 1; others come first on a CPU: 50 %
again     these figures lead to the same choice
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_choice_that_its_figures_do_not_lead_to_is_reported() {
        let mut odd = decision();
        odd.node = Some(NodeId::new("elm").unwrap());
        let text = page(&odd, Palette::PLAIN);
        assert!(text.contains("alone it would be oak: "), "{text}");
        assert!(!text.contains("the cheapest"), "{text}");
    }

    #[test]
    fn a_job_that_must_wait_shows_for_what() {
        let mut held = decision();
        held.verdict = Verdict::Held;
        held.job = None;
        let text = page(&held, Palette::PLAIN);
        let part = "a job of ocr that requires zone=eu would wait: even oak, the best of 2 that \
                    could take it, would slow it down 1.1 times";
        assert!(text.starts_with(part), "{text}");
        let nowhere = Decision {
            verdict: Verdict::Nowhere,
            node: None,
            best: Vec::new(),
            ..decision()
        };
        let text = page(&nowhere, Palette::PLAIN);
        assert!(
            text.contains("had to wait: none of 5 nodes known"),
            "{text}"
        );
        assert!(text.contains("lead to the same choice"), "{text}");
    }

    #[test]
    fn what_waiting_jobs_require_is_reported_beside_a_job_that_requires_nothing() {
        let json = serde_json::json!({"v": 1, "dispatcher": "main", "epoch": 1, "at_ms": 5,
            "nodes": [], "counters": {}, "categories": [{"category": "ocr", "declared": true,
            "roles": [], "backlog": 1, "waiting": 1, "running": 0, "nodes_eligible": 1,
            "oldest_ms": null, "completed": 0, "retried": 0, "dead": 0, "expired": 0,
            "required": {"gpu=a100": 1, "zone=eu": 2}}]});
        let status: Status = serde_json::from_value(json).unwrap();
        let mut imagined = decision();
        let expected = "note: this is about one that requires zone=eu; others go elsewhere or \
                        nowhere: 1 waiting job with --require gpu=a100";
        assert_eq!(
            other_requirements(&imagined, &status).as_deref(),
            Some(expected)
        );
        imagined.require.clear();
        let text = other_requirements(&imagined, &status).unwrap();
        assert!(
            text.contains("requires no labels; others go elsewhere or nowhere: 1 waiting job with"),
            "{text}"
        );
        assert!(
            text.contains("2 waiting jobs with --require zone=eu"),
            "{text}"
        );
        imagined.category = Category::new("other").unwrap();
        assert_eq!(other_requirements(&imagined, &status), None);
    }

    fn decision() -> Decision {
        let node = |name: &str, cost, cpu: f32, round_trip_s| DecisionNode {
            node: NodeId::new(name).unwrap(),
            cost,
            slow_down: 1.1,
            chance: 7,
            role_rank: 0,
            heartbeat_age_ms: 300,
            capacity: [4.0, 8e9, 0.0, 0.0],
            present: [cpu, 0.0, 0.0, 0.0],
            ahead: [0.0, 0.25, 0.0, 0.0, 0.0, 0.0].map(|more| [cpu + more, 0.0, 0.0, 0.0]),
            reserved: [1.0, 0.0, 0.0, 0.0],
            speed: 1.0,
            feedback: 1.0,
            round_trip_s,
        };
        let mib = 1024.0 * 1024.0;
        Decision {
            v: VERSION,
            job: Some(JobId::new("j1").unwrap()),
            category: Category::new("ocr").unwrap(),
            at_ms: WallTime::from_millis(9000),
            epoch: Epoch::new(3),
            waited_ms: 120,
            failed: 0,
            lost: 0,
            is_alone: false,
            require: "zone=eu".to_owned(),
            key: None,
            is_forecast: true,
            priority_share: 0.5,
            needs: DecisionNeeds {
                average: [1.0, 64.0 * mib, 0.0, 0.0],
                memory_peak: 8.0 * mib,
                duration_s: 0.5,
                stay: [0.6, 0.4, 0.0, 0.0, 0.0, 0.0],
                weight_role: 0.25,
                weight_latency: 1.0,
                weight_others: 1.0,
            },
            verdict: Verdict::Sent,
            node: Some(NodeId::new("oak").unwrap()),
            is_claimed: false,
            considered: 5,
            refusals: BTreeMap::from([
                ("full".to_owned(), 1),
                ("without the labels".to_owned(), 2),
            ]),
            best: vec![node("oak", 1.2, 0.5, 0.00025), node("elm", 1.3, 2.5, 0.0)],
        }
    }
}
