//! Use case: correlates samples with a history.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::correlate::{
    Candidate, CauseEvidence, CorrelationInput, EnabledEvidence, EvidenceGraph, Hypothesis, KnownSample,
    NoEvidence, ProbeTraits, SensorCandidates, SensorHistory, SeriesTable, cause_evidence, evidence_graph,
    judge,
};
use crate::history::{Coverage, Granularity};
use crate::rules::Rules;
use crate::sample::{FamilyMember, ProjectedBehavior, Projection, SampleFamily, Scan, projected_behaviors};
use crate::store::HistoryStore;

use super::behavior_lookup::BehaviorLookup;
use super::behavior_series::CandidateServices;
use super::family_members::members;
use super::history::{coverage_of_sightings, kept_samples};
use super::history_source::HistorySource;
use super::reading::report_failures;
use super::sample_probes::probe_traits;
use super::sandbox::{LoadedSample, load_sample};
use super::{AppError, CaptureOptions, Notices, behavior_series, parallel, sample_import, suspects};

/// Maximum number of behaviors of each granularity for which a sensor is queried, the most frequent first. It
/// bounds the size of the query for a run of any length.
const BEHAVIORS_MAX: usize = 256;

/// The hypotheses, with the data that their pictures need.
#[derive(Debug)]
pub struct CorrelationResult {
    /// The hypotheses, ranked.
    pub hypotheses: Vec<Hypothesis>,
    /// The samples that were correlated.
    pub samples: Vec<LoadedSample>,
    /// The coverage of each sensor.
    pub coverage: BTreeMap<String, Coverage>,
}

impl CorrelationResult {
    /// Returns the evidence of the hypotheses as a graph.
    #[must_use]
    pub fn graph(&self) -> EvidenceGraph {
        evidence_graph(&self.hypotheses)
    }
}

