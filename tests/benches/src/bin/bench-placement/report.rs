//! Results as a table for people and a line for programs.

use comfy_table::Table;
use rolecast_tests::figures::{align, median, rounded, table};
use serde_json::{Map, Value, json};

use super::fleet::{Allocated, Cost};

/// All measurements on fleets of one size, in nanoseconds, round by round.
#[derive(Debug)]
pub(crate) struct Size {
    nodes: u32,
    pub(crate) board_even: Vec<f64>,
    pub(crate) board_arriving: Vec<f64>,
    pub(crate) board_update: Vec<f64>,
    /// With forecasts.
    pub(crate) ahead: Vec<Cost>,
    /// Without them.
    pub(crate) present: Vec<Cost>,
    pub(crate) allocated: Allocated,
}

impl Size {
    pub(crate) fn new(nodes: u32) -> Self {
        Self {
            nodes,
            board_even: Vec::new(),
            board_arriving: Vec::new(),
            board_update: Vec::new(),
            ahead: Vec::new(),
            present: Vec::new(),
            allocated: Allocated::default(),
        }
    }

    /// Returns its figures, each with its name, round by round.
    fn figures(&self) -> [(&'static str, Vec<f64>); 7] {
        let of = |costs: &[Cost], figure: fn(&Cost) -> f64| costs.iter().map(figure).collect();
        [
            (
                "board: decision, categories in equal parts",
                self.board_even.clone(),
            ),
            (
                "board: decision, categories as they arrive",
                self.board_arriving.clone(),
            ),
            ("board: new figures of a node", self.board_update.clone()),
            ("fleet: decision", of(&self.ahead, |cost| cost.decision)),
            (
                "fleet: decision, no forecasts",
                of(&self.present, |cost| cost.decision),
            ),
            ("fleet: heartbeat", of(&self.ahead, |cost| cost.heartbeat)),
            (
                "fleet: heartbeat, no forecasts",
                of(&self.present, |cost| cost.heartbeat),
            ),
        ]
    }
}

/// Fleets of all sizes.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) sizes: Vec<Size>,
}

impl Report {
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        println!("{}\n", self.table());
        println!("median of the rounds (the least); a decision of the board allocates nothing,");
        println!("of the fleet this much:");
        println!("{}\n", self.allocation_table());
        let most = |figure: fn(&Allocated) -> f64| {
            let figures = self.sizes.iter().map(|size| figure(&size.allocated));
            rounded(figures.fold(0.0, f64::max))
        };
        let figures = json!({
            "ns_per_decision": self.by_size(3),
            "ns_per_decision_of_board": self.by_size(0),
            "ns_per_heartbeat": self.by_size(5),
            "ns_per_heartbeat_without_forecasts": self.by_size(6),
            "allocations_per_decision": most(|allocated| allocated.steps.iter().sum()),
            "allocated_bytes_per_decision": most(|allocated| allocated.bytes),
        });
        println!("{}", serde_json::to_string(&figures)?);
        Ok(())
    }

    fn table(&self) -> Table {
        let nodes = self
            .sizes
            .iter()
            .map(|size| format!("{} nodes", size.nodes));
        let header: Vec<String> = std::iter::once("ns".to_owned()).chain(nodes).collect();
        let mut table = table(&header.iter().map(String::as_str).collect::<Vec<_>>());
        let all: Vec<_> = self.sizes.iter().map(Size::figures).collect();
        let count = all.first().map_or(0, |figures| figures.len());
        for row in 0..count {
            let cells = all.iter().map(|figures| {
                let rounds = &figures[row].1;
                let least = rounds.iter().copied().fold(f64::INFINITY, f64::min);
                format!("{:.0} ({least:.0})", median(rounds.iter().copied()))
            });
            table.add_row(std::iter::once(all[0][row].0.to_owned()).chain(cells));
        }
        align(table)
    }

    fn allocation_table(&self) -> Table {
        let mut table = table(&["nodes", "choose", "send", "complete", "bytes"]);
        for size in &self.sizes {
            let steps = size
                .allocated
                .steps
                .iter()
                .map(|times| format!("{times:.3}"));
            let bytes = format!("{:.1}", size.allocated.bytes);
            table.add_row(
                std::iter::once(size.nodes.to_string())
                    .chain(steps)
                    .chain([bytes]),
            );
        }
        align(table)
    }

    fn by_size(&self, figure: usize) -> Value {
        let figures = self.sizes.iter().map(|size| {
            let (_, rounds) = &size.figures()[figure];
            let median = rounded(median(rounds.iter().copied()));
            (size.nodes.to_string(), json!(median))
        });
        Value::Object(figures.collect::<Map<_, _>>())
    }
}
