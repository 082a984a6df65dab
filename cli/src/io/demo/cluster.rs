//! Programs of the demonstration, which run in a directory of their own.
//!
//! On any error, interrupt or panic: when this is dropped its processes are ended and
//! reaped, and then the directory is removed.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::config::Environment;

/// Time for processes to end by themselves; workers have a grace time of 2 s.
const STOP_MAX: Duration = Duration::from_secs(4);
const POLL_EVERY: Duration = Duration::from_millis(20);
/// The lines of a log that are shown after a failure.
const TAIL_LINES: usize = 15;

/// Processes and their directory.
#[derive(Debug)]
pub(super) struct Cluster {
    processes: Vec<Process>,
    /// Taken when it is to stay.
    directory: Option<TempDir>,
    nats_variables: Vec<std::ffi::OsString>,
}

#[derive(Debug)]
struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// It was ended on purpose.
    is_killed: bool,
}

impl Cluster {
    /// Makes an empty directory and starts nothing.
    pub(super) fn new(environment: &Environment) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("rolecast-demo-")
            .tempdir()
            .context("cannot make a temporary directory")?;
        Ok(Self {
            processes: Vec::new(),
            directory: Some(directory),
            nats_variables: environment.nats_variables.clone(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        let directory = self.directory.as_ref();
        directory.expect("it is taken only at the end").path()
    }

    pub(super) fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path().join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Starts a program in the directory, its output going to `<name>.log`.
    ///
    /// It is in a process group of its own, so that an interrupt from the
    /// terminal reaches only this program, which then ends the others in order.
    pub(super) fn start(
        &mut self,
        name: &str,
        program: &Path,
        arguments: &[&str],
    ) -> anyhow::Result<()> {
        let log = self.path().join(format!("{name}.log"));
        let output = File::create(&log)?;
        let mut command = Command::new(program);
        for variable in &self.nats_variables {
            command.env_remove(variable);
        }
        // A nats context of the user must not direct a program to another server.
        let child = command
            .env("XDG_CONFIG_HOME", self.path())
            .args(arguments)
            .current_dir(self.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        self.processes.push(Process {
            name: name.to_owned(),
            child,
            log,
            is_killed: false,
        });
        Ok(())
    }

    /// Returns an error with the log if a process has ended by itself.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        for process in &mut self.processes {
            let ended = process.child.try_wait()?;
            if let Some(status) = ended.filter(|_| !process.is_killed) {
                bail!("{} ended: {status}\n{}", process.name, tail(&process.log));
            }
        }
        Ok(())
    }

    /// Ends a process with SIGKILL, as a crash would.
    pub(super) fn kill(&mut self, name: &str) -> anyhow::Result<ExitStatus> {
        let mut processes = self.processes.iter_mut();
        let process = processes
            .find(|process| process.name == name)
            .with_context(|| format!("there is no process {name}"))?;
        process.is_killed = true;
        process.child.kill()?;
        Ok(process.child.wait()?)
    }

    /// Returns a process's whole log.
    pub(super) fn log(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(format!("{name}.log"))).unwrap_or_default()
    }

    /// Returns the end of a process's log.
    pub(super) fn log_tail(&self, name: &str) -> String {
        tail(&self.path().join(format!("{name}.log")))
    }

    /// Lets all programs continue; returns the processes and the directory.
    pub(super) fn keep(mut self) -> (Vec<(String, u32)>, PathBuf) {
        let processes = std::mem::take(&mut self.processes);
        let directory = self.directory.take();
        let directory = directory.expect("it is taken only here").keep();
        let running = processes.into_iter().filter(|process| !process.is_killed);
        let ids = running.map(|process| (process.name, process.child.id()));
        (ids.collect(), directory)
    }

    /// Asks all to end, workers first, and kills the remaining ones after a while.
    fn stop(&mut self) {
        for process in self.processes.iter().rev().filter(|p| !p.is_killed) {
            signal(process, Signal::SIGTERM);
        }
        let end = Instant::now() + STOP_MAX;
        while Instant::now() < end && self.processes.iter_mut().any(is_running) {
            std::thread::sleep(POLL_EVERY);
        }
        for process in &mut self.processes {
            // Processes that a worker started must not outlive it, not even stopped.
            signal_group(process, Signal::SIGKILL);
            if is_running(process) {
                let _ = process.child.kill();
            }
            let _ = process.child.wait();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_running(process: &mut Process) -> bool {
    matches!(process.child.try_wait(), Ok(None))
}

fn pid(process: &Process) -> Option<Pid> {
    i32::try_from(process.child.id()).ok().map(Pid::from_raw)
}

fn signal(process: &Process, signal: Signal) {
    if let Some(pid) = pid(process) {
        let _ = kill(pid, signal);
    }
}

fn signal_group(process: &Process, signal: Signal) {
    if let Some(pid) = pid(process) {
        let _ = nix::sys::signal::killpg(pid, signal);
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.len().saturating_sub(TAIL_LINES);
    let name = log.file_name().unwrap_or_default().to_string_lossy();
    format!("the end of {name}:\n  {}", lines[start..].join("\n  "))
}
