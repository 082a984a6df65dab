//! Rows of the lists: from the picture to cells.

pub(super) mod categories;
pub(super) mod jobs;
pub(super) mod nodes;
pub(super) mod roles;
