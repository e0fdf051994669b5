//! `inga explain`: from an event to its causes.

use std::path::PathBuf;

use jiff::civil::Date;

use crate::app::explain::{Question, answer};
use crate::app::output::Output;
use crate::app::series::Of;
use crate::app::{AppError, Notices};
use crate::report::explanation::{self as report, Named};

use super::EXIT_OK;
use super::shared::{CaptureArgs, Format, HistoryArgs, RuleArgs, check_label, of, of_name};

/// Tell which samples explain what came at a sensor from a day on
///
/// What came is compared with the four weeks before and taken apart: what was to be expected, so much of each sample,
/// and a rest, with what a sample of the rest should look like.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga explain --db history.db --sensor II --day 2009-03-10
  inga explain samples/*/report.yaml --darknet samples/darknet --sensor north --day 2009-03-02 --of 445/tcp")]
pub(super) struct Args {
    /// Sample reports (YAML); without any, the samples kept in the history
    #[arg(value_name = "REPORT")]
    reports: Vec<PathBuf>,
    #[command(flatten)]
    history: HistoryArgs,
    /// The sensor
    #[arg(long, value_name = "NAME")]
    sensor: String,
    /// The event's first day
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Date,
    /// Observed days that it lasts
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=366))]
    days: u16,
    /// Only this behavior: `445/tcp`, `icmp`, `type:ID`, `shape:ID`, `family:ID`, `label:ID`
    #[arg(long, value_name = "BEHAVIOR", value_parser = of)]
    of: Option<Of>,
    /// For people, or a line of JSON
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    reading: CaptureArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) fn run(args: &Args, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let of = args.of.clone().unwrap_or(Of::All);
    check_label(&of, &rules)?;
    let question = Question { sensor: args.sensor.clone(), day: args.day, days: args.days, of };
    let source = args.history.source()?;
    let found = answer(&args.reports, &source, &question, &args.reading.options(), &rules, notices)?;
    let named = found
        .samples
        .iter()
        .map(|sample| Named { id: sample.profile.id.clone(), title: sample.report.title() });
    let samples: Vec<Named> = named.collect();
    let of = of_name(&question.of, None);
    Output::Stdout.write(|out| match args.format {
        Format::Text => report::text(out, &found.sensor.name, &of, &samples, &found.explanation),
        Format::Json => report::json(out, &found.sensor.name, &of, &samples, &found.explanation),
    })?;
    Ok(EXIT_OK)
}
