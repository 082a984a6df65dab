//! Metrics of the connection to NATS, the same for all programs.

use super::samples::Kind;
use super::table::Row;

/// The connection at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connection {
    pub is_up: bool,
    /// Connections made since the start.
    pub made: u64,
}

/// The table.
pub const ROWS: [Row<Connection>; 2] = [
    Row {
        name: "rolecast_nats_connected",
        kind: Kind::Gauge,
        help: "Whether there is a connection to NATS",
        labels: &[],
        bound: "1",
        read: |connection, samples| samples.count(&[], u64::from(connection.is_up)),
    },
    Row {
        name: "rolecast_nats_connections_total",
        kind: Kind::Counter,
        help: "Connections made to NATS; each but the first one is a reconnect",
        labels: &[],
        bound: "1",
        read: |connection, samples| samples.count(&[], connection.made),
    },
];
