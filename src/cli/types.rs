//! `inga kinds`: jumps and falls of the type count (the number of distinct types per day), and the types
//! behind them.

use std::io::{self, Write};
use std::path::PathBuf;

use jiff::civil::Date;
use serde::Serialize;

use crate::analysis::per_target_port::{PerTargetPortResult, PortInputs};
use crate::analysis::surge::{Direction, Outcome};
use crate::analysis::type_counts::{Group, Jump, TypeCounts};
use crate::app::output::Output;
use crate::app::types::{test_ports, type_counts};
use crate::app::{AppError, CaptureOptions, Notices};
use crate::behavior::BehaviorId;
use crate::escape::{escape_hidden, without_negative_zero};
use crate::render::series::{DateMark, SeriesPlot, panels_svg};
use crate::render::spans::{self, PlotOptions, SpanSeries, Value};

use super::EXIT_OK;
use super::shared::{HistorySourceArgs, PictureArgs, PictureFormat, RuleArgs};

/// Find jumps and falls of the number of distinct types per day
///
/// The type count of each day is judged against its own past, as `inga surges` judges hosts, from the 21st
/// observed day on. Days that were not recorded are left out. Types are grouped by pattern (`family` in the
/// output); high ports (1024 and above) do not distinguish groups.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  inga kinds --history history
  inga kinds --history history -o kinds.svg
  inga kinds --history history --sensor II --captures captures/2009-03/ --format json

A fall is a jump downwards: below the past, by as much and as surely as a jump lies above it, or back to the past when
what had jumped is over. A day that was captured for less than two thirds of the usual time is not judged: a part of a
day falls by itself.

Of a jump the new types are told: those never seen before it. Of a fall those that are gone: seen in the week before it,
and never since. Families come in the order of what they added to the number of kinds a day, or took from it: kinds that
are met once and never again come and go on any day.

With captures, it is tested whether the port follows from the destination, or from it and the week (Monday to Sunday):
pairs of hosts that agree in both, against as many as there are when the week's ports are dealt out by chance (999
times). A family of derived ports has a p of at most 0.01, at least 10 ports, at least 5 destinations at which hosts
agree, and at least a quarter of the pairs of hosts at a destination agree beyond chance: as if each had four ports.
Old peers of file sharing can look so, too. Where no destination was asked twice nothing can be told; more days or
captures may.

