//! Measures of the code's shape: a table for people, and one JSON line last.

#![allow(clippy::print_stdout, reason = "it is its output")]

use clap::Parser;
use rolecast_tests::process::repository;
use rolecast_tests::tidy::measures::{Measure, measure};
use serde_json::{Map, Value, json};

/// Measure the code, and list the places that are counted
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// How many places of each measure to list
    #[arg(long, default_value_t = 10)]
    list: usize,
}

fn main() {
    let arguments = Arguments::parse();
    let measured = measure(repository());
    for measure in &measured.measures {
        print_places(measure, arguments.list);
    }
    println!("{:40} {:>7} {:>7}", "measure", "count", "limit");
    for Measure {
        name, count, limit, ..
    } in &measured.measures
    {
        println!("{name:40} {count:>7} {limit:>7}");
    }
    for (package, lines) in &measured.own_lines {
        println!("{:40} {lines:>7}", format!("own lines of {package}"));
    }
    let counts = measured.measures.iter();
    let counts = counts.map(|measure| (measure.name.clone(), json!(measure.count)));
    let counts: Map<String, Value> = counts.collect();
    println!(
        "{}",
        json!({"measures": counts, "own_lines": measured.own_lines})
    );
}

fn print_places(measure: &Measure, places_max: usize) {
    if measure.findings.is_empty() {
        return;
    }
    println!("{}:", measure.name);
    for finding in measure.findings.iter().take(places_max) {
        println!("{:6} {}", finding.size, finding.text);
    }
    let rest = measure.findings.len().saturating_sub(places_max);
    if rest > 0 {
        println!("       and {rest} more");
    }
    println!();
}
