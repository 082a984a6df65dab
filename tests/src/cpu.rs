//! CPU time of this thread, and memory of this process.

use std::time::Duration;

use anyhow::Context as _;
use nix::time::{ClockId, clock_gettime};

/// Reads the CPU time of this thread.
pub fn time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .expect("every system we build for has this clock")
        .into()
}

/// Reads the resident memory of this process, in MiB.
pub fn resident_mib() -> anyhow::Result<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm").context("this needs Linux")?;
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    let pages: u32 = pages.context("the second field of statm is a number")?;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)?;
    let page = i32::try_from(page.context("pages have a size")?)?;
    Ok(f64::from(pages) * f64::from(page) / f64::from(1 << 20))
}
