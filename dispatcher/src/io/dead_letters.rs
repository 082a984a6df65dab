//! Counts of dead letters, in all and by category.

use std::collections::BTreeMap;

use async_nats::jetstream;
use rolecast_common::requests;
use rolecast_common::subjects::STREAM_DEAD;
use rolecast_common::wire::Status;
use serde::Deserialize;
use serde_json::{Value, json};

use super::listing::ask;

/// The most dead letters that are counted by category; above, only the total is reported.
/// The server lists each of them for that, 80 bytes or so each, and a status is requested
/// every second. Guessed: nobody wants the count of so many by category.
const LISTED_MAX: u64 = 10_000;

#[derive(Deserialize)]
struct Info {
    state: State,
}

#[derive(Deserialize)]
struct State {
    messages: u64,
    subjects: Option<BTreeMap<String, u64>>,
}

/// Adds the numbers to the status.
pub(super) async fn add(jetstream: &jetstream::Context, status: &mut Status) -> anyhow::Result<()> {
    let messages = info(jetstream, json!({})).await?.messages;
    status.dead_letters = Some(messages);
    if messages > LISTED_MAX {
        return Ok(());
    }
    let subjects = match messages {
        0 => BTreeMap::new(),
        _ => info(jetstream, json!({"subjects_filter": ">"}))
            .await?
            .subjects
            .unwrap_or_default(),
    };
    let counts = by_category(&subjects);
    for category in &mut status.categories {
        let count = counts.get(category.category.as_str());
        category.dead_letters = Some(count.copied().unwrap_or(0));
    }
    Ok(())
}

async fn info(jetstream: &jetstream::Context, request: Value) -> anyhow::Result<State> {
    let subject = requests::stream_info(STREAM_DEAD);
    let info: Info = ask(jetstream, &subject, &request).await?;
    Ok(info.state)
}

/// Sums `rolecast.dead.<category>.<job>` by category.
fn by_category(subjects: &BTreeMap<String, u64>) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::new();
    for (subject, count) in subjects {
        if let Some(category) = subject.split('.').nth(2) {
            *counts.entry(category).or_default() += count;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_letters_are_counted_by_category() {
        let subjects = [
            "rolecast.dead.a.1",
            "rolecast.dead.a.2",
            "rolecast.dead.b.1",
        ];
        let subjects = subjects.map(|subject| (subject.to_owned(), 1));
        let counts = BTreeMap::from(subjects);
        assert_eq!(by_category(&counts), BTreeMap::from([("a", 2), ("b", 1)]));
    }
}
