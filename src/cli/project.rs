//! `inga project`: a prediction of what sensors would observe of a sample.

use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::app::output::{Output, make_folder};
use crate::app::project::{ProjectedSample, ProjectionTarget, project};
use crate::app::{AppError, Notices};
use crate::render::projection::{self, ProjectionAnswer};
use crate::render::svg::Theme;
use crate::render::tile::tile_svg;

use super::EXIT_OK;
use super::help::{FILTER, INPUT, OUTPUT};
use super::output::OutputArgs;
use super::shared::{CaptureReadingArgs, HistorySourceArgs, ReportArgs, RuleArgs};

/// Predict what a sensor would observe of a sample
///
/// The answer has the types of the windows, their shares, and how often they would be observed.
///
/// The target selection, the packets per target, the services and the rate are inferred from the sandbox run.
/// This scan is simulated on the sensor's dark addresses, and the packets that reach them pass through the
/// behavior engine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga project samples/ping-sweep/report.yaml --sensor II --history history
  inga project report.yaml --prefix 198.51.100.0/24 \\
      --live 198.51.100.0/28 --tiles tiles/

The second example shows whether a sensor with this prefix would have observed the sample.")]
pub(super) struct ProjectArgs {
    /// Sample report (YAML)
    #[arg(value_name = "REPORT")]
    report: PathBuf,
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Only this sensor of the history; may be given more than once [default: each sensor]
    #[arg(long, value_name = "NAME", conflicts_with = "prefix", help_heading = FILTER)]
    sensor: Vec<String>,
    /// Dark prefix of a hypothetical sensor; may be given more than once
    #[arg(
        long,
        value_name = "PREFIX",
        value_delimiter = ',',
        conflicts_with = "origin",
        help_heading = INPUT
    )]
    prefix: Vec<IpNet>,
    /// Live prefix within the dark prefixes, which is cut out; may be given more than once
    #[arg(long, value_name = "PREFIX", value_delimiter = ',', requires = "prefix", help_heading = INPUT)]
    live: Vec<IpNet>,
    #[command(flatten)]
    output: OutputArgs,
    /// Draw the expected windows into this folder, one tile per type, the most frequent types first
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    tiles: Option<PathBuf>,
    #[command(flatten)]
    reports_as: ReportArgs,
    #[command(flatten)]
    reading: CaptureReadingArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

/// Message for a call that names neither a prefix nor a history.
const TARGET_MISSING: &str = "give --prefix PREFIX, or --history DIR (or set INGA_HISTORY), or --darknet DIR";

pub(super) fn run(args: &ProjectArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let target = match args.prefix.is_empty() {
        true => {
            let missing = |_| AppError::Usage(TARGET_MISSING.to_owned());
            ProjectionTarget::Sensors(args.history.source().map_err(missing)?, args.sensor.clone())
        }
        false => ProjectionTarget::Prefixes(args.prefix.clone(), args.live.clone()),
    };
    let projected =
        project(&args.report, &target, &args.reports_as.options(args.reading.options()), &rules, notices)?;
    if let Some(folder) = &args.tiles {
        draw(folder, &projected, rules.profile.window_seconds)?;
    }
    let ProjectedSample { sample, title, scan, sensors } = &projected;
    args.output.write(&ProjectionAnswer { sample, title, scan, sensors })?;
    Ok(EXIT_OK)
}

/// Writes tiles into files that are named after sensor and rank. The rules for sensor names make them safe in
/// a path.
fn draw(folder: &Path, projected: &ProjectedSample, window_seconds: u32) -> Result<(), AppError> {
    make_folder(folder)?;
    for (sensor, expected) in &projected.sensors {
        for (place, (share, window)) in (1..).zip(&expected.examples) {
            let tile = projection::tile(&projected.title, &sensor.name, *share, window, window_seconds);
            let path = folder.join(format!("{}-{place:02}.svg", sensor.name));
            Output::File(path).write(|out| out.write_all(tile_svg(&tile, Theme::Auto).as_bytes()))?;
        }
    }
    Ok(())
}
