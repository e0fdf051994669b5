//! `inga history`: looking after a history.

use jiff::civil::Date;

use crate::app::AppError;
use crate::app::history::{Verified, compact, info, retain, verify};
use crate::app::output::Output;
use crate::escape::shown;

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
    /// Put together what captures brought, by day and by month, and give the room back
    ///
    /// A month that is over is packed by type: half the room, and a type's series over years at once. Answers stay the
    /// same. A day or a month is done at once or not at all; stopped and called again, it goes on. A capture that comes
    /// late lies beside its month until the next time.
    Compact {
        #[command(flatten)]
        database: Database,
        /// The month that goes on, too
        #[arg(long)]
        all: bool,
    },
    /// Drop the sightings of months before a date; what was observed of each type and day stays
    ///
    /// Days' totals and every single type's series stay as they are. What needs hosts (a host's history, unique hosts of
    /// several types or of a week) can no longer be told of these months, and says so. Captures of these months are no
    /// longer taken.
    Retain {
        #[command(flatten)]
        database: Database,
        /// The first day that must keep its sightings; months that end before it lose theirs
        #[arg(long, value_name = "DATE")]
        from: Date,
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
        Command::Compact { database, all } => {
            let done = compact(&database.db, *all, &database.rules.load()?)?;
            let (days, months, before, after) = (done.days, done.months, done.before, done.after);
            Output::Stdout.write(|out| {
                writeln!(
                    out,
                    "{days} days and {months} months of sensors put together: {before} bytes, now {after}"
                )
            })?;
            Ok(EXIT_OK)
        }
        Command::Retain { database, from } => {
            let months = retain(&database.db, *from, &database.rules.load()?)?;
            Output::Stdout.write(|out| writeln!(out, "sightings of {months} months of sensors dropped"))?;
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
