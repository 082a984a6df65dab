//! Readable quantities, in the words that all views share.

pub(crate) use rolecast_common::words::{cores, counted, length, seconds};
