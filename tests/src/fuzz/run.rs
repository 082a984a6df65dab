//! Tries mutations of a target's inputs, and reports the first that breaks a rule.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::Target;
use super::mutate::mutate;
use crate::cpu;

/// Inputs that were accepted and are mutated further; a new one replaces another.
const POOL_MAX: usize = 256;
/// The most CPU time to read one input: it would stop a dispatcher for as long. Other
/// load of the machine does not count.
const PATIENCE: Duration = Duration::from_secs(5);

/// End of a run.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After this many mutations: every run does the same.
    Runs(u64),
    /// When this time has passed.
    Passed(Duration),
}

/// Counts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    pub runs: u64,
    /// The number of accepted inputs: without any, only refusals were tried.
    pub accepted: u64,
    /// The most CPU time that one of them took.
    pub slowest: Duration,
}

/// An input that broke a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub target: &'static str,
    pub seed: u64,
    /// Its origin: a seed, a file, or the number of the mutation.
    pub origin: String,
    pub why: String,
    pub input: Vec<u8>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            seed,
            origin,
            why,
            input,
        } = self;
        let len = input.len();
        write!(
            f,
            "{target}, {origin} with seed {seed}: {why}\n{len} bytes: {}",
            input.escape_ascii()
        )
    }
}

impl std::error::Error for Broken {}

/// Tries the seeds, the corpus, and then mutations of them.
pub fn run(target: &Target, seed: u64, until: Until) -> Result<Tried, Box<Broken>> {
    let mut rng = Rng::with_seed(seed);
    let mut tried = Tried::default();
    let mut pool = Vec::new();
    let seeds = (target.seeds)().into_iter().enumerate();
    let seeds = seeds.map(|(number, input)| (format!("seed {number}"), input));
    for (origin, input) in seeds.chain(target.corpus()) {
        try_one(target, seed, &input, &mut tried, || origin)?;
        pool.push(input);
    }
    let firsts = pool.len();
    tried = Tried::default();
    let began = Instant::now();
    loop {
        let is_over = match until {
            Until::Runs(runs) => tried.runs >= runs,
            Until::Passed(limit) => began.elapsed() >= limit,
        };
        if is_over {
            return Ok(tried);
        }
        let input = mutate(&mut rng, &pool);
        let number = tried.runs;
        let is_accepted = try_one(target, seed, &input, &mut tried, || {
            format!("mutation {number}")
        })?;
        if is_accepted && pool.len() < firsts + POOL_MAX {
            pool.push(input);
        } else if is_accepted {
            pool[firsts + rng.usize(..POOL_MAX)] = input;
        }
    }
}

fn try_one(
    target: &Target,
    seed: u64,
    input: &[u8],
    tried: &mut Tried,
    origin: impl FnOnce() -> String,
) -> Result<bool, Box<Broken>> {
    let began = cpu::time();
    let checked = catch_unwind(AssertUnwindSafe(|| (target.check)(input)));
    let took = cpu::time() - began;
    tried.runs += 1;
    tried.slowest = tried.slowest.max(took);
    let why = match checked {
        Ok(is_accepted) if took <= PATIENCE => {
            tried.accepted += u64::from(is_accepted);
            return Ok(is_accepted);
        }
        Ok(_) => format!("it took {took:?} of CPU time to read"),
        Err(panic) => panic_text(panic.as_ref()),
    };
    Err(Box::new(Broken {
        target: target.name,
        seed,
        origin: origin(),
        why,
        input: input.to_vec(),
    }))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}
