//! Table of the rights of each party.

use super::{Action, Party, Place, Right};
use crate::id::{Category, NodeId, Priority};
use crate::requests::{self, PREFIX};
use crate::subjects::{
    self, BUCKET_ATTEMPTS, BUCKET_CANCELS, BUCKET_CAPACITY, BUCKET_CONTROL, BUCKET_FORECASTS,
    BUCKET_ROLES, KEY_ASSIGNMENTS, KEY_CAPACITY, KEY_DISPATCHER, RESULTS, STREAM_ADVISORIES,
    STREAM_DEAD, STREAM_DECISIONS, STREAM_EVENTS, STREAM_JOBS, STREAM_LOGS, STREAM_RESULTS, Source,
    bucket_key, bucket_stream,
};

const STREAMS: [&str; 7] = [
    STREAM_JOBS,
    STREAM_RESULTS,
    STREAM_DEAD,
    STREAM_ADVISORIES,
    STREAM_DECISIONS,
    STREAM_EVENTS,
    STREAM_LOGS,
];
const BUCKETS: [&str; 6] = [
    BUCKET_CONTROL,
    BUCKET_ATTEMPTS,
    BUCKET_CANCELS,
    BUCKET_CAPACITY,
    BUCKET_FORECASTS,
    BUCKET_ROLES,
];
/// Buckets whose keys are listed at the start, by a consumer that the server names.
const LISTED: [&str; 3] = [BUCKET_ATTEMPTS, BUCKET_CANCELS, BUCKET_FORECASTS];
/// Requests that the dispatcher answers for readers.
const QUESTIONS: [&str; 11] = [
    subjects::API_STATUS,
    subjects::API_JOB,
    subjects::API_JOBS,
    subjects::API_NODE,
    subjects::API_CAPACITY,
    subjects::API_FORECAST,
    subjects::API_EXPLAIN,
    subjects::API_DECISION,
    subjects::API_EVENTS,
    subjects::API_LOGS,
    subjects::API_ROLES,
];

/// Returns the subject on which the server reports the permissions of the login that
/// asks.
pub fn own_rights_request() -> &'static str {
    "$SYS.REQ.USER.INFO"
}

/// Returns all rights of a party, in the order in which they are shown.
pub fn rights(party: &Party, place: &Place) -> Vec<Right> {
    let mut table = Table {
        place,
        rights: Vec::new(),
    };
    match party {
        Party::Dispatcher { inbox_prefixes } => table.dispatcher(inbox_prefixes),
        Party::Worker(node) => table.worker(node),
        Party::Producer {
            categories,
            reads_outcomes,
        } => table.producer(categories, *reads_outcomes),
        Party::Operator => table.operator(),
        Party::Viewer => table.viewer(),
    }
    table.rights
}

struct Table<'a> {
    place: &'a Place,
    rights: Vec<Right>,
}

