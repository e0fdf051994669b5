//! Hypotheses as JSON, one per line. The types here are a view of their own, whose field names are stable.

use std::io::{self, Write};

use serde::Serialize;

use crate::correlate::{
    CauseEvidence, ChangeTest, Gap, Hypothesis, Match, NearMiss, ProbeEvidence, Suspect, Suspects, Twin,
    Verdict,
};
use crate::history::{Granularity, HostSummary};
use crate::packet::Timestamp;
use crate::sample::BehaviorOrigin;

/// Rounds a number to four decimal places, since more digits have no meaning here.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[derive(Serialize)]
struct HostJson<'a> {
    address: String,
    days: u64,
    windows: u64,
    packets: u64,
    first: Timestamp,
    last: Timestamp,
    marks: &'a [String],
}

impl<'a> From<&'a HostSummary> for HostJson<'a> {
    fn from(host: &'a HostSummary) -> HostJson<'a> {
        HostJson {
            address: host.host.to_string(),
            days: host.days,
            windows: host.windows,
            packets: host.packets,
            first: host.first,
            last: host.last,
            marks: &host.marks,
        }
    }
}

#[derive(Serialize)]
struct MatchJson<'a> {
    canonical: &'a str,
    id: crate::behavior::BehaviorId,
    origin: BehaviorOrigin,
    share: f64,
    labels: &'a [String],
    backscatter: bool,
    windows: u64,
    packets: u64,
    host_count: u64,
    sensor_share: f64,
    hosts: Vec<HostJson<'a>>,
}

impl<'a> From<&'a Match> for MatchJson<'a> {
    fn from(matched: &'a Match) -> MatchJson<'a> {
        MatchJson {
            canonical: &matched.behavior.canonical,
            id: matched.behavior.id,
            origin: matched.origin,
            share: rounded(matched.share),
            labels: &matched.labels,
            backscatter: matched.is_backscatter,
            windows: matched.windows,
            packets: matched.packets,
            host_count: matched.hosts.total,
            sensor_share: rounded(matched.rarity),
            hosts: matched.hosts.hosts.iter().map(HostJson::from).collect(),
        }
    }
}

#[derive(Serialize)]
struct GapJson<'a> {
    parameter: &'a str,
    sample: &'a str,
    sensor: &'a str,
    explained_by: Option<&'a str>,
}

#[derive(Serialize)]
struct NearMissJson<'a> {
    canonical: &'a str,
    windows: u64,
    hosts: u64,
    gaps: Vec<GapJson<'a>>,
}

impl<'a> From<&'a NearMiss> for NearMissJson<'a> {
    fn from(near: &'a NearMiss) -> NearMissJson<'a> {
        let gap = |gap: &'a Gap| GapJson {
            parameter: gap.parameter,
            sample: &gap.sample,
            sensor: &gap.sensor,
            explained_by: gap.explained_by,
        };
        NearMissJson {
            canonical: &near.canonical,
            windows: near.windows,
            hosts: near.hosts,
            gaps: near.gaps.iter().map(gap).collect(),
        }
    }
}

#[derive(Serialize)]
struct OnsetJson {
    first: Timestamp,
    last: Timestamp,
    days: u64,
    change_point: Option<String>,
    lag_days: Option<i64>,
}

#[derive(Serialize)]
struct PivotJson {
    date: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct BoundJson {
    fewer_than_hosts: Option<u64>,
    days: Option<u64>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct SuspectJson {
    address: String,
    probability: f64,
    days: u64,
    first_day: String,
}

#[derive(Serialize)]
struct SuspectPrefixJson {
    prefix: String,
    hosts: u64,
    expected: f64,
}

#[derive(Serialize)]
struct SuspectsJson {
    total: u64,
    expected: f64,
    hosts: Vec<SuspectJson>,
    prefixes: Vec<SuspectPrefixJson>,
}

impl From<&Suspects> for SuspectsJson {
    fn from(suspects: &Suspects) -> SuspectsJson {
        let host = |one: &Suspect| SuspectJson {
            address: one.host.to_string(),
            probability: rounded(one.probability),
            days: one.days,
            first_day: one.first.to_string(),
        };
        let prefixes = suspects.prefixes.iter().map(|(prefix, hosts, expected)| SuspectPrefixJson {
            prefix: prefix.to_string(),
            hosts: *hosts,
            expected: rounded(*expected),
        });
        SuspectsJson {
            total: suspects.total,
            expected: rounded(suspects.expected),
            hosts: suspects.hosts.iter().map(host).collect(),
            prefixes: prefixes.collect(),
        }
    }
}

#[derive(Serialize)]
struct ClaimJson<'a> {
    probability: f64,
    family: Option<&'a str>,
    family_probability: f64,
    sensor_probability: f64,
    unknown_probability: f64,
    nothing_probability: f64,
    group_probability: f64,
    onset: String,
    last: String,
    days_late: Option<i64>,
    deviations: f64,
    p: f64,
    q: Option<f64>,
    excess_host_days: f64,
    explained_host_days: f64,
    alike: Vec<&'a str>,
    relatives: Vec<&'a str>,
    probes: Option<ProbeEvidenceJson>,
}

/// How the hosts of a rise build their probes, compared with the sample.
#[derive(Serialize)]
struct ProbeEvidenceJson {
    agreeing_host_days: f64,
    differing_host_days: f64,
    agreeing_before: Option<f64>,
    /// Natural logarithm of the likelihood ratio against an unknown scanner.
    log_ratio: f64,
}

impl From<&ProbeEvidence> for ProbeEvidenceJson {
    fn from(probes: &ProbeEvidence) -> ProbeEvidenceJson {
        ProbeEvidenceJson {
            agreeing_host_days: probes.agreeing,
            differing_host_days: probes.differing,
            agreeing_before: probes.agreeing_before.map(rounded),
            log_ratio: rounded(probes.log_ratio),
        }
    }
}

#[derive(Serialize)]
struct DayJson {
    day: String,
    hosts: Option<u64>,
}

#[derive(Serialize)]
struct HypothesisJson<'a> {
    rank: usize,
    sample: &'a str,
    title: &'a str,
    sensor: &'a str,
    granularity: Option<Granularity>,
    verdict: &'static str,
    indistinguishable_from: Vec<&'a str>,
    score: f64,
    r#match: Option<MatchJson<'a>>,
    also: Vec<MatchJson<'a>>,
    change: Option<&'a ChangeTest>,
    no_change_test: Option<&'a str>,
    level_q: Option<f64>,
    volatility_q: Option<f64>,
    claim: Option<ClaimJson<'a>>,
    no_claim: Option<String>,
    suspects: Option<SuspectsJson>,
    onset: Option<OnsetJson>,
    sample_date: Option<PivotJson>,
    tool_share: f64,
    bound: Option<BoundJson>,
    near_misses: Vec<NearMissJson<'a>>,
    reasons: &'a [String],
    daily_hosts: Vec<DayJson>,
}

