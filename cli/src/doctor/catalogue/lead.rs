//! Findings about dispatchers, the lease and clocks.

use super::Entry;
use crate::doctor::area::{
    Area::{Clocks, Dispatcher},
    Severity::{Note, Trouble, Warning},
};

pub(super) const ALL: &[&Entry] = &[
    &DISPATCHER_MISSING,
    &DISPATCHER_SILENT,
    &LEASE_LAPSED,
    &TAKEOVERS_MANY,
    &DISPATCHER_TROUBLE,
    &NOBODY_LEADS,
    &LEADERS_MANY,
    &STANDBY_LOST,
    &DISPATCHER_VERSIONS,
    &STANDBY_NONE,
    &CLOCK_SKEW_DISPATCHER,
    &CLOCK_SKEW_STANDBY,
    &CLOCK_SKEW_SERVER,
    &CLOCK_SKEW_HERE,
    &CLOCK_SKEW_NODE,
];

pub(in crate::doctor) const DISPATCHER_MISSING: Entry = Entry {
    id: "dispatcher-missing",
    area: Dispatcher,
    severity: Trouble,
    what: "no dispatcher answers",
    why: "Jobs wait in the queue, none is lost; nodes finish what they have in hand",
    command: "systemctl start rolecast-dispatcher",
};

pub(in crate::doctor) const DISPATCHER_SILENT: Entry = Entry {
    id: "dispatcher-silent",
    area: Dispatcher,
    severity: Trouble,
    what: "a dispatcher is connected and does not answer",
    why: "It hangs or is overloaded, or a worse connection keeps its answers away",
    command: "systemctl restart rolecast-dispatcher",
};

pub(in crate::doctor) const LEASE_LAPSED: Entry = Entry {
    id: "lease-lapsed",
    area: Dispatcher,
    severity: Trouble,
    what: "the dispatcher cannot renew its lease",
    why: "It sends no job until it can: the bucket ROLECAST_CONTROL does not answer it, as \
          without a quorum or on a full store",
    command: "nats server report jetstream",
};

pub(in crate::doctor) const TAKEOVERS_MANY: Entry = Entry {
    id: "takeovers-many",
    area: Dispatcher,
    severity: Warning,
    what: "the lead has changed often within a day",
    why: "Each change stops the dispatch for a second or two; dispatchers crash, are starved of \
          CPU, or lose NATS",
    command: "journalctl -u rolecast-dispatcher --since -1d",
};

pub(in crate::doctor) const DISPATCHER_TROUBLE: Entry = Entry {
    id: "dispatcher-trouble",
    area: Dispatcher,
    severity: Warning,
    what: "the dispatcher reports a condition that it cannot correct at once",
    why: "It tries again by itself; if the condition lasts, somebody has to act",
    command: "rolecast status",
};

pub(in crate::doctor) const NOBODY_LEADS: Entry = Entry {
    id: "nobody-leads",
    area: Dispatcher,
    severity: Trouble,
    what: "a dispatcher stands by, and none leads",
    why: "Jobs wait in the queue, none is lost. One that stands by takes the lead within seconds \
          unless the bucket ROLECAST_CONTROL with the lease does not answer it",
    command: "nats stream info KV_ROLECAST_CONTROL",
};

pub(in crate::doctor) const LEADERS_MANY: Entry = Entry {
    id: "leaders-many",
    area: Dispatcher,
    severity: Trouble,
    what: "several dispatchers claim to lead",
    why: "One of them hangs, or uses another lease: that of another server, domain or account. \
          Nodes obey the latest epoch only; stop the others",
    command: "nats service stats rolecast",
};

pub(in crate::doctor) const STANDBY_LOST: Entry = Entry {
    id: "standby-lost",
    area: Dispatcher,
    severity: Warning,
    what: "a dispatcher beside the leader is gone or does not answer",
    why: "If the leader is lost, it does not take over. It is forgotten once another one starts \
          in its place, or after a day",
    command: "ssh DISPATCHER systemctl status rolecast-dispatcher",
};

pub(in crate::doctor) const DISPATCHER_VERSIONS: Entry = Entry {
    id: "dispatcher-versions",
    area: Dispatcher,
    severity: Warning,
    what: "dispatchers have different versions",
    why: "Fine during an upgrade. After it, the next change of the lead brings back the old \
          version and its faults",
    command: "nats service stats rolecast",
};

pub(in crate::doctor) const STANDBY_NONE: Entry = Entry {
    id: "standby-none",
    area: Dispatcher,
    severity: Note,
    what: "the servers form a cluster, and there is one dispatcher",
    why: "While it is away no job is dispatched; a second one on another host takes over within \
          two seconds",
    command: "systemctl start rolecast-dispatcher",
};

pub(in crate::doctor) const CLOCK_SKEW_STANDBY: Entry = Entry {
    id: "clock-skew-standby",
    area: Clocks,
    severity: Warning,
    what: "the clock of a dispatcher that stands by differs from the server's",
    why: "Its log and its pages have wrong times; once it leads it follows the server's clock",
    command: "ssh DISPATCHER chronyc tracking",
};

pub(in crate::doctor) const CLOCK_SKEW_DISPATCHER: Entry = Entry {
    id: "clock-skew-dispatcher",
    area: Clocks,
    severity: Warning,
    what: "the dispatcher's time differs from the server's",
    why: "A dispatcher follows the server's clock; a difference means that it cannot read it, \
          and then deadlines and delays are wrong",
    command: "journalctl -u rolecast-dispatcher | grep clock",
};

pub(in crate::doctor) const CLOCK_SKEW_SERVER: Entry = Entry {
    id: "clock-skew-server",
    area: Clocks,
    severity: Warning,
    what: "the clock of a nats-server differs from those of the others",
    why: "Deadlines, delays and ages of jobs jump when another server leads the stream",
    command: "chronyc tracking",
};

pub(in crate::doctor) const CLOCK_SKEW_HERE: Entry = Entry {
    id: "clock-skew-here",
    area: Clocks,
    severity: Warning,
    what: "the clock of this machine differs from the server's",
    why: "A deadline that is submitted here as a time of day is meant by another clock, and \
          certificates may count as not valid yet",
    command: "chronyc tracking",
};

pub(in crate::doctor) const CLOCK_SKEW_NODE: Entry = Entry {
    id: "clock-skew-node",
    area: Clocks,
    severity: Warning,
    what: "the clock of a node differs from the dispatcher's",
    why: "Jobs run at the right time all the same; the start times in records, and what jobs \
          themselves do by the clock, are wrong",
    command: "ssh NODE chronyc tracking",
};
