//! Reads a TOML configuration and reports every mistake at once, with line and key.
//!
//! A program's `config.rs` asks for each key with its type and default; a key that it
//! does not ask for is unknown. Reading continues after a mistake with a default value,
//! and the result counts only if there was none.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;
pub use toml::de::DeValue;

use crate::id::{Category, Group, NodeId, Role};
use crate::time::parse_duration;
use crate::unit::{Bytes, BytesPerSecond, Cores, Speed};
use crate::wire::Share;

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub line: usize,
    pub key: String,
    pub text: String,
}

/// All mistakes in a configuration, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl std::error::Error for Mistakes {}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        write!(f, "{count} {noun} in the configuration")?;
        for Mistake { line, key, text } in &self.0 {
            write!(f, "\n  line {line}: {key}: {text}")?;
        }
        Ok(())
    }
}

/// Parses `text` and lets `read` take what it needs from the top-level table.
pub fn read<T>(text: &str, read: impl FnOnce(&mut Table<'_>) -> T) -> Result<T, Mistakes> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let log = Log {
        text,
        mistakes: Rc::new(RefCell::new(Vec::new())),
    };
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        log.add(at, "syntax", error.message().to_owned());
    }
    let mut table = Table {
        log: log.clone(),
        entries: Some(root.get_ref()),
        path: String::new(),
        at: 0,
        asked: BTreeSet::new(),
    };
    let value = read(&mut table);
    table.refuse_unknown();
    let mut mistakes = log.mistakes.take();
    mistakes.sort_by_key(|mistake| mistake.line);
    if mistakes.is_empty() {
        return Ok(value);
    }
    Err(Mistakes(mistakes))
}

#[derive(Clone)]
struct Log<'a> {
    text: &'a str,
    mistakes: Rc<RefCell<Vec<Mistake>>>,
}

impl Log<'_> {
    fn add(&self, at: usize, key: &str, text: String) {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        self.mistakes.borrow_mut().push(Mistake {
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            key: key.to_owned(),
            text,
        });
    }
}

/// A table of the configuration that is being read; absent tables read as empty.
pub struct Table<'a> {
    log: Log<'a>,
    entries: Option<&'a DeTable<'a>>,
    path: String,
    /// The start of the table in the text.
    at: usize,
    asked: BTreeSet<String>,
}

impl fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({:?})", self.path)
    }
}

impl<'a> Table<'a> {
    /// Reads a value, or `None` if the key is absent or its value is mistaken.
    pub fn get<T: Setting>(&mut self, key: &str) -> Option<T> {
        let (at, value) = self.find(key)?;
        let read = T::read(value.get_ref());
        if read.is_none() {
            let text = format!("expected {}", T::EXPECTED);
            self.log.add(at, &self.name(key), text);
        }
        read
    }

    /// Reads a value, or takes the default if the key is absent.
    pub fn get_or<T: Setting>(&mut self, key: &str, default: T) -> T {
        self.get(key).unwrap_or(default)
    }

    /// Reads a value that must be there.
    pub fn require<T: Setting>(&mut self, key: &str) -> Option<T> {
        if self.find(key).is_none() {
            let text = format!("missing; expected {}", T::EXPECTED);
            self.log.add(self.at, &self.name(key), text);
        }
        self.get(key)
    }

    /// Reads a table; `section` is called on an empty one if it is absent.
    pub fn table<T>(&mut self, key: &str, section: impl FnOnce(&mut Table<'a>) -> T) -> T {
        let found = self.find(key);
        let mut table = self.child(key, found);
        let value = section(&mut table);
        table.refuse_unknown();
        value
    }

    /// Reads a table of tables, such as `[categories.<name>]`, in the order of names.
    pub fn tables<T>(
        &mut self,
        key: &str,
        mut section: impl FnMut(&str, &mut Table<'a>) -> T,
    ) -> Vec<T> {
        let found = self.find(key);
        let mut parent = self.child(key, found);
        let names = parent.names();
        names
            .iter()
            .map(|name| parent.table(name, |table| section(name, table)))
            .collect()
    }

    /// Returns the keys that are there, in their order.
    pub fn names(&self) -> Vec<String> {
        let entries = self.entries.into_iter().flatten();
        entries.map(|(key, _)| key.get_ref().to_string()).collect()
    }

    pub fn has(&self, key: &str) -> bool {
        self.entries
            .is_some_and(|entries| entries.contains_key(key))
    }

    /// Reports a relation between values that does not hold, or a mistake of the table
    /// itself if `key` is empty.
    pub fn mistake(&mut self, key: &str, text: impl Into<String>) {
        let found = if key.is_empty() { None } else { self.find(key) };
        let at = found.map_or(self.at, |(at, _)| at);
        self.log.add(at, &self.name(key), text.into());
    }

    fn find(&mut self, key: &str) -> Option<(usize, &'a Spanned<DeValue<'a>>)> {
        self.asked.insert(key.to_owned());
        let (name, value) = self.entries?.get_key_value(key)?;
        Some((name.span().start, value))
    }

    fn child(&self, key: &str, found: Option<(usize, &'a Spanned<DeValue<'a>>)>) -> Table<'a> {
        let at = found.map_or(self.at, |(at, _)| at);
        let entries = found.and_then(|(_, value)| value.get_ref().as_table());
        if found.is_some() && entries.is_none() {
            let text = "expected a table".to_owned();
            self.log.add(at, &self.name(key), text);
        }
        Table {
            log: self.log.clone(),
            entries,
            path: self.name(key),
            at,
            asked: BTreeSet::new(),
        }
    }

    fn name(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }

    fn refuse_unknown(&self) {
        for (key, _) in self.entries.into_iter().flatten() {
            if self.asked.contains(key.get_ref().as_ref()) {
                continue;
            }
            let known: Vec<&str> = self.asked.iter().map(String::as_str).collect();
            let text = format!("unknown key; known here: {}", known.join(", "));
            self.log
                .add(key.span().start, &self.name(key.get_ref()), text);
        }
    }
}

/// A type that a value of a configuration can have.
pub trait Setting: Sized {
    /// The expected form, for the error message.
    const EXPECTED: &'static str;

