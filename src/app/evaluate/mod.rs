//! Use case: how good the answers are, measured on outbreaks whose cause is known, beside baselines and ablations.

mod baseline;
mod conditions;
mod family;
mod probe_maker;
mod sandbox;
mod traffic;
mod victim;
mod world;

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::correlate::{
    Candidate, CaseAnswer, CaseTruth, CauseEvidence, EnabledEvidence, Evaluation, Hypothesis, NoEvidence,
    RISE_Q_MAX, Score, SensorCandidates, Verdict, calibration, cause_evidence, likely_from,
};
use crate::rules::Rules;
use crate::sample::ScanVariant;

pub use conditions::WorldKind;
pub use family::FamilySet;

use super::correlate::{SensorAssessment, assess_sensors, evidence_of, judge_sensors};
use super::{AppError, parallel};
use world::Case;

/// Days after an onset at which it is asked whether the answer is there already.
const DAYS_AFTER: [usize; 6] = [3, 5, 7, 10, 14, 28];

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluationOptions {
    /// Which worlds.
    pub world_kind: WorldKind,
    /// Which families.
    pub family_set: FamilySet,
    /// How many outbreaks.
    pub cases: u64,
    /// Threads that may share the work; the figures do not depend on it.
    pub threads: usize,
}

/// Measures.
///
/// # Errors
/// When a history in memory fails.
pub fn evaluate(question: &EvaluationOptions, rules: &Rules) -> Result<Evaluation, AppError> {
    let work = |number| {
        world::draw(question.family_set, question.world_kind, number, rules)
            .and_then(|case| judge(&case, rules))
    };
    let found = parallel::map(question.threads, 0..question.cases, work);
    let mut evaluation = Evaluation::default();
    let mut said_and_held = Vec::new();
    for judged in found {
        let JudgedCase { truth, ways, days } = judged?;
        evaluation.methods.resize(ways.len(), ("", Score::default()));
        for ((name, said), (kept, score)) in ways.iter().zip(&mut evaluation.methods) {
            *kept = name;
            score.add(&truth, said);
        }
        let first = ways.first().and_then(|(_, said)| said.ranked.first());
        said_and_held.extend(first.map(|(id, probability)| (*probability, Some(id) == truth.cause.as_ref())));
        evaluation.days_to_answer.extend(days);
    }
    evaluation.days_to_answer.sort_unstable();
    evaluation.calibration = calibration(&said_and_held);
    Ok(evaluation)
}

