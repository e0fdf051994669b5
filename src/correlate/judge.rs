//! From questions to ranked hypotheses: matches are gathered, dates tested, and what remains is put in words.

use std::collections::BTreeSet;

use crate::behavior::{Ports, ProtocolSet};
use crate::history::Granularity;
use crate::sample::{BehaviorOrigin, PartialDate, distinct_services};

use super::adjust::adjust;
use super::cause_evidence::PROBABLE;
use super::near_miss::near_miss;
use super::words::{change_in_words, evidence_in_words, match_in_words, onset_in_words, unmatched_in_words};
use super::{
    CauseEvidence, CorrelationInput, Hypothesis, Match, Missing, NearMiss, ObservedBehavior, Onset, Twin,
    Verdict, change_at, change_point, distinguishing_features, unseen_bound,
};

/// A p-value, adjusted for all hypotheses, that counts as a change.
const SIGNIFICANT: f64 = 0.05;
/// An onset so many days before the sample's date still agrees with it: samples are caught late.
const LAG_DAYS_MIN: i64 = -45;
/// And so many days after it: a name may come before the wave.
const LAG_DAYS_MAX: i64 = 14;
/// Share of hosts with a scanning tool's mark above which the tool is the better explanation.
const TOOL_SHARE_MAX: f64 = 0.5;
/// Services told one by one where nothing came on any.
const SERVICES_NAMED_MAX: usize = 8;
/// Samples that look alike of which it is told what would separate them.
const SEPARATED_MAX: usize = 3;
/// Near misses kept of one question.
const NEAR_MISSES_MAX: usize = 3;
/// A projected behavior must be at least this share of the scan's destinations to count as specific.
const PROJECTED_SHARE_MIN: f64 = 0.2;

/// Judges all questions together: tests are adjusted for their number, samples that share a behavior at a
/// sensor compete, and the hypotheses are ranked.
#[must_use]
pub fn judge(questions: &[CorrelationInput<'_>]) -> Vec<Hypothesis> {
    let mut all: Vec<Hypothesis> = questions.iter().flat_map(hypotheses).collect();
    adjust(&mut all);
    for hypothesis in &mut all {
        decide(hypothesis);
        hypothesis.score = score(hypothesis);
    }
    all.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| a.granularity.cmp(&b.granularity))
            .then_with(|| (&a.sample, &a.sensor).cmp(&(&b.sample, &b.sensor)))
    });
    for (place, hypothesis) in all.iter_mut().enumerate() {
        hypothesis.rank = place + 1;
    }
    all
}

fn hypotheses(question: &CorrelationInput<'_>) -> Vec<Hypothesis> {
    let mut found: Vec<Hypothesis> = [Granularity::Type, Granularity::Shape, Granularity::Pattern]
        .into_iter()
        .filter_map(|granularity| matched(question, granularity))
        .collect();
    if found.is_empty() {
        found.push(unmatched(question));
    }
    let near = near_misses(question);
    for hypothesis in &mut found {
        hypothesis.near_misses.clone_from(&near);
    }
    found
}

/// The best match at a granularity: the strongest origin, then the largest share, then the most hosts.
fn matched(question: &CorrelationInput<'_>, granularity: Granularity) -> Option<Hypothesis> {
    let windows = question.history.sum_totals().windows;
    let mut matches: Vec<Match> = question
        .observed
        .iter()
        .filter(|seen| seen.behavior.granularity == granularity && !seen.series.is_empty())
        .map(|seen| match_of(seen, windows))
        .collect();
    matches.sort_by(|a, b| {
        (a.is_backscatter, a.origin)
            .cmp(&(b.is_backscatter, b.origin))
            .then(b.share.total_cmp(&a.share))
            .then(b.hosts.total.cmp(&a.hosts.total))
            .then_with(|| a.behavior.cmp(&b.behavior))
    });
    let mut matches = matches.into_iter();
    let best = matches.next()?;
    let pivot = question.report.reference_date();
    let daily_hosts = question.history.daily_hosts(&best.series);
    let change = match pivot {
        Some((span, _)) => change_at(&daily_hosts, span.first).map_err(|reason| reason.to_string()),
        None => Err(super::NoStatistic::NoDate.to_string()),
    };
    Some(Hypothesis {
        granularity: Some(granularity),
        onset: onset(&best, &daily_hosts, pivot.map(|(span, _)| span)),
        tool_share: tool_share(&best, question.tool_marks),
        daily_hosts,
        change,
        matched: Some(best),
        other_matches: matches.collect(),
        ..blank(question)
    })
}

