//! Hosts of a running system, and the use by others on them.

use std::collections::BTreeSet;

use rolecast_common::id::NodeId;
use rolecast_common::wire::{ForecastView, NodeHealth, NodeStatus};

use super::{Recording, Span};
use crate::count::whole;
use crate::world::{Host, Load, Sample};

/// Replaces an unknown capacity, so that it never limits: far above the capacity of any
/// host.
const UNLIMITED: f64 = 1e15;
/// Latency if no ping was answered yet: within a rack.
const LATENCY_S: f64 = 0.00005;

/// Returns the distance of the histories' values, and the number of values of the
/// longest.
pub(super) fn recorded(forecasts: &[ForecastView]) -> Option<(f64, usize)> {
    let resources = forecasts.iter().flat_map(|view| view.resources.values());
    // All are from one dispatcher, so the step is the same.
    let known = resources.filter(|resource| resource.step_s > 0);
    let known = known.map(|resource| (f64::from(resource.step_s), resource.history.len()));
    known.max_by_key(|(_, count)| *count)
}

/// Returns the hosts that get jobs, with the recorded use by others.
pub(super) fn ready(recording: &Recording, notes: &mut Vec<String>) -> Vec<Host> {
    let mut hosts = Vec::new();
    let mut left_out = Vec::new();
    for node in &recording.status.nodes {
        if node.health == NodeHealth::Ready && node.capacity.cpu.get() > 0.0 {
            let mut views = recording.forecasts.iter();
            let view = views.find(|view| view.node == node.node);
            hosts.push(host(node, view));
        } else {
            left_out.push(node.node.as_str());
        }
    }
    if !left_out.is_empty() {
        let names = left_out.join(", ");
        notes.push(format!(
            "left out, because they take no jobs at present: {names}"
        ));
    }
    hosts
}

fn host(node: &NodeStatus, view: Option<&ForecastView>) -> Host {
    let declared_speed = node.speed.get();
    let is_learned = node.learned_speed.is_finite() && node.learned_speed > 0.0;
    let cores = node.capacity.cpu.get();
    Host {
        id: node.node.clone(),
        roles: node.roles.clone(),
        labels: node.labels.clone(),
        cores,
        speed: if is_learned {
            node.learned_speed
        } else {
            declared_speed
        },
        memory: known(node.capacity.memory.get() as f64),
        disk: known(node.capacity.disk.get()),
        network: known(node.capacity.network.get()),
        declared_cores: cores,
        declared_speed,
        latency_s: node.round_trip_us.map_or(LATENCY_S, |us| us as f64 / 2e6),
        load: Load {
            start_s: 0.0,
            step_s: 1.0,
            samples: samples(node, view),
        },
    }
}

fn known(amount: f64) -> f64 {
    if amount > 0.0 { amount } else { UNLIMITED }
}

/// Returns the use by others, oldest first: at least one sample.
fn samples(node: &NodeStatus, view: Option<&ForecastView>) -> Vec<Sample> {
    let of = |name: &str| {
        let resource = view.and_then(|view| view.resources.get(name));
        resource.map_or(&[][..], |resource| &resource.history[..])
    };
    let (cpu, memory) = (of("cpu"), of("memory"));
    let (network, disk) = (of("network"), of("disk"));
    if cpu.len() < 2 {
        let usage = &node.usage;
        let others = usage.total.minus(usage.jobs);
        return vec![sample([
            others.cpu.get(),
            others.memory.get() as f64,
            others.network.get(),
            others.disk.get(),
        ])];
    }
    let at = |values: &[f64], index: usize| values.get(index).copied().unwrap_or_default();
    let all = (0..cpu.len()).map(|index| {
        sample([
            at(cpu, index),
            at(memory, index),
            at(network, index),
            at(disk, index),
        ])
    });
    all.collect()
}

fn sample([cpu, memory, network, disk]: [f64; 4]) -> Sample {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a sample needs no more than the 7 digits that are left"
    )]
    let narrow = |value: f64| value.max(0.0) as f32;
    Sample {
        cpu: narrow(cpu),
        memory: narrow(memory),
        network: narrow(network),
        disk: narrow(disk),
        speed_left: 1.0,
    }
}

/// Gives each sample its time. A host that was not there from the beginning is assumed to
/// have been as it was at first; a run that is longer than the record repeats it.
pub(super) fn lay_out(hosts: &mut [Host], span: Span) {
    let history_s = span.history_s();
    let period = whole((span.period_s / span.step_s).round()).max(1);
    let count = whole(((history_s + span.length_s) / span.step_s).ceil());
    for host in hosts {
        let recorded = std::mem::take(&mut host.load.samples);
        let lacking = span.steps.saturating_sub(recorded.len());
        let mut samples = vec![recorded[0]; lacking];
        samples.extend(recorded);
        for index in samples.len()..count {
            samples.push(samples[index - period]);
        }
        host.load = Load {
            start_s: -history_s,
            step_s: span.step_s,
            samples,
        };
    }
}

/// Takes the first hosts only, or adds copies of them in turn.
pub(super) fn resize(hosts: &mut Vec<Host>, count: Option<u32>) {
    let Some(count) = count.and_then(|count| usize::try_from(count).ok()) else {
        return;
    };
    hosts.truncate(count);
    let originals = hosts.len();
    let taken: BTreeSet<NodeId> = hosts.iter().map(|host| host.id.clone()).collect();
    let names = (1..).map(|number: usize| {
        let name = format!("added-{number}");
        NodeId::new(&name).expect("letters, a dash and digits are an id")
    });
    let names = names.filter(|name| !taken.contains(name));
    for (id, index) in names.zip(0..count - originals) {
        let original = hosts[index % originals].clone();
        hosts.push(Host { id, ..original });
    }
}
