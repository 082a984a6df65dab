//! Exemplars of histograms, as OpenMetrics has them: a trace behind a bucket.
//!
//! The library makes its own type of an exemplar only within its own histograms, so these are
//! added to its text: each line of a bucket has its place among all of them.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rolecast_common::histogram::{Exemplar, Histogram};

/// End of the name of the samples of buckets; no name in a table ends with it.
pub(super) const BUCKET: &str = "_bucket";

/// An exemplar or none for each bucket, in the order in which they are encoded.
#[derive(Debug, Default)]
pub(super) struct Exemplars(Mutex<Vec<Option<Exemplar>>>);

impl Exemplars {
    /// Records those of a histogram that is encoded.
    pub(super) fn add(&self, histogram: &Histogram) {
        match histogram.exemplars() {
            Some(exemplars) => self.lock().extend(exemplars),
            None => self.lock().extend(histogram.buckets().map(|_| None)),
        }
    }

    /// Forgets them, before all is encoded again.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Returns the encoded text with the exemplars.
    pub(super) fn append_to(&self, text: String) -> String {
        let exemplars = self.lock();
        if exemplars.iter().all(Option::is_none) {
            return text;
        }
        let mut exemplars = exemplars.iter();
        let mut out = String::with_capacity(text.len());
        for line in text.lines() {
            out.push_str(line);
            if is_bucket(line)
                && let Some(Some(exemplar)) = exemplars.next()
            {
                let Exemplar { trace, seconds, at } = exemplar;
                let (at_s, at_ms) = (at.as_millis() / 1000, at.as_millis() % 1000);
                let _ = write!(
                    out,
                    " # {{trace_id=\"{trace}\"}} {seconds} {at_s}.{at_ms:03}"
                );
            }
            out.push('\n');
        }
        out
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Exemplar>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_bucket(line: &str) -> bool {
    let name = line.split_once('{').map_or("", |(name, _)| name);
    name.ends_with(BUCKET)
}
