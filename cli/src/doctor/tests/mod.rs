//! Every finding of the catalogue, made by a change of the facts about a healthy system.

mod dispatchers;
mod healthy;
mod nats;
mod work;

use std::collections::BTreeSet;

use super::area::{Area, Severity};
use super::catalogue;
use super::check;
use super::facts::{Facts, Part, Reach};
use crate::exit::Exit;
use crate::style::Palette;
use crate::view::doctor::page;
use healthy::{NOW, healthy};
use rolecast_common::time::WallTime;

/// A change of the facts.
type Spoil = fn(&mut Facts);

const EARLIER: WallTime = WallTime::from_millis(NOW - 600_000);
const JOBS: &str = "ROLECAST_JOBS";
const CONTROL: &str = "KV_ROLECAST_CONTROL";

/// Returns a fault for each finding.
fn cases() -> impl Iterator<Item = (&'static str, Spoil)> {
    let of_nats = nats::CASES.iter().chain(dispatchers::CASES);
    of_nats.chain(work::CASES).copied()
}

fn ids(facts: &Facts) -> BTreeSet<&'static str> {
    let report = check(facts);
    report
        .findings
        .iter()
        .map(|finding| finding.entry.id)
        .collect()
}

#[test]
fn a_healthy_system_gives_no_finding() {
    let report = check(&healthy());
    assert_eq!(report.findings, []);
    assert_eq!(report.not_checked, []);
    let checked: BTreeSet<Area> = report.checked.iter().map(|checked| checked.area).collect();
    assert_eq!(checked.len(), Area::ALL.len(), "{checked:?}");
    assert_eq!(Exit::of_findings(report.gravest()), Exit::Fine);
    let text = page(&report, Palette::PLAIN);
    assert_eq!(text.lines().count(), Area::ALL.len() + 2, "{text}");
    assert!(text.ends_with("\nall is well\n"), "{text}");
}

#[test]
fn every_finding_of_the_catalogue_is_made_by_its_fault() {
    let made: BTreeSet<&str> = cases().map(|(id, _)| id).collect();
    for entry in catalogue::all() {
        assert!(made.contains(entry.id), "no case makes {}", entry.id);
    }
    for (id, spoil) in cases() {
        let mut facts = healthy();
        spoil(&mut facts);
        assert!(ids(&facts).contains(id), "{id}: {:?}", check(&facts));
        let report = check(&facts);
        let found = report
            .findings
            .iter()
            .find(|finding| finding.entry.id == id);
        let found = found.unwrap();
        assert!(
            !found.what.is_empty() && !found.what.ends_with('.'),
            "{found:?}"
        );
        // Names are filled in where they are known.
        let text = page(&report, Palette::PLAIN);
        assert!(text.contains(&format!("\n  {}\n", found.command)), "{text}");
    }
}

#[test]
fn most_faults_give_one_finding_alone() {
    // These have a consequence that is a finding as well.
    let with_others = [
        "category-not-run",
        "jobs-unplaceable",
        "consumer-not-pulled",
        "nobody-leads",
        "nodes-none",
        "stream-missing",
    ];
    for (id, spoil) in cases().filter(|(id, _)| !with_others.contains(id)) {
        let mut facts = healthy();
        spoil(&mut facts);
        assert_eq!(ids(&facts), BTreeSet::from([id]), "{:?}", check(&facts));
    }
}

#[test]
fn findings_are_sorted_by_their_weight_and_decide_the_exit_code() {
    let mut facts = healthy();
    for wanted in ["node-draining", "clock-skew-node", "lease-lapsed"] {
        let (_, spoil) = cases().find(|(id, _)| *id == wanted).unwrap();
        spoil(&mut facts);
    }
    let report = check(&facts);
    let order: Vec<Severity> = report.findings.iter().map(|f| f.entry.severity).collect();
    assert_eq!(
        order,
        [Severity::Trouble, Severity::Warning, Severity::Note]
    );
    assert_eq!(Exit::of_findings(report.gravest()), Exit::Troubled);
    assert_eq!(Exit::of_findings(Some(Severity::Warning)), Exit::Warned);
    assert_eq!(Exit::of_findings(Some(Severity::Note)), Exit::Fine);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["v"], 1);
    assert_eq!(json["findings"][0]["id"], "lease-lapsed");
    assert_eq!(json["findings"][0]["severity"], "trouble");
    assert_eq!(json["findings"][1]["area"], "clocks");
}

#[test]
fn what_is_not_known_is_not_checked_and_not_a_finding() {
    let reach = healthy().reach;
    let why = "this login lacks the right";
    let mut facts = Facts::all_unknown(reach, why);
    let names = healthy().streams.into_keys();
    facts.streams = names
        .map(|name| (name, Part::Unknown(why.to_owned())))
        .collect();
    let report = check(&facts);
    assert_eq!(report.findings, []);
    let areas: BTreeSet<Area> = report.not_checked.iter().map(|not| not.area).collect();
    for area in [
        Area::Account,
        Area::Streams,
        Area::Consumers,
        Area::Nodes,
        Area::Roles,
    ] {
        assert!(areas.contains(&area), "{area:?}");
    }
    // Areas with one reason share a line.
    let text = page(&report, Palette::PLAIN);
    assert_eq!(text.matches(why).count(), 1, "{text}");
}

#[test]
fn without_a_connection_only_that_is_reported() {
    let reach = Reach::Unreachable("nothing answers".to_owned());
    let report = check(&Facts::without_connection(reach));
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.not_checked.len(), Area::ALL.len() - 1);
    assert!(report.checked.is_empty());
}

#[test]
fn a_large_fleet_gives_few_lines_of_one_kind() {
    let mut facts = healthy();
    healthy::change_status(&mut facts, |status| {
        let node = status.nodes[0].clone();
        status.nodes = (0..500)
            .map(|n| {
                let mut node = node.clone();
                node.node = format!("o{n}").parse().unwrap();
                node.clock_skew_ms = Some(5000);
                node
            })
            .collect();
    });
    let report = check(&facts);
    let found = report.findings.iter();
    // The role of the node that had it has no holder now.
    let skewed: Vec<_> = found
        .filter(|found| found.entry.id == "clock-skew-node")
        .collect();
    assert_eq!(skewed.len(), 10);
    assert!(skewed[9].what.ends_with("; and 490 more like it"));
}
