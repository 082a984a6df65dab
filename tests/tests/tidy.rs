//! The repository keeps its own rules; see `rolecast_tests::tidy`.

use rolecast_tests::directory::Directory;
use rolecast_tests::process::repository;
use rolecast_tests::tidy::{OWN_LINES_MAX, offences};

#[test]
fn the_repository_is_tidy() {
    let found: Vec<String> = offences(repository())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        found.is_empty(),
        "{} offences:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn every_planted_offence_is_found() {
    let long = format!("//! Long.\n{}", "// line\n".repeat(OWN_LINES_MAX));
    let manifest =
        "[package]\nname = \"rolecast-common\"\n[dev-dependencies]\nrolecast-worker = {}\n";
    // Each file, with its expected offence, or none.
    let planted = [
        (
            "Cargo.toml",
            manifest,
            "Cargo.toml:4: rolecast-common may not depend on rolecast-worker",
        ),
        (
            "bare.rs",
            "fn f() {}\n",
            "bare.rs:1: does not begin with a line `//!` that names its duty",
        ),
        ("clean.rs", "//! Clean.\nfn f() {}\n", ""),
        (
            "clock.rs",
            "//! A.\n\nuse std::time::Instant;\n",
            "clock.rs:3: pure code uses `Instant`",
        ),
        ("io/clock.rs", "//! A.\n\nuse std::time::Instant;\n", ""),
        (
            "later.py",
            "x = 1  # TODO: y\n",
            "later.py:1: `TODO`: finish it, or leave it out",
        ),
        (
            "later.rs",
            "//! A.\n// FIXME\n",
            "later.rs:2: `FIXME`: finish it, or leave it out",
        ),
        ("long.rs", &long, "long.rs:501: 501 own lines, at most 500"),
        (
            "off.rs",
            "//! A.\n#[ignore]\n",
            "off.rs:2: `#[ignore`: finish it, or leave it out",
        ),
        (
            "question.rs",
            "//! What jobs need.\n",
            "question.rs:1: begins with `What`: name what it is",
        ),
        ("target/skipped.rs", "fn f() {}\n", ""),
        (
            "wait.rs",
            "//! A.\nasync fn f() { g().await }\n",
            "wait.rs:2: pure code uses `.await`",
        ),
    ];
    let root = Directory::new();
    for directory in ["io", "target"] {
        std::fs::create_dir(root.path().join(directory)).unwrap();
    }
    for (name, text, _) in planted {
        root.write(name, text);
    }
    let found: Vec<String> = offences(root.path())
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected: Vec<&str> = planted.map(|(_, _, offence)| offence).to_vec();
    let expected: Vec<&str> = expected
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn only_unit_tests_at_the_end_are_no_own_lines() {
    let lines = "// line\n".repeat(OWN_LINES_MAX);
    let root = Directory::new();
    root.write(
        "declared.rs",
        &format!("//! A.\n#[cfg(test)]\nmod tests;\n{lines}"),
    );
    root.write(
        "tested.rs",
        &format!("//! A.\n#[cfg(test)]\nmod tests {{\n{lines}}}\n"),
    );
    let found: Vec<String> = offences(root.path())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(found, ["declared.rs:503: 503 own lines, at most 500"]);
}
