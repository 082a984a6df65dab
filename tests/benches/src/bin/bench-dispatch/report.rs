//! Results as a table for people and a line for programs.

use comfy_table::Table;
use rolecast_tests::figures::{align, median, rounded, table};
use serde_json::json;

use super::contender::Contender;
use super::run::{Latency, Throughput};

/// All runs, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) throughput: Vec<(Contender, usize, Throughput)>,
    pub(crate) latency: Vec<(Contender, Latency)>,
}

impl Report {
    pub(crate) fn print(&self, rate: u64) -> anyhow::Result<()> {
        println!("{}", self.throughput_table());
        println!("{}", self.latency_table(rate));
        let ratios = |contender| {
            json!({
                "128": rounded(self.throughput_ratio(contender, 128)),
                "1024": rounded(self.throughput_ratio(contender, 1024)),
            })
        };
        let figures = json!({
            "throughput_ratio": ratios(Contender::Rolecast),
            "throughput_ratio_recorded": ratios(Contender::Recorded),
            "throughput_ratio_seen_to_recorded": {
                "128": rounded(self.throughput_ratio_of(Contender::Seen, Contender::Recorded, 128)),
                "1024": rounded(self.throughput_ratio_of(Contender::Seen, Contender::Recorded, 1024)),
            },
            "p50_ratio_2000": rounded(self.latency_ratio(Contender::Rolecast, |l| l.p50_us)),
            "p99_ratio_2000": rounded(self.latency_ratio(Contender::Rolecast, |l| l.p99_us)),
        });
        println!("{}", serde_json::to_string(&figures)?);
        Ok(())
    }

    fn throughput_table(&self) -> Table {
        let mut table = table(&[
            "contender",
            "bytes",
            "jobs/s",
            "ratio",
            "server us",
            "dispatcher us",
            "workers us",
        ]);
        for payload_len in [128, 1024] {
            for contender in Contender::ALL {
                let of = |figure: fn(&Throughput) -> f64| {
                    median(self.runs(contender, payload_len).map(|run| figure(&run)))
                };
                table.add_row([
                    contender.to_string(),
                    payload_len.to_string(),
                    format!("{:.0}", of(|run| run.jobs_per_second)),
                    format!("{:.2}", self.throughput_ratio(contender, payload_len)),
                    format!("{:.1}", of(|run| run.server_us)),
                    format!("{:.2}", of(|run| run.dispatcher_us)),
                    format!("{:.2}", of(|run| run.workers_us)),
                ]);
            }
        }
        align(table)
    }

    fn latency_table(&self, rate: u64) -> Table {
        let title = format!("at {rate}/s");
        let mut table = table(&[
            title.as_str(),
            "p50 us",
            "ratio",
            "p99 us",
            "ratio",
            "server us",
            "dispatcher us",
            "workers us",
        ]);
        for contender in Contender::ALL {
            let of = |figure: fn(&Latency) -> f64| {
                median(self.delays(contender).map(|run| figure(&run)))
            };
            table.add_row([
                contender.to_string(),
                format!("{:.0}", of(|run| as_f64(run.p50_us))),
                format!("{:.2}", self.latency_ratio(contender, |run| run.p50_us)),
                format!("{:.0}", of(|run| as_f64(run.p99_us))),
                format!("{:.2}", self.latency_ratio(contender, |run| run.p99_us)),
                format!("{:.1}", of(|run| run.server_us)),
                format!("{:.1}", of(|run| run.dispatcher_us)),
                format!("{:.1}", of(|run| run.workers_us)),
            ]);
        }
        align(table)
    }

    fn runs(&self, of: Contender, len: usize) -> impl Iterator<Item = Throughput> + '_ {
        let runs = self.throughput.iter();
        runs.filter(move |(contender, payload_len, _)| *contender == of && *payload_len == len)
            .map(|(_, _, run)| *run)
    }

    fn delays(&self, of: Contender) -> impl Iterator<Item = Latency> + '_ {
        let runs = self.latency.iter();
        runs.filter(move |(contender, _)| *contender == of)
            .map(|(_, run)| *run)
    }

    fn throughput_ratio(&self, of: Contender, len: usize) -> f64 {
        self.throughput_ratio_of(of, Contender::Direct, len)
    }

    fn throughput_ratio_of(&self, of: Contender, to: Contender, len: usize) -> f64 {
        let pairs = self.runs(of, len).zip(self.runs(to, len));
        median(pairs.map(|(run, other)| run.jobs_per_second / other.jobs_per_second))
    }

    fn latency_ratio(&self, of: Contender, figure: fn(&Latency) -> u64) -> f64 {
        let pairs = self.delays(of).zip(self.delays(Contender::Direct));
        median(pairs.map(|(run, direct)| as_f64(figure(&run)) / as_f64(figure(&direct))))
    }
}

#[allow(clippy::cast_precision_loss, reason = "figures are far below 2^52")]
fn as_f64(figure: u64) -> f64 {
    figure as f64
}
