//! F6: the command line. One file a subcommand; none adds logic of its own.

mod capture;
mod check;
mod cohort;
mod complete;
mod confirm;
mod correlate;
mod evaluate;
mod events;
mod explain;
mod fingerprint;
mod history;
mod host;
mod kinds;
mod observe;
mod progress;
mod project;
mod rules;
mod sample;
mod sensor;
mod series;
mod shared;
mod simulate;
mod surges;
mod tile;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::app::{AppError, Notices};
use crate::escape::{has_hidden, shown};

/// Everything asked for was done, and every check held.
pub const EXIT_OK: u8 = 0;
/// The work was done, but a check did not hold, or some of the given files could not be read.
pub const EXIT_DIFFERS: u8 = 1;
/// It could not be done: usage, unreadable input, refused rules, a failed store.
pub const EXIT_FAILED: u8 = 2;

/// Tells which malware sample is the likely cause of a scan seen in a darknet.
#[derive(Debug, Parser)]
#[command(
    name = "inga",
    version,
    max_term_width = 110,
    after_help = "Examples:
  inga correlate samples/a2eaf57c47a118e91a5edf694685eee7/report.yaml --darknet samples/darknet -o report.html
  inga fingerprint sandbox.pcap --victim auto
  inga sensor add II --history history --prefix 198.51.100.0/24 && inga observe --sensor II --history history captures/
  inga check samples

Exit codes: 0 done and all checks hold, 1 done but some check differs or some file could not be read, 2 could not be done."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Events(events::Args),
    Fingerprint(fingerprint::Args),
    Rules(rules::Args),
    Check(check::Args),
    Sample(sample::Args),
    Sensor(sensor::Args),
    Capture(capture::Args),
    Observe(observe::Args),
    Correlate(correlate::Args),
    Explain(explain::Args),
    Evaluate(evaluate::Args),
    Project(project::Args),
    Series(series::Args),
    Tile(tile::Args),
    Host(host::Args),
    Cohort(cohort::Args),
    Surges(surges::Args),
    Kinds(kinds::Args),
    History(history::Args),
    Simulate(simulate::Args),
    Completions(complete::CompletionArgs),
    Man(complete::ManArgs),
}

/// The command line, as completions, man pages and tests see it.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with the process's own arguments.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    let mut notices = Notices::default();
    let result = run(cli.command, &mut notices);
    for notice in notices.iter() {
        say(&format!("note: {}", shown(notice)));
    }
    let mut some_failed = false;
    for failure in notices.failures() {
        say(&format!("error: {}", shown(failure)));
        some_failed = true;
    }
    let result = result.map(|code| if some_failed { code.max(EXIT_DIFFERS) } else { code });
    ExitCode::from(result.unwrap_or_else(|error| {
        for line in error.to_string().lines() {
            say(&format!("error: {}", shown(line)));
        }
        EXIT_FAILED
    }))
}

/// Shows help, the version, or what is wrong with the arguments. Arguments may be names of files that others chose, as
/// a shell puts them in place of `*`, so a message that repeats one with hidden characters is escaped and has no
/// colours.
fn refused(error: &clap::Error) -> ExitCode {
    let message = error.render().to_string();
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(EXIT_FAILED));
    if !has_hidden(&message.replace('\n', "")) {
        // Clap prints with colours on a terminal; a closed pipe is no error.
        let _shown = error.print();
    } else {
        message.lines().for_each(|line| say(&shown(line)));
    }
    code
}

fn run(command: Command, notices: &mut Notices) -> Result<u8, AppError> {
    match command {
        Command::Events(args) => events::run(&args, notices),
        Command::Fingerprint(args) => fingerprint::run(&args, notices),
        Command::Rules(args) => rules::run(&args),
        Command::Check(args) => check::run(&args, notices),
        Command::Sample(args) => sample::run(&args, notices),
        Command::Sensor(args) => sensor::run(args),
        Command::Capture(args) => capture::run(&args, notices),
        Command::Observe(args) => observe::run(&args, notices),
        Command::Correlate(args) => correlate::run(&args, notices),
        Command::Evaluate(args) => evaluate::run(&args, notices),
        Command::Explain(args) => explain::run(&args, notices),
        Command::Project(args) => project::run(&args, notices),
        Command::Series(args) => series::run(&args, notices),
        Command::Tile(args) => tile::run(&args, notices),
        Command::Host(args) => host::run(&args, notices),
        Command::Cohort(args) => cohort::run(&args, notices),
        Command::Surges(args) => surges::run(&args, notices),
        Command::Kinds(args) => kinds::run(&args, notices),
        Command::History(args) => history::run(&args),
        Command::Simulate(args) => simulate::run(&args, notices),
        Command::Completions(args) => complete::completions(&args, &mut Cli::command()),
        Command::Man(args) => complete::man(&args, &Cli::command()),
    }
}

/// A line on standard error; one that cannot be written is given up.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(anstream::stderr(), "{line}");
}
