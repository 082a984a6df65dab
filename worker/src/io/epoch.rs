//! Keeps the largest epoch this node has seen in a file, over restarts: a role that
//! an older dispatcher gives is refused even then.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rolecast_common::id::{Epoch, NodeId};

#[derive(Debug)]
pub(super) struct EpochFile {
    path: PathBuf,
}

impl EpochFile {
    /// Opens the file of this node, and returns what it holds; zero if there is none.
    pub(super) fn open(directory: &Path, node: &NodeId) -> anyhow::Result<(Self, Epoch)> {
        let path = directory.join(format!("{node}.epoch"));
        let name = || format!("{}: cannot be used to keep the epoch", path.display());
        fs::create_dir_all(directory).with_context(name)?;
        let epoch = match fs::read_to_string(&path) {
            // What a power cut may leave of it.
            Ok(text) if text.is_empty() => Epoch::default(),
            Ok(text) => text.trim().parse().map(Epoch::new).with_context(name)?,
            Err(error) if error.kind() == ErrorKind::NotFound => Epoch::default(),
            Err(error) => return Err(error).with_context(name),
        };
        let file = Self { path };
        // Said now rather than when a role is to be taken on.
        file.keep(epoch)?;
        Ok((file, epoch))
    }

    /// Writes a new file and renames it. It is not synced: that can take seconds, in
    /// which nothing else is done, and a host that lost its power is away for longer
    /// than any role's lease.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_there_after_a_restart_and_damage_is_told() {
        let directory = std::env::temp_dir().join(format!("rolecast-epoch-{}", std::process::id()));
        let node = NodeId::new("n1").unwrap();
        let (file, epoch) = EpochFile::open(&directory, &node).unwrap();
        assert_eq!(epoch, Epoch::default());
        file.keep(Epoch::new(7)).unwrap();
        let (_, epoch) = EpochFile::open(&directory, &node).unwrap();
        assert_eq!(epoch, Epoch::new(7));
        fs::write(directory.join("n1.epoch"), "seven").unwrap();
        let error = EpochFile::open(&directory, &node).unwrap_err();
        assert!(error.to_string().contains("n1.epoch"), "{error}");
        fs::remove_dir_all(directory).unwrap();
    }
}
