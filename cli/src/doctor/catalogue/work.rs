//! Findings about nodes, categories, dead letters, roles, forecasts and settings.

use super::Entry;
use crate::doctor::area::{
    Area::{Categories, DeadLetters, Forecasts, Nodes, Roles, Settings},
    Severity::{Note, Trouble, Warning},
};

pub(super) const ALL: &[&Entry] = &[
    &NODES_NONE,
    &NODE_GONE,
    &NODE_DISTRUSTED,
    &NODE_NAME_SHARED,
    &MESSAGES_REFUSED,
    &NODE_CAPACITY,
    &NODE_MEMORY,
    &NODE_SLOTS,
    &NODE_DRAINING,
    &NODE_NAME_PASSING,
    &CATEGORY_NOT_RUN,
    &JOBS_UNPLACEABLE,
    &LABEL_MISSING,
    &CATEGORY_NOT_SERVED,
    &BACKLOG_UNREAD,
    &CATEGORY_LATE,
    &MEMORY_TOO_LARGE,
    &DEAD_LETTERS,
    &ROLE_VACANT,
    &ROLE_CHANGE_STUCK,
    &CAPACITY_SHORT,
    &ROLE_WITHOUT_SUCCESSOR,
    &FORECAST_WORSE,
    &CONFIG_NOT_LOADED,
    &CATEGORY_UNUSED,
    &ROLE_UNUSED,
    &NODES_ENTRY_UNUSED,
];

pub(in crate::doctor) const NODES_NONE: Entry = Entry {
    id: "nodes-none",
    area: Nodes,
    severity: Trouble,
    what: "no node takes jobs",
    why: "Jobs wait until a worker starts",
    command: "systemctl start rolecast-worker",
};

pub(in crate::doctor) const NODE_GONE: Entry = Entry {
    id: "node-gone",
    area: Nodes,
    severity: Warning,
    what: "a node is gone: its heartbeats stopped",
    why: "Its jobs were given to other nodes. After 15 minutes it is forgotten",
    command: "ssh NODE systemctl status rolecast-worker",
};

pub(in crate::doctor) const NODE_DISTRUSTED: Entry = Entry {
    id: "node-distrusted",
    area: Nodes,
    severity: Warning,
    what: "a node fails jobs that others complete, or cannot start them",
    why: "It gets one job at a time after pauses, so the fleet has less room than it seems",
    command: "rolecast node drain NODE",
};

pub(in crate::doctor) const NODE_NAME_SHARED: Entry = Entry {
    id: "node-name-shared",
    area: Nodes,
    severity: Warning,
    what: "two workers use one node id",
    why: "Only one of them gets jobs; the other one is refused, or they take turns",
    command: "ssh NODE systemctl stop rolecast-worker",
};

pub(in crate::doctor) const MESSAGES_REFUSED: Entry = Entry {
    id: "messages-refused",
    area: Nodes,
    severity: Warning,
    what: "the dispatcher refuses messages of a sender",
    why: "A node whose heartbeats are refused gets no jobs, and an outcome that is refused is not \
          recorded",
    command: "rolecast status",
};

pub(in crate::doctor) const NODE_CAPACITY: Entry = Entry {
    id: "node-capacity",
    area: Nodes,
    severity: Warning,
    what: "a node reports more cores or less memory than a host has",
    why: "Jobs are placed by it: with too little they stay away, with too much they are slow. \
          Leave [capacity] out of worker.toml to have it measured, or correct it there",
    command: "rolecast worker-init",
};

pub(in crate::doctor) const NODE_MEMORY: Entry = Entry {
    id: "node-memory",
    area: Nodes,
    severity: Warning,
    what: "nearly all memory of a node is in use",
    why: "Its system may end jobs or the worker at any moment",
    command: "ssh NODE free -h",
};

pub(in crate::doctor) const NODE_SLOTS: Entry = Entry {
    id: "node-slots",
    area: Nodes,
    severity: Note,
    what: "the number of jobs that a node takes does not fit its cores",
    why: "With none it gets no job; with many for each core all of them are slow. Set max_jobs in \
          worker.toml",
    command: "rolecast worker-init",
};

pub(in crate::doctor) const NODE_DRAINING: Entry = Entry {
    id: "node-draining",
    area: Nodes,
    severity: Note,
    what: "a node takes no more jobs, by an operator's order or because its worker stops",
    why: "It is easily forgotten; the rest of the fleet has its load",
    command: "rolecast node undrain NODE",
};

pub(in crate::doctor) const NODE_NAME_PASSING: Entry = Entry {
    id: "node-name-passing",
    area: Nodes,
    severity: Note,
    what: "the name of a node seems to be that of a container or of no host",
    why: "A new container is a new node: what was learned about it is lost. Set node in \
          worker.toml, or the host name of the container",
    command: "rolecast worker-init",
};

pub(in crate::doctor) const CATEGORY_NOT_RUN: Entry = Entry {
    id: "category-not-run",
    area: Categories,
    severity: Trouble,
    what: "jobs wait and no node runs their category",
    why: "They wait for ever, or until their deadline",
    command: "rolecast category show CATEGORY",
};

