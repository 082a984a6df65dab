//! Findings about NATS: connection, server, login, account, streams and consumers.

use super::Entry;
use crate::doctor::area::{
    Area::{Account, Connection, Consumers, Login, Server, Streams},
    Severity::{Note, Trouble, Warning},
};

pub(super) const ALL: &[&Entry] = &[
    &NATS_UNREACHABLE,
    &LOGIN_REFUSED,
    &SERVER_TOO_OLD,
    &SERVER_FAULTS,
    &SERVER_LEAVING,
    &MAX_PAYLOAD_SMALL,
    &RIGHTS_MISSING,
    &JETSTREAM_OFF,
    &ACCOUNT_STORAGE,
    &ACCOUNT_STREAMS,
    &ACCOUNT_CONSUMERS,
    &STREAM_MISSING,
    &STREAM_SILENT,
    &STREAM_LEADERLESS,
    &STREAM_UNFIT,
    &STREAM_COPIED,
    &STREAM_CHANGED,
    &BUCKET_CHANGED,
    &STREAM_HAZARD,
    &STREAM_UNBOUNDED,
    &STREAM_NEARLY_FULL,
    &REPLICA_OFFLINE,
    &REPLICA_BEHIND,
    &REPLICAS_ONE,
    &CONSUMER_FOREIGN,
    &CONSUMER_MISSING,
    &CONSUMER_PAUSED,
    &CONSUMER_CHANGED,
    &CONSUMER_FULL,
    &CONSUMER_NOT_PULLED,
    &CONSUMER_ORPHANED,
];

pub(in crate::doctor) const NATS_UNREACHABLE: Entry = Entry {
    id: "nats-unreachable",
    area: Connection,
    severity: Trouble,
    what: "there is no connection to NATS",
    why: "Nothing works without NATS: jobs are neither taken nor run, and workers wait for it",
    command: "systemctl status nats-server; nats server ping",
};

pub(in crate::doctor) const LOGIN_REFUSED: Entry = Entry {
    id: "login-refused",
    area: Connection,
    severity: Trouble,
    what: "NATS refuses this login",
    why: "The server runs; this user, token, key or certificate is not one of its logins",
    command: "rolecast permissions --operator",
};

pub(in crate::doctor) const SERVER_TOO_OLD: Entry = Entry {
    id: "server-too-old",
    area: Server,
    severity: Trouble,
    what: "nats-server is older than the oldest supported version",
    why: "Rolecast does not run on it: requests that it needs do not exist there",
    command: "nats-server --version",
};

pub(in crate::doctor) const SERVER_FAULTS: Entry = Entry {
    id: "server-faults",
    area: Server,
    severity: Warning,
    what: "this version of nats-server has known faults",
    why: "A restart or a change of leader of such a server may lose keys, jobs or consumers",
    command: "nats-server --version",
};

pub(in crate::doctor) const SERVER_LEAVING: Entry = Entry {
    id: "server-leaving",
    area: Server,
    severity: Warning,
    what: "this nats-server is in lame duck mode",
    why: "It disconnects its clients and ends; clients need another server in their URLs",
    command: "nats server ls",
};

pub(in crate::doctor) const MAX_PAYLOAD_SMALL: Entry = Entry {
    id: "max-payload-small",
    area: Server,
    severity: Warning,
    what: "max_payload of nats-server is below its default of 1 MiB",
    why: "Larger jobs are refused, outputs and records are cut, and heartbeats of nodes with \
          many jobs may not fit",
    command: "nats-server --config nats.conf --signal reload",
};

pub(in crate::doctor) const RIGHTS_MISSING: Entry = Entry {
    id: "rights-missing",
    area: Login,
    severity: Warning,
    what: "this login lacks rights of its kind",
    why: "Commands that need them fail; later versions of Rolecast need more than earlier ones",
    command: "rolecast permissions --operator --viewer",
};

pub(in crate::doctor) const JETSTREAM_OFF: Entry = Entry {
    id: "jetstream-off",
    area: Account,
    severity: Trouble,
    what: "JetStream is off, for the server or for this account",
    why: "Jobs, outcomes and leases are stored in JetStream; no dispatcher can start without it",
    command: "nats account info",
};

