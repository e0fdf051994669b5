//! `inga simulate`: simulated outbreaks whose cause is known.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::app::output::Output;
use crate::app::simulate::{SimulateOptions, scenario, simulate_to_files, simulate_to_history};
use crate::app::{AppError, Notices, thread_count};

use super::EXIT_OK;
use super::help::{INPUT, LIMITS, OUTPUT};
use super::shared::RuleArgs;

/// Simulate captures of sensors and sandboxes in an outbreak
///
/// A scenario states which hosts are infected with which malware. The output folder gets captures of each
/// sensor, a sample of each malware family that was caught, sensors.yaml, and truth.yaml, which states who
/// was infected with what and how many packets each sent. The same scenario, seed and scale give the same
/// bytes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga simulate samples/scenarios/two-families.yaml -o outbreak
  inga correlate outbreak/samples/*/report.yaml --darknet outbreak
  inga simulate samples/scenarios/conficker-2009.yaml -o months \\
      --format sightings --scale 0.01
  inga series --history months/history --sensor II -o hosts.svg")]
pub(super) struct SimulateArgs {
    /// Scenario (YAML)
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    /// Output folder
    #[arg(short, long, alias = "out", value_name = "DIR", help_heading = OUTPUT)]
    output: PathBuf,
    /// Seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = INPUT)]
    seed: u64,
    /// Factor by which the numbers of hosts and the background traffic are multiplied
    #[arg(long, value_name = "F", default_value = "1", value_parser = scale, help_heading = INPUT)]
    scale: f64,
    /// Output format
    #[arg(long, value_enum, default_value = "pcap", help_heading = OUTPUT)]
    format: SimulateFormat,
    /// Threads that may share the work [default: the number of processors]; results do not depend on it
    #[arg(long, value_name = "N", help_heading = LIMITS)]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SimulateFormat {
    /// One compressed capture per sensor and day (or hour)
    Pcap,
    /// A history, as `inga observe` would create it from the captures
    Sightings,
}

fn scale(text: &str) -> Result<f64, String> {
    let scale: f64 = text.parse().map_err(|_| "no number".to_owned())?;
    if (1e-9..=1e6).contains(&scale) { Ok(scale) } else { Err("must lie between 1e-9 and 1e6".to_owned()) }
}

pub(super) fn run(args: &SimulateArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let scenario = scenario(&args.scenario)?;
    let threads = thread_count(args.threads);
    let options = SimulateOptions { seed: args.seed, scale: args.scale, threads };
    let (written, captures) = match args.format {
        SimulateFormat::Pcap => {
            args.rules.note_unused("on captures", notices);
            (simulate_to_files(&args.output, &scenario, options)?, "captures")
        }
        SimulateFormat::Sightings => {
            let rules = args.rules.load()?;
            (simulate_to_history(&args.output, &scenario, options, &rules, notices)?, "days of sensors")
        }
    };
    let folder = crate::escape::path(&args.output);
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
