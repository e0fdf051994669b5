//! `inga kinds`: jumps and falls of the type count (the number of distinct types per day), and the types
//! behind them.

use std::path::PathBuf;

use crate::app::output::Output;
use crate::app::types::{test_ports, type_counts};
use crate::app::{AppError, CaptureOptions, Notices};
use crate::render::type_counts as report;

use super::EXIT_OK;
use super::shared::{HistorySourceArgs, PictureArgs, PictureFormat, RuleArgs};

/// Find jumps and falls of the number of distinct types per day
///
/// The type count of each day is judged against its own past, as `inga surges` judges hosts, from the 21st
/// observed day on. Days that were not recorded are left out. Types are grouped by pattern; high
/// ports (1024 and above) do not distinguish groups.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga kinds --history history
  inga kinds --history history -o kinds.svg
  inga kinds --history history --sensor II --captures captures/2009-03/ --format json

A fall is a jump downwards: below the past, by as much and as surely as a jump lies above it, or back to the past when
what had jumped is over. A day that was captured for less than two thirds of the usual time is not judged: a part of a
day falls by itself.

Of a jump the new types are told: those never seen before it. Of a fall those that are gone: seen in the week before it,
and never since. Patterns come in the order of what they added to the number of kinds a day, or took from it: kinds that
are met once and never again come and go on any day.

With captures, it is tested whether the port follows from the destination, or from it and the week (Monday to Sunday):
pairs of hosts that agree in both, against as many as there are when the week's ports are dealt out by chance (999
times). A pattern of derived ports has a p of at most 0.01, at least 10 ports, at least 5 destinations at which hosts
agree, and at least a quarter of the pairs of hosts at a destination agree beyond chance: as if each had four ports.
Old peers of file sharing can look so, too. Where no destination was asked twice nothing can be told; more days or
captures may.

JSON is a line a jump: sensor, direction (up, down), first, last, peak (the day with most above what was expected, or
below it), kinds, expected, p, outcome (over, new-level, open: a plateau; old-level: what had jumped is over, p is the
jump's), new_types (null in a fall), gone_types (null in a jump), groups: pattern, types, share, ports, members (ids of
the first 20 types), labels, before, since (kinds a day in the week before and in the jump), derived (null or from:
destination, destination-and-week; asked, destinations, ports, repeating, agreeing, expected, agreement, p),
port_follows_destination (true, false, or null where it was not or cannot be tested).
The series itself is that of `inga series --value types`.")]
pub(super) struct TypesArgs {
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Only this sensor; may be given more than once [default: all sensors of the history]
    #[arg(long, value_name = "NAME")]
    sensor: Vec<String>,
    /// Captures of the days of a jump, or of the week before a fall, to test whether ports depend on
    /// destinations
    #[arg(long, value_name = "PATH", num_args = 1..)]
    captures: Vec<PathBuf>,
    /// Output format [default: by the extension of the output file, else text]
    ///
    /// JSON has one line per jump or fall.
    #[arg(long, value_enum)]
    format: Option<PictureFormat>,
    /// Output file; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

/// Maximum probability that a sensor whose type count did not change is reported with a jump or a fall.
const LEVEL: f64 = 0.01;

pub(super) fn run(args: &TypesArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let options = CaptureOptions::default();
    let store = args.history.source()?.open(&options, &rules, notices)?;
    let mut all = type_counts(store.as_ref(), &args.sensor, LEVEL, &rules)?;
    if !args.captures.is_empty() {
        let inputs = options.expand(&args.captures, notices)?;
        test_ports(&mut all, &inputs, &options, &rules, notices)?;
    }
    for counts in &all {
        notices.add_loss(&counts.sensor.name, &counts.coverage);
    }
    for counts in all.iter().filter(|counts| counts.left_out > 0) {
        let why = "looked at for less than two thirds of the usual time, not judged";
        notices.add(format!("sensor {}: days {why}: {}", counts.sensor.name, counts.left_out));
    }
    let output = Output::from_path(args.output.as_deref());
    match PictureFormat::chosen(args.format, args.output.as_deref()) {
        PictureFormat::Text => output.write(|out| report::text(out, &all)),
        PictureFormat::Json => output.write(|out| report::json(out, &all)),
        format => args.picture.write(&output, &report::type_counts_svg(&all), format == PictureFormat::Png),
    }?;
    Ok(EXIT_OK)
}
