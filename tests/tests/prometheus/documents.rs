//! Checks of the rules and the dashboard against the documents and the programs.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use rolecast_tests::process::{program, repository};

use crate::scraper::{has_tool, promtool};

/// The number of alerts: few enough that each is worth waking somebody or reading in the
/// morning.
const ALERTS: usize = 12;

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the names of metrics in a text, without the endings of a histogram's series.
fn metrics(text: &str) -> BTreeSet<String> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let words = text.split(|character| !is_name(character));
    let names = words.filter(|word| word.starts_with("rolecast_") || word.starts_with("process_"));
    names
        .map(|name| {
            let series = ["_bucket", "_sum", "_count"];
            let stem = series.iter().find_map(|end| name.strip_suffix(end));
            stem.unwrap_or(name).to_owned()
        })
        .collect()
}

/// An alert of the rules, with its lines.
struct Alert {
    name: String,
    lines: Vec<String>,
}

impl Alert {
    fn line(&self, key: &str) -> &str {
        let start = format!("{key}: ");
        let found = self.lines.iter().find_map(|line| line.strip_prefix(&start));
        found.unwrap_or_else(|| panic!("{} has no {key}", self.name))
    }

    fn severity(&self) -> &str {
        let labels = self.line("labels");
        labels
            .trim_start_matches("{ severity: ")
            .trim_end_matches(" }")
    }
}

fn alerts() -> Vec<Alert> {
    let rules = read("compose/prometheus/rules.yml");
    let parts = rules.split("      - alert: ").skip(1);
    let alerts = parts.map(|part| {
        let mut lines = part.lines().map(|line| line.trim().to_owned());
        Alert {
            name: lines.next().expect("an alert has a name"),
            lines: lines.collect(),
        }
    });
    alerts.collect()
}

#[test]
fn every_alert_is_complete_and_listed_for_operators() {
    let alerts = alerts();
    assert_eq!(alerts.len(), ALERTS);
    let operations = read("docs/operations.md");
    for alert in &alerts {
        assert!(alert.line("summary").len() > 10, "{}", alert.name);
        assert!(
            alert.line("description").contains("{{ $value"),
            "{}",
            alert.name
        );
        assert!(
            ["critical", "warning"].contains(&alert.severity()),
            "{}",
            alert.name
        );
        let start = format!(
            "| `{}` | {} | {} |",
            alert.name,
            alert.severity(),
            alert.line("for")
        );
        assert!(
            operations.contains(&start),
            "docs/operations.md has no row {start}"
        );
    }
    let listed = operations.matches("| `Rolecast").count();
    assert_eq!(listed, ALERTS, "docs/operations.md lists another alert");
}

#[test]
fn every_alert_is_made_to_fire_in_the_tests_of_the_rules() {
    let tests = read("compose/prometheus/rules.test.yml");
    for alert in alerts() {
        let fires = format!("alertname: {}\n        exp_alerts:", alert.name);
        assert!(
            tests.contains(&fires),
            "{} does not fire in a test",
            alert.name
        );
    }
    if has_tool("promtool") {
        let directory = repository().join("compose/prometheus");
        for arguments in [
            ["check", "config", "prometheus.yml"],
            ["check", "rules", "rules.yml"],
            ["test", "rules", "rules.test.yml"],
        ] {
            assert_eq!(promtool(&arguments, &directory, ""), "");
        }
    }
}

#[test]
fn every_command_of_a_runbook_exists() {
    for alert in alerts() {
        let runbook = alert.line("runbook").trim_matches('"').to_owned();
        let commands = runbook.split([';', ',']).map(str::trim);
        for command in commands.filter_map(|command| command.strip_prefix("rolecast ")) {
            let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
            let words: Vec<&str> = command.split_whitespace().collect();
            let own = words.iter().copied().take_while(is_word);
            let flags = words.iter().filter(|word| word.starts_with("--"));
            let help = Command::new(program("rolecast"))
                .args(own)
                .arg("--help")
                .output();
            let help = help.expect("the command starts");
            assert!(help.status.success(), "{}: {command}", alert.name);
            let text = String::from_utf8_lossy(&help.stdout);
            for flag in flags {
                assert!(text.contains(flag), "{}: {command}", alert.name);
            }
        }
    }
}

#[test]
fn rules_and_dashboard_name_only_metrics_that_exist() {
    // The tables of docs/metrics.md.
    let tables = [
        rolecast_dispatcher::metrics::documentation(),
        rolecast_worker::metrics_documentation(),
    ];
    let documented = metrics(&tables.concat());
    for path in [
        "compose/prometheus/rules.yml",
        "compose/prometheus/rules.test.yml",
        "compose/grafana/dashboards/rolecast.json",
    ] {
        let named = metrics(&read(path));
        assert!(named.len() > 10, "{path}");
        let missing: Vec<&String> = named.difference(&documented).collect();
        assert!(missing.is_empty(), "{path}: {missing:?}");
    }
}

#[test]
fn every_panel_has_a_title_and_a_query() {
    let text = read("compose/grafana/dashboards/rolecast.json");
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let panels: Vec<_> = panels
        .iter()
        .filter(|panel| panel["type"] != "row")
        .collect();
    assert!(panels.len() > 30);
    let mut ids = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(
            !title.is_empty() && ids.insert(panel["id"].as_u64().unwrap()),
            "{title}"
        );
        let queries = panel["targets"].as_array().unwrap();
        assert!(!queries.is_empty(), "{title}");
        for query in queries {
            let query = query["expr"].as_str().unwrap();
            assert!(
                query.contains("rolecast_") || query.contains("process_"),
                "{title}: {query}"
            );
        }
    }
}
