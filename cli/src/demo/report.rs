//! The end of the demonstration: tables, the fate of the killed worker's jobs, the verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::{JobId, NodeId};
use rolecast_common::wire::Record;
use serde_json::{Value, json};

use super::fate::{Fate, Kill, fates};
use super::fleet::{FLEET, KINDS, LOADED_NODE, is_eligible};
use super::foresight::{Comparison, Toll};
use super::tally::{Lengths, Tally, quantile};
use crate::quantity::{counted, length};
use crate::style::{Palette, Tone};
use crate::table::{Align, Text, plain, table};

const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// All that the end of the demonstration is about.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) submitted: usize,
    pub(crate) tally: &'a Tally,
    pub(crate) records: &'a BTreeMap<JobId, Record>,
    pub(crate) kill: Option<&'a Kill>,
    pub(crate) comparison: Comparison,
    /// From the first submission to the last end.
    pub(crate) took: Duration,
}

impl Report<'_> {
    /// Writes it for people.
    pub(crate) fn text(&self, palette: Palette) -> String {
        let mut text = format!("\n{}\n\n", heading(palette, "Where the jobs ran"));
        text.push_str(&self.places(palette));
        text.push_str(&format!(
            "\n\n{}\n\n",
            heading(palette, "How long they took")
        ));
        text.push_str(&self.lengths(palette));
        let title = format!("What forecasts would change: {LOADED_NODE} has a load of its own");
        text.push_str(&format!("\n\n{}\n\n", heading(palette, &title)));
        text.push_str(&self.foresight(palette));
        if let Some(kill) = self.kill {
            text.push_str("\n\n");
            text.push_str(&self.killed(kill, palette));
        }
        text.push_str(&format!("\n\n{}\n", self.verdict(palette)));
        text
    }

    fn places(&self, palette: Palette) -> String {
        let mut columns = vec![("node", Align::Left), ("role", Align::Left)];
        columns.extend(KINDS.map(|kind| (kind.category, Align::Right)));
        columns.push(("all", Align::Right));
        let rows = FLEET.iter().map(|member| {
            let killed = self
                .kill
                .is_some_and(|kill| kill.node.as_str() == member.node);
            let mut role = member.role.to_owned();
            if killed {
                role.push_str(" (killed)");
            }
            let mut row = vec![(member.node.to_owned(), Tone::Strong), plain(role)];
            let counts = KINDS.map(|kind| self.count(kind.category, member.node));
            for (kind, count) in KINDS.iter().zip(counts) {
                row.push(place(count, is_eligible(kind.category, member.node)));
            }
            row.push(plain(counts.iter().sum::<u64>()));
            row
        });
        let mut rows: Vec<Vec<Text>> = rows.collect();
        let sum = |category: &str| -> u64 {
            let nodes = FLEET.iter();
            nodes.map(|member| self.count(category, member.node)).sum()
        };
        let sums = KINDS.map(|kind| sum(kind.category));
        let mut last = vec![("all".to_owned(), Tone::Strong), plain("")];
        last.extend(sums.map(plain));
        last.push(plain(sums.iter().sum::<u64>()));
        rows.push(last);
        table(palette, &columns, rows)
    }

    fn count(&self, category: &str, node: &str) -> u64 {
        let node = NodeId::new(node).expect("the fleet's names are node ids");
        let place = (category.to_owned(), node);
        self.tally.by_place.get(&place).copied().unwrap_or_default()
    }

    fn lengths(&self, palette: Palette) -> String {
        let columns = [
            ("category", Align::Left),
            ("does", Align::Left),
            ("roles, best first", Align::Left),
            ("wait p50", Align::Right),
            ("p90", Align::Right),
            ("p99", Align::Right),
            ("run p50", Align::Right),
            ("p90", Align::Right),
            ("p99", Align::Right),
        ];
        let rows = KINDS.iter().map(|kind| {
            let mut row = vec![
                (kind.category.to_owned(), Tone::Strong),
                plain(kind.does),
                plain(kind.roles.join(", ")),
            ];
            match self.tally.lengths.get(kind.category) {
                Some(Lengths { waits, runs }) => {
                    for histogram in [waits, runs] {
                        let value = |share| plain(length(quantile(histogram, share)));
                        row.extend(QUANTILES.map(value));
                    }
                }
                None => row.extend((0..6).map(|_| plain("-"))),
            }
            row
        });
        table(palette, &columns, rows.collect())
    }

    fn foresight(&self, palette: Palette) -> String {
        let columns = [
            ("placed by", Align::Left),
            ("jobs", Align::Right),
            ("sent to the node", Align::Right),
            ("into its load", Align::Right),
        ];
        let rows = self.ways().map(|(way, toll)| {
            vec![
                (way.to_owned(), Tone::Strong),
                plain(self.comparison.placed),
                plain(toll.sent),
                plain(toll.into_load),
            ]
        });
        table(palette, &columns, rows.to_vec())
    }

    fn ways(&self) -> [(&'static str, Toll); 2] {
        [
            ("last heartbeat (off)", self.comparison.last_heartbeat),
            ("forecast (on)", self.comparison.forecast),
        ]
    }

    fn killed(&self, kill: &Kill, palette: Palette) -> String {
        let fates = fates(kill, self.records);
        let count = u64::try_from(fates.len()).unwrap_or(u64::MAX);
        let title = format!(
            "Worker {} was killed with {} in hand",
            kill.node,
            counted(count, "job")
        );
        let mut lines = vec![heading(palette, &title), String::new()];
        for (job, fate) in fates {
            let fate = match fate {
                Fate::EndedBefore => "its outcome had arrived before".to_owned(),
                Fate::EndedElsewhere {
                    node,
                    attempt,
                    after,
                } => {
                    let after = length(after);
                    format!("ended on {node}, attempt {attempt}, {after} after the kill")
                }
                Fate::Lost => palette.paint(Tone::Bad, "lost"),
            };
            lines.push(format!("  {job:<14}  {fate}"));
        }
        lines.join("\n")
    }

    fn verdict(&self, palette: Palette) -> String {
        let Tally {
            completed,
            dead,
            expired,
            repeated,
            misplaced,
            ref lost,
            ..
        } = *self.tally;
        let tone = if self.tally.is_flawless() {
            Tone::Good
        } else {
            Tone::Bad
        };
        let submitted = counted(u64::try_from(self.submitted).unwrap_or(u64::MAX), "job");
        let line = format!(
            "{submitted} in {}: {completed} completed, {dead} dead, {expired} expired, lost = {}",
            length(self.took),
            lost.len()
        );
        let mut text = palette.paint(tone, &line);
        text.push_str(&format!(
            "\n{repeated} took more than one attempt; {misplaced} ran where their role \
             does not allow; every record was read back"
        ));
        for job in lost.iter().take(10) {
            text.push_str(&format!("\n  lost: {job}"));
        }
        text
    }

    /// Writes it for programs.
    pub(crate) fn json(&self) -> Value {
        let tally = self.tally;
        let places: Vec<Value> = tally
            .by_place
            .iter()
            .map(|((category, node), jobs)| {
                json!({ "category": category, "node": node, "jobs": jobs })
            })
            .collect();
        let lengths: BTreeMap<&String, Value> = tally
            .lengths
            .iter()
            .map(|(category, Lengths { waits, runs })| {
                let micros = |share: f64, histogram| quantile(histogram, share).as_micros();
                let waits = QUANTILES.map(|share| micros(share, waits));
                let runs = QUANTILES.map(|share| micros(share, runs));
                (category, json!({ "wait_us": waits, "run_us": runs }))
            })
            .collect();
        json!({
            "submitted": self.submitted,
            "completed": tally.completed,
            "dead": tally.dead,
            "expired": tally.expired,
            "lost": tally.lost,
            "repeated": tally.repeated,
            "misplaced": tally.misplaced,
            "took_ms": self.took.as_millis(),
            "places": places,
            "quantiles": QUANTILES,
            "lengths": lengths,
            "foresight": self.foresight_json(),
            "killed": self.kill.map(|kill| self.killed_json(kill)),
        })
    }

    fn foresight_json(&self) -> Value {
        let toll = |toll: Toll| json!({ "sent": toll.sent, "into_load": toll.into_load });
        json!({
            "node": LOADED_NODE,
            "placed": self.comparison.placed,
            "last_heartbeat": toll(self.comparison.last_heartbeat),
            "forecast": toll(self.comparison.forecast),
        })
    }

    fn killed_json(&self, kill: &Kill) -> Value {
        let jobs: Vec<Value> = fates(kill, self.records)
            .into_iter()
            .map(|(job, fate)| match fate {
                Fate::EndedBefore => json!({ "job": job, "fate": "ended before" }),
                Fate::EndedElsewhere {
                    node,
                    attempt,
                    after,
                } => json!({
                    "job": job,
                    "fate": "ended elsewhere",
                    "node": node,
                    "attempt": attempt,
                    "after_ms": after.as_millis(),
                }),
                Fate::Lost => json!({ "job": job, "fate": "lost" }),
            })
            .collect();
        json!({ "node": kill.node, "at_ms": kill.at, "jobs": jobs })
    }
}

