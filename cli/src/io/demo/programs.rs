//! Finds the programs the demonstration starts.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, anyhow, bail};
use rolecast_nats::{SERVER_VERSION_MIN, check_server};

use crate::config::Environment;

/// The depth below `.tools` to which a nats-server is searched.
const TOOLS_DEPTH_MAX: usize = 5;

/// Paths of the programs.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) nats_server: PathBuf,
    pub(super) nats_version: String,
    pub(super) dispatcher: PathBuf,
    pub(super) worker: PathBuf,
}

impl Programs {
    pub(super) fn find(environment: &Environment) -> anyhow::Result<Self> {
        let (nats_server, nats_version) = find_nats_server(environment)?;
        Ok(Self {
            nats_server,
            nats_version,
            dispatcher: sibling("rolecast-dispatcher")?,
            worker: sibling("rolecast-worker")?,
        })
    }
}

/// Finds a program in the directory of this one.
fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find the path of this program")?;
    let path = own.with_file_name(name);
    if !path.is_file() {
        bail!(
            "{} is missing, and the demo needs it: build it with cargo build --workspace",
            path.display()
        );
    }
    Ok(path)
}

/// Returns the first nats-server that is new enough, and its version.
fn find_nats_server(environment: &Environment) -> anyhow::Result<(PathBuf, String)> {
    if let Some(path) = &environment.nats_server {
        let version = version(path).context("NATS_SERVER names it")?;
        return Ok((path.clone(), version));
    }
    let mut too_old = None;
    for path in candidates(environment) {
        match version(&path) {
            Ok(version) => return Ok((path, version)),
            Err(error) => too_old = Some(error),
        }
    }
    if let Some(error) = too_old {
        return Err(error);
    }
    let (major, minor, patch) = SERVER_VERSION_MIN;
    Err(anyhow!(
        "no nats-server found: `make tools` puts one under .tools; or install {major}.{minor}.{patch} \
         or newer on PATH, or set NATS_SERVER"
    ))
}

fn candidates(environment: &Environment) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let here = std::env::current_dir().ok();
    let own = std::env::current_exe().ok();
    let above = own.iter().flat_map(|path| path.ancestors().skip(1));
    for directory in here.as_deref().into_iter().chain(above) {
        search(&directory.join(".tools"), TOOLS_DEPTH_MAX, &mut found);
    }
    let path = environment.path.as_deref().unwrap_or(OsStr::new(""));
    let on_path = std::env::split_paths(path).map(|directory| directory.join("nats-server"));
    found.extend(on_path.filter(|path| path.is_file()));
    found
}

/// Collects programs named nats-server, last by name first: newer versions before older
/// ones.
fn search(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths.into_iter().rev() {
        if path.is_file() && path.file_name() == Some(OsStr::new("nats-server")) {
            found.push(path);
        } else if depth > 0 && path.is_dir() && !path.is_symlink() {
            search(&path, depth - 1, found);
        }
    }
}

/// Asks a nats-server for its version and refuses one that is too old.
fn version(path: &Path) -> anyhow::Result<String> {
    let place = || format!("cannot run {} --version", path.display());
    let output = Command::new(path)
        .arg("--version")
        .output()
        .with_context(place)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim().rsplit(' ').next().unwrap_or_default();
    let version = version.trim_start_matches('v').to_owned();
    check_server(&version).with_context(|| path.display().to_string())?;
    Ok(version)
}
