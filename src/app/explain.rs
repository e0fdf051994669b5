//! Use case: which samples explain what a sensor saw from a given day on (from an event to its causes).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use jiff::civil::Date;

use crate::analysis::behavior_surges::{DescribedSurge, SurgeBehavior, SurgeKind};
use crate::behavior::{Names, Parameters};
use crate::correlate::{Candidate, Explanation, NoExplanation, SensorHistory, explain};
use crate::history::{BehaviorFilter, Sensor};
use crate::rules::Rules;
use crate::sample::{PerTargetPorts, Projection, Scan};
use crate::store::HistoryStore;

use super::behavior_series::{self, CandidateServices};
use super::correlate::{candidate, family_names, load_samples, refuse_duplicate_samples};
use super::history::{coverage_of_sightings, find_sensor};
use super::history_source::HistorySource;
use super::sample_probes::probe_traits;
use super::sandbox::LoadedSample;
use super::series::TrafficFilter;
use super::surges;
use super::{AppError, CaptureOptions, Notices};

/// The event to explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainQuery {
    /// The sensor's name.
    pub sensor: String,
    /// The event's first day.
    pub day: Date,
    /// Maximum length of the event in observed days.
    pub days: u16,
    /// The behavior that increased.
    pub filter: TrafficFilter,
}

/// An explanation with the samples that its candidate indices refer to.
#[derive(Clone, Debug)]
pub struct SensorExplanation {
    /// The sensor.
    pub sensor: Sensor,
    /// The samples that were considered, in the order of the candidates.
    pub samples: Vec<LoadedSample>,
    /// The event and its possible causes.
    pub explanation: Explanation,
}

