//! Rust file as text, with its strings or comments blanked out.

/// The text of a Rust file.
#[derive(Debug)]
pub(super) struct Source<'a> {
    text: &'a str,
}

/// The kind of a piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    /// A string or character, with its quotes.
    Literal,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// Counts the lines before the unit tests at the end.
    pub(super) fn own_lines(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let is_tests = |index: usize| {
            let mut rest = lines[index + 1..].iter();
            let next = rest.find(|line| !line.starts_with("#["));
            // A module in a file of its own may be declared anywhere; what follows is code.
            let is_end = rest.all(|line| line.is_empty());
            let begins = |line: &&str| **line == *"mod tests {" || is_end;
            lines[index] == "#[cfg(test)]"
                && next.is_some_and(|line| line.starts_with("mod tests") && begins(line))
        };
        let start = (0..lines.len()).rev().find(|index| is_tests(*index));
        start.unwrap_or(lines.len())
    }

    /// Returns the text with its strings blanked, line by line as long as before.
    pub(super) fn without_strings(&self) -> String {
        self.blank(|kind| kind == Kind::Literal)
    }

    /// Returns the code alone: the text with strings and comments blanked.
    pub(super) fn code(&self) -> String {
        self.blank(|kind| kind != Kind::Code)
    }

    /// Returns comments and messages alone: code is blanked, and so are strings of one word,
    /// which are names, and what is code within the rest: in backticks or braces.
    pub(super) fn prose(&self) -> String {
        let mut is_code = false;
        let prose = self.blank_pieces(|kind, piece| match kind {
            Kind::Code => true,
            Kind::Comment => false,
            Kind::Literal => !piece.trim().contains(' '),
        });
        let keep = |c: char| {
            let is_mark = matches!(c, '`' | '{' | '}');
            is_code = match c {
                '`' => !is_code,
                '{' => true,
                '}' | '\n' => false,
                _ => is_code,
            };
            if is_mark || is_code { ' ' } else { c }
        };
        prose.chars().map(keep).collect()
    }

    fn blank(&self, is_blank: impl Fn(Kind) -> bool) -> String {
        self.blank_pieces(|kind, _| is_blank(kind))
    }

    fn blank_pieces(&self, is_blank: impl Fn(Kind, &str) -> bool) -> String {
        let mut out = String::with_capacity(self.text.len());
        let mut rest = self.text;
        let mut before = ' ';
        while !rest.is_empty() {
            let (kind, len) = piece(rest, before);
            let (taken, left) = rest.split_at(len);
            let is_blank = is_blank(kind, taken);
            for c in taken.chars() {
                out.push(if is_blank && c != '\n' { ' ' } else { c });
                before = c;
            }
            rest = left;
        }
        out
    }
}

/// Returns whether the text has the word, and not as a part of a longer one.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).any(|(at, _)| {
        let starts_word = word.starts_with('.') || !is_part(text[..at].chars().next_back());
        starts_word && !is_part(text[at + word.len()..].chars().next())
    })
}

/// Returns the kind of the first piece of the text, and its length in bytes.
fn piece(text: &str, before: char) -> (Kind, usize) {
    let first = text.chars().next().map_or(0, char::len_utf8);
    if text.starts_with("//") {
        return (Kind::Comment, text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return (Kind::Comment, block_comment_len(text));
    }
    if text.starts_with('"') {
        return (Kind::Literal, string_len(text));
    }
    let is_word = before.is_alphanumeric() || before == '_';
    if let Some(len) = raw_string_len(text).filter(|_| !is_word || before == 'b') {
        return (Kind::Literal, len);
    }
    if let Some(len) = character_len(text) {
        return (Kind::Literal, len);
    }
    (Kind::Code, first)
}

fn block_comment_len(text: &str) -> usize {
    let mut depth = 0;
    for (at, _) in text.char_indices() {
        if at > 3 && text[..at].ends_with("*/") {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
        if text[at..].starts_with("/*") {
            depth += 1;
        }
    }
    text.len()
}

fn string_len(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !is_escaped => return at + 1,
            _ => is_escaped = c == '\\' && !is_escaped,
        }
    }
    text.len()
}

/// Measures `r"..."` and `r#"..."#`, with any number of `#`.
fn raw_string_len(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let body = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", &rest[..hashes]);
    let body_len = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(1 + hashes + 1 + body_len)
}

/// Measures `'x'` and `'\n'`; a lifetime is none.
fn character_len(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    if let Some(escaped) = body.strip_prefix('\\') {
        let skipped = escaped.chars().next()?.len_utf8();
        return Some(2 + skipped + escaped[skipped..].find('\'')? + 1);
    }
    let c = body.chars().next()?;
    let after = &body[c.len_utf8()..];
    after.starts_with('\'').then_some(2 + c.len_utf8())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_code_remains_of_code() {
        for (text, code) in [
            ("a // b", "a     "),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("a /*/ b */ c", "a          c"),
            ("f(\"b // \\\" c\") d", "f(           ) d"),
            ("r#\"a \" b\"# c", "           c"),
            ("var\"x\"", "var   "),
            ("'\"' a", "    a"),
            ("'\\'' a", "     a"),
            ("&'a str", "&'a str"),
            ("a\n\"b\nc\"\nd", "a\n  \n  \nd"),
        ] {
            assert_eq!(Source::new(text).code(), code, "{text}");
        }
    }

    #[test]
    fn comments_stay_where_strings_are_blanked() {
        assert_eq!(Source::new("\"a\" // b").without_strings(), "    // b");
    }

    #[test]
    fn prose_is_comments_and_messages_without_the_code_in_them() {
        for (text, prose) in [
            ("a(\"b\"); // c", "// c"),
            ("(\"a b {c}\")", "\"a b \""),
            ("// `a` {b} c", "// c"),
        ] {
            let found = Source::new(text).prose();
            let words: Vec<&str> = found.split_whitespace().collect();
            assert_eq!(words.join(" "), prose, "{text}");
        }
    }

    #[test]
    fn unit_tests_at_the_end_are_not_own_lines() {
        let text = "a\nb\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n}\n";
        assert_eq!(Source::new(text).own_lines(), 2);
        assert_eq!(Source::new("a\n#[cfg(test)]\nuse b;\nc\n").own_lines(), 4);
    }

    proptest! {
        #[test]
        fn blanking_keeps_lines_and_never_panics(text in "[a\"'/*r#\\\\ \né]{0,60}") {
            let code = Source::new(&text).code();
            prop_assert_eq!(code.chars().count(), text.chars().count());
            prop_assert_eq!(code.lines().count(), text.lines().count());
        }
    }
}
