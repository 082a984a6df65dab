//! Wrong clock for a program: a library that shifts the time of day.
//!
//! It is loaded before all others, and adds to the time that the system returns. Clocks
//! that only measure lengths stay right.

use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, time);
    const char *skew = getenv("CLOCK_SKEW_S");
    if (!result && skew && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        time->tv_sec += atol(skew);
    return result;
}
"#;

/// Builds the library in a directory; a C compiler is needed to build Rolecast, too.
pub fn library(directory: &Path) -> PathBuf {
    let source = directory.join("skew.c");
    let library = directory.join("skew.so");
    std::fs::write(&source, SOURCE).expect("the test's directory is writable");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    let is_built = compiled.is_ok_and(|status| status.success());
    assert!(is_built, "cc does not build the library that skews a clock");
    library
}
