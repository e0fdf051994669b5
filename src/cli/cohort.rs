//! `inga cohort`: hosts that changed their behavior about a date.

use std::path::PathBuf;

use jiff::civil::Date;

use crate::app::cohort::{CohortQuery, cohort};
use crate::app::output::Output;
use crate::app::series::TrafficFilter;
use crate::app::{AppError, CaptureOptions, Notices};
use crate::render::cohort as report;
use crate::render::flow::{ComparedBehaviors, flow_svg};

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
    /// Behavior before the date: `445/tcp`, `icmp`, `type:ID`, `shape:ID`, `pattern:ID`, `label:ID`
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
    let (from, to) = (filter_name(&args.from, None), filter_name(&args.to, None));
    let compared = ComparedBehaviors { from: &from, to: &to, around: args.around, days: args.days };
    let output = Output::from_path(args.output.as_deref());
    match PictureFormat::chosen(args.format, args.output.as_deref()) {
        PictureFormat::Text => output.write(|out| report::text(out, &answers)),
        PictureFormat::Json => output.write(|out| report::json(out, &compared, &answers)),
        format => args.picture.write(&output, &flow_svg(&compared, &answers), format == PictureFormat::Png),
    }?;
    Ok(EXIT_OK)
}
