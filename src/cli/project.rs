//! `inga project`: a prediction of what sensors would observe of a sample.

use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::app::output::{Output, make_folder};
use crate::app::project::{ProjectedSample, ProjectionTarget, project};
use crate::app::{AppError, Notices};
use crate::render::projection as report;
use crate::render::tile::tile_svg;

use super::EXIT_OK;
use super::shared::{CaptureReadingArgs, HistorySourceArgs, OutputFormat, ReportArgs, RuleArgs};

/// Predict what a sensor would observe of a sample: types, their shares, and how often
///
/// The target selection, the packets per target, the services and the rate are inferred from the sandbox run.
/// This scan is simulated on the sensor's dark addresses, and the packets that reach them pass through the
/// behavior engine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga project samples/a2eaf57c47a118e91a5edf694685eee7/report.yaml --sensor II --history history
  inga project report.yaml --prefix 198.51.100.0/24 --live 198.51.100.0/28 --tiles tiles/

The second asks: would my /24 have seen this?")]
pub(super) struct ProjectArgs {
    /// Sample report (YAML)
    #[arg(value_name = "REPORT")]
    report: PathBuf,
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Only this sensor of the history; may be given more than once [default: each sensor]
    #[arg(long, value_name = "NAME", requires = "history")]
    sensor: Vec<String>,
    /// Dark prefix of a hypothetical sensor; may be given more than once
    #[arg(long, value_name = "PREFIX", conflicts_with = "history", required_unless_present = "history")]
    prefix: Vec<IpNet>,
    /// Live prefix within the dark prefixes, which is cut out; may be given more than once
    #[arg(long, value_name = "PREFIX", requires = "prefix")]
    live: Vec<IpNet>,
    /// Output format; JSON has one line per sensor
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    /// Draw the expected windows into this folder, one tile per type, the most frequent types first
    #[arg(long, value_name = "DIR")]
    tiles: Option<PathBuf>,
    #[command(flatten)]
    reports_as: ReportArgs,
    #[command(flatten)]
    reading: CaptureReadingArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) fn run(args: &ProjectArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let onto = match args.prefix.is_empty() {
        true => ProjectionTarget::Sensors(args.history.source()?, args.sensor.clone()),
        false => ProjectionTarget::Prefixes(args.prefix.clone(), args.live.clone()),
    };
    let projected =
        project(&args.report, &onto, &args.reports_as.options(args.reading.options()), &rules, notices)?;
    if let Some(folder) = &args.tiles {
        draw(folder, &projected, rules.profile.window_seconds)?;
    }
    let ProjectedSample { sample, title, scan, sensors } = &projected;
    Output::Stdout.write(|out| match args.format {
        OutputFormat::Text => report::text(out, title, scan, sensors),
        OutputFormat::Json => report::json(out, (sample, title), scan, sensors),
    })?;
    Ok(EXIT_OK)
}

/// Writes tiles into files that are named after sensor and rank. The rules for sensor names make them safe in
/// a path.
fn draw(folder: &Path, projected: &ProjectedSample, window_seconds: u32) -> Result<(), AppError> {
    make_folder(folder)?;
    for (sensor, projection) in &projected.sensors {
        for (place, (share, window)) in (1..).zip(&projection.examples) {
            let tile = report::tile(&projected.title, &sensor.name, *share, window, window_seconds);
            let path = folder.join(format!("{}-{place:02}.svg", sensor.name));
            Output::File(path).write(|out| out.write_all(tile_svg(&tile).as_bytes()))?;
        }
    }
    Ok(())
}
