//! Use case: how good the answers are, measured on outbreaks whose cause is known, beside baselines and ablations.

mod baseline;
mod family;
mod sandbox;
mod victim;
mod world;

use crate::correlate::{
    Candidate, CaseAnswer, CaseTruth, EnabledEvidence, Evaluation, PROBABLE, Score, calibration,
};
use crate::rules::Rules;
use crate::sample::ScanVariant;

pub use family::FamilySet;

use super::correlate::{SensorAssessment, assess_sensors};
use super::{AppError, parallel};
use world::Case;

/// Days after an onset at which it is asked whether the answer is there already.
const DAYS_AFTER: [usize; 6] = [3, 5, 7, 10, 14, 28];

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluationOptions {
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
    let work = |number| world::draw(question.family_set, number, rules).and_then(|case| judge(&case, rules));
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
    let weighed = assess_sensors(&case.samples, &case.store, rules)?;
    let mut ways = vec![("inga", ranked_answer(case, &weighed, true))];
    ways.push(("MD5 before and after its date", baseline::md5(case)?));
    ways.push(("port before and after its date", baseline::port(case)?));
    let without = |change: &dyn Fn(&mut EnabledEvidence)| {
        let mut weighing = EnabledEvidence::default();
        change(&mut weighing);
        let sensors = weighed.iter().map(|one| one.reweighed(&weighing)).collect::<Vec<_>>();
        ranked_answer(case, &sensors, true)
    };
    let run_only: Vec<SensorAssessment> = weighed
        .iter()
        .map(|one| {
            one.with_candidates(one.candidates.iter().zip(&case.samples).map(|(candidate, sample)| {
                Candidate {
                    variants: vec![ScanVariant::from_run(&sample.profile, 1.0)],
                    date: candidate.date,
                }
            }))
        })
        .collect();
    ways.push(("without projection", ranked_answer(case, &run_only, true)));
    ways.push(("without null", ranked_answer(case, &weighed, false)));
    ways.push(("without the sample's date", without(&|weighing| weighing.timing = false)));
    ways.push(("without unknown scanners", without(&|weighing| weighing.unknown_scanners = false)));
    ways.push(("without what was expected", without(&|weighing| weighing.expected = false)));
    let days = days_to_answer(case, &weighed);
    let truth = CaseTruth { cause: case.cause.clone(), bits: case.bits, hosts_a_day: case.hosts_a_day };
    Ok(JudgedCase { truth, ways, days })
}

/// What the claims of all sensors come to: each sample by its best, answered where that is probable and unusual.
fn ranked_answer(case: &Case, weighed: &[SensorAssessment], null: bool) -> CaseAnswer {
    let mut ranked: Vec<(String, f64, bool)> = case
        .samples
        .iter()
        .enumerate()
        .map(|(place, sample)| {
            let claims = weighed.iter().filter_map(|one| one.evidence[place].as_ref().ok());
            let best = claims.max_by(|a, b| a.probability.total_cmp(&b.probability));
            let (probability, unusual) =
                best.map_or((0.0, false), |claim| (claim.probability, claim.is_unusual(claim.p)));
            (sample.profile.id.clone(), probability, unusual || !null)
        })
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let first = ranked.first();
    let would_answer = first.is_some_and(|(_, _, unusual)| *unusual);
    let answers = would_answer && first.is_some_and(|(_, probability, _)| *probability >= PROBABLE);
    let ranked = ranked.into_iter().map(|(id, probability, _)| (id, probability)).collect();
    CaseAnswer { ranked, answers, would_answer }
}

/// Days from the onset to the first of some days by whose history the answer is right.
fn days_to_answer(case: &Case, weighed: &[SensorAssessment]) -> Option<usize> {
    let cause = case.cause.as_ref()?;
    let is_right = |weighed: &[SensorAssessment]| {
        let said = ranked_answer(case, weighed, true);
        said.answers && said.ranked.first().map(|(id, _)| id) == Some(cause)
    };
    DAYS_AFTER.into_iter().find(|days| {
        let known: Vec<SensorAssessment> =
            weighed.iter().map(|one| one.known_until(case.onset, *days)).collect();
        is_right(&known)
    })
}
