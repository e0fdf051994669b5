//! An event with its causes, for people and for machines. The JSON's field names are stable.

use std::io::{self, Write};

use serde::Serialize;

use crate::behavior::BehaviorId;
use crate::correlate::{Explained, Explanation, counted};

use super::hypotheses::CAVEAT;
use super::text::shown;

/// Causes and lines of the rest told in text; JSON has all.
const TOLD_MAX: usize = 10;
/// Causes that are less probable and not in the mix are not told in text.
const PROBABILITY_MIN: f64 = 0.01;

/// A sample, for its places in an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
}

/// Writes an explanation as text.
///
/// # Errors
/// When `out` cannot be written to.
pub fn text(
    out: &mut dyn Write,
    sensor: &str,
    of: &str,
    samples: &[Named],
    found: &Explanation,
) -> io::Result<()> {
    let (before, lasting) = found.days;
    let mix = &found.mix;
    writeln!(
        out,
        "sensor {}, {of}: {} from {} on, against {} before",
        shown(sensor),
        counted(lasting as u64, "observed day"),
        found.day,
        counted(before as u64, "observed day")
    )?;
    writeln!(
        out,
        "  {:.0} host-days came, of which {:.0} were to be expected ({:+.1} deviations)",
        mix.came, mix.expected, found.deviations
    )?;
    let told = |one: &&Explained| one.probability >= PROBABILITY_MIN || one.amount > 0.0;
    for (place, cause) in (1..).zip(found.causes.iter().filter(told).take(TOLD_MAX)) {
        let title = samples.get(cause.candidate).map_or("", |sample| sample.title.as_str());
        writeln!(
            out,
            "  {place}. {}: cause with {:.0} %; {:.0} host-days in the mix",
            shown(title),
            cause.probability * 100.0,
            cause.amount
        )?;
        for reason in reasons(samples, cause) {
            writeln!(out, "     {}", shown(&reason))?;
        }
    }
    writeln!(
        out,
        "  a scanner that no sample is known of: {:.0} %; nothing began: {:.0} %",
        found.unknown * 100.0,
        found.nothing * 100.0
    )?;
    rest(out, found)?;
    writeln!(out, "\n{CAVEAT}")
}

fn reasons(samples: &[Named], cause: &Explained) -> Vec<String> {
    let mut reasons = Vec::new();
    reasons.extend(cause.late.map(|late| match late {
        0 => "its date is the event's".to_owned(),
        1.. => format!(
            "its date is {} after, as of a sample that was caught late",
            counted(late.unsigned_abs(), "day")
        ),
        _ => format!("its date is {} before", counted(late.unsigned_abs(), "day")),
    }));
    if !cause.alike.is_empty() {
        let titles = cause.alike.iter().filter_map(|other| samples.get(*other));
        let titles: Vec<&str> = titles.map(|sample| sample.title.as_str()).collect();
        reasons.push(format!("this sensor cannot tell it from {}", titles.join(", ")));
    }
    reasons
}

fn rest(out: &mut dyn Write, found: &Explanation) -> io::Result<()> {
    let all: f64 = found.rest.iter().map(|(_, left)| left).sum();
    if found.rest.is_empty() {
        return writeln!(out, "  nothing is left unexplained");
    }
    writeln!(out, "  {all:.0} host-days are left: collect a sample; it should look like")?;
    for (line, left) in found.rest.iter().take(TOLD_MAX) {
        writeln!(out, "     {left:6.0}  {} ({})", line.name.canonical, line.name.id)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct CauseJson<'a> {
    sample: &'a str,
    title: &'a str,
    probability: f64,
    host_days: f64,
    days_late: Option<i64>,
    alike: Vec<&'a str>,
}

#[derive(Serialize)]
struct RestJson<'a> {
    canonical: &'a str,
    id: BehaviorId,
    host_days: f64,
}

#[derive(Serialize)]
struct ExplanationJson<'a> {
    sensor: &'a str,
    of: &'a str,
    day: String,
    days_before: usize,
    days: usize,
    came: f64,
    expected: f64,
    deviations: f64,
    causes: Vec<CauseJson<'a>>,
    unknown_probability: f64,
    nothing_probability: f64,
    rest: Vec<RestJson<'a>>,
}

/// Writes an explanation as a line of JSON.
///
/// # Errors
/// When `out` cannot be written to.
pub fn json(
    out: &mut dyn Write,
    sensor: &str,
    of: &str,
    samples: &[Named],
    found: &Explanation,
) -> io::Result<()> {
    let cause = |one: &Explained| {
        let sample = samples.get(one.candidate)?;
        let alike = one.alike.iter().filter_map(|other| samples.get(*other));
        Some(CauseJson {
            sample: &sample.id,
            title: &sample.title,
            probability: one.probability,
            host_days: one.amount,
            days_late: one.late,
            alike: alike.map(|sample| sample.id.as_str()).collect(),
        })
    };
    let view = ExplanationJson {
        sensor,
        of,
        day: found.day.to_string(),
        days_before: found.days.0,
        days: found.days.1,
        came: found.mix.came,
        expected: found.mix.expected,
        deviations: found.deviations,
        causes: found.causes.iter().filter_map(cause).collect(),
        unknown_probability: found.unknown,
        nothing_probability: found.nothing,
        rest: found
            .rest
            .iter()
            .map(|(line, left)| RestJson {
                canonical: &line.name.canonical,
                id: line.name.id,
                host_days: *left,
            })
            .collect(),
    };
    serde_json::to_writer(&mut *out, &view)?;
    writeln!(out)
}