pub(in crate::doctor) const ACCOUNT_STORAGE: Entry = Entry {
    id: "account-storage",
    area: Account,
    severity: Warning,
    what: "the account has used most of its storage",
    why: "When it is full, producers, outcomes and the lease are refused, and nothing drains it",
    command: "nats stream report",
};

pub(in crate::doctor) const ACCOUNT_STREAMS: Entry = Entry {
    id: "account-streams",
    area: Account,
    severity: Warning,
    what: "the account may have no more streams than it has",
    why: "A stream or bucket that is lost cannot be created again, nor one that a later version \
          needs",
    command: "nats account info",
};

pub(in crate::doctor) const ACCOUNT_CONSUMERS: Entry = Entry {
    id: "account-consumers",
    area: Account,
    severity: Warning,
    what: "the account has room for fewer than three more consumers",
    why: "A category needs three; jobs of a new one would wait in the stream for ever",
    command: "nats account info",
};

pub(in crate::doctor) const STREAM_MISSING: Entry = Entry {
    id: "stream-missing",
    area: Streams,
    severity: Trouble,
    what: "a stream or bucket does not exist",
    why: "If it existed before, what it held is gone. A dispatcher that leads creates it again within seconds; if it \
          stays away, no dispatcher leads, or the account has no room for it",
    command: "systemctl status rolecast-dispatcher",
};

pub(in crate::doctor) const STREAM_SILENT: Entry = Entry {
    id: "stream-silent",
    area: Streams,
    severity: Trouble,
    what: "a stream does not answer: it has no leader",
    why: "Nothing can be stored or read there until most servers of its group are back",
    command: "nats server report jetstream",
};

pub(in crate::doctor) const STREAM_LEADERLESS: Entry = Entry {
    id: "stream-leaderless",
    area: Streams,
    severity: Trouble,
    what: "no server leads a stream: most servers with a copy are away, or they elect a leader",
    why: "Nothing is stored in it. With ROLECAST_CONTROL no dispatcher leads; with ROLECAST_JOBS \
          no job is taken. It goes on by itself once most of these servers are back",
    command: "systemctl start nats-server",
};

pub(in crate::doctor) const STREAM_UNFIT: Entry = Entry {
    id: "stream-unfit",
    area: Streams,
    severity: Trouble,
    what: "a stream was created by hand, with settings that cannot be changed",
    why: "Its kind of retention or storage loses jobs or outcomes, and only a new stream can \
          have another one",
    command: "nats stream backup STREAM DIRECTORY",
};

pub(in crate::doctor) const STREAM_COPIED: Entry = Entry {
    id: "stream-copied",
    area: Streams,
    severity: Trouble,
    what: "a mirror or source copies the queue",
    why: "It takes jobs of categories that have no consumer yet: they are gone without an outcome",
    command: "nats stream report",
};

pub(in crate::doctor) const STREAM_CHANGED: Entry = Entry {
    id: "stream-changed",
    area: Streams,
    severity: Warning,
    what: "somebody changed settings of a stream",
    why: "They lose jobs or outcomes. A dispatcher that leads restores them within 20 s, unless \
          the server refuses that",
    command: "nats stream edit STREAM --interactive",
};

pub(in crate::doctor) const BUCKET_CHANGED: Entry = Entry {
    id: "bucket-changed",
    area: Streams,
    severity: Warning,
    what: "somebody changed settings of a bucket",
    why: "The lease, roles or attempts may vanish or be lost with one server. A dispatcher \
          restores them only when it takes the lead",
    command: "systemctl restart rolecast-dispatcher",
};

pub(in crate::doctor) const STREAM_HAZARD: Entry = Entry {
    id: "stream-hazard",
    area: Streams,
    severity: Warning,
    what: "a stream has a setting that does harm and that no dispatcher changes",
    why: "Jobs are refused, or are lost without an outcome",
    command: "nats stream edit STREAM --interactive",
};

pub(in crate::doctor) const STREAM_UNBOUNDED: Entry = Entry {
    id: "stream-unbounded",
    area: Streams,
    severity: Warning,
    what: "a stream has no limit in bytes",
    why: "It may fill the server; then outcomes and the lease are refused as well",
    command: "nats stream edit STREAM --max-bytes SIZE --force",
};

