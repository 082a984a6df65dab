//! Output of the commands: pure functions from data to text.

pub(crate) mod backtest;
pub(crate) mod cancel;
pub(crate) mod capacity;
pub(crate) mod category;
pub(crate) mod dead;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod forecast;
mod hindsight;
pub(crate) mod job;
pub(crate) mod job_list;
pub(crate) mod node;
pub(crate) mod nodes;
pub(crate) mod permissions;
pub(crate) mod plot;
pub(crate) mod role;
pub(crate) mod simulate;
pub(crate) mod status;
