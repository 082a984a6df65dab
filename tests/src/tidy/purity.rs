//! Purity: items that pure code may not use.

use std::path::Path;

use super::source::{Source, has_word};

/// Paths and calls with effects outside of a computation.
const FORBIDDEN: [&str; 21] = [
    ".await",
    "Instant",
    "SystemTime",
    "Zoned",
    "Timestamp::now",
    "now_v7",
    "new_v4",
    "Rng::new",
    "std::env",
    "std::net",
    "std::fs",
    "std::process",
    "std::thread",
    "Mutex",
    "RwLock",
    "Condvar",
    "tokio",
    "async_nats",
    "sysinfo",
    "nix",
    "wait4",
];
/// The modules among them that `use std::{...}` could bring in.
const STD_MODULES: [&str; 5] = ["env", "net", "fs", "process", "thread"];
/// Items among them that are only data.
const ALLOWED: [&str; 2] = ["std::process::ExitCode", "async_nats::HeaderMap"];

/// Files of the shell, besides everything in a directory `io`.
const SHELL_FILES: [&str; 2] = ["config.rs", "main.rs"];

/// Returns whether the file belongs neither to a shell nor to tests.
pub(super) fn is_pure(path: &Path) -> bool {
    let is_in = |name: &str| path.iter().any(|part| part == name);
    let is_test = is_in("tests") || path.ends_with("tests.rs");
    let is_bench = is_in("benches");
    let is_shell = is_in("io")
        || path.starts_with("common/nats")
        || path.starts_with("common/http")
        || path.starts_with("worker/src/host")
        || SHELL_FILES.iter().any(|name| path.ends_with(name));
    !is_test && !is_bench && !is_shell
}

/// Reports each use of something forbidden in the file's own lines.
pub(super) fn check(source: &Source<'_>, report: &mut dyn FnMut(usize, String)) {
    let mut code = source.code();
    for allowed in ALLOWED {
        code = code.replace(allowed, "");
    }
    for (index, line) in code.lines().take(source.own_lines()).enumerate() {
        for word in FORBIDDEN.into_iter().filter(|word| has_word(line, word)) {
            report(index + 1, format!("pure code uses `{word}`"));
        }
    }
    let mut end = 0;
    while let Some(start) = code[end..].find("std::{") {
        let start = end + start;
        end = code[start..]
            .find(';')
            .map_or(code.len(), |len| start + len);
        let line = code[..start].lines().count().max(1);
        let group = &code[start..end];
        for name in STD_MODULES.into_iter().filter(|name| has_word(group, name)) {
            report(line, format!("pure code uses `std::{name}`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(text: &str) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        check(&Source::new(text), &mut |line, text| {
            found.push((line, text));
        });
        found
    }

    #[test]
    fn shells_and_tests_are_not_pure() {
        for path in [
            "worker/src/io/job.rs",
            "worker/src/config.rs",
            "worker/src/host/system.rs",
            "cli/src/main.rs",
            "common/nats/src/connect.rs",
            "common/src/wire/tests.rs",
            "tests/src/server.rs",
        ] {
            assert!(!is_pure(Path::new(path)), "{path}");
        }
        for path in [
            "common/src/id.rs",
            "worker/src/agent/mod.rs",
            "a/src/radio/x.rs",
        ] {
            assert!(is_pure(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn what_reaches_out_is_found_with_its_line() {
        let found = words_of("use std::fmt;\nuse std::fs;\nlet x = y().await;\n");
        let expected = [(2, "std::fs"), (3, ".await")];
        assert_eq!(
            found,
            expected.map(|(line, word)| (line, format!("pure code uses `{word}`")))
        );
    }

    #[test]
    fn a_module_of_a_group_is_found() {
        assert_eq!(words_of("use std::{fmt, env};").len(), 1);
        assert_eq!(words_of("use std::{\n    fmt,\n    fs::File,\n};").len(), 1);
        assert_eq!(words_of("use std::{fmt, mem};"), []);
    }

    #[test]
    fn data_words_comments_and_unit_tests_are_free() {
        let text = "use std::process::ExitCode;\n// tokio\nlet Instantly = \"tokio\";\n\
                    #[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(words_of(text), []);
    }
}
