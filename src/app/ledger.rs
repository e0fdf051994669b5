//! A sensor's ledger, read from a history in one pass over its observations.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::behavior::{Parameters, Ports};
use crate::correlate::{Ledger, SensorHistory};
use crate::history::{Facets, Observation, Restriction, TypeRecord, Types};
use crate::sample::{Port, Scan, Service};
use crate::store::HistoryStore;

use super::AppError;

/// Types that no sample may have, but which changes are compared with; more would say no more.
const PEER_TYPES_MAX: u32 = 20_000;

/// The ledger of a sensor for the services of these scans.
///
/// # Errors
/// When the store fails.
pub(super) fn of<'a>(
    store: &dyn HistoryStore,
    history: &SensorHistory,
    scans: impl Iterator<Item = &'a Scan>,
) -> Result<Ledger, AppError> {
    let services = Services::of(scans);
    let mut ledger = Ledger::new(&history.coverage);
    let peers = Cell::new(0u32);
    let wanted = |parameters: &Parameters| {
        let relevant = services.meet(parameters);
        let peer = !relevant && peers.get() < PEER_TYPES_MAX;
        peers.set(peers.get() + u32::from(peer));
        relevant || peer
    };
    let restriction = Restriction { types: Types::Where(&wanted, Facets::Counted), ..Restriction::default() };
    let mut observations: Vec<Observation> = Vec::new();
    store.each_observation(&history.sensor.name, &restriction, &mut |one| observations.push(*one))?;
    let mut records: HashMap<u64, (TypeRecord, bool)> = HashMap::new();
    for Observation { number, scope, day, hosts, .. } in observations {
        let (record, relevant) = match records.entry(number) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let record = store.type_of(number)?;
                let relevant = services.meet(&record.parameters);
                new.insert((record, relevant))
            }
        };
        ledger.add(record, scope, day, hosts, *relevant);
    }
    Ok(ledger)
}

/// What samples scan, each service once.
struct Services(Vec<Service>);

impl Services {
    fn of<'a>(scans: impl Iterator<Item = &'a Scan>) -> Services {
        let mut all: Vec<Service> =
            scans.flat_map(|scan| scan.services.iter().map(|(service, _)| *service)).collect();
        all.sort_unstable();
        all.dedup();
        Services(all)
    }

    /// Whether a window with these parameters may be a sample's.
    fn meet(&self, parameters: &Parameters) -> bool {
        let Parameters { protocol, ports, ports_ephemeral, ports_follow_destinations, .. } = parameters;
        self.0.iter().any(|service| {
            protocol.contains(&service.token)
                && match (service.port, ports) {
                    (Port::None, ports) => *ports == Ports::None,
                    (Port::Is(_) | Port::Anew(..), Ports::Many) => true,
                    (Port::Is(port), ports) => ports.listed().contains(&port),
                    // Other ports are told by their family, which masks them where they say nothing.
                    (Port::Anew(..), _) => *ports_ephemeral || *ports_follow_destinations,
                }
        })
    }
}