JSON is a line a jump: sensor, direction (up, down), first, last, peak (the day with most above what was expected, or
below it), kinds, expected, p, outcome (over, new-level, open: a plateau; old-level: what had jumped is over, p is the
jump's), new_types (null in a fall), gone_types (null in a jump), groups: family, types, share, ports, members (ids of
the first 20 types), labels, before, since (kinds a day in the week before and in the jump), derived (null or from:
destination, destination-and-week; asked, destinations, ports, repeating, agreeing, expected, agreement, p),
port_follows_destination (true, false, or null where it was not or cannot be tested).
The series itself is that of `inga series --value types`.")]
pub(super) struct TypesArgs {
    #[command(flatten)]
    history: HistorySourceArgs,
    /// Only this sensor; may be given more than once [default: all sensors of the history]
    #[arg(long, value_name = "NAME")]
    sensor: Vec<String>,
    /// Captures of the days of a jump, or of the week before a fall, to test whether ports depend on
    /// destinations
    #[arg(long, value_name = "PATH", num_args = 1..)]
    captures: Vec<PathBuf>,
    /// Output format [default: by the extension of the output file, else text]
    ///
    /// JSON has one line per jump or fall.
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

/// Maximum probability that a sensor whose type count did not change is reported with a jump or a fall.
const LEVEL: f64 = 0.01;

pub(super) fn run(args: &TypesArgs, notices: &mut Notices) -> Result<u8, AppError> {
    let rules = args.rules.load()?;
    let options = CaptureOptions::default();
    let store = args.history.source()?.open(&options, &rules, notices)?;
    let mut all = type_counts(store.as_ref(), &args.sensor, LEVEL, &rules)?;
    if !args.captures.is_empty() {
        let inputs = options.expand(&args.captures, notices)?;
        test_ports(&mut all, &inputs, &options, &rules, notices)?;
    }
    for TypeCounts { sensor, coverage, .. } in &all {
        notices.add_loss(&sensor.name, coverage);
    }
    for TypeCounts { sensor, left_out, .. } in all.iter().filter(|kinds| kinds.left_out > 0) {
        let why = "looked at for less than two thirds of the usual time, not judged";
        notices.add(format!("sensor {}: days {why}: {left_out}", sensor.name));
    }
    let output = Output::from_path(args.output.as_deref());
    match PictureFormat::chosen(args.format, args.output.as_deref()) {
        PictureFormat::Text => output.write(|out| text(out, &all)),
        PictureFormat::Json => output.write(|out| json(out, &all)),
        format => {
            let plots: Vec<SeriesPlot> = all.iter().flat_map(plots).collect();
            args.picture.write(&output, &panels_svg(&plots), format == PictureFormat::Png)
        }
    }?;
    Ok(EXIT_OK)
}

/// Returns the panels of a sensor, with a mark at the first day of each jump and fall.
fn plots(kinds: &TypeCounts) -> Vec<SeriesPlot> {
    let TypeCounts { sensor, days, coverage, jumps, .. } = kinds;
    let label = |jump: &Jump| match jump.surge.direction {
        Direction::Up => format!("{} new types", jump.types),
        Direction::Down => format!("{} types gone", jump.types),
    };
    let mark = |jump: &Jump| DateMark { day: jump.surge.first, label: label(jump) };
    let counted = SpanSeries { sensor: &sensor.name, behavior: "all".to_owned(), spans: days, coverage };
    let marks = jumps.iter().map(mark).collect();
    spans::plots(&[counted], &PlotOptions { values: vec![Value::Types], marks, ..PlotOptions::default() })
}

#[expect(clippy::cast_precision_loss, reason = "numbers of types")]
fn share(group: &Group, types: u64) -> f64 {
    group.types as f64 / types.max(1) as f64
}

fn port_test_in_words(test: &PerTargetPortResult) -> String {
    let what = match (test.is_derived(), test.from) {
        (false, _) => "is not shown to follow from the destination",
        (true, PortInputs::Destination) => "follows from the destination",
        (true, PortInputs::DestinationAndWeek) => "follows from the destination and the week",
    };
    let PerTargetPortResult { agreeing, expected, agreement, p, .. } = test;
    let percent = without_negative_zero(100.0 * agreement, 0);
    format!(
        "; the port {what} ({agreeing} pairs agree, {expected:.1} by chance, {percent:.0} % of the rest, p {p:.3})"
    )
}

fn text(out: &mut dyn Write, all: &[TypeCounts]) -> io::Result<()> {
    for TypeCounts { sensor, days, jumps, .. } in all {
        let most = days.iter().map(|day| day.types).max().unwrap_or(0);
        let observed = days.iter().filter(|day| day.observed_days > 0).count();
        writeln!(out, "sensor {}: {observed} days, at most {most} kinds a day", escape_hidden(&sensor.name))?;
        if jumps.is_empty() {
            writeln!(out, "  no jump")?;
        }
        for jump in jumps {
            text_jump(out, jump)?;
        }
    }
    Ok(())
}

fn text_jump(out: &mut dyn Write, jump: &Jump) -> io::Result<()> {
    let surge = &jump.surge;
    let end = match surge.outcome {
        Outcome::Over => format!("to {}", surge.last),
        Outcome::NewLevel => format!("a plateau from then on (judged to {})", surge.last),
        Outcome::Open => format!("still on {}", surge.last),
        Outcome::OldLevel => "what had jumped is over".to_owned(),
    };
    let (fell, what) = match surge.direction {
        Direction::Up => ("", "new types"),
        Direction::Down => ("a fall to ", "types gone"),
    };
    writeln!(
        out,
        "  since {}: {fell}{} kinds on {} where {:.1} were expected (p {:.1e}), {end}; {} {what}",
        surge.first, surge.peak.count, surge.peak.day, surge.peak.expected, surge.p, jump.types
    )?;
    for group in &jump.groups {
        let percent = without_negative_zero(100.0 * share(group, jump.types), 0);
        let follows = group.port_test.as_ref().map_or_else(String::new, port_test_in_words);
        let labels: String = group.labels.iter().map(|label| format!(", {}", escape_hidden(label))).collect();
        let Group { pattern: family, types, ports, before, since, .. } = group;
        writeln!(
            out,
            "    {percent:.0} % {family}: {types} types, {ports} ports{labels}; {before:.1} kinds a day before, \
             {since:.1} since{follows}"
        )?;
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
    before: f64,
    since: f64,
    derived: Option<PerTargetPortResult>,
    port_follows_destination: Option<bool>,
}

#[derive(Serialize)]
struct JsonJump<'a> {
    sensor: &'a str,
    direction: Direction,
    first: Date,
    last: Date,
    peak: Date,
    kinds: u64,
    expected: f64,
    p: f64,
    outcome: Outcome,
    new_types: Option<u64>,
    gone_types: Option<u64>,
    groups: Vec<JsonGroup<'a>>,
}

fn json(out: &mut dyn Write, all: &[TypeCounts]) -> io::Result<()> {
    for (kinds, jump) in all.iter().flat_map(|kinds| kinds.jumps.iter().map(move |jump| (kinds, jump))) {
        let groups = jump.groups.iter().map(|group| JsonGroup {
            family: &group.pattern,
            types: group.types,
            share: share(group, jump.types),
            ports: group.ports,
            members: &group.members,
            labels: &group.labels,
            before: group.before,
            since: group.since,
            derived: group.port_test,
            port_follows_destination: group.port_test.map(|test| test.is_derived()),
        });
        let surge = &jump.surge;
        let line = JsonJump {
            sensor: &kinds.sensor.name,
            direction: surge.direction,
            first: surge.first,
            last: surge.last,
            peak: surge.peak.day,
            kinds: surge.peak.count,
            expected: surge.peak.expected,
            p: surge.p,
            outcome: surge.outcome,
            new_types: (surge.direction == Direction::Up).then_some(jump.types),
            gone_types: (surge.direction == Direction::Down).then_some(jump.types),
            groups: groups.collect(),
        };
        crate::escape::json_line(out, &line)?;
    }
    Ok(())
}
