//! Finds and reads recordings.

use std::fs::{self, File};
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use flate2::read::MultiGzDecoder;

use crate::backtest::names::{Origin, unique_names};
use crate::simulate::recording::Table;

/// The most read of one file, decompressed: a day of seconds for 5,000 series.
const BYTES_MAX: u64 = 4 << 30;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

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
        let table = read(&file)?;
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

/// Reads one file.
pub(in crate::io) fn read(path: &Path) -> anyhow::Result<Table> {
    let name = path.display();
    let text = read_text(path).with_context(|| format!("cannot read {name}"))?;
    Table::read(&text).map_err(|error| anyhow::anyhow!("{name} {error}"))
}

fn read_text(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut start = Vec::new();
    file.by_ref().take(2).read_to_end(&mut start)?;
    let is_compressed = start == GZIP_MAGIC;
    let whole = Cursor::new(start).chain(file);
    let mut text = Vec::new();
    if is_compressed {
        let mut reader = MultiGzDecoder::new(whole).take(BYTES_MAX + 1);
        reader.read_to_end(&mut text)?;
    } else {
        whole.take(BYTES_MAX + 1).read_to_end(&mut text)?;
    }
    if text.len() as u64 > BYTES_MAX {
        bail!("it has more than {BYTES_MAX} bytes; split it");
    }
    Ok(text)
}
