//! Help: the groups of commands in `inga --help`, and the headings of options.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

/// Heading of options that name the input and how it is read.
pub(super) const INPUT: &str = "Input";
/// Heading of options that select a part of the input.
pub(super) const FILTER: &str = "Filter";
/// Heading of options for the answer.
pub(super) const OUTPUT: &str = "Output";
/// Heading of options that limit the use of resources, and of the password.
pub(super) const LIMITS: &str = "Limits and passwords";

/// The groups in which `inga --help` lists the commands, each with its commands in order.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Ingest", &["sensor", "observe", "capture"]),
    ("Observe", &["series", "host", "cohort", "tile", "surges", "types", "events", "fingerprint"]),
    ("Operate", &["watch", "serve", "incident"]),
    ("Attribute", &["correlate", "explain", "project", "evaluate", "check"]),
    ("Samples", &["sample", "rules", "simulate"]),
    ("Maintenance", &["history", "completions", "man"]),
];

/// Returns the root command with its subcommands listed in groups, and with the help option of each command
/// behind the command's own options.
pub(super) fn arranged(root: Command) -> Command {
    let header = *root.get_styles().get_header();
    let heading = |text: &str| format!("{}{text}:{}", header.render(), header.render_reset());
    let usage = "{about-with-newline}\n{usage-heading} {usage}\n\n";
    let groups = groups(&root, &heading);
    let template = format!("{usage}{groups}{}\n{{options}}{{after-help}}", heading("Options"));
    root.help_template(template).mut_subcommands(with_help_option)
}

/// Returns the groups with one line per command: its name and its summary.
fn groups(root: &Command, heading: &dyn Fn(&str) -> String) -> String {
    let literal = root.get_styles().get_literal();
    let width = root.get_subcommands().map(|command| command.get_name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for (group, names) in GROUPS {
        let _ = writeln!(text, "{}", heading(group));
        for command in names.iter().filter_map(|name| root.find_subcommand(name)) {
            let summary = command.get_about().map(ToString::to_string).unwrap_or_default();
            let (on, name, off) = (literal.render(), command.get_name(), literal.render_reset());
            let _ = writeln!(text, "  {on}{name}{off}{:1$}  {summary}", "", width - name.len());
        }
        text.push('\n');
    }
    text
}

/// Returns a command, or the commands below it, with the help option under a heading of its own. Clap would
/// put it before the headings of the other options.
fn with_help_option(command: Command) -> Command {
    if command.has_subcommands() {
        return command.mut_subcommands(with_help_option);
    }
    let help = Arg::new("help")
        .short('h')
        .long("help")
        .action(ArgAction::Help)
        .help("Print a summary of the help; --help prints all of it")
        .long_help("Print help; -h prints a summary")
        .help_heading("Help");
    command.disable_help_flag(true).arg(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS_MAX: usize = 80;

    /// Calls `check` with each command below `command` and its full name.
    fn each_command(command: &Command, name: &str, check: &mut dyn FnMut(&Command, &str)) {
        for below in command.get_subcommands() {
            let name = format!("{name} {}", below.get_name());
            check(below, &name);
            each_command(below, &name, check);
        }
    }

    fn after_help(command: &Command) -> String {
        let text = command.get_after_help().or(command.get_after_long_help());
        text.map(ToString::to_string).unwrap_or_default()
    }

    /// Lines of the examples in a text: indented lines between `Examples:` and the next empty line.
    fn example_lines(text: &str) -> impl Iterator<Item = &str> {
        text.lines().skip_while(|line| *line != "Examples:").skip(1).take_while(|line| !line.is_empty())
    }

    #[test]
    fn every_command_is_in_exactly_one_group() {
        let is_built = |name: &&str| cfg!(feature = "serve") || *name != "serve";
        let grouped = GROUPS.iter().flat_map(|(_, names)| names.iter().copied());
        let mut grouped: Vec<&str> = grouped.filter(is_built).collect();
        let root = super::super::command();
        let mut commands: Vec<&str> = root.get_subcommands().map(Command::get_name).collect();
        grouped.sort_unstable();
        commands.sort_unstable();
        assert_eq!(grouped, commands);
        let help = super::super::command().render_help().to_string();
        for name in commands {
            let line = format!("  {name} ");
            assert_eq!(help.lines().filter(|shown| shown.starts_with(&line)).count(), 1, "{name} in {help}");
        }
    }

    #[test]
    fn every_summary_fits_on_a_line() {
        let help = super::super::command().render_help().to_string();
        let commands = help.lines().filter(|line| line.starts_with("  ") && !line.starts_with("  -"));
        for line in commands {
            assert!(line.len() <= COLUMNS_MAX, "{line}");
        }
        each_command(&super::super::command(), "inga", &mut |command, name| {
            let names = command.get_subcommands().map(|below| below.get_name().len());
            let indent = 4 + names.chain(["help".len()]).max().unwrap_or(0);
            for below in command.get_subcommands() {
                let summary = below.get_about().map(ToString::to_string).unwrap_or_default();
                assert!(indent + summary.len() <= COLUMNS_MAX, "{name}: {summary}");
            }
        });
    }

    #[test]
    fn every_command_has_examples_that_fit_on_a_line() {
        each_command(&super::super::command(), "inga", &mut |command, name| {
            let text = after_help(command);
            if !command.has_subcommands() {
                let start = format!("  {name}");
                assert!(
                    example_lines(&text).any(|line| line.contains(start.trim())),
                    "{name} has no example"
                );
            }
            for line in example_lines(&text) {
                assert!(line.len() <= COLUMNS_MAX, "{name}: {line}");
            }
        });
    }

    #[test]
    fn every_example_is_accepted() {
        each_command(&super::super::command(), "inga", &mut |command, name| {
            let joined = after_help(command).replace("\\\n", " ");
            for line in example_lines(&joined) {
                let calls = line.split(&['|', '>'][..]).filter(|call| call.trim().starts_with("inga "));
                for call in calls {
                    let parsed = super::super::command().try_get_matches_from(call.split_whitespace());
                    assert!(parsed.is_ok(), "{name}: {call}: {}", parsed.unwrap_err());
                }
            }
        });
    }

    #[test]
    fn help_wraps_at_80_and_at_120_columns() {
        for columns in [80, 120] {
            each_command(&super::super::command(), "inga", &mut |command, name| {
                let help = command.clone().term_width(columns).render_long_help().to_string();
                // Clap does not wrap the line of the usage.
                for line in help.lines().filter(|line| !line.starts_with("Usage:")) {
                    assert!(line.chars().count() <= columns, "{name}: {line}");
                }
            });
        }
    }

    #[test]
    fn options_behind_shared_ones_keep_their_own_heading() {
        let root = super::super::command();
        let series = root.find_subcommand("series").unwrap();
        let heading = |long: &str| {
            let arg = series.get_arguments().find(|arg| arg.get_long() == Some(long)).unwrap();
            arg.get_help_heading()
        };
        assert_eq!(heading("rules"), Some(INPUT));
        assert_eq!(heading("filter"), Some(FILTER));
        assert_eq!(heading("theme"), Some(OUTPUT));
    }
}