fn unmatched(question: &CorrelationInput<'_>) -> Hypothesis {
    let bound = Some(unseen_bound(question.scan, question.projection, question.history));
    Hypothesis { bound, missing: Some(missing(question)), ..blank(question) }
}

fn missing(question: &CorrelationInput<'_>) -> Missing {
    if let Some(why) = question.unread {
        return Missing::Run(why.to_owned());
    }
    if !question.sample.has_scan() {
        return Missing::Scan;
    }
    let came = |protocol: &ProtocolSet, ports: &Ports| {
        let mut seen = question.neighbours.iter().map(|total| &total.record.parameters);
        seen.any(|seen| seen.protocol == *protocol && seen.ports == *ports)
    };
    let services = distinct_services(question.projected);
    if services.iter().any(|(protocol, ports)| came(protocol, ports)) {
        return Missing::Behavior;
    }
    let mut services: Vec<String> =
        services.iter().map(|(protocol, ports)| format!("{ports}/{protocol}")).collect();
    let more = services.len().saturating_sub(SERVICES_NAMED_MAX);
    services.truncate(SERVICES_NAMED_MAX);
    if more > 0 {
        services.push(format!("{more} more"));
    }
    Missing::Services(services)
}

fn blank(question: &CorrelationInput<'_>) -> Hypothesis {
    Hypothesis {
        sample: question.sample.id.clone(),
        title: question.report.title(),
        sensor: question.history.sensor.name.clone(),
        granularity: None,
        verdict: Verdict::CannotTell,
        rank: 0,
        score: 0.0,
        matched: None,
        other_matches: Vec::new(),
        change: Err("nothing was seen, so nothing changed".to_owned()),
        level_q: None,
        volatility_q: None,
        evidence: question.evidence.clone(),
        rise_q: None,
        suspects: None,
        alike: alike(question),
        distinguishing: distinguishing_in_words(question),
        onset: None,
        tool_share: 0.0,
        daily_hosts: Vec::new(),
        bound: None,
        missing: None,
        near_misses: Vec::new(),
        reasons: Vec::new(),
        sample_date: question.report.reference_date(),
    }
}

/// Returns the samples that the claim's sensor cannot distinguish from this one.
fn alike(question: &CorrelationInput<'_>) -> Vec<Twin> {
    let places = question.evidence.iter().flat_map(|claim| &claim.alike);
    let twin = |place: &usize| {
        let known = question.samples.get(*place)?;
        Some(Twin { id: known.id.clone(), title: known.title.clone() })
    };
    places.filter_map(twin).collect()
}

/// What would tell the sample from those that the sensor cannot tell from it.
fn distinguishing_in_words(question: &CorrelationInput<'_>) -> Vec<String> {
    let places = question.evidence.iter().flat_map(|claim| &claim.alike);
    let others = places.filter_map(|place| question.samples.get(*place)).take(SEPARATED_MAX);
    let told = |other: &super::KnownSample| {
        let differences = distinguishing_features(question.scan?, other.scan.as_ref()?);
        let what = match differences.is_empty() {
            true => "nothing that their runs show; a payload or a longer run might".to_owned(),
            false => differences.join("; "),
        };
        Some(format!("from {} it would be told by {what}", other.title))
    };
    others.filter_map(told).collect()
}