/// Correlates samples with a history: those of the reports, or, if there are no reports, those that the
/// history keeps.
///
/// # Errors
/// When a report, a capture or the history cannot be read, or there is no sample.
pub fn correlate_reports(
    reports: &[PathBuf],
    source: &HistorySource,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<CorrelationResult, AppError> {
    let (store, samples) = load_samples(reports, source, options, rules, notices)?;
    if samples.is_empty() {
        let remedy = "name sample reports, or keep some in the history with `inga sample add`";
        return Err(AppError::Usage(format!("no sample to correlate: {remedy}")));
    }
    let hypotheses = correlate(&samples, store.as_ref(), rules)?;
    let mut coverage = BTreeMap::new();
    for sensor in store.sensors()? {
        let days = coverage_of_sightings(store.as_ref(), &sensor.name)?;
        notices.add_loss(&sensor.name, &days);
        coverage.insert(sensor.name, days);
    }
    Ok(CorrelationResult { hypotheses, samples, coverage })
}

/// Opens the history and loads samples. The samples are those of the reports. Without reports they are the
/// samples that the history keeps; the list is empty if it keeps no sample.
pub(super) fn load_samples(
    reports: &[PathBuf],
    source: &HistorySource,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<(Box<dyn HistoryStore>, Vec<LoadedSample>), AppError> {
    // Reports are read first, so that an error in one is reported before a long read of captures.
    let mut samples: Vec<LoadedSample> = load_reports(reports, options, rules, notices)?;
    let store = source.open(options, rules, notices)?;
    if samples.is_empty() {
        samples = kept_samples(store.as_ref())?;
    }
    Ok((store, samples))
}

/// Returns the samples of reports. A sample whose captures cannot be read is reported and kept without its
/// run, so that the answer says why nothing is known of it.
fn load_reports(
    reports: &[PathBuf],
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Vec<LoadedSample>, AppError> {
    let (mut samples, mut failed) = (Vec::new(), Vec::new());
    for path in reports {
        if let Some(imported) = sample_import::load_samples(path, options, rules, notices)? {
            samples.extend(imported);
            continue;
        }
        match load_sample(path, options, rules, notices) {
            Ok(sample) => samples.push(sample),
            Err(error) if error.concerns_capture() => {
                samples.push(LoadedSample::without_run(path, error.to_string())?);
                failed.push(error);
            }
            Err(error) => return Err(error),
        }
    }
    report_failures(failed, reports.len(), notices)?;
    Ok(samples)
}

/// A sensor with the evidence of all candidates.
pub(super) struct SensorAssessment {
    pub(super) history: SensorHistory,
    pub(super) series: SeriesTable,
    pub(super) candidates: Vec<Candidate>,
    /// The evidence, in the order of the samples.
    pub(super) evidence: Vec<Result<CauseEvidence, NoEvidence>>,
    projections: Vec<CandidateProjection>,
}

/// Returns a sample as a candidate at a sensor, by its projection onto it.
pub(super) fn candidate(
    sample: &LoadedSample,
    projection: Option<&Projection>,
    family: Option<&String>,
    probes: &ProbeTraits,
) -> Candidate {
    let date = sample.report.reference_date().map(|(span, _)| span);
    Candidate::new(&sample.profile, projection, date, family.cloned(), probes.clone())
}

/// Returns the malware family of each sample. A sample that nothing names and that is like no other one has none.
///
/// # Errors
/// When the store fails.
pub(super) fn family_names(
    samples: &[LoadedSample],
    store: &dyn HistoryStore,
    rules: &Rules,
) -> Result<Vec<Option<String>>, AppError> {
    let members = members(samples, &store.family_renames()?, rules);
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    members.iter().for_each(|member| *sizes.entry(&member.family.name).or_default() += 1);
    let name = |member: &FamilyMember| {
        let SampleFamily { name, is_named, .. } = &member.family;
        (*is_named || sizes[name.as_str()] > 1).then(|| name.clone())
    };
    Ok(members.iter().map(name).collect())
}

/// Weighs samples against each other at all sensors of a history together.
///
/// # Errors
/// When the store fails.
pub(super) fn assess_sensors(
    samples: &[LoadedSample],
    store: &dyn HistoryStore,
    rules: &Rules,
) -> Result<Vec<SensorAssessment>, AppError> {
    let scans: Vec<Option<Scan>> = samples.iter().map(|sample| Scan::infer(&sample.profile)).collect();
    let services = CandidateServices::from_scans(scans.iter().flatten());
    let families = family_names(samples, store, rules)?;
    let probes: Vec<ProbeTraits> = samples.iter().map(|one| probe_traits(&one.profile, rules)).collect();
    let with_signatures = probes.iter().any(|one| !one.is_empty());
    let load = |history: SensorHistory| {
        let series = behavior_series::read(store, &history, &services, with_signatures)?;
        let projections = projections(samples, &scans, &history, rules);
        let of = |(((sample, one), family), probes): (
            ((&LoadedSample, &CandidateProjection), &Option<String>),
            &ProbeTraits,
        )| { candidate(sample, one.projection.as_ref(), family.as_ref(), probes) };
        let candidates = samples.iter().zip(&projections).zip(&families).zip(&probes).map(of).collect();
        Ok(SensorAssessment { history, series, candidates, evidence: Vec::new(), projections })
    };
    let mut sensors: Vec<SensorAssessment> =
        sensor_histories(store)?.into_iter().map(load).collect::<Result<_, AppError>>()?;
    let evidence = evidence_of(&sensors, &EnabledEvidence::default());
    for (sensor, evidence) in sensors.iter_mut().zip(evidence) {
        sensor.evidence = evidence;
    }
    Ok(sensors)
}

/// Returns the evidence of all candidates by sensor.
pub(super) fn evidence_of<'a>(
    sensors: &'a [SensorAssessment],
    enabled: &EnabledEvidence,
) -> Vec<Vec<Result<CauseEvidence, NoEvidence>>> {
    let of = |one: &'a SensorAssessment| SensorCandidates { table: &one.series, candidates: &one.candidates };
    cause_evidence(&sensors.iter().map(of).collect::<Vec<_>>(), enabled)
}

/// Returns the hypotheses of every sample at every sensor of a history, ranked.
///
/// # Errors
/// When the store fails.
pub fn correlate(
    samples: &[LoadedSample],
    store: &dyn HistoryStore,
    rules: &Rules,
) -> Result<Vec<Hypothesis>, AppError> {
    refuse_duplicate_samples(samples)?;
    judge_sensors(samples, &assess_sensors(samples, store, rules)?, store, rules)
}

/// Returns the hypotheses of samples that were weighed at all sensors, ranked.
///
/// # Errors
/// When the store fails.
pub(super) fn judge_sensors(
    samples: &[LoadedSample],
    sensors: &[SensorAssessment],
    store: &dyn HistoryStore,
    rules: &Rules,
) -> Result<Vec<Hypothesis>, AppError> {
    let tool_marks = rules.tool_marks();
    let known: Vec<KnownSample> = samples.iter().map(known_sample).collect();
    let mut questions = Vec::new();
    for weighed in sensors {
        let SensorAssessment { history, series: ledger, evidence: claims, projections: onto, candidates } =
            weighed;
        let projected: Vec<&[ProjectedBehavior]> = onto.iter().map(|onto| &onto.behaviors[..]).collect();
        let asked = BehaviorLookup::query(store, &history.sensor.name, ledger, &projected)?;
        for (((sample, onto), claim), candidate) in samples.iter().zip(onto).zip(claims).zip(candidates) {
            questions.push(CorrelationInput {
                evidence: claim.clone(),
                samples: &known,
                report: &sample.report,
                sample: &sample.profile,
                family: candidate.family.as_deref(),
                unread: sample.unread_reason.as_deref(),
                scan: onto.scan.as_ref(),
                projection: onto.projection.as_ref(),
                projected: &onto.behaviors,
                history,
                observed: asked.observed_behaviors(&onto.behaviors, rules),
                neighbours: asked.types_of_services(&onto.behaviors),
                tool_marks: &tool_marks,
                behavior: &rules.profile,
            });
        }
    }
    let mut hypotheses = judge(&questions);
    drop(questions);
    let ledgers = sensors.iter().map(|one| (one.history.sensor.name.as_str(), &one.series)).collect();
    suspects::find_suspects(store, &ledgers, &mut hypotheses)?;
    Ok(hypotheses)
}

fn known_sample(sample: &LoadedSample) -> KnownSample {
    let scan = Scan::infer(&sample.profile);
    KnownSample { id: sample.profile.id.clone(), title: sample.report.title(), scan }
}

/// A sample with its projection onto a sensor.
struct CandidateProjection {
    scan: Option<Scan>,
    projection: Option<Projection>,
    /// The behaviors for which the sensor is queried.
    behaviors: Vec<ProjectedBehavior>,
}

/// Projects every sample onto a sensor.
fn projections(
    samples: &[LoadedSample],
    scans: &[Option<Scan>],
    history: &SensorHistory,
    rules: &Rules,
) -> Vec<CandidateProjection> {
    let onto = |(sample, scan): (&LoadedSample, &Option<Scan>)| {
        let of =
            |scan| Projection::new(scan, &history.sensor, history.coverage.observed_days(), &rules.profile);
        let projection = scan.as_ref().map(of);
        let behaviors =
            limit_behaviors(projected_behaviors(&sample.profile, projection.as_ref(), &rules.profile));
        CandidateProjection { scan: scan.clone(), projection, behaviors }
    };
    // Each projection has a seed of its own, so the result does not depend on the threads.
    parallel::map(parallel::thread_count(None), samples.iter().zip(scans), onto)
}

/// Refuses two reports of the same sample, which would compete with each other.
pub(super) fn refuse_duplicate_samples(samples: &[LoadedSample]) -> Result<(), AppError> {
    let mut known: BTreeMap<&str, &LoadedSample> = BTreeMap::new();
    for sample in samples {
        if let Some(twin) = known.insert(&sample.profile.id, sample) {
            let (one, other) = (crate::escape::path(&twin.path), crate::escape::path(&sample.path));
            let id = &sample.profile.id;
            return Err(AppError::Usage(format!("{one} and {other} are reports of the same sample ({id})")));
        }
    }
    Ok(())
}

fn sensor_histories(store: &dyn HistoryStore) -> Result<Vec<SensorHistory>, AppError> {
    let load = |sensor: crate::history::Sensor| -> Result<SensorHistory, AppError> {
        let coverage = coverage_of_sightings(store, &sensor.name)?;
        let totals = store.totals(&sensor.name)?;
        Ok(SensorHistory { sensor, coverage, totals })
    };
    store.sensors()?.into_iter().map(load).collect()
}

/// Keeps at most [`BEHAVIORS_MAX`] behaviors of each granularity. Within each origin, the most frequent come
/// first.
fn limit_behaviors(all: Vec<ProjectedBehavior>) -> Vec<ProjectedBehavior> {
    let mut counts: BTreeMap<Granularity, usize> = BTreeMap::new();
    all.into_iter()
        .filter(|behavior| {
            let count = counts.entry(behavior.granularity).or_default();
            *count += 1;
            *count <= BEHAVIORS_MAX
        })
        .collect()
}
