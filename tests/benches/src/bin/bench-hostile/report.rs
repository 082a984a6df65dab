//! Results as a table for people and one JSON object for programs.

use rolecast_tests::figures::{align, rounded, table};
use serde_json::json;

use super::load::Times;

pub(crate) struct Row {
    pub(crate) attack: &'static str,
    pub(crate) jobs: u64,
    pub(crate) jobs_lost: u64,
    pub(crate) forged_records: u64,
    pub(crate) foreign_acks: u64,
    pub(crate) exits: u64,
    pub(crate) idle: Times,
    /// The first seconds of the attack, and the time after.
    pub(crate) settling: Times,
    pub(crate) attacked: Times,
    pub(crate) rss_mib: f64,
}

impl Row {
    fn p99_ratio(&self) -> f64 {
        self.attacked.p99_ms / self.idle.p99_ms
    }

    pub(crate) fn line(&self) -> String {
        format!(
            "{:<18} {:>6} jobs, {} lost, {} forged, {} foreign, p99 {:.1} -> {:.1} ms \
             (first seconds {:.1}), {:.0} MiB",
            self.attack,
            self.jobs,
            self.jobs_lost,
            self.forged_records,
            self.foreign_acks,
            self.idle.p99_ms,
            self.attacked.p99_ms,
            self.settling.p99_ms,
            self.rss_mib
        )
    }
}

pub(crate) fn print(rows: &[Row]) -> anyhow::Result<()> {
    let mut shown = table(&[
        "attack",
        "jobs",
        "lost",
        "forged",
        "foreign",
        "exits",
        "idle p50",
        "p99 ms",
        "attacked p50",
        "p99 ms",
        "ratio",
        "first 5 s",
        "RSS MiB",
    ]);
    for row in rows {
        shown.add_row([
            row.attack.to_owned(),
            row.jobs.to_string(),
            row.jobs_lost.to_string(),
            row.forged_records.to_string(),
            row.foreign_acks.to_string(),
            row.exits.to_string(),
            format!("{:.2}", row.idle.p50_ms),
            format!("{:.2}", row.idle.p99_ms),
            format!("{:.2}", row.attacked.p50_ms),
            format!("{:.2}", row.attacked.p99_ms),
            format!("{:.2}", row.p99_ratio()),
            format!("{:.2}", row.settling.p99_ms),
            format!("{:.0}", row.rss_mib),
        ]);
    }
    println!("{}", align(shown));
    let worst = rows.iter().map(Row::p99_ratio).fold(0.0, f64::max);
    let told: Vec<serde_json::Value> = rows
        .iter()
        .map(|row| {
            json!({
                "attack": row.attack,
                "jobs_lost": row.jobs_lost,
                "forged_records": row.forged_records,
                "foreign_acks": row.foreign_acks,
                "exits": row.exits,
                "p99_vs_idle": rounded(row.p99_ratio()),
                "first_p99_ms": rounded(row.settling.p99_ms),
                "open": row.attacked.open,
                "rss_mib": rounded(row.rss_mib),
            })
        })
        .collect();
    println!(
        "{}",
        json!({"rows": told, "worst_p99_vs_idle": rounded(worst)})
    );
    let is_harmed = |row: &Row| row.jobs_lost + row.forged_records + row.foreign_acks + row.exits;
    anyhow::ensure!(
        rows.iter().map(is_harmed).sum::<u64>() == 0,
        "somebody else was harmed"
    );
    Ok(())
}
