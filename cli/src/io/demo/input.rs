//! Reads the text the jobs work on.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::demo::corpus::is_text;

/// Enough text for pieces that differ.
const TOTAL_LEN_MAX: usize = 4 * 1024 * 1024;
/// Larger files are rarely written by people.
const FILE_LEN_MAX: u64 = 512 * 1024;
/// A limit for a very large directory, such as a home.
const ENTRIES_MAX: usize = 20_000;
/// Directories with files that people did not write.
const SKIPPED: [&str; 3] = ["target", "node_modules", "__pycache__"];

/// Reads the text files below a directory, in the order of their names.
pub(super) fn read(directory: &Path) -> anyhow::Result<Vec<u8>> {
    if !directory.is_dir() {
        bail!("--input {} is not a directory", directory.display());
    }
    let mut entries = 0;
    let mut text = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(path) = open.pop() {
        entries += 1;
        if entries > ENTRIES_MAX || text.len() >= TOTAL_LEN_MAX {
            break;
        }
        if path.is_dir() {
            // Unreadable entries are left out.
            let Ok(entries) = fs::read_dir(&path) else {
                continue;
            };
            let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
            paths.retain(|path| !path.is_symlink() && is_wanted(path));
            paths.sort();
            open.extend(paths.into_iter().rev());
            continue;
        }
        read_file(&path, &mut text).with_context(|| path.display().to_string())?;
    }
    text.truncate(TOTAL_LEN_MAX);
    Ok(text)
}

fn is_wanted(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !name.starts_with('.') && !SKIPPED.contains(&name.as_ref())
}

fn read_file(path: &Path, text: &mut Vec<u8>) -> anyhow::Result<()> {
    let is_usual =
        fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() <= FILE_LEN_MAX);
    if !is_usual {
        return Ok(());
    }
    let bytes = fs::read(path).unwrap_or_default();
    if is_text(&bytes) {
        text.extend_from_slice(&bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_order_and_the_rest_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        for name in ["target", "b", ".git"] {
            fs::create_dir(path.join(name)).unwrap();
        }
        for (name, bytes) in [
            ("target/x", b"no".as_slice()),
            (".git/x", b"no"),
            ("b/two", b"two"),
            ("a", b"one"),
            ("c", b"\0"),
        ] {
            fs::write(path.join(name), bytes).unwrap();
        }
        assert_eq!(read(path).unwrap(), b"onetwo");
        assert!(read(&path.join("gone")).is_err());
    }
}
