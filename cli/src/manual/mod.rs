//! Man pages and shell completions of all programs, from their command lines.

mod sections;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::args::Arguments;
use sections::{ENTRIES, Entry};

/// The shells whose completions are installed, and the place and the ends of their names.
const SHELLS: [(Shell, &str, &str); 3] = [
    (Shell::Bash, "bash-completion/completions/", ""),
    (Shell::Zsh, "zsh/site-functions/_", ""),
    (Shell::Fish, "fish/vendor_completions.d/", ".fish"),
];
const DAEMONS: &str = "8";
const USER_COMMANDS: &str = "1";
const FILE_FORMATS: &str = "5";

/// A file below `share/` of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installed {
    /// Its path, below `share/`.
    pub(crate) path: String,
    pub(crate) content: Vec<u8>,
}

/// Returns all man pages and completions.
pub(crate) fn files() -> Vec<Installed> {
    let programs = programs();
    let mut files = Vec::new();
    for (shell, start, end) in SHELLS {
        files.extend(programs.iter().map(|(command, _)| Installed {
            path: format!("{start}{}{end}", command.get_name()),
            content: completions(shell, command.clone()),
        }));
    }
    for (command, section) in programs {
        add_pages(command.disable_help_subcommand(true), section, &mut files);
    }
    files.push(config_page(
        "rolecast.toml",
        rolecast_dispatcher::config::SAMPLE,
    ));
    let sample = rolecast_worker::config::SAMPLE;
    files.push(config_page("rolecast-worker.toml", sample));
    files
}

/// Returns the completions of the program with this name, if there is one.
pub(crate) fn completions_of(shell: Shell, program: &str) -> Option<Vec<u8>> {
    let mut programs = programs().into_iter();
    let found = programs.find(|(command, _)| command.get_name() == program);
    found.map(|(command, _)| completions(shell, command))
}

fn programs() -> [(Command, &'static str); 3] {
    [
        (Arguments::command(), USER_COMMANDS),
        (rolecast_dispatcher::args::Arguments::command(), DAEMONS),
        (rolecast_worker::args::Arguments::command(), DAEMONS),
    ]
}

fn completions(shell: Shell, mut command: Command) -> Vec<u8> {
    let name = command.get_name().to_owned();
    let mut content = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut content);
    content
}

/// Adds the page of a command, and of each of its own commands.
fn add_pages(mut command: Command, section: &str, files: &mut Vec<Installed>) {
    command.build();
    let visible = command.get_subcommands().filter(|part| !part.is_hide_set());
    for part in visible.cloned().collect::<Vec<_>>() {
        add_pages(part, section, files);
    }
    let name = command.get_display_name().unwrap_or(command.get_name());
    let path = format!("man/man{section}/{name}.{section}");
    let content = page(command, section);
    files.push(Installed { path, content });
}

fn page(command: Command, section: &str) -> Vec<u8> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let name = name.to_owned();
    let help = command.get_after_long_help().or(command.get_after_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let has_options = command
        .get_arguments()
        .any(|argument| !argument.is_hide_set());
    let has_parts = command.get_subcommands().any(|part| !part.is_hide_set());
    let version = env!("CARGO_PKG_VERSION");
    let page = Man::new(command)
        .section(section)
        .source(format!("Rolecast {version}"))
        .manual("Rolecast");
    let mut content = Vec::new();
    let mut written = vec![
        page.render_title(&mut content),
        page.render_name_section(&mut content),
        page.render_synopsis_section(&mut content),
        page.render_description_section(&mut content),
    ];
    if has_options {
        written.push(page.render_options_section(&mut content));
    }
    if has_parts {
        written.push(page.render_subcommands_section(&mut content));
    }
    let mut more = Roff::new();
    add_help(&help, &mut more);
    add_entries(&name, &mut more);
    written.push(more.to_writer(&mut content));
    for result in written {
        result.expect("a buffer takes all that is written");
    }
    content
}

/// Adds the help behind the options: a paragraph that begins with a line such as
/// `Examples:` becomes a section.
fn add_help(help: &str, page: &mut Roff) {
    let mut has_section = false;
    for paragraph in help.split("\n\n").filter(|text| !text.trim().is_empty()) {
        let (title, lines) = match paragraph.split_once('\n') {
            Some((first, rest)) if first.ends_with(':') => (Some(heading(first)), rest),
            Some(_) | None => (None, paragraph),
        };
        match title {
            Some(title) => drop(page.control("SH", [title.as_str()])),
            None if has_section => drop(page.control("PP", [])),
            None => drop(page.control("SH", ["NOTES"])),
        }
        has_section = true;
        add_lines(lines, page);
    }
}

/// Returns the name by which manuals know the section.
fn heading(line: &str) -> String {
    match line.trim_end_matches(':') {
        "Exit codes" => "EXIT STATUS".to_owned(),
        other => other.to_uppercase(),
    }
}