impl Table<'_> {
    fn dispatcher(&mut self, inbox_prefixes: &[String]) {
        self.publish(
            subjects::node_any(),
            "jobs, pings, roles and answers to nodes",
        );
        for prefix in inbox_prefixes {
            self.publish(format!("{prefix}.>"), "answers to requests");
        }
        self.publish(RESULTS, "records of outcomes");
        self.publish(subjects::DEAD, "dead letters");
        self.publish(subjects::DECISIONS, "decisions on placements");
        self.publish(subjects::DISPATCHER, "its own signs of life");
        self.publish(subjects::EVENTS, "events");
        self.publish(subjects::LOGS, "logs of attempts");
        self.dispatcher_keys();
        for form in acks("ACK", STREAM_JOBS) {
            self.publish(form, "acknowledges jobs; the server has two forms");
        }
        self.publish(own_rights_request(), "checks these rights at its start");
        self.ask(requests::INFO, "checks JetStream and its limits");
        self.dispatcher_streams();
        self.dispatcher_consumers();
        self.subscribe(subjects::HEARTBEATS, "heartbeats of all nodes");
        self.subscribe(subjects::DISPATCHER, "signs of life of all dispatchers");
        self.subscribe(subjects::DONE, "outcomes, and answers to pings");
        self.subscribe(subjects::API, "requests and orders");
        for requests in subjects::SERVICE_REQUESTS {
            self.subscribe(requests, "requests that find services");
        }
        self.inbox("jobs, and answers of the server");
    }

    fn dispatcher_keys(&mut self) {
        self.write_key(BUCKET_CONTROL, KEY_DISPATCHER, "the lease");
        self.write_key(BUCKET_ROLES, KEY_ASSIGNMENTS, "the holders of roles");
        self.write_key(BUCKET_CAPACITY, KEY_CAPACITY, "the role capacity map");
        self.write_key(
            BUCKET_ATTEMPTS,
            "*",
            "failed attempts of jobs that have not ended",
        );
        self.write_key(BUCKET_CANCELS, ">", "cancels of jobs that have not ended");
        self.write_key(BUCKET_FORECASTS, ">", "the state of forecasts");
    }

    fn dispatcher_streams(&mut self) {
        self.ask(requests::STREAM_NAMES, "detects streams that were deleted");
        for stream in all_streams() {
            let purpose = "creates its streams and buckets, and restores their settings";
            self.ask(requests::stream_info(&stream), purpose);
            self.ask(requests::stream_create(&stream), purpose);
            self.ask(requests::stream_update(&stream), purpose);
        }
        let purpose = "frees room for outcomes, and deletes attempts and cancels of ended jobs";
        self.ask(requests::stream_purge(STREAM_DECISIONS), purpose);
        self.ask(requests::stream_purge(STREAM_LOGS), purpose);
        for bucket in [BUCKET_ATTEMPTS, BUCKET_CANCELS] {
            self.ask(requests::stream_purge(&bucket_stream(bucket)), purpose);
        }
        for bucket in [BUCKET_CONTROL, BUCKET_ROLES] {
            let purpose = "reads the lease and the roles from the leader of their stream";
            self.ask(requests::message_get(&bucket_stream(bucket)), purpose);
        }
        self.ask(requests::direct_get(STREAM_JOBS), "reads waiting jobs");
        self.ask(
            requests::message_delete(STREAM_JOBS),
            "removes jobs from the queue that cannot be delivered",
        );
        self.ask(
            requests::direct_get_last(STREAM_RESULTS, RESULTS),
            "reports the outcome of a job",
        );
        self.ask(
            requests::message_get(STREAM_DECISIONS),
            "explains the choice of a job's node",
        );
        self.ask(requests::direct_get(STREAM_EVENTS), "lists events");
        self.ask(requests::direct_get(STREAM_LOGS), "shows logs of attempts");
    }

    fn dispatcher_consumers(&mut self) {
        for filter in subjects::JOBS {
            self.ask(
                requests::consumer_create(STREAM_JOBS, "*", filter),
                "creates a consumer for each category and priority",
            );
        }
        let purpose = "checks these consumers, and removes unused ones";
        self.ask(requests::consumer_names(STREAM_JOBS), purpose);
        self.ask(requests::consumer_list(STREAM_JOBS), purpose);
        self.ask(requests::consumer_info(STREAM_JOBS, "*"), purpose);
        self.ask(requests::consumer_delete(STREAM_JOBS, "*"), purpose);
        self.ask(requests::consumer_next(STREAM_JOBS, "*"), "fetches jobs");
        for bucket in LISTED {
            let stream = bucket_stream(bucket);
            let purpose = "reads attempts, cancels and forecasts at its start";
            let key = bucket_key(bucket, if bucket == BUCKET_ATTEMPTS { "*" } else { ">" });
            self.ask(requests::direct_get_last(&stream, &key), purpose);
            self.ask(requests::consumer_create_unnamed(&stream), purpose);
            self.ask(requests::consumer_info(&stream, "*"), purpose);
            self.ask(requests::consumer_delete(&stream, "*"), purpose);
            for form in acks("FC", &stream) {
                self.publish(form, purpose);
            }
        }
    }

    fn worker(&mut self, node: &NodeId) {
        self.publish(subjects::heartbeat(node), "its heartbeats");
        self.publish(subjects::done_all(node), "outcomes, and answers to pings");
        self.subscribe(
            subjects::node_all(node),
            "jobs, and all other messages to it",
        );
    }

    fn producer(&mut self, categories: &[Category], reads_outcomes: bool) {
        for category in categories {
            for priority in Priority::ALL {
                let category = category.clone();
                let source = Source { category, priority };
                self.publish(source.subject(), "submits jobs");
            }
        }
        if reads_outcomes {
            self.read_outcomes();
        }
        self.inbox("answers of the server");
    }

    fn read_outcomes(&mut self) {
        self.ask(
            requests::direct_get_last(STREAM_RESULTS, RESULTS),
            "reads the record of a job",
        );
        self.subscribe(RESULTS, "is notified of records");
    }

    fn operator(&mut self) {
        self.questions();
        let [all, ..] = subjects::SERVICE_REQUESTS;
        self.publish(all, "nats service ls and ping");
        // A viewer may not: with it, it could have the answer stored as a job.
        self.publish(own_rights_request(), "checks the rights of this login");
        self.publish(subjects::API_CANCEL, "cancels jobs");
        self.publish(subjects::API_ROLE_ORDER, "moves roles, drains nodes");
        for subject in subjects::JOBS {
            self.publish(subject, "submits jobs, and dead jobs again");
        }
        self.read_outcomes();
        self.ask(requests::INFO, "reports faults of the server");
        for list in [requests::STREAM_NAMES, requests::STREAM_LIST] {
            self.ask(list, "nats stream ls and report");
        }
        for stream in all_streams() {
            self.ask(requests::stream_info(&stream), "finds and checks streams");
        }
        self.ask(requests::consumer_list(STREAM_JOBS), "checks consumers");
        for request in [
            requests::message_get(STREAM_JOBS),
            requests::direct_get(STREAM_JOBS),
        ] {
            self.ask(request, "finds waiting jobs");
        }
        self.ask(requests::direct_get(STREAM_RESULTS), "lists ended jobs");
        self.ask(
            requests::message_get(STREAM_DECISIONS),
            "explains the choice of a job's node",
        );
        // A consumer that has to be made again has a name.
        let again = [
            requests::consumer_create(STREAM_DEAD, "*", subjects::DEAD),
            requests::consumer_create_all(STREAM_DECISIONS, "*"),
        ];
        for (stream, again) in [STREAM_DEAD, STREAM_DECISIONS].into_iter().zip(again) {
            let purpose = "lists dead jobs and decisions";
            self.ask(requests::consumer_create_unnamed(stream), purpose);
            self.ask(again, purpose);
            self.ask(requests::consumer_next(stream, "*"), purpose);
            self.ask(requests::consumer_info(stream, "*"), purpose);
            self.ask(requests::consumer_delete(stream, "*"), purpose);
        }
        self.ask(requests::message_get(STREAM_DEAD), "shows a dead job");
        self.ask(
            requests::message_delete(STREAM_DEAD),
            "retries and purges dead jobs",
        );
        self.ask(requests::stream_purge(STREAM_DEAD), "purges dead jobs");
        self.ask(
            requests::stream_purge(STREAM_RESULTS),
            "deletes the record of a dead job that is retried",
        );
    }

    fn viewer(&mut self) {
        self.questions();
    }

    fn questions(&mut self) {
        for subject in QUESTIONS {
            self.publish(subject, "requests to the dispatcher");
        }
        // A request to all services would reach others, which may answer to any subject.
        let [_, of_name, of_instance] = subjects::SERVICE_REQUESTS;
        for subject in [of_name, of_instance] {
            self.publish(subject, "nats service info, stats, ls and ping rolecast");
        }
        self.inbox("answers");
        self.subscribe(subjects::EVENTS, "is notified of events");
    }

    fn inbox(&mut self, purpose: &'static str) {
        self.subscribe(format!("{}.>", self.place.inbox), purpose);
    }

    fn write_key(&mut self, bucket: &str, key: &str, purpose: &'static str) {
        let key = bucket_key(bucket, key);
        // Keys of another domain are written through its API.
        let subject = match self.place.api.as_str() {
            PREFIX => key,
            api => format!("{api}.{key}"),
        };
        self.publish(subject, purpose);
    }

    fn ask(&mut self, request: impl AsRef<str>, purpose: &'static str) {
        let subject = format!("{}.{}", self.place.api, request.as_ref());
        self.publish(subject, purpose);
    }

    fn publish(&mut self, subject: impl Into<String>, purpose: &'static str) {
        self.add(Action::Publish, subject.into(), purpose);
    }

    fn subscribe(&mut self, subject: impl Into<String>, purpose: &'static str) {
        self.add(Action::Subscribe, subject.into(), purpose);
    }

    fn add(&mut self, action: Action, subject: String, purpose: &'static str) {
        self.rights.push(Right {
            action,
            subject,
            purpose,
        });
    }
}

/// Returns the names of all streams, those that hold buckets behind the others.
fn all_streams() -> impl Iterator<Item = String> {
    let buckets = BUCKETS.map(bucket_stream);
    STREAMS.into_iter().map(str::to_owned).chain(buckets)
}

/// Returns both forms of the subjects that answer a consumer of a stream; the second one
/// has the domain and the account before the stream.
fn acks(kind: &str, stream: &str) -> [String; 2] {
    [
        format!("$JS.{kind}.{stream}.>"),
        format!("$JS.{kind}.*.*.{stream}.>"),
    ]
}
