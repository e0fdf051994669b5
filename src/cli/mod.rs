//! F6: the command line. One file per subcommand parses its arguments, calls `app` and renders the result.

mod capture;
mod check;
mod cohort;
mod complete;
mod confirm;
mod correlate;
mod evaluate;
mod events;
mod explain;
mod filter;
mod fingerprint;
mod help;
mod history;
mod host;
mod incident;
mod observe;
mod output;
mod progress;
mod project;
mod rules;
mod sample;
mod sample_import;
mod sensor;
mod series;
#[cfg(feature = "serve")]
mod serve;
mod shared;
mod simulate;
mod surges;
#[cfg(test)]
mod tests;
mod tile;
mod types;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::app::{AppError, Notices};
use crate::escape::{escape_hidden, has_hidden};

/// Exit code: all work was done, and every check held.
pub const EXIT_OK: u8 = 0;
/// Exit code: the work was done, but a check did not hold, or some of the given files could not be read.
pub const EXIT_DIFFERS: u8 = 1;
/// Exit code: the work could not be done, because of wrong usage, unreadable input, refused rules or a failed
/// store.
pub const EXIT_FAILED: u8 = 2;

/// Identifies which malware sample is the likely cause of a scan observed in a darknet.
#[derive(Debug, Parser)]
#[command(
    name = "inga",
    version,
    max_term_width = 110,
    after_help = "Examples:
  inga correlate samples/*/report.yaml --history history -o report.html
  inga fingerprint sandbox.pcap --victim auto
  inga sensor add II --prefix 198.51.100.0/24 --history history
  inga observe --sensor II --history history captures/

`inga COMMAND --help` explains a command, with examples.

Exit codes:
  0  all work was done and every check holds
  1  the work was done, but a check differs or a file could not be read
  2  the work could not be done"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Events(events::EventsArgs),
    Fingerprint(fingerprint::FingerprintArgs),
    Rules(rules::RulesArgs),
    Check(check::CheckArgs),
    Sample(sample::SampleArgs),
    Sensor(sensor::SensorArgs),
    Capture(capture::CaptureArgs),
    Observe(observe::ObserveArgs),
    Correlate(correlate::CorrelateArgs),
    Explain(explain::ExplainArgs),
    Evaluate(evaluate::EvaluateArgs),
    Project(project::ProjectArgs),
    Series(series::SeriesArgs),
    Tile(tile::TileArgs),
    Host(host::HostArgs),
    Cohort(cohort::CohortArgs),
    Surges(surges::SurgesArgs),
    #[command(alias = "kinds")]
    Types(types::TypesArgs),
    Watch(watch::WatchArgs),
    Incident(incident::IncidentArgs),
    History(history::HistoryArgs),
    Simulate(simulate::SimulateArgs),
    #[cfg(feature = "serve")]
    Serve(serve::ServeArgs),
    Completions(complete::CompletionArgs),
    Man(complete::ManArgs),
}

/// Returns the definition of the command line, for completions, man pages and tests.
#[must_use]
pub fn command() -> clap::Command {
    help::arranged(Cli::command())
}

/// Parses arguments, of which the first is the name of the program.
fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Parses the arguments of the process, runs the subcommand and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return print_usage_error(&error),
    };
    let mut notices = Notices::default();
    let result = run(cli.command, &mut notices);
    for notice in notices.iter() {
        write_stderr(&format!("note: {}", escape_hidden(notice)));
    }
    let mut some_failed = false;
    for failure in notices.failures() {
        write_stderr(&format!("error: {}", escape_hidden(failure)));
        some_failed = true;
    }
    let result = result.map(|code| if some_failed { code.max(EXIT_DIFFERS) } else { code });
    ExitCode::from(result.unwrap_or_else(|error| {
        for line in error.to_string().lines() {
            write_stderr(&format!("error: {}", escape_hidden(line)));
        }
        EXIT_FAILED
    }))
}

/// Prints help, the version, or what is wrong with the arguments, and returns the exit code. Arguments may be
/// file names that others chose, since a shell inserts them in place of `*`. A message that repeats hidden
/// characters is therefore escaped and printed without colors.
fn print_usage_error(error: &clap::Error) -> ExitCode {
    let message = error.render().to_string();
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(EXIT_FAILED));
    if !has_hidden(&message.replace('\n', "")) {
        // Clap prints with colors on a terminal. A failed write, such as to a closed pipe, is ignored.
        let _shown = error.print();
    } else {
        message.lines().for_each(|line| write_stderr(&escape_hidden(line)));
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
        Command::Types(args) => types::run(&args, notices),
        Command::Watch(args) => watch::run(&args),
        Command::Incident(args) => incident::run(&args, notices),
        Command::History(args) => history::run(&args),
        Command::Simulate(args) => simulate::run(&args, notices),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(&args, notices),
        Command::Completions(args) => complete::completions(&args, &mut self::command()),
        Command::Man(args) => complete::man(&args, &self::command()),
    }
}

/// Writes a line to standard error. A failed write is ignored.
fn write_stderr(line: &str) {
    use std::io::Write;
    let _ = writeln!(anstream::stderr(), "{line}");
}