/// Adds lines as they are if they are a list or an example, else as running text.
fn add_lines(lines: &str, page: &mut Roff) {
    let is_literal = lines.lines().any(|line| line.starts_with("  "));
    if is_literal {
        page.control("RS", ["2"]);
        page.control("nf", []);
    }
    for line in lines.lines() {
        let line = line.strip_prefix("  ").unwrap_or(line);
        page.text([roman(line)]);
    }
    if is_literal {
        page.control("fi", []);
        page.control("RE", []);
    }
}

/// Adds files, variables, signals and related pages.
fn add_entries(name: &str, page: &mut Roff) {
    for Entry {
        title,
        pages,
        lines,
    } in ENTRIES
    {
        if !pages.contains(&name) {
            continue;
        }
        page.control("SH", [*title]);
        for (term, text) in *lines {
            page.control("TP", []);
            page.text([bold(*term)]);
            page.text([roman(*text)]);
        }
    }
    page.control("SH", ["SEE ALSO"]);
    let others = sections::SEE_ALSO.iter().filter(|(page, _)| *page != name);
    let mut others = others.peekable();
    while let Some((other, section)) = others.next() {
        let end = if others.peek().is_some() { ")," } else { ")" };
        page.text([bold(*other), roman(format!("({section}{end}"))]);
    }
}

/// Returns the page of a configuration file: the sample explains every setting.
fn config_page(name: &str, sample: &str) -> Installed {
    let mut page = Roff::new();
    let version = format!("Rolecast {}", env!("CARGO_PKG_VERSION"));
    page.control("TH", [name, FILE_FORMATS, "", version.as_str(), "Rolecast"]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{name} - configuration, with every setting"))]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "A file in the format TOML. This is the sample that the programs print; lines that \
         begin with # are comments.",
    )]);
    page.control("PP", []);
    page.control("nf", []);
    for line in sample.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    add_entries(name, &mut page);
    Installed {
        path: format!("man/man{FILE_FORMATS}/{name}.{FILE_FORMATS}"),
        content: page.to_roff().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn texts() -> BTreeMap<String, String> {
        let text = |file: Installed| (file.path, String::from_utf8_lossy(&file.content).into());
        files().into_iter().map(text).collect()
    }

    #[test]
    fn every_command_has_a_page_and_every_program_completions() {
        let texts = texts();
        let mut expected = Vec::new();
        for part in Arguments::command().get_subcommands() {
            if !part.is_hide_set() {
                expected.push(format!("man/man1/rolecast-{}.1", part.get_name()));
            }
        }
        assert!(expected.len() > 10);
        expected.extend(
            [
                "man/man1/rolecast.1",
                "man/man1/rolecast-dead-retry.1",
                "man/man5/rolecast.toml.5",
                "man/man5/rolecast-worker.toml.5",
                "man/man8/rolecast-dispatcher.8",
                "man/man8/rolecast-worker.8",
                "man/man8/rolecast-worker-record.8",
                "bash-completion/completions/rolecast",
                "fish/vendor_completions.d/rolecast-worker.fish",
                "zsh/site-functions/_rolecast-dispatcher",
            ]
            .map(str::to_owned),
        );
        for path in expected {
            assert!(texts.contains_key(&path), "{path}");
        }
        assert!(!texts.keys().any(|path| path.contains("help")));
    }

    #[test]
    fn pages_of_programs_have_the_sections_that_readers_look_for() {
        let texts = texts();
        for (path, sections) in [
            (
                "man/man1/rolecast.1",
                "EXAMPLES,EXIT STATUS,ENVIRONMENT,FILES",
            ),
            (
                "man/man8/rolecast-dispatcher.8",
                "OPTIONS,EXIT STATUS,ENVIRONMENT,FILES,SIGNALS",
            ),
            (
                "man/man8/rolecast-worker.8",
                "OPTIONS,SUBCOMMANDS,EXIT STATUS,ENVIRONMENT,FILES,SIGNALS",
            ),
        ] {
            let text = &texts[path];
            for section in sections.split(',').chain(["DESCRIPTION", "SEE ALSO"]) {
                let heads = [format!(".SH {section}\n"), format!(".SH \"{section}\"\n")];
                assert!(
                    heads.iter().any(|head| text.contains(head)),
                    "{path}: {section}"
                );
            }
            assert!(!text.contains(".SH EXTRA"), "{path}");
        }
    }

    #[test]
    fn lists_keep_their_lines_and_text_is_filled() {
        let mut page = Roff::new();
        add_help(
            "Exit codes:\n  0  fine\n  1  not\n\nSome text\nthat goes on.",
            &mut page,
        );
        let text = page.to_roff();
        let list = ".SH \"EXIT STATUS\"\n.RS 2\n.nf\n0  fine\n1  not\n.fi\n.RE\n";
        assert_eq!(text, format!("{list}.PP\nSome text\nthat goes on.\n"));
    }

    #[test]
    fn completions_name_the_commands() {
        let of = |program| {
            let found = completions_of(Shell::Bash, program);
            found.map(|text| String::from_utf8_lossy(&text).into_owned())
        };
        assert!(of("rolecast").is_some_and(|text| text.contains("dispatcher-init")));
        assert!(of("rolecast-worker").is_some_and(|text| text.contains("forget-epoch")));
        assert_eq!(of("other"), None);
    }
}
