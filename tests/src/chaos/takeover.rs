//! Times of take-overs: kills the active dispatcher repeatedly, and submits a job each
//! time.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_nats::{HeaderMap, jetstream};
use futures_util::StreamExt as _;
use rolecast_common::options::HEADER_MSG_ID;

use super::system::{Name, Plan, System, WORKERS};
use crate::servers::Options;

/// Time limit of each step; beyond it the measurement is given up.
const LIMIT: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(5);

/// Times from the kill of the active dispatcher to the recorded outcome of a job that was
/// submitted after it.
#[derive(Clone, Debug, Default)]
pub struct Takeovers(pub Vec<Duration>);

impl Takeovers {
    /// Returns the time that this share of the take-overs did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut times = self.0.clone();
        times.sort();
        let count = u32::try_from(times.len()).unwrap_or(u32::MAX);
        let rank = (f64::from(count) * share).ceil().max(1.0);
        let below = |index: &usize| f64::from(u32::try_from(*index).unwrap_or(u32::MAX)) < rank;
        let last = (0..times.len()).take_while(below).last();
        last.map_or(Duration::ZERO, |index| times[index])
    }
}

/// Kills the active dispatcher this many times.
pub async fn takeovers(
    count: usize,
    replicas: usize,
    binaries: Option<PathBuf>,
) -> anyhow::Result<Takeovers> {
    let mut system = System::new(Plan {
        servers: Options::replicas(replicas),
        binaries,
        has_proxies: false,
        skewed: Vec::new(),
        skew_library: None,
    })
    .await;
    for index in 0..WORKERS {
        system.start(Name::Worker(index));
    }
    system.start(Name::Dispatcher(0));
    wait(&mut system, |system| system.active().is_some()).await?;
    system.start(Name::Dispatcher(1));
    let client = system.servers.client().await;
    let context = jetstream::new(client.clone());
    let mut recorded = client.subscribe("rolecast.results.*").await?;
    let mut takeovers = Takeovers::default();
    submit(&context, "first").await?;
    for number in 0..count {
        let standby = other(&system)?;
        wait(&mut system, |system| system.stands_by(standby)).await?;
        let active = other_of(standby);
        system.kill(active);
        let start = Instant::now();
        let job = format!("takeover-{number}");
        submit(&context, &job).await?;
        let subject = format!("rolecast.results.{job}");
        let found = async {
            while let Some(message) = recorded.next().await {
                if message.subject.as_str() == subject {
                    break;
                }
            }
        };
        tokio::time::timeout(LIMIT, found).await?;
        takeovers.0.push(start.elapsed());
        wait(&mut system, |system| system.active() == Some(standby)).await?;
        system.start(active);
    }
    Ok(takeovers)
}

async fn submit(context: &jetstream::Context, job: &str) -> anyhow::Result<()> {
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_MSG_ID, job);
    let sent = context.publish_with_headers("rolecast.jobs.short", headers, "1".into());
    sent.await?.await?;
    Ok(())
}

/// Returns the dispatcher that does not lead.
fn other(system: &System) -> anyhow::Result<Name> {
    let active = system.active();
    Ok(other_of(
        active.ok_or_else(|| anyhow::anyhow!("no dispatcher leads"))?,
    ))
}

fn other_of(name: Name) -> Name {
    match name {
        Name::Dispatcher(0) => Name::Dispatcher(1),
        Name::Dispatcher(_) | Name::Worker(_) => Name::Dispatcher(0),
    }
}

async fn wait(system: &mut System, condition: impl Fn(&System) -> bool) -> anyhow::Result<()> {
    let start = Instant::now();
    while !condition(system) {
        anyhow::ensure!(
            start.elapsed() < LIMIT,
            "waited {LIMIT:?}: {:?}",
            system.exits()
        );
        system.tend();
        tokio::time::sleep(TICK).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let times = [3, 1, 2, 4].map(Duration::from_secs);
        let takeovers = Takeovers(times.to_vec());
        assert_eq!(takeovers.quantile(0.5), Duration::from_secs(2));
        assert_eq!(takeovers.quantile(1.0), Duration::from_secs(4));
        assert_eq!(Takeovers::default().quantile(0.5), Duration::ZERO);
    }
}
