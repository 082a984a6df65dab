//! The doctor's report as text: a line for each area, then the findings with their
//! commands.

use std::collections::BTreeMap;

use crate::doctor::area::{Area, Severity};
use crate::doctor::finding::{Finding, Report};
use crate::quantity::counted;
use crate::style::{Palette, Tone, one_line};

/// Columns of the names of areas and of the words before them.
const AREA_WIDTH: usize = 13;
const WORD_WIDTH: usize = 11;
const WHAT_CHARS_MAX: usize = 600;

pub(crate) fn page(report: &Report, palette: Palette) -> String {
    let mut text = String::new();
    for area in Area::ALL {
        let checked = report.checked.iter().find(|checked| checked.area == area);
        let gravest = report.gravest_of(area);
        if checked.is_none() && gravest.is_none() {
            continue;
        }
        let mark = mark(gravest, palette);
        let what = checked.map_or("", |checked| &checked.what);
        let what = one_line(what, WHAT_CHARS_MAX);
        let line = format!("{mark} {:AREA_WIDTH$} {what}", area.as_str());
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str(&not_checked(report, palette));
    for finding in &report.findings {
        text.push('\n');
        text.push_str(&block(finding, palette));
    }
    text.push('\n');
    text.push_str(&summary(report, palette));
    text.push('\n');
    text
}

/// Marks an area: by a sign where colours show its meaning, by a word elsewhere.
fn mark(gravest: Option<Severity>, palette: Palette) -> String {
    let (sign, word, tone) = match gravest {
        None => ("✔", "ok", Tone::Good),
        Some(Severity::Note) => ("✔", "ok, a note", Tone::Good),
        Some(Severity::Warning) => ("!", "warning", Tone::Warning),
        Some(Severity::Trouble) => ("✘", "trouble", Tone::Bad),
    };
    match palette.has_colours() {
        true => palette.paint(tone, sign),
        false => format!("{word:WORD_WIDTH$}"),
    }
}

/// Lists the areas that were not checked, those with one reason together.
fn not_checked(report: &Report, palette: Palette) -> String {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for not in &report.not_checked {
        let areas = by_reason.entry(&not.why).or_default();
        if !areas.contains(&not.area.as_str()) {
            areas.push(not.area.as_str());
        }
    }
    let line = |(why, areas): (&str, Vec<&str>)| {
        let mark = match palette.has_colours() {
            true => palette.paint(Tone::Faint, "-"),
            false => format!("{:WORD_WIDTH$}", "not checked"),
        };
        let prefix = if palette.has_colours() {
            "not checked: "
        } else {
            ""
        };
        let why = one_line(why, WHAT_CHARS_MAX);
        format!("{mark} {prefix}{}: {why}\n", areas.join(", "))
    };
    by_reason.into_iter().map(line).collect()
}

/// Writes a finding; its command stands alone on its line, ready to be copied.
fn block(finding: &Finding, palette: Palette) -> String {
    let severity = finding.entry.severity;
    let tone = tone(severity);
    let title = format!("{} {}", severity.as_str(), finding.entry.id);
    let since = finding.since.map(|since| format!(" (since {since})"));
    let what = one_line(&finding.what, WHAT_CHARS_MAX);
    format!(
        "{}: {what}{}\n  {}.\n  {}\n",
        palette.paint(tone, &title),
        since.unwrap_or_default(),
        palette.paint(Tone::Faint, finding.entry.why),
        palette.paint(Tone::Strong, &one_line(&finding.command, WHAT_CHARS_MAX)),
    )
}

fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Trouble => Tone::Bad,
        Severity::Warning => Tone::Warning,
        Severity::Note => Tone::Plain,
    }
}

fn summary(report: &Report, palette: Palette) -> String {
    let count = |severity| {
        let findings = report.findings.iter();
        let count = findings
            .filter(|finding| finding.entry.severity == severity)
            .count();
        u64::try_from(count).unwrap_or(u64::MAX)
    };
    let all = [Severity::Trouble, Severity::Warning, Severity::Note];
    let found = all.into_iter().filter(|severity| count(*severity) > 0);
    let parts: Vec<String> = found
        .map(|severity| counted(count(severity), severity.as_str()))
        .collect();
    let (text, tone) = match report.gravest() {
        None if report.not_checked.is_empty() => ("all is well".to_owned(), Tone::Good),
        None => (
            "nothing was found in what could be checked".to_owned(),
            Tone::Good,
        ),
        Some(severity) => (parts.join(", "), tone(severity)),
    };
    palette.paint(tone, &text)
}
