//! Rights of each party as a document for programs.

use rolecast_common::rights::{Action, Login, Right};
use serde_json::{Value, json};

/// Returns the logins with their rights; one without any list may do anything.
pub(crate) fn to_json(logins: &[Login]) -> Value {
    let logins: Vec<Value> = logins.iter().map(login).collect();
    json!({ "logins": logins })
}

fn login(login: &Login) -> Value {
    let mut value = json!({ "user": login.user, "about": login.about });
    if login.rights.is_empty() {
        return value;
    }
    for action in [Action::Publish, Action::Subscribe] {
        let rights = login.rights.iter();
        let rights = rights.filter(|right| right.action == action);
        value[action.as_str()] = rights.map(right).collect();
    }
    value
}

fn right(right: &Right) -> Value {
    json!({ "subject": right.subject, "purpose": right.purpose })
}

#[cfg(test)]
mod tests {
    use rolecast_common::rights::Party;

    use super::*;

    #[test]
    fn each_right_is_listed_with_what_it_is_for() {
        let document = to_json(&[Login::new(&Party::Viewer, "eye"), Login::admin()]);
        let viewer = &document["logins"][0];
        assert_eq!(viewer["subscribe"][0]["subject"], "_INBOX.eye.>");
        assert_eq!(
            viewer["publish"][0]["purpose"],
            "requests to the dispatcher"
        );
        assert!(document["logins"][1].get("publish").is_none());
    }
}
