//! `fuzz`: tries each target of `rolecast_tests::fuzz` for a while, without a nightly
//! compiler; `make fuzz`.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the program draws a seed and prints its result"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use rolecast_tests::fuzz::run::{Broken, Until, run};
use rolecast_tests::fuzz::{TARGETS, Target};

/// Feeds every reader of what comes from outside with inputs that are almost right.
///
/// Ends with status 1 when an input breaks a rule, and keeps that input. Put it into
/// tests/fuzz/corpus/TARGET/ once the fault is fixed: every run of the tests tries it.
#[derive(Debug, Parser)]
struct Arguments {
    /// Try these targets only
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
    /// How long each is tried
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Decides what is tried; drawn at random unless given
    #[arg(long)]
    seed: Option<u64>,
    /// Write the seeds of each target below this directory and end, for cargo-fuzz
    #[arg(long, value_name = "DIR")]
    write_seeds: Option<PathBuf>,
    /// Keep inputs that break a rule in this directory
    #[arg(long, value_name = "DIR", default_value = "target/fuzz")]
    keep: PathBuf,
    /// Check this input with the one target of --only, and end
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_asked = |target: &Target| {
        arguments.only.is_empty() || arguments.only.iter().any(|name| name == target.name)
    };
    let targets: Vec<Target> = TARGETS.into_iter().filter(is_asked).collect();
    let result = match (&arguments.write_seeds, &arguments.input) {
        (Some(directory), _) => write_seeds(directory, &targets),
        (None, Some(file)) => check_one(file, &targets),
        (None, None) => return fuzz(&arguments, &targets),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn fuzz(arguments: &Arguments, targets: &[Target]) -> ExitCode {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let limit = Duration::from_secs(arguments.seconds);
    // The report is enough; a panic message of each tried input would hide it.
    std::panic::set_hook(Box::new(|_| {}));
    let mut is_fine = !targets.is_empty();
    for target in targets {
        match run(target, seed, Until::Passed(limit)) {
            Ok(tried) => println!(
                "{}: {} inputs, {} of them accepted, the slowest in {:?}",
                target.name, tried.runs, tried.accepted, tried.slowest
            ),
            Err(broken) => {
                is_fine = false;
                println!("{broken}");
                keep(&arguments.keep, &broken);
            }
        }
    }
    if is_fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn keep(directory: &Path, broken: &Broken) {
    let path = directory.join(format!("{}-{}", broken.target, broken.seed));
    let written = fs::create_dir_all(directory).and_then(|()| fs::write(&path, &broken.input));
    match written {
        Ok(()) => println!("kept in {}", path.display()),
        Err(error) => println!("cannot be kept in {}: {error}", path.display()),
    }
}

fn write_seeds(directory: &Path, targets: &[Target]) -> std::io::Result<()> {
    for target in targets {
        let directory = directory.join(target.name);
        fs::create_dir_all(&directory)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(directory.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}

fn check_one(file: &Path, targets: &[Target]) -> std::io::Result<()> {
    let input = fs::read(file)?;
    for target in targets {
        let is_accepted = (target.check)(&input);
        let word = if is_accepted { "accepted" } else { "refused" };
        println!("{}: {word}", target.name);
    }
    Ok(())
}