pub(in crate::doctor) const JOBS_UNPLACEABLE: Entry = Entry {
    id: "jobs-unplaceable",
    area: Categories,
    severity: Trouble,
    what: "jobs wait and no node may ever take them as things are",
    why: "Every node that runs the category lacks the role, the labels or the memory, drains, or \
          is gone",
    command: "rolecast explain --dry-run CATEGORY",
};

pub(in crate::doctor) const LABEL_MISSING: Entry = Entry {
    id: "label-missing",
    area: Categories,
    severity: Trouble,
    what: "jobs require labels that no node has",
    why: "They wait until a node has the labels, or until their deadline",
    command: "rolecast explain --dry-run CATEGORY --require LABELS",
};

pub(in crate::doctor) const CATEGORY_NOT_SERVED: Entry = Entry {
    id: "category-not-served",
    area: Categories,
    severity: Trouble,
    what: "jobs are in the queue of a category that the dispatcher does not serve",
    why: "A dispatcher serves its declared categories and 64 others; declare it in rolecast.toml",
    command: "rolecast category ls",
};

pub(in crate::doctor) const BACKLOG_UNREAD: Entry = Entry {
    id: "backlog-unread",
    area: Categories,
    severity: Warning,
    what: "the dispatcher cannot read the streams, so backlogs are not known",
    why: "Jobs may wait without being counted here",
    command: "nats server report jetstream",
};

pub(in crate::doctor) const CATEGORY_LATE: Entry = Entry {
    id: "category-late",
    area: Categories,
    severity: Warning,
    what: "jobs of a category wait long, compared with their run time",
    why: "There are too few nodes for them, or something keeps the nodes from them",
    command: "rolecast explain --dry-run CATEGORY",
};

pub(in crate::doctor) const MEMORY_TOO_LARGE: Entry = Entry {
    id: "memory-too-large",
    area: Categories,
    severity: Warning,
    what: "a category is declared to need more memory than any node has",
    why: "No node can ever take a job of it; lower peak.memory in rolecast.toml, or add a node",
    command: "rolecast category show CATEGORY",
};

pub(in crate::doctor) const DEAD_LETTERS: Entry = Entry {
    id: "dead-letters",
    area: DeadLetters,
    severity: Warning,
    what: "jobs failed for good or expired",
    why: "They are kept with their payload until somebody retries or deletes them",
    command: "rolecast dead ls --category CATEGORY",
};

pub(in crate::doctor) const ROLE_VACANT: Entry = Entry {
    id: "role-vacant",
    area: Roles,
    severity: Trouble,
    what: "a managed role has fewer holders than it should have",
    why: "Jobs for it wait, and the service behind it does not run",
    command: "rolecast role ls --verbose",
};

pub(in crate::doctor) const ROLE_CHANGE_STUCK: Entry = Entry {
    id: "role-change-stuck",
    area: Roles,
    severity: Warning,
    what: "the change of a role takes unusually long",
    why: "No other change of its group begins before it is over; a hook may hang",
    command: "rolecast role ls --verbose",
};

pub(in crate::doctor) const CAPACITY_SHORT: Entry = Entry {
    id: "capacity-short",
    area: Roles,
    severity: Warning,
    what: "the nodes of a role will not have the room for the jobs that are expected",
    why: "Jobs will wait; another node, or fewer jobs, is needed by then",
    command: "rolecast capacity",
};

pub(in crate::doctor) const ROLE_WITHOUT_SUCCESSOR: Entry = Entry {
    id: "role-without-successor",
    area: Roles,
    severity: Note,
    what: "no node but its holders offers a managed role",
    why: "If a holder is lost, nobody takes its place; add the role to offers in another \
          worker.toml",
    command: "rolecast role ls --verbose",
};

pub(in crate::doctor) const FORECAST_WORSE: Entry = Entry {
    id: "forecast-worse",
    area: Forecasts,
    severity: Note,
    what: "forecasts of a node are worse than if the last value were the forecast",
    why: "Jobs are placed by them; if this lasts, [forecast] mode = \"advisory\" counts them \
          without following them",
    command: "rolecast forecast NODE",
};

pub(in crate::doctor) const CONFIG_NOT_LOADED: Entry = Entry {
    id: "config-not-loaded",
    area: Settings,
    severity: Warning,
    what: "the dispatcher runs with another configuration than this file",
    why: "It reads its file only at its start; what was changed since does not count",
    command: "systemctl restart rolecast-dispatcher",
};

pub(in crate::doctor) const CATEGORY_UNUSED: Entry = Entry {
    id: "category-unused",
    area: Settings,
    severity: Note,
    what: "a category is declared, and there was no job of it and no node that runs it",
    why: "Either its name has a typing error in rolecast.toml or in worker.toml, or it can go",
    command: "rolecast category ls",
};

pub(in crate::doctor) const ROLE_UNUSED: Entry = Entry {
    id: "role-unused",
    area: Settings,
    severity: Note,
    what: "a managed role is declared and no node offers it",
    why: "Nobody can hold it; add it to offers in a worker.toml, or take it out of rolecast.toml",
    command: "rolecast role ls --verbose",
};

pub(in crate::doctor) const NODES_ENTRY_UNUSED: Entry = Entry {
    id: "nodes-entry-unused",
    area: Settings,
    severity: Note,
    what: "an entry under [nodes] in rolecast.toml matches no node",
    why: "Its limits apply to nobody: the name may have a typing error",
    command: "rolecast status --all",
};
