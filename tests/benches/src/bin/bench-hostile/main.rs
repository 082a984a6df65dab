//! `bench-hostile`: the normal load beside one party that abuses its rights.
//!
//! For each attack a fresh nats-server, a dispatcher and three workers of the Rust
//! library run a steady load of jobs that do nothing. The time of jobs from their
//! submission to their record is measured first without the attack, then with it. In the
//! end every job that was acknowledged has to be recorded as completed, by one of the
//! three workers; no record may exist beside those; and a message that another
//! application's consumer has in hand must still be there. The last line printed is one
//! JSON object.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark lives in real time and prints its result"
)]

mod attack;
mod load;
mod report;
mod system;

use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use attack::Attack;
use report::Row;
use system::System;

/// The time that an attack lasts before it is measured: by then the dispatcher knows
/// everything that was new to it at the beginning.
const SETTLE: Duration = Duration::from_secs(5);

/// Measures what one hostile party does to everybody else.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Jobs a second
    #[arg(long, default_value_t = 200)]
    rate: u64,
    /// Only attacks whose name has this in it
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
}

/// What a child process of the benchmark does.
#[derive(Debug, Subcommand)]
enum Role {
    /// A worker of the Rust library
    Worker { url: String, name: String },
    /// A hostile party
    Attack {
        name: String,
        url: String,
        foreign: String,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(Role::Worker { url, name }) => return system::work(&url, &name).await,
        Some(Role::Attack { name, url, foreign }) => {
            let mut all = Attack::ALL.into_iter();
            let attack = all.find(|attack| attack.name() == name);
            let attack = attack.context("it is an attack's name")?;
            return attack.run(&url, foreign).await;
        }
        None => {}
    }
    let meant = Attack::ALL.into_iter();
    let meant = meant.filter(|attack| attack.name().contains(&arguments.only));
    let mut rows = Vec::new();
    for attack in meant {
        let row = measure(attack, &arguments).await?;
        eprintln!("{}", row.line());
        rows.push(row);
    }
    report::print(&rows)
}

async fn measure(attack: Attack, arguments: &Arguments) -> anyhow::Result<Row> {
    let length = Duration::from_secs(arguments.seconds);
    let system = System::start().await?;
    let mut load = load::Load::start(&system).await?;
    load.run(arguments.rate, Duration::from_secs(3)).await?;
    let idle = load.run(arguments.rate, length).await?;
    let foreign = system.hold_foreign_message().await?;
    let mut attacker = attack.begin(&system, &foreign)?;
    let settling = load.run(arguments.rate, SETTLE).await?;
    let attacked = load.run(arguments.rate, length).await?;
    let rss_mib = system.dispatcher_rss_mib();
    anyhow::ensure!(attacker.is_running(), "the attack has ended by itself");
    drop(attacker);
    let counts = load.settle().await?;
    Ok(Row {
        attack: attack.name(),
        jobs: counts.acked,
        jobs_lost: counts.lost,
        forged_records: counts.forged,
        foreign_acks: u64::from(system.is_foreign_acked().await?),
        idle,
        settling,
        attacked,
        rss_mib,
        exits: u64::from(!system.is_dispatcher_running()),
    })
}
