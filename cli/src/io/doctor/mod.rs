//! `rolecast doctor`: gathers facts about everything, whatever is broken, and prints what
//! follows from them.

mod ask;
mod dispatchers;
mod fleet;
mod store;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::ConnectErrorKind;
use rolecast_common::rights::{Allowed, Party, Place, Right, missing, own_rights_request, rights};
use rolecast_dispatcher::config::{self, Config};
use rolecast_nats::{ServerTooOld, Settings, connect_once, nats_settings};
use tokio::time::{sleep, timeout};

use super::failure::Failure;
use super::session::Session;
use super::terminal::Terminal;
use crate::args::Global;
use crate::args::doctor::Doctor;
use crate::doctor::area::Area;
use crate::doctor::catalogue;
use crate::doctor::facts::{Facts, Lead, Login, Part, Reach, Server};
use crate::doctor::finding::Report;
use crate::doctor::{check, is_settling};
use crate::exit::Exit;
use crate::view::doctor::page;
use ask::{Asker, Unanswered};

/// Time limit of the connection: three times what a healthy server takes far away.
const CONNECT_MAX: Duration = Duration::from_secs(4);
/// Checks while a dispatcher sets the system up, and the pause after each: some 10 s.
const SETTLING_ROUNDS: u32 = 8;
const SETTLING_PAUSE: Duration = Duration::from_secs(1);
/// Time limit of one answer without `--timeout`. All but a few are requested at once, so
/// that the whole takes 10 s at most.
const ANSWER_MAX: Duration = Duration::from_secs(2);

pub(crate) async fn run(
    global: &Global,
    doctor: &Doctor,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    if doctor.list {
        list(terminal)?;
        return Ok(Exit::Fine);
    }
    let config = match &doctor.config {
        Some(path) => Some(read_config(path).map_err(Failure::usage)?),
        None => None,
    };
    let settings =
        nats_settings(global.nats.settings(), Settings::default()).map_err(Failure::usage)?;
    let report = settled(global, &settings, config, terminal).await;
    if terminal.json {
        terminal.print_document(&report)?;
    } else {
        terminal.print(&page(&report, terminal.palette))?;
    }
    // A finding about the connection is all that there is.
    let is_connected = report
        .checked
        .iter()
        .any(|checked| checked.area == Area::Connection);
    Ok(match is_connected {
        true => Exit::of_findings(report.gravest()),
        false => Exit::Unreachable,
    })
}

/// Checks everything, and again while a dispatcher sets the system up.
async fn settled(
    global: &Global,
    settings: &Settings,
    config: Option<Config>,
    terminal: &Terminal,
) -> Report {
    for round in 0..SETTLING_ROUNDS {
        let facts = gather(global, settings, config.clone()).await;
        let report = check(&facts);
        if !is_settling(&facts, &report) {
            return report;
        }
        if round == 0 && !terminal.json {
            terminal.note("a dispatcher sets the system up at this moment; waiting for it");
        }
        sleep(SETTLING_PAUSE).await;
    }
    check(&gather(global, settings, config).await)
}

fn list(terminal: &Terminal) -> Result<(), Failure> {
    if terminal.json {
        let all: Vec<_> = catalogue::all().collect();
        return terminal.print_document(&all);
    }
    Ok(terminal.print(&catalogue::markdown())?)
}

fn read_config(path: &Path) -> anyhow::Result<Config> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let read = config::parse(&text, &config::host_name());
    read.with_context(|| format!("{name} has mistakes; rolecast-dispatcher --check lists them"))
}

