//! `inga simulate`: outbreaks whose cause is known.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::app::output::Output;
use crate::app::simulate::{SimulateOptions, scenario, simulate_to_files, simulate_to_history};
use crate::app::{AppError, Notices};

use super::EXIT_OK;
use super::shared::RuleArgs;

/// Make what sensors and sandboxes would capture of an outbreak
///
/// A scenario says who is infected by what; the folder gets captures of each sensor, a sample of each family that was
/// caught, sensors.yaml, and truth.yaml, which tells who was infected by what and who sent how many packets. The same
/// scenario, seed and scale give the same bytes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga simulate samples/scenarios/two-families.yaml --out outbreak
  inga correlate outbreak/samples/*/report.yaml --darknet outbreak
  inga simulate samples/scenarios/conficker-2009.yaml --out months --format sightings --scale 0.01
  inga series --history months/history --sensor II --value hosts -o hosts.svg")]
pub(super) struct Args {
    /// The scenario (YAML)
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    /// The folder for all that is made
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Chooses among all that can happen
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Multiplies hosts and background
    #[arg(long, value_name = "F", default_value = "1", value_parser = scale)]
    scale: f64,
    /// Captures, or a history without captures
    #[arg(long, value_enum, default_value = "pcap")]
    format: SimulateFormat,
    /// Threads that may share the work; without it, as many as there are processors. Results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SimulateFormat {
    /// A capture a sensor and day (or hour), compressed
    Pcap,
    /// A history, as `inga observe` would have made it of the captures
    Sightings,
}

fn scale(text: &str) -> Result<f64, String> {
    let scale: f64 = text.parse().map_err(|_| "no number".to_owned())?;
    if (1e-9..=1e6).contains(&scale) { Ok(scale) } else { Err("must lie between 1e-9 and 1e6".to_owned()) }
}

pub(super) fn run(args: &Args, notices: &mut Notices) -> Result<u8, AppError> {
    let scenario = scenario(&args.scenario)?;
    let threads = args.threads.or(std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let options = SimulateOptions { seed: args.seed, scale: args.scale, threads };
    let (written, captures) = match args.format {
        SimulateFormat::Pcap => (simulate_to_files(&args.out, &scenario, options)?, "captures"),
        SimulateFormat::Sightings => {
            let rules = args.rules.load()?;
            (simulate_to_history(&args.out, &scenario, options, &rules, notices)?, "days of sensors")
        }
    };
    let folder = crate::escape::path(&args.out);
    Output::Stdout.write(|out| {
        let (packets, samples) = (written.packets, written.samples);
        writeln!(
            out,
            "{folder}: {packets} packets in {} {captures}, samples of {samples} families",
            written.captures
        )
    })?;
    Ok(EXIT_OK)
}