pub(in crate::doctor) const STREAM_NEARLY_FULL: Entry = Entry {
    id: "stream-nearly-full",
    area: Streams,
    severity: Warning,
    what: "a stream holds more than four fifths of its limit",
    why: "A full queue refuses its producers, full dead letters keep failed jobs in the queue, \
          and full outcomes drop the oldest",
    command: "nats stream edit STREAM --max-bytes SIZE --force",
};

pub(in crate::doctor) const REPLICA_OFFLINE: Entry = Entry {
    id: "replica-offline",
    area: Streams,
    severity: Warning,
    what: "a server that holds a replica is away",
    why: "One more server lost, and the stream has no quorum",
    command: "nats server report jetstream",
};

pub(in crate::doctor) const REPLICA_BEHIND: Entry = Entry {
    id: "replica-behind",
    area: Streams,
    severity: Warning,
    what: "a replica lags behind its leader",
    why: "Until it has caught up it counts for nothing if the leader is lost",
    command: "nats server report jetstream",
};

pub(in crate::doctor) const REPLICAS_ONE: Entry = Entry {
    id: "replicas-one",
    area: Streams,
    severity: Note,
    what: "the servers form a cluster, and the queue is on one of them only",
    why: "If that server is lost, so are all waiting jobs; [streams] replicas = 3 in rolecast.toml \
          keeps three copies",
    command: "nats stream info ROLECAST_JOBS",
};

pub(in crate::doctor) const CONSUMER_FOREIGN: Entry = Entry {
    id: "consumer-foreign",
    area: Consumers,
    severity: Trouble,
    what: "the queue has a consumer that no dispatcher made",
    why: "Jobs that it acknowledges are gone without an outcome; nats stream view reads jobs \
          without harm",
    command: "nats consumer rm ROLECAST_JOBS CONSUMER --force",
};

pub(in crate::doctor) const CONSUMER_MISSING: Entry = Entry {
    id: "consumer-missing",
    area: Consumers,
    severity: Trouble,
    what: "a category lacks a consumer",
    why: "Jobs of that category and priority wait until a dispatcher creates it again, which \
          takes a leader seconds",
    command: "systemctl status rolecast-dispatcher",
};

pub(in crate::doctor) const CONSUMER_PAUSED: Entry = Entry {
    id: "consumer-paused",
    area: Consumers,
    severity: Trouble,
    what: "somebody paused a consumer",
    why: "Its jobs wait until the pause is over; no dispatcher ends it",
    command: "nats consumer resume ROLECAST_JOBS CONSUMER --force",
};

pub(in crate::doctor) const CONSUMER_CHANGED: Entry = Entry {
    id: "consumer-changed",
    area: Consumers,
    severity: Warning,
    what: "somebody changed settings of a consumer",
    why: "Jobs are dropped or run twice. A dispatcher that leads restores it within 20 s",
    command: "nats consumer info ROLECAST_JOBS CONSUMER",
};

pub(in crate::doctor) const CONSUMER_FULL: Entry = Entry {
    id: "consumer-full",
    area: Consumers,
    severity: Warning,
    what: "a consumer has as many delayed and running jobs as it may have",
    why: "No further job of this category and priority is delivered until some have ended",
    command: "nats consumer info ROLECAST_JOBS CONSUMER",
};

pub(in crate::doctor) const CONSUMER_NOT_PULLED: Entry = Entry {
    id: "consumer-not-pulled",
    area: Consumers,
    severity: Warning,
    what: "jobs wait at a consumer and no dispatcher fetches them",
    why: "Either no dispatcher leads, or it does not serve this category",
    command: "systemctl status rolecast-dispatcher",
};

pub(in crate::doctor) const CONSUMER_ORPHANED: Entry = Entry {
    id: "consumer-orphaned",
    area: Consumers,
    severity: Note,
    what: "a consumer is left of a category that no dispatcher serves",
    why: "It costs the server a little and counts against the account's limit",
    command: "nats consumer rm ROLECAST_JOBS CONSUMER --force",
};
