//! Use case: which samples explain what a sensor saw from a given day on (from an event to its causes).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use jiff::civil::Date;

use crate::behavior::{Names, Parameters};
use crate::correlate::{Candidate, Explanation, NoExplanation, SensorHistory, explain};
use crate::history::{Granularity, Selection, Sensor};
use crate::rules::Rules;
use crate::sample::{AnewPorts, Projection, Scan};
use crate::store::HistoryStore;

use super::correlate::{candidate, load_samples, refuse_twins};
use super::history::{HistorySource, coverage_of_sightings, named};
use super::ledger::{self, Services};
use super::sandbox::LoadedSample;
use super::series::Of;
use super::surges::{self, Behavior, Found, Kind};
use super::{AppError, CaptureOptions, Notices};

/// The event to explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The sensor's name.
    pub sensor: String,
    /// The event's first day.
    pub day: Date,
    /// Maximum length of the event in observed days.
    pub days: u16,
    /// The behavior that increased.
    pub of: Of,
}

/// An explanation with the samples that its candidate indices refer to.
#[derive(Clone, Debug)]
pub struct Answer {
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
pub fn answer(
    reports: &[PathBuf],
    source: &HistorySource,
    question: &Question,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Answer, AppError> {
    let (store, samples) = load_samples(reports, source, options, rules, notices)?;
    note_none(&samples, notices);
    refuse_twins(&samples)?;
    let sensor = named(store.as_ref(), &question.sensor)?;
    let asked = AskedSensor::of(store.as_ref(), sensor.clone(), &samples, rules)?;
    let explanation = explained(store.as_ref(), &asked, question, rules)?
        .map_err(|why| AppError::Usage(format!("sensor {}: {why}", sensor.name)))?;
    Ok(Answer { sensor, samples, explanation })
}

/// Adds a notice if there is no sample that could be a cause. The answer still separates the event from its
/// background, and describes how a sample of it would scan, which helps to find one.
fn note_none(samples: &[LoadedSample], notices: &mut Notices) {
    if samples.is_empty() {
        notices.add(
            "no sample is known, so no cause is named: name sample reports, or keep some with `inga sample add`"
                .to_owned(),
        );
    }
}

/// A surge with its possible causes.
#[derive(Clone, Debug)]
pub struct Surged {
    /// The surge's rank among all surges, from 1, as in `inga surges`.
    pub rank: usize,
    /// The surge.
    pub found: Found,
    /// The behavior that was explained.
    pub of: Of,
    /// The explanation, or the reason why there is none.
    pub explanation: Result<Explanation, String>,
}

/// Explains every surge of the named sensors (of all sensors, if none is named) that is not part of another
/// surge, ascending by q-value. Also returns the samples that the candidate indices refer to.
///
/// # Errors
/// When a report, a capture or the history cannot be read, or there is no such sensor.
pub fn surged(
    reports: &[PathBuf],
    source: &HistorySource,
    question: &surges::Question,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<(Vec<LoadedSample>, Vec<Surged>), AppError> {
    let (store, samples) = load_samples(reports, source, options, rules, notices)?;
    note_none(&samples, notices);
    refuse_twins(&samples)?;
    let store = store.as_ref();
    surges::unjudged(store, &question.sensors)?.iter().for_each(|days| notices.add(days.to_string()));
    let mut known: BTreeMap<String, AskedSensor> = BTreeMap::new();
    let mut all = Vec::new();
    for (rank, found) in surges::wholes(store, question, rules)? {
        let of = of(&found.behavior);
        let explanation = if found.kind == Kind::Backscatter {
            Err("answers to spoofed packets, by hosts that scan nothing".to_owned())
        } else {
            let asked = match known.entry(found.sensor.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    new.insert(AskedSensor::of(store, named(store, &found.sensor)?, &samples, rules)?)
                }
            };
            let days = asked.history.coverage.days();
            let lasting = days.filter(|day| (found.surge.first..=found.surge.last).contains(day));
            let question = Question {
                sensor: found.sensor.clone(),
                day: found.surge.first,
                days: u16::try_from(lasting.count()).unwrap_or(u16::MAX),
                of: of.clone(),
            };
            explained(store, asked, &question, rules)?.map_err(|why| why.to_string())
        };
        all.push(Surged { rank, found, of, explanation });
    }
    Ok((samples, all))
}

/// Returns a surge's behavior in the form in which it is queried.
fn of(behavior: &Behavior) -> Of {
    match behavior {
        Behavior::Service(protocol, port) => Of::Service(*protocol, *port),
        Behavior::Named(granularity, id, _) => {
            Of::Behavior(Selection { granularity: *granularity, id: *id, facets: false })
        }
    }
}

/// A sensor, and the samples as candidates at that sensor.
struct AskedSensor {
    history: SensorHistory,
    candidates: Vec<Candidate>,
    services: Services,
}

impl AskedSensor {
    fn of(
        store: &dyn HistoryStore,
        sensor: Sensor,
        samples: &[LoadedSample],
        rules: &Rules,
    ) -> Result<AskedSensor, AppError> {
        let scans: Vec<Option<Scan>> = samples.iter().map(|sample| Scan::of(&sample.profile)).collect();
        let coverage = store.coverage(&sensor.name)?;
        let of = |(sample, scan): (&LoadedSample, &Option<Scan>)| {
            let onto = |scan| Projection::of(scan, &sensor, coverage.days(), &rules.profile);
            let projection = scan.as_ref().map(onto);
            candidate(sample, projection.as_ref())
        };
        let candidates = samples.iter().zip(&scans).map(of).collect();
        let services = Services::of(scans.iter().flatten());
        let coverage = coverage_of_sightings(store, &sensor.name)?;
        Ok(AskedSensor {
            history: SensorHistory { coverage, totals: Vec::new(), sensor },
            candidates,
            services,
        })
    }
}

fn explained(
    store: &dyn HistoryStore,
    AskedSensor { history, candidates, services }: &AskedSensor,
    question: &Question,
    rules: &Rules,
) -> Result<Result<Explanation, NoExplanation>, AppError> {
    // Backscatter is not a scan, so that no sample explains it.
    let is_scan = |parameters: &Parameters| {
        !rules.labels(parameters, &[], None).iter().any(|label| rules.is_backscatter(label))
    };
    let asked = |parameters: &Parameters| passes(&question.of, parameters, &services.anew, rules);
    // What a sample does elsewhere limits how much of the event it can account for.
    let relevant =
        |parameters: &Parameters| (asked(parameters) || services.meet(parameters)) && is_scan(parameters);
    let away = |days: i64| question.day.saturating_add(jiff::Span::new().days(days));
    let between = (away(-BEFORE_DAYS), away(i64::from(question.days) + GAP_DAYS));
    let ledger = ledger::between(store, history, &relevant, services, between)?;
    let lines: Vec<bool> = ledger.lines.iter().map(|line| asked(&line.parameters)).collect();
    Ok(explain(&ledger, &lines, candidates, question.day, question.days.into()))
}

/// Calendar days before an event in which its past is read. They include more observed days than the
/// background needs, because some may lie in an outage.
const BEFORE_DAYS: i64 = 90;
/// Additional calendar days after an event, because outages may extend the period of its observed days.
const GAP_DAYS: i64 = 31;

/// Returns whether whole windows with these parameters, or a service of theirs, have a behavior. Per-target
/// ports of the samples are masked in the pattern.
fn passes(of: &Of, parameters: &Parameters, anew: &AnewPorts, rules: &Rules) -> bool {
    match of {
        Of::Behavior(selection) => {
            let names = anew.names(parameters, Names::of(parameters, &rules.profile));
            let name = match selection.granularity {
                Granularity::Type => names.behavior,
                Granularity::Shape => names.shape,
                Granularity::Family => names.family,
            };
            name.id == selection.id
        }
        Of::Service(protocol, port) => {
            parameters.ports.listed().contains(port)
                && parameters.protocol.protocols().any(|known| known == *protocol)
        }
        other => other.passes(parameters, rules),
    }
}
