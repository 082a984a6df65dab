//! Valid inputs: made by our own encoders, or samples.

use std::num::NonZeroU32;
use std::sync::Arc;

use rolecast_common::assignment::Assignment;
use rolecast_common::id::{BootId, Epoch, JobId, NodeId, Role, Sequence};
use rolecast_common::label::Labels;
use rolecast_common::subjects;
use rolecast_common::time::WallTime;
use rolecast_common::trace::TraceContext;
use rolecast_common::wire::{
    Admission, AdmissionVerdict, Blob, DispatcherSign, Encoding, EventsRequest, Heartbeat,
    JobProgress, JobState, JobUsage, JobsRequest, LeaseRecord, Message, Outcome, OutcomeBatch,
    OutcomeStatus, RoleAssignment, RoleDocument, RoleFailure, RoleOrder, RoleOrderKind,
    RoleVersion, SealKey, Share, StatusCursor, StatusRequest, VERSION, encode,
};
use rolecast_dispatcher::seal::Seals;
use rolecast_forecast::lstm::Weights;
use rolecast_forecast::{NodeForecast, Stack};
use serde_json::json;

use super::machine::{beat, inherited};
use super::targets::checkpoint::{PARAMS, node, observe, patches};
use crate::process::repository;

const ACK: &str = "$JS.ACK.ROLECAST_JOBS.normal-ocr.1.41.41.1769860798000000000.0";
const ACK_OF_DOMAIN: &str =
    "$JS.ACK._.AbCdEf.ROLECAST_JOBS.high-ocr.2.41.77.1769860798123456789.9.x9";
const BOTH: [Encoding; 2] = [Encoding::MessagePack, Encoding::Json];

fn role(name: &str) -> Role {
    Role::new(name).expect("it is a role")
}

fn boot() -> BootId {
    BootId::new("boot").expect("it is a boot id")
}

fn assignment(ack: &str) -> Assignment {
    let text = format!("4.ocr.job-7.2.{ack}");
    text.parse().expect("it is an assignment")
}

fn in_both<M: Message>(messages: &[M]) -> Vec<Vec<u8>> {
    let all = messages.iter();
    all.flat_map(|message| BOTH.map(|encoding| encode(encoding, message)))
        .collect()
}

pub(super) fn heartbeats() -> Vec<Vec<u8>> {
    let plain = beat("n3", 1);
    let mut labels = Labels::default();
    for (name, value) in [("zone", "eu"), ("gpu", "a100")] {
        labels.insert(name, value).expect("it is a label");
    }
    let full = Heartbeat {
        sent_ms: Some(WallTime::from_millis(1_769_860_800_000)),
        offers: vec![role("leader")],
        assigned: RoleVersion {
            epoch: Epoch::new(5),
            generation: 11,
        },
        role_failure: Some(RoleFailure {
            epoch: Epoch::new(5),
            generation: 12,
            roles: vec![role("leader")],
            reason: "the disk is full".to_owned(),
        }),
        labels,
        jobs: vec![inherited(), assignment(ACK)],
        progress: vec![JobProgress {
            job: 1,
            done: Share::clamped(0.4),
            text: "page 3 of 8".to_owned(),
        }],
        ..beat("n1", 2)
    };
    let joining = Heartbeat {
        joining: true,
        jobs_max: 0,
        ..beat("n2", 9)
    };
    in_both(&[plain, full, joining])
}

fn outcome(status: OutcomeStatus, job: Option<Assignment>) -> Outcome {
    Outcome {
        v: VERSION,
        job,
        status,
        reason: "no room".to_owned(),
        output: Blob(b"done \xff"[..].into()),
        output_truncated: false,
        log: Blob(b"broken \xff"[..].into()),
        log_truncated: true,
        started_ms: Some(WallTime::from_millis(1_769_860_800_000)),
        run_us: 998_000,
        usage: JobUsage {
            cpu_us: 700_000,
            memory_max: 73_400_320,
            disk_bytes: 8192,
            network_bytes: 0,
        },
        traceparent: TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    }
}

