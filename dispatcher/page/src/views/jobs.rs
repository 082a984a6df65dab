//! The jobs that a node has in hand, each with its progress.

use maud::{Markup, html};
use rolecast_common::id::NodeId;
use rolecast_common::wire::{JobList, ListedJob, ProgressView};
use rolecast_common::words::one_line;

use crate::svg::bar::bar;
use crate::table::{none, number, table, text};
use crate::words::age;

/// Characters of a text of a worker that are shown.
const TEXT_CHARS_MAX: usize = 120;

/// Lists the jobs; `None` where they are not known, as on a standby.
pub(super) fn view(node: &NodeId, jobs: Option<&JobList>) -> Markup {
    let Some(list) = jobs else {
        return html! { p.faint { "Jobs are known to the leading dispatcher only." } };
    };
    if list.jobs.is_empty() {
        return html! { p.faint { "None." } };
    }
    let columns = [
        text("job"),
        text("category"),
        number("runs for"),
        number("attempt"),
        text("progress"),
    ];
    let rows = list.jobs.iter().map(row).collect();
    html! {
        (table("Jobs in hand, the oldest first", &columns, None, rows))
        p.faint {
            @if list.next.is_some() { "There are more: " code { "rolecast job ls --node " (node) } " lists all. " }
            code { "rolecast job watch JOB" } " follows one."
        }
    }
}

fn row(job: &ListedJob) -> Vec<Markup> {
    vec![
        html! { (job.job) },
        html! { @match &job.category { Some(category) => { a href={ "/categories#" (category) } { (category) } }, None => (none()) } },
        html! { @match job.since_ms { Some(since) => (age(since)), None => (none()) } },
        html! { @match job.attempt { Some(attempt) => (attempt), None => (none()) } },
        match &job.progress {
            Some(progress) => done(progress),
            None => {
                html! { span.faint { @if job.reason.is_empty() { "none reported" } @else { (one_line(&job.reason, TEXT_CHARS_MAX)) } } }
            }
        },
    ]
}

fn done(progress: &ProgressView) -> Markup {
    let share = progress.done.get();
    let percent = format!("{:.0} %", (share * 100.0).floor());
    html! {
        div.progress {
            (bar(&format!("{percent} done"), 1.0, &[("jobs", share)]))
            span { span.nowrap { (percent) } " " (one_line(&progress.text, TEXT_CHARS_MAX)) }
        }
    }
}
