//! The steps of a verdict in words, with their numbers.

use crate::escape::without_negative_zero;
use crate::sample::BehaviorOrigin;

use super::judge::Findings;
use super::{Hypothesis, Match, Missing};

/// A count with its noun.
#[must_use]
pub fn count_with_noun(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Why nothing was matched, and how much that says.
pub(super) fn unmatched_in_words(hypothesis: &Hypothesis) -> Vec<String> {
    let mut reasons = vec![match &hypothesis.missing {
        Some(Missing::Run(why)) => {
            return vec![format!("the sample's run shows nothing: {why}")];
        }
        Some(Missing::Scan) => {
            return vec!["the sample's run shows no scan, so no darknet can see it".to_owned()];
        }
        Some(Missing::Services(services)) => {
            format!("nothing came to the sensor on what the sample scans: {}", services.join(", "))
        }
        _ => "the sensor saw none of the sample's behaviors, though others on the same ports".to_owned(),
    }];
    match &hypothesis.bound {
        Some(Ok(bound)) => reasons.push(format!(
            "so over {} fewer than {} scanned like it at 95 % (if they scan as the run does, at its rate, all the time)",
            count_with_noun(bound.days, "observed day"),
            count_with_noun(bound.hosts, "host"),
        )),
        Some(Err(why)) => reasons.push(format!("no bound: {why}")),
        None => {}
    }
    reasons
}

pub(super) fn match_in_words(hypothesis: &Hypothesis, matched: &Match, found: &Findings) -> String {
    let how = match matched.origin {
        BehaviorOrigin::Window => "a whole window of the sample's run",
        BehaviorOrigin::Facet => "one port of the sample's scan",
        BehaviorOrigin::Projected => "what a sensor sees that catches one destination of the sample's scan",
    };
    let granularity = hypothesis.granularity.map_or_else(String::new, |granularity| granularity.to_string());
    let weight = if found.specific { "" } else { "; too common a behavior to tell a sample by" };
    format!(
        "match at {granularity} granularity: {how} ({:.0} % of it), {} of {} at the sensor, {:.2} % of all its windows{weight}",
        matched.share * 100.0,
        count_with_noun(matched.windows, "window"),
        count_with_noun(matched.hosts.total, "host"),
        matched.rarity * 100.0
    )
}

pub(super) fn change_in_words(hypothesis: &Hypothesis, found: &Findings) -> String {
    match &hypothesis.change {
        Err(why) => format!("no test of change: {why}"),
        Ok(change) => format!(
            "{}: {:.1} to {:.1} hosts a day at {} (p {:.3}), day-to-day step {:.1} to {:.1} (p {:.3}), against {} other dates",
            if found.changed {
                "change at the sample's date"
            } else {
                "no unusual change at the sample's date"
            },
            without_negative_zero(change.level.before, 1),
            without_negative_zero(change.level.after, 1),
            change.date,
            change.level.p,
            without_negative_zero(change.volatility.before, 1),
            without_negative_zero(change.volatility.after, 1),
            change.volatility.p,
            change.null_dates
        ),
    }
}

/// What the history says for the sample among all causes.
pub(super) fn evidence_in_words(hypothesis: &Hypothesis) -> Vec<String> {
    let claim = match &hypothesis.evidence {
        Ok(claim) => claim,
        Err(why) => return vec![format!("no weighing of causes: {why}")],
    };
    let unusual = match (claim.p, hypothesis.rise_q) {
        (Some(p), Some(q)) => format!(
            "as strong at {:.1} % of other dates and patterns of equal rarity (adjusted for all samples: {:.1} %)",
            p * 100.0,
            q * 100.0
        ),
        _ => "too few other dates and patterns of equal rarity to say how unusual that is".to_owned(),
    };
    let mut reasons = vec![
        format!(
            "strongest rise of its habits near its date: on {} by {:.1} deviations, {unusual}",
            claim.rise.day,
            without_negative_zero(claim.rise.deviations, 1)
        ),
        format!(
            "as the cause of what rose then, among all samples, unknown scanners and chance: {:.0} % (unknown scanners {:.0} %); alone it explains {:.0} of {:.0} host-days more than before",
            without_negative_zero(claim.probability * 100.0, 0),
            without_negative_zero(claim.unknown * 100.0, 0),
            without_negative_zero(claim.explained, 0),
            without_negative_zero(claim.excess, 0)
        ),
    ];
    if !hypothesis.alike.is_empty() {
        let count = count_with_noun(hypothesis.alike.len() as u64, "other sample");
        let group = without_negative_zero(claim.group_probability * 100.0, 0);
        reasons.push(format!("{count} of this run would look the same at this sensor; one of them is the cause with {group:.0} %"));
        reasons.extend(hypothesis.distinguishing.iter().cloned());
    }
    reasons
}

pub(super) fn onset_in_words(hypothesis: &Hypothesis, found: &Findings) -> Option<String> {
    let onset = hypothesis.onset.as_ref()?;
    let (span, what) = hypothesis.sample_date?;
    let days = onset.lag?;
    let agrees = if found.timely { "agrees" } else { "does not speak for it; samples may be caught late" };
    let (earliest, latest) = onset.day_range;
    let began = match earliest == latest {
        true => format!("onset on {latest}"),
        false => format!("onset between {earliest} and {latest} (no data between)"),
    };
    let date = format!("the date when the sample was {what} ({span})");
    Some(match days {
        0 => format!("{began}, on {date}: {agrees}"),
        1.. => format!("{began}, {} after {date}: {agrees}", count_with_noun(days.unsigned_abs(), "day")),
        _ => format!("{began}, {} before {date}: {agrees}", count_with_noun(days.unsigned_abs(), "day")),
    })
}
