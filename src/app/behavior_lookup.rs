//! Queries a sensor's history for all behaviors that samples show. A behavior that several samples show is
//! queried once, and one call of the store answers many behaviors.

use std::collections::{BTreeMap, BTreeSet};

use crate::behavior::{BehaviorId, Ports, ProtocolSet};
use crate::correlate::{ObservedBehavior, SeriesTable};
use crate::history::{BehaviorFilter, BehaviorSummary, Granularity, TypeTotal};
use crate::rules::Rules;
use crate::sample::{ProjectedBehavior, distinct_services};
use crate::store::{HistoryStore, ServiceQuery};

use super::AppError;

/// Maximum number of hosts of a match that are listed.
const HOSTS_MAX: usize = 20;
/// Maximum number of services of a sample for which similar types are queried.
const SERVICES_MAX: usize = 8;
/// Maximum number of similar types per service.
const SERVICE_TYPES_MAX: usize = 20;
/// Maximum number of host-days of the behaviors of one query, unless a single behavior has more: about 100 MB
/// for their hosts.
const HOST_DAYS_AT_ONCE: u64 = 1 << 20;

/// The observations of one sensor. Samples are many and often scan the same ports in the same ways, so the
/// results are shared.
pub(super) struct BehaviorLookup {
    behaviors: BTreeMap<(Granularity, BehaviorId), BehaviorSummary>,
    service_types: BTreeMap<ServiceQuery, Vec<TypeTotal>>,
}

impl BehaviorLookup {
    /// Queries all behaviors of the samples that the sensor's ledger knows, and the frequent types on the
    /// services of the samples.
    pub(super) fn query(
        store: &dyn HistoryStore,
        sensor: &str,
        ledger: &SeriesTable,
        samples: &[&[ProjectedBehavior]],
    ) -> Result<BehaviorLookup, AppError> {
        let mut asked = BehaviorLookup { behaviors: BTreeMap::new(), service_types: BTreeMap::new() };
        asked.query_behaviors(store, sensor, ledger, samples)?;
        let near: Vec<Vec<ServiceQuery>> = samples.iter().map(|sample| services_to_query(sample)).collect();
        asked.query_service_types(store, sensor, near.iter().flatten().cloned().collect())?;
        let none =
            |near: &&Vec<ServiceQuery>| near.iter().all(|service| asked.types_on_service(service).is_empty());
        let wider =
            near.iter().filter(none).flatten().map(|(protocol, _)| (protocol.clone(), None)).collect();
        asked.query_service_types(store, sensor, wider)?;
        Ok(asked)
    }

    fn query_behaviors(
        &mut self,
        store: &dyn HistoryStore,
        sensor: &str,
        ledger: &SeriesTable,
        samples: &[&[ProjectedBehavior]],
    ) -> Result<(), AppError> {
        let all: BTreeSet<_> =
            samples.iter().copied().flatten().map(|one| (one.granularity, one.behavior.id)).collect();
        let (mut batch, mut held) = (Vec::new(), 0);
        for (granularity, id) in all {
            let Some(host_days) = ledger.host_days(id) else { continue };
            if held + host_days > HOST_DAYS_AT_ONCE {
                self.query_batch(store, sensor, &std::mem::take(&mut batch))?;
                held = 0;
            }
            held += host_days;
            batch.push(BehaviorFilter { granularity, id, facets: true });
        }
        self.query_batch(store, sensor, &batch)
    }

    fn query_batch(
        &mut self,
        store: &dyn HistoryStore,
        sensor: &str,
        batch: &[BehaviorFilter],
    ) -> Result<(), AppError> {
        let habits = batch.iter().zip(store.behavior_summaries(sensor, batch, HOSTS_MAX)?);
        let seen = habits.filter(|(_, habit)| !habit.series.is_empty());
        self.behaviors.extend(seen.map(|(one, habit)| ((one.granularity, one.id), habit)));
        Ok(())
    }

    fn query_service_types(
        &mut self,
        store: &dyn HistoryStore,
        sensor: &str,
        services: BTreeSet<ServiceQuery>,
    ) -> Result<(), AppError> {
        let services: Vec<ServiceQuery> = services.into_iter().collect();
        if !services.is_empty() {
            let found = store.types_of_services(sensor, &services, SERVICE_TYPES_MAX)?;
            self.service_types.extend(services.into_iter().zip(found));
        }
        Ok(())
    }

    /// Returns the behaviors of a sample that the sensor observed, with series, hosts, labels and an example.
    pub(super) fn observed_behaviors(
        &self,
        projected: &[ProjectedBehavior],
        rules: &Rules,
    ) -> Vec<ObservedBehavior> {
        let known = |one: &ProjectedBehavior| {
            let known = self.behaviors.get(&(one.granularity, one.behavior.id))?;
            Some(observed_behavior(one, known, rules))
        };
        projected.iter().filter_map(known).collect()
    }

    fn types_on_service(&self, service: &ServiceQuery) -> &[TypeTotal] {
        self.service_types.get(service).map_or(&[], Vec::as_slice)
    }

    /// Returns frequent types of the sensor on the services that a sample scans. If there are none, it
    /// returns those of the same protocols on other ports, so that an answer can name the nearest
    /// observations.
    pub(super) fn types_of_services(&self, projected: &[ProjectedBehavior]) -> Vec<TypeTotal> {
        let near = services_to_query(projected);
        let of = |near: &[ServiceQuery]| {
            let found = near.iter().flat_map(|service| self.types_on_service(service));
            found.map(|total| (total.record.behavior.id, total)).collect::<BTreeMap<_, _>>()
        };
        let mut all = of(&near);
        if all.is_empty() {
            let wider: Vec<ServiceQuery> = near.into_iter().map(|(protocol, _)| (protocol, None)).collect();
            all = of(&wider);
        }
        all.into_values().cloned().collect()
    }
}

/// Returns the services on which frequent types are similar to what a sample shows.
fn services_to_query(projected: &[ProjectedBehavior]) -> Vec<ServiceQuery> {
    let services = distinct_services(projected).into_iter().take(SERVICES_MAX);
    services
        .map(|(protocol, ports): (&ProtocolSet, &Ports)| (protocol.clone(), Some(ports.clone())))
        .collect()
}

fn observed_behavior(
    behavior: &ProjectedBehavior,
    known: &BehaviorSummary,
    rules: &Rules,
) -> ObservedBehavior {
    let BehaviorSummary { series, hosts, most_frequent_type: seen_as, example } = known.clone();
    // A mark that more than half of the hosts have characterizes the behavior.
    let usual = |(name, count): &&(String, u64)| *count * 2 > hosts.total && !name.is_empty();
    let marks: Vec<&str> = hosts.mark_counts.iter().filter(usual).map(|(name, _)| name.as_str()).collect();
    let mut labels: Vec<String> =
        rules.labels(&behavior.parameters, &marks, hosts.first).into_iter().map(str::to_owned).collect();
    labels.extend(marks.iter().filter(|mark| rules.is_shown(mark)).map(|mark| (*mark).to_owned()));
    let is_backscatter = labels.iter().any(|label| rules.is_backscatter(label));
    ObservedBehavior {
        behavior: behavior.clone(),
        series,
        hosts,
        labels,
        is_backscatter,
        observed_type: seen_as,
        example,
    }
}
