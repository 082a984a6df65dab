//! Rust files of the repository, parsed, each with its crate and module.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{Attribute, Item};

use super::super::source::Source;
use super::paths::{Import, Names, Paths};

/// All Rust files below a root.
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    /// Where a module of a target is in `files`.
    modules: BTreeMap<(PathBuf, Names), usize>,
}

/// A Rust file.
pub(super) struct File {
    /// Relative to the root, as `syntax` and all else here.
    pub(super) path: PathBuf,
    pub(super) package: String,
    /// The folder of its library, or the place of its binary or test.
    pub(super) target: PathBuf,
    pub(super) module: Names,
    pub(super) text: String,
    /// Nothing, if the file does not parse: the compiler reports that.
    syntax: Option<syn::File>,
    /// What it imports and names, as it is written.
    pub(super) imports: Vec<Import>,
    pub(super) paths: Vec<Names>,
    declared: BTreeSet<String>,
}

impl File {
    pub(super) fn own_lines(&self) -> usize {
        Source::new(&self.text).own_lines()
    }

    /// Returns whether it is in a module of unit tests.
    pub(super) fn is_of_tests(&self) -> bool {
        self.module.iter().any(|name| name == "tests")
    }

    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        self.syntax.iter().flat_map(|syntax| &syntax.items)
    }

    /// Returns its items without those of unit tests.
    pub(super) fn own_items(&self) -> impl Iterator<Item = &Item> {
        let is_own = |item: &&Item| !self.is_of_tests() && !is_for_tests(item);
        self.items().filter(is_own)
    }

    pub(super) fn declares(&self, name: &str) -> bool {
        self.declared.contains(name)
    }
}

impl Tree {
    /// Reads the files; paths are relative to the root.
    pub(super) fn read(root: &Path, paths: &[PathBuf]) -> Self {
        let packages = packages(root, paths);
        let is_rust = |path: &&PathBuf| path.extension().is_some_and(|end| end == "rs");
        let files = paths.iter().filter(is_rust);
        let mut files: Vec<File> = files
            .map(|path| read_file(root, path, &packages, paths))
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let place = |file: &File| (file.target.clone(), file.module.clone());
        let modules = files.iter().map(place).zip(0..).collect();
        Self { files, modules }
    }

    pub(super) fn module(&self, target: &Path, names: &[String]) -> Option<&File> {
        let index = self.modules.get(&(target.to_owned(), names.to_vec()))?;
        Some(&self.files[*index])
    }
}

/// Returns the folders of the packages, each with the package's name.
fn packages(root: &Path, paths: &[PathBuf]) -> BTreeMap<PathBuf, String> {
    let manifests = paths.iter().filter(|path| path.ends_with("Cargo.toml"));
    let package = |path: &PathBuf| {
        let text = fs::read_to_string(root.join(path)).ok()?;
        let (_, section) = text.split_once("[package]")?;
        let name = section
            .lines()
            .find_map(|line| line.strip_prefix("name = "));
        let name = name?.trim_matches('"').to_owned();
        Some((path.parent()?.to_owned(), name))
    };
    manifests.filter_map(package).collect()
}

fn read_file(
    root: &Path,
    path: &Path,
    packages: &BTreeMap<PathBuf, String>,
    paths: &[PathBuf],
) -> File {
    let text = fs::read_to_string(root.join(path)).unwrap_or_default();
    let syntax = syn::parse_file(&text).ok();
    let folder = path
        .ancestors()
        .find(|folder| packages.contains_key(*folder));
    let folder = folder.unwrap_or(Path::new(""));
    let (target, module) = place(path, folder, paths);
    let mut file = File {
        path: path.to_owned(),
        package: packages.get(folder).cloned().unwrap_or_default(),
        target,
        module,
        text,
        syntax,
        imports: Vec::new(),
        paths: Vec::new(),
        declared: BTreeSet::new(),
    };
    let mut found = Paths::default();
    for item in file.own_items() {
        found.visit_item(item);
    }
    file.declared = file.own_items().filter_map(declared_name).collect();
    (file.imports, file.paths) = (found.imports, found.paths);
    file
}

/// Returns the target of a file of the package in `folder`, and its module there.
fn place(path: &Path, folder: &Path, paths: &[PathBuf]) -> (PathBuf, Names) {
    let inner = path.strip_prefix(folder).expect("it is in the folder");
    let inner = inner.with_extension("");
    let names: Names = inner
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let names_of_target = match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["src", "bin", _, ..] => 3,
        // Its library is a crate of its own.
        ["src", "main"] if paths.contains(&folder.join("src/lib.rs")) => 2,
        ["src", ..] => 1,
        _ => names.len().min(2),
    };
    let (target, module) = names.split_at(names_of_target);
    let mut module = module.to_vec();
    let is_root = module == ["lib"] || module == ["main"];
    if is_root || module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    (
        target
            .iter()
            .fold(folder.to_owned(), |path, name| path.join(name)),
        module,
    )
}

/// Returns whether an item is compiled for unit tests only.
fn is_for_tests(item: &Item) -> bool {
    let attributes: &[Attribute] = if let Item::Mod(item) = item {
        &item.attrs
    } else if let Item::Use(item) = item {
        &item.attrs
    } else if let Item::Impl(item) = item {
        &item.attrs
    } else if let Item::Fn(item) = item {
        &item.attrs
    } else {
        &[]
    };
    let is_test = |attribute: &Attribute| {
        let condition = attribute.path().is_ident("cfg");
        condition
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    };
    attributes.iter().any(is_test)
}

fn declared_name(item: &Item) -> Option<String> {
    let name = if let Item::Struct(item) = item {
        &item.ident
    } else if let Item::Enum(item) = item {
        &item.ident
    } else if let Item::Type(item) = item {
        &item.ident
    } else if let Item::Trait(item) = item {
        &item.ident
    } else if let Item::Fn(item) = item {
        &item.sig.ident
    } else if let Item::Const(item) = item {
        &item.ident
    } else if let Item::Static(item) = item {
        &item.ident
    } else {
        return None;
    };
    Some(name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_placed_in_its_target_and_module() {
        let paths = ["a/src/lib.rs", "a/src/main.rs", "b/src/main.rs"].map(PathBuf::from);
        for (path, target, module) in [
            ("a/src/lib.rs", "a/src", ""),
            ("a/src/main.rs", "a/src/main", ""),
            ("b/src/main.rs", "b/src", ""),
            ("a/src/x.rs", "a/src", "x"),
            ("a/src/x/mod.rs", "a/src", "x"),
            ("a/src/x/y.rs", "a/src", "x::y"),
            ("a/src/bin/c.rs", "a/src/bin/c", ""),
            ("a/src/bin/c/main.rs", "a/src/bin/c", ""),
            ("a/src/bin/c/x.rs", "a/src/bin/c", "x"),
            ("a/tests/d.rs", "a/tests/d", ""),
            ("a/tests/d/main.rs", "a/tests/d", ""),
            ("a/build.rs", "a/build", ""),
        ] {
            let folder = Path::new(&path[..1]);
            let (found, names) = place(Path::new(path), folder, &paths);
            assert_eq!(
                (found.as_path(), names.join("::").as_str()),
                (Path::new(target), module)
            );
        }
    }
}
