//! Reads the ledger of a sensor (its behavior series for correlation) from a history in one pass over its
//! daily counts.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use jiff::civil::Date;

use crate::behavior::{Names, Parameters, Ports, ProtocolToken};
use crate::correlate::{SensorHistory, SeriesTable};
use crate::history::{FacetInclusion, Filter, TypeFilter, TypeRecord};
use crate::sample::{PerTargetPorts, SampleService, Scan, ServicePort};
use crate::store::HistoryStore;

use super::AppError;

/// Returns the series of those types of a sensor that samples with these services can have.
///
/// # Errors
/// When the store fails.
pub(super) fn read(
    store: &dyn HistoryStore,
    history: &SensorHistory,
    services: &CandidateServices,
) -> Result<SeriesTable, AppError> {
    let relevant = |parameters: &Parameters| services.can_match(parameters);
    let filter =
        Filter { types: TypeFilter::Predicate(&relevant, FacetInclusion::Included), ..Filter::default() };
    let table = SeriesTable::new(history.coverage.observed_days(), services.per_target_ports.clone());
    let table = table.with_dark(&history.sensor.dark_periods());
    read_filtered(store, &history.sensor.name, &filter, &relevant, table)
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
) -> Result<SeriesTable, AppError> {
    let types = TypeFilter::Predicate(relevant, FacetInclusion::Excluded);
    let filter = Filter { types, first: Some(first), last: Some(last), sources: None };
    let days = history.coverage.observed_days().filter(|day| filter.has_day(*day));
    let ledger =
        SeriesTable::new(days, services.per_target_ports.clone()).with_dark(&history.sensor.dark_periods());
    read_filtered(store, &history.sensor.name, &filter, relevant, ledger)
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
