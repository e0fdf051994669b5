//! From questions to ranked hypotheses: matches are gathered, dates tested, and what remains is put in words.

use std::collections::{BTreeMap, BTreeSet};

use crate::behavior::{Ports, ProtocolSet};
use crate::history::Granularity;
use crate::sample::{BehaviorOrigin, PartialDate, ProjectedBehavior, distinct_services};

use super::adjust::adjust;
use super::decision::{Findings, POSSIBLE_MIN, likely_from};
use super::near_miss::near_miss;
use super::words::{change_in_words, evidence_in_words, match_in_words, onset_in_words, unmatched_in_words};
use super::{
    CorrelationInput, Hypothesis, Match, Missing, NearMiss, ObservedBehavior, Onset, Twin, Verdict,
    change_at, change_point, distinguishing_features, unseen_bound,
};

/// Maximum p-value, adjusted for all hypotheses, that counts as a change at the sample's date.
const SIGNIFICANT: f64 = 0.05;
/// Share of hosts with a scanning tool's mark above which the tool is the better explanation.
const TOOL_SHARE_MAX: f64 = 0.5;
/// Services told one by one where nothing came on any.
const SERVICES_NAMED_MAX: usize = 8;
/// Samples that look alike of which it is told what would separate them.
const SEPARATED_MAX: usize = 3;
/// Near misses kept of one question.
const NEAR_MISSES_MAX: usize = 3;
/// A sample with a smaller part of the probability of its family is not named as the cause.
const FAMILY_PART_MIN: f64 = 0.1;
/// Minimum number of host-days that a sample must explain at a sensor to be named there: two may come by chance.
const EXPLAINED_MIN: f64 = 3.0;