fn claim_view<'a>(hypothesis: &'a Hypothesis, claim: &CauseEvidence) -> ClaimJson<'a> {
    ClaimJson {
        probability: rounded(claim.probability),
        family: hypothesis.family.as_deref(),
        family_probability: rounded(claim.family_probability),
        sensor_probability: rounded(claim.sensor_probability),
        unknown_probability: rounded(claim.unknown),
        nothing_probability: rounded(claim.nothing),
        group_probability: rounded(claim.group_probability),
        onset: claim.rise.day.to_string(),
        days_late: claim.rise.days_late,
        last: claim.rise.last.to_string(),
        deviations: rounded(claim.deviations),
        p: rounded(claim.rise.p),
        q: hypothesis.rise_q.map(rounded),
        excess_host_days: rounded(claim.excess),
        explained_host_days: rounded(claim.explained),
        alike: ids(&hypothesis.alike),
        relatives: ids(&hypothesis.relatives),
        probes: claim.probes.as_ref().map(ProbeEvidenceJson::from),
    }
}

/// Returns the identifiers of samples, by which JSON names them.
fn ids(twins: &[Twin]) -> Vec<&str> {
    twins.iter().map(|twin| twin.id.as_str()).collect()
}

fn view(hypothesis: &Hypothesis) -> HypothesisJson<'_> {
    let others = match &hypothesis.verdict {
        Verdict::Indistinguishable(others) => ids(others),
        _ => Vec::new(),
    };
    HypothesisJson {
        rank: hypothesis.rank,
        sample: &hypothesis.sample,
        title: &hypothesis.title,
        sensor: &hypothesis.sensor,
        granularity: hypothesis.granularity,
        verdict: hypothesis.verdict.word(),
        indistinguishable_from: others,
        score: rounded(hypothesis.score),
        r#match: hypothesis.matched.as_ref().map(MatchJson::from),
        also: hypothesis.other_matches.iter().map(MatchJson::from).collect(),
        change: hypothesis.change.as_ref().ok(),
        no_change_test: hypothesis.change.as_ref().err().map(String::as_str),
        level_q: hypothesis.level_q.map(rounded),
        volatility_q: hypothesis.volatility_q.map(rounded),
        claim: hypothesis.evidence.as_ref().ok().map(|claim| claim_view(hypothesis, claim)),
        no_claim: hypothesis.evidence.as_ref().err().map(ToString::to_string),
        suspects: hypothesis.suspects.as_ref().map(SuspectsJson::from),
        onset: hypothesis.onset.as_ref().map(|onset| OnsetJson {
            first: onset.first,
            last: onset.last,
            days: onset.days,
            change_point: onset.change_point.map(|point| point.day.to_string()),
            lag_days: onset.lag,
        }),
        sample_date: hypothesis.sample_date.map(|(span, kind)| PivotJson { date: span.to_string(), kind }),
        tool_share: rounded(hypothesis.tool_share),
        bound: hypothesis.bound.as_ref().map(|bound| match bound {
            Ok(bound) => {
                BoundJson { fewer_than_hosts: Some(bound.hosts), days: Some(bound.days), reason: None }
            }
            Err(reason) => BoundJson { fewer_than_hosts: None, days: None, reason: Some(reason.clone()) },
        }),
        near_misses: hypothesis.near_misses.iter().map(NearMissJson::from).collect(),
        reasons: &hypothesis.reasons,
        daily_hosts: hypothesis
            .daily_hosts
            .iter()
            .map(|(day, hosts)| DayJson { day: day.to_string(), hosts: *hosts })
            .collect(),
    }
}

/// Writes one line of JSON per hypothesis, in the order of the ranks.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub(super) fn json(out: &mut dyn Write, all: &[Hypothesis]) -> io::Result<()> {
    for hypothesis in all {
        crate::escape::json_line(out, &view(hypothesis))?;
    }
    Ok(())
}
