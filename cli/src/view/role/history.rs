//! Finished role changes as text, with the figures that decided them.

use rolecast_common::wire::{PastRoleChange, RoleChangeResult};
use rolecast_common::words::{course, figures_of, why};

use super::NOTHING_MANAGED;
use crate::quantity::length;
use crate::style::{Palette, Tone, one_line};
use crate::table::{Align, Text, plain, table};

/// The characters of a reason or a trouble that are shown.
const REASON_CHARS_MAX: usize = 100;

const COLUMNS: [(&str, Align); 7] = [
    ("when", Align::Left),
    ("role", Align::Left),
    ("change", Align::Left),
    ("why", Align::Left),
    ("result", Align::Left),
    ("took", Align::Right),
    ("trouble", Align::Left),
];

/// Lists changes in their order; `is_managed` is whether any role could have some.
pub(crate) fn list(changes: &[&PastRoleChange], is_managed: bool, palette: Palette) -> String {
    if changes.is_empty() {
        let text = if is_managed {
            "no finished changes\n"
        } else {
            NOTHING_MANAGED
        };
        return text.to_owned();
    }
    let rows = changes.iter().map(|change| row(change)).collect();
    let table = table(palette, &COLUMNS, rows);
    // A row is one line, so figures can stand below their row.
    let mut lines = table.lines();
    let header = lines.next().unwrap_or_default();
    let mut text = format!("{header}\n");
    for (line, change) in lines.zip(changes) {
        text.push_str(&format!("{line}\n"));
        if let Some(figures) = figures_of(change) {
            text.push_str(&format!("  {}\n", palette.paint(Tone::Faint, &figures)));
        }
    }
    text
}

/// Returns a change in one line, without its figures.
pub(crate) fn line(change: &PastRoleChange) -> (String, Tone) {
    let (result, tone) = result(change);
    let took = length(change.ended_ms.since(change.began_ms));
    let (ended, course, why) = (change.ended_ms, course(change), why(&change.why));
    (
        format!("{ended}  {course}: {why}; {result} after {took}"),
        tone,
    )
}

fn result(change: &PastRoleChange) -> (&'static str, Tone) {
    match change.result {
        RoleChangeResult::Done => ("done", Tone::Good),
        RoleChangeResult::Undone => ("undone", Tone::Warning),
        RoleChangeResult::Vacated => ("vacated", Tone::Bad),
    }
}

fn row(change: &PastRoleChange) -> Vec<Text> {
    let result = result(change);
    let trouble = change.trouble.as_deref();
    let trouble = trouble.map_or("-".to_owned(), |text| one_line(text, REASON_CHARS_MAX));
    vec![
        plain(change.ended_ms),
        (change.role.to_string(), Tone::Strong),
        plain(course(change)),
        plain(why(&change.why)),
        (result.0.to_owned(), result.1),
        plain(length(change.ended_ms.since(change.began_ms))),
        plain(trouble),
    ]
}

#[cfg(test)]
mod tests {
    use rolecast_common::id::{Epoch, Group, NodeId, Role};
    use rolecast_common::time::WallTime;
    use rolecast_common::wire::{Figures, Why};

    use super::*;

    #[test]
    fn a_change_that_was_judged_has_its_figures_below_it() {
        let figures = Figures::new([("cost_core_s", 12.0), ("benefit_core_s", 41.0)]);
        let mut undone = change("n2", Some("n2"), Why::Operator, RoleChangeResult::Undone);
        undone.trouble = Some("n1: hook failed:\nexit code 1".to_owned());
        let changes = [
            change(
                "n1",
                Some("n2"),
                Why::Bottleneck { figures },
                RoleChangeResult::Done,
            ),
            undone,
            change("n2", None, Why::HolderGone, RoleChangeResult::Vacated),
        ];
        let changes: Vec<&PastRoleChange> = changes.iter().collect();
        let expected = "\
WHEN                      ROLE    CHANGE           WHY          RESULT     TOOK  TROUBLE
1970-01-01T00:00:09.000Z  leader  n1 -> n2         bottleneck   done     1.50 s  -
  benefit 41 core-s, cost 12 core-s
1970-01-01T00:00:09.000Z  leader  n2 has it again  ordered      undone   1.50 s  n1: hook failed: exit code 1
1970-01-01T00:00:09.000Z  leader  n2 -> nobody     holder gone  vacated  1.50 s  -
";
        assert_eq!(list(&changes, true, Palette::PLAIN), expected);
        let coloured = list(&changes, true, Palette::new(true));
        assert_eq!(coloured.lines().count(), expected.lines().count());
    }

    #[test]
    fn no_history_is_distinguished_from_nothing_to_have_one() {
        assert_eq!(list(&[], true, Palette::PLAIN), "no finished changes\n");
        let text = list(&[], false, Palette::PLAIN);
        assert!(text.contains("[roles.leader] holders = 1"), "{text}");
    }

    fn change(from: &str, to: Option<&str>, why: Why, result: RoleChangeResult) -> PastRoleChange {
        PastRoleChange {
            group: Group::new("default").unwrap(),
            role: Role::new("leader").unwrap(),
            from: NodeId::new(from).ok(),
            to: to.and_then(|to| NodeId::new(to).ok()),
            why,
            result,
            began_ms: WallTime::from_millis(7500),
            ended_ms: WallTime::from_millis(9000),
            epoch: Epoch::new(3),
            generation: 12,
            trouble: None,
        }
    }
}
