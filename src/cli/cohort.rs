//! `inga cohort`: hosts that changed their behavior about a date.

use jiff::civil::Date;

use crate::app::cohort::{CohortQuery, cohort};
use crate::app::series::TrafficFilter;
use crate::app::{AppError, CaptureOptions, Notices};
use crate::render::cohort::CohortAnswer;
use crate::render::flow::ComparedBehaviors;

use super::EXIT_OK;
use super::help::FILTER;
use super::output::{PictureArgs, formats_of};
use super::shared::{HistorySourceArgs, RuleArgs};
use crate::app::filter_notation::{check_label, filter_name, parse_filter};

/// Count the hosts that switched behavior about a date
///
/// The answer counts the hosts that switched from the behavior `--before` to the behavior `--after`, and the
/// hosts that kept the first behavior, that are gone, and that are new, and it
/// states how many hosts both behaviors would share by chance.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga cohort --history history --around 2009-03-10 \\
      --before 445/tcp --after label:seed-type-2
  inga cohort --history history --around 2009-03-10 --days 7 \\
      --before 445/tcp --after label:seed-type-2 -o flow.svg

`expected` is the number of hosts that would show both behaviors if the behaviors were independent of each \
other; `switched` and `both` together are the number of hosts that do show both.

JSON has one line per sensor, with the hosts that switched. A picture is a flow diagram.")]
#[command(mut_arg("format", formats_of::<CohortAnswer<'_>>))]
pub(super) struct CohortArgs {
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Only this sensor; may be given more than once [default: each sensor of the history]
    #[arg(long, value_name = "NAME", help_heading = FILTER)]
    sensor: Vec<String>,
    /// Behavior before the date: `445/tcp`, `icmp`, `type:ID`, `shape:ID`, `pattern:ID`, `label:ID`
    #[arg(
        long = "before",
        alias = "from",
        value_name = "BEHAVIOR",
        value_parser = parse_filter,
        help_heading = FILTER
    )]
    from: TrafficFilter,
    /// Behavior from the date on, in the same notation as --before
    #[arg(
        long = "after",
        alias = "to",
        value_name = "BEHAVIOR",
        value_parser = parse_filter,
        help_heading = FILTER
    )]
    to: TrafficFilter,
    /// First day of the period after the change
    #[arg(long, value_name = "YYYY-MM-DD", help_heading = FILTER)]
    around: Date,
    /// Length in calendar days of the period before that date, and of the period that begins with it
    #[arg(
        long,
        value_name = "N",
        default_value_t = 14,
        value_parser = clap::value_parser!(u16).range(1..),
        help_heading = FILTER
    )]
    days: u16,
    #[command(flatten)]
    picture: PictureArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) fn run(args: &CohortArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    args.picture.note_unused::<CohortAnswer<'_>>(&[], notices);
    check_label(&args.from, &rules)?;
    check_label(&args.to, &rules)?;
    if args.from == args.to {
        let of = filter_name(&args.from, None);
        let message = format!("--before and --after are both {of}; a host switches between two behaviors");
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
    args.picture.write(&CohortAnswer { compared, sensors: &answers })?;
    Ok(EXIT_OK)
}
