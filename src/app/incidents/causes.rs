//! The malware families that may be the causes of incidents.
//!
//! `correlate` weighs each sample at the rise that it explains best. Where that rise is the incident, its verdict
//! counts. A sample whose best rise is another one is weighed on the incident itself as `explain` does, which never
//! says *likely*: that word is calibrated for the answers of `correlate`.

use std::collections::BTreeMap;

use crate::app::AppError;
use crate::app::correlate::{assess_sensors, family_names, judge_sensors};
use crate::app::explain::{ExplainQuery, ExplainedSensor, explain_at_sensor, surge_filter};
use crate::app::history::{coverage_of_sightings, find_sensor, kept_samples};
use crate::app::sandbox::LoadedSample;
use crate::behavior::Behavior;
use crate::correlate::{CauseEvidence, Explanation, Hypothesis, POSSIBLE_MIN, Verdict};
use crate::incident::{ChangeKind, Incident, IncidentCause, IncidentSensor};
use crate::packet::Timestamp;
use crate::rules::Rules;
use crate::sample::PartialDate;
use crate::store::HistoryStore;

use super::DETECTION;

/// A less probable cause is not listed.
const CAUSE_PROBABILITY_MIN: f64 = 0.05;
/// A smaller change of the probability of a cause is not recorded as a change.
const PROBABILITY_STEP: f64 = 0.1;
/// Maximum number of days between an incident's days and the rise that a sample explains best.
const RISE_DAYS_OFF_MAX: i64 = 7;

/// Weighs the causes of incidents, and records the causes whose verdict or probability changed. Two kinds of incidents
/// are weighed: those that differ from `before`, and those whose causes were weighed when the history kept other samples.
/// A sample that becomes a likely cause is linked to the incident.
pub(super) fn weigh_causes(
    store: &dyn HistoryStore,
    rules: &Rules,
    before: &[Incident],
    incidents: &mut [Incident],
    at: Timestamp,
) -> Result<(), AppError> {
    let samples = kept_samples(store)?;
    let weighed = hash_of(&samples);
    let is_due = |(place, incident): (usize, &Incident)| {
        before.get(place) != Some(incident) || incident.weighed != weighed
    };
    let due: Vec<usize> =
        incidents.iter().enumerate().filter(|one| is_due(*one)).map(|(place, _)| place).collect();
    if due.is_empty() {
        return Ok(());
    }
    let weigher = Weigher::load(store, rules, &samples)?;
    let mut sensors: BTreeMap<String, ExplainedSensor> = BTreeMap::new();
    for place in due {
        let incident = &mut incidents[place];
        let explanation = weigher.explain(incident, &mut sensors)?;
        let causes = weigher.causes(incident, explanation.as_ref());
        record(incident, causes, at)?;
        incident.weighed.clone_from(&weighed);
    }
    Ok(())
}

/// Returns whether samples were added or removed since the causes of some incident were weighed.
///
/// # Errors
/// When the history cannot be read.
pub fn has_unweighed_samples(store: &dyn HistoryStore) -> Result<bool, AppError> {
    let weighed = hash_of(&kept_samples(store)?);
    Ok(store.incidents()?.iter().any(|incident| incident.weighed != weighed))
}

/// Returns a hash of the samples and their runs.
fn hash_of(samples: &[LoadedSample]) -> String {
    let mut hash = blake3::Hasher::new();
    for sample in samples {
        hash.update(sample.profile.id.as_bytes());
        hash.update(&(sample.profile.runs.len() as u64).to_le_bytes());
        hash.update(sample.text.as_bytes());
    }
    hash.finalize().to_hex().chars().take(16).collect()
}

/// The causes of an incident, and what else may have been the cause.
struct WeighedCauses {
    causes: Vec<IncidentCause>,
    unknown: Option<f64>,
    nothing: Option<f64>,
}

/// The samples of a history with what `correlate` says of them.
struct Weigher<'a> {
    store: &'a dyn HistoryStore,
    rules: &'a Rules,
    samples: &'a [LoadedSample],
    families: Vec<Option<String>>,
    hypotheses: Vec<Hypothesis>,
}

