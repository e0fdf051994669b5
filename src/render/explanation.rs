//! An event with its likely causes, as text and as JSON. The JSON field names are stable.

use std::io::{self, Write};

use serde::Serialize;

use crate::analysis::behavior_surges::DescribedSurge;
use crate::behavior::BehaviorId;
use crate::correlate::{Explanation, SampleCause, count_with_noun};

use super::answer::Answer;
use super::hypotheses::CAVEAT;
use crate::escape::{escape_hidden, without_negative_zero};

/// Maximum number of causes, and of unexplained behaviors, in the text; JSON has all of them.
const LISTED_MAX: usize = 10;
/// Minimum probability of a cause that the text shows although it has no part in the mix.
const PROBABILITY_MIN: f64 = 0.01;

/// A sample that an explanation refers to by its place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSample {
    /// Identifier of the sample.
    pub id: String,
    /// Title of the sample.
    pub title: String,
}

/// The surge that is explained.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SurgeSummary {
    /// Rank among all surges that `inga surges` reports, from 1.
    pub rank: usize,
    /// First day.
    pub first: String,
    /// Last day.
    pub last: String,
    /// Day with the largest excess over the expected number of hosts.
    pub peak: String,
    /// Hosts on the peak day.
    pub peak_hosts: u64,
    /// Expected number of hosts on the peak day.
    pub peak_expected: f64,
    /// Adjusted p-value (Benjamini-Hochberg).
    pub q: f64,
}

impl SurgeSummary {
    /// Returns the summary of a surge with this rank.
    #[must_use]
    pub fn new(rank: usize, described: &DescribedSurge) -> SurgeSummary {
        let surge = &described.surge;
        SurgeSummary {
            rank,
            first: surge.first.to_string(),
            last: surge.last.to_string(),
            peak: surge.peak.day.to_string(),
            peak_hosts: surge.peak.count,
            peak_expected: surge.peak.expected,
            q: described.q,
        }
    }
}

/// Explanations of events, with the samples to which their causes refer.
pub struct ExplanationAnswer<'a> {
    /// The samples.
    pub samples: Vec<NamedSample>,
    /// The events.
    pub events: Vec<ExplainedEvent<'a>>,
}

/// An event at a sensor with its explanation.
pub struct ExplainedEvent<'a> {
    /// Name of the sensor.
    pub sensor: &'a str,
    /// Name of the behavior that increased.
    pub of: String,
    /// The surge that is explained; `None` for an event that the user named.
    pub surge: Option<SurgeSummary>,
    /// The explanation, or the reason why there is none.
    pub explanation: Result<&'a Explanation, &'a str>,
}

impl Answer for ExplanationAnswer<'_> {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for event in &self.events {
            if let Some(surge) = &event.surge {
                surge_text(out, surge)?;
            }
            write!(out, "sensor {}, {}: ", escape_hidden(event.sensor), event.of)?;
            match event.explanation {
                Ok(found) => explanation_text(out, &self.samples, found)?,
                Err(reason) => writeln!(out, "{}", escape_hidden(reason))?,
            }
        }
        if self.events.is_empty() { Ok(()) } else { writeln!(out, "\n{CAVEAT}") }
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for event in &self.events {
            match event.explanation {
                Ok(found) => explanation_json(out, event, &self.samples, found)?,
                Err(reason) => {
                    let ExplainedEvent { sensor, of, surge, .. } = event;
                    let view =
                        serde_json::json!({ "surge": surge, "sensor": sensor, "of": of, "reason": reason });
                    crate::escape::json_line(out, &view)?;
                }
            }
        }
        Ok(())
    }
}

/// Writes the days and numbers of a surge as one line of text.
fn surge_text(out: &mut dyn Write, surge: &SurgeSummary) -> io::Result<()> {
    let SurgeSummary { rank, first, last, peak, peak_hosts, peak_expected, q } = surge;
    write!(out, "surge {rank}, {first} to {last}: {peak_hosts} hosts on {peak}, ")?;
    writeln!(out, "of which {peak_expected:.1} were expected (q {q:.1e})")
}

