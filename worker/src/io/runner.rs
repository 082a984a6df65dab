//! Runners: the function or the command that runs the jobs of a category.

use std::fmt;
use std::sync::Arc;

use super::handler::Launch;
use crate::agent::Limits;
use crate::command::Command;
use crate::confinement::Confinement;

/// The jobs of one category: their limits, and the program that runs them.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) limits: Limits,
    pub(super) program: Program,
}

pub(super) enum Program {
    Handler(Launch),
    Command(Arc<Command>),
}

impl Runner {
    pub(super) fn confinement(&self) -> Option<&Confinement> {
        match &self.program {
            Program::Command(command) => command.confinement.as_ref(),
            Program::Handler(_) => None,
        }
    }

    pub(super) fn is_handler(&self) -> bool {
        matches!(self.program, Program::Handler(_))
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Program::Handler(_) => f.write_str("Handler"),
            Program::Command(command) => command.fmt(f),
        }
    }
}