    /// Converts the value, or returns `None` if it does not have the expected form.
    fn read(value: &DeValue<'_>) -> Option<Self>;
}

impl Setting for String {
    const EXPECTED: &'static str = "text in quotes";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_bool()
    }
}

impl Setting for u32 {
    const EXPECTED: &'static str = "a whole number of at least 0";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let integer = value.as_integer()?;
        u32::from_str_radix(integer.as_str(), integer.radix()).ok()
    }
}

fn read_number(value: &DeValue<'_>) -> Option<f64> {
    let text = match value {
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
        DeValue::Float(float) => float.as_str(),
        DeValue::Integer(_)
        | DeValue::String(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => return None,
    };
    text.parse().ok()
}

impl Setting for f64 {
    const EXPECTED: &'static str = "a number";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        read_number(value).filter(|number| number.is_finite())
    }
}

impl Setting for Cores {
    const EXPECTED: &'static str = "a number of cores, such as 0.5";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Cores::new(read_number(value)?).ok()
    }
}

impl Setting for Speed {
    const EXPECTED: &'static str = "a number from 0.05 to 20";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Speed::new(read_number(value)?).ok()
    }
}

impl Setting for Share {
    const EXPECTED: &'static str = "a number from 0 to 1";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Share::try_from(read_number(value)?).ok()
    }
}

impl Setting for Bytes {
    const EXPECTED: &'static str = "a size such as \"512MiB\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Bytes::parse(value.as_str()?)
    }
}

impl Setting for BytesPerSecond {
    const EXPECTED: &'static str = "a size per second such as \"10MB\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        #[allow(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
        let bytes = Bytes::parse(value.as_str()?)?.get() as f64;
        BytesPerSecond::new(bytes).ok()
    }
}

impl Setting for Duration {
    const EXPECTED: &'static str = "a length of time such as \"30s\" or \"5m\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        parse_duration(value.as_str()?)
    }
}

impl Setting for NodeId {
    const EXPECTED: &'static str = "a node id, [a-z0-9_-]{1,32}";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        NodeId::new(value.as_str()?).ok()
    }
}

impl Setting for Role {
    const EXPECTED: &'static str = "a role, [a-z0-9_-]{1,32}";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Role::new(value.as_str()?).ok()
    }
}

impl Setting for Group {
    const EXPECTED: &'static str = "a role group, [a-z0-9_-]{1,32}";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Group::new(value.as_str()?).ok()
    }
}

impl Setting for Category {
    const EXPECTED: &'static str = "a category, [a-z0-9_-]{1,32}";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Category::new(value.as_str()?).ok()
    }
}

impl<T: Setting> Setting for Vec<T> {
    const EXPECTED: &'static str = "a list in brackets, each element valid";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let elements = value.as_array()?;
        elements.iter().map(|e| T::read(e.get_ref())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_their_units() {
        let text = "a = \"5m\"\n[t]\nb = 0.5\nc = \"1KiB\"\n[l.x]\nd = [\"leader\"]\n";
        let values = read(text, |root| {
            let a: Duration = root.get_or("a", Duration::ZERO);
            let t = root.table("t", |t| {
                (t.get_or("b", Cores::ZERO), t.require::<Bytes>("c"))
            });
            let l = root.tables("l", |name, l| {
                (name.to_owned(), l.get_or::<Vec<Role>>("d", vec![]))
            });
            (a, t, l)
        });
        let leader = Role::new("leader").unwrap();
        let expected = (
            Duration::from_secs(300),
            (Cores::new(0.5).unwrap(), Some(Bytes::new(1024))),
            vec![("x".to_owned(), vec![leader])],
        );
        assert_eq!(values, Ok(expected));
    }

    #[test]
    fn all_mistakes_are_reported_with_line_and_key() {
        let text = "a = \"soon\"\n[t]\nb = -1\nzz = 3\n[u]\nc = \"x\"\n";
        let error = read(text, |root| {
            root.get::<Duration>("a");
            root.table("t", |t| t.get::<Cores>("b"));
            root.table("u", |u| u.mistake("c", "must be above b"));
            root.table("gone", |g| g.require::<NodeId>("node"));
        })
        .unwrap_err()
        .to_string();
        for line in [
            "5 mistakes",
            "line 1: a: expected a length of time",
            "line 3: t.b: expected a number of cores",
            "line 4: t.zz: unknown key; known here: b",
            "line 6: u.c: must be above b",
            "gone.node: missing; expected a node id",
        ] {
            assert!(error.contains(line), "{line:?} not in {error}");
        }
    }

    #[test]
    fn a_mistake_of_a_table_itself_names_the_table() {
        let error = read("[categories.Thumb]\nzz = 1\n", |root| {
            root.tables("categories", |_, table| table.mistake("", "is no category"))
        })
        .unwrap_err()
        .to_string();
        assert!(
            error.contains("line 1: categories.Thumb: is no category"),
            "{error}"
        );
        assert!(error.contains("zz: unknown key; known here: "), "{error}");
    }

    #[test]
    fn broken_syntax_is_a_mistake_with_its_line() {
        let error = read("a = 1\nb = = 2\n", |root| root.get::<u32>("a")).unwrap_err();
        assert_eq!(error.0[0].line, 2);
    }
}
