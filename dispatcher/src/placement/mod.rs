//! The choice of a node for a job.
//!
//! First the nodes that may take it: alive, not draining, offers the category, has a role
//! for it and the labels it requires, a free slot, and the memory at its predicted peak
//! (a hard limit, because over-commit kills). Then, among those, the node where its
//! predicted completion costs least, and chance between equals. If even there it would be
//! slowed down too much, a long job is held back for a while, so that short ones have
//! room.
//!
//! Read on in this order: `request` (a job to be placed), `choice` (the steps of the
//! choice), `hold` and `keyed` (two of them), `survey` (looks at every node), `placer` with
//! `description` and `fit` (nodes that suit a job), `board` with `row`, `jobs`, `class` and
//! `tree` (all nodes, indexed), `cost` (cost of a job on a node), `feedback` (learning from
//! completions), [`decision`] (the record of a choice).

mod board;
mod choice;
mod class;
mod cost;
pub mod decision;
mod description;
mod feedback;
mod fit;
mod hold;
mod index;
mod jobs;
mod keyed;
mod placer;
mod request;
mod row;
mod shortfall;
mod survey;
mod tree;

pub use board::Board;
pub use choice::Choice;
pub use cost::{Amounts, Foreseen, Needs, NodeFigures, Outlook, amounts, resources};
pub(crate) use description::Description;
pub(crate) use feedback::{Experience, Feedback, Prediction};
pub(crate) use fit::Availability;
pub use fit::{Fit, Obstacle};
pub use index::{CategoryIndex, ClassIndex, Slot};
pub(crate) use placer::Placer;
pub use request::{Alone, Request};
pub(crate) use shortfall::Shortfall;

#[cfg(test)]
mod tests;
