//! Detection of an ignored SIGHUP: such a program continues when its terminal is closed.

use std::fs;

/// SIGHUP is the first signal, so the lowest bit of a mask.
const HANGUP: u64 = 1;

/// Returns whether SIGHUP was ignored when this program was started, as `nohup` does; a
/// program that listens for it would undo that.
pub fn is_hangup_ignored() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

fn ignores_hangup(status: &str) -> bool {
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & HANGUP != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        assert!(ignores_hangup(
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"
        ));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup("Name:\tx\n"));
        assert!(!ignores_hangup("SigIgn:\tzz\n"));
    }
}
