//! The steps of a verdict in words, with their numbers.

use crate::escape::without_negative_zero;
use crate::sample::BehaviorOrigin;

use super::decision::Findings;
use super::{Hypothesis, Match, Missing, ProbeEvidence};

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
            "with 95 % confidence, fewer than {} scanned like it over {} (assuming that each scans all the time at the rate of the sample's run)",
            count_with_noun(bound.hosts, "host"),
            count_with_noun(bound.days, "observed day"),
        )),
        Some(Err(why)) => reasons.push(format!("no bound: {why}")),
        None => {}
    }
    reasons
}

pub(super) fn match_in_words(hypothesis: &Hypothesis, matched: &Match) -> String {
    let how = match matched.origin {
        BehaviorOrigin::Window => "a whole window of the sample's run",
        BehaviorOrigin::Facet => "one port of the sample's scan",
        BehaviorOrigin::Projected => "what a sensor sees that catches one destination of the sample's scan",
    };
    let granularity = hypothesis.granularity.map_or_else(String::new, |granularity| granularity.to_string());
    format!(
        "match at {granularity} granularity: {how} ({:.0} % of it), {} of {} at the sensor, {:.2} % of all its windows",
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

/// What the histories say for the sample among all causes: the answer first, then what it stands on.
pub(super) fn evidence_in_words(hypothesis: &Hypothesis) -> Vec<String> {
    let evidence = match &hypothesis.evidence {
        Ok(evidence) => evidence,
        Err(why) => return vec![why.to_string()],
    };
    let percent = |share: f64| without_negative_zero(share * 100.0, 0);
    let of = match &hypothesis.family {
        Some(family) => format!("{family} with {:.0} %, this sample", percent(evidence.family_probability)),
        None => "this sample".to_owned(),
    };
    let mut reasons = vec![format!(
        "causes of the rise that began on {}: {of} with {:.0} %, an unknown scanner with {:.0} %, no new cause with {:.0} %",
        evidence.rise.day,
        percent(evidence.probability),
        percent(evidence.unknown),
        percent(evidence.nothing),
    )];
    let unusual = hypothesis.rise_q.unwrap_or(1.0);
    let p = if unusual < 0.001 { "below 0.001".to_owned() } else { format!("{unusual:.3}") };
    reasons.push(format!(
        "adjusted p-value of the rise: {p}; at this sensor it exceeds the forecast by {:.0} host-days ({:+.1} standard deviations), of which this sample alone would explain {:.0}",
        without_negative_zero(evidence.excess, 0),
        without_negative_zero(evidence.deviations, 1),
        without_negative_zero(evidence.explained, 0)
    ));
    reasons.extend(evidence.probes.as_ref().map(probes_in_words));
    if percent(evidence.sensor_probability) + 1.0 < percent(evidence.family_probability) {
        reasons.push(format!(
            "this sensor alone would say {:.0} %; other sensors agree",
            percent(evidence.sensor_probability)
        ));
    }
    if !hypothesis.relatives.is_empty() {
        reasons.push(format!(
            "{} of its family would look the same",
            count_with_noun(hypothesis.relatives.len() as u64, "other sample")
        ));
    }
    if !hypothesis.alike.is_empty() {
        reasons.push(format!(
            "samples of other families that explain the rise as well: {}; one of these families or its own is the cause with {:.0} %",
            hypothesis.alike.len(),
            percent(evidence.group_probability)
        ));
    }
    reasons.extend(hypothesis.distinguishing.iter().cloned());
    reasons
}

/// How the hosts that came build their probes, compared with the sample.
fn probes_in_words(probes: &ProbeEvidence) -> String {
    let hosts = probes.agreeing + probes.differing;
    let share = |part: f64| without_negative_zero(part * 100.0, 0);
    let came = match hosts > 0.0 {
        true => format!(
            "in {:.0} % of {hosts:.0} host-days, the probes agree with those of the sample's software",
            share(probes.agreeing / hosts)
        ),
        false => "no feature of the sample's software can be compared at this sensor, so only the operating system was compared".to_owned(),
    };
    let before = probes.agreeing_before.filter(|_| hosts > 0.0);
    let before = before.map(|before| format!(", before the rise in {:.0} %", share(before)));
    let (direction, odds) = match probes.log_ratio >= 0.0 {
        true => ("for", probes.log_ratio.exp()),
        false => ("against", (-probes.log_ratio).exp()),
    };
    let odds = if odds < 10.0 { format!("{odds:.1}") } else { format!("{:.0}", odds.min(1e6)) };
    format!(
        "{came}{}: odds of {odds} to 1 {direction} the sample, compared with an unknown scanner that scans alike",
        before.unwrap_or_default()
    )
}

pub(super) fn onset_in_words(hypothesis: &Hypothesis) -> Option<String> {
    let rise = &hypothesis.evidence.as_ref().ok()?.rise;
    let (span, what) = hypothesis.sample_date?;
    let days = rise.days_late?;
    let date = format!("the sample was {what} ({span})");
    let apart = count_with_noun(days.unsigned_abs(), "day");
    Some(match days {
        0 => format!("{date} when the rise began"),
        1.. => format!("{date} {apart} after the rise began"),
        _ => format!("{date} {apart} before the rise began"),
    })
}
