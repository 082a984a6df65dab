//! The repository keeps its own rules; see `rolecast_tests::tidy`.

use rolecast_tests::directory::Directory;
use rolecast_tests::process::repository;
use rolecast_tests::tidy::measures::measure;
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
        ("long.rs", &long, "long.rs:401: 401 own lines, at most 400"),
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
    assert_eq!(found, ["declared.rs:403: 403 own lines, at most 400"]);
}

#[test]
fn no_measure_is_above_its_limit() {
    let measures = measure(repository()).measures;
    let over = measures.iter().filter(|measure| measure.is_over());
    let over: Vec<String> = over.map(ToString::to_string).collect();
    assert!(over.is_empty(), "{}", over.join("\n"));
}

#[test]
fn every_measure_finds_what_is_planted() {
    let root = Directory::new();
    for directory in ["src/b", "src/w"] {
        std::fs::create_dir_all(root.path().join(directory)).unwrap();
    }
    for (name, text) in shapes() {
        root.write(name, &text);
    }
    let measures = measure(root.path()).measures;
    let found: Vec<String> = measures
        .iter()
        .flat_map(|measure| &measure.findings)
        .map(|finding| format!("{} {}", finding.size, finding.text))
        .collect();
    let cycle = "2 src: a b\n    a uses b, src/a.rs: crate::b::B\n    \
                 b uses a, src/b/c.rs: crate::a::A";
    let expected = [
        "401 src/longer.rs",
        "13 src/e.rs:3: E",
        "4 src/w/mod.rs: W, in mod x y z",
        cycle,
        "1 src/d.rs: What",
        "71 src/long.rs:2: long",
        "1 src/b/c.rs:2: `told`, better: report, notify, show",
        "1 src/d.rs:1: `told`, better: report, notify, show",
    ];
    assert_eq!(found, expected);
    let public = measures.last().unwrap();
    assert_eq!(
        (public.name.as_str(), public.count),
        ("pub items of planted", 1)
    );
    assert!(public.is_over());
}

/// Returns files of a crate with one of each that is measured, and of each that is excused.
fn shapes() -> [(&'static str, String); 15] {
    let fields = |count: usize| "f: u8, ".repeat(count);
    let (most, more) = (fields(12), fields(13));
    let excused = "//! A.\nstruct F { MOST }\n#[derive(Debug, Serialize)]\nstruct G { MORE }\n";
    let excused = excused.replace("MOST", &most).replace("MORE", &more);
    let used_by_tests = "#[cfg(test)]\nmod tests { use crate::e::E; }\n";
    let question = format!("//! What it was told.\n// `told` is free.\n{used_by_tests}");
    let large = format!("//! A.\nuse crate::d;\nstruct E {{ {more} }}\n");
    let long = format!("//! A.\nfn long() {{\n{}}}\n", "    f();\n".repeat(69));
    let named = "//! A.\nfn f() { assert!(g(crate::a::A), \"it was told why\"); }\n";
    [
        ("Cargo.toml", "[package]\nname = \"planted\"\n".to_owned()),
        ("src/lib.rs", "//! A.\npub mod a;\nmod b;\n".to_owned()),
        (
            "src/a.rs",
            "//! A.\nuse crate::b::B;\nstruct A;\n".to_owned(),
        ),
        ("src/b/mod.rs", "//! A.\nmod c;\nstruct B;\n".to_owned()),
        ("src/b/c.rs", named.to_owned()),
        ("src/config.rs", format!("//! A.\nstruct C {{ {more} }}\n")),
        ("src/d.rs", question),
        ("src/e.rs", large),
        ("src/excused.rs", excused),
        ("src/long.rs", long),
        (
            "src/longer.rs",
            format!("//! A.\n{}", "// line\n".repeat(400)),
        ),
        ("src/w/mod.rs", "//! A.\nstruct W;\nimpl W {}\n".to_owned()),
        ("src/w/x.rs", "//! A.\nimpl super::W {}\n".to_owned()),
        (
            "src/w/y.rs",
            "//! A.\nuse super::W;\nimpl W {}\n".to_owned(),
        ),
        (
            "src/w/z.rs",
            "//! A.\nuse super::W;\nimpl Clone for W {}\n".to_owned(),
        ),
    ]
}
