//! Jumps of the type count, as text, JSON and plots. The JSON field names are stable.

use std::io::{self, Write};

use jiff::civil::Date;
use serde::Serialize;

use crate::analysis::per_target_port::{PerTargetPortResult, PortInputs};
use crate::analysis::surge::{Direction, Outcome};
use crate::analysis::type_counts::{Group, Jump, TypeCounts};
use crate::behavior::BehaviorId;
use crate::escape::{escape_hidden, without_negative_zero};

use super::answer::{Answer, Format};
use super::plot::{DateMark, SeriesPlot};
use super::series::panels_svg;
use super::spans::{self, PlotOptions, SpanSeries, Value};
use super::svg::Theme;

fn plots(counts: &TypeCounts) -> Vec<SeriesPlot> {
    let TypeCounts { sensor, days, coverage, jumps, .. } = counts;
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

/// The type counts of sensors.
pub type TypeCountsAnswer = [TypeCounts];

impl Answer for TypeCountsAnswer {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json, Format::Svg, Format::Png];

    /// Writes the jumps of each sensor for people.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for TypeCounts { sensor, days, jumps, .. } in self {
            let most = days.iter().map(|day| day.types).max().unwrap_or(0);
            let observed = days.iter().filter(|day| day.observed_days > 0).count();
            writeln!(
                out,
                "sensor {}: {observed} days, at most {most} kinds a day",
                escape_hidden(&sensor.name)
            )?;
            if jumps.is_empty() {
                writeln!(out, "  no jump")?;
            }
            for jump in jumps {
                text_jump(out, jump)?;
            }
        }
        Ok(())
    }

    /// Writes one line of JSON per jump or fall.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for (counts, jump) in
            self.iter().flat_map(|counts| counts.jumps.iter().map(move |jump| (counts, jump)))
        {
            let groups = jump.groups.iter().map(|group| JsonGroup {
                pattern: &group.pattern,
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
                sensor: &counts.sensor.name,
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

    /// Draws a panel per sensor with a mark at the first day of each jump and fall.
    fn svg(&self, theme: Theme) -> io::Result<String> {
        let plots: Vec<SeriesPlot> = self.iter().flat_map(plots).collect();
        Ok(panels_svg(&plots, theme))
    }
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
        let Group { pattern, types, ports, before, since, .. } = group;
        writeln!(
            out,
            "    {percent:.0} % {pattern}: {types} types, {ports} ports{labels}; {before:.1} kinds a day before, \
             {since:.1} since{follows}"
        )?;
    }
    Ok(())
}

#[derive(Serialize)]
struct JsonGroup<'a> {
    pattern: &'a str,
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