pub(super) fn outcomes() -> Vec<Vec<u8>> {
    let all = [
        OutcomeStatus::Completed,
        OutcomeStatus::Retry,
        OutcomeStatus::GiveUp,
        OutcomeStatus::Refused,
        OutcomeStatus::HandedBack,
    ];
    let single = in_both(&all.map(|status| outcome(status, None)));
    let batch = |jobs: &[Assignment]| OutcomeBatch {
        v: VERSION,
        outcomes: all
            .into_iter()
            .zip(jobs)
            .map(|(status, job)| outcome(status, Some(job.clone())))
            .collect(),
    };
    let genuine = batch(&[inherited(), inherited()]);
    let forged = batch(&[ACK, ACK_OF_DOMAIN].map(assignment));
    let batches = in_both(&[batch(&[]), genuine, forged]);
    [single, batches].concat()
}

pub(super) fn roles() -> Vec<Vec<u8>> {
    let assignment = |generation, roles| RoleAssignment {
        v: VERSION,
        epoch: Epoch::new(5),
        generation,
        boot: boot(),
        answers: 1,
        lease_ms: 10_000,
        roles,
    };
    let admission = |verdict| Admission {
        v: VERSION,
        boot: boot(),
        epoch: Epoch::new(5),
        verdict,
        refuted: Some(Epoch::new(9)),
        reason: "boot b1 of it sent a heartbeat 400ms ago".to_owned(),
    };
    let web = |number: u8| NodeId::new(&format!("n{number}")).expect("it is a node's name");
    let order = |order| RoleOrder { v: VERSION, order };
    let orders = [
        RoleOrderKind::Set {
            role: role("leader"),
            node: web(1),
        },
        RoleOrderKind::Swap {
            role: role("leader"),
            from: None,
            to: web(2),
        },
        RoleOrderKind::Drain { node: web(2) },
    ];
    let key = SealKey::new([7; 16]);
    let record = LeaseRecord {
        epoch: Epoch::new(5),
        name: "d".to_owned(),
        seals: Seals::default().with(Epoch::new(5), key).into_eras(),
        ..LeaseRecord::default()
    };
    let record = serde_json::to_vec(&record).expect("a record can be written");
    [
        in_both(&[
            assignment(12, vec![role("leader")]),
            assignment(13, Vec::new()),
        ]),
        in_both(&[
            admission(AdmissionVerdict::Admitted),
            admission(AdmissionVerdict::Refused),
        ]),
        in_both(&orders.map(order)),
        requests(),
        in_both(&[document()]),
        vec![record],
    ]
    .concat()
}

/// Requests for pages, and a sign of life of a dispatcher.
fn requests() -> Vec<Vec<u8>> {
    let web = |number: u32| NodeId::new(&format!("web-{number}")).expect("it is a name");
    [
        in_both(&[StatusRequest {
            after: Some(StatusCursor::Node(web(2))),
            limit: NonZeroU32::new(100),
            ..StatusRequest::first()
        }]),
        in_both(&[JobsRequest {
            after: Some(Sequence::new(41)),
            states: vec![JobState::Waiting, JobState::Delayed],
            node: Some(web(2)),
            ..JobsRequest::first()
        }]),
        in_both(&[EventsRequest {
            kind: Some("node".to_owned()),
            after: Some(17),
            ..EventsRequest::first()
        }]),
        in_both(&[DispatcherSign {
            v: VERSION,
            name: "d1".to_owned(),
            incarnation: "0197c0f4".to_owned(),
            leads: Some(Epoch::new(3)),
            version: "0.1.0".to_owned(),
            page: "127.0.0.1:8640".to_owned(),
            is_leaving: false,
        }]),
    ]
    .concat()
}

/// A document with a change under way and one that is over.
fn document() -> RoleDocument {
    let document = json!({
        "v": 1, "epoch": 4, "generation": 12, "roles": {"leader": ["n1"]},
        "changes": {"default": {"role": "leader",
            "phase": {"demoting": {"node": "n1", "to": "n2"}}, "generation": 12,
            "from": "n1", "target": "n2",
            "why": {"bottleneck": {"figures": {"benefit_core_s": 41.0}}},
            "began_ms": 1_769_860_800_000_u64, "since_ms": 1_769_860_800_000_u64}},
        "history": [{"group": "default", "role": "leader", "from": null, "to": "n1",
            "why": "election", "result": "done", "began_ms": 1_769_860_700_000_u64,
            "ended_ms": 1_769_860_701_500_u64, "epoch": 3, "generation": 4}],
        "drained": ["n9"]
    });
    serde_json::from_value(document).expect("it is a document")
}