/// Explains an event by samples: those of `reports`, or, if there are no reports, those that the history
/// keeps.
///
/// # Errors
/// When a report, a capture or the history cannot be read, there is no such sensor, or too few days were
/// observed before the event.
pub fn explain_event(
    reports: &[PathBuf],
    source: &HistorySource,
    question: &ExplainQuery,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<SensorExplanation, AppError> {
    let (store, samples) = load_samples(reports, source, options, rules, notices)?;
    note_no_samples(&samples, notices);
    refuse_duplicate_samples(&samples)?;
    let sensor = find_sensor(store.as_ref(), &question.sensor)?;
    let asked = ExplainedSensor::load(store.as_ref(), sensor.clone(), &samples, rules)?;
    let explanation = explain_at_sensor(store.as_ref(), &asked, question, rules)?
        .map_err(|why| AppError::Usage(format!("sensor {}: {why}", sensor.name)))?;
    Ok(SensorExplanation { sensor, samples, explanation })
}

/// Adds a notice if there is no sample that could be a cause. The answer still separates the event from its
/// background, and describes how a sample of it would scan, which helps to find one.
fn note_no_samples(samples: &[LoadedSample], notices: &mut Notices) {
    if samples.is_empty() {
        notices.add(
            "no sample is known, so no cause is named: name sample reports, or keep some with `inga sample add`"
                .to_owned(),
        );
    }
}

/// A surge with its possible causes.
#[derive(Clone, Debug)]
pub struct ExplainedSurge {
    /// The surge's rank among all surges, from 1, as in `inga surges`.
    pub rank: usize,
    /// The surge.
    pub surge: DescribedSurge,
    /// The behavior that was explained.
    pub filter: TrafficFilter,
    /// The explanation, or the reason why there is none.
    pub explanation: Result<Explanation, String>,
}

/// Explains every surge of the named sensors (of all sensors, if none is named) that is not part of another
/// surge, ascending by q-value. Also returns the samples that the candidate indices refer to.
///
/// # Errors
/// When a report, a capture or the history cannot be read, or there is no such sensor.
pub fn explain_surges(
    reports: &[PathBuf],
    source: &HistorySource,
    question: &surges::SurgeQuery,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<(Vec<LoadedSample>, Vec<ExplainedSurge>), AppError> {
    let (store, samples) = load_samples(reports, source, options, rules, notices)?;
    note_no_samples(&samples, notices);
    refuse_duplicate_samples(&samples)?;
    let store = store.as_ref();
    surges::unjudged_days(store, &question.sensors)?.iter().for_each(|days| notices.add(days.to_string()));
    let mut known: BTreeMap<String, ExplainedSensor> = BTreeMap::new();
    let mut all = Vec::new();
    for (rank, found) in surges::top_level_surges(store, question, rules)? {
        let of = surge_filter(&found.behavior);
        let explanation = if found.kind == SurgeKind::Backscatter {
            Err("answers to spoofed packets, by hosts that scan nothing".to_owned())
        } else {
            let asked = match known.entry(found.sensor.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(ExplainedSensor::load(
                    store,
                    find_sensor(store, &found.sensor)?,
                    &samples,
                    rules,
                )?),
            };
            let days = asked.history.coverage.observed_days();
            let lasting = days.filter(|day| (found.surge.first..=found.surge.last).contains(day));
            let question = ExplainQuery {
                sensor: found.sensor.clone(),
                day: found.surge.first,
                days: u16::try_from(lasting.count()).unwrap_or(u16::MAX),
                filter: of.clone(),
            };
            explain_at_sensor(store, asked, &question, rules)?.map_err(|why| why.to_string())
        };
        all.push(ExplainedSurge { rank, surge: found, filter: of, explanation });
    }
    Ok((samples, all))
}

/// Returns a surge's behavior in the form in which it is queried.
#[must_use]
pub fn surge_filter(behavior: &SurgeBehavior) -> TrafficFilter {
    match behavior {
        SurgeBehavior::Service(protocol, port) => TrafficFilter::Service(*protocol, *port),
        SurgeBehavior::Named(granularity, id, _) => {
            TrafficFilter::Behavior(BehaviorFilter { granularity: *granularity, id: *id, facets: false })
        }
    }
}

/// A sensor, and the samples as candidates at that sensor.
pub(super) struct ExplainedSensor {
    history: SensorHistory,
    candidates: Vec<Candidate>,
    services: CandidateServices,
}

impl ExplainedSensor {
    pub(super) fn load(
        store: &dyn HistoryStore,
        sensor: Sensor,
        samples: &[LoadedSample],
        rules: &Rules,
    ) -> Result<ExplainedSensor, AppError> {
        let scans: Vec<Option<Scan>> = samples.iter().map(|sample| Scan::infer(&sample.profile)).collect();
        let coverage = store.coverage(&sensor.name)?;
        let families = family_names(samples, store, rules)?;
        let of = |((sample, scan), family): ((&LoadedSample, &Option<Scan>), &Option<String>)| {
            let onto = |scan| Projection::new(scan, &sensor, coverage.observed_days(), &rules.profile);
            let projection = scan.as_ref().map(onto);
            candidate(sample, projection.as_ref(), family.as_ref(), &probe_traits(&sample.profile, rules))
        };
        let candidates = samples.iter().zip(&scans).zip(&families).map(of).collect();
        let services = CandidateServices::from_scans(scans.iter().flatten());
        let coverage = coverage_of_sightings(store, &sensor.name)?;
        Ok(ExplainedSensor {
            history: SensorHistory { coverage, totals: Vec::new(), sensor },
            candidates,
            services,
        })
    }
}

pub(super) fn explain_at_sensor(
    store: &dyn HistoryStore,
    ExplainedSensor { history, candidates, services }: &ExplainedSensor,
    question: &ExplainQuery,
    rules: &Rules,
) -> Result<Result<Explanation, NoExplanation>, AppError> {
    // Backscatter is not a scan, so that no sample explains it.
    let is_scan = |parameters: &Parameters| {
        !rules.labels(parameters, &[], None).iter().any(|label| rules.is_backscatter(label))
    };
    let asked = |parameters: &Parameters| {
        has_behavior(&question.filter, parameters, &services.per_target_ports, rules)
    };
    // What a sample does elsewhere limits how much of the event it can account for.
    let relevant = |parameters: &Parameters| {
        (asked(parameters) || services.can_match(parameters)) && is_scan(parameters)
    };
    let away = |days: i64| question.day.saturating_add(jiff::Span::new().days(days));
    let between = (away(-BEFORE_DAYS), away(i64::from(question.days) + GAP_DAYS));
    let with_signatures = candidates.iter().any(|candidate| !candidate.probes.is_empty());
    let ledger =
        behavior_series::read_between(store, history, &relevant, services, between, with_signatures)?;
    let lines: Vec<bool> = ledger.series.iter().map(|line| asked(&line.parameters)).collect();
    Ok(explain(&ledger, &lines, candidates, question.day, question.days.into()))
}

/// Calendar days before an event in which its past is read. They include more observed days than the
/// background needs, because some may lie in an outage.
const BEFORE_DAYS: i64 = 90;
/// Additional calendar days after an event, because outages may extend the period of its observed days.
const GAP_DAYS: i64 = 31;

/// Returns whether whole windows with these parameters, or a service of theirs, have a behavior. Per-target
/// ports of the samples are masked in the pattern.
fn has_behavior(of: &TrafficFilter, parameters: &Parameters, anew: &PerTargetPorts, rules: &Rules) -> bool {
    match of {
        TrafficFilter::Behavior(selection) => {
            let names = anew.names(parameters, Names::of(parameters, &rules.profile));
            selection.is_named(&names)
        }
        TrafficFilter::Service(protocol, port) => {
            parameters.ports.listed().contains(port)
                && parameters.protocol.protocols().any(|known| known == *protocol)
        }
        other => other.matches(parameters, rules),
    }
}
