//! Limits of the account.

use rolecast_common::unit::Bytes;

use crate::doctor::area::Area;
use crate::doctor::catalogue::nats::{
    ACCOUNT_CONSUMERS, ACCOUNT_STORAGE, ACCOUNT_STREAMS, JETSTREAM_OFF,
};
use crate::doctor::facts::{Facts, JetStream, Part, Tier};
use crate::doctor::finding::{Finding, Report};
use crate::quantity::counted;

/// Fullness above which there is little time left to act; guessed.
pub(super) const FULL_PERCENT: u64 = 80;
/// A category has a consumer for each priority.
const CONSUMERS_NEEDED: u64 = 3;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    let tiers = match &facts.account {
        Part::Known(JetStream::On(tiers)) => tiers,
        Part::Known(JetStream::Off(why)) => {
            return report.find(Finding::new(&JETSTREAM_OFF, why));
        }
        Part::Unknown(why) => return report.not_checked(Area::Account, why),
    };
    let total = |of: fn(&Tier) -> u64| tiers.iter().map(of).sum::<u64>();
    report.checked(
        Area::Account,
        format!(
            "{} stored, {}, {}",
            Bytes::new(total(|tier| tier.storage)),
            counted(total(|tier| tier.streams), "stream"),
            counted(total(|tier| tier.consumers), "consumer"),
        ),
    );
    for tier in tiers {
        of_tier(tier, report);
    }
}

/// Returns the part of a limit that is used, in percent.
pub(super) fn percent(used: u64, max: u64) -> u64 {
    used.saturating_mul(100) / max.max(1)
}

fn of_tier(tier: &Tier, report: &mut Report) {
    let of = match tier.name.as_str() {
        "" => String::new(),
        name => format!(" of tier {name}"),
    };
    if let Some(max) = tier.storage_max
        && percent(tier.storage, max) >= FULL_PERCENT
    {
        let what = format!(
            "{} of {} of the account's storage{of} are used, {} %; {} are reserved by limits of \
             streams",
            Bytes::new(tier.storage),
            Bytes::new(max),
            percent(tier.storage, max),
            Bytes::new(tier.reserved),
        );
        report.find(Finding::new(&ACCOUNT_STORAGE, what));
    }
    if let Some(max) = tier.streams_max
        && tier.streams >= max
    {
        let what = format!("the account has all {max} streams{of} that it may have");
        report.find(Finding::new(&ACCOUNT_STREAMS, what));
    }
    if let Some(max) = tier.consumers_max
        && tier.consumers.saturating_add(CONSUMERS_NEEDED) > max
    {
        let what = format!(
            "the account has {} of {max} consumers{of} that it may have",
            tier.consumers
        );
        report.find(Finding::new(&ACCOUNT_CONSUMERS, what));
    }
}
