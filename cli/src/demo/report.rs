//! Final report of the demonstration: tables, fate of the killed worker's jobs, verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::id::{JobId, NodeId};
use rolecast_common::wire::Record;
use serde_json::{Value, json};

use super::comparison::{Comparison, Toll, quantile};
use super::fate::{Fate, Kill, fates};
use super::fleet::{FLEET, Load, TOOLS, is_eligible};
use super::plan::Way;
use super::tally::Tally;
use crate::quantity::{counted, length};
use crate::style::{Palette, Tone};
use crate::table::{Align, Text, plain, table};

const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// All data of the final report.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) submitted: usize,
    pub(crate) tally: &'a Tally,
    pub(crate) records: &'a BTreeMap<JobId, Record>,
    pub(crate) kill: Option<&'a Kill>,
    pub(crate) comparison: &'a Comparison,
    /// From the first submission to the last end.
    pub(crate) took: Duration,
}

impl Report<'_> {
    /// Returns the report for people.
    pub(crate) fn text(&self, palette: Palette) -> String {
        let title = "The same jobs beside the same load: round-robin and Rolecast";
        let mut text = format!("\n{}\n\n", heading(palette, title));
        text.push_str(&self.lengths(palette));
        text.push_str(&format!("\n\n{}", self.tolls()));
        text.push_str(&format!(
            "\n\n{}\n\n",
            heading(palette, "Where all jobs ran")
        ));
        text.push_str(&self.places(palette));
        if let Some(kill) = self.kill {
            text.push_str("\n\n");
            text.push_str(&self.killed(kill, palette));
        }
        text.push_str(&format!("\n\n{}\n", self.verdict(palette)));
        text
    }

    fn places(&self, palette: Palette) -> String {
        let mut columns = vec![("node", Align::Left), ("role", Align::Left)];
        columns.extend(TOOLS.map(|tool| (tool.category, Align::Right)));
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
            let counts = TOOLS.map(|tool| self.count(tool.category, member.node));
            for (tool, count) in TOOLS.iter().zip(counts) {
                row.push(place(count, is_eligible(tool.category, member.node)));
            }
            row.push(plain(counts.iter().sum::<u64>()));
            row
        });
        let mut rows: Vec<Vec<Text>> = rows.collect();
        let sum = |category: &str| -> u64 {
            let nodes = FLEET.iter();
            nodes.map(|member| self.count(category, member.node)).sum()
        };
        let sums = TOOLS.map(|tool| sum(tool.category));
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
        let mut columns = vec![("category", Align::Left), ("", Align::Left)];
        for way in Way::ALL {
            columns.push((way.as_str(), Align::Right));
            columns.extend([("p90", Align::Right), ("p99", Align::Right)]);
        }
        let mut rows = Vec::new();
        for tool in TOOLS {
            let of = |way| self.comparison.lengths.get(&(tool.category, way));
            let [Some(before), Some(after)] = Way::ALL.map(of) else {
                continue;
            };
            let titles = [
                tool.category.to_owned(),
                format!("  {}", tool.does),
                String::new(),
            ];
            let parts = before.parts().into_iter().zip(after.parts());
            for (title, ((name, before), (_, after))) in titles.into_iter().zip(parts) {
                let mut row = vec![(title, Tone::Strong), plain(name)];
                for histogram in [before, after] {
                    let value = |share| plain(length(quantile(histogram, share)));
                    row.extend(QUANTILES.map(value));
                }
                rows.push(row);
            }
        }
        table(palette, &columns, rows)
    }

    /// Returns how many of the compared jobs went to nodes with own work.
    fn tolls(&self) -> String {
        let loaded = |load| {
            let mut fleet = FLEET.iter();
            let member = fleet.find(|member| member.load == Some(load));
            member.map_or("no node", |member| member.node)
        };
        let tolls = Way::ALL.map(|way| {
            let Toll { jobs, loaded } = self.toll(way);
            format!("{loaded} of {jobs} by {}", way.as_str())
        });
        format!(
            "{} had a core busy with its own work all the time, {} half of it: jobs sent there, {}",
            loaded(Load::Constant),
            loaded(Load::Periodic),
            tolls.join(", "),
        )
    }

    fn toll(&self, way: Way) -> Toll {
        self.comparison.tolls.get(&way).copied().unwrap_or_default()
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

    /// Returns the report for programs.
    pub(crate) fn json(&self) -> Value {
        let tally = self.tally;
        let places: Vec<Value> = tally
            .by_place
            .iter()
            .map(|((category, node), jobs)| {
                json!({ "category": category, "node": node, "jobs": jobs })
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
            "comparison": Way::ALL.map(|way| self.way_json(way)),
            "killed": self.kill.map(|kill| self.killed_json(kill)),
        })
    }

    fn way_json(&self, way: Way) -> Value {
        let Toll { jobs, loaded } = self.toll(way);
        let mut categories = serde_json::Map::new();
        for tool in TOOLS {
            if let Some(lengths) = self.comparison.lengths.get(&(tool.category, way)) {
                let micros = |histogram| QUANTILES.map(|q| quantile(histogram, q).as_micros());
                let parts = lengths
                    .parts()
                    .map(|(name, part)| (format!("{name}_us"), micros(part)));
                let parts: BTreeMap<_, _> = parts.into_iter().collect();
                categories.insert(tool.category.to_owned(), json!(parts));
            }
        }
        json!({
            "placed_by": way.as_str(),
            "jobs": jobs,
            "on_loaded_nodes": loaded,
            "categories": categories,
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

/// Formats a count; where the role forbids the category, it should be zero.
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
            comparison: &Comparison::default(),
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
