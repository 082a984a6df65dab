//! File that keeps the largest epoch that this node has seen over restarts.
//!
//! So a role that an older dispatcher gives is refused even after a restart.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rolecast_common::id::{Epoch, NodeId};

use crate::config::Config;

#[derive(Debug)]
pub(super) struct EpochFile {
    path: PathBuf,
}

impl EpochFile {
    /// Removes the file of this node; returns its path and contents, if it was there.
    pub(super) fn forget(directory: &Path, node: &NodeId) -> anyhow::Result<(PathBuf, String)> {
        let path = directory.join(format!("{node}.epoch"));
        let name = || format!("{}: cannot be removed", path.display());
        let held = fs::read_to_string(&path).with_context(name)?;
        fs::remove_file(&path).with_context(name)?;
        Ok((path, held.trim().to_owned()))
    }

    /// Opens the file of this node, and returns its epoch; zero if there is none.
    pub(super) fn open(directory: &Path, node: &NodeId) -> anyhow::Result<(Self, Epoch)> {
        let path = directory.join(format!("{node}.epoch"));
        let name = || format!("{}: cannot be used to keep the epoch", path.display());
        fs::create_dir_all(directory).with_context(name)?;
        let epoch = match fs::read_to_string(&path) {
            // A power cut may leave an empty file.
            Ok(text) if text.is_empty() => Epoch::default(),
            Ok(text) => text.trim().parse().map(Epoch::new).with_context(name)?,
            Err(error) if error.kind() == ErrorKind::NotFound => Epoch::default(),
            Err(error) => return Err(error).with_context(name),
        };
        anyhow::ensure!(
            Epoch::default().may_reach(epoch),
            "{}: no dispatcher can have epoch {epoch}; remove it with rolecast-worker \
            forget-epoch",
            path.display()
        );
        let file = Self { path };
        // An error is reported here rather than when the node takes on a role.
        file.keep(epoch)?;
        Ok((file, epoch))
    }

    /// Writes a new file and renames it. It is not synced: that can take seconds, in
    /// which nothing else is done, and a host that lost its power is away for longer than
    /// any role's lease.
    pub(super) fn keep(&self, epoch: Epoch) -> anyhow::Result<()> {
        let new = self.path.with_extension("epoch.new");
        let write = || {
            let mut file = File::create(&new)?;
            writeln!(file, "{epoch}")?;
            fs::rename(&new, &self.path)
        };
        write().with_context(|| format!("{}: cannot keep the epoch", self.path.display()))
    }
}

/// Forgets the largest epoch that the node of this configuration has seen; returns the
/// path of the removed file, and its contents. The worker must not run.
///
/// # Errors
/// If the configuration has no directory for the file, or there is none, or it cannot be
/// read and removed.
pub fn forget_epoch(config: &Config) -> anyhow::Result<(PathBuf, String)> {
    let directory = config.state_directory.as_deref();
    let directory = directory.context("without a state_directory no epoch is kept")?;
    EpochFile::forget(directory, &config.node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_there_after_a_restart_and_damage_is_reported() {
        let directory = std::env::temp_dir().join(format!("rolecast-epoch-{}", std::process::id()));
        let node = NodeId::new("n1").unwrap();
        let (file, epoch) = EpochFile::open(&directory, &node).unwrap();
        assert_eq!(epoch, Epoch::default());
        file.keep(Epoch::new(7)).unwrap();
        let (_, epoch) = EpochFile::open(&directory, &node).unwrap();
        assert_eq!(epoch, Epoch::new(7));
        for (damaged, expected) in [("seven", "n1.epoch"), ("18446744073709551615", "forget")] {
            fs::write(directory.join("n1.epoch"), damaged).unwrap();
            let error = EpochFile::open(&directory, &node).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        let (_, held) = EpochFile::forget(&directory, &node).unwrap();
        assert_eq!(held, "18446744073709551615");
        let (_, epoch) = EpochFile::open(&directory, &node).unwrap();
        assert_eq!(epoch, Epoch::default());
        fs::remove_dir_all(directory).unwrap();
    }
}
