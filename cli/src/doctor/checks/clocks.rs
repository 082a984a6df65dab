//! Clocks of servers, the dispatcher, nodes and this machine.
//!
//! All are compared with the server's, which dates the jobs: in a cluster with the median
//! of those of its servers.

use std::collections::BTreeMap;
use std::time::Duration;

use rolecast_common::time::format_duration;

use crate::doctor::area::Area;
use crate::doctor::catalogue::lead::{
    CLOCK_SKEW_DISPATCHER, CLOCK_SKEW_HERE, CLOCK_SKEW_NODE, CLOCK_SKEW_SERVER, CLOCK_SKEW_STANDBY,
};
use crate::doctor::facts::{Answer, Facts, Lead};
use crate::doctor::finding::{Finding, Report};

/// A clock that differs less does no harm, and may be a slow answer.
const SKEW_MIN_MS: u64 = 1000;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    of_nodes(facts, report);
    let servers = servers(facts);
    let Some(median) = median(&servers) else {
        let why = "no server reports its time to this login";
        return report.not_checked(Area::Clocks, why);
    };
    report.checked(Area::Clocks, "agree within 1 s with the server's");
    report.find_all(servers.iter().filter_map(|(name, lead)| {
        let skew = difference(*lead, median)?;
        let what = format!("the clock of server {name} is {} the others", shown(skew));
        Some(Finding::new(&CLOCK_SKEW_SERVER, what))
    }));
    let here = Lead {
        millis: 0,
        unsure_millis: 0,
    };
    if let Some(skew) = difference(here, median) {
        let what = format!("the clock of this machine is {} the server's", shown(skew));
        report.find(Finding::new(&CLOCK_SKEW_HERE, what));
    }
    if let Some(Answer::Status { lead, .. }) = facts.fleet.known()
        && let Some(skew) = difference(*lead, median)
    {
        let what = format!("the dispatcher's time is {} the server's", shown(skew));
        report.find(Finding::new(&CLOCK_SKEW_DISPATCHER, what));
    }
    let instances = facts.dispatchers.known().into_iter().flatten();
    let standbys = instances.filter(|instance| !instance.is_leader);
    report.find_all(standbys.filter_map(|standby| {
        let skew = difference(standby.lead?, median)?;
        let name = &standby.name;
        let what = format!(
            "the clock of {name}, which stands by, is {} the server's",
            shown(skew)
        );
        let command = format!("ssh {name} chronyc tracking");
        Some(Finding::new(&CLOCK_SKEW_STANDBY, what).by(command))
    }));
}

fn of_nodes(facts: &Facts, report: &mut Report) {
    let nodes = facts.status().into_iter().flat_map(|status| &status.nodes);
    report.find_all(nodes.filter_map(|node| {
        let skew = node.clock_skew_ms?;
        let name = &node.node;
        (skew.unsigned_abs() > SKEW_MIN_MS).then(|| {
            let what = format!("{name}: its clock is {} the dispatcher's", shown(skew));
            Finding::new(&CLOCK_SKEW_NODE, what).by(format!("ssh {name} chronyc tracking"))
        })
    }));
}

/// Returns the lead of each server, from its surest answer.
fn servers(facts: &Facts) -> BTreeMap<&str, Lead> {
    let mut servers: BTreeMap<&str, Lead> = BTreeMap::new();
    let of_streams = facts.found().filter_map(|(_, stream)| {
        let leader = stream.leader.as_deref();
        let own = facts.server().map(|server| server.name.as_str());
        Some((leader.or(own)?, stream.lead))
    });
    let own = facts
        .server()
        .and_then(|server| Some((server.name.as_str(), server.lead?)));
    for (name, lead) in of_streams.chain(own) {
        let best = servers.entry(name).or_insert(lead);
        if lead.unsure_millis < best.unsure_millis {
            *best = lead;
        }
    }
    servers
}

fn median(servers: &BTreeMap<&str, Lead>) -> Option<Lead> {
    let mut leads: Vec<Lead> = servers.values().copied().collect();
    leads.sort_by_key(|lead| lead.millis);
    leads.get(leads.len() / 2).copied()
}

/// Returns the lead over another clock in milliseconds, if it is certain and matters.
fn difference(lead: Lead, other: Lead) -> Option<i64> {
    let skew = lead.millis.saturating_sub(other.millis);
    let unsure = lead.unsure_millis.saturating_add(other.unsure_millis);
    (skew.unsigned_abs() > SKEW_MIN_MS.saturating_add(unsure)).then_some(skew)
}

fn shown(skew_ms: i64) -> String {
    let size = format_duration(Duration::from_millis(skew_ms.unsigned_abs()));
    match skew_ms > 0 {
        true => format!("{size} ahead of"),
        false => format!("{size} behind"),
    }
}
