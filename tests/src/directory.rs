//! Directory of one test, removed at its end with all that still runs in it.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// A temporary directory. Drop it after the processes that use it.
#[derive(Debug)]
pub struct Directory(TempDir);

impl Directory {
    pub fn new() -> Directory {
        let made = tempfile::Builder::new().prefix("rolecast-test-").tempdir();
        Directory(made.expect("the system's temporary directory is writable"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file in it and returns its path as text.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        fs::write(&path, text).expect("the test's directory is writable");
        path.display().to_string()
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Directory {
    /// Kills the processes in it: jobs lead process groups of their own, and those of a
    /// worker that was killed have nobody else to end them.
    fn drop(&mut self) {
        // Only Linux has /proc; on other systems such jobs end by themselves.
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let place = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            if place.starts_with(self.path()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
}
