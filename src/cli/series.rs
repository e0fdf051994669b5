//! `inga series`: counts of what sensors observed, by hour, day, week or month.

use std::path::PathBuf;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::app::output::Output;
use crate::app::plot_dates::{self, DatedEvent};
use crate::app::series::{Series, SeriesQuery, series};
use crate::app::{AppError, CaptureOptions, Notices};
use crate::history::SpanLength;
use crate::render::series::{DateMark, panels_svg};
use crate::render::spans::{self, Panels, PlotOptions, SpanSeries, Value};

use super::EXIT_OK;
use super::filter::{FilterArgs, filter_name};
use super::help::{FILTER, OUTPUT};
use super::shared::{HistorySourceArgs, PictureArgs, RuleArgs, check_range, extension, note_unused};

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
    value: Vec<PlotValue>,
    /// Use logarithmic axes in a plot
    #[arg(long, help_heading = OUTPUT)]
    log: bool,
    /// Draw one panel per sensor, behavior or value, one below the other in one picture
    #[arg(long, value_enum, value_name = "EACH", help_heading = OUTPUT)]
    panels: Option<PanelsBy>,
    /// Draw all lines by the axis on the left, even if some are much smaller than others
    #[arg(long, help_heading = OUTPUT)]
    one_axis: bool,
    /// Dates to mark in a plot; may be given more than once
    ///
    /// A YAML file with a list of `{date: 2009-03-02, label: text}`, a sample's report, or the hash of a
    /// sample that the history keeps.
    #[arg(long, value_name = "FILE|HASH", help_heading = OUTPUT)]
    mark: Vec<PathBuf>,
    /// Output format [default: by the extension of the output file, else text]
    #[arg(long, value_enum, help_heading = OUTPUT)]
    format: Option<SeriesFormat>,
    /// Output file; `-` is standard output
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    output: Option<PathBuf>,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum PanelsBy {
    /// One panel per sensor
    Sensor,
    /// One panel per behavior that `--filter` selects
    #[value(alias = "of")]
    Filter,
    /// One panel per value
    Value,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum PlotValue {
    /// Packets
    Packets,
    /// Unique hosts
    Hosts,
    /// Windows
    Windows,
    /// Distinct behavior types
    Types,
    /// Packets per unique host
    PacketsPerHost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SeriesFormat {
    /// Table for people
    Text,
    /// Comma-separated values with a header
    Csv,
    /// One line of JSON per span
    Json,
    /// Plot in SVG
    Svg,
    /// Plot in PNG
    Png,
}

impl SeriesFormat {
    /// Returns the format that `--format` names, else the one of the output file's extension, else text.
    fn chosen(args: &SeriesArgs) -> SeriesFormat {
        args.format.unwrap_or(match extension(args.output.as_deref()) {
            Some("csv") => SeriesFormat::Csv,
            Some("json" | "ndjson") => SeriesFormat::Json,
            Some("svg") => SeriesFormat::Svg,
            Some("png") => SeriesFormat::Png,
            _ => SeriesFormat::Text,
        })
    }
}

pub(super) fn run(args: &SeriesArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    if args.value.len() > 2 && args.panels != Some(PanelsBy::Value) {
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
    note_unused_plot_options(args, notices);
    let events = plot_dates::load(&args.mark, store.as_ref())?;
    write(args, &answer, events)?;
    Ok(EXIT_OK)
}

/// Adds a notice for each option of plots that was given although the answer is no plot.
fn note_unused_plot_options(args: &SeriesArgs, notices: &mut Notices) {
    let where_not = match SeriesFormat::chosen(args) {
        SeriesFormat::Text => "on text",
        SeriesFormat::Csv => "on CSV",
        SeriesFormat::Json => "on JSON",
        SeriesFormat::Svg | SeriesFormat::Png => return,
    };
    let options = [
        ("--value", !args.value.is_empty()),
        ("--log", args.log),
        ("--panels", args.panels.is_some()),
        ("--one-axis", args.one_axis),
        ("--mark", !args.mark.is_empty()),
    ];
    note_unused(&options, where_not, notices);
    args.picture.note_unused_theme(where_not, notices);
}

fn write(args: &SeriesArgs, answer: &[Series], events: Vec<DatedEvent>) -> Result<(), AppError> {
    let counted: Vec<SpanSeries<'_>> = answer
        .iter()
        .map(|series| SpanSeries {
            sensor: &series.sensor,
            behavior: filter_name(&series.filter, args.source),
            spans: &series.spans,
            coverage: &series.coverage,
        })
        .collect();
    let output = Output::from_path(args.output.as_deref());
    let format = SeriesFormat::chosen(args);
    match format {
        SeriesFormat::Text => output.write(|out| spans::text(out, &counted)),
        SeriesFormat::Csv => output.write(|out| spans::csv(out, &counted)),
        SeriesFormat::Json => output.write(|out| spans::json(out, &counted)),
        SeriesFormat::Svg | SeriesFormat::Png => {
            let plots = spans::plots(&counted, &drawing(args, events));
            args.picture.write(&output, &panels_svg(&plots), format == SeriesFormat::Png)
        }
    }
}

fn drawing(args: &SeriesArgs, events: Vec<DatedEvent>) -> PlotOptions {
    let values: &[PlotValue] = if args.value.is_empty() { &[PlotValue::Hosts] } else { &args.value };
    PlotOptions {
        values: values.iter().map(|value| Value::from(*value)).collect(),
        panels: args.panels.map(|by| match by {
            PanelsBy::Sensor => Panels::Sensor,
            PanelsBy::Filter => Panels::Behavior,
            PanelsBy::Value => Panels::Value,
        }),
        marks: events.into_iter().map(|DatedEvent { date, label }| DateMark { day: date, label }).collect(),
        log: args.log,
        one_axis: args.one_axis,
    }
}

impl From<PlotValue> for Value {
    fn from(value: PlotValue) -> Value {
        match value {
            PlotValue::Packets => Value::Packets,
            PlotValue::Hosts => Value::Hosts,
            PlotValue::Windows => Value::Windows,
            PlotValue::Types => Value::Types,
            PlotValue::PacketsPerHost => Value::PacketsPerHost,
        }
    }
}
