//! `inga kinds`: the number of kinds of type a day, its jumps, and what they consist of.

use std::io::{self, Write};
use std::path::PathBuf;

use jiff::civil::Date;
use serde::Serialize;

use crate::app::kinds::{Group, Kinds, kinds, test_ports};
use crate::app::output::Output;
use crate::app::{AppError, CaptureOptions, Notices};
use crate::behavior::BehaviorId;
use crate::history::derived::{Derived, From};
use crate::history::surge::Outcome;
use crate::report::text::shown;

use super::EXIT_OK;
use super::shared::{Format, HistoryArgs, RuleArgs};

/// Tell when the number of kinds of type jumped, and what the new ones are
///
/// The number of kinds a day is judged by its own past, as `inga surges` judges hosts; days without a look are left
/// out. New types are grouped by family, whatever high port (from 1024 on) they ask for.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga kinds --db history.db
  inga kinds --db history.db --sensor II --captures captures/2009-03/ --format json

With captures, it is tested whether the port follows from the destination, or from it and the week (Monday to Sunday):
pairs of hosts that agree in both, against as many as there are when the week's ports are dealt out by chance (999
times). A family of derived ports has a p of at most 0.01, at least 10 ports, at least 5 destinations at which hosts
agree, and at least a quarter of the pairs of hosts at a destination agree beyond chance: as if each had four ports.
Old peers of file sharing can look so, too. Where no destination was asked twice nothing can be told; more days or
captures may.

JSON is a line a jump: sensor, first, last, peak (the day with most above what was expected), kinds, expected, p,
outcome (over, new-level, open: a plateau), new_types, groups: family, types, share, ports, members (ids of the first
20 types), labels, derived (null or from: destination, destination-and-week; asked, destinations, ports, repeating,
agreeing, expected, agreement, p), port_follows_destination (true, false, or null where it was not or cannot be
tested).
The series itself is that of `inga series --value types`.")]
pub(super) struct Args {
    #[command(flatten)]
    history: HistoryArgs,
    /// A sensor; without any, all
    #[arg(long, value_name = "NAME")]
    sensor: Vec<String>,
    /// Captures of the jump's days, to test whether ports follow from destinations
    #[arg(long, value_name = "PATH", num_args = 1..)]
    captures: Vec<PathBuf>,
    /// For people, or a line of JSON a jump
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    rules: RuleArgs,
}

/// The chance that a quiet sensor has a jump told.
const LEVEL: f64 = 0.01;

pub(super) fn run(args: &Args, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let options = CaptureOptions::default();
    let store = args.history.source()?.open(&options, &rules, notices)?;
    let mut all = kinds(store.as_ref(), &args.sensor, LEVEL, &rules)?;
    if !args.captures.is_empty() {
        let inputs = options.expand(&args.captures, notices)?;
        test_ports(&mut all, &inputs, &options, &rules, notices)?;
    }
    Output::Stdout.write(|out| match args.format {
        Format::Text => text(out, &all),
        Format::Json => json(out, &all),
    })?;
    Ok(EXIT_OK)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of types")]
fn share(group: &Group, new_types: u64) -> f64 {
    group.types as f64 / new_types.max(1) as f64
}

fn follows(test: &Derived) -> String {
    let what = match (test.holds(), test.from) {
        (false, _) => "is not shown to follow from the destination",
        (true, From::Destination) => "follows from the destination",
        (true, From::DestinationAndWeek) => "follows from the destination and the week",
    };
    let Derived { agreeing, expected, agreement, p, .. } = test;
    let percent = 100.0 * agreement;
    format!(
        "; the port {what} ({agreeing} pairs agree, {expected:.1} by chance, {percent:.0} % of the rest, p {p:.3})"
    )
}

fn text(out: &mut dyn Write, all: &[Kinds]) -> io::Result<()> {
    for Kinds { sensor, days, jumps } in all {
        let most = days.iter().map(|(_, kinds)| *kinds).max().unwrap_or(0);
        writeln!(out, "sensor {}: {} days, at most {most} kinds a day", shown(&sensor.name), days.len())?;
        if jumps.is_empty() {
            writeln!(out, "  no jump")?;
        }
        for jump in jumps {
            let surge = &jump.surge;
            let end = match surge.outcome {
                Outcome::Over => format!("to {}", surge.last),
                Outcome::NewLevel => format!("a plateau from then on (judged to {})", surge.last),
                Outcome::Open => format!("still on {}", surge.last),
            };
            writeln!(
                out,
                "  since {}: {} kinds on {} where {:.1} were expected (p {:.1e}), {end}; {} new types",
                surge.first, surge.peak.count, surge.peak.day, surge.peak.expected, surge.p, jump.new_types
            )?;
            for group in &jump.groups {
                let percent = 100.0 * share(group, jump.new_types);
                let follows = group.derived.as_ref().map_or_else(String::new, follows);
                let family = &group.family;
                let labels: String = group.labels.iter().map(|label| format!(", {}", shown(label))).collect();
                writeln!(
                    out,
                    "    {percent:.0} % {family}: {} types, {} ports{labels}{follows}",
                    group.types, group.ports
                )?;
            }
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct JsonGroup<'a> {
    family: &'a str,
    types: u64,
    share: f64,
    ports: u64,
    members: &'a [BehaviorId],
    labels: &'a [String],
    derived: Option<Derived>,
    port_follows_destination: Option<bool>,
}

#[derive(Serialize)]
struct JsonJump<'a> {
    sensor: &'a str,
    first: Date,
    last: Date,
    peak: Date,
    kinds: u64,
    expected: f64,
    p: f64,
    outcome: Outcome,
    new_types: u64,
    groups: Vec<JsonGroup<'a>>,
}

fn json(out: &mut dyn Write, all: &[Kinds]) -> io::Result<()> {
    for (kinds, jump) in all.iter().flat_map(|kinds| kinds.jumps.iter().map(move |jump| (kinds, jump))) {
        let groups = jump.groups.iter().map(|group| JsonGroup {
            family: &group.family,
            types: group.types,
            share: share(group, jump.new_types),
            ports: group.ports,
            members: &group.members,
            labels: &group.labels,
            derived: group.derived,
            port_follows_destination: group.derived.map(|test| test.holds()),
        });
        let surge = &jump.surge;
        let line = JsonJump {
            sensor: &kinds.sensor.name,
            first: surge.first,
            last: surge.last,
            peak: surge.peak.day,
            kinds: surge.peak.count,
            expected: surge.peak.expected,
            p: surge.p,
            outcome: surge.outcome,
            new_types: jump.new_types,
            groups: groups.collect(),
        };
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)?;
    }
    Ok(())
}
