//! Checks of `make install` and of the units that need no systemd.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rolecast_tests::directory::Directory;
use rolecast_tests::process::{program, repository};

const PROGRAMS: [&str; 3] = ["rolecast", "rolecast-dispatcher", "rolecast-worker"];
const UNITS: [&str; 2] = ["rolecast-dispatcher.service", "rolecast-worker.service"];
/// Exposure of the units as `systemd-analyze security` rates it, times ten. From 0, the
/// least; a service without any protection has 96.
const EXPOSURE_MAX: &str = "17";

/// An installation below a directory of its own.
struct Installation {
    directory: Directory,
    programs: PathBuf,
}

impl Installation {
    fn new() -> Self {
        let directory = Directory::new();
        let programs = directory.path().join("programs");
        fs::create_dir(&programs).expect("a new directory is empty");
        // The command makes the pages; the size of the others does not matter here.
        symlink(program("rolecast"), programs.join("rolecast")).expect("it is writable");
        for name in &PROGRAMS[1..] {
            fs::write(programs.join(name), "#!/bin/sh\n").expect("it is writable");
        }
        Self {
            directory,
            programs,
        }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// Runs the script with these variables, and returns its output.
    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let output = Command::new(repository().join("packaging/install.sh"))
            .args(arguments)
            .envs(variables.iter().copied())
            .output();
        succeeded(&output.expect("bash starts"))
    }

    fn install(&self) -> String {
        let (root, programs) = (self.root(), self.programs.display().to_string());
        let root = root.display().to_string();
        let variables = [("DESTDIR", root.as_str()), ("PREFIX", "/usr")];
        self.run(&["install", &programs], &variables)
    }

    fn uninstall(&self) -> String {
        let root = self.root().display().to_string();
        let variables = [("DESTDIR", root.as_str()), ("PREFIX", "/usr")];
        self.run(&["uninstall"], &variables)
    }
}

fn succeeded(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns all files below a directory, with their paths in it.
fn files(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("it is readable") {
            let path = entry.expect("it is readable").path();
            match path.is_dir() {
                true => directories.push(path),
                false => {
                    let inside = path.strip_prefix(root).expect("it is below the root");
                    found.insert(inside.display().to_string());
                }
            }
        }
    }
    found
}

/// Returns the files that an installation has.
fn expected() -> BTreeSet<String> {
    let mut files: BTreeSet<String> = [
        "etc/rolecast/rolecast.toml",
        "etc/rolecast/worker.toml",
        "usr/lib/sysusers.d/rolecast-dispatcher.conf",
        "usr/lib/sysusers.d/rolecast-worker.conf",
        "usr/share/doc/rolecast/LICENSE",
        "usr/share/doc/rolecast/run-as.conf",
    ]
    .map(str::to_owned)
    .into();
    files.extend(UNITS.map(|unit| format!("usr/lib/systemd/system/{unit}")));
    for name in PROGRAMS {
        files.insert(format!("usr/bin/{name}"));
        files.insert(format!("usr/share/bash-completion/completions/{name}"));
        files.insert(format!("usr/share/fish/vendor_completions.d/{name}.fish"));
        files.insert(format!("usr/share/zsh/site-functions/_{name}"));
    }
    let pages = Directory::new();
    let out = pages.path().display().to_string();
    let made = Command::new(program("rolecast"))
        .args(["manual", "--out", &out])
        .output();
    let made = succeeded(&made.expect("the command starts"));
    let made: Vec<&str> = made
        .lines()
        .filter(|path| path.starts_with("man/"))
        .collect();
    assert!(made.len() > 30, "{made:?}");
    files.extend(made.iter().map(|path| format!("usr/share/{path}")));
    files
}

#[test]
fn an_installation_has_exactly_these_files_and_none_is_left() {
    let installation = Installation::new();
    assert_eq!(installation.install(), "");
    let root = installation.root();
    assert_eq!(files(&root), expected());
    for name in PROGRAMS {
        let mode = fs::metadata(root.join("usr/bin").join(name)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o755, "{name}");
    }
    for unit in UNITS {
        let text = fs::read_to_string(root.join("usr/lib/systemd/system").join(unit)).unwrap();
        assert!(text.contains("\nExecStart=/usr/bin/rolecast-"), "{text}");
    }
    assert_eq!(installation.uninstall(), "");
    assert_eq!(files(&root), BTreeSet::new());
}

#[test]
fn a_config_that_was_changed_is_neither_replaced_nor_removed() {
    let installation = Installation::new();
    installation.install();
    let config = installation.root().join("etc/rolecast/worker.toml");
    fs::write(&config, "node = \"n1\"\n").unwrap();
    let output = installation.install();
    assert!(output.contains("etc/rolecast/worker.toml"), "{output}");
    assert_eq!(fs::read_to_string(&config).unwrap(), "node = \"n1\"\n");
    let output = installation.uninstall();
    assert!(output.contains("which was changed"), "{output}");
    let left: Vec<String> = files(&installation.root()).into_iter().collect();
    assert_eq!(left, ["etc/rolecast/worker.toml"]);
}

#[allow(clippy::print_stderr, reason = "a skipped check is visible")]
#[test]
fn units_are_valid_and_hardened() {
    let version = Command::new("systemd-analyze").arg("--version").output();
    if version.is_err() {
        eprintln!("systemd-analyze is not there: units are not checked");
        return;
    }
    let installation = Installation::new();
    let root = installation.root().display().to_string();
    let (prefix, etc) = (format!("{root}/usr"), format!("{root}/etc"));
    let programs = installation.programs.display().to_string();
    let variables = [("PREFIX", prefix.as_str()), ("SYSCONFDIR", etc.as_str())];
    // The programs must be executable where the units name them.
    installation.run(&["install", &programs], &variables);
    for unit in UNITS {
        let path = format!("{prefix}/lib/systemd/system/{unit}");
        let verify = Command::new("systemd-analyze")
            .args(["verify", "--man=no", &path])
            .output()
            .unwrap();
        succeeded(&verify);
        let warnings = String::from_utf8_lossy(&verify.stderr);
        let warnings: Vec<&str> = warnings
            .lines()
            .filter(|line| line.contains(unit))
            .collect();
        assert_eq!(warnings, [] as [&str; 0]);
        let security = Command::new("systemd-analyze")
            .args([
                "security",
                "--offline=true",
                "--threshold",
                EXPOSURE_MAX,
                &path,
            ])
            .output()
            .unwrap();
        succeeded(&security);
    }
}

#[test]
fn every_file_that_a_package_takes_from_the_repository_exists() {
    for crate_directory in ["cli", "dispatcher", "worker"] {
        let directory = repository().join(crate_directory);
        let text = fs::read_to_string(directory.join("Cargo.toml")).unwrap();
        let assets = text.lines().filter_map(|line| line.strip_prefix("    [\""));
        let sources: Vec<&str> = assets.filter_map(|line| line.split('"').next()).collect();
        assert!(sources.len() >= 5, "{sources:?}");
        for source in sources {
            let is_built = source.starts_with("target/");
            assert!(is_built || directory.join(source).is_file(), "{source}");
        }
    }
}
