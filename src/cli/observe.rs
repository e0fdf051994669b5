//! `inga observe`: captures of a sensor into a history.

use std::path::PathBuf;

use crate::app::covers::Covers;
use crate::app::observe::{Keep, Observed, Place, observe_all};
use crate::app::output::Output;
use crate::app::{AppError, CaptureOptions, Notices, Overlap};

use super::EXIT_OK;
use super::progress::Progress;
use super::shared::{CaptureArgs, HISTORY_VARIABLE, RuleArgs};

/// Feed captures of a sensor into a history
///
/// Every packet counts once. Each capture is stored in one transaction and known by its content, so feeding it again
/// changes nothing; packets that were stored from another file, such as an earlier state of this one, are left out. Any
/// other capture of time that is recorded already is refused. Feed captures in time order, so that windows continue from
/// one capture to the next.
///
/// Time that no capture shows as recorded has no value. A silence within a capture is a gap if it is longer than ten
/// minutes and than a hundred mean distances of its packets; a capture without a packet to the sensor's dark addresses
/// shows nothing. With --covers such time counts as recorded.
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
    /// What to do with packets in time that another capture of the sensor recorded; up to five seconds are accepted
    /// without this
    #[arg(long, value_enum, value_name = "HOW")]
    overlap: Option<OverlapArg>,
    /// The sensor recorded in this time, also where no packet shows it: two dates (both included) or RFC 3339 times, in
    /// the sensor's time zone
    #[arg(long, value_name = "FROM..TO")]
    covers: Option<Covers>,
    /// Packets that the recorder of the capture lost; without this, what a pcapng's statistics say
    #[arg(long, value_name = "PACKETS")]
    dropped: Option<u64>,
    #[command(flatten)]
    reading: CaptureArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OverlapArg {
    /// Leave them out and count them
    Skip,
    /// Count them: two recorders worked in parallel
    Add,
}

pub(super) fn run(args: &Args, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let overlap = match args.overlap {
        None => Overlap::Refuse,
        Some(OverlapArg::Skip) => Overlap::Skip,
        Some(OverlapArg::Add) => Overlap::Add,
    };
    let mut options = CaptureOptions {
        accept_times: args.accept_times,
        overlap,
        dropped: args.dropped,
        ..args.reading.options()
    };
    let inputs = options.expand(&args.captures, notices)?;
    let progress = Progress::watch(&inputs, &mut options);
    let keep = if args.dry_run { Keep::DryRun } else { Keep::Stored };
    let place = Place { history: &args.history, sensor: &args.sensor, keep, covers: args.covers.as_ref() };
    let covered = observe_all(place, &inputs, &options, &rules, notices, &mut |input, observed| {
        let told = match observed {
            Observed::Known => format!("{input}: stored before, nothing changed"),
            Observed::Nothing { packets } => format!("{input}: nothing of its {packets} packets to store"),
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
    if let (Some(covers), Some(covered)) = (&args.covers, covered) {
        let seconds = covered.nanoseconds / 1_000_000_000;
        Output::Stdout.write(|out| writeln!(out, "{covers}: {seconds} s more are recorded time"))?;
    }
    Ok(EXIT_OK)
}
