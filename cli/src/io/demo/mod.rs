//! `rolecast demo`: the real programs on one machine, with a worker killed halfway.
//!
//! In order: find the programs, start them in a temporary directory, submit the jobs
//! while nodes have work of their own, kill a worker, wait for the last job, read every
//! record back, report, clean up.

mod cluster;
mod cores;
mod display;
mod input;
mod load;
mod own_load;
mod page;
mod play;
mod programs;
mod records;
mod setup;
mod surprise;

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use self::cluster::Cluster;
use self::programs::Programs;
use super::failure::Failure;
use super::terminal::Terminal;
use crate::args::demo::Demo;
use crate::config::Environment;
use crate::demo::comparison::Comparison;
use crate::demo::corpus::Corpus;
use crate::demo::fate::Kill;
use crate::demo::fleet::TOOLS;
use crate::demo::logins::{ADMIN, OPERATOR, url_as};
use crate::demo::plan::plan;
use crate::demo::report::Report;
use crate::demo::tally::Tally;
use crate::exit::Exit;
use crate::style::{Tone, printable};

pub(crate) async fn run(
    demo: &Demo,
    environment: &Environment,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let interrupted = interrupted()?;
    let corpus = corpus(demo, terminal)?;
    let programs = Programs::find(environment)?;
    let mut cluster = Cluster::new(environment)?;
    let ended = tokio::select! {
        ended = perform(demo, &programs, corpus, &mut cluster, terminal) => ended,
        name = interrupted => {
            let text = format!("ended by {name}; everything it started is gone");
            drop(cluster);
            return Err(Failure::new(Exit::Failed, text));
        }
    };
    if matches!(&ended, Ok(stage) if stage.exit != Exit::Fine) {
        terminal.note(&cluster.log_tail("dispatcher"));
    }
    if demo.keep {
        own_load::end_all(&cluster);
        let url = ended.as_ref().ok().map(|stage| stage.url.as_str());
        keep(cluster, url, terminal);
    } else {
        terminal.note(&terminal.notes.paint(Tone::Faint, "cleaning up"));
        drop(cluster);
    }
    Ok(ended?.exit)
}

/// Result of the demonstration: the server's URL, and the exit code.
#[derive(Debug)]
struct Stage {
    url: String,
    exit: Exit,
}

fn corpus(demo: &Demo, terminal: &Terminal) -> anyhow::Result<Corpus> {
    let text = input::read(&demo.input)?;
    let largest = TOOLS.iter().map(|tool| tool.payload_len).max();
    let corpus = Corpus::new(text, largest.unwrap_or_default());
    let source = if corpus.is_built_in() {
        "the program's own source".to_owned()
    } else {
        format!("text below {}", demo.input.display())
    };
    let size = rolecast_common::unit::Bytes::new(u64::try_from(corpus.len())?);
    terminal.note(&format!("input: {size} of {source}"));
    Ok(corpus)
}

async fn perform(
    demo: &Demo,
    programs: &Programs,
    corpus: Corpus,
    cluster: &mut Cluster,
    terminal: &Terminal,
) -> Result<Stage, Failure> {
    let setup::Stage {
        session,
        audience,
        url,
    } = setup::start(programs, cluster, terminal).await?;
    let page = page::address(cluster);
    if let Some(address) = &page {
        terminal.note(&format!("the page: http://{address}/"));
    }
    let plan = plan(demo.jobs);
    let show = play::Show {
        session: &session,
        audience: &audience,
        terminal,
        kills: !demo.no_kill,
    };
    let played = show.play(&plan, corpus, cluster).await?;
    let records = records::read_back(&session, &plan).await?;
    let mut tally = Tally::default();
    for planned in &plan {
        tally.add(&planned.job, records.get(&planned.job));
    }
    let report = Report {
        submitted: plan.len(),
        tally: &tally,
        records: &records,
        kill: played.kill.as_ref(),
        comparison: &Comparison::new(&plan, &records),
        took: played.took,
    };
    if terminal.json {
        terminal.print_document(&report.json())?;
    } else {
        terminal.print(&report.text(terminal.palette))?;
    }
    if !demo.no_roles {
        let act = surprise::Act {
            session: &session,
            terminal,
            worker: &programs.worker,
            url: &url,
        };
        let killed = played.kill.as_ref().map(|kill| kill.node.as_str());
        act.play(cluster, killed).await?;
    }
    if let Some(address) = &page {
        let shown = page::summary(address).await;
        let shown = shown.unwrap_or_else(|error| format!("it cannot be read: {error:#}"));
        terminal.note(&format!("the page shows: {}", printable(&shown)));
    }
    let exit = if tally.is_flawless() {
        Exit::Fine
    } else {
        Exit::Failed
    };
    Ok(Stage { url, exit })
}

/// Results of playing the jobs.
#[derive(Debug)]
struct Played {
    took: Duration,
    kill: Option<Kill>,
}

/// Prints how to use the programs that continue to run.
fn keep(cluster: Cluster, url: Option<&str>, terminal: &Terminal) {
    let page = page::address(&cluster);
    let (processes, directory) = cluster.keep();
    let mut text = format!("\nEverything keeps running, in {}\n", directory.display());
    if let Some(url) = url {
        let (operator, admin) = (url_as(url, OPERATOR), url_as(url, ADMIN));
        text.push_str(&format!(
            "\n  export NATS_URL={operator}\n  rolecast status\n  \
             rolecast submit count --data 'to be or not to be' --wait\n  \
             nats pub rolecast.jobs.hash 'some bytes'\n  \
             nats --server {admin} stream ls\n"
        ));
    }
    if let Some(address) = page {
        text.push_str(&format!("\nThe page: http://{address}/\n"));
    }
    let ids: Vec<String> = processes.iter().map(|(_, id)| id.to_string()).collect();
    let names: Vec<&str> = processes.iter().map(|(name, _)| name.as_str()).collect();
    text.push_str(&format!(
        "\nTo end it ({}):\n\n  kill {}\n  rm -r {}",
        names.join(", "),
        ids.join(" "),
        directory.display(),
    ));
    terminal.note(&text);
}

/// Returns a future that waits for a signal that asks this program to end; it listens
/// from the call on.
fn interrupted() -> anyhow::Result<impl Future<Output = &'static str>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "an interrupt",
            _ = terminate.recv() => "SIGTERM",
            _ = hangup.recv() => "SIGHUP",
        }
    })
}
