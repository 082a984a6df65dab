//! Results as tables for people and a line for programs.

use std::time::Duration;

use comfy_table::Table;
use rolecast_forecast::Model;
use rolecast_tests::figures::{align, rounded, table};
use serde_json::json;

use super::{fleet, series};

/// The reason why the models have the same cost.
const MODELS_NOTE: &str = "\
whichever model forecasts, all experts run: each is scored, and the vote is ready";

/// All measurements.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) fleet: fleet::Cost,
    pub(crate) memory: series::Memory,
    pub(crate) models: Vec<series::Cost>,
}

impl Report {
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        println!("{}", self.models_table());
        println!("{MODELS_NOTE}\n");
        println!("{}\n", self.memory_text());
        println!("{}\n", self.fleet_table());
        let us_per_sample = self.us_per_sample(Model::default());
        let figures = json!({
            "us_per_sample": rounded(us_per_sample),
            "bytes_per_series": self.memory.size + self.memory.heap,
            "fleet": {
                "nodes": self.fleet.nodes,
                "cores": rounded(self.cores(self.fleet.spent.total())),
                "rss_mib": self.fleet.resident_mib.round(),
            },
        });
        println!("{}", serde_json::to_string(&figures)?);
        Ok(())
    }

    fn models_table(&self) -> Table {
        let header = [
            "model",
            "update us",
            "read us",
            "sample us",
            "least",
            "most",
            "to naive",
        ];
        let mut table = table(&header);
        let naive = self.us_per_sample(Model::Naive);
        for cost in &self.models {
            let both = cost.update_us + cost.read_us;
            table.add_row([
                cost.model.name().to_owned(),
                format!("{:.2}", cost.update_us),
                format!("{:.2}", cost.read_us),
                format!("{both:.2}"),
                format!("{:.2}", cost.least_us),
                format!("{:.2}", cost.most_us),
                format!("{:.2}", both / naive),
            ]);
        }
        align(table)
    }

    fn memory_text(&self) -> String {
        let memory = self.memory;
        format!(
            "a series takes {} bytes and {} on the heap; {} samples allocated nothing",
            memory.size, memory.heap, memory.samples,
        )
    }

    fn fleet_table(&self) -> Table {
        let (fleet, spent) = (&self.fleet, &self.fleet.spent);
        let title = format!(
            "{} nodes, {} s after {} s",
            fleet.nodes, fleet.seconds, fleet.warm_up
        );
        let mut table = table(&[title.as_str(), "cores", "share", "us a heartbeat"]);
        let total = spent.total();
        #[allow(clippy::cast_precision_loss, reason = "figures are far below 2^52")]
        let count = spent.heartbeats as f64;
        let mut row = |name: String, time: Duration| {
            table.add_row([
                name,
                format!("{:.4}", self.cores(time)),
                format!("{:.0} %", 100.0 * time.as_secs_f64() / total.as_secs_f64()),
                format!("{:.2}", time.as_secs_f64() * 1e6 / count),
            ]);
        };
        let len = fleet.heartbeat_len;
        row(format!("decoding {len} bytes"), spent.decoding);
        row("forecasts and figures".to_owned(), spent.handling);
        row("sweeps and capacity map".to_owned(), spent.turns);
        row("all".to_owned(), total);
        table.add_row([
            "busiest second".to_owned(),
            format!("{:.4}", fleet.peak.as_secs_f64()),
        ]);
        table.add_row([
            "bytes allocated a heartbeat".to_owned(),
            format!("{}", spent.allocated / spent.heartbeats.max(1)),
        ]);
        table.add_row([
            "resident MiB".to_owned(),
            format!("{:.0}", fleet.resident_mib),
        ]);
        align(table)
    }

    fn us_per_sample(&self, model: Model) -> f64 {
        let cost = self.models.iter().find(|cost| cost.model == model);
        cost.map_or(f64::NAN, |cost| cost.update_us + cost.read_us)
    }

    /// Returns the number of cores that would be busy in the simulated time.
    fn cores(&self, time: Duration) -> f64 {
        time.as_secs_f64() / f64::from(self.fleet.seconds)
    }
}
