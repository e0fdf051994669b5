//! `inga surges`: days on which behaviors departed from their own past.

use crate::app::history::add_losses;
use crate::app::surges::{SurgeQuery, surges, unjudged_days};
use crate::app::{AppError, CaptureOptions, Notices};
use crate::render::answer::Format;
use crate::render::surges::SurgesAnswer;

use super::EXIT_OK;
use super::help::FILTER;
use super::output::OutputArgs;
use super::shared::{HistorySourceArgs, RuleArgs, note_unused};

/// Find behaviors that departed from their past
///
/// Types, shapes, patterns and services (a protocol and port) are each judged
/// against their own past of up to eight weeks, with weekly rhythm and slow growth taken into account, day by
/// day and week by week. Days that were not recorded are left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga surges --history history
  inga surges --history history --sensor II --q-max 0.001 -o surges.json

A surge is a run of days with more hosts than the past predicts. At least one of these days has 3 or more \
unique hosts and at least 1.5 times the expected number. A day is judged only if at least 20 recorded days \
precede it.

The p-value of a surge is the smallest of three: that of its most significant day, of this day together \
with the six days before it, and of all its days. The q-value is this p-value adjusted \
(Benjamini-Hochberg) for all days of all behaviors of the same granularity at the sensor, including \
behaviors that are too rare to surge. In a history without surges, a surge is reported by mistake with a \
probability of at most the largest accepted q, or 1.3 times that where few hosts return for days (measured \
at 0.01).

Text leaves out surges that are part of a coarser surge on the same days, unless --all is given. JSON \
always has all surges, one line per surge: rank; sensor; granularity (service, pattern, shape or type); \
behavior; id; kind (scan or backscatter); first and last day; peak (the day with the largest excess), \
peak_hosts, expected and ratio; excess (host-days above the expected number, on days that stood out); \
outcome (over, new-level or open); p; q; part_of (the rank of the coarser surge); hosts; types (their \
number); top_types; top_hosts (with packets); labels; marks (with hosts).")]
pub(super) struct SurgesArgs {
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Only this sensor; may be given more than once [default: all sensors of the history]
    #[arg(long, value_name = "NAME", help_heading = FILTER)]
    sensor: Vec<String>,
    /// Largest q-value of a reported surge, above 0 and at most 0.1
    #[arg(
        long,
        alias = "q",
        value_name = "Q",
        default_value_t = 0.01,
        value_parser = level,
        help_heading = FILTER
    )]
    q_max: f64,
    /// Show also surges that are part of a coarser surge
    #[arg(long, help_heading = FILTER)]
    all: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

fn level(text: &str) -> Result<f64, String> {
    let level: f64 = text.parse().map_err(|_| "no number".to_owned())?;
    if level > 0.0 && level <= 0.1 {
        Ok(level)
    } else {
        Err("must lie above 0 and be at most 0.1".to_owned())
    }
}

pub(super) fn run(args: &SurgesArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let is_unused = args.all && args.output.format::<SurgesAnswer<'_>>() == Format::Json;
    note_unused(&[("--all", is_unused)], "on JSON, which has all surges", notices);
    let rules = args.rules.load()?;
    let store = args.history.source()?.open(&CaptureOptions::default(), &rules, notices)?;
    let question = SurgeQuery { sensors: args.sensor.clone(), level: args.q_max };
    let found = surges(store.as_ref(), &question, &rules)?;
    unjudged_days(store.as_ref(), &args.sensor)?.iter().for_each(|days| notices.add(days.to_string()));
    add_losses(store.as_ref(), &args.sensor, notices)?;
    if found.is_empty() {
        notices.add(format!("no surge with a q of at most {}", args.q_max));
    }
    args.output.write(&SurgesAnswer { surges: &found, all: args.all })?;
    Ok(EXIT_OK)
}
