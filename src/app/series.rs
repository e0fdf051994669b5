//! Use case: counts of a sensor's traffic by hour, day, week or month.

use std::collections::HashMap;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::behavior::{Parameters, SignaturePattern};
use crate::history::{
    BehaviorFilter, Coverage, DailyCount, DayTotal, FacetInclusion, Filter, Granularity, HourlyCount,
    RecordedTime, Sensor, Sighting, SpanAggregator, SpanCount, SpanLength, TypeFilter,
};
use crate::packet::Protocol;
use crate::rules::{Rules, SightingConditions};
use crate::store::HistoryStore;

use super::AppError;
use super::history::{coverage_of_sightings, select_sensors};

/// What a series counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrafficFilter {
    /// All whole windows.
    All,
    /// The sightings of one type, shape or pattern.
    Behavior(BehaviorFilter),
    /// Windows, or facets of windows, with this protocol and destination port.
    Service(Protocol, u16),
    /// Whole windows that use this protocol and no other.
    Protocol(Protocol),
    /// Whole windows with this label, which depends on their parameters, marks and day.
    Label(String),
    /// Whole windows whose probe signature has these features.
    Signature(SignaturePattern),
}

/// A query for series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesQuery {
    /// Names of the sensors; if empty, all sensors.
    pub sensors: Vec<String>,
    /// What to count; one series each.
    pub filters: Vec<TrafficFilter>,
    /// Only hosts of this prefix count; `None` for all hosts.
    pub sources: Option<IpNet>,
    /// The length of a span.
    pub step: SpanLength,
    /// The first day; `None` for the sensor's first observed day.
    pub first: Option<Date>,
    /// The last day; `None` for the sensor's last observed day.
    pub last: Option<Date>,
}

/// The counts of one series at one sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The sensor's name.
    pub sensor: String,
    /// What is counted.
    pub filter: TrafficFilter,
    /// The spans without gaps, ascending.
    pub spans: Vec<SpanCount>,
    /// The sensor's coverage.
    pub coverage: Coverage,
}

/// Returns the series of a query, by sensor (in the order of the query, or by name if it names none), then in
/// the order of `of`.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn series(
    store: &dyn HistoryStore,
    question: &SeriesQuery,
    rules: &Rules,
) -> Result<Vec<Series>, AppError> {
    let mut answer = Vec::new();
    for sensor in select_sensors(store, &question.sensors)? {
        let coverage = store.coverage(&sensor.name)?;
        for of in &question.filters {
            let spans = spans(store, &sensor, of, question, &coverage, rules)?;
            answer.push(Series {
                sensor: sensor.name.clone(),
                filter: of.clone(),
                spans,
                coverage: coverage.clone(),
            });
        }
    }
    Ok(answer)
}

fn spans(
    store: &dyn HistoryStore,
    sensor: &Sensor,
    of: &TrafficFilter,
    question: &SeriesQuery,
    coverage: &Coverage,
    rules: &Rules,
) -> Result<Vec<SpanCount>, AppError> {
    let Some((first, last)) = coverage.span() else { return Ok(Vec::new()) };
    let (first, last) = (question.first.unwrap_or(first), question.last.unwrap_or(last));
    if let Some(counts) = stored_counts(store, &sensor.name, of, question)? {
        return Ok(SpanAggregator::day_spans(coverage, &counts, first, last));
    }
    let coverage = &coverage_of_sightings(store, &sensor.name)?;
    let zone = sensor.zone()?;
    let captures = match question.step {
        SpanLength::Hour => store.captures(&sensor.name)?,
        _ => Vec::new(),
    };
    let looks = RecordedTime::from_captures(&captures);
    let mut spans = SpanAggregator::new(question.step, coverage, &zone, &looks).with_hourly_loss(&captures);
    let days = (Some(first), Some(last));
    if question.step == SpanLength::Hour {
        each_hour(store, &sensor.name, of, rules, days, question.sources, &mut |count| {
            spans.add_hour(count)
        })?;
    }
    each_sighting(store, &sensor.name, of, rules, days, question.sources, &mut |sighting| {
        spans.add(sighting)
    })?;
    Ok(spans.finish(first, last))
}

/// Returns the daily counts that a history stores ready-made: all whole windows, or one type of whole
/// windows. They need no pass over the sightings. Returns `None` for any other query.
fn stored_counts(
    store: &dyn HistoryStore,
    sensor: &str,
    of: &TrafficFilter,
    question: &SeriesQuery,
) -> Result<Option<Vec<DayTotal>>, AppError> {
    if question.step != SpanLength::Day || question.sources.is_some() {
        return Ok(None);
    }
    match of {
        TrafficFilter::All => Ok(Some(store.totals(sensor)?)),
        TrafficFilter::Behavior(one) if one.granularity == Granularity::Type && !one.facets => {
            let counts = store.series(sensor, &[*one])?.into_iter().flatten();
            Ok(Some(counts.map(|count| DayTotal { count, types: 1 }).collect()))
        }
        _ => Ok(None),
    }
}

/// Passes the sightings of a behavior between two days (both included) to `sink`.
///
/// # Errors
/// When the history cannot be read.
pub fn each_sighting(
    store: &dyn HistoryStore,
    sensor: &str,
    of: &TrafficFilter,
    rules: &Rules,
    (first, last): (Option<Date>, Option<Date>),
    sources: Option<IpNet>,
    sink: &mut dyn FnMut(&Sighting),
) -> Result<(), AppError> {
    let passes = |parameters: &Parameters| of.matches(parameters, rules);
    let filter = Filter { types: of.types(&passes), sources, first, last };
    if let TrafficFilter::Signature(pattern) = of {
        return each_with_signature(store, sensor, pattern, &filter, sink);
    }
    let Some(sighted) = of.sighting_conditions(store, rules)? else {
        return Ok(store.each_sighting(sensor, &filter, sink)?);
    };
    store.each_sighting(sensor, &filter, &mut |sighting| {
        if sighted.holds(sighting.counts.marks, sighting.day) {
            sink(sighting);
        }
    })?;
    Ok(())
}

