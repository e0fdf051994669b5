//! Reads the ledger of a sensor (its behavior series for correlation) from a history in one pass over its
//! daily counts.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::civil::Date;

use crate::behavior::{Names, Parameters, Ports, ProbeSignature, ProtocolToken};
use crate::correlate::{SensorHistory, SeriesTable, SignatureCollector};
use crate::history::{FacetInclusion, Filter, Scope, TypeFilter, TypeRecord};
use crate::sample::{PerTargetPorts, SampleService, Scan, ServicePort};
use crate::store::{HistoryStore, StoreError};

use super::AppError;

/// Returns the series of those types of a sensor that samples with these services can have. `with_signatures` asks how
/// their hosts build their probes, which takes one pass over the sightings of these types.
///
/// # Errors
/// When the store fails.
pub(super) fn read(
    store: &dyn HistoryStore,
    history: &SensorHistory,
    services: &CandidateServices,
    with_signatures: bool,
) -> Result<SeriesTable, AppError> {
    let relevant = |parameters: &Parameters| services.can_match(parameters);
    let filter =
        Filter { types: TypeFilter::Predicate(&relevant, FacetInclusion::Included), ..Filter::default() };
    let table = SeriesTable::new(history.coverage.observed_days(), services.per_target_ports.clone());
    let table = table.with_dark(&history.sensor.dark_periods());
    let mut table = read_filtered(store, &history.sensor.name, &filter, &relevant, table)?;
    if with_signatures {
        let types = TypeFilter::Predicate(&relevant, FacetInclusion::Excluded);
        add_signatures(store, &history.sensor.name, &Filter { types, ..filter }, &mut table)?;
    }
    Ok(table)
}

/// Returns a sensor's ledger of the types whose parameters are `relevant`, between two days (both included),
/// without other types for comparison.
///
/// # Errors
/// When the store fails.
pub(super) fn read_between(
    store: &dyn HistoryStore,
    history: &SensorHistory,
    relevant: &dyn Fn(&Parameters) -> bool,
    services: &CandidateServices,
    (first, last): (Date, Date),
    with_signatures: bool,
) -> Result<SeriesTable, AppError> {
    let types = TypeFilter::Predicate(relevant, FacetInclusion::Excluded);
    let filter = Filter { types, first: Some(first), last: Some(last), sources: None };
    let days = history.coverage.observed_days().filter(|day| filter.has_day(*day));
    let ledger =
        SeriesTable::new(days, services.per_target_ports.clone()).with_dark(&history.sensor.dark_periods());
    let mut ledger = read_filtered(store, &history.sensor.name, &filter, relevant, ledger)?;
    if with_signatures {
        add_signatures(store, &history.sensor.name, &filter, &mut ledger)?;
    }
    Ok(ledger)
}

/// Adds how the hosts of the series built their probes.
fn add_signatures(
    store: &dyn HistoryStore,
    sensor: &str,
    filter: &Filter<'_>,
    table: &mut SeriesTable,
) -> Result<(), AppError> {
    let mut collector = SignatureCollector::default();
    store.each_sighting(sensor, filter, &mut |sighting| {
        let series = table.series_of_type(sighting.number).filter(|_| sighting.scope == Scope::Whole);
        if let (Some(series), Some(day), Some(number)) =
            (series, table.place_of(sighting.day), sighting.signature)
        {
            collector.add(series, day, number);
        }
    })?;
    let known = collector.numbers().into_iter().map(|number| Ok((number, store.signature(number)?)));
    let known: BTreeMap<u64, ProbeSignature> = known.collect::<Result<_, StoreError>>()?;
    table.signatures = collector.finish(&known);
    Ok(())
}

fn read_filtered(
    store: &dyn HistoryStore,
    sensor: &str,
    filter: &Filter<'_>,
    relevant: &dyn Fn(&Parameters) -> bool,
    mut ledger: SeriesTable,
) -> Result<SeriesTable, AppError> {
    let mut records: HashMap<u64, (TypeRecord, Option<Names>)> = HashMap::new();
    let mut failed = None;
    store.each_daily_count(sensor, filter, &mut |one| {
        let (record, names) = match records.entry(one.number) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => match store.type_record(one.number) {
                Ok(record) => {
                    let names = relevant(&record.parameters).then(|| ledger.names(&record));
                    new.insert((record, names))
                }
                Err(error) => {
                    failed.get_or_insert(error);
                    return;
                }
            },
        };
        ledger.add(record, one, names.as_ref());
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(ledger),
    }
}

/// The services that a set of samples scans. Each type of a history is tested against them, so the cost of a
/// test does not depend on the number of samples.
pub(super) struct CandidateServices {
    /// Services with one port.
    ports: HashSet<(ProtocolToken, u16)>,
    /// Protocols of all services with ports, fixed or per target.
    with_ports: HashSet<ProtocolToken>,
    /// Protocols of services without ports.
    portless: HashSet<ProtocolToken>,
    /// Protocols of services with per-target ports.
    per_target: HashSet<ProtocolToken>,
    /// The per-target ports, which carry no information.
    pub(super) per_target_ports: PerTargetPorts,
}

impl CandidateServices {
    pub(super) fn from_scans<'a>(scans: impl Iterator<Item = &'a Scan> + Clone) -> CandidateServices {
        let mut services = CandidateServices {
            ports: HashSet::new(),
            with_ports: HashSet::new(),
            portless: HashSet::new(),
            per_target: HashSet::new(),
            per_target_ports: PerTargetPorts::from_scans(scans.clone()),
        };
        for (SampleService { token, port }, _) in scans.flat_map(|scan| &scan.services) {
            match port {
                ServicePort::None => services.portless.insert(*token),
                ServicePort::Fixed(port) => services.ports.insert((*token, *port)),
                ServicePort::PerTarget(..) => services.per_target.insert(*token),
            };
            if *port != ServicePort::None {
                services.with_ports.insert(*token);
            }
        }
        services
    }

    /// Returns whether a window with these parameters can be a sample's.
    pub(super) fn can_match(&self, parameters: &Parameters) -> bool {
        let Parameters { protocol, ports, ports_ephemeral, ports_follow_destinations, .. } = parameters;
        let mut tokens = protocol.iter();
        let changing = |token: &ProtocolToken| self.per_target.contains(token);
        let any_port =
            *ports_ephemeral || *ports_follow_destinations || self.per_target_ports.is_per_target(parameters);
        (any_port && protocol.iter().any(changing))
            || match ports {
                Ports::None => tokens.any(|token| self.portless.contains(token)),
                Ports::Many => tokens.any(|token| self.with_ports.contains(token)),
                Ports::Listed(listed) => {
                    tokens.any(|token| listed.iter().any(|port| self.ports.contains(&(*token, *port))))
                }
            }
    }
}
