//! Names for the series of several files.

use std::collections::BTreeMap;

/// A file with series.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// As it was given; different for each file.
    pub(crate) path: String,
    /// The names of its series, different from each other.
    pub(crate) series: Vec<String>,
}

/// Returns the names under which each file's series are reported: their own if only one
/// file has it, otherwise with the file's stem in front, and with the whole path if even
/// stems agree.
pub(crate) fn unique_names(origins: &[Origin]) -> Vec<Vec<String>> {
    let mut plain = BTreeMap::<&str, usize>::new();
    let mut with_stem = BTreeMap::<String, usize>::new();
    for Origin { path, series } in origins {
        for name in series {
            *plain.entry(name).or_default() += 1;
            *with_stem.entry(join(stem(path), name)).or_default() += 1;
        }
    }
    let names = origins.iter().map(|Origin { path, series }| {
        let names = series.iter().map(|name| {
            let longer = join(stem(path), name);
            if plain[name.as_str()] == 1 {
                name.clone()
            } else if with_stem[&longer] == 1 {
                longer
            } else {
                join(path, name)
            }
        });
        names.collect()
    });
    names.collect()
}

fn join(front: &str, name: &str) -> String {
    format!("{front}/{name}")
}

/// Returns the name of the file without its directory and endings.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.strip_suffix(".gz").unwrap_or(name);
    name.strip_suffix(".csv").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_as_long_as_it_must_be() {
        let origin = |path: &str, series: &[&str]| Origin {
            path: path.to_owned(),
            series: series.iter().copied().map(str::to_owned).collect(),
        };
        let origins = [
            origin("a/oak.csv", &["cpu", "disk"]),
            origin("elm.csv.gz", &["cpu"]),
            origin("b/oak.csv", &["disk"]),
        ];
        let names = unique_names(&origins);
        assert_eq!(names[0], ["oak/cpu", "a/oak.csv/disk"]);
        assert_eq!(names[1], ["elm/cpu"]);
        assert_eq!(names[2], ["b/oak.csv/disk"]);
    }
}