/// Writes an explanation as text that follows the names of sensor and behavior.
fn explanation_text(out: &mut dyn Write, samples: &[NamedSample], found: &Explanation) -> io::Result<()> {
    let (before, lasting) = found.days;
    let mix = &found.mix;
    writeln!(
        out,
        "{} from {} on, against {} before",
        count_with_noun(lasting as u64, "observed day"),
        found.day,
        count_with_noun(before as u64, "observed day")
    )?;
    writeln!(
        out,
        "  {:.0} host-days came, of which {:.0} were to be expected ({:+.1} deviations)",
        without_negative_zero(mix.observed, 0),
        without_negative_zero(mix.expected, 0),
        without_negative_zero(found.deviations, 1)
    )?;
    let is_shown = |one: &&SampleCause| one.probability >= PROBABILITY_MIN || one.amount > 0.0;
    for (place, cause) in (1..).zip(found.causes.iter().filter(is_shown).take(LISTED_MAX)) {
        let title = samples.get(cause.candidate).map_or("", |sample| sample.title.as_str());
        writeln!(
            out,
            "  {place}. {}: cause with {:.0} %; {:.0} host-days in the mix",
            escape_hidden(title),
            without_negative_zero(cause.probability * 100.0, 0),
            without_negative_zero(cause.amount, 0)
        )?;
        for reason in reasons(samples, cause) {
            writeln!(out, "     {}", escape_hidden(&reason))?;
        }
    }
    writeln!(
        out,
        "  an unknown scanner: {:.0} %; nothing began: {:.0} %",
        without_negative_zero(found.unknown * 100.0, 0),
        without_negative_zero(found.no_event * 100.0, 0)
    )?;
    unexplained_rest(out, found)
}

fn reasons(samples: &[NamedSample], cause: &SampleCause) -> Vec<String> {
    let mut reasons = Vec::new();
    reasons.extend(cause.days_late.map(|late| match late {
        0 => "its date is the event's".to_owned(),
        1.. => format!(
            "its date is {} after, as of a sample that was caught late",
            count_with_noun(late.unsigned_abs(), "day")
        ),
        _ => format!("its date is {} before", count_with_noun(late.unsigned_abs(), "day")),
    }));
    if !cause.alike.is_empty() {
        let titles = cause.alike.iter().filter_map(|other| samples.get(*other));
        let titles: Vec<&str> = titles.map(|sample| sample.title.as_str()).collect();
        reasons.push(format!("this sensor cannot tell it from {}", titles.join(", ")));
    }
    reasons
}

fn unexplained_rest(out: &mut dyn Write, found: &Explanation) -> io::Result<()> {
    let all = without_negative_zero(found.rest.iter().map(|(_, left)| left).sum(), 0);
    if found.rest.is_empty() {
        return writeln!(out, "  nothing is left unexplained");
    }
    writeln!(out, "  {all:.0} host-days are left: collect a sample; it should look like")?;
    for (line, left) in found.rest.iter().take(LISTED_MAX) {
        writeln!(
            out,
            "     {:6.0}  {} ({})",
            without_negative_zero(*left, 0),
            line.name.canonical,
            line.name.id
        )?;
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
    #[serde(skip_serializing_if = "Option::is_none")]
    surge: Option<&'a SurgeSummary>,
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

/// Writes an explanation as one line of JSON.
fn explanation_json(
    out: &mut dyn Write,
    event: &ExplainedEvent<'_>,
    samples: &[NamedSample],
    found: &Explanation,
) -> io::Result<()> {
    let cause = |one: &SampleCause| {
        let sample = samples.get(one.candidate)?;
        let alike = one.alike.iter().filter_map(|other| samples.get(*other));
        Some(CauseJson {
            sample: &sample.id,
            title: &sample.title,
            probability: one.probability,
            host_days: one.amount,
            days_late: one.days_late,
            alike: alike.map(|sample| sample.id.as_str()).collect(),
        })
    };
    let view = ExplanationJson {
        surge: event.surge.as_ref(),
        sensor: event.sensor,
        of: &event.of,
        day: found.day.to_string(),
        days_before: found.days.0,
        days: found.days.1,
        came: found.mix.observed,
        expected: found.mix.expected,
        deviations: found.deviations,
        causes: found.causes.iter().filter_map(cause).collect(),
        unknown_probability: found.unknown,
        nothing_probability: found.no_event,
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
    crate::escape::json_line(out, &view)
}
