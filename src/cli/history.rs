//! `inga history`: maintenance of a history.

use std::path::PathBuf;

use jiff::civil::Date;

use crate::app::AppError;
use crate::app::history::{compact, info, join, retain, verify};
use crate::app::output::Output;
use crate::app::removal::drop_days;
use crate::history::{DroppedDays, JoinSummary, RetentionSummary};
use crate::render::answer::{Answer, Format};
use crate::render::maintenance::{self as report, dropped_days, dropped_sightings};
use crate::render::svg::Theme;

use super::confirm::ConfirmArgs;
use super::help::OUTPUT;
use super::output::{OutputArgs, parser};
use super::shared::{HistoryFolder, RuleArgs, check_range};
use super::{EXIT_DIFFERS, EXIT_OK};

/// Verify, compact, shrink and merge histories
#[derive(Debug, clap::Args)]
pub(super) struct HistoryArgs {
    #[command(subcommand)]
    command: HistoryCommand,
}

#[derive(Debug, clap::Subcommand)]
enum HistoryCommand {
    /// Check that a history is as it was written
    ///
    /// The exit code is 1 if the history is damaged.
    ///
    /// Every byte of every segment and every row of the catalog is compared with its hash. The number of
    /// every type is computed again, and totals and hourly counts are counted again from the sightings.
    #[command(after_help = "Examples:
  inga history verify --history history")]
    Verify {
        #[command(flatten)]
        history: HistoryFolder,
    },
    /// Merge the segments of captures by day and by month
    ///
    /// `inga observe` merges completed days and months whenever it has stored a capture. Answers stay the
    /// same. Each day and each month is merged in one transaction: if the command is stopped, run it again to
    /// merge the rest.
    #[command(after_help = "Examples:
  inga history compact --history history
  inga history compact --all --history history")]
    Compact {
        #[command(flatten)]
        history: HistoryFolder,
        /// Merge also the latest day and month, which later captures may still extend
        #[arg(long)]
        all: bool,
    },
    /// Drop the sightings of months before a date and keep their counts
    ///
    /// The counts by type, day and hour stay.
    /// Totals and the series of every single type stay as they are. Questions that need hosts (the history of
    /// a host, unique hosts of several types or of a week) are answered from the kept months alone, with a
    /// notice. Captures of dropped months are refused from then on.
    #[command(after_help = "Examples:
  inga history retain --from 2009-01-01 --history history
  inga history retain --from 2009-01-01 --history history --yes")]
    Retain {
        #[command(flatten)]
        history: HistoryFolder,
        /// First day whose sightings must be kept; months that end before it lose theirs
        #[arg(long, value_name = "YYYY-MM-DD")]
        from: Date,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
    /// Make days of a sensor not recorded, so that they can be fed again
    ///
    /// All windows that began on these days are removed, and so are captures that lie wholly within them. A
    /// capture that lies partly within them is cut: its file is forgotten and can be fed again for the
    /// missing days. The windows of other days, totals, outages and samples stay.
    #[command(after_help = "Examples:
  inga history drop --sensor II --history history \\
      --from 2009-03-02 --to 2009-03-04")]
    Drop {
        #[command(flatten)]
        history: HistoryFolder,
        /// Sensor whose days are dropped
        #[arg(long, value_name = "NAME")]
        sensor: String,
        /// First day to drop
        #[arg(long, value_name = "YYYY-MM-DD")]
        from: Date,
        /// Last day to drop
        #[arg(long, value_name = "YYYY-MM-DD")]
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
    /// Incidents are copied with their changes. If two different incidents have the same number, one gets a free
    /// number and a note with its old one. Copies of one incident are taken once. Alerts that were raised are not
    /// raised again. Followed captures and unsent alerts are not copied.
    ///
    /// In the result, observing continues where the latest history stopped. If the command is refused or
    /// fails (exit code 2), there is no result. The given histories are only read.
    #[command(after_help = "Examples:
  inga history merge north south -o both")]
    Merge {
        /// Histories to join
        #[arg(required = true, num_args = 2.., value_name = "DIR")]
        histories: Vec<PathBuf>,
        /// Folder of the result, which must be new or empty
        #[arg(short = 'o', long = "output", alias = "into", value_name = "DIR", help_heading = OUTPUT)]
        into: PathBuf,
        /// Output format
        #[arg(
            long,
            value_parser = parser(JoinSummary::FORMATS),
            default_value = "text",
            help_heading = OUTPUT
        )]
        format: Format,
        #[command(flatten)]
        rules: RuleArgs,
    },
    /// Show what a history holds and how much space that takes
    #[command(after_help = "Examples:
  inga history info --history history
  inga history info --history history --format json")]
    Info {
        #[command(flatten)]
        history: HistoryFolder,
        #[command(flatten)]
        output: OutputArgs,
    },
}

pub(super) fn run(args: &HistoryArgs) -> Result<u8, AppError> {
    match &args.command {
        HistoryCommand::Verify { history } => {
            let verified = verify(&history.folder, &history.rules.load()?)?;
            Output::Stdout.write(|out| report::verified(out, &verified))?;
            Ok(if verified.faults.is_empty() { EXIT_OK } else { EXIT_DIFFERS })
        }
        HistoryCommand::Compact { history, all } => {
            let merged = report::compacted(&compact(&history.folder, *all, &history.rules.load()?)?);
            Output::Stdout.write(|out| writeln!(out, "{merged}"))?;
            Ok(EXIT_OK)
        }
        HistoryCommand::Retain { history, from, confirm } => {
            let mut agrees =
                |plan: &RetentionSummary| confirm.confirm(&dropped_sightings("This would drop", plan));
            let done = retain(&history.folder, *from, &history.rules.load()?, &mut agrees)?;
            let done = dropped_sightings("dropped", &done);
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
            let joined = join(histories, into, &rules.load()?)?;
            Output::Stdout.write(|out| joined.write(out, *format, Theme::Auto))?;
            Ok(EXIT_OK)
        }
        HistoryCommand::Info { history, output } => {
            output.write(info(&history.folder, &history.rules.load()?)?.as_slice())?;
            Ok(EXIT_OK)
        }
    }
}
