//! `inga surges`: days on which behaviors departed from their own past.

use std::io::{self, Write};
use std::net::IpAddr;

use jiff::civil::Date;
use serde::Serialize;

use crate::analysis::behavior_surges::{DescribedSurge, SurgeBehavior, SurgeKind};
use crate::analysis::surge::Outcome;
use crate::app::history::add_losses;
use crate::app::output::Output;
use crate::app::surges::{SurgeQuery, surges, unjudged_days};
use crate::app::{AppError, CaptureOptions, Notices};
use crate::escape::escape_hidden;
use crate::render::text::table;

use super::EXIT_OK;
use super::shared::{HistorySourceArgs, OutputFormat, RuleArgs};

/// Find behaviors that surged: when, by how much, and how surely
///
/// Types, shapes, patterns (`family` in the output) and services (a protocol and port) are each judged
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
rank, sensor, granularity (service, family, shape, type), behavior, id, kind (scan, backscatter), first, last, peak
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
        OutputFormat::Text => text(out, &found, args.all),
        OutputFormat::Json => json(out, &found),
    })?;
    Ok(EXIT_OK)
}

fn name(behavior: &SurgeBehavior) -> String {
    match behavior {
        SurgeBehavior::Service(protocol, port) => format!("{port}/{}", protocol.to_string().to_lowercase()),
        SurgeBehavior::Named(_, _, canonical) => canonical.clone(),
    }
}

fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn text(out: &mut dyn Write, found: &[DescribedSurge], all: bool) -> io::Result<()> {
    let head =
        ["rank", "sensor", "first", "last", "peak", "hosts", "expected", "q", "kind", "outcome", "behavior"];
    let told = |(_, one): &(usize, &DescribedSurge)| all || one.part_of.is_none();
    for (at, one) in found.iter().enumerate().filter(told) {
        let surge = &one.surge;
        let row = vec![
            (at + 1).to_string(),
            escape_hidden(&one.sensor),
            surge.first.to_string(),
            surge.last.to_string(),
            surge.peak.day.to_string(),
            surge.peak.count.to_string(),
            format!("{:.1}", crate::escape::without_negative_zero(surge.peak.expected, 1)),
            format!("{:.1e}", one.q),
            word(&one.kind),
            word(&surge.outcome),
            format!("{} {}", one.behavior.granularity(), name(&one.behavior)),
        ];
        table(out, &[head.map(str::to_owned).to_vec(), row])?;
        let pairs = |all: &[(String, u64)]| {
            all.iter()
                .map(|(name, hosts)| format!("{} ({hosts})", escape_hidden(name)))
                .collect::<Vec<_>>()
                .join(", ")
        };
        writeln!(out, "  {} hosts, {} types: {}", one.hosts, one.members.len(), pairs(&one.types))?;
        for (title, names) in [("labels", &one.labels), ("marks", &one.marks)] {
            if !names.is_empty() {
                writeln!(out, "  {title}: {}", pairs(names))?;
            }
        }
        let hosts: Vec<String> =
            one.top_hosts.iter().map(|(host, packets)| format!("{host} ({packets} packets)")).collect();
        writeln!(out, "  hosts: {}", hosts.join(", "))?;
        let parts = found.iter().filter(|part| part.part_of == Some(at)).count();
        if parts > 0 && !all {
            writeln!(out, "  {parts} finer surges are parts of it")?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct JsonCount<'a, N: Serialize> {
    name: &'a N,
    count: u64,
}

#[derive(Serialize)]
struct JsonSurge<'a> {
    rank: usize,
    sensor: &'a str,
    granularity: String,
    behavior: String,
    id: Option<crate::behavior::BehaviorId>,
    kind: SurgeKind,
    first: Date,
    last: Date,
    peak: Date,
    peak_hosts: u64,
    expected: f64,
    ratio: Option<f64>,
    excess: f64,
    outcome: Outcome,
    p: f64,
    q: f64,
    part_of: Option<usize>,
    hosts: u64,
    types: usize,
    top_types: Vec<JsonCount<'a, String>>,
    top_hosts: Vec<JsonCount<'a, IpAddr>>,
    labels: Vec<JsonCount<'a, String>>,
    marks: Vec<JsonCount<'a, String>>,
}

fn json_counts<N: Serialize>(all: &[(N, u64)]) -> Vec<JsonCount<'_, N>> {
    all.iter().map(|(name, count)| JsonCount { name, count: *count }).collect()
}

fn json(out: &mut dyn Write, found: &[DescribedSurge]) -> io::Result<()> {
    for (at, one) in found.iter().enumerate() {
        let peak = &one.surge.peak;
        #[expect(clippy::cast_precision_loss, reason = "hosts of a day")]
        let ratio = (peak.expected > 0.0).then(|| peak.count as f64 / peak.expected);
        let line = JsonSurge {
            rank: at + 1,
            sensor: &one.sensor,
            granularity: one.behavior.granularity(),
            behavior: name(&one.behavior),
            id: match &one.behavior {
                SurgeBehavior::Service(..) => None,
                SurgeBehavior::Named(_, id, _) => Some(*id),
            },
            kind: one.kind,
            first: one.surge.first,
            last: one.surge.last,
            peak: peak.day,
            peak_hosts: peak.count,
            expected: peak.expected,
            ratio,
            excess: one.surge.excess,
            outcome: one.surge.outcome,
            p: one.surge.p,
            q: one.q,
            part_of: one.part_of.map(|at| at + 1),
            hosts: one.hosts,
            types: one.members.len(),
            top_types: json_counts(&one.types),
            top_hosts: json_counts(&one.top_hosts),
            labels: json_counts(&one.labels),
            marks: json_counts(&one.marks),
        };
        crate::escape::json_line(out, &line)?;
    }
    Ok(())
}
