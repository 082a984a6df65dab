//! The named figures of a decision in one line.

use super::text::one_line;
use crate::wire::Figures;

/// The figures that are shown first, without units; others follow by name.
const ORDER: [&str; 14] = [
    "benefit",
    "cost",
    "regret",
    "needed",
    "change",
    "elapsed",
    "remaining",
    "recent_changes",
    "holder_load",
    "holder_missed",
    "target_load",
    "target_missed",
    "hot",
    "heard",
];

/// The ends of names that are units, and how these are written.
const UNITS: [(&str, Unit); 4] = [
    ("_core_s", Unit::Named("core-s")),
    ("_cores", Unit::Named("cores")),
    ("_share", Unit::Percent),
    ("_s", Unit::Named("s")),
];

/// The characters of a name that are shown.
const NAME_CHARS_MAX: usize = 40;

#[derive(Clone, Copy, Debug)]
enum Unit {
    None,
    Named(&'static str),
    Percent,
}

/// Figures that matter while a holder suffers: how far it is from being relieved, and
/// why.
const OF_TROUBLE: [&str; 5] = ["regret", "needed", "benefit", "cost", "holder_load"];

/// Writes all figures, the known ones first.
pub fn line(figures: &Figures) -> String {
    write_all(figures.iter())
}

/// Writes the figures that matter: almost nothing as long as the holder is not overloaded.
pub fn brief(figures: &Figures) -> String {
    let is_well = figures
        .iter()
        .all(|(name, value)| name != "regret_s" || value < REGRET_MIN_S);
    let is_wanted = |name: &str| {
        let stem = split(name).0;
        (!is_well || stem == "holder_load") && OF_TROUBLE.contains(&stem)
    };
    let text = write_all(figures.iter().filter(|(name, _)| is_wanted(name)));
    match (is_well, text.is_empty()) {
        (true, true) => "the holder is not overloaded".to_owned(),
        (true, false) => format!("the holder is not overloaded, {text}"),
        (false, _) => text,
    }
}

/// Less than this is shown as 0.
const REGRET_MIN_S: f64 = 0.0005;

fn write_all<'a>(figures: impl Iterator<Item = (&'a str, f64)>) -> String {
    let mut named: Vec<(usize, &str, String)> = figures
        .map(|(name, value)| {
            let (stem, unit) = split(name);
            let known = ORDER.iter().position(|known| *known == stem);
            (known.unwrap_or(ORDER.len()), stem, write(stem, unit, value))
        })
        .collect();
    named.sort();
    let texts: Vec<String> = named.into_iter().map(|(_, _, text)| text).collect();
    texts.join(", ")
}

fn split(name: &str) -> (&str, Unit) {
    let found = UNITS.iter().find_map(|(end, unit)| {
        let stem = name.strip_suffix(end)?;
        (!stem.is_empty()).then_some((stem, *unit))
    });
    found.unwrap_or((name, Unit::None))
}

fn write(stem: &str, unit: Unit, value: f64) -> String {
    let name = stem.replace('_', " ");
    let name = one_line(name.trim(), NAME_CHARS_MAX);
    match unit {
        Unit::None => format!("{name} {}", number(value)),
        Unit::Named(unit) => format!("{name} {} {unit}", number(value)),
        Unit::Percent => format!("{name} {} %", number(value * 100.0)),
    }
}

/// Writes a number with three digits or so, and no zeros at its end.
fn number(value: f64) -> String {
    let text = match value.abs() {
        size if size >= 1e9 => return format!("{value:.2e}"),
        size if size >= 100.0 => return format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    };
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        return "0".to_owned();
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_figures_come_first_and_units_are_known_by_names() {
        let figures = Figures::new([
            ("a_stranger", 7.0),
            ("cost_core_s", 12.04),
            ("holder_load_share", 1.125),
            ("benefit_core_s", 41.0),
            ("spare_cores", 0.5),
            ("regret_s", -0.0001),
            ("_s", 1e300),
        ]);
        let expected = "benefit 41 core-s, cost 12 core-s, regret 0 s, holder load 112 %, \
                        s 1.00e300, a stranger 7, spare 0.5 cores";
        assert_eq!(line(&figures), expected);
    }

    #[test]
    fn a_holder_that_is_well_needs_few_figures() {
        let mut figures = vec![
            ("benefit_core_s", 0.0),
            ("cost_core_s", 12.0),
            ("regret_s", 0.0),
            ("needed_s", 60.0),
            ("holder_load_share", 0.125),
            ("heard", 3.0),
            ("unusual", 0.0),
        ];
        let calm = brief(&Figures::new(figures.clone()));
        assert_eq!(calm, "the holder is not overloaded, holder load 12.5 %");
        figures[2].1 = 2.5;
        let expected = "benefit 0 core-s, cost 12 core-s, regret 2.5 s, needed 60 s, \
                        holder load 12.5 %";
        assert_eq!(brief(&Figures::new(figures)), expected);
        assert_eq!(brief(&Figures::default()), "the holder is not overloaded");
    }
}
