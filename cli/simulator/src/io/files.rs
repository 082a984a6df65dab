//! Files of a scenario: those that it extends, recordings, and lists of arrivals.

use std::fs::{self, File};
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use flate2::read::MultiGzDecoder;

use crate::recording::Table;
use crate::scenario::arrivals::read_rows;
use crate::scenario::build::Files;
use crate::scenario::others::Signal;
use crate::scenario::{Scenario, extends};

/// The longest chain of scenarios; a longer one is a cycle.
const CHAIN_MAX: usize = 8;
/// The most read of one recording, decompressed: a day of seconds for 5,000 series.
const BYTES_MAX: u64 = 4 << 30;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Reads a scenario and those that it extends, at most eight in all; each names the one that
/// it extends relative to its own directory.
///
/// # Errors
/// A file that cannot be read, all mistakes in a file with their lines, or a longer chain,
/// which is a cycle.
pub fn read_scenario(path: &Path) -> anyhow::Result<Scenario> {
    let mut chain: Vec<(PathBuf, String)> = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        if chain.len() == CHAIN_MAX {
            bail!("{} extends itself, or too many others", path.display());
        }
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        next = extends(&text).map(|name| path.with_file_name(name));
        chain.push((path, text));
    }
    let mut scenario = Scenario::default();
    for (path, text) in chain.iter().rev() {
        let read = Scenario::read(text, &scenario);
        scenario = read.map_err(|mistakes| anyhow!("{}: {mistakes}", path.display()))?;
    }
    Ok(scenario)
}

/// Reads the files that the scenario names, relative to this directory: recordings of the
/// use by others, and a table of arrivals.
///
/// # Errors
/// A file that cannot be read, or is not a table as required.
pub fn read_files(scenario: &Scenario, directory: &Path) -> anyhow::Result<Files> {
    let mut read = Files::default();
    for component in scenario.others.values() {
        if let Signal::Series { file, .. } = &component.signal {
            let table = read_recording(&directory.join(file))?;
            read.series.insert(file.clone(), table);
        }
    }
    if let Some(file) = &scenario.arrivals.file {
        let path = directory.join(file);
        let name = path.display();
        let text = fs::read(&path).with_context(|| format!("cannot read {name}"))?;
        let rows = read_rows(&text).map_err(|error| anyhow!("{name}: {error}"))?;
        read.arrivals.insert(file.clone(), rows);
    }
    Ok(read)
}

/// Reads one recording, compressed with gzip or not.
///
/// # Errors
/// A file that cannot be read, has more than 4 GiB of text, or is no recording.
pub fn read_recording(path: &Path) -> anyhow::Result<Table> {
    let name = path.display();
    let text = read_text(path).with_context(|| format!("cannot read {name}"))?;
    Table::read(&text).map_err(|error| anyhow!("{name} {error}"))
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::scenario::build::build;

    #[test]
    fn every_scenario_in_the_repository_has_a_world() {
        let directory = scenarios();
        let mut count = 0;
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let mut scenario = read_scenario(&path).unwrap();
            scenario.times.history_s = 60.0;
            scenario.times.length_s = 125.0;
            scenario.fleet.hosts = 10;
            let files = read_files(&scenario, &directory).unwrap();
            for cell in scenario.cells(1) {
                let world = build(&scenario, &cell, &files);
                assert!(world.is_ok(), "{}: {world:?}", path.display());
            }
            count += 1;
        }
        assert!(count >= 20, "{count}");
    }

    #[test]
    fn a_scenario_that_extends_itself_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.toml");
        fs::write(&path, "extends = \"a.toml\"\n").unwrap();
        let error = read_scenario(&path).unwrap_err().to_string();
        assert!(error.contains("extends itself"), "{error}");
    }

    pub(in crate::io) fn scenarios() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios")
    }
}
