//! Finds and reads recordings.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rolecast_simulator::io::files::read_recording;
use rolecast_simulator::recording::Table;

use crate::backtest::names::{Origin, unique_names};

/// One file and the names under which its series are reported.
#[derive(Debug)]
pub(in crate::io) struct Recording {
    pub(in crate::io) table: Table,
    pub(in crate::io) names: Vec<String>,
}

/// Reads the files, and those in the directories.
pub(in crate::io) fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Recording>> {
    let mut tables = Vec::new();
    let mut origins = Vec::new();
    for file in find(paths)? {
        let table = read_recording(&file)?;
        let series = table.series.iter().map(|series| series.name.clone());
        origins.push(Origin {
            path: file.display().to_string(),
            series: series.collect(),
        });
        tables.push(table);
    }
    let names = unique_names(&origins);
    let recordings = tables
        .into_iter()
        .zip(names)
        .map(|(table, names)| Recording { table, names });
    Ok(recordings.collect())
}

/// Returns each file once, those of a directory by name.
fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = Vec::new();
    for path in paths {
        let files = if path.is_dir() {
            list(path)?
        } else {
            vec![path.clone()]
        };
        for file in files {
            if !found.contains(&file) {
                found.push(file);
            }
        }
    }
    Ok(found)
}

fn list(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let place = || format!("cannot list {}", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(place)? {
        let path = entry.with_context(place)?.path();
        let name = path.to_string_lossy();
        if path.is_file() && (name.ends_with(".csv") || name.ends_with(".csv.gz")) {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("{} has no .csv or .csv.gz files", directory.display());
    }
    files.sort();
    Ok(files)
}
