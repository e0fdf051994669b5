//! `inga history`: looking after a history.

use std::path::PathBuf;

use crate::app::AppError;
use crate::app::history::{Verified, compact, verify};
use crate::app::output::Output;
use crate::report::text::shown;

use super::shared::{Format, RuleArgs};
use super::sql::ask;
use super::{EXIT_DIFFERS, EXIT_OK};

/// Look after a history
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct Database {
    /// The history, an SQLite file
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
    #[command(flatten)]
    rules: RuleArgs,
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

/// Rows, and bytes of packed values, by what they are.
const INFO: &str = "
    SELECT 'sensors' AS what, count(*) AS rows, sum(length(settings)) AS bytes FROM sensor
    UNION ALL SELECT 'captures', count(*), NULL FROM capture
    UNION ALL SELECT 'observed days', count(*), NULL FROM observed
    UNION ALL SELECT 'outages', count(*), NULL FROM outage
    UNION ALL SELECT 'types', count(*), sum(length(parameters)) FROM type
    UNION ALL SELECT 'rows of packed sightings', count(*), sum(length(groups)) FROM chunk
    UNION ALL SELECT 'rows of packed examples', count(*), sum(length(examples)) FROM example
    UNION ALL SELECT 'open windows of sensors', count(*), sum(length(windows)) FROM resume
    UNION ALL SELECT 'samples', count(*), sum(length(profile)) FROM sample
    UNION ALL SELECT 'pages of the file', page_count, page_count * page_size
        FROM pragma_page_count, pragma_page_size";

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
        Command::Info { database, format } => ask(&database.db, INFO, *format, &database.rules),
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
