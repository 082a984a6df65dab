//! Measures of files, functions and types.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{Block, Field, Fields, ImplItemFn, ItemFn, ItemImpl, ItemStruct, Signature, TraitItemFn};
use syn::{Meta, Type, Visibility};

use super::super::OWN_LINES_MAX;
use super::super::question;
use super::Finding;
use super::paths::Names;
use super::tree::{File, Tree};

const FUNCTION_LINES_MAX: usize = 70;
const FIELDS_MAX: usize = 12;
const IMPL_FILES_MAX: usize = 3;

/// What a message or the arguments of a command derive.
const MESSAGES: [&str; 4] = ["Serialize", "Deserialize", "Args", "Parser"];
/// Names of files and folders with configuration and arguments of commands.
const CONFIGS: [&str; 4] = ["config", "config.rs", "args", "args.rs"];

pub(super) fn long_files(tree: &Tree) -> Vec<Finding> {
    let size = |file: &File| Finding {
        size: file.own_lines(),
        text: file.path.display().to_string(),
    };
    let found = tree.files.iter().map(size);
    found.filter(|found| found.size > OWN_LINES_MAX).collect()
}

pub(super) fn questions(tree: &Tree) -> Vec<Finding> {
    let found = tree.files.iter().filter_map(|file| {
        let text = format!("{}: {}", file.path.display(), question(&file.text)?);
        Some(Finding { size: 1, text })
    });
    found.collect()
}

/// Returns the long functions, those of tests among them.
pub(super) fn long_functions(tree: &Tree) -> Vec<Finding> {
    collect(&tree.files, |file, functions: &mut Functions| {
        for item in file.items() {
            functions.visit_item(item);
        }
    })
}

/// Returns the structs with many fields that are neither a message nor a configuration: they
/// derive none of [`MESSAGES`], and no part of their path is one of [`CONFIGS`].
pub(super) fn large_structs(tree: &Tree) -> Vec<Finding> {
    let is_config = |path: &Path| {
        path.iter()
            .any(|part| CONFIGS.iter().any(|name| part == *name))
    };
    let files = tree.files.iter().filter(|file| !is_config(&file.path));
    collect(files, |file, structs: &mut Structs| {
        for item in file.own_items() {
            structs.visit_item(item);
        }
    })
}

/// Returns the types with `impl` blocks, of traits too, in many files.
pub(super) fn spread_types(tree: &Tree) -> Vec<Finding> {
    let mut files: BTreeMap<(&Path, String), BTreeSet<&Path>> = BTreeMap::new();
    for file in &tree.files {
        let mut found = Implemented::default();
        for item in file.own_items() {
            found.visit_item(item);
        }
        for path in found.types {
            if let Some((place, name)) = declaration(tree, file, &path) {
                files.entry((place, name)).or_default().insert(&file.path);
            }
        }
    }
    let spread = files
        .into_iter()
        .filter(|(_, files)| files.len() > IMPL_FILES_MAX);
    let finding = |((place, name), files): ((&Path, String), BTreeSet<&Path>)| {
        let names = files.iter().filter_map(|path| path.file_stem()?.to_str());
        let names: Vec<&str> = names.collect();
        let text = format!("{}: {name}, in {}", place.display(), names.join(" "));
        let size = files.len();
        Finding { size, text }
    };
    spread.map(finding).collect()
}

/// Counts the items that are `pub`, fields not among them, of the libraries of each package.
pub(super) fn public_items(tree: &Tree) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for file in &tree.files {
        let mut public = Public::default();
        if file.target.ends_with("src") {
            for item in file.own_items() {
                public.visit_item(item);
            }
        }
        *counts.entry(file.package.clone()).or_default() += public.count;
    }
    counts
}

pub(super) fn own_lines(tree: &Tree) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for file in tree.files.iter().filter(|file| !file.is_of_tests()) {
        *counts.entry(file.package.clone()).or_default() += file.own_lines();
    }
    counts
}

/// Returns where a type is declared, if it is in the file's target.
fn declaration<'a>(tree: &'a Tree, file: &'a File, path: &Names) -> Option<(&'a Path, String)> {
    let name = path.last()?;
    if path.len() == 1 && file.declares(name) {
        return Some((&file.path, name.clone()));
    }
    let import = file.imports.iter().find(|import| import.name == *name);
    let full = match import {
        Some(import) if path.len() == 1 => &import.path,
        _ => path,
    };
    let found = tree.resolve(file, full)?;
    let name = full.last()?;
    found
        .declares(name)
        .then(|| (found.path.as_path(), name.clone()))
}

/// A visitor that finds something in one file.
trait Finder: Default {
    fn found(self) -> Vec<(usize, Span, String)>;
}

fn collect<'a, F: Finder>(
    files: impl IntoIterator<Item = &'a File>,
    visit: impl Fn(&File, &mut F),
) -> Vec<Finding> {
    let mut all = Vec::new();
    for file in files {
        let mut finder = F::default();
        visit(file, &mut finder);
        for (size, span, name) in finder.found() {
            let (path, line) = (file.path.display(), span.start().line);
            let text = format!("{path}:{line}: {name}");
            all.push(Finding { size, text });
        }
    }
    all
}

#[derive(Default)]
struct Functions(Vec<(usize, Span, String)>);

impl Functions {
    fn add(&mut self, signature: &Signature, body: &Block) {
        let span = signature.fn_token.span;
        let lines = body.brace_token.span.close().end().line + 1 - span.start().line;
        if lines > FUNCTION_LINES_MAX {
            self.0.push((lines, span, signature.ident.to_string()));
        }
    }
}

impl Finder for Functions {
    fn found(self) -> Vec<(usize, Span, String)> {
        self.0
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(body) = &item.default {
            self.add(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[derive(Default)]
struct Structs(Vec<(usize, Span, String)>);

impl Finder for Structs {
    fn found(self) -> Vec<(usize, Span, String)> {
        self.0
    }
}

impl<'ast> Visit<'ast> for Structs {
    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        let fields = match &item.fields {
            Fields::Named(fields) => fields.named.len(),
            Fields::Unnamed(_) | Fields::Unit => 0,
        };
        let is_message = item.attrs.iter().any(|attribute| {
            let Meta::List(list) = &attribute.meta else {
                return false;
            };
            let derived = list.tokens.to_string();
            let mut names = derived.split(|c: char| !c.is_alphanumeric());
            list.path.is_ident("derive") && names.any(|name| MESSAGES.contains(&name))
        });
        if fields > FIELDS_MAX && !is_message {
            self.0
                .push((fields, item.ident.span(), item.ident.to_string()));
        }
    }
}

/// The paths of the types that have `impl` blocks.
#[derive(Default)]
struct Implemented {
    types: Vec<Names>,
}

impl<'ast> Visit<'ast> for Implemented {
    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let mut implemented = &*item.self_ty;
        if let Type::Reference(reference) = implemented {
            implemented = &reference.elem;
        }
        if let Type::Path(path) = implemented {
            let names = path.path.segments.iter();
            self.types
                .push(names.map(|segment| segment.ident.to_string()).collect());
        }
    }
}

#[derive(Default)]
struct Public {
    count: usize,
}

impl<'ast> Visit<'ast> for Public {
    fn visit_visibility(&mut self, visibility: &'ast Visibility) {
        self.count += usize::from(matches!(visibility, Visibility::Public(_)));
    }

    fn visit_field(&mut self, _: &'ast Field) {}
}
