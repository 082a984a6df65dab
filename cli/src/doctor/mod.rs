//! Diagnosis of a whole system: findings from facts, each with the command that repairs it.
//!
//! `facts` are what `io::doctor` could gather; `checks` derive the findings from them, and
//! `catalogue` lists all findings that there are. `docs/doctor.md` is made of it.

pub(crate) mod area;
pub(crate) mod catalogue;
mod checks;
pub(crate) mod facts;
pub(crate) mod finding;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use checks::{check, is_settling};
