//! Connection, server and login.

use rolecast_common::unit::Bytes;
use rolecast_nats::parse_version;

use crate::doctor::area::Area;
use crate::doctor::catalogue::nats::{
    LOGIN_REFUSED, MAX_PAYLOAD_SMALL, NATS_UNREACHABLE, RIGHTS_MISSING, SERVER_FAULTS,
    SERVER_LEAVING, SERVER_TOO_OLD,
};
use crate::doctor::facts::{Facts, Login, Part, Reach, Server};
use crate::doctor::finding::{Finding, Report};
use crate::style::one_line;

type Version = (u64, u64, u64);

/// The server's default, which all sizes of messages are made for.
const MAX_PAYLOAD: usize = 1024 * 1024;
const NAME_CHARS_MAX: usize = 32;
/// Rights that are named in one line.
const RIGHTS_SHOWN: usize = 3;

/// Faults of nats-server that hurt a queue or a bucket: versions from, up to and without,
/// and the fault, from its release notes and issues.
const FAULTS: [(Version, Version, &str); 4] = [
    (
        (2, 12, 7),
        (2, 12, 10),
        "after a restart, keys that are rarely written may not be found (nats-server 8254): the \
         lease and roles are such keys",
    ),
    (
        (2, 14, 0),
        (2, 14, 1),
        "ids of messages may be lost when a stream's leader changes (nats-server 8106), so a job \
         that is submitted again runs twice",
    ),
    (
        (2, 12, 0),
        (2, 12, 16),
        "a consumer that is created and refused may destroy the existing one (nats-server 8491), \
         and sync_interval: always has gaps (8475)",
    ),
    (
        (2, 14, 0),
        (2, 14, 6),
        "a consumer that is created and refused may destroy the existing one (nats-server 8491), \
         and sync_interval: always has gaps (8475)",
    ),
];

pub(super) fn check(facts: &Facts, report: &mut Report) {
    match &facts.reach {
        Reach::Connected(server) => {
            report.checked(Area::Connection, format!("connected to {}", server.url));
            of_server(server, report);
            of_login(&facts.login, report);
            return;
        }
        Reach::TooOld(why) => report.find(Finding::new(&SERVER_TOO_OLD, why)),
        Reach::LoginRefused(why) => report.find(Finding::new(&LOGIN_REFUSED, why)),
        Reach::Unreachable(why) => report.find(Finding::new(&NATS_UNREACHABLE, why)),
    }
    let others = Area::ALL
        .into_iter()
        .filter(|area| *area != Area::Connection);
    for area in others {
        report.not_checked(area, "there is no connection to NATS");
    }
}

fn of_server(server: &Server, report: &mut Report) {
    let Server {
        name,
        version,
        cluster,
        max_payload,
        ..
    } = server;
    // A server without a name of its own has its id, which is long.
    let shown = one_line(name, NAME_CHARS_MAX);
    let place = cluster.as_ref().map(|name| format!(", cluster {name}"));
    report.checked(
        Area::Server,
        format!(
            "nats-server {version} ({shown}{})",
            place.unwrap_or_default()
        ),
    );
    let found = parse_version(version);
    let faults = FAULTS
        .iter()
        .filter(|(from, until, _)| found.is_some_and(|found| (*from..*until).contains(&found)));
    report.find_all(faults.map(|(_, _, fault)| {
        let what = format!("nats-server {version}: {fault}; run 2.15.1 or later");
        Finding::new(&SERVER_FAULTS, what)
    }));
    if server.is_leaving {
        let what = format!("nats-server {name} is in lame duck mode and ends soon");
        report.find(Finding::new(&SERVER_LEAVING, what));
    }
    if *max_payload < MAX_PAYLOAD {
        let max = u64::try_from(*max_payload).unwrap_or(u64::MAX);
        let what = format!(
            "max_payload of nats-server {name} is {}; raise it to 1MB in its configuration and \
             reload that",
            Bytes::new(max)
        );
        report.find(Finding::new(&MAX_PAYLOAD_SMALL, what));
    }
}

fn of_login(login: &Part<Login>, report: &mut Report) {
    let login = match login {
        Part::Known(login) => login,
        Part::Unknown(why) => return report.not_checked(Area::Login, why),
    };
    let (party, lacks) = match login.is_operator {
        true => ("an operator", &login.lacks_of_operator),
        false => ("a viewer", &login.lacks_of_viewer),
    };
    report.checked(Area::Login, format!("the rights of {party}"));
    if lacks.is_empty() {
        return;
    }
    let named = lacks.iter().take(RIGHTS_SHOWN);
    let named: Vec<String> = named.map(ToString::to_string).collect();
    let rest = lacks.len() - named.len();
    let more = match rest {
        0 => String::new(),
        rest => format!(", and {rest} more"),
    };
    let what = format!(
        "this login has rights of {party} and lacks {} of them: {}{more}",
        lacks.len(),
        named.join(", ")
    );
    let flag = if login.is_operator {
        "operator"
    } else {
        "viewer"
    };
    let command = format!("rolecast permissions --{flag}");
    report.find(Finding::new(&RIGHTS_MISSING, what).by(command));
}
