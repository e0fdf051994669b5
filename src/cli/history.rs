//! `inga history`: maintenance of a history.

use std::path::PathBuf;

use jiff::civil::Date;

use crate::app::AppError;
use crate::app::history::{
    CompactionSummary, ContentSize, JoinSummary, RetentionSummary, Seam, VerificationResult,
    VerificationSummary, compact, info, join, retain, verify,
};
use crate::app::output::Output;
use crate::app::removal::{DroppedDays, drop_days};
use crate::escape::escape_hidden;

use super::confirm::ConfirmArgs;
use super::shared::{HistoryFolder, OutputFormat, RuleArgs, check_range};
use super::{EXIT_DIFFERS, EXIT_OK};

/// Verify, compact, shrink and merge histories
#[derive(Debug, clap::Args)]
pub(super) struct HistoryArgs {
    #[command(subcommand)]
    command: HistoryCommand,
}

#[derive(Debug, clap::Subcommand)]
enum HistoryCommand {
    /// Check that a history is as it was written; exit code 1 if it is not
    ///
    /// Every byte of every segment and every row of the catalog is compared with its hash. The number of
    /// every type is computed again, and totals and hourly counts are counted again from the sightings.
    Verify {
        #[command(flatten)]
        history: HistoryFolder,
    },
    /// Merge the segments of captures by day and by month
    ///
    /// `inga observe` merges completed days and months whenever it has stored a capture. Answers stay the
    /// same. Each day and each month is merged in one transaction: if the command is stopped, run it again to
    /// merge the rest.
    Compact {
        #[command(flatten)]
        history: HistoryFolder,
        /// Merge also the latest day and month, which later captures may still extend
        #[arg(long)]
        all: bool,
    },
    /// Drop the sightings of months before a date; counts by type, day and hour stay
    ///
    /// Totals and the series of every single type stay as they are. Questions that need hosts (the history of
    /// a host, unique hosts of several types or of a week) are answered from the kept months alone, with a
    /// notice. Captures of dropped months are refused from then on.
    Retain {
        #[command(flatten)]
        history: HistoryFolder,
        /// First day whose sightings must be kept; months that end before it lose theirs
        #[arg(long, value_name = "DATE")]
        from: Date,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
    /// Make days of a sensor not recorded, so that they can be fed again
    ///
    /// All windows that began on these days are removed, and so are captures that lie wholly within them. A
    /// capture that lies partly within them is cut: its file is forgotten and can be fed again for the
    /// missing days. The windows of other days, totals, outages and samples stay.
    #[command(after_help = "Example:
  inga history drop --sensor II --from 2009-03-02 --to 2009-03-04 --history history")]
    Drop {
        #[command(flatten)]
        history: HistoryFolder,
        /// Sensor whose days are dropped
        #[arg(long, value_name = "NAME")]
        sensor: String,
        /// First day to drop
        #[arg(long, value_name = "DATE")]
        from: Date,
        /// Last day to drop
        #[arg(long, value_name = "DATE")]
        to: Date,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
    /// Join several histories into a new one
    ///
    /// For histories of different sensors, the result equals one history that observed all of them. Histories
    /// of one sensor are joined by period: windows that are open where one history ends and the next begins
    /// are cut there, and the command reports their number. Captures that are in several histories are taken
    /// once. If different captures of one sensor recorded the same time, the histories are refused.
    ///
    /// In the result, observing continues where the latest history stopped. If the command is refused or
    /// fails (exit code 2), there is no result. The given histories are only read.
    #[command(after_help = "Example:
  inga history merge north south --into both")]
    Merge {
        /// Histories to join
        #[arg(required = true, num_args = 2.., value_name = "DIR")]
        histories: Vec<PathBuf>,
        /// Folder of the result, which must be new or empty
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: OutputFormat,
        #[command(flatten)]
        rules: RuleArgs,
    },
    /// Show what a history holds and how much space that takes
    Info {
        #[command(flatten)]
        history: HistoryFolder,
        /// Output format; text is separated by tabs
        #[arg(long, value_enum, default_value = "text")]
        format: OutputFormat,
    },
}

pub(super) fn run(args: &HistoryArgs) -> Result<u8, AppError> {
    match &args.command {
        HistoryCommand::Verify { history } => {
            let verified = verify(&history.folder, &history.rules.load()?)?;
            write_verified(&verified)?;
            Ok(if verified.faults.is_empty() { EXIT_OK } else { EXIT_DIFFERS })
        }
        HistoryCommand::Compact { history, all } => {
            let CompactionSummary { days, months, bytes_before, bytes_after } =
                compact(&history.folder, *all, &history.rules.load()?)?;
            Output::Stdout.write(|out| {
                writeln!(
                    out,
                    "{days} days and {months} months of sensors merged: segments had {bytes_before} bytes, now {bytes_after}"
                )
            })?;
            Ok(EXIT_OK)
        }
        HistoryCommand::Retain { history, from, confirm } => {
            let mut agrees = |plan: &RetentionSummary| confirm.confirm(&dropped("This would drop", plan));
            let done = retain(&history.folder, *from, &history.rules.load()?, &mut agrees)?;
            let done = dropped("dropped", &done);
            Output::Stdout.write(|out| writeln!(out, "{done}"))?;
            Ok(EXIT_OK)
        }
        HistoryCommand::Drop { history, sensor, from, to, confirm } => {
            check_range(("--from", Some(*from)), ("--to", Some(*to)))?;
            let mut agrees = |plan: &DroppedDays| confirm.confirm(&dropped_days("This would drop", plan));
            let rules = history.rules.load()?;
            let done = drop_days(&history.folder, sensor, (*from, *to), &rules, &mut agrees)?;
            let done = dropped_days("dropped", &done);
            Output::Stdout.write(|out| writeln!(out, "{done}"))?;
            Ok(EXIT_OK)
        }
        HistoryCommand::Merge { histories, into, format, rules } => {
            write_joined(&join(histories, into, &rules.load()?)?, *format)?;
            Ok(EXIT_OK)
        }
        HistoryCommand::Info { history, format } => {
            let holdings = info(&history.folder, &history.rules.load()?)?;
            write_holdings(&holdings, *format)?;
            Ok(EXIT_OK)
        }
    }
}

/// Describes dropped sightings in a sentence that begins with `verb`.
fn dropped(verb: &str, plan: &RetentionSummary) -> String {
    let RetentionSummary { kept_from: from, months, sightings, bytes } = plan;
    let sensors: Vec<String> = from.iter().map(|(sensor, from)| format!("{sensor} before {from}")).collect();
    let of = if sensors.is_empty() { String::new() } else { format!(" ({})", sensors.join(", ")) };
    format!("{verb} {sightings} sightings of {months} months of sensors, {bytes} bytes{of}")
}

fn write_joined(joined: &JoinSummary, format: OutputFormat) -> Result<(), AppError> {
    let JoinSummary { sensors, captures, shared_captures: same, seams } = joined;
    Output::Stdout.write(|out| {
        if matches!(format, OutputFormat::Json) {
            let seam = |Seam { sensor, at, cut_windows: cut }: &Seam| {
                serde_json::json!({"sensor": sensor, "at": at.to_string(), "windows_cut": cut})
            };
            let seams: Vec<_> = seams.iter().map(seam).collect();
            let row = serde_json::json!({
                "sensors": sensors, "captures": captures, "taken_once": same, "seams": seams,
            });
            return writeln!(out, "{row}");
        }
        for name in same {
            writeln!(out, "{}: several histories have it, taken once", escape_hidden(name))?;
        }
        for Seam { sensor, at, cut_windows: cut } in seams {
            writeln!(out, "sensor {}: histories meet at {at}, {cut} windows are cut there", escape_hidden(sensor))?;
        }
        writeln!(out, "{sensors} sensors with {captures} captures joined")
    })
}

/// Describes dropped days and captures in a sentence that begins with `verb`.
fn dropped_days(
    verb: &str,
    DroppedDays { days, whole_captures: whole, cut_captures: cut }: &DroppedDays,
) -> String {
    format!("{verb} {days} recorded days and {} captures, and cut {} captures", whole.len(), cut.len())
}

fn write_holdings(holdings: &[ContentSize], format: OutputFormat) -> Result<(), AppError> {
    let text = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    Output::Stdout.write(|out| {
        if matches!(format, OutputFormat::Text) {
            writeln!(out, "what\trows\tfiles\tbytes")?;
        }
        for ContentSize { name: what, rows, files, bytes } in holdings {
            match format {
                OutputFormat::Text => writeln!(out, "{what}\t{rows}\t{}\t{}", text(*files), text(*bytes))?,
                OutputFormat::Json => {
                    let row = serde_json::json!({"what": what, "rows": rows, "files": files, "bytes": bytes});
                    writeln!(out, "{row}")?;
                }
            }
        }
        Ok(())
    })
}

fn write_verified(VerificationResult { checked, faults }: &VerificationResult) -> Result<(), AppError> {
    Output::Stdout.write(|out| {
        for fault in faults {
            writeln!(out, "{}", escape_hidden(fault))?;
        }
        let verdict = if faults.is_empty() { "all as it was written" } else { "not as it was written" };
        let VerificationSummary { rows, segments, types, days } = checked;
        writeln!(
            out,
            "{rows} rows of the catalog, {segments} segments, {types} types, {days} days of sensors checked: {verdict}"
        )
    })
}