/// One case with what each way of answering said.
struct JudgedCase {
    truth: CaseTruth,
    ways: Vec<(&'static str, CaseAnswer)>,
    days: Option<usize>,
}

fn judge(case: &Case, rules: &Rules) -> Result<JudgedCase, AppError> {
    let mut sensors = assess_sensors(&case.samples, &case.store, rules)?;
    let hypotheses = judge_sensors(&case.samples, &sensors, &case.store, rules)?;
    let mut ways = vec![("inga", answer_of_hypotheses(&hypotheses))];
    ways.push(("MD5 before and after its date", baseline::md5(case)?));
    ways.push(("port before and after its date", baseline::port(case)?));
    let without = |change: &dyn Fn(&mut EnabledEvidence)| {
        let mut enabled = EnabledEvidence::default();
        change(&mut enabled);
        answer_of_evidence(case, &evidence_of(&sensors, &enabled))
    };
    ways.push(("without the sample's date", without(&|enabled| enabled.timing = false)));
    ways.push(("without unknown scanners", without(&|enabled| enabled.unknown_scanners = false)));
    ways.push(("without what was expected", without(&|enabled| enabled.expected = false)));
    ways.push(("without families", without(&|enabled| enabled.families = false)));
    ways.push(("without probe signatures", without(&|enabled| enabled.signatures = false)));
    let truth = CaseTruth {
        cause: case.cause.clone(),
        kind: case.kind,
        bits: case.bits,
        hosts_a_day: case.hosts_a_day,
        host_days: case.host_days,
    };
    let days = days_to_answer(case, &sensors);
    for sensor in &mut sensors {
        for (candidate, sample) in sensor.candidates.iter_mut().zip(&case.samples) {
            candidate.variants = vec![ScanVariant::from_run(&sample.profile, 1.0)];
        }
    }
    let of_run = answer_of_evidence(case, &evidence_of(&sensors, &EnabledEvidence::default()));
    ways.push(("without projection", of_run));
    Ok(JudgedCase { truth, ways, days })
}

/// Returns the answer that the verdicts give: the most probable family, if it is called likely.
fn answer_of_hypotheses(hypotheses: &[Hypothesis]) -> CaseAnswer {
    let mut found: BTreeMap<&str, FamilyAnswer> = BTreeMap::new();
    for hypothesis in hypotheses {
        let name = hypothesis.family.as_deref().unwrap_or(&hypothesis.sample);
        let probability = hypothesis.evidence.as_ref().map_or(0.0, |evidence| evidence.family_probability);
        let is_likely = hypothesis.verdict == Verdict::Likely;
        found.entry(name).or_default().add(probability, is_likely, hypothesis.rise_is_unusual());
    }
    answer(found)
}

/// Returns the answer that evidence gives by itself, as if each sample were the only one that is asked for.
fn answer_of_evidence(case: &Case, evidence: &[Vec<Result<CauseEvidence, NoEvidence>>]) -> CaseAnswer {
    let mut found: BTreeMap<&str, FamilyAnswer> = BTreeMap::new();
    for (sample, evidence) in evidence.iter().flat_map(|all| case.samples.iter().zip(all)) {
        let name = sample.report.family.as_deref().unwrap_or(&sample.profile.id);
        let Ok(evidence) = evidence else { continue };
        let probability = evidence.family_probability;
        let rose = evidence.rise.p <= RISE_Q_MAX;
        let is_likely = rose && probability >= likely_from(std::iter::once(probability));
        found.entry(name).or_default().add(probability, is_likely, rose);
    }
    answer(found)
}

/// What the samples of one family come to at all sensors.
#[derive(Clone, Copy, Default)]
struct FamilyAnswer {
    /// The highest probability of the family.
    probability: f64,
    /// Whether any verdict is likely.
    is_likely: bool,
    /// Whether any rise is unusual.
    rose: bool,
}

impl FamilyAnswer {
    fn add(&mut self, probability: f64, is_likely: bool, rose: bool) {
        self.probability = self.probability.max(probability);
        self.is_likely |= is_likely;
        self.rose |= rose;
    }
}

/// Ranks families: those that are likely first, then by probability.
fn answer(found: BTreeMap<&str, FamilyAnswer>) -> CaseAnswer {
    let mut ranked: Vec<(&str, FamilyAnswer)> = found.into_iter().collect();
    ranked.sort_by(|(_, a), (_, b)| {
        b.is_likely.cmp(&a.is_likely).then(b.probability.total_cmp(&a.probability))
    });
    let first = ranked.first().map(|(_, one)| *one).unwrap_or_default();
    CaseAnswer {
        answers: first.is_likely,
        would_answer: first.rose,
        ranked: ranked.into_iter().map(|(name, one)| (name.to_owned(), one.probability)).collect(),
    }
}

/// Returns the days from the onset to the first of some days by whose history the answer is right.
fn days_to_answer(case: &Case, sensors: &[SensorAssessment]) -> Option<usize> {
    let cause = case.cause.as_ref()?;
    let is_right = |days: &usize| {
        let days = i64::try_from(*days).unwrap_or(i64::MAX);
        let last = case.onset.saturating_add(jiff::Span::new().days(days));
        let answer = answer_of_evidence(case, &evidence_until(sensors, last));
        answer.answers && answer.ranked.first().map(|(name, _)| name) == Some(cause)
    };
    DAYS_AFTER.into_iter().find(is_right)
}

/// Returns the evidence as known at the end of a day. Samples with a later date are not candidates yet.
fn evidence_until(sensors: &[SensorAssessment], last: Date) -> Vec<Vec<Result<CauseEvidence, NoEvidence>>> {
    let until = |one: &SensorAssessment| {
        let known = |candidate: &Candidate| match candidate.date {
            Some(date) if date.first > last => Candidate { variants: Vec::new(), ..candidate.clone() },
            _ => candidate.clone(),
        };
        (one.series.until(last), one.candidates.iter().map(known).collect::<Vec<_>>())
    };
    let known: Vec<_> = sensors.iter().map(until).collect();
    let views = known.iter().map(|(table, candidates)| SensorCandidates { table, candidates });
    cause_evidence(&views.collect::<Vec<_>>(), &EnabledEvidence::default())
}
