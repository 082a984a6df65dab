//! `rolecast permissions`: prints the rights of each party.

use anyhow::anyhow;
use rolecast_common::rights::{Login, authorization, inbox, nsc, server};

use super::failure::Failure;
use super::terminal::Terminal;
use crate::args::permissions::Permissions;
use crate::exit::Exit;
use crate::view::permissions::to_json;

pub(crate) fn run(asked: &Permissions, terminal: &Terminal) -> Result<Exit, Failure> {
    let logins = logins(asked).map_err(Failure::usage)?;
    if terminal.json {
        terminal.print_document(&to_json(&logins))?;
        return Ok(Exit::Fine);
    }
    let text = match (asked.nsc, asked.all) {
        (true, _) => nsc(&logins),
        (false, true) => server(&logins),
        (false, false) => authorization(&logins),
    };
    terminal.print(&text)?;
    Ok(Exit::Fine)
}

fn logins(asked: &Permissions) -> anyhow::Result<Vec<Login>> {
    let parties = asked.parties();
    if parties.is_empty() {
        return Err(anyhow!(
            "name a party: --node, --producer, --dispatcher, --operator, --viewer, or --all"
        ));
    }
    if let Some(name) = &asked.login {
        let [party] = parties.as_slice() else {
            return Err(anyhow!("--login is for one party; select one"));
        };
        if inbox(name).is_none() {
            return Err(anyhow!(
                "--login {name:?}: write up to 64 letters, digits, - and _; it is part of subjects"
            ));
        }
        return Ok(vec![Login::new(party, name)]);
    }
    let logins = parties.iter().map(|party| Login::new(party, party.user()));
    let mut logins: Vec<Login> = logins.collect();
    if asked.all {
        logins.push(Login::admin());
    }
    Ok(logins)
}
