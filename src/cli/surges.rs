//! `inga surges`: days on which behaviors departed from their own past.

use crate::app::history::add_losses;
use crate::app::output::Output;
use crate::app::surges::{SurgeQuery, surges, unjudged_days};
use crate::app::{AppError, CaptureOptions, Notices};
use crate::render::surges as report;

use super::EXIT_OK;
use super::shared::{HistorySourceArgs, OutputFormat, RuleArgs};

/// Find behaviors that surged: when, by how much, and how surely
///
/// Types, shapes, patterns and services (a protocol and port) are each judged
/// against their own past of up to eight weeks, with weekly rhythm and slow growth taken into account, day by
/// day and week by week. Days that were not recorded are left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga surges --history history
  inga surges --history history --sensor II --q 0.001 --format json

A surge is a run of days above what the past makes expect, one of them with at least 3 unique hosts and 1.5 times as
many as expected. Its p is that of its surest day, alone or with the six days before it, or of all its days. Its q is
that p adjusted for all days of all behaviors of its granularity at the sensor (Benjamini-Hochberg), those that are too
rare to surge among them; on a quiet history a surge is told by mistake with at most that chance, or 1.3 times it where
the few hosts there are come back for days (measured at 0.01). A day needs 20 days before it to be judged.

Text leaves out what is a part of a coarser surge of the same days; `--all` tells it, too. JSON tells all, a line each:
rank, sensor, granularity (service, pattern, shape, type), behavior, id, kind (scan, backscatter), first, last, peak
(the day with most above what was expected), peak_hosts, expected, ratio, excess (host-days above what was expected, of
days that stood out), outcome (over, new-level, open), p, q, part_of (a rank), hosts, types (their number), top_types,
top_hosts (with packets), labels, marks (with hosts).")]
pub(super) struct SurgesArgs {
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Only this sensor; may be given more than once [default: all sensors of the history]
    #[arg(long, value_name = "NAME")]
    sensor: Vec<String>,
    /// Largest q of a reported surge, above 0 and at most 0.1
    #[arg(long, value_name = "Q", default_value_t = 0.01, value_parser = level)]
    q: f64,
    /// Show also surges that are part of a coarser surge
    #[arg(long)]
    all: bool,
    /// Output format; JSON has one line per surge
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
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
    let rules = args.rules.load()?;
    let store = args.history.source()?.open(&CaptureOptions::default(), &rules, notices)?;
    let question = SurgeQuery { sensors: args.sensor.clone(), level: args.q };
    let found = surges(store.as_ref(), &question, &rules)?;
    unjudged_days(store.as_ref(), &args.sensor)?.iter().for_each(|days| notices.add(days.to_string()));
    add_losses(store.as_ref(), &args.sensor, notices)?;
    if found.is_empty() {
        notices.add(format!("no surge with a q of at most {}", args.q));
    }
    Output::Stdout.write(|out| match args.format {
        OutputFormat::Text => report::text(out, &found, args.all),
        OutputFormat::Json => report::json(out, &found),
    })?;
    Ok(EXIT_OK)
}