#[expect(clippy::cast_precision_loss, reason = "shares of counts")]
fn match_of(seen: &ObservedBehavior, sensor_windows: u64) -> Match {
    let windows: u64 = seen.series.iter().map(|count| count.windows).sum();
    Match {
        behavior: seen.behavior.behavior.clone(),
        parameters: seen.behavior.parameters.clone(),
        origin: seen.behavior.origin,
        share: seen.behavior.share,
        labels: seen.labels.clone(),
        is_backscatter: seen.is_backscatter,
        windows,
        packets: seen.series.iter().map(|count| count.packets).sum(),
        hosts: seen.hosts.clone(),
        rarity: (windows as f64 / sensor_windows.max(1) as f64).min(1.0),
        series: seen.series.clone(),
        observed_type: seen.observed_type.clone(),
        example: seen.example.clone(),
    }
}

fn onset(best: &Match, daily: &super::DailyHosts, pivot: Option<PartialDate>) -> Option<Onset> {
    let change_point = change_point(daily);
    let first_day = best.series.first()?.day;
    let began = match change_point {
        Some(point) => (point.last_before.tomorrow().unwrap_or(point.day), point.day),
        None => (first_day, first_day),
    };
    Some(Onset {
        first: best.hosts.first?,
        last: best.hosts.last?,
        days: best.series.iter().filter(|count| count.windows > 0).count() as u64,
        change_point,
        day_range: began,
        lag: pivot.map(|span| Hypothesis::days_off(began, span)),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a share of counts")]
fn tool_share(best: &Match, tools: &[String]) -> f64 {
    let most =
        best.hosts.mark_counts.iter().filter(|(name, _)| tools.contains(name)).map(|(_, hosts)| *hosts).max();
    most.unwrap_or(0) as f64 / best.hosts.total.max(1) as f64
}

fn near_misses(question: &CorrelationInput<'_>) -> Vec<NearMiss> {
    let matched: BTreeSet<&str> =
        question.observed.iter().map(|seen| seen.behavior.behavior.canonical.as_str()).collect();
    let mut near: Vec<NearMiss> = question
        .neighbours
        .iter()
        .filter(|total| !matched.contains(total.record.behavior.canonical.as_str()))
        .filter_map(|total| near_miss(question.projected, total))
        .collect();
    near.sort_by(|a, b| a.gaps.len().cmp(&b.gaps.len()).then(b.windows.cmp(&a.windows)));
    near.truncate(NEAR_MISSES_MAX);
    near
}

/// What the evidence for a match amounts to.
pub(super) struct Findings {
    pub(super) specific: bool,
    pub(super) changed: bool,
    pub(super) timely: bool,
    pub(super) tool: bool,
    /// The sample is the probable cause of what rose.
    pub(super) probable: bool,
}

fn findings(hypothesis: &Hypothesis, matched: &Match) -> Findings {
    let fine = hypothesis.granularity != Some(Granularity::Pattern);
    let own = matched.origin != BehaviorOrigin::Projected;
    let significant = |q: Option<f64>| q.is_some_and(|q| q <= SIGNIFICANT);
    let lag = hypothesis.onset.as_ref().and_then(|onset| onset.lag);
    let claim = hypothesis.evidence.as_ref().ok();
    let probability = claim.map_or(0.0, |claim| claim.probability);
    Findings {
        probable: probability >= PROBABLE,
        specific: fine && (own || matched.share >= PROJECTED_SHARE_MIN || probability >= PROBABLE),
        changed: significant(hypothesis.level_q)
            || significant(hypothesis.volatility_q)
            || claim.is_some_and(|claim| claim.is_unusual(hypothesis.rise_q)),
        timely: lag.is_some_and(|days| (LAG_DAYS_MIN..=LAG_DAYS_MAX).contains(&days)) || rose_timely(claim),
        tool: hypothesis.tool_share > TOOL_SHARE_MAX,
    }
}

/// Whether the claim's rise began within the time about the sample's date in which samples are caught.
fn rose_timely(claim: Option<&CauseEvidence>) -> bool {
    claim
        .and_then(|claim| claim.rise.days_late)
        .is_some_and(|late| (LAG_DAYS_MIN..=LAG_DAYS_MAX).contains(&-late))
}

fn decide(hypothesis: &mut Hypothesis) {
    let (verdict, reasons) = match &hypothesis.matched {
        None => (unmatched_verdict(hypothesis), unmatched_in_words(hypothesis)),
        Some(matched) => decide_matched(hypothesis, matched),
    };
    hypothesis.verdict = verdict;
    hypothesis.reasons = reasons;
}

fn unmatched_verdict(hypothesis: &Hypothesis) -> Verdict {
    match hypothesis.missing {
        Some(Missing::Scan | Missing::Run(_)) => Verdict::CannotTell,
        _ => Verdict::NotSeen,
    }
}

fn decide_matched(hypothesis: &Hypothesis, matched: &Match) -> (Verdict, Vec<String>) {
    if matched.is_backscatter {
        let reason = "the behavior is backscatter: answers to packets with spoofed sources, by hosts that scan nothing";
        return (Verdict::CannotTell, vec![reason.to_owned()]);
    }
    let found = findings(hypothesis, matched);
    let mut reasons = vec![match_in_words(hypothesis, matched, &found)];
    reasons.push(change_in_words(hypothesis, &found));
    reasons.extend(onset_in_words(hypothesis, &found));
    reasons.extend(evidence_in_words(hypothesis));
    if found.tool {
        reasons.push(format!(
            "{:.0} % of the hosts bear the mark of a public scanning tool, which explains them better",
            hypothesis.tool_share * 100.0
        ));
        return (Verdict::CannotTell, reasons);
    }
    let verdict = match (found.specific, found.changed && found.timely) {
        (true, true) if found.probable => Verdict::Likely,
        (true, true) => Verdict::Possible,
        (true, false) if matched.origin == BehaviorOrigin::Projected => Verdict::CannotTell,
        (true, false) => Verdict::Possible,
        (false, true) => Verdict::Possible,
        (false, false) => Verdict::CannotTell,
    };
    if verdict == Verdict::Possible && !hypothesis.alike.is_empty() {
        return (Verdict::Indistinguishable(hypothesis.alike.clone()), reasons);
    }
    (verdict, reasons)
}

/// The weight of the evidence, in rough decimal orders: what the match is worth by granularity and origin, how
/// rare the behavior is, how unusual the change, whether the dates agree, and how probable the sample is among all
/// causes. It orders; it is no probability.
fn score(hypothesis: &Hypothesis) -> f64 {
    let Some(matched) = &hypothesis.matched else { return 0.0 };
    if matched.is_backscatter {
        return 0.0;
    }
    let granularity = match hypothesis.granularity {
        Some(Granularity::Type) => 1.5,
        Some(Granularity::Shape) => 1.0,
        _ => 0.5,
    };
    let origin = match matched.origin {
        BehaviorOrigin::Window => 1.5,
        BehaviorOrigin::Facet => 1.0,
        BehaviorOrigin::Projected => 0.25,
    };
    let rarity = (-matched.rarity.max(1e-4).log10()) / 2.0;
    let unusual = |q: Option<f64>| q.map_or(0.0, |q| -q.max(1e-4).log10());
    let change = unusual(hypothesis.level_q).max(unusual(hypothesis.volatility_q));
    let timely = if findings(hypothesis, matched).timely { 0.5 } else { 0.0 };
    let explained = 1.0 - hypothesis.tool_share.min(1.0);
    let probability = hypothesis.evidence.as_ref().map_or(0.0, |claim| claim.probability);
    (granularity + origin * matched.share.sqrt() + rarity + change + timely + 2.0 * probability) * explained
}
