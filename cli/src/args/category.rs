//! Arguments of `rolecast category`.

use clap::Subcommand;
use rolecast_common::id::Category as Name;

/// Commands for categories.
#[derive(Debug, Subcommand)]
pub(crate) enum Category {
    /// List the categories: declared and learned needs, and waiting jobs
    Ls,
    /// Show one category
    Show {
        /// The category
        name: Name,
    },
}
