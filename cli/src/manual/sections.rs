//! Sections of man pages that no command line contains.

/// A section, and the pages that have it.
pub(super) struct Entry {
    pub(super) title: &'static str,
    pub(super) pages: &'static [&'static str],
    /// Terms, with a sentence for each.
    pub(super) lines: &'static [(&'static str, &'static str)],
}

const DISPATCHER: &str = "rolecast-dispatcher";
const WORKER: &str = "rolecast-worker";

/// The pages that each page refers to.
pub(super) const SEE_ALSO: &[(&str, &str)] = &[
    ("rolecast", "1"),
    (DISPATCHER, "8"),
    (WORKER, "8"),
    ("rolecast.toml", "5"),
    ("rolecast-worker.toml", "5"),
];

/// In the order of their sections.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        title: "ENVIRONMENT",
        pages: &["rolecast", DISPATCHER, WORKER],
        lines: &[
            (
                "NATS_URL, NATS_CONTEXT, NATS_CREDS, NATS_NKEY, NATS_USER, NATS_PASSWORD, NATS_TOKEN",
                "The address of NATS and the login, as for the nats command. Flags take \
                 precedence over them, and they over the configuration.",
            ),
            (
                "NATS_CA, NATS_CERT, NATS_KEY",
                "The certificate authority to trust, and a client certificate with its key.",
            ),
            (
                "NATS_INBOX_PREFIX, NATS_JS_DOMAIN",
                "The prefix of inboxes, and the domain of JetStream.",
            ),
        ],
    },
    Entry {
        title: "ENVIRONMENT OF SERVICES",
        pages: &[DISPATCHER, WORKER],
        lines: &[
            (
                "RUST_LOG",
                "A filter of log lines, such as warn or rolecast_worker=debug.",
            ),
            (
                "NOTIFY_SOCKET, WATCHDOG_USEC",
                "Set by systemd for a unit of Type=notify: the program reports when it is \
                 ready, one line on its state, and signs of life.",
            ),
        ],
    },
    Entry {
        title: "ENVIRONMENT OF A WORKER AND ITS JOBS",
        pages: &[WORKER],
        lines: &[
            (
                "STATE_DIRECTORY",
                "The directory of the largest epoch, unless the configuration names one; \
                 systemd sets it.",
            ),
            (
                "ROLECAST_JOB_ID, ROLECAST_ATTEMPT, ROLECAST_CATEGORY, ROLECAST_DEADLINE, ROLECAST_NODE, ROLECAST_ROLES",
                "Set for each job. Of the worker's own environment jobs get only the \
                 variables that the configuration lists.",
            ),
        ],
    },
    Entry {
        title: "FILES",
        pages: &["rolecast"],
        lines: &[(
            "~/.config/nats/context",
            "The contexts of the nats command, which select a server and a login.",
        )],
    },
    Entry {
        title: "FILES",
        pages: &[DISPATCHER],
        lines: &[
            (
                "/etc/rolecast/rolecast.toml",
                "The configuration that the unit rolecast-dispatcher.service names. A \
                 dispatcher keeps its state in NATS, and nothing on its host.",
            ),
            (
                "/etc/credstore/rolecast-dispatcher.creds",
                "A login that only root can read. The unit passes it on, and the \
                 configuration names it as \
                 /run/credentials/rolecast-dispatcher.service/rolecast-dispatcher.creds.",
            ),
        ],
    },
    Entry {
        title: "FILES",
        pages: &[WORKER],
        lines: &[
            (
                "/etc/rolecast/worker.toml",
                "The configuration that the unit rolecast-worker.service names.",
            ),
            (
                "/var/lib/rolecast-worker",
                "The state of a worker that offers roles: the largest epoch that it has seen.",
            ),
            (
                "/etc/credstore/rolecast-worker.creds",
                "A login that only root can read. The unit passes it on, and the \
                 configuration names it as \
                 /run/credentials/rolecast-worker.service/rolecast-worker.creds.",
            ),
        ],
    },
    Entry {
        title: "SIGNALS",
        pages: &[DISPATCHER],
        lines: &[(
            "SIGTERM, SIGINT, SIGHUP",
            "End the dispatcher: it records the outcomes that have arrived, within 5 seconds, \
             and gives the lead to a standby. Running jobs continue.",
        )],
    },
    Entry {
        title: "SIGNALS",
        pages: &[WORKER],
        lines: &[(
            "SIGTERM, SIGINT, SIGHUP",
            "Drain the worker: it takes no new jobs and ends when those that run have ended, \
             or when the grace time is over. A second SIGTERM or SIGINT ends the grace time.",
        )],
    },
];
