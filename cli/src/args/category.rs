//! Arguments of `rolecast category`.

use clap::Subcommand;
use rolecast_common::id::Category as Name;

/// What to know about categories.
#[derive(Debug, Subcommand)]
pub(crate) enum Category {
    /// List them: what their jobs need, as declared and as learned, and how many wait
    Ls,
    /// Show one
    Show {
        /// The category
        name: Name,
    },
}
