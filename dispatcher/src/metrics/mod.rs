//! Metrics of the dispatcher: the figures at one moment, and the tables by which they are
//! encoded and documented.
//!
//! [`scheduler`](crate::scheduler) and the shell make the figures; nothing here decides.

mod dispatcher;
mod figures;
mod forecasts;
mod jobs;
mod nodes;
mod roles;

use std::sync::Arc;

use rolecast_http::metrics::connection;
use rolecast_http::metrics::process::{self, Process};
use rolecast_http::metrics::{Exposition, document};

pub(crate) use figures::{
    Accuracy, CategoryFigures, DispatcherFigures, Figures, Forecasts, Loop, NodeFigures, Nodes,
    RoleFigures, RoleTally,
};

/// Returns the exposition of the figures; those of the scheduler are missing while there is
/// none.
pub(crate) fn expose(
    dispatcher: DispatcherFigures,
    figures: Option<Figures>,
    process: Process,
) -> Exposition {
    let mut exposition = Exposition::default();
    exposition.add(&connection::ROWS, dispatcher.connection);
    exposition.add(&dispatcher::ROWS, dispatcher);
    if let Some(figures) = figures {
        let figures = Arc::new(figures);
        exposition.add(&jobs::ROWS, figures.clone());
        exposition.add(&nodes::ROWS, figures.clone());
        exposition.add(&roles::ROWS, figures.clone());
        exposition.add(&forecasts::ROWS, figures);
    }
    exposition.add(&process::ROWS, process);
    exposition
}

/// Returns the tables of the documentation, in Markdown.
pub fn documentation() -> String {
    [
        ("The dispatcher", document(&dispatcher::ROWS)),
        ("Jobs", document(&jobs::ROWS)),
        ("Nodes", document(&nodes::ROWS)),
        ("Roles", document(&roles::ROWS)),
        ("Forecasts", document(&forecasts::ROWS)),
        ("The connection", document(&connection::ROWS)),
        ("The process", document(&process::ROWS)),
    ]
    .map(|(title, table)| format!("### {title}\n\n{table}"))
    .join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_metric_is_exposed_and_documented_once() {
        let (dispatcher, figures) = (DispatcherFigures::default(), Figures::default());
        let exposition = expose(dispatcher, Some(figures), Process::default());
        let text = exposition.prometheus_text();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let exposed: Vec<&str> = types.filter_map(|line| line.split(' ').next()).collect();
        let names: BTreeSet<&str> = exposed.iter().copied().collect();
        assert_eq!(names.len(), exposed.len(), "{exposed:?}");
        let documented = documentation();
        let rows = documented
            .lines()
            .filter_map(|line| line.strip_prefix("| `"));
        let documented: BTreeSet<&str> = rows.filter_map(|line| line.split('`').next()).collect();
        assert_eq!(documented, names);
    }
}