fn heading(palette: Palette, text: &str) -> String {
    palette.paint(Tone::Strong, text)
}

/// Shows a count; where the role forbids the category, nothing is what should be there.
fn place(count: u64, is_eligible: bool) -> Text {
    match (count, is_eligible) {
        (0, false) => ("-".to_owned(), Tone::Faint),
        (count, false) => (count.to_string(), Tone::Bad),
        (count, true) => plain(count),
    }
}

#[cfg(test)]
mod tests {
    use rolecast_common::time::WallTime;

    use super::*;
    use crate::view::job::tests::completed;

    #[test]
    fn the_report_names_places_times_fates_and_the_verdict() {
        let job = JobId::new("hash-0004").unwrap();
        let record = Record {
            node: Some(NodeId::new("fir").unwrap()),
            category: "hash".to_owned(),
            ..completed()
        };
        let mut tally = Tally::default();
        tally.add(&job, Some(&record));
        let records = BTreeMap::from([(job.clone(), record)]);
        let kill = Kill {
            node: NodeId::new("ash").unwrap(),
            at: WallTime::from_millis(210),
            in_hand: vec![job],
        };
        let report = Report {
            submitted: 1,
            tally: &tally,
            records: &records,
            comparison: Comparison::default(),
            kill: Some(&kill),
            took: Duration::from_millis(1500),
        };
        let text = report.text(Palette::PLAIN);
        for part in [
            "ash   follower (killed)",
            "Worker ash was killed with 1 job in hand",
            "hash-0004       ended on fir, attempt 2, 1.00 s after the kill",
            "1 job in 1.50 s: 1 completed, 0 dead, 0 expired, lost = 0",
        ] {
            assert!(text.contains(part), "{part:?} not in {text}");
        }
        let json = report.json();
        assert_eq!(json["killed"]["jobs"][0]["after_ms"], 1000);
        assert_eq!(json["lost"], json!([]));
    }
}