/// Gathers all facts; what cannot be known is marked with the reason.
async fn gather(global: &Global, settings: &Settings, config: Option<Config>) -> Facts {
    let limit = global.timeout.unwrap_or(ANSWER_MAX);
    let connect_max = global.timeout.unwrap_or(CONNECT_MAX);
    let connection = timeout(connect_max, connect_once(settings, "rolecast doctor")).await;
    let connection = match connection {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return Facts::without_connection(unreached(error)),
        Err(_) => {
            let why = format!(
                "cannot connect to NATS at {}: nothing answers within {} s; is nats-server frozen, \
                 or is a firewall in between?",
                settings.url(),
                connect_max.as_secs()
            );
            return Facts::without_connection(Reach::Unreachable(why));
        }
    };
    let session = Session::new(connection, settings, Some(limit));
    let mut asker = Asker::new(&session, settings);
    let (login, lead) = login(&mut asker).await;
    let reach = Reach::Connected(Box::new(server(&session, settings, lead)));
    let streams = config.as_ref().map(|config| config.streams);
    let (store, fleet) = tokio::join!(store::gather(&asker, streams), fleet::gather(&asker));
    let (later, forecasts) = tokio::join!(
        store::later(&asker, &store),
        fleet::forecasts(&asker, &fleet.answer)
    );
    let (decided, letters) = later;
    Facts {
        reach,
        login,
        account: store.account,
        streams: store.streams,
        consumers: store.consumers,
        fleet: fleet.answer,
        dispatchers: fleet.dispatchers,
        roles: fleet.roles,
        forecasts,
        decided,
        letters,
        config,
    }
}

fn unreached(error: anyhow::Error) -> Reach {
    let text = Failure::unreachable(error);
    let why = text.text();
    if text.error.is::<ServerTooOld>() {
        return Reach::TooOld(why);
    }
    let kind = text.error.downcast_ref::<async_nats::ConnectError>();
    match kind.map(async_nats::ConnectError::kind) {
        Some(ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation) => {
            Reach::LoginRefused(why)
        }
        Some(_) | None => Reach::Unreachable(why),
    }
}

fn server(session: &Session, settings: &Settings, lead: Option<Lead>) -> Server {
    let info = session.connection.client.server_info();
    let url = settings.url().split(',').map(without_login);
    let url: Vec<String> = url.collect();
    Server {
        url: url.join(", "),
        name: info.server_name,
        version: info.version,
        cluster: info.cluster,
        max_payload: info.max_payload,
        is_leaving: info.lame_duck_mode,
        lead,
    }
}

/// Leaves out a login in front of the host.
fn without_login(url: &str) -> String {
    let (scheme, rest) = url.trim().split_once("://").unwrap_or(("nats", url.trim()));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{host}")
}

/// Asks the server for the rights of this login, and for its time.
async fn login(asker: &mut Asker<'_>) -> (Part<Login>, Option<Lead>) {
    let answer = match asker.ask_server(own_rights_request()).await {
        Ok(answer) => answer,
        Err(Unanswered::Denied) => {
            // The server logs each refusal, so this one is enough.
            asker.lacking = of_operator_alone(&asker.place());
            let why = "this login may not ask for its own rights, so it counts as a viewer's; \
                       rolecast permissions --operator prints those of an operator";
            return (Part::Unknown(why.to_owned()), None);
        }
        Err(error) => return (Part::Unknown(error.to_string()), None),
    };
    let time = answer.value["server"]["time"].as_str();
    let lead = time.and_then(|time| answer.lead_of(time));
    let Some(allowed) = Allowed::read(answer.value.to_string().as_bytes()) else {
        let why = "the server does not report the rights of a login";
        return (Part::Unknown(why.to_owned()), lead);
    };
    let place = asker.place();
    let lacks = |party: &Party| missing(&rights(party, &place), &allowed);
    let lacks_of_operator = lacks(&Party::Operator);
    asker.lacking = subjects(&lacks_of_operator);
    // The right to this request alone makes no operator.
    let mut own = of_operator_alone(&place);
    own.remove(own_rights_request());
    let is_operator = own.iter().any(|subject| !asker.lacking.contains(subject));
    let login = Login {
        lacks_of_viewer: lacks(&Party::Viewer),
        lacks_of_operator,
        is_operator,
    };
    (Part::Known(login), lead)
}

/// Returns the subjects that an operator may use and a viewer may not.
fn of_operator_alone(place: &Place) -> BTreeSet<String> {
    let of_viewer = subjects(&rights(&Party::Viewer, place));
    let mut alone = subjects(&rights(&Party::Operator, place));
    alone.retain(|subject| !of_viewer.contains(subject));
    alone
}

fn subjects(rights: &[Right]) -> BTreeSet<String> {
    rights.iter().map(|right| right.subject.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_the_url_is_not_shown() {
        assert_eq!(without_login("nats://u:p@h:4222"), "nats://h:4222");
        assert_eq!(without_login(" tls://h:4222"), "tls://h:4222");
        assert_eq!(without_login("token@h"), "nats://h");
    }
}
