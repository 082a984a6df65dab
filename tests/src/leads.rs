//! Groups that a nats-server leads, read from its monitoring port.
//!
//! That port answers without a quorum.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Time limit of an answer: a server that lives answers at once, and a frozen one never.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);

/// A part of NATS that has a leader of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// All servers: the places of streams and consumers are decided there.
    Meta,
    Stream(String),
    /// A stream and its consumer.
    Consumer(String, String),
}

/// Groups that one server leads, and groups that it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leads {
    own: BTreeSet<Group>,
    known: BTreeSet<Group>,
    followers: usize,
}

impl Leads {
    /// Returns whether the server leads it.
    pub fn has(&self, group: &Group) -> bool {
        self.own.contains(group)
    }

    /// Returns the groups that the server leads.
    pub fn own(&self) -> &BTreeSet<Group> {
        &self.own
    }

    /// Returns the streams and consumers that it has a copy of.
    pub fn known(&self) -> &BTreeSet<Group> {
        &self.known
    }

    /// Returns the number of others that follow it as the leader of the cluster, and are
    /// up to date.
    pub fn followers(&self) -> usize {
        self.followers
    }

    /// Reads the answer of `/jsz`; a server without a name, in no cluster, leads all it has.
    fn read(answer: &Value, name: Option<&str>) -> Leads {
        let is_own = |group: &Value| name.is_none() || group["leader"].as_str() == name;
        let mut leads = Leads::default();
        if is_own(&answer["meta_cluster"]) {
            leads.own.insert(Group::Meta);
            let others = list(&answer["meta_cluster"]["replicas"]);
            leads.followers = others.filter(|other| other["current"] == true).count();
        }
        for stream in
            list(&answer["account_details"]).flat_map(|account| list(&account["stream_detail"]))
        {
            let stream_name = text(&stream["name"]);
            let mut add = |group: Group, cluster: &Value| {
                if is_own(cluster) {
                    leads.own.insert(group.clone());
                }
                leads.known.insert(group);
            };
            add(Group::Stream(stream_name.clone()), &stream["cluster"]);
            for consumer in list(&stream["consumer_detail"]) {
                let group = Group::Consumer(stream_name.clone(), text(&consumer["name"]));
                add(group, &consumer["cluster"]);
            }
        }
        leads
    }
}

/// Asks the server with this monitoring port; `None` if it does not answer.
pub(crate) async fn leads(monitor: u16, name: Option<&str>) -> Option<Leads> {
    let asked = get(monitor, "/jsz?streams=true&consumers=true");
    let body = tokio::time::timeout(ANSWER_LIMIT, asked).await.ok()??;
    let answer = serde_json::from_slice(&body).ok()?;
    Some(Leads::read(&answer, name))
}

/// Reads a page by HTTP 1.0, which ends with the connection.
async fn get(port: u16, path: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(answer.split_off(end + 4))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer() -> Value {
        json!({
            "meta_cluster": { "name": "rolecast", "leader": "s1", "replicas": [
                { "name": "s2", "current": true },
                { "name": "s3", "current": false, "offline": true },
            ]},
            "account_details": [{ "name": "$G", "stream_detail": [{
                "name": "A",
                "cluster": { "leader": "s2" },
                "consumer_detail": [{ "name": "c", "cluster": { "leader": "s1" } }],
            }]}],
        })
    }

    #[test]
    fn a_server_of_a_cluster_leads_what_names_it() {
        let leads = Leads::read(&answer(), Some("s1"));
        let consumer = Group::Consumer("A".to_owned(), "c".to_owned());
        assert!(leads.has(&Group::Meta) && leads.has(&consumer));
        assert!(!leads.has(&Group::Stream("A".to_owned())));
        assert_eq!(leads.known().len(), 2);
        assert_eq!(leads.followers(), 1);
    }

    #[test]
    fn a_single_server_leads_all_it_has() {
        let leads = Leads::read(&answer(), None);
        assert!(leads.has(&Group::Meta));
        assert!(leads.has(&Group::Stream("A".to_owned())));
    }
}
