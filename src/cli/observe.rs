//! `inga observe`: feeds the captures of a sensor into a history.

use std::path::PathBuf;

use crate::app::declared_span::DeclaredSpan;
use crate::app::observe::{FeedOutcome, FeedTarget, StoreMode, observe_all};
use crate::app::output::Output;
use crate::app::{AppError, CaptureOptions, Notices, Overlap};

use super::EXIT_OK;
use super::help::{INPUT, OUTPUT};
use super::progress::Progress;
use super::shared::{CaptureReadingArgs, HISTORY_VARIABLE, RuleArgs};

/// Feed captures of a sensor into a history
///
/// Every packet counts once. Each capture is stored in one transaction and identified by its content, so
/// feeding it again changes nothing. Packets that were already stored from another file, such as an earlier
/// state of this one, are left out. Any other capture of time that is already recorded is refused. Feed
/// captures in time order, so that windows continue from one capture to the next.
///
/// Time that no capture shows as recorded has no value. A silence within a capture is a gap if it is longer
/// than ten minutes and longer than a hundred mean inter-arrival times of the capture's packets. A capture
/// without a packet to the sensor's dark addresses shows no recorded time. With --covers, such time counts as
/// recorded.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga observe --sensor II --history history captures/2009-03-02/
  inga observe --sensor II --history history captures/ --dry-run
  inga observe --sensor II --history history quiet.pcap \\
      --covers 2009-03-02..2009-03-03")]
pub(super) struct ObserveArgs {
    /// Captures, archives, and folders of them; `-` is standard input
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    /// Sensor that recorded the captures
    #[arg(long, value_name = "NAME", help_heading = INPUT)]
    sensor: String,
    /// The history: a folder with catalog.sqlite
    #[arg(long, value_name = "DIR", env = HISTORY_VARIABLE, help_heading = INPUT)]
    history: PathBuf,
    /// Read and evaluate all captures, but store nothing
    #[arg(long, help_heading = OUTPUT)]
    dry_run: bool,
    /// Accept packets of any time; without this option, packets before 1990 or after tomorrow are left out
    /// and counted
    #[arg(long, help_heading = INPUT)]
    accept_times: bool,
    /// Treatment of packets in time that another capture of the sensor recorded
    ///
    /// Without this option, a capture that overlaps recorded time by more than five seconds is refused.
    #[arg(long, value_enum, value_name = "HOW", help_heading = INPUT)]
    overlap: Option<OverlapArg>,
    /// Time in which the sensor recorded, even where no packet shows it
    ///
    /// Two dates (both included), or two RFC 3339 times. Days and times without an offset are in the sensor's
    /// time zone.
    #[arg(long, value_name = "FROM..TO", help_heading = INPUT)]
    covers: Option<DeclaredSpan>,
    /// Packets that the recorder of the capture lost [default: the number in the statistics of a pcapng file]
    #[arg(long, value_name = "PACKETS", help_heading = INPUT)]
    dropped: Option<u64>,
    #[command(flatten)]
    reading: CaptureReadingArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OverlapArg {
    /// Leave the packets out, and count how many were left out
    Skip,
    /// Count the packets, because two recorders worked in parallel
    Add,
}

pub(super) fn run(args: &ObserveArgs, notices: &mut Notices) -> Result<u8, AppError> {
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
    let keep = if args.dry_run { StoreMode::DryRun } else { StoreMode::Store };
    let place = FeedTarget {
        history: &args.history,
        sensor: &args.sensor,
        mode: keep,
        declared_span: args.covers.as_ref(),
    };
    let covered = observe_all(place, &inputs, &options, &rules, notices, &mut |input, observed| {
        let line = match observed {
            FeedOutcome::AlreadyStored => format!("{input}: stored before, nothing changed"),
            FeedOutcome::NothingToStore { packets } => {
                format!("{input}: nothing of its {packets} packets to store")
            }
            FeedOutcome::NotStored { dark, packets } => {
                format!("{input}: {dark} of {packets} packets to dark addresses, not stored (dry run)")
            }
            FeedOutcome::Stored { dark, packets } => {
                format!("{input}: {dark} of {packets} packets to dark addresses stored")
            }
        };
        // The line is written at once: a stored capture stays stored, whatever happens to the captures after
        // it.
        progress.aside(|| Output::Stdout.write(|out| writeln!(out, "{line}")))
    })?;
    if let (Some(covers), Some(covered)) = (&args.covers, covered) {
        let seconds = covered.nanoseconds / 1_000_000_000;
        Output::Stdout.write(|out| writeln!(out, "{covers}: {seconds} s more are recorded time"))?;
    }
    Ok(EXIT_OK)
}
