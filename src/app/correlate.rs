//! Use case: samples against a history.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use jiff::civil::Date;

use crate::correlate::{
    Candidate, Claim, EvidenceGraph, Hypothesis, Known, Ledger, NoClaim, Null, Question, SensorHistory,
    Weighing, claims, evidence_graph, judge,
};
use crate::history::{Coverage, Granularity};
use crate::rules::Rules;
use crate::sample::{ProjectedBehavior, Projection, Scan, projected};
use crate::store::HistoryStore;

use super::asked::Asked;
use super::history::{HistorySource, coverage_of_sightings, kept_samples};
use super::ledger::Services;
use super::reading::report_failures;
use super::sandbox::{LoadedSample, load_sample};
use super::{AppError, CaptureOptions, Notices, ledger, share, suspects};

/// Behaviors of one granularity asked of a sensor, the most frequent first: a sample's run of any length must not
/// make a question of any length.
const BEHAVIORS_MAX: usize = 256;

/// An answer with what its pictures need.
#[derive(Debug)]
pub struct Answer {
    /// Ranked.
    pub hypotheses: Vec<Hypothesis>,
    /// The samples that were asked for.
    pub samples: Vec<LoadedSample>,
    /// The days that each sensor looked.
    pub coverage: BTreeMap<String, Coverage>,
}

impl Answer {
    /// Its evidence as a graph.
    #[must_use]
    pub fn graph(&self) -> EvidenceGraph {
        evidence_graph(&self.hypotheses)
    }
}

