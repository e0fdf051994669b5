//! Queries a sensor's history for all behaviors that samples show. A behavior that several samples show is
//! queried once, and one call of the store answers many behaviors.

use std::collections::{BTreeMap, BTreeSet};

use crate::behavior::{BehaviorId, Ports, ProtocolSet};
use crate::correlate::{Ledger, Seen};
use crate::history::{Granularity, Habit, Selection, TypeTotal};
use crate::rules::Rules;
use crate::sample::{ProjectedBehavior, services};
use crate::store::{HistoryStore, NearService};

use super::AppError;

/// Maximum number of hosts of a match that are listed.
const HOSTS_MAX: usize = 20;
/// Maximum number of services of a sample for which similar types are queried.
const SERVICES_MAX: usize = 8;
/// Maximum number of similar types per service.
const NEIGHBOURS_MAX: usize = 20;
/// Maximum number of host-days of the behaviors of one query, unless a single behavior has more: about 100 MB
/// for their hosts.
const HOST_DAYS_AT_ONCE: u64 = 1 << 20;

/// The observations of one sensor. Samples are many and often scan the same ports in the same ways, so the
/// results are shared.
pub(super) struct Asked {
    behaviors: BTreeMap<(Granularity, BehaviorId), Habit>,
    neighbours: BTreeMap<NearService, Vec<TypeTotal>>,
}

impl Asked {
    /// Queries all behaviors of the samples that the sensor's ledger knows, and the frequent types on the
    /// services of the samples.
    pub(super) fn of(
        store: &dyn HistoryStore,
        sensor: &str,
        ledger: &Ledger,
        samples: &[&[ProjectedBehavior]],
    ) -> Result<Asked, AppError> {
        let mut asked = Asked { behaviors: BTreeMap::new(), neighbours: BTreeMap::new() };
        asked.ask_behaviors(store, sensor, ledger, samples)?;
        let near: Vec<Vec<NearService>> = samples.iter().map(|sample| near(sample)).collect();
        asked.ask_neighbours(store, sensor, near.iter().flatten().cloned().collect())?;
        let none = |near: &&Vec<NearService>| near.iter().all(|service| asked.near(service).is_empty());
        let wider =
            near.iter().filter(none).flatten().map(|(protocol, _)| (protocol.clone(), None)).collect();
        asked.ask_neighbours(store, sensor, wider)?;
        Ok(asked)
    }

    fn ask_behaviors(
        &mut self,
        store: &dyn HistoryStore,
        sensor: &str,
        ledger: &Ledger,
        samples: &[&[ProjectedBehavior]],
    ) -> Result<(), AppError> {
        let all: BTreeSet<_> =
            samples.iter().copied().flatten().map(|one| (one.granularity, one.behavior.id)).collect();
        let (mut batch, mut held) = (Vec::new(), 0);
        for (granularity, id) in all {
            let Some(host_days) = ledger.host_days(id) else { continue };
            if held + host_days > HOST_DAYS_AT_ONCE {
                self.ask_batch(store, sensor, &std::mem::take(&mut batch))?;
                held = 0;
            }
            held += host_days;
            batch.push(Selection { granularity, id, facets: true });
        }
        self.ask_batch(store, sensor, &batch)
    }

    fn ask_batch(
        &mut self,
        store: &dyn HistoryStore,
        sensor: &str,
        batch: &[Selection],
    ) -> Result<(), AppError> {
        let habits = batch.iter().zip(store.habits(sensor, batch, HOSTS_MAX)?);
        let seen = habits.filter(|(_, habit)| !habit.series.is_empty());
        self.behaviors.extend(seen.map(|(one, habit)| ((one.granularity, one.id), habit)));
        Ok(())
    }

    fn ask_neighbours(
        &mut self,
        store: &dyn HistoryStore,
        sensor: &str,
        services: BTreeSet<NearService>,
    ) -> Result<(), AppError> {
        let services: Vec<NearService> = services.into_iter().collect();
        if !services.is_empty() {
            let found = store.neighbours(sensor, &services, NEIGHBOURS_MAX)?;
            self.neighbours.extend(services.into_iter().zip(found));
        }
        Ok(())
    }

    /// Returns the behaviors of a sample that the sensor observed, with series, hosts, labels and an example.
    pub(super) fn seen(&self, projected: &[ProjectedBehavior], rules: &Rules) -> Vec<Seen> {
        let known = |one: &ProjectedBehavior| {
            let known = self.behaviors.get(&(one.granularity, one.behavior.id))?;
            Some(seen_one(one, known, rules))
        };
        projected.iter().filter_map(known).collect()
    }

    fn near(&self, service: &NearService) -> &[TypeTotal] {
        self.neighbours.get(service).map_or(&[], Vec::as_slice)
    }

    /// Returns frequent types of the sensor on the services that a sample scans. If there are none, it
    /// returns those of the same protocols on other ports, so that an answer can name the nearest
    /// observations.
    pub(super) fn neighbours(&self, projected: &[ProjectedBehavior]) -> Vec<TypeTotal> {
        let near = near(projected);
        let of = |near: &[NearService]| {
            let found = near.iter().flat_map(|service| self.near(service));
            found.map(|total| (total.record.behavior.id, total)).collect::<BTreeMap<_, _>>()
        };
        let mut all = of(&near);
        if all.is_empty() {
            let wider: Vec<NearService> = near.into_iter().map(|(protocol, _)| (protocol, None)).collect();
            all = of(&wider);
        }
        all.into_values().cloned().collect()
    }
}

/// Returns the services on which frequent types are similar to what a sample shows.
fn near(projected: &[ProjectedBehavior]) -> Vec<NearService> {
    let services = services(projected).into_iter().take(SERVICES_MAX);
    services
        .map(|(protocol, ports): (&ProtocolSet, &Ports)| (protocol.clone(), Some(ports.clone())))
        .collect()
}

fn seen_one(behavior: &ProjectedBehavior, known: &Habit, rules: &Rules) -> Seen {
    let Habit { series, hosts, seen_as, example } = known.clone();
    // A mark that more than half of the hosts have characterizes the behavior.
    let usual = |(name, count): &&(String, u64)| *count * 2 > hosts.total && !name.is_empty();
    let marks: Vec<&str> = hosts.marked.iter().filter(usual).map(|(name, _)| name.as_str()).collect();
    let mut labels: Vec<String> =
        rules.labels(&behavior.parameters, &marks, hosts.first).into_iter().map(str::to_owned).collect();
    labels.extend(marks.iter().filter(|mark| rules.is_told(mark)).map(|mark| (*mark).to_owned()));
    let is_backscatter = labels.iter().any(|label| rules.is_backscatter(label));
    Seen { behavior: behavior.clone(), series, hosts, labels, is_backscatter, seen_as, example }
}
