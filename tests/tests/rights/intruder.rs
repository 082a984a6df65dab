//! A client that tries what its login does not permit.

use async_nats::{Client, Event};
use rolecast_common::requests;
use rolecast_common::subjects::{STREAM_DEAD, STREAM_JOBS, STREAM_RESULTS};
use rolecast_tests::cluster::{Cluster, LIMIT};
use rolecast_tests::logins;
use tokio::sync::mpsc;

/// Each stream, including those of buckets, and a subject that it keeps.
const KEPT: [(&str, &str); 13] = [
    (STREAM_JOBS, "rolecast.jobs.other"),
    (STREAM_RESULTS, "rolecast.results.job-1"),
    (STREAM_DEAD, "rolecast.dead.echo.job-1"),
    (
        "ROLECAST_ADVISORIES",
        "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.ROLECAST_JOBS.x",
    ),
    ("ROLECAST_DECISIONS", "rolecast.decisions.echo.job-1"),
    ("ROLECAST_EVENTS", "rolecast.events.node.gone"),
    ("ROLECAST_LOGS", "rolecast.logs.job-1.1"),
    ("KV_ROLECAST_CONTROL", "$KV.ROLECAST_CONTROL.dispatcher"),
    ("KV_ROLECAST_ATTEMPTS", "$KV.ROLECAST_ATTEMPTS.job-1"),
    ("KV_ROLECAST_CANCELS", "$KV.ROLECAST_CANCELS.job.job-1"),
    ("KV_ROLECAST_CAPACITY", "$KV.ROLECAST_CAPACITY.map"),
    ("KV_ROLECAST_FORECASTS", "$KV.ROLECAST_FORECASTS.n1"),
    ("KV_ROLECAST_ROLES", "$KV.ROLECAST_ROLES.assignments"),
];

/// Returns the requests that read, change or remove messages of a stream.
fn requests_to(stream: &str, subject: &str) -> Vec<String> {
    let requests = [
        requests::stream_info(stream),
        requests::stream_create(stream),
        requests::stream_update(stream),
        requests::stream_purge(stream),
        format!("STREAM.DELETE.{stream}"),
        requests::message_get(stream),
        requests::message_delete(stream),
        requests::direct_get(stream),
        requests::direct_get_last(stream, subject),
        requests::consumer_create_unnamed(stream),
        requests::consumer_create(stream, "mine", subject),
        requests::consumer_create_all(stream, "mine"),
        requests::consumer_next(stream, "normal-echo"),
        requests::consumer_delete(stream, "normal-echo"),
    ];
    let prefix = requests::PREFIX;
    let requests = requests.map(|request| format!("{prefix}.{request}"));
    requests.into_iter().chain([subject.to_owned()]).collect()
}

/// A client that logs in as a party, and the server's refusals to it.
pub(crate) struct Intruder {
    pub(crate) client: Client,
    refusals: mpsc::UnboundedReceiver<String>,
}

impl Intruder {
    pub(crate) async fn new(cluster: &mut Cluster, user: &str) -> Self {
        cluster.intrude();
        let (sender, refusals) = mpsc::unbounded_channel();
        let options = logins::options(user).event_callback(move |event| {
            if let Event::ServerError(error) = event {
                let _ = sender.send(error.to_string());
            }
            std::future::ready(())
        });
        let url = format!("nats://127.0.0.1:{}", cluster.server().port());
        let client = options.connect(url).await.expect("the login is known");
        Self { client, refusals }
    }

    /// Publishes; the server must refuse it.
    pub(crate) async fn may_not_publish(&mut self, subject: &str) {
        let sent = self.client.publish(subject.to_owned(), "{}".into()).await;
        sent.expect("it can be sent");
        self.is_refused("Publish", subject).await;
    }

    /// Subscribes; the server must refuse it.
    pub(crate) async fn may_not_subscribe(&mut self, subject: &str) {
        let subscribed = self.client.subscribe(subject.to_owned()).await;
        let _subscriber = subscribed.expect("it can be sent");
        self.is_refused("Subscription", subject).await;
    }

    /// Tries all operations on streams and buckets, except for those that it may do.
    pub(crate) async fn may_touch_only(&mut self, allowed: &[&str]) {
        for (stream, subject) in KEPT {
            for request in requests_to(stream, subject) {
                if !allowed.contains(&request.as_str()) {
                    self.may_not_publish(&request).await;
                }
            }
        }
        for subject in ["$KV.>", "$KV.ROLECAST_CONTROL.dispatcher", "$JS.>", ">"] {
            self.may_not_subscribe(subject).await;
        }
    }

    async fn is_refused(&mut self, what: &str, subject: &str) {
        // Refusals arrive before the answer to this.
        self.client.flush().await.expect("the server answers");
        let refusal = tokio::time::timeout(LIMIT, self.refusals.recv()).await;
        let refusal = refusal.unwrap_or_else(|_| panic!("{what} to {subject} is not refused"));
        let expected = format!("{what} to \"{subject}\"");
        let refusal = refusal.expect("the client is there");
        assert!(refusal.contains(&expected), "{refusal} is not {expected}");
    }
}
