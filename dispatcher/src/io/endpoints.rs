//! Endpoints of the dispatcher below `rolecast.api.`: their subjects and descriptions.

use rolecast_common::subjects;

/// A kind of request that the leader answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Status,
    Job,
    Jobs,
    Node,
    Capacity,
    Forecast,
    Explain,
    Decision,
    Events,
    Logs,
    Cancel,
    Roles,
    RoleOrder,
}

impl Endpoint {
    pub(super) const ALL: [Endpoint; 13] = [
        Endpoint::Status,
        Endpoint::Job,
        Endpoint::Jobs,
        Endpoint::Node,
        Endpoint::Capacity,
        Endpoint::Forecast,
        Endpoint::Explain,
        Endpoint::Decision,
        Endpoint::Events,
        Endpoint::Logs,
        Endpoint::Cancel,
        Endpoint::Roles,
        Endpoint::RoleOrder,
    ];

    /// Returns the endpoint with this subject.
    pub(super) fn of(subject: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|endpoint| endpoint.subject() == subject)
    }

    pub(super) fn subject(self) -> &'static str {
        match self {
            Endpoint::Status => subjects::API_STATUS,
            Endpoint::Job => subjects::API_JOB,
            Endpoint::Jobs => subjects::API_JOBS,
            Endpoint::Node => subjects::API_NODE,
            Endpoint::Capacity => subjects::API_CAPACITY,
            Endpoint::Forecast => subjects::API_FORECAST,
            Endpoint::Explain => subjects::API_EXPLAIN,
            Endpoint::Decision => subjects::API_DECISION,
            Endpoint::Events => subjects::API_EVENTS,
            Endpoint::Logs => subjects::API_LOGS,
            Endpoint::Cancel => subjects::API_CANCEL,
            Endpoint::Roles => subjects::API_ROLES,
            Endpoint::RoleOrder => subjects::API_ROLE_ORDER,
        }
    }

    /// Returns its name as an endpoint of a NATS service, which has no dots.
    pub(super) fn name(self) -> String {
        let all = subjects::API.trim_end_matches('>');
        self.subject().trim_start_matches(all).replace('.', "-")
    }

    /// Describes the answer.
    pub(super) fn description(self) -> &'static str {
        match self {
            Endpoint::Status => "nodes, categories, roles, counters and troubles, page by page",
            Endpoint::Job => "state of a job, and its record when it has ended",
            Endpoint::Jobs => "jobs that are held, page by page",
            Endpoint::Node => "a node, with its jobs in hand",
            Endpoint::Capacity => "room that the nodes of each role will have",
            Endpoint::Forecast => "forecast of a node",
            Endpoint::Explain => "node that a job of a category would get at this moment",
            Endpoint::Decision => "recorded decision about a job",
            Endpoint::Events => "events of the last day, page by page",
            Endpoint::Logs => "logs of the attempts at a job, one by one",
            Endpoint::Cancel => "cancels a job, or the jobs of a category by age",
            Endpoint::Roles => "holders of the managed roles",
            Endpoint::RoleOrder => "carries out an order that moves a role or drains a node",
        }
    }

    /// Describes the body of a request.
    pub(super) fn request(self) -> &'static str {
        match self {
            Endpoint::Status => r#"empty, or a page: {"v": 1, "after": {"node": "web-1"}}"#,
            Endpoint::Job => "id of the job, or # and its sequence",
            Endpoint::Jobs => r#"empty, or {"v": 1, "states": ["waiting"], "limit": 100}"#,
            Endpoint::Node => "id of the node",
            Endpoint::Capacity | Endpoint::Roles => "empty",
            Endpoint::Forecast => "id of the node",
            Endpoint::Explain => "category; headers Rolecast-Require and Rolecast-Key",
            Endpoint::Decision => "id of the job",
            Endpoint::Events => r#"empty, or a page: {"v": 1, "kind": "node", "after": 17}"#,
            Endpoint::Logs => r#"{"v": 1, "job": "order-7"}"#,
            Endpoint::Cancel => r#"{"v": 1, "job": "order-7", "by": "alice", "reason": "twice"}"#,
            Endpoint::RoleOrder => r#"{"v": 1, "order": {"drain": {"node": "web-1"}}}"#,
        }
    }
}

/// Returns the subjects of all endpoints as a list for people.
pub(super) fn listed() -> String {
    Endpoint::ALL.map(Endpoint::subject).join(", ")
}

#[cfg(test)]
mod tests {
    use rolecast_common::rights::{INBOX, Party, Place, rights};

    use super::*;

    #[test]
    fn operators_have_the_rights_to_all_endpoints_and_to_no_others() {
        let place = Place {
            api: "$JS.API".to_owned(),
            inbox: INBOX.to_owned(),
        };
        let granted = rights(&Party::Operator, &place).into_iter();
        let mut granted: Vec<String> = granted
            .map(|right| right.subject)
            .filter(|subject| subject.starts_with("rolecast.api."))
            .collect();
        let mut all = Endpoint::ALL.map(Endpoint::subject);
        granted.sort();
        all.sort_unstable();
        assert_eq!(granted, all);
    }

    #[test]
    fn each_endpoint_is_found_by_its_subject_and_has_a_name_that_nats_allows() {
        for endpoint in Endpoint::ALL {
            assert_eq!(Endpoint::of(endpoint.subject()), Some(endpoint));
            let name = endpoint.name();
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            assert!(!name.is_empty() && name.bytes().all(is_plain), "{name}");
        }
        assert_eq!(Endpoint::RoleOrder.name(), "roles-order");
        assert_eq!(Endpoint::of("rolecast.api.nothing"), None);
    }
}
