//! `inga explain`: the likely causes of an event at a sensor.

use std::path::PathBuf;

use jiff::civil::Date;

use crate::app::explain::{ExplainQuery, explain_event, explain_surges};
use crate::app::history_source::HistorySource;
use crate::app::sandbox::LoadedSample;
use crate::app::series::TrafficFilter;
use crate::app::{AppError, Notices, surges};
use crate::render::explanation::{ExplainedEvent, ExplanationAnswer, NamedSample, SurgeSummary};
use crate::rules::Rules;

use super::EXIT_OK;
use super::help::FILTER;
use super::output::OutputArgs;
use super::shared::{CaptureReadingArgs, HistorySourceArgs, ReportArgs, RuleArgs};
use crate::app::filter_notation::{check_label, filter_name, parse_filter};

/// Find the samples that explain an increase at a sensor
///
/// The sensor's counts from a given day on are compared with the observed days before, four weeks at most,
/// and split into the expected background, a share for each sample, and an unexplained rest. For the rest,
/// the answer describes how a sample that explains it should look.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga explain --history history --sensor II --from 2009-03-10
  inga explain --history history --surges
  inga explain samples/*/report.yaml --darknet samples/darknet \\
      --sensor north --from 2009-03-02 --filter 445/tcp")]
pub(super) struct ExplainArgs {
    /// Sample reports (YAML) [default: the samples kept in the history]
    #[arg(value_name = "REPORT")]
    reports: Vec<PathBuf>,
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Sensor at which the event was observed
    #[arg(long, value_name = "NAME", required_unless_present = "surges", help_heading = FILTER)]
    sensor: Option<String>,
    /// First day of the event
    #[arg(
        long,
        alias = "day",
        value_name = "YYYY-MM-DD",
        required_unless_present = "surges",
        help_heading = FILTER
    )]
    from: Option<Date>,
    /// Explain each surge that `inga surges` reports, at one sensor or at all, instead of one event
    #[arg(long, conflicts_with_all = ["from", "days", "filter"], help_heading = FILTER)]
    surges: bool,
    /// Length of the event in observed days, at most
    #[arg(
        long,
        value_name = "N",
        default_value_t = 7,
        value_parser = clap::value_parser!(u16).range(1..=366),
        help_heading = FILTER
    )]
    days: u16,
    /// Only this behavior: `445/tcp`, `icmp`, `type:ID`, `shape:ID`, `pattern:ID`, `label:ID`
    #[arg(long, alias = "of", value_name = "BEHAVIOR", value_parser = parse_filter, help_heading = FILTER)]
    filter: Option<TrafficFilter>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    reports_as: ReportArgs,
    #[command(flatten)]
    reading: CaptureReadingArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

/// Largest q (p-value adjusted for multiple tests) of a surge that is explained. It equals the default of
/// `inga surges --q-max`, so that both commands have the same surges.
const SURGE_Q_MAX: f64 = 0.01;

pub(super) fn run(args: &ExplainArgs, notices: &mut Notices) -> Result<u8, AppError> {
    args.reports_as.note_unused(&args.reports, notices);
    let rules = args.rules.load()?;
    let source = args.history.source()?;
    let (Some(sensor), Some(day)) = (args.sensor.clone(), args.from) else {
        return run_surges(args, &source, &rules, notices);
    };
    let filter = args.filter.clone().unwrap_or(TrafficFilter::All);
    check_label(&filter, &rules)?;
    let question = ExplainQuery { sensor, day, days: args.days, filter };
    let found = explain_event(
        &args.reports,
        &source,
        &question,
        &args.reports_as.options(args.reading.options()),
        &rules,
        notices,
    )?;
    let event = ExplainedEvent {
        sensor: &found.sensor.name,
        of: filter_name(&question.filter, None),
        surge: None,
        explanation: Ok(&found.explanation),
    };
    args.output.write(&ExplanationAnswer { samples: named(&found.samples), events: vec![event] })?;
    Ok(EXIT_OK)
}

fn named(samples: &[LoadedSample]) -> Vec<NamedSample> {
    let named =
        |sample: &LoadedSample| NamedSample { id: sample.profile.id.clone(), title: sample.report.title() };
    samples.iter().map(named).collect()
}

fn run_surges(
    args: &ExplainArgs,
    source: &HistorySource,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<u8, AppError> {
    let question = surges::SurgeQuery { sensors: args.sensor.iter().cloned().collect(), level: SURGE_Q_MAX };
    let (samples, all) = explain_surges(
        &args.reports,
        source,
        &question,
        &args.reports_as.options(args.reading.options()),
        rules,
        notices,
    )?;
    if all.is_empty() {
        notices.add(format!("no surge with a q of at most {SURGE_Q_MAX}"));
    }
    let events = all.iter().map(|one| ExplainedEvent {
        sensor: &one.surge.sensor,
        of: filter_name(&one.filter, None),
        surge: Some(SurgeSummary::new(one.rank, &one.surge)),
        explanation: one.explanation.as_ref().map_err(String::as_str),
    });
    args.output.write(&ExplanationAnswer { samples: named(&samples), events: events.collect() })?;
    Ok(EXIT_OK)
}