impl<'a> Weigher<'a> {
    fn load(
        store: &'a dyn HistoryStore,
        rules: &'a Rules,
        samples: &'a [LoadedSample],
    ) -> Result<Weigher<'a>, AppError> {
        let families = family_names(samples, store, rules)?;
        let hypotheses = match samples.is_empty() {
            true => Vec::new(),
            false => judge_sensors(samples, &assess_sensors(samples, store, rules)?, store, rules)?,
        };
        Ok(Weigher { store, rules, samples, families, hypotheses })
    }

    /// Returns the name of the family of a sample, or its id if nothing names one.
    fn family_of(&self, place: usize) -> String {
        self.families[place].clone().unwrap_or_else(|| self.samples[place].profile.id.clone())
    }

    /// Explains an incident by the counts of the sensor that observed the most hosts. `sensors` keeps the loaded sensors by
    /// name, so that each is loaded once.
    fn explain(
        &self,
        incident: &Incident,
        sensors: &mut BTreeMap<String, ExplainedSensor>,
    ) -> Result<Option<Explanation>, AppError> {
        let Some(row) = incident.main_sensor() else { return Ok(None) };
        let Ok(sensor) = find_sensor(self.store, &row.sensor) else { return Ok(None) };
        if !sensors.contains_key(&row.sensor) {
            let loaded = ExplainedSensor::load(self.store, sensor, self.samples, self.rules)?;
            sensors.insert(row.sensor.clone(), loaded);
        }
        let Some(loaded) = sensors.get(&row.sensor) else { return Ok(None) };
        let question = self.question(incident, row)?;
        Ok(explain_at_sensor(self.store, loaded, &question, self.rules)?.ok())
    }

    fn question(&self, incident: &Incident, row: &IncidentSensor) -> Result<ExplainQuery, AppError> {
        let coverage = coverage_of_sightings(self.store, &row.sensor)?;
        let days = coverage.observed_days().filter(|day| (row.first..=row.last).contains(day)).count();
        Ok(ExplainQuery {
            sensor: row.sensor.clone(),
            day: row.first,
            days: u16::try_from(days).unwrap_or(u16::MAX),
            filter: surge_filter(&incident.title.behavior),
        })
    }

    fn causes(&self, incident: &Incident, explanation: Option<&Explanation>) -> WeighedCauses {
        let mut by_family: BTreeMap<String, FamilyCause> = BTreeMap::new();
        for hypothesis in &self.hypotheses {
            if let Some(claim) = self.claim_on(incident, hypothesis) {
                let family = hypothesis.family.clone().unwrap_or_else(|| hypothesis.sample.clone());
                by_family.entry(family).or_default().add_hypothesis(hypothesis, claim);
            }
        }
        for cause in explanation.iter().flat_map(|one| &one.causes) {
            let of_family = by_family.entry(self.family_of(cause.candidate)).or_default();
            let is_rival = |other: &usize| self.families[*other] != self.families[cause.candidate];
            let rivals = cause.alike.iter().any(is_rival);
            let id = &self.samples[cause.candidate].profile.id;
            of_family.add_explained(id, cause.probability, rivals);
        }
        let others = by_family.values().filter_map(|one| one.others).max_by(|a, b| a.0.total_cmp(&b.0));
        let (unknown, nothing) = match (others, explanation) {
            (Some((_, unknown, nothing)), _) => (Some(unknown), Some(nothing)),
            (None, Some(explanation)) => (Some(explanation.unknown), Some(explanation.no_event)),
            (None, None) => (None, None),
        };
        let main = incident.main_sensor().map(|row| row.sensor.as_str());
        let causes = by_family.into_iter().map(|(family, one)| one.finish(family, main));
        let mut causes: Vec<IncidentCause> =
            causes.filter(|cause| cause.probability >= CAUSE_PROBABILITY_MIN).collect();
        causes.sort_by(|a, b| b.probability.total_cmp(&a.probability).then_with(|| a.family.cmp(&b.family)));
        WeighedCauses { causes, unknown, nothing }
    }

    /// Returns the evidence of a hypothesis if the rise that it explains is the incident: at one of its
    /// sensors, within its days, with one of its patterns or its service.
    fn claim_on<'h>(&self, incident: &Incident, hypothesis: &'h Hypothesis) -> Option<&'h CauseEvidence> {
        let claim = hypothesis.evidence.as_ref().ok()?;
        let matched = hypothesis.matched.as_ref()?;
        let row = incident.sensors.iter().find(|row| row.sensor == hypothesis.sensor)?;
        let day = PartialDate { first: claim.rise.day, last: claim.rise.day };
        if Hypothesis::days_off((row.first, row.last), day).abs() > RISE_DAYS_OFF_MAX {
            return None;
        }
        let parameters = &matched.parameters;
        let pattern = Behavior::of_pattern(parameters, &self.rules.profile).id;
        let service = parameters.service();
        let is_same =
            incident.patterns.contains(&pattern) || service.is_some() && service == incident.title.service;
        is_same.then_some(claim)
    }
}

