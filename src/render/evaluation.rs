//! The measured quality of answers, as text, Markdown and JSON. The JSON field names are stable.

use std::io::{self, Write};

use serde::Serialize;

use crate::correlate::{Evaluation, LARGE_HOST_DAYS, Score, share_interval};

use super::answer::{Answer, Format};
use super::text::table;

const HEAD: [&str; 9] = [
    "way of answering",
    "cases",
    "answered",
    "large answered",
    "right",
    "cause among first 3",
    "false",
    "calibration error",
    "smallest found",
];

fn percent(share: f64) -> String {
    if share.is_nan() {
        "-".to_owned()
    } else {
        format!("{:.1} %", crate::escape::without_negative_zero(share * 100.0, 1))
    }
}

/// Returns a share with the interval in which it lies with 95 %, such as `35.4 % (23-50)`.
fn with_interval(part: usize, of: usize) -> String {
    let (low, high) = share_interval(part, of);
    match of {
        0 => "-".to_owned(),
        _ => format!("{} ({:.0}-{:.0})", percent(part as f64 / of as f64), low * 100.0, high * 100.0),
    }
}

/// Returns, by the sensor's prefix length, the fewest hosts per day from which on at least half of the
/// outbreaks are answered rightly, such as `/24 4, /16 1`.
fn smallest(score: &Score) -> String {
    let in_words = |(bits, hosts): (u8, Option<f64>)| match hosts {
        Some(hosts) => format!("/{bits} {hosts}"),
        None => format!("/{bits} -"),
    };
    score.smallest_found().into_iter().map(in_words).collect::<Vec<_>>().join(", ")
}

fn row(name: &str, score: &Score) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{}+{}", score.known, score.unknown),
        with_interval(score.answered, score.known),
        with_interval(score.large_answered, score.large),
        with_interval(score.right, score.answered),
        percent(score.recall_of_three()),
        with_interval(score.false_attributions, score.unknown),
        percent(score.calibration_error()),
        smallest(score),
    ]
}

fn rows(evaluation: &Evaluation) -> Vec<Vec<String>> {
    let head = HEAD.map(str::to_owned).to_vec();
    std::iter::once(head).chain(evaluation.methods.iter().map(|(name, score)| row(name, score))).collect()
}

/// Returns the median and the ninth decile of ascending numbers of days, such as `median 7 days, nine in ten
/// within 28`.
fn days_in_words(days: &[usize]) -> String {
    let at = |tenths: usize| days.get((days.len() * tenths / 10).min(days.len().saturating_sub(1)));
    match (at(5), at(9)) {
        (Some(half), Some(most)) => format!("median {half} days, nine in ten within {most}"),
        _ => "no outbreak was answered rightly".to_owned(),
    }
}

