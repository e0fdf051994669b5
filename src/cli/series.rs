//! `inga series`: counts of what sensors observed, by hour, day, week or month.

use std::path::PathBuf;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::app::filter_notation::filter_name;
use crate::app::plot_dates::{self, DatedEvent};
use crate::app::series::{Series, SeriesQuery, series};
use crate::app::{AppError, CaptureOptions, Notices};
use crate::history::SpanLength;
use crate::render::plot::DateMark;
use crate::render::spans::{Panels, PlotOptions, SeriesAnswer, SpanSeries, Value};

use super::EXIT_OK;
use super::filter::FilterArgs;
use super::help::{FILTER, OUTPUT};
use super::output::{PictureArgs, formats_of};
use super::shared::{HistorySourceArgs, RuleArgs, check_range};

/// Count what sensors observed, by hour, day, week or month
///
/// The counts are packets, unique hosts, windows, distinct types, and packets per host, of all windows or of
/// given behaviors. Days are days of the sensor's time zone. A span without recorded time has no value, which
/// is not zero. Unique hosts and types of a week, a month or all time are counted exactly, not added up from
/// days.
///
/// Hours are those of the sensor's clock and are shown with its offset from UTC. An hour counts the windows
/// that began in it. It has a value if some of its time was recorded. Between two captures, a silence of up
/// to ten mean inter-arrival times counts as recorded.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga series --history history --sensor II
  inga series --history history --by week --format csv
  inga series --history history --filter 445/tcp \\
      --value hosts --value packets-per-host -o hosts.svg
  inga series --history history --panels sensor \\
      --filter label:seed-type-1 --filter label:seed-type-2 -o types.png
  inga series --history history --by hour \\
      --from 2009-03-10 --to 2009-03-11 -o hours.svg
  inga series --history history --filter 445/tcp --filter 135/tcp \\
      --value packets --log --mark events.yaml -o ports.svg")]
#[command(mut_arg("format", formats_of::<SeriesAnswer<'_>>))]
pub(super) struct SeriesArgs {
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Only this sensor; may be given more than once [default: all sensors of the history]
    #[arg(long, value_name = "NAME", help_heading = FILTER)]
    sensor: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Only hosts of this prefix
    #[arg(long, value_name = "PREFIX", help_heading = FILTER)]
    source: Option<IpNet>,
    /// Length of a span
    #[arg(long, alias = "step", value_enum, default_value = "day", help_heading = OUTPUT)]
    by: StepArg,
    /// First day [default: the first recorded day]
    #[arg(long, value_name = "YYYY-MM-DD", help_heading = FILTER)]
    from: Option<Date>,
    /// Last day [default: the last recorded day]
    #[arg(long, value_name = "YYYY-MM-DD", help_heading = FILTER)]
    to: Option<Date>,
    /// Value that a plot shows; may be given twice [default: hosts]
    ///
    /// Of two values in one panel, the second uses the axis on the right. With `--panels value`, more than
    /// two may be given.
    #[arg(long, value_enum, help_heading = OUTPUT)]
    value: Vec<Value>,
    /// Use logarithmic axes in a plot
    #[arg(long, help_heading = OUTPUT)]
    log: bool,
    /// Draw one panel per sensor, behavior or value, one below the other in one picture
    #[arg(long, value_enum, value_name = "EACH", help_heading = OUTPUT)]
    panels: Option<Panels>,
    /// Draw all lines by the axis on the left, even if some are much smaller than others
    #[arg(long, help_heading = OUTPUT)]
    one_axis: bool,
    /// Dates to mark in a plot; may be given more than once
    ///
    /// A YAML file with a list of `{date: 2009-03-02, label: text}`, a sample's report, or the hash of a
    /// sample that the history keeps.
    #[arg(long, value_name = "FILE|HASH", help_heading = OUTPUT)]
    mark: Vec<PathBuf>,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum StepArg {
    /// Hours of the sensor's clock
    Hour,
    /// Days of the sensor's time zone
    Day,
    /// Weeks, Monday to Sunday
    Week,
    /// Calendar months
    Month,
    /// All recorded time as one span
    All,
}

pub(super) fn run(args: &SeriesArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    if args.value.len() > 2 && args.panels != Some(Panels::Value) {
        let message = "--value at most twice, a plot has two axes; or with --panels value";
        return Err(AppError::Usage(message.to_owned()));
    }
    check_range(("--from", args.from), ("--to", args.to))?;
    let store = args.history.source()?.open(&CaptureOptions::default(), &rules, notices)?;
    let question = SeriesQuery {
        sensors: args.sensor.clone(),
        filters: args.filter.all(&rules)?,
        sources: args.source,
        step: match args.by {
            StepArg::Hour => SpanLength::Hour,
            StepArg::Day => SpanLength::Day,
            StepArg::Week => SpanLength::Week,
            StepArg::Month => SpanLength::Month,
            StepArg::All => SpanLength::All,
        },
        first: args.from,
        last: args.to,
    };
    let answer = series(store.as_ref(), &question, &rules)?;
    for Series { sensor, coverage, .. } in &answer {
        notices.add_loss(sensor, coverage);
    }
    let options = [
        ("--value", !args.value.is_empty()),
        ("--log", args.log),
        ("--panels", args.panels.is_some()),
        ("--one-axis", args.one_axis),
        ("--mark", !args.mark.is_empty()),
    ];
    args.picture.note_unused::<SeriesAnswer<'_>>(&options, notices);
    let events = plot_dates::load(&args.mark, store.as_ref())?;
    let counted = answer.iter().map(|series| SpanSeries {
        sensor: &series.sensor,
        behavior: filter_name(&series.filter, args.source),
        spans: &series.spans,
        coverage: &series.coverage,
    });
    args.picture.write(&SeriesAnswer { series: counted.collect(), plot: plot_options(args, events) })?;
    Ok(EXIT_OK)
}

fn plot_options(args: &SeriesArgs, events: Vec<DatedEvent>) -> PlotOptions {
    PlotOptions {
        values: if args.value.is_empty() { vec![Value::Hosts] } else { args.value.clone() },
        panels: args.panels,
        marks: events.into_iter().map(|DatedEvent { date, label }| DateMark { day: date, label }).collect(),
        log: args.log,
        one_axis: args.one_axis,
    }
}
