//! Error of a command, with the exit code that it ends with.

use std::io::ErrorKind;

use crate::exit::Exit;

/// The reason why a command ended without its result.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        let error = anyhow::Error::msg(text.into());
        Self { exit, error }
    }

    /// Returns the failure of a service that does not answer.
    pub(crate) fn unreachable(error: anyhow::Error) -> Self {
        let exit = Exit::Unreachable;
        Self { exit, error }
    }

    pub(crate) fn usage(error: anyhow::Error) -> Self {
        let exit = Exit::Usage;
        Self { exit, error }
    }

    /// Returns the error and its causes, without a cause that the text before it already
    /// ends with.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for cause in self.error.chain() {
            let cause = cause.to_string();
            if text.ends_with(&cause) {
                continue;
            }
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
        text
    }

    pub(crate) fn is_broken_pipe(&self) -> bool {
        let cause = self.error.downcast_ref::<std::io::Error>();
        cause.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let exit = Exit::Failed;
        let error = error.into();
        Self { exit, error }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_cause_is_reported_once() {
        let error = anyhow!("refused").context("io: refused").context("a");
        assert_eq!(Failure::unreachable(error).text(), "a: io: refused");
    }
}
