//! Permission violations that the server reports: logged once for each subject.

use std::sync::Arc;

use rolecast_common::rights::Action;
use tokio::sync::watch;

/// Subjects that are reported; a subject may name a message, so their number has no
/// limit.
const SUBJECTS_MAX: usize = 16;
/// Characters that are kept of a subject and of the server's text.
const LEN_MAX: usize = 300;

/// A refusal of one action on a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Whether a publication or a subscription was refused.
    pub action: Action,
    /// The subject, at most 300 characters of it.
    pub subject: String,
}

impl Violation {
    /// Reads `Permissions Violation for Publish to "a.b"` and
    /// `Permissions Violation for Subscription to "a.b"`.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("ermissions Violation for ")?;
        let (action, rest) = rest.split_once(" to \"")?;
        let action = match action {
            "Publish" => Action::Publish,
            "Subscription" => Action::Subscribe,
            _ => return None,
        };
        let (subject, _) = rest.split_once('"')?;
        let subject = subject.chars().take(LEN_MAX).collect();
        Some(Self { action, subject })
    }
}

/// The refusals of a connection; copies share them.
#[derive(Clone, Debug)]
pub(super) struct Violations {
    last: Arc<watch::Sender<Option<String>>>,
    reported: Arc<watch::Sender<Vec<Violation>>>,
}

impl Violations {
    pub(super) fn new() -> Self {
        let (last, _) = watch::channel(None);
        let (reported, _) = watch::channel(Vec::new());
        Self {
            last: Arc::new(last),
            reported: Arc::new(reported),
        }
    }

    /// Takes the server's text, and reports a new violation.
    pub(super) fn record(&self, party: &str, text: &str) {
        let text: String = text.chars().take(LEN_MAX).collect();
        match Violation::parse(&text) {
            Some(violation) => self.report(party, violation),
            None => tracing::error!(event = "nats_permission", party, "NATS refused: {text}"),
        }
        self.last.send_replace(Some(text));
    }

    fn report(&self, party: &str, violation: Violation) {
        let mut count = 0;
        let is_new = self.reported.send_if_modified(|reported| {
            let is_new = reported.len() < SUBJECTS_MAX && !reported.contains(&violation);
            if is_new {
                reported.push(violation.clone());
            }
            count = reported.len();
            is_new
        });
        if !is_new {
            return;
        }
        let Violation { action, subject } = violation;
        tracing::error!(
            event = "nats_permission",
            party,
            action = action.as_str(),
            subject,
            "NATS refused for want of a right; `rolecast permissions` prints those that are needed"
        );
        if count == SUBJECTS_MAX {
            tracing::error!(
                event = "nats_permission",
                party,
                "NATS refused {count} subjects; more are not reported"
            );
        }
    }

    pub(super) fn take_last(&self) -> Option<String> {
        self.last.send_replace(None)
    }

    /// Waits until the last refusal is about this subject.
    pub(super) async fn wait_for(&self, subject: &str) {
        let is_about = |last: &Option<String>| {
            let last = last.as_ref();
            last.is_some_and(|text| text.contains(subject))
        };
        // This holds the sender.
        let _ = self.last.subscribe().wait_for(is_about).await;
    }

    pub(super) fn reported(&self) -> watch::Receiver<Vec<Violation>> {
        self.reported.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISH: &str = "Permissions Violation for Publish to \"$JS.API.INFO\"";

    #[test]
    fn a_refusal_shows_what_was_to_be_done_to_which_subject() {
        let read = |text: &str| Violation::parse(text).map(|found| (found.action, found.subject));
        let subject = |text: &str| text.to_owned();
        assert_eq!(
            read(PUBLISH),
            Some((Action::Publish, subject("$JS.API.INFO")))
        );
        let text = "Permissions Violation for Subscription to \"a.>\" using queue \"q\"";
        assert_eq!(read(text), Some((Action::Subscribe, subject("a.>"))));
        for other in ["", "Permissions Violation", "Maximum Payload Violation"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn a_subject_is_reported_once_and_subjects_have_an_end() {
        let violations = Violations::new();
        for _ in 0..3 {
            violations.record("test", PUBLISH);
        }
        assert_eq!(violations.reported().borrow().len(), 1);
        assert_eq!(violations.take_last().as_deref(), Some(PUBLISH));
        assert_eq!(violations.take_last(), None);
        for i in 0..100 {
            let text = format!("Permissions Violation for Publish to \"a.{i}\"");
            violations.record("test", &text);
        }
        assert_eq!(violations.reported().borrow().len(), SUBJECTS_MAX);
    }
}
