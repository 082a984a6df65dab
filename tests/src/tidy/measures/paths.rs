//! Paths that code imports and names.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ItemUse, Macro, UseTree};

/// A path of names, from the root of a target or as it is written.
pub(super) type Names = Vec<String>;

/// A path that `use` brings in, under its name here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) path: Names,
    pub(super) name: String,
}

/// Collects the paths of items.
#[derive(Debug, Default)]
pub(super) struct Paths {
    pub(super) imports: Vec<Import>,
    pub(super) paths: Vec<Names>,
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_tree(&item.tree, &mut Names::new());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path.segments.iter();
        self.add(names.map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.add_tokens(call.tokens.clone());
    }
}

impl Paths {
    fn add_tree(&mut self, tree: &UseTree, before: &mut Names) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.add_tree(&path.tree, before);
                before.pop();
            }
            UseTree::Name(name) if name.ident == "self" => {
                let name = before.last().cloned().unwrap_or_default();
                self.import(before.clone(), name);
            }
            UseTree::Name(name) => self.import_from(before, &name.ident.to_string(), None),
            UseTree::Rename(name) => {
                let alias = Some(name.rename.to_string());
                self.import_from(before, &name.ident.to_string(), alias);
            }
            UseTree::Glob(_) => self.import(before.clone(), "*".to_owned()),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(tree, before);
                }
            }
        }
    }

    fn import_from(&mut self, before: &Names, name: &str, alias: Option<String>) {
        let mut path = before.clone();
        path.push(name.to_owned());
        self.import(path, alias.unwrap_or_else(|| name.to_owned()));
    }

    fn import(&mut self, path: Names, name: String) {
        self.imports.push(Import { path, name });
    }

    fn add(&mut self, path: Names) {
        if path.len() > 1 {
            self.paths.push(path);
        }
    }

    /// Adds the paths in the arguments of a macro.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut colons) = (Names::new(), 0);
        for token in tokens {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.add(std::mem::take(&mut path));
                    }
                    colons = 0;
                    path.push(name.to_string());
                }
                TokenTree::Group(group) => {
                    self.add(std::mem::take(&mut path));
                    self.add_tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.add(std::mem::take(&mut path)),
            }
        }
        self.add(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths_of(text: &str) -> (Vec<String>, Vec<String>) {
        let mut paths = Paths::default();
        paths.visit_file(&syn::parse_file(text).unwrap());
        let import = |import: &Import| format!("{} {}", import.path.join("::"), import.name);
        let imports = paths.imports.iter().map(import).collect();
        (
            imports,
            paths.paths.iter().map(|path| path.join("::")).collect(),
        )
    }

    #[test]
    fn trees_of_use_are_spread_out() {
        let (imports, _) = paths_of("use a::{self, b::{C, D as E}, f::*};");
        assert_eq!(imports, ["a a", "a::b::C C", "a::b::D E", "a::f *"]);
    }

    #[test]
    fn paths_are_found_in_types_calls_and_macros() {
        let text = "fn f(a: super::A<b::B>) { c::d(e); g!(\"x\", h::i(j::K), l) }";
        let (_, paths) = paths_of(text);
        assert_eq!(paths, ["super::A", "b::B", "c::d", "h::i", "j::K"]);
    }
}
