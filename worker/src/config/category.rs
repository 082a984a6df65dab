//! Settings of the jobs of one category: the command, its limits and its user.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rolecast_common::settings::{DeValue, Setting, Table};
use rolecast_common::unit::Bytes;

use super::{CategorySettings, read_jobs_max};
use crate::agent::Limits;
use crate::command::{Command, KeepStderr, OUTPUT_MAX, OUTPUT_MAX_DEFAULT};
use crate::confinement::{CPU_MAX_MIN, Confinement, GroupLimits, NICE_MAX, User};
use crate::host::surroundings;

/// Variables that a command gets from the worker's environment by default.
pub(super) const ENVIRONMENT_DEFAULT: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];
/// A limit below the memory that a program needs to start is a typing error.
const MEMORY_MAX_MIN: Bytes = Bytes::from_mib(4);

/// Reads the settings of one category.
pub(super) fn read(
    table: &mut Table<'_>,
    jobs_max: u32,
    run_as: Option<&User>,
) -> Option<CategorySettings> {
    let own_jobs_max = read_jobs_max(table, jobs_max);
    if own_jobs_max > jobs_max {
        let text = format!("{own_jobs_max} is above the worker's max_jobs, {jobs_max}");
        table.mistake("max_jobs", text);
    }
    let time_limit: Option<Duration> = table.get("time_limit");
    if time_limit == Some(Duration::ZERO) {
        table.mistake("time_limit", "expected more than 0");
    }
    let limits = Limits {
        jobs_max: own_jobs_max,
        time_limit,
    };
    let directory = read_directory(table);
    let output_max = read_output_max(table);
    let keep_stderr = read_keep_stderr(table);
    let confinement = read_confinement(table, run_as);
    let environment = read_environment(table, confinement.user.as_ref());
    let (program, arguments) = read_command(table, "command", directory.as_deref())?;
    let command = Command {
        program,
        arguments,
        environment,
        directory,
        output_max,
        keep_stderr,
        confinement: Some(confinement),
    };
    Some(CategorySettings { limits, command })
}

fn read_directory(table: &mut Table<'_>) -> Option<PathBuf> {
    let directory = PathBuf::from(table.get::<String>("directory")?);
    if !directory.is_absolute() || !directory.is_dir() {
        table.mistake(
            "directory",
            "expected the absolute path of a directory that exists",
        );
    }
    Some(directory)
}

fn read_output_max(table: &mut Table<'_>) -> usize {
    let output_max = table.get_or("output_max", OUTPUT_MAX_DEFAULT);
    if output_max > OUTPUT_MAX {
        table.mistake("output_max", format!("expected at most {OUTPUT_MAX}"));
    }
    usize::try_from(output_max.get()).unwrap_or(usize::MAX)
}

fn read_keep_stderr(table: &mut Table<'_>) -> KeepStderr {
    let text = table.get_or("keep_stderr", "failed".to_owned());
    let keep = KeepStderr::parse(&text);
    if keep.is_none() {
        let text = "expected \"failed\", \"always\" or \"never\"";
        table.mistake("keep_stderr", text);
    }
    keep.unwrap_or_default()
}

fn read_environment(
    table: &mut Table<'_>,
    user: Option<&User>,
) -> Vec<(String, std::ffi::OsString)> {
    let default = ENVIRONMENT_DEFAULT.map(str::to_owned).into();
    let names: Vec<String> = table.get_or("env", default);
    for name in &names {
        if name.is_empty() || name.contains(['=', '\0']) || name.starts_with("ROLECAST_") {
            let text =
                format!("{name:?} cannot be passed on; ROLECAST_ names are set by the worker");
            table.mistake("env", text);
        }
        if name.starts_with("NATS_") {
            let text = format!(
                "{name} is this worker's login and is never passed on; a job that uses NATS \
                itself needs a login of its own, such as a credentials file"
            );
            table.mistake("env", text);
        }
    }
    let mut variables = surroundings::variables(names);
    if let Some(user) = user {
        for (name, value) in &mut variables {
            match name.as_str() {
                "HOME" => *value = user.home.clone().into(),
                "SHELL" => *value = user.shell.clone().into(),
                "USER" | "LOGNAME" => *value = user.name.clone().into(),
                _ => {}
            }
        }
    }
    variables
}

/// A program and its arguments, each a text of its own.
struct Words(Vec<String>);

impl Setting for Words {
    const EXPECTED: &'static str = "a list with the program and each argument in quotes, such as \
        [\"wc\", \"-w\"]; no shell splits a text, but [\"sh\", \"-c\", \"wc -w\"] runs one";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Vec::read(value).map(Words)
    }
}

/// Reads a program, which it finds, and its arguments.
pub(super) fn read_command(
    table: &mut Table<'_>,
    key: &str,
    directory: Option<&Path>,
) -> Option<(PathBuf, Vec<String>)> {
    let Words(mut arguments) = table.require(key)?;
    if arguments.first().is_none_or(String::is_empty) {
        table.mistake(key, "empty; expected [\"program\", \"argument\", ...]");
        return None;
    }
    if arguments.iter().any(|argument| argument.contains('\0')) {
        table.mistake(key, "an argument cannot hold a NUL character");
    }
    let name = arguments.remove(0);
    match surroundings::find_program(&name, directory) {
        Ok(program) => Some((program, arguments)),
        Err(text) => {
            table.mistake(key, text);
            None
        }
    }
}

/// Reads the user that jobs run as; `None` is the worker's own user.
pub(super) fn read_user(table: &mut Table<'_>) -> Option<User> {
    let name: String = table.get("run_as")?;
    match surroundings::find_user(&name) {
        Ok(user) => Some(user).filter(|user| user.uid != surroundings::own_uid()),
        Err(text) => {
            table.mistake("run_as", text);
            None
        }
    }
}

fn read_confinement(table: &mut Table<'_>, run_as: Option<&User>) -> Confinement {
    let user = match table.has("run_as") {
        true => read_user(table),
        false => run_as.cloned(),
    };
    let nice = table.get_or("nice", 0);
    if nice > u32::from(NICE_MAX) {
        table.mistake("nice", format!("expected 0 to {NICE_MAX}"));
    }
    let limits = GroupLimits {
        memory_max: table.get("memory_max"),
        cpu_max: table.get("cpu_max"),
    };
    if limits.memory_max.is_some_and(|max| max < MEMORY_MAX_MIN) {
        table.mistake("memory_max", format!("expected at least {MEMORY_MAX_MIN}"));
    }
    if limits.cpu_max.is_some_and(|max| max.get() < CPU_MAX_MIN) {
        table.mistake("cpu_max", format!("expected at least {CPU_MAX_MIN}"));
    }
    let confinement = Confinement {
        user,
        nice: u8::try_from(nice).unwrap_or(NICE_MAX),
        limits,
    };
    if !cfg!(target_os = "linux") && confinement != Confinement::default() {
        let text = "run_as, nice, memory_max and cpu_max need Linux";
        table.mistake("", text);
    }
    confinement
}
