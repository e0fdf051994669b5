//! `inga observe`: captures of a sensor into a history.

use std::path::PathBuf;

use crate::app::observe::{Keep, Observed, Place, observe_all};
use crate::app::output::Output;
use crate::app::{AppError, CaptureOptions, Notices};

use super::EXIT_OK;
use super::progress::Progress;
use super::shared::{CaptureArgs, HISTORY_VARIABLE, RuleArgs};

/// Feed captures of a sensor into a history
///
/// Each capture is stored in one transaction, and known by its content: feeding it again changes nothing. Feed
/// captures in time order; windows go on from one to the next. A file that has grown is continued where it ended.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  inga observe --sensor II --history history captures/2009-03-02/")]
pub(super) struct Args {
    /// Captures, archives and folders of them, or `-` for standard input
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    /// The sensor that made them
    #[arg(long, value_name = "NAME")]
    sensor: String,
    /// The history: a folder with catalog.sqlite
    #[arg(long, value_name = "DIR", env = HISTORY_VARIABLE)]
    history: PathBuf,
    /// Read and gather everything, and store nothing
    #[arg(long)]
    dry_run: bool,
    /// Take packets of any time; without this, those before 1990 or after tomorrow are left out and counted
    #[arg(long)]
    accept_times: bool,
    #[command(flatten)]
    reading: CaptureArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) fn run(args: &Args, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let mut options = CaptureOptions { accept_times: args.accept_times, ..args.reading.options() };
    let inputs = options.expand(&args.captures, notices)?;
    let progress = Progress::watch(&inputs, &mut options);
    let keep = if args.dry_run { Keep::DryRun } else { Keep::Stored };
    let place = Place { history: &args.history, sensor: &args.sensor, keep };
    observe_all(place, &inputs, &options, &rules, notices, &mut |input, observed| {
        let told = match observed {
            Observed::Known => format!("{input}: stored before, nothing changed"),
            Observed::Gathered { dark, packets } => {
                format!("{input}: {dark} of {packets} packets to dark addresses, not stored (dry run)")
            }
            Observed::Stored { dark, packets } => {
                format!("{input}: {dark} of {packets} packets to dark addresses stored")
            }
        };
        // At once: what is stored stays stored, whatever becomes of the captures after it.
        progress.aside(|| Output::Stdout.write(|out| writeln!(out, "{told}")))
    })?;
    Ok(EXIT_OK)
}
