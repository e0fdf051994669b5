//! Use case: from an event to its causes: which samples explain what came at a sensor about a day.

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

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// At which sensor.
    pub sensor: String,
    /// The event's first day.
    pub day: Date,
    /// Observed days that it lasts, at most.
    pub days: u16,
    /// Which behavior came.
    pub of: Of,
}

/// An answer, with the samples that its places mean.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The sensor.
    pub sensor: Sensor,
    /// The samples asked for.
    pub samples: Vec<LoadedSample>,
    /// The event and its causes.
    pub explanation: Explanation,
}

/// Explains an event by samples: those of the reports, or, without any, those that the history keeps.
///
/// # Errors
/// When a report, a capture or the history cannot be read, there is no such sensor, or it did not look for long enough.
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

/// Adds a notice that there is no sample to name as a cause. The answer still separates what came from what was
/// expected, and describes what a sample of it should look like, which helps to look for one.
fn note_none(samples: &[LoadedSample], notices: &mut Notices) {
    if samples.is_empty() {
        notices.add(
            "no sample is known, so no cause is named: name sample reports, or keep some with `inga sample add`"
                .to_owned(),
        );
    }
}

/// A surge with its causes.
#[derive(Clone, Debug)]
pub struct Surged {
    /// Its place among all surges, from 1, as `inga surges` tells it.
    pub rank: usize,
    /// The surge.
    pub found: Found,
    /// What was asked of it.
    pub of: Of,
    /// Its causes, or why there are none to tell.
    pub explanation: Result<Explanation, String>,
}

/// Explains every surge of some sensors (of all, if none is named) that is no part of another one, the surest first;
/// with the samples that causes' places mean.
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

/// What surged, as it is asked for.
fn of(behavior: &Behavior) -> Of {
    match behavior {
        Behavior::Service(protocol, port) => Of::Service(*protocol, *port),
        Behavior::Named(granularity, id, _) => {
            Of::Behavior(Selection { granularity: *granularity, id: *id, facets: false })
        }
    }
}

/// A sensor that is asked, and the samples as causes there.
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
    // Answers to spoofed packets scan nothing, so no sample is looked for that would explain them.
    let is_scan = |parameters: &Parameters| {
        !rules.labels(parameters, &[], None).iter().any(|label| rules.is_backscatter(label))
    };
    let asked = |parameters: &Parameters| passes(&question.of, parameters, &services.anew, rules);
    // What samples do beside it tells how much of it may be theirs.
    let relevant =
        |parameters: &Parameters| (asked(parameters) || services.meet(parameters)) && is_scan(parameters);
    let away = |days: i64| question.day.saturating_add(jiff::Span::new().days(days));
    let between = (away(-BEFORE_DAYS), away(i64::from(question.days) + GAP_DAYS));
    let ledger = ledger::between(store, history, &relevant, services, between)?;
    let lines: Vec<bool> = ledger.lines.iter().map(|line| asked(&line.parameters)).collect();
    Ok(explain(&ledger, &lines, candidates, question.day, question.days.into()))
}

/// Days of the calendar in which the observed days before an event are looked for: an outage may lie among them.
const BEFORE_DAYS: i64 = 90;
/// And days by which outages may draw out an event.
const GAP_DAYS: i64 = 31;

/// Whether a whole window with these parameters is of a behavior, or has a part that is. A family's ports that some sample
/// chooses anew are one.
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