impl Answer for Evaluation {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json, Format::Markdown];

    /// Writes the table with explanations, calibration and thresholds, as text.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        table(out, &rows(self))?;
        writeln!(out)?;
        let (name, score) = self.methods.first().map_or(("", None), |(name, score)| (*name, Some(score)));
        writeln!(
            out,
            "cases: with a sample that is the cause + without. answered: of those with. right: of those answered."
        )?;
        writeln!(
            out,
            "large answered: share of outbreaks with at least {LARGE_HOST_DAYS} expected host-days. Brackets: 95 % confidence intervals."
        )?;
        writeln!(
            out,
            "false: answered where no sample is the cause. smallest found: hosts a day by the sensor's prefix from which"
        )?;
        writeln!(out, "on half of the outbreaks are answered rightly.")?;
        writeln!(
            out,
            "\n{name}, days from the onset to the right answer: {}",
            days_in_words(&self.days_to_answer)
        )?;
        writeln!(out, "{name}, by kind of case: cases, answered, of these rightly:")?;
        for (kind, (cases, answered, right)) in score.into_iter().flat_map(|score| &score.by_kind) {
            writeln!(out, "  {kind:<30} {cases:>5} {answered:>5} {right:>5}")?;
        }
        writeln!(out, "{name}, stated probability and how often it holds:")?;
        for (count, sum, hits) in
            score.into_iter().flat_map(|score| &score.reliability).filter(|bin| bin.0 > 0)
        {
            let count_of = *count as f64;
            writeln!(
                out,
                "  {:5.1} %  {:5.1} %  of {count}",
                sum / count_of * 100.0,
                *hits as f64 / count_of * 100.0
            )?;
        }
        writeln!(out, "{name}, if it answered from another probability on: answered, right, false:")?;
        for (threshold, at) in score.into_iter().flat_map(Score::by_threshold) {
            let [answered, right, false_attributions] = at.map(percent);
            writeln!(
                out,
                "  {:5.1} %  {answered:>7}  {right:>7}  {false_attributions:>7}",
                threshold * 100.0
            )?;
        }
        let (slope, intercept) = self.calibration;
        writeln!(out, "logistic calibration of these: slope {slope:.3}, intercept {intercept:.3}")
    }

    /// Writes the table in Markdown.
    fn markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        for (place, row) in rows(self).into_iter().enumerate() {
            writeln!(out, "| {} |", row.join(" | "))?;
            if place == 0 {
                writeln!(out, "|{}", "---|".repeat(row.len()))?;
            }
        }
        Ok(())
    }

    /// Writes one line of JSON per way of answering.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for (place, (way, score)) in self.methods.iter().enumerate() {
            let bin = |(cases, sum, hits): &(usize, f64, usize)| BinJson {
                cases: *cases,
                stated: sum / *cases as f64,
                held: *hits as f64 / *cases as f64,
            };
            let at = |(from, [answered, right, false_attributions]): (f64, [f64; 3])| ThresholdJson {
                from,
                answered,
                right,
                false_attributions,
            };
            let of_kind = |(kind, (cases, answered, right)): (&&'static str, &(usize, usize, usize))| {
                KindJson { kind, cases: *cases, answered: *answered, right: *right }
            };
            let view = WayJson {
                way,
                with_cause: score.known,
                without_cause: score.unknown,
                answered: score.coverage(),
                right: score.precision(),
                cause_among_three: score.recall_of_three(),
                false_attributions: score.false_share(),
                calibration_error: score.calibration_error(),
                large: LargeJson { cases: score.large, answered: score.coverage_of_large() },
                intervals: IntervalsJson {
                    answered: share_interval(score.answered, score.known),
                    large_answered: share_interval(score.large_answered, score.large),
                    right: share_interval(score.right, score.answered),
                    false_attributions: share_interval(score.false_attributions, score.unknown),
                },
                smallest_found: score.smallest_found(),
                by_kind: score.by_kind.iter().map(of_kind).collect(),
                reliability: score.reliability.iter().filter(|bin| bin.0 > 0).map(bin).collect(),
                thresholds: score.by_threshold().map(at).collect(),
                days_to_answer: (place == 0).then_some(self.days_to_answer.as_slice()),
            };
            crate::escape::json_line(out, &view)?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct BinJson {
    cases: usize,
    stated: f64,
    held: f64,
}

#[derive(Serialize)]
struct ThresholdJson {
    from: f64,
    answered: f64,
    right: f64,
    false_attributions: f64,
}

#[derive(Serialize)]
struct KindJson<'a> {
    kind: &'a str,
    cases: usize,
    answered: usize,
    right: usize,
}

#[derive(Serialize)]
struct LargeJson {
    cases: usize,
    answered: f64,
}

/// Intervals in which the shares lie with 95 %.
#[derive(Serialize)]
struct IntervalsJson {
    answered: (f64, f64),
    large_answered: (f64, f64),
    right: (f64, f64),
    false_attributions: (f64, f64),
}

#[derive(Serialize)]
struct WayJson<'a> {
    way: &'a str,
    with_cause: usize,
    without_cause: usize,
    answered: f64,
    right: f64,
    cause_among_three: f64,
    false_attributions: f64,
    calibration_error: f64,
    large: LargeJson,
    intervals: IntervalsJson,
    smallest_found: Vec<(u8, Option<f64>)>,
    by_kind: Vec<KindJson<'a>>,
    reliability: Vec<BinJson>,
    thresholds: Vec<ThresholdJson>,
    days_to_answer: Option<&'a [usize]>,
}
