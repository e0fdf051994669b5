//! `inga history`: looking after a history.

use crate::app::AppError;
use crate::app::history::{Verified, compact, info, verify};
use crate::app::output::Output;
use crate::report::text::shown;

use super::shared::{Database, Format};
use super::sql::write;
use super::{EXIT_DIFFERS, EXIT_OK};

/// Look after a history
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check that it is as it was written; exit code 1 where it is not
    ///
    /// SQLite's own check, a checksum of every packed row, every type's names worked out again, every day's sums
    /// counted again. A changed bit in a sensor's settings, a sample or the list of captures is not found.
    Verify {
        #[command(flatten)]
        database: Database,
    },
    /// Put together what several captures brought of a day, and give the room back
    ///
    /// Answers stay the same. A day is done at once or not at all; stopped and called again, it goes on.
    Compact {
        #[command(flatten)]
        database: Database,
    },
    /// What it holds and what that takes
    Info {
        #[command(flatten)]
        database: Database,
        /// For people (separated by tabs) or for machines
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

pub(super) fn run(args: &Args) -> Result<u8, AppError> {
    match &args.command {
        Command::Verify { database } => {
            let verified = verify(&database.db, &database.rules.load()?)?;
            tell(&verified)?;
            Ok(if verified.faults.is_empty() { EXIT_OK } else { EXIT_DIFFERS })
        }
        Command::Compact { database } => {
            let done = compact(&database.db, &database.rules.load()?)?;
            let (days, before, after) = (done.days, done.before, done.after);
            Output::Stdout.write(|out| {
                writeln!(out, "{days} days of sensors put together: {before} packed bytes, now {after}")
            })?;
            Ok(EXIT_OK)
        }
        Command::Info { database, format } => {
            let rules = database.rules.load()?;
            write(*format, |sink| info(&database.db, &rules, sink))
        }
    }
}

fn tell(Verified { checked, faults }: &Verified) -> Result<(), AppError> {
    Output::Stdout.write(|out| {
        for fault in faults {
            writeln!(out, "{}", shown(fault))?;
        }
        let verdict = if faults.is_empty() { "all as it was written" } else { "not as it was written" };
        let (rows, types, days) = (checked.rows, checked.types, checked.days);
        writeln!(out, "{rows} packed rows, {types} types, {days} days of sensors checked: {verdict}")
    })
}
