//! Direction of dependencies: common <- nats, http, forecast, page <- dispatcher, worker
//! <- simulator <- cli <- tests <- benches.

/// Our crates, each with its layer; one may depend on lower layers only.
const LAYERS: [(&str, u8); 11] = [
    ("rolecast-common", 0),
    ("rolecast-nats", 1),
    ("rolecast-http", 1),
    ("rolecast-forecast", 1),
    ("rolecast-page", 1),
    ("rolecast-dispatcher", 2),
    ("rolecast-worker", 2),
    ("rolecast-simulator", 3),
    ("rolecast", 4),
    ("rolecast-tests", 5),
    ("rolecast-benches", 6),
];

/// Reports each dependency of a Cargo.toml in the wrong direction, of whatever kind.
pub(super) fn check(text: &str, report: &mut dyn FnMut(usize, String)) {
    let mut section = "";
    let mut package = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        }
        if let (true, Some(name)) = (section == "package", line.strip_prefix("name = ")) {
            package = Some(name.trim_matches('"'));
        }
        let Some(package) = package else {
            continue;
        };
        let Some(dependency) = dependency(section, line) else {
            continue;
        };
        let (Some(upper), Some(lower)) = (layer(package), layer(dependency)) else {
            continue;
        };
        if lower >= upper {
            report(
                index + 1,
                format!("{package} may not depend on {dependency}"),
            );
        }
    }
}

/// Returns the crate that a line names as a dependency, if it does.
fn dependency<'a>(section: &'a str, line: &'a str) -> Option<&'a str> {
    // Either `[dependencies]` with a line for each, or `[dependencies.name]`.
    if section.ends_with("dependencies") {
        return line.split(['.', '=', ' ']).next();
    }
    let (_, name) = section.rsplit_once("dependencies.")?;
    line.starts_with('[').then_some(name)
}

fn layer(name: &str) -> Option<u8> {
    let found = LAYERS.iter().find(|(layer, _)| *layer == name);
    found.map(|(_, layer)| *layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offences(text: &str) -> Vec<usize> {
        let mut lines = Vec::new();
        check(text, &mut |line, _| lines.push(line));
        lines
    }

    #[test]
    fn a_dependency_on_the_same_or_a_higher_layer_is_found() {
        let text = "[package]\nname = \"rolecast-worker\"\n[dependencies]\n\
                    rolecast-common.workspace = true\n\
                    rolecast-dispatcher = { path = \"../dispatcher\" }\n\
                    [dev-dependencies]\nrolecast-tests.workspace = true\n\
                    [target.'cfg(unix)'.dependencies.rolecast]\npath = \"../cli\"\n";
        assert_eq!(offences(text), [5, 7, 8]);
    }

    #[test]
    fn a_list_for_the_workspace_is_no_dependency() {
        let text = "[workspace.dependencies]\nrolecast-tests = { path = \"tests\" }\n";
        assert!(offences(text).is_empty());
    }
}
