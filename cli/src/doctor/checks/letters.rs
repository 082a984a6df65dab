//! Dead letters, by category, with their commonest reason.

use crate::doctor::area::Area;
use crate::doctor::catalogue::work::DEAD_LETTERS;
use crate::doctor::facts::{Facts, Letters, Part};
use crate::doctor::finding::{Finding, Report};
use crate::quantity::counted;
use crate::style::one_line;

const REASON_CHARS_MAX: usize = 200;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    let status = facts.status();
    let letters = match (
        &facts.letters,
        status.and_then(|status| status.dead_letters),
    ) {
        (Part::Known(letters), _) => letters,
        // Without the reasons the dispatcher's counts are still known.
        (Part::Unknown(_), Some(total)) => return by_count(facts, total, report),
        (Part::Unknown(why), None) => return report.not_checked(Area::DeadLetters, why),
    };
    if letters.is_empty() {
        report.checked(Area::DeadLetters, "none");
    }
    report.find_all(letters.iter().map(|(category, letters)| {
        let counts = status.into_iter().flat_map(|status| &status.categories);
        let mut counts = counts.filter(|counted| counted.category.as_str() == category);
        let count = counts.find_map(|category| category.dead_letters);
        of_category(category, letters, count)
    }));
}

fn of_category(category: &str, letters: &Letters, count: Option<u64>) -> Finding {
    let category = one_line(category, 64);
    let read: u64 = letters.reasons.values().sum();
    let count = count.unwrap_or(read).max(read);
    let reasons = letters.reasons.iter();
    let commonest = reasons.max_by_key(|(_, count)| **count);
    let why = commonest.map_or_else(String::new, |(reason, times)| {
        let reason = match reason.as_str() {
            "" => "without a reason in the letter".to_owned(),
            reason => one_line(reason, REASON_CHARS_MAX),
        };
        match *times == count {
            true => format!(": {reason}"),
            false => format!(", {times} of them: {reason}"),
        }
    });
    let what = format!("{category}: {}{why}", counted(count, "dead letter"));
    let since = letters.oldest;
    let command = format!("rolecast dead ls --category {category}");
    Finding {
        since,
        ..Finding::new(&DEAD_LETTERS, what).by(command)
    }
}

fn by_count(facts: &Facts, total: u64, report: &mut Report) {
    if total == 0 {
        return report.checked(Area::DeadLetters, "none");
    }
    let categories = facts
        .status()
        .into_iter()
        .flat_map(|status| &status.categories);
    let names = categories.filter(|category| category.dead_letters.is_some_and(|n| n > 0));
    let names: Vec<&str> = names.map(|category| category.category.as_str()).collect();
    let of = match names.is_empty() {
        true => String::new(),
        false => format!(" of {}", one_line(&names.join(", "), REASON_CHARS_MAX)),
    };
    let what = format!("{}{of}", counted(total, "dead letter"));
    report.find(Finding::new(&DEAD_LETTERS, what).by("rolecast dead ls"));
}
