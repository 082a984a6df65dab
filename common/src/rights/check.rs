//! Finds the rights that a login lacks, from the permissions that the server reports.

use serde::Deserialize;

use super::{Action, Right};

/// The permissions of a login as the server reports them. Without a list everything is
/// allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Allowed {
    publish: Subjects,
    subscribe: Subjects,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Subjects {
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Answer {
    data: Option<Login>,
}

#[derive(Deserialize)]
struct Login {
    permissions: Option<Allowed>,
}

impl Allowed {
    /// Reads the server's answer; `None` if it is not one.
    pub fn read(answer: &[u8]) -> Option<Self> {
        let answer: Answer = serde_json::from_slice(answer).ok()?;
        Some(answer.data?.permissions.unwrap_or_default())
    }

    fn has(&self, right: &Right) -> bool {
        let subjects = match right.action {
            Action::Publish => &self.publish,
            Action::Subscribe => &self.subscribe,
        };
        let covers = |pattern: &String| covers(pattern, &right.subject);
        let allow = subjects.allow.as_deref().unwrap_or_default();
        let deny = subjects.deny.as_deref().unwrap_or_default();
        (allow.is_empty() || allow.iter().any(covers)) && !deny.iter().any(covers)
    }
}

/// Returns the rights that are not among what is allowed.
pub fn missing(rights: &[Right], allowed: &Allowed) -> Vec<Right> {
    let lacking = rights.iter().filter(|right| !allowed.has(right));
    lacking.cloned().collect()
}

/// Returns whether a pattern matches everything that another one matches. A pattern that
/// several patterns cover only together counts as not covered.
fn covers(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for part in pattern.split('.') {
        match (part, tokens.next()) {
            (">", token) => return token.is_some(),
            (_, None | Some(">")) => return false,
            ("*", Some(_)) => {}
            (part, Some(token)) if part == token => {}
            (_, Some(_)) => return false,
        }
    }
    tokens.next().is_none()
}
