//! `inga sql`: a history asked in SQL.

use std::path::PathBuf;

use crate::app::AppError;
use crate::app::history::{RowSink, query};
use crate::app::output::Output;
use crate::report::rows;

use super::EXIT_OK;
use super::shared::{Format, RuleArgs};

/// Ask a history in SQL; nothing is changed
#[derive(Debug, clap::Args)]
#[command(after_help = "Beside the tables there are two views, with ISO days and textual addresses:
  sightings    sensor day host type canonical facet windows packets first last
  observation  sensor day type canonical windows packets hosts

Examples:
  inga sql --db history.db 'SELECT day, sum(packets) FROM observation GROUP BY day'
  inga sql --db history.db \"SELECT * FROM sightings WHERE host = '192.0.2.1'\" --format json")]
pub(super) struct Args {
    /// One SELECT
    query: String,
    /// The history, an SQLite file
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
    /// For people (separated by tabs) or for machines
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) fn run(args: &Args) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    write(args.format, |sink| query(&args.db, &args.query, &rules, sink))
}

/// Writes the rows of an answer.
pub(super) fn write(
    format: Format,
    answer: impl FnOnce(RowSink<'_>) -> Result<(), AppError>,
) -> Result<u8, AppError> {
    let mut failed = None;
    Output::Stdout.write(|out| {
        let mut written = Ok(());
        let done = answer(&mut |columns, row| {
            written = match (format, row) {
                (Format::Text, None) => rows::head(out, columns),
                (Format::Text, Some(row)) => rows::text(out, row),
                (Format::Json, None) => Ok(()),
                (Format::Json, Some(row)) => rows::json(out, columns, row),
            };
            written.is_ok()
        });
        failed = done.err();
        written
    })?;
    failed.map_or(Ok(EXIT_OK), Err)
}