/// The evidence that one malware family is the cause of an incident, summed over its samples and over sensors.
#[derive(Default)]
struct FamilyCause {
    /// Its samples with their probabilities.
    samples: BTreeMap<String, f64>,
    /// The best verdict of `correlate`, with the sensors where it holds.
    verdict: Option<(Verdict, Vec<String>)>,
    /// The probability of the family by `correlate`.
    correlated: f64,
    /// That probability, with those of an unknown scanner and of nothing.
    others: Option<(f64, f64, f64)>,
    /// The summed probability of its samples by `explain`.
    explained: f64,
    /// Whether a sample of another family explains the incident as well.
    has_rivals: bool,
}

impl FamilyCause {
    fn add_hypothesis(&mut self, hypothesis: &Hypothesis, claim: &CauseEvidence) {
        let probability = self.samples.entry(hypothesis.sample.clone()).or_default();
        *probability = probability.max(claim.probability);
        if self.others.is_none_or(|(most, ..)| claim.family_probability > most) {
            self.others = Some((claim.family_probability, claim.unknown, claim.nothing));
        }
        self.correlated = self.correlated.max(claim.family_probability);
        let (verdict, sensor) = (&hypothesis.verdict, &hypothesis.sensor);
        match &mut self.verdict {
            Some((best, sensors)) if best.word() == verdict.word() => {
                if !sensors.contains(sensor) {
                    sensors.push(sensor.clone());
                }
            }
            Some((best, _)) if *best < *verdict => {}
            best => *best = Some((verdict.clone(), vec![sensor.clone()])),
        }
    }

    fn add_explained(&mut self, sample: &str, probability: f64, has_rivals: bool) {
        if probability >= CAUSE_PROBABILITY_MIN {
            let known = self.samples.entry(sample.to_owned()).or_default();
            *known = known.max(probability);
            self.has_rivals |= has_rivals;
        }
        self.explained += probability;
    }

    /// Returns the cause. `main` is the sensor at which the incident was explained.
    fn finish(self, family: String, main: Option<&str>) -> IncidentCause {
        let mut samples: Vec<(String, f64)> = self.samples.into_iter().collect();
        samples.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let samples = samples.into_iter().map(|(id, _)| id).collect();
        let (word, probability, mut sensors) = match self.verdict {
            Some((verdict, sensors)) => (verdict.word(), self.correlated, sensors),
            None => {
                let probability = self.explained.min(1.0);
                let word = match (probability >= POSSIBLE_MIN, self.has_rivals) {
                    (true, true) => "indistinguishable",
                    (true, false) => "possible",
                    (false, _) => "cannot tell",
                };
                (word, probability, main.map(str::to_owned).into_iter().collect())
            }
        };
        sensors.sort();
        IncidentCause { family, samples, probability, verdict: word.to_owned(), sensors }
    }
}

/// Replaces the causes of an incident, and records those whose verdict or probability changed.
fn record(incident: &mut Incident, new: WeighedCauses, at: Timestamp) -> Result<(), AppError> {
    let WeighedCauses { causes, unknown, nothing } = new;
    let known = std::mem::take(&mut incident.causes);
    let gone = known.iter().filter(|old| causes.iter().all(|cause| cause.family != old.family));
    let gone: Vec<&str> = gone.map(|old| old.family.as_str()).collect();
    for family in gone {
        let what = ChangeKind::Cause {
            family: family.to_owned(),
            probability: 0.0,
            verdict: Verdict::CannotTell.word().to_owned(),
        };
        incident.apply(what, at, DETECTION)?;
    }
    for cause in &causes {
        let recorded = last_recorded(incident, &cause.family);
        let is_new = recorded.is_none_or(|(probability, verdict)| {
            verdict != cause.verdict || (probability - cause.probability).abs() >= PROBABILITY_STEP
        });
        if is_new {
            let what = ChangeKind::Cause {
                family: cause.family.clone(),
                probability: cause.probability,
                verdict: cause.verdict.clone(),
            };
            incident.apply(what, at, DETECTION)?;
        }
        if let (true, Some(sample)) = (cause.verdict == Verdict::Likely.word(), cause.samples.first()) {
            incident.apply(ChangeKind::Sample(sample.clone()), at, DETECTION)?;
        }
    }
    (incident.causes, incident.unknown, incident.nothing) = (causes, unknown, nothing);
    Ok(())
}

/// Returns the probability and the verdict of a family that were recorded last.
fn last_recorded<'i>(incident: &'i Incident, family: &str) -> Option<(f64, &'i str)> {
    incident.changes.iter().rev().find_map(|change| match &change.what {
        ChangeKind::Cause { family: of, probability, verdict } if of == family => {
            Some((*probability, verdict.as_str()))
        }
        _ => None,
    })
}
