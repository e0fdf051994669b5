//! `inga types`: jumps and falls of the type count (the number of distinct types per day), and the types
//! behind them.

use std::path::PathBuf;

use crate::app::types::{test_ports, type_counts};
use crate::app::{AppError, CaptureOptions, Notices};
use crate::render::type_counts::TypeCountsAnswer;

use super::EXIT_OK;
use super::help::{FILTER, INPUT};
use super::output::{PictureArgs, formats_of};
use super::shared::{HistorySourceArgs, RuleArgs};

/// Find jumps and falls of the number of distinct types per day
///
/// The type count of each day is judged against its own past, as `inga surges` judges hosts, from the 21st
/// observed day on. Days that were not recorded are left out. Types are grouped by pattern; high
/// ports (1024 and above) do not distinguish groups.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga types --history history
  inga types --history history -o types.svg
  inga types --history history --sensor II --captures captures/2009-03/

A jump is a rise of the type count above the level that its past predicts. A fall is the opposite: the \
count lies significantly below its past, or it returns to the earlier level after a jump. A day that was \
recorded for less than two thirds of the usual time is not judged, because an incomplete day has fewer \
types.

For a jump, the answer shows the new types, which were never observed before it. For a fall, it shows the \
types that are gone: they were observed in the week before the fall and never since. Patterns are ordered \
by how much they changed the number of types per day. The number of new or gone types alone would be \
misleading, because types that occur only once appear and disappear on any day.

With --captures, the command tests whether the port depends on the destination, or on the destination and \
the week (Monday to Sunday). It counts pairs of hosts that used the same port for the same destination \
(and week) and compares their number with 999 random permutations of the ports of a week. The ports of a \
pattern count as derived if p is at most 0.01, there are at least 10 ports and at least 5 destinations at \
which hosts agree, and at least a quarter of the pairs of hosts per destination agree beyond chance (as if \
each destination had four ports). Former peers of a file sharing network can look the same. If no \
destination was contacted twice, the test is not possible; more days or captures may make it possible.

JSON has one line per jump or fall: sensor; direction (up or down); first and last day; peak (the day with \
the largest difference from the expected number); kinds (types on that day) and expected; p; outcome \
(over, new-level, open for a level that persists, or old-level when a jump is over, where p is the one of \
the jump); new_types (null for a fall); gone_types (null for a jump); and groups. A group has: family (the \
pattern), types, share, ports, members (identifiers of the first 20 types), labels, before and since \
(types per day in the week before and during the jump), derived (null, or from (destination or \
destination-and-week), asked, destinations, ports, repeating, agreeing, expected, agreement and p), and \
port_follows_destination (true, false, or null if it was not or cannot be tested).

`inga series --value types` shows the series itself.")]
#[command(mut_arg("format", formats_of::<TypeCountsAnswer>))]
pub(super) struct TypesArgs {
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Only this sensor; may be given more than once [default: all sensors of the history]
    #[arg(long, value_name = "NAME", help_heading = FILTER)]
    sensor: Vec<String>,
    /// Captures of the days of a jump, or of the week before a fall, to test whether ports depend on
    /// destinations
    #[arg(long, value_name = "PATH", num_args = 1.., help_heading = INPUT)]
    captures: Vec<PathBuf>,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

/// Maximum probability that a sensor whose type count did not change is reported with a jump or a fall.
const LEVEL: f64 = 0.01;

pub(super) fn run(args: &TypesArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    args.picture.note_unused::<TypeCountsAnswer>(&[], notices);
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
    args.picture.write(all.as_slice())?;
    Ok(EXIT_OK)
}
