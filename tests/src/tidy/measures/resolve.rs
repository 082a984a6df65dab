//! Resolution of a path to the file that declares its item.

use super::paths::Names;
use super::tree::{File, Tree};

/// The longest chain of re-exports that is followed.
const EXPORTS_MAX: usize = 4;

impl Tree {
    /// Returns the file that a path leads to from `file`, if it is of the same target.
    pub(super) fn resolve(&self, file: &File, path: &[String]) -> Option<&File> {
        self.follow(file, path, EXPORTS_MAX)
    }

    fn follow(&self, file: &File, path: &[String], exports_max: usize) -> Option<&File> {
        let path = self.absolute(file, path)?;
        let is_module = |len: &usize| self.module(&file.target, &path[..*len]).is_some();
        let len = (0..=path.len()).rev().find(is_module)?;
        let found = self.module(&file.target, &path[..len])?;
        let Some(name) = path.get(len).filter(|name| !found.declares(name)) else {
            return Some(found);
        };
        // What a module does not declare it may have from another one.
        let export = found.imports.iter().find(|import| import.name == *name);
        let Some(export) = export.filter(|_| exports_max > 0) else {
            return Some(found);
        };
        let target = self.follow(found, &export.path, exports_max - 1);
        target.or(Some(found))
    }

    /// Returns a path from the root of the file's target, or nothing if it leads elsewhere.
    fn absolute(&self, file: &File, path: &[String]) -> Option<Names> {
        let supers = path.iter().take_while(|name| *name == "super").count();
        let (here, rest) = match path.first()?.as_str() {
            "crate" => (&[][..], &path[1..]),
            "self" => (&file.module[..], &path[1..]),
            "super" => {
                let len = file.module.len().saturating_sub(supers);
                (&file.module[..len], &path[supers..])
            }
            // A module below this one; else a name that is imported, or another crate.
            child => {
                let below: Names = [&file.module[..], &[child.to_owned()]].concat();
                self.module(&file.target, &below)?;
                (&file.module[..], path)
            }
        };
        Some([here, rest].concat())
    }
}
