//! Runs `rolecast simulate` and reads its measurements.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use rolecast_tests::process::repository;
use serde::Deserialize;
use tempfile::TempDir;

use super::plan::{Comparison, Times};

/// One world under one policy.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Run {
    /// The file of the scenario.
    #[serde(skip)]
    pub(crate) scenario: String,
    pub(crate) policy: String,
    pub(crate) load: f64,
    pub(crate) sharing: String,
    /// The geometric means of the kinds' 99 % and 99.9 % slow-downs.
    pub(crate) gm99: Option<f64>,
    pub(crate) gm999: Option<f64>,
    pub(crate) misses: Option<f64>,
    /// Executions killed for lack of memory, jobs killed for good, and jobs that had not
    /// completed when the run ended.
    pub(crate) kills: u64,
    pub(crate) failures: u64,
    pub(crate) unfinished: u64,
    pub(crate) kinds: BTreeMap<String, Kind>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Kind {
    pub(crate) jobs: u64,
    pub(crate) misses: f64,
}

#[derive(Debug, Deserialize)]
struct Document {
    cells: Vec<Run>,
}

/// The program, and a directory for scenarios with other times.
#[derive(Debug)]
pub(crate) struct Simulator {
    program: PathBuf,
    directory: TempDir,
}

impl Simulator {
    /// Takes the program in the directory of this one.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("rolecast");
        ensure!(program.is_file(), "build {} first", program.display());
        let directory = TempDir::new()?;
        fs::create_dir(directory.path().join("scenarios"))?;
        // A scenario names recordings relative to its directory.
        let fixtures = repository().join("tests/fixtures");
        symlink(fixtures, directory.path().join("fixtures"))?;
        Ok(Self { program, directory })
    }

    /// Runs all worlds of a comparison under all its policies, on all cores.
    pub(crate) fn run(&self, comparison: &Comparison) -> anyhow::Result<Vec<Run>> {
        let scenario = self.scenario(comparison)?;
        let mut command = Command::new(&self.program);
        command.arg("--json").arg("simulate").arg(&scenario);
        command.arg("--policy").arg(comparison.policies.join(","));
        command.arg("--sharing").arg(comparison.sharings.join(","));
        command.arg("--seeds").arg(comparison.seeds.to_string());
        if !comparison.loads.is_empty() {
            let loads: Vec<String> = comparison.loads.iter().map(f64::to_string).collect();
            command.arg("--load").arg(loads.join(","));
        }
        let output = command.output().context("cannot start the simulator")?;
        ensure!(
            output.status.success(),
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr),
        );
        let mut document: Document = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{command:?} printed something else"))?;
        for run in &mut document.cells {
            comparison.scenario.clone_into(&mut run.scenario);
        }
        Ok(document.cells)
    }

    /// Returns the scenario's file, or one that extends it with other times.
    fn scenario(&self, comparison: &Comparison) -> anyhow::Result<PathBuf> {
        let name = Path::new("scenarios").join(format!("{}.toml", comparison.scenario));
        let original = repository().join("tests").join(&name);
        let Some(Times { history, length }) = comparison.times else {
            return Ok(original);
        };
        let changed = self.directory.path().join(&name);
        let text = format!(
            "extends = {:?}\nhistory = \"{history}s\"\nlength = \"{length}s\"\n",
            original.display().to_string(),
        );
        fs::write(&changed, text)?;
        Ok(changed)
    }
}
