//! Records the use of this host into a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{Stream, StreamExt as _};
use rolecast_common::time::WallTime;
use tokio::time::{MissedTickBehavior, interval_at};

use crate::host::Host;
use crate::record::{Grid, HEADER, line};
use crate::usage::{Snapshot, between};

/// Lines that are lost at most when the host fails; each flush costs the compression a
/// little.
const LINES_PER_FLUSH: u64 = 60;

/// Settings of a recording.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The file, replaced if it exists; compressed with gzip if the name ends in `.gz`.
    pub out: PathBuf,
    /// The time after which it ends.
    pub length: Duration,
    /// Seconds between lines; 0 counts as 1.
    pub every: u64,
}

/// Records the use of this host until the time is over or `stop` has an item;
/// returns the number of lines.
///
/// A line of comma-separated values has the time in seconds since the Unix epoch, and since
/// the line before the mean of cores kept busy and of bytes per second over network and
/// disks, and the bytes of memory in use. Lines reach the file 60 at a time. It needs a tokio
/// runtime with time.
///
/// # Errors
/// That of the file, or of a host whose use cannot be read.
pub async fn record_host(
    recording: Recording,
    mut stop: impl Stream<Item = ()> + Unpin,
) -> anyhow::Result<u64> {
    let name = || recording.out.display().to_string();
    let mut trace = Trace::create(&recording.out).with_context(name)?;
    trace.write(HEADER).with_context(name)?;
    let mut host = Host::new()?;
    let capacity = host.capacity();
    let mut grid = Grid::new(recording.every);
    let end = tokio::time::Instant::now() + recording.length;
    let first = Duration::from_millis(grid.wait_millis(wall()));
    let every = Duration::from_secs(recording.every.max(1));
    let mut ticks = interval_at(tokio::time::Instant::now() + first, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // The first tick is the start of the first measurement.
    let mut earlier: Option<(Snapshot, Instant)> = None;
    let mut lines = 0;
    loop {
        tokio::select! {
            biased;
            _ = stop.next() => break,
            () = tokio::time::sleep_until(end) => break,
            _ = ticks.tick() => {}
        }
        let total = host.read();
        let later = Snapshot {
            total,
            ..Snapshot::default()
        };
        let read = Instant::now();
        let begin = earlier.replace((later, read));
        let Some((begin, begun)) = begin else {
            continue;
        };
        let Some(moment) = grid.take(wall()) else {
            continue;
        };
        let usage = between(&begin, &later, read - begun, capacity);
        trace
            .write(&line(moment, &usage.total))
            .with_context(name)?;
        lines += 1;
        if lines % LINES_PER_FLUSH == 0 {
            trace.flush().with_context(name)?;
        }
    }
    trace.finish().with_context(name)?;
    Ok(lines)
}

fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    WallTime::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// The file, compressed or not.
enum Trace {
    Plain(BufWriter<File>),
    Compressed(GzEncoder<File>),
}

impl Trace {
    fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        let is_compressed = path.extension().is_some_and(|extension| extension == "gz");
        Ok(if is_compressed {
            Self::Compressed(GzEncoder::new(file, Compression::best()))
        } else {
            Self::Plain(BufWriter::new(file))
        })
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(text.as_bytes()),
            Self::Compressed(file) => file.write_all(text.as_bytes()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Compressed(file) => file.flush(),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut file) => file.flush(),
            Self::Compressed(file) => file.finish()?.sync_all(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn a_recording_that_is_stopped_keeps_what_it_has() {
        let directory = tempfile::tempdir().unwrap();
        let recording = Recording {
            out: directory.path().join("trace.csv.gz"),
            length: Duration::from_secs(60),
            every: 1,
        };
        // Within three seconds there are at least two moments.
        let wait = tokio::time::sleep(Duration::from_secs(3));
        let stop = Box::pin(stream::once(wait));
        let lines = record_host(recording.clone(), stop).await.unwrap();
        assert!((1..=3).contains(&lines), "{lines}");
        let mut text = String::new();
        let file = File::open(&recording.out).unwrap();
        let mut reader = flate2::read::GzDecoder::new(file);
        reader.read_to_string(&mut text).unwrap();
        assert!(text.starts_with(HEADER));
        assert_eq!(text.lines().count() as u64, lines + 1);
    }
}