/// Correlates samples with a history: those of the reports, or, without any, those that the history keeps.
///
/// # Errors
/// When a report, a capture or the history cannot be read, or there is no sample.
pub fn answer(
    reports: &[PathBuf],
    source: &HistorySource,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Answer, AppError> {
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
    Ok(Answer { hypotheses, samples, coverage })
}

/// Returns the history, and the samples of the reports, or, without reports, the samples that the history keeps, of
/// which there may be none.
pub(super) fn load_samples(
    reports: &[PathBuf],
    source: &HistorySource,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<(Box<dyn HistoryStore>, Vec<LoadedSample>), AppError> {
    // Reports first: a slip in one is told before a long read.
    let mut samples: Vec<LoadedSample> = load_reports(reports, options, rules, notices)?;
    let store = source.open(options, rules, notices)?;
    if samples.is_empty() {
        samples = kept_samples(store.as_ref())?;
    }
    Ok((store, samples))
}

/// Returns the samples of reports. A sample whose captures cannot be read is reported and kept without its run, so
/// that the answer says why nothing is known of it.
fn load_reports(
    reports: &[PathBuf],
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Vec<LoadedSample>, AppError> {
    let (mut samples, mut failed) = (Vec::new(), Vec::new());
    for path in reports {
        match load_sample(path, options, rules, notices) {
            Ok(sample) => samples.push(sample),
            Err(error) if error.is_of_a_capture() => {
                samples.push(LoadedSample::without_run(path, error.to_string())?);
                failed.push(error);
            }
            Err(error) => return Err(error),
        }
    }
    report_failures(failed, reports.len(), notices)?;
    Ok(samples)
}

/// A sensor with all candidates weighed at it.
pub(super) struct Weighed {
    pub(super) history: SensorHistory,
    pub(super) ledger: Ledger,
    null: Null,
    pub(super) candidates: Vec<Candidate>,
    /// In the order of the samples.
    pub(super) claims: Vec<Result<Claim, NoClaim>>,
    onto: Vec<Onto>,
}

impl Weighed {
    /// The same with other kinds of evidence.
    pub(super) fn again(&self, weighing: &Weighing) -> Weighed {
        let claims = claims(&self.ledger, &self.null, &self.candidates, weighing);
        Weighed { claims, ..self.with(self.candidates.iter().cloned()) }
    }

    /// The same with other candidates.
    pub(super) fn with(&self, candidates: impl Iterator<Item = Candidate>) -> Weighed {
        let Weighed { history, ledger, null, .. } = self;
        let candidates: Vec<Candidate> = candidates.collect();
        let claims = claims(ledger, null, &candidates, &Weighing::default());
        let (history, ledger, null) = (history.clone(), ledger.clone(), null.clone());
        Weighed { history, ledger, null, candidates, claims, onto: Vec::new() }
    }

    /// The same as it was known so many days after a date; samples of later dates are not known yet.
    pub(super) fn until(&self, date: Date, days: usize) -> Weighed {
        let last =
            date.saturating_add(jiff::Span::new().days(i64::try_from(days).unwrap_or(i64::from(i32::MAX))));
        let ledger = self.ledger.until(last);
        let null = Null::of(&ledger);
        let known = |candidate: &Candidate| match candidate.date {
            Some(date) if date.first > last => Candidate { variants: Vec::new(), date: None },
            _ => candidate.clone(),
        };
        let candidates: Vec<Candidate> = self.candidates.iter().map(known).collect();
        let claims = claims(&ledger, &null, &candidates, &Weighing::default());
        Weighed { history: self.history.clone(), ledger, null, candidates, claims, onto: Vec::new() }
    }
}

/// A sample as a cause at a sensor, by its projection.
pub(super) fn candidate(sample: &LoadedSample, projection: Option<&Projection>) -> Candidate {
    Candidate::new(&sample.profile, projection, sample.report.pivot().map(|(span, _)| span))
}

/// Weighs samples against each other at every sensor of a history.
///
/// # Errors
/// When the store fails.
pub(super) fn weigh_all(
    samples: &[LoadedSample],
    store: &dyn HistoryStore,
    rules: &Rules,
) -> Result<Vec<Weighed>, AppError> {
    let scans: Vec<Option<Scan>> = samples.iter().map(|sample| Scan::of(&sample.profile)).collect();
    let services = Services::of(scans.iter().flatten());
    let weigh = |history: SensorHistory| {
        let ledger = ledger::of(store, &history, &services)?;
        let onto = projections(samples, &scans, &history, rules);
        let of = |(sample, onto): (&LoadedSample, &Onto)| candidate(sample, onto.projection.as_ref());
        let candidates: Vec<Candidate> = samples.iter().zip(&onto).map(of).collect();
        let null = Null::of(&ledger);
        let claims = claims(&ledger, &null, &candidates, &Weighing::default());
        Ok(Weighed { history, ledger, null, candidates, claims, onto })
    };
    histories(store)?.into_iter().map(weigh).collect()
}

/// Asks every sensor of a history for every sample's behaviors; answers all hypotheses, ranked.
///
/// # Errors
/// When the store fails.
pub fn correlate(
    samples: &[LoadedSample],
    store: &dyn HistoryStore,
    rules: &Rules,
) -> Result<Vec<Hypothesis>, AppError> {
    refuse_twins(samples)?;
    let tool_marks = rules.tool_marks();
    let known: Vec<Known> = samples.iter().map(known).collect();
    let sensors = weigh_all(samples, store, rules)?;
    let mut questions = Vec::new();
    for weighed in &sensors {
        let Weighed { history, ledger, claims, onto, .. } = weighed;
        let projected: Vec<&[ProjectedBehavior]> = onto.iter().map(|onto| &onto.behaviors[..]).collect();
        let asked = Asked::of(store, &history.sensor.name, ledger, &projected)?;
        for ((sample, onto), claim) in samples.iter().zip(onto).zip(claims) {
            questions.push(Question {
                claim: claim.clone(),
                samples: &known,
                report: &sample.report,
                sample: &sample.profile,
                unread: sample.unread.as_deref(),
                scan: onto.scan.as_ref(),
                projection: onto.projection.as_ref(),
                projected: &onto.behaviors,
                history,
                seen: asked.seen(&onto.behaviors, rules),
                neighbours: asked.neighbours(&onto.behaviors),
                tool_marks: &tool_marks,
                behavior: &rules.profile,
            });
        }
    }
    let mut hypotheses = judge(&questions);
    drop(questions);
    let ledgers = sensors.iter().map(|one| (one.history.sensor.name.as_str(), &one.ledger)).collect();
    suspects::look_up(store, &ledgers, &mut hypotheses)?;
    Ok(hypotheses)
}

fn known(sample: &LoadedSample) -> Known {
    let scan = Scan::of(&sample.profile);
    Known { id: sample.profile.id.clone(), title: sample.report.title(), scan }
}

/// A sample onto a sensor.
struct Onto {
    scan: Option<Scan>,
    projection: Option<Projection>,
    /// What the sensor is asked for.
    behaviors: Vec<ProjectedBehavior>,
}

/// Every sample onto a sensor.
fn projections(
    samples: &[LoadedSample],
    scans: &[Option<Scan>],
    history: &SensorHistory,
    rules: &Rules,
) -> Vec<Onto> {
    let onto = |(sample, scan): (&LoadedSample, &Option<Scan>)| {
        let of = |scan| Projection::of(scan, &history.sensor, history.coverage.days(), &rules.profile);
        let projection = scan.as_ref().map(of);
        let behaviors = bounded(projected(&sample.profile, projection.as_ref(), &rules.profile));
        Onto { scan: scan.clone(), projection, behaviors }
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    // Each projection has a seed of its own, so that sharing the work changes nothing.
    share::each(threads, samples.iter().zip(scans), onto)
}

/// Two reports of one sample would compete with each other.
pub(super) fn refuse_twins(samples: &[LoadedSample]) -> Result<(), AppError> {
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

fn histories(store: &dyn HistoryStore) -> Result<Vec<SensorHistory>, AppError> {
    let load = |sensor: crate::history::Sensor| -> Result<SensorHistory, AppError> {
        let coverage = coverage_of_sightings(store, &sensor.name)?;
        let totals = store.totals(&sensor.name)?;
        Ok(SensorHistory { sensor, coverage, totals })
    };
    store.sensors()?.into_iter().map(load).collect()
}

/// At most so many behaviors of each granularity; they come most frequent first within each origin.
fn bounded(all: Vec<ProjectedBehavior>) -> Vec<ProjectedBehavior> {
    let mut counts: BTreeMap<Granularity, usize> = BTreeMap::new();
    all.into_iter()
        .filter(|behavior| {
            let count = counts.entry(behavior.granularity).or_default();
            *count += 1;
            *count <= BEHAVIORS_MAX
        })
        .collect()
}