/// Passes the sightings that a filter selects and whose signature fits a pattern to `sink`.
fn each_with_signature(
    store: &dyn HistoryStore,
    sensor: &str,
    pattern: &SignaturePattern,
    filter: &Filter<'_>,
    sink: &mut dyn FnMut(&Sighting),
) -> Result<(), AppError> {
    let mut known: HashMap<u64, bool> = HashMap::new();
    let mut failed = None;
    store.each_sighting(sensor, filter, &mut |sighting| {
        let Some(number) = sighting.signature else { return };
        let fits = known.entry(number).or_insert_with(|| match store.signature(number) {
            Ok(signature) => pattern.matches(&signature),
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        if *fits {
            sink(sighting);
        }
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Passes the daily counts of a behavior between two days (both included) to `sink`, ascending by type. Returns
/// `false`, and passes none, if only sightings tell: daily counts know neither marks nor signatures.
///
/// # Errors
/// When the history cannot be read.
pub fn each_daily_count(
    store: &dyn HistoryStore,
    sensor: &str,
    of: &TrafficFilter,
    rules: &Rules,
    (first, last): (Option<Date>, Option<Date>),
    sink: &mut dyn FnMut(&DailyCount),
) -> Result<bool, AppError> {
    let sighted = of.sighting_conditions(store, rules)?;
    let needs_marks = sighted.as_ref().is_some_and(SightingConditions::depends_on_marks);
    if needs_marks || matches!(of, TrafficFilter::Signature(_)) {
        return Ok(false);
    }
    let passes = |parameters: &Parameters| of.matches(parameters, rules);
    let filter = Filter { types: of.types(&passes), sources: None, first, last };
    store.each_daily_count(sensor, &filter, &mut |count| {
        if sighted.as_ref().is_none_or(|sighted| sighted.holds(0, count.day)) {
            sink(count);
        }
    })?;
    Ok(true)
}

/// Passes the hourly counts of a behavior between two days (both included) to `sink`.
///
/// # Errors
/// When the history cannot be read, or for hosts of a prefix and for labels that depend on marks, because
/// hours are counted by type alone.
fn each_hour(
    store: &dyn HistoryStore,
    sensor: &str,
    of: &TrafficFilter,
    rules: &Rules,
    (first, last): (Option<Date>, Option<Date>),
    sources: Option<IpNet>,
    sink: &mut dyn FnMut(&HourlyCount),
) -> Result<(), AppError> {
    if matches!(of, TrafficFilter::Signature(_)) {
        return Err(AppError::Usage(
            "hours are counted by type and not by signature: ask by day (--by day)".to_owned(),
        ));
    }
    let sighted = of.sighting_conditions(store, rules)?;
    if let (Some(sighted), TrafficFilter::Label(label)) = (&sighted, of)
        && sighted.depends_on_marks()
    {
        return Err(AppError::Usage(format!(
            "label `{label}` depends on marks of hosts, and hours are counted by type alone: ask by day (--by day)"
        )));
    }
    let passes = |parameters: &Parameters| of.matches(parameters, rules);
    let filter = Filter { types: of.types(&passes), sources, first, last };
    store.each_hourly_count(sensor, &filter, &mut |count| {
        if sighted.as_ref().is_none_or(|sighted| sighted.holds(0, count.day)) {
            sink(count);
        }
    })?;
    Ok(())
}

impl TrafficFilter {
    /// Returns the types that have the behavior. For a label, these are the types that can have it, depending
    /// on marks and day.
    fn types<'a>(&self, passes: &'a dyn Fn(&Parameters) -> bool) -> TypeFilter<'a> {
        match self {
            TrafficFilter::All | TrafficFilter::Signature(_) => TypeFilter::All,
            TrafficFilter::Behavior(selection) => TypeFilter::Behavior(*selection),
            TrafficFilter::Service(protocol, port) => TypeFilter::Service(*protocol, *port),
            TrafficFilter::Protocol(protocol) => TypeFilter::Protocol(*protocol),
            TrafficFilter::Label(_) => TypeFilter::Predicate(passes, FacetInclusion::Excluded),
        }
    }

    /// Returns the conditions of a label on single sightings; `None` if this is not a label or no rule
    /// defines it.
    fn sighting_conditions(
        &self,
        store: &dyn HistoryStore,
        rules: &Rules,
    ) -> Result<Option<SightingConditions>, AppError> {
        match self {
            TrafficFilter::Label(label) => Ok(rules.sighting_conditions(label, &store.mark_names()?)),
            _ => Ok(None),
        }
    }

    /// Returns whether windows with these parameters have the behavior; for a label, whether they can have
    /// it, depending on marks and time. A type, shape, pattern or signature is not tested: the answer is always true.
    pub(super) fn matches(&self, parameters: &Parameters, rules: &Rules) -> bool {
        match self {
            TrafficFilter::All | TrafficFilter::Behavior(_) | TrafficFilter::Signature(_) => true,
            TrafficFilter::Service(protocol, port) => parameters.is_service(*protocol, *port),
            TrafficFilter::Protocol(protocol) => parameters.is_of(*protocol),
            TrafficFilter::Label(label) => rules.fits_label(label, parameters),
        }
    }
}
