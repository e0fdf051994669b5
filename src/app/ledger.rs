//! Reads the ledger of a sensor (its behavior series for correlation) from a history in one pass over its
//! daily counts.

use std::cell::Cell;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use jiff::civil::Date;

use crate::behavior::{Names, Parameters, Ports, ProtocolToken};
use crate::correlate::{Ledger, SensorHistory};
use crate::history::{Facets, Filter, TypeRecord, Types};
use crate::sample::{AnewPorts, Port, Scan, Service};
use crate::store::HistoryStore;

use super::AppError;

/// Maximum number of types that no sample can have but that are read as well. The rises of their patterns are
/// the background to which the rises of a sample are compared.
const PEER_TYPES_MAX: u32 = 20_000;

/// Returns a sensor's ledger of the types that samples with these services can have, and of other types for
/// comparison.
///
/// # Errors
/// When the store fails.
pub(super) fn of(
    store: &dyn HistoryStore,
    history: &SensorHistory,
    services: &Services,
) -> Result<Ledger, AppError> {
    let relevant = |parameters: &Parameters| services.meet(parameters);
    let peers = Cell::new(0u32);
    let wanted = |parameters: &Parameters| {
        let relevant = relevant(parameters);
        let peer = !relevant && peers.get() < PEER_TYPES_MAX;
        peers.set(peers.get() + u32::from(peer));
        relevant || peer
    };
    let filter = Filter { types: Types::Where(&wanted, Facets::Counted), ..Filter::default() };
    let ledger = Ledger::new(history.coverage.days(), services.anew.clone());
    let ledger = ledger.with_dark(&history.sensor.dark_periods());
    read(store, &history.sensor.name, &filter, &relevant, ledger)
}

/// Returns a sensor's ledger of the types whose parameters are `relevant`, between two days (both included),
/// without other types for comparison.
///
/// # Errors
/// When the store fails.
pub(super) fn between(
    store: &dyn HistoryStore,
    history: &SensorHistory,
    relevant: &dyn Fn(&Parameters) -> bool,
    services: &Services,
    (first, last): (Date, Date),
) -> Result<Ledger, AppError> {
    let types = Types::Where(relevant, Facets::LeftOut);
    let filter = Filter { types, first: Some(first), last: Some(last), sources: None };
    let days = history.coverage.days().filter(|day| filter.has_day(*day));
    let ledger = Ledger::new(days, services.anew.clone()).with_dark(&history.sensor.dark_periods());
    read(store, &history.sensor.name, &filter, relevant, ledger)
}

fn read(
    store: &dyn HistoryStore,
    sensor: &str,
    filter: &Filter<'_>,
    relevant: &dyn Fn(&Parameters) -> bool,
    mut ledger: Ledger,
) -> Result<Ledger, AppError> {
    let mut records: HashMap<u64, (TypeRecord, Option<Names>)> = HashMap::new();
    let mut failed = None;
    store.each_daily_count(sensor, filter, &mut |one| {
        let (record, names) = match records.entry(one.number) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => match store.type_of(one.number) {
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
pub(super) struct Services {
    /// Services with one port.
    ports: HashSet<(ProtocolToken, u16)>,
    /// Protocols of all services with ports, fixed or per target.
    ported: HashSet<ProtocolToken>,
    /// Protocols of services without ports.
    portless: HashSet<ProtocolToken>,
    /// Protocols of services with per-target ports.
    changing: HashSet<ProtocolToken>,
    /// The per-target ports, which carry no information.
    pub(super) anew: AnewPorts,
}

impl Services {
    pub(super) fn of<'a>(scans: impl Iterator<Item = &'a Scan> + Clone) -> Services {
        let mut services = Services {
            ports: HashSet::new(),
            ported: HashSet::new(),
            portless: HashSet::new(),
            changing: HashSet::new(),
            anew: AnewPorts::of(scans.clone()),
        };
        for (Service { token, port }, _) in scans.flat_map(|scan| &scan.services) {
            match port {
                Port::None => services.portless.insert(*token),
                Port::Is(port) => services.ports.insert((*token, *port)),
                Port::Anew(..) => services.changing.insert(*token),
            };
            if *port != Port::None {
                services.ported.insert(*token);
            }
        }
        services
    }

    /// Returns whether a window with these parameters can be a sample's.
    pub(super) fn meet(&self, parameters: &Parameters) -> bool {
        let Parameters { protocol, ports, ports_ephemeral, ports_follow_destinations, .. } = parameters;
        let mut tokens = protocol.iter();
        let changing = |token: &ProtocolToken| self.changing.contains(token);
        let any_port = *ports_ephemeral || *ports_follow_destinations || self.anew.has(parameters);
        (any_port && protocol.iter().any(changing))
            || match ports {
                Ports::None => tokens.any(|token| self.portless.contains(token)),
                Ports::Many => tokens.any(|token| self.ported.contains(token)),
                Ports::Listed(listed) => {
                    tokens.any(|token| listed.iter().any(|port| self.ports.contains(&(*token, *port))))
                }
            }
    }
}