/// Judges all questions together: tests are adjusted for their number, samples that share a behavior at a
/// sensor compete, and the hypotheses are ranked.
#[must_use]
pub fn judge(questions: &[CorrelationInput<'_>]) -> Vec<Hypothesis> {
    let mut all: Vec<Hypothesis> = questions.iter().flat_map(hypotheses).collect();
    adjust(&mut all);
    let likely_from = likely_probability(&all);
    for hypothesis in &mut all {
        decide(hypothesis, likely_from);
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

/// Returns the probability from which on a family is likely. Each family with an unusual rise counts once.
fn likely_probability(all: &[Hypothesis]) -> f64 {
    let mut families: BTreeMap<&str, f64> = BTreeMap::new();
    for hypothesis in all.iter().filter(|one| one.rise_is_unusual()) {
        let Ok(evidence) = &hypothesis.evidence else { continue };
        let name = hypothesis.family.as_deref().unwrap_or(&hypothesis.sample);
        let probability = families.entry(name).or_default();
        *probability = probability.max(evidence.family_probability);
    }
    likely_from(families.into_values())
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
        family: question.family.map(str::to_owned),
        alike: twins(question, question.evidence.iter().flat_map(|claim| &claim.alike)),
        relatives: twins(question, question.evidence.iter().flat_map(|claim| &claim.relatives)),
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

/// Returns samples by their places among those asked for.
fn twins<'a>(question: &CorrelationInput<'_>, places: impl Iterator<Item = &'a usize>) -> Vec<Twin> {
    let twin = |place: &usize| {
        let known = question.samples.get(*place)?;
        Some(Twin { id: known.id.clone(), title: known.title.clone() })
    };
    places.filter_map(twin).collect()
}

/// What would tell the sample from those that the sensor cannot tell from it.
fn distinguishing_in_words(question: &CorrelationInput<'_>) -> Vec<String> {
    let places = question.evidence.iter().flat_map(|claim| claim.alike.iter().chain(&claim.relatives));
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

/// Returns what came nearest to the sample: the sensor's behaviors are compared with those that the sample showed in
/// its run. What a sensor would see of it depends on assumed rates, and counts only where the run shows nothing.
fn near_misses(question: &CorrelationInput<'_>) -> Vec<NearMiss> {
    let of_run = question.projected.iter().filter(|one| one.origin != BehaviorOrigin::Projected);
    let of_run: Vec<ProjectedBehavior> = of_run.cloned().collect();
    let comparable = if of_run.is_empty() { question.projected } else { &of_run };
    let matched: BTreeSet<&str> =
        question.observed.iter().map(|seen| seen.behavior.behavior.canonical.as_str()).collect();
    let mut near: Vec<NearMiss> = question
        .neighbours
        .iter()
        .filter(|total| !matched.contains(total.record.behavior.canonical.as_str()))
        .filter_map(|total| near_miss(comparable, total))
        .collect();
    near.sort_by(|a, b| a.gaps.len().cmp(&b.gaps.len()).then(b.windows.cmp(&a.windows)));
    near.truncate(NEAR_MISSES_MAX);
    near
}

fn findings(hypothesis: &Hypothesis) -> Findings {
    let significant = |q: Option<f64>| q.is_some_and(|q| q <= SIGNIFICANT);
    Findings {
        changed: significant(hypothesis.level_q) || significant(hypothesis.volatility_q),
        rose: hypothesis.rise_is_unusual(),
        tool: hypothesis.tool_share > TOOL_SHARE_MAX,
    }
}

fn decide(hypothesis: &mut Hypothesis, likely_from: f64) {
    let (verdict, reasons) = match &hypothesis.matched {
        None => (unmatched_verdict(hypothesis), unmatched_in_words(hypothesis)),
        Some(matched) => decide_matched(hypothesis, matched, likely_from),
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

fn decide_matched(hypothesis: &Hypothesis, matched: &Match, likely_from: f64) -> (Verdict, Vec<String>) {
    if matched.is_backscatter {
        let reason = "the behavior is backscatter: answers to packets with spoofed sources, by hosts that scan nothing";
        return (Verdict::CannotTell, vec![reason.to_owned()]);
    }
    let found = findings(hypothesis);
    let mut reasons = evidence_in_words(hypothesis);
    reasons.push(match_in_words(hypothesis, matched));
    reasons.push(change_in_words(hypothesis, &found));
    reasons.extend(onset_in_words(hypothesis));
    if found.tool {
        reasons.insert(
            0,
            format!(
                "{:.0} % of the hosts bear the mark of a public scanning tool, which explains them better",
                hypothesis.tool_share * 100.0
            ),
        );
        return (Verdict::CannotTell, reasons);
    }
    let verdict = if found.rose { verdict_of_rise(hypothesis, likely_from) } else { Verdict::CannotTell };
    (verdict, reasons)
}

/// Returns the verdict on a sample whose behaviors rose unusually.
fn verdict_of_rise(hypothesis: &Hypothesis, likely_from: f64) -> Verdict {
    let Ok(evidence) = &hypothesis.evidence else { return Verdict::CannotTell };
    let family = evidence.family_probability;
    let is_named = evidence.explained >= EXPLAINED_MIN && evidence.probability >= FAMILY_PART_MIN * family;
    if !is_named {
        return Verdict::CannotTell;
    }
    if family >= likely_from {
        Verdict::Likely
    } else if !hypothesis.alike.is_empty() && evidence.group_probability >= POSSIBLE_MIN {
        Verdict::Indistinguishable(hypothesis.alike.clone())
    } else if family >= POSSIBLE_MIN {
        Verdict::Possible
    } else {
        Verdict::CannotTell
    }
}

/// The weight of the evidence: the probability of the family and of the sample, and, to order those that are equally
/// probable, how fine the match is, how it follows from the run, and how rare the behavior is. It orders; it is no
/// probability.
fn score(hypothesis: &Hypothesis) -> f64 {
    let Some(matched) = &hypothesis.matched else { return 0.0 };
    if matched.is_backscatter {
        return 0.0;
    }
    let granularity = match hypothesis.granularity {
        Some(Granularity::Type) => 0.3,
        Some(Granularity::Shape) => 0.2,
        _ => 0.1,
    };
    let origin = match matched.origin {
        BehaviorOrigin::Window => 0.3,
        BehaviorOrigin::Facet => 0.2,
        BehaviorOrigin::Projected => 0.1,
    };
    let rarity = -matched.rarity.max(1e-4).log10() / 20.0;
    let (family, own) = hypothesis
        .evidence
        .as_ref()
        .map_or((0.0, 0.0), |evidence| (evidence.family_probability, evidence.probability));
    let explained = 1.0 - hypothesis.tool_share.min(1.0);
    (granularity + origin * matched.share.sqrt() + rarity + 4.0 * family + own) * explained
}
