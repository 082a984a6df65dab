//! Words in which the programs report the same things to people: quantities, changes of
//! roles, decisions, and text of others made safe to show.

mod decision;
mod figures;
mod quantity;
mod role;
mod text;

pub use decision::{Emphasis, sentence};
pub use figures::{brief, line};
pub use quantity::{ahead, amounts, arrivals, cores, counted, length, rate, seconds};
pub use role::{course, figures_of, path, under_way, why};
pub use text::{harmless, one_line, printable};