pub(super) fn checkpoints() -> Vec<Vec<u8>> {
    let start = WallTime::from_millis(1_769_860_800_000);
    let saved = |seconds: u64| {
        let mut forecast = NodeForecast::new(&node(), PARAMS, &Arc::default());
        for second in (0..seconds).step_by(5) {
            observe(&mut forecast, start, second);
        }
        forecast.save().expect("a span is over")
    };
    let mut stack = Vec::new();
    Stack::default().save(&mut stack);
    let whole = [
        saved(120),
        saved(3600),
        stack,
        Weights::builtin().to_bytes(),
    ];
    // Most tried inputs are about the fields that matter.
    let patches = (0..8).flat_map(|_| patches());
    whole.into_iter().chain(patches).collect()
}

fn text_of(paths: &[&str]) -> Vec<Vec<u8>> {
    let read = |path: &&str| {
        let file = repository().join(path);
        std::fs::read(&file).expect("the repository is readable")
    };
    paths.iter().map(read).collect()
}

pub(super) fn configs() -> Vec<Vec<u8>> {
    let roles = "[roles.leader]\nholders = 1\nfrom = \"backup\"\n[roles.backup]\nholders = 2\n";
    let samples = [
        rolecast_dispatcher::config::SAMPLE,
        "[categories.ocr]\nmemory = \"1GiB\"\nhold = \"3\"\n[nats]\nurl = \"nats://host:4222\"\n",
        "node = \"n1\"\n[categories.ocr]\ncommand = [\"true\", \"x\"]\ntime_limit = \"5m\"\n",
        roles,
        "[nodes.\"web-*\"]\nroles = [\"follower\"]\nmax_jobs = 16\nlabels = [\"zone=eu\", \"gpu\"]\n",
    ];
    samples.map(|text| text.as_bytes().to_vec()).into()
}

pub(super) fn scenarios() -> Vec<Vec<u8>> {
    text_of(&["tests/scenarios/calm.toml", "tests/scenarios/spikes.toml"])
}

pub(super) fn tables() -> Vec<Vec<u8>> {
    let line = |number: u64| format!("{}.5,{number},,NaN\n", 1_769_860_800 + 10 * number);
    let rows: String = (0..260).map(line).collect();
    vec![format!("time,cpu,memory,disk\n{rows}").into_bytes()]
}

pub(super) fn headers() -> Vec<Vec<u8>> {
    [
        "Nats-Msg-Id: order-7",
        "Rolecast-Job-Id: order-7\nrolecast-deadline: 2026-01-31T13:00:00+01:00",
        "Rolecast-Deadline: 1h 30m\nRolecast-Delay: 250ms\nRolecast-Key: customer-17",
        "Rolecast-Require: gpu=a100, zone=eu\nRolecast-Require: ssd\nOther: x",
        "Rolecast-Deadline: 9999-12-31T23:59:59.999Z\nRolecast-Reason: exit code 1",
    ]
    .map(|lines| lines.as_bytes().to_vec())
    .into()
}

pub(super) fn subjects() -> Vec<Vec<u8>> {
    let node = node();
    let job = JobId::new("job-7").expect("it is a job id");
    let of = assignment(ACK_OF_DOMAIN);
    let mut all = vec![
        "rolecast.jobs.ocr.high".to_owned(),
        "rolecast.jobs.ocr".to_owned(),
        subjects::done(&node, &inherited()),
        subjects::done(&node, &of),
        subjects::done_batch(&node),
        subjects::pong(&node, 7),
        subjects::heartbeat(&node),
        subjects::node_confirm(&node, 7),
        ACK.to_owned(),
        ACK_OF_DOMAIN.to_owned(),
        job.to_string(),
        "#41".to_owned(),
    ];
    all.push(inherited().to_string());
    all.into_iter().map(String::into_bytes).collect()
}
