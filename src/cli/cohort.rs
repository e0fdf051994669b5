//! `inga cohort`: hosts that changed their behavior about a date.

use std::io::{self, Write};
use std::path::PathBuf;

use jiff::civil::Date;
use serde::Serialize;

use crate::app::cohort::{CohortQuery, SensorCohort, cohort};
use crate::app::output::Output;
use crate::app::series::TrafficFilter;
use crate::app::{AppError, CaptureOptions, Notices};
use crate::escape::escape_hidden;
use crate::history::Cohort;
use crate::render::flow::{ComparedBehaviors, SensorFlow, flow_svg};
use crate::render::text::table;

use super::EXIT_OK;
use super::shared::{
    HistorySourceArgs, PictureArgs, PictureFormat, RuleArgs, check_label, filter_name, parse_filter,
};

/// Count the hosts that switched from one behavior to another about a date
///
/// The answer also counts the hosts that kept the first behavior, that are gone, and that are new, and it
/// states how many hosts both behaviors would share by chance.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga cohort --history history --from 445/tcp --to label:seed-type-2 --around 2009-03-10 --days 14
  inga cohort --history history --from 445/tcp --to label:seed-type-2 --around 2009-03-10 -o flow.svg

`expected` is how many hosts both behaviors would share if they had nothing to do with each other; `switched` and
`both` together are how many they do share.")]
pub(super) struct CohortArgs {
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Only this sensor; may be given more than once [default: each sensor of the history]
    #[arg(long, value_name = "NAME")]
    sensor: Vec<String>,
    /// Behavior before the date: `445/tcp`, `icmp`, `type:ID`, `shape:ID`, `family:ID`, `label:ID`
    ///
    /// `family:ID` selects a pattern.
    #[arg(long, value_name = "BEHAVIOR", value_parser = parse_filter)]
    from: TrafficFilter,
    /// Behavior from the date on, in the same notation as --from
    #[arg(long, value_name = "BEHAVIOR", value_parser = parse_filter)]
    to: TrafficFilter,
    /// First day of the period after the change
    #[arg(long, value_name = "YYYY-MM-DD")]
    around: Date,
    /// Length in calendar days of the period before that date, and of the period that begins with it
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..))]
    days: u16,
    /// Output format [default: by the extension of the output file, else text]
    ///
    /// JSON has one line per sensor, with the hosts that switched. A picture is a flow diagram.
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

#[derive(Serialize)]
struct JsonCohort<'a> {
    sensor: &'a str,
    from: &'a str,
    to: &'a str,
    around: Date,
    days: u16,
    observed_before: u64,
    observed_after: u64,
    #[serde(flatten)]
    cohort: &'a Cohort,
}

pub(super) fn run(args: &CohortArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    check_label(&args.from, &rules)?;
    check_label(&args.to, &rules)?;
    if args.from == args.to {
        let of = filter_name(&args.from, None);
        let message = format!("--from and --to are both {of}; a host switches between two behaviors");
        return Err(AppError::Usage(message));
    }
    let store = args.history.source()?.open(&CaptureOptions::default(), &rules, notices)?;
    let question = CohortQuery {
        sensors: args.sensor.clone(),
        from: args.from.clone(),
        to: args.to.clone(),
        around: args.around,
        days: args.days,
    };
    let answers = cohort(store.as_ref(), &question, &rules)?;
    for answer in &answers {
        let (before, after) = answer.observed;
        if before == 0 || after == 0 {
            notices.add(format!(
                "sensor {} looked on {before} days before and {after} after: it cannot tell who is new or gone",
                answer.sensor
            ));
        }
    }
    let output = Output::from_path(args.output.as_deref());
    match PictureFormat::chosen(args.format, args.output.as_deref()) {
        PictureFormat::Text => output.write(|out| text(out, &answers)),
        PictureFormat::Json => output.write(|out| json(out, args, &answers)),
        format => args.picture.write(&output, &flow(args, &answers), format == PictureFormat::Png),
    }?;
    Ok(EXIT_OK)
}

fn text(out: &mut dyn Write, answers: &[SensorCohort]) -> io::Result<()> {
    let head = [
        "sensor",
        "looked",
        "stayed",
        "gone",
        "otherwise",
        "switched",
        "both",
        "from elsewhere",
        "new",
        "expected",
        "all hosts",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for SensorCohort { sensor, observed: (before, after), cohort } in answers {
        let counts = [
            cohort.stayed,
            cohort.gone,
            cohort.otherwise,
            cohort.switched,
            cohort.both,
            cohort.from_elsewhere,
            cohort.new,
        ];
        let mut row = vec![escape_hidden(sensor), format!("{before}+{after} days")];
        row.extend(counts.map(|count| count.to_string()));
        row.extend([
            format!("{:.2}", crate::escape::without_negative_zero(cohort.expected, 2)),
            cohort.population.to_string(),
        ]);
        rows.push(row);
    }
    table(out, &rows)
}

fn json(out: &mut dyn Write, args: &CohortArgs, answers: &[SensorCohort]) -> io::Result<()> {
    let (from, to) = (filter_name(&args.from, None), filter_name(&args.to, None));
    for SensorCohort { sensor, observed, cohort } in answers {
        let (observed_before, observed_after) = *observed;
        let line = JsonCohort {
            sensor,
            from: &from,
            to: &to,
            around: args.around,
            days: args.days,
            observed_before,
            observed_after,
            cohort,
        };
        crate::escape::json_line(out, &line)?;
    }
    Ok(())
}

fn flow(args: &CohortArgs, answers: &[SensorCohort]) -> String {
    let (from, to) = (filter_name(&args.from, None), filter_name(&args.to, None));
    let when = format!("{}: {} days before it, {} from it on", args.around, args.days, args.days);
    let flows: Vec<SensorFlow<'_>> = answers
        .iter()
        .map(|SensorCohort { sensor, observed, cohort }| SensorFlow { sensor, observed: *observed, cohort })
        .collect();
    flow_svg(&ComparedBehaviors { from: &from, to: &to, when: &when }, &flows)
}
