//! A history in memory: the simple reference with which other stores are compared, and the store of tests and
//! of simulated worlds. Memory: about 200 bytes per sighting.

mod alerts;
mod import;
mod incidents;
mod recent;
mod removal;
mod selection;
mod sighting_maps;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::civil::Date;

use super::{HistoryStore, ServiceQuery, StoreError, host_summaries};
use crate::behavior::{BehaviorId, ProbeSignature};
use crate::history::{
    BehaviorFilter, CaptureRecord, Contribution, Coverage, DayCount, DayTotal, EngineState, Example, Filter,
    HostList, HourlyCount, Outage, ReopenedWindows, RollbackPoint, Scope, Sensor, Sighting, SightingCounts,
    TypeRecord, TypeTotal, hours_in_bitmap,
};
use crate::sample::{FamilyRenames, KeptSample};
use sighting_maps::{SightingKey, SightingMaps, counts_by_day};

/// A history in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    sensors: BTreeMap<String, SensorData>,
    types: BTreeMap<u64, TypeRecord>,
    signatures: BTreeMap<u64, ProbeSignature>,
    marks: Vec<String>,
    samples: BTreeMap<String, KeptSample>,
    family_renames: FamilyRenames,
    incident_maps: incidents::IncidentMaps,
    alert_maps: alerts::AlertMaps,
}

/// The stored data of a sensor.
#[derive(Debug)]
struct SensorData {
    sensor: Sensor,
    outages: Vec<Outage>,
    captures: BTreeMap<[u8; 32], CaptureRecord>,
    /// Closed windows, by the content hash of the capture that closed them.
    closed: BTreeMap<[u8; 32], SightingMaps>,
    open: SightingMaps,
    engine_state: EngineState,
    rollback_point: Option<RollbackPoint>,
}

impl MemoryStore {
    /// Creates an empty history.
    #[must_use]
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn sensor_data(&self, sensor: &str) -> Result<&SensorData, StoreError> {
        self.sensors.get(sensor).ok_or_else(|| StoreError::UnknownSensor(sensor.to_owned()))
    }

    fn sensor_data_mut(&mut self, sensor: &str) -> Result<&mut SensorData, StoreError> {
        self.sensors.get_mut(sensor).ok_or_else(|| StoreError::UnknownSensor(sensor.to_owned()))
    }

    /// Returns the totals of the types of some sightings, by descending number of windows.
    fn type_totals<'a>(
        &self,
        sightings: impl Iterator<Item = (&'a SightingKey, &'a SightingCounts)>,
        most: usize,
    ) -> Vec<TypeTotal> {
        let mut sums: BTreeMap<u64, (u64, u64, BTreeSet<IpAddr>)> = BTreeMap::new();
        for (key, counts) in sightings {
            let sum = sums.entry(key.number).or_default();
            sum.0 += counts.windows;
            sum.1 += counts.packets;
            sum.2.insert(key.host);
        }
        let mut totals: Vec<TypeTotal> = sums
            .into_iter()
            .filter_map(|(number, (windows, packets, hosts))| {
                let record = self.types.get(&number)?.clone();
                Some(TypeTotal { record, windows, packets, hosts: hosts.len() as u64 })
            })
            .collect();
        totals
            .sort_by(|a, b| b.windows.cmp(&a.windows).then(a.record.behavior.id.cmp(&b.record.behavior.id)));
        totals.truncate(most);
        totals
    }
}

impl SensorData {
    fn sightings(&self) -> impl Iterator<Item = (&SightingKey, &SightingCounts)> {
        self.parts().flat_map(|part| &part.sightings)
    }

    /// Returns the data of each capture's closed windows, and that of the open windows.
    fn parts(&self) -> impl Iterator<Item = &SightingMaps> {
        self.closed.values().chain([&self.open])
    }
}

impl HistoryStore for MemoryStore {
    fn sensors(&self) -> Result<Vec<Sensor>, StoreError> {
        Ok(self.sensors.values().map(|kept| kept.sensor.clone()).collect())
    }

    fn add_sensor(&mut self, sensor: &Sensor) -> Result<(), StoreError> {
        match self.sensors.get(&sensor.name) {
            Some(kept) if kept.sensor == *sensor => Ok(()),
            Some(_) => Err(StoreError::SensorExists(sensor.name.clone())),
            None => {
                let kept = SensorData {
                    sensor: sensor.clone(),
                    outages: Vec::new(),
                    captures: BTreeMap::new(),
                    closed: BTreeMap::new(),
                    open: SightingMaps::default(),
                    engine_state: EngineState::default(),
                    rollback_point: None,
                };
                self.sensors.insert(sensor.name.clone(), kept);
                Ok(())
            }
        }
    }

    fn edit_sensor(&mut self, name: &str, edited: &Sensor) -> Result<(), StoreError> {
        let coverage = self.coverage(name)?;
        let kept = self.sensor_data_mut(name)?;
        super::edit::check_edit(&kept.sensor, edited, &coverage)?;
        kept.sensor = edited.clone();
        Ok(())
    }

    fn remove_sensor(&mut self, name: &str) -> Result<(), StoreError> {
        self.sensors.remove(name).map(drop).ok_or_else(|| StoreError::UnknownSensor(name.to_owned()))
    }

    fn remove_outage(&mut self, sensor: &str, outage: &Outage) -> Result<bool, StoreError> {
        let outages = &mut self.sensor_data_mut(sensor)?.outages;
        let before = outages.len();
        outages.retain(|known| known != outage);
        Ok(outages.len() < before)
    }

    fn add_outage(&mut self, sensor: &str, outage: &Outage) -> Result<(), StoreError> {
        let outages = &mut self.sensor_data_mut(sensor)?.outages;
        if !outages.contains(outage) {
            outages.push(outage.clone());
        }
        Ok(())
    }

    fn coverage(&self, sensor: &str) -> Result<Coverage, StoreError> {
        let kept = self.sensor_data(sensor)?;
        let captures: Vec<CaptureRecord> = kept.captures.values().cloned().collect();
        super::coverage_of(&kept.sensor, &captures, kept.outages.clone())
    }

    fn captures(&self, sensor: &str) -> Result<Vec<CaptureRecord>, StoreError> {
        let mut captures: Vec<CaptureRecord> = self.sensor_data(sensor)?.captures.values().cloned().collect();
        captures.sort_by(CaptureRecord::cmp_by_time);
        Ok(captures)
    }

    fn is_removable(&self, sensor: &str, content: &[u8; 32]) -> Result<bool, StoreError> {
        self.is_capture_removable(sensor, content)
    }

    fn rollback_point(&self, sensor: &str) -> Result<Option<RollbackPoint>, StoreError> {
        self.sensor_data(sensor).map(|kept| kept.rollback_point.clone())
    }

    fn remove_capture(
        &mut self,
        sensor: &str,
        content: &[u8; 32],
        reopened: Option<ReopenedWindows>,
    ) -> Result<(), StoreError> {
        self.delete_capture(sensor, content, reopened)
    }

    fn drop_days(&mut self, sensor: &str, days: (Date, Date)) -> Result<(), StoreError> {
        self.delete_days(sensor, days)
    }

    fn has_capture(&self, sensor: &str, content: &[u8; 32]) -> Result<bool, StoreError> {
        self.sensor_data(sensor).map(|kept| kept.captures.contains_key(content))
    }

    fn engine_state(&self, sensor: &str) -> Result<EngineState, StoreError> {
        let kept = self.sensor_data(sensor)?;
        Ok(EngineState { captures: kept.captures.len() as u64, ..kept.engine_state.clone() })
    }

    fn ingest(&mut self, sensor: &str, contribution: Contribution) -> Result<bool, StoreError> {
        if self.has_capture(sensor, &contribution.capture.content)? {
            return Ok(false);
        }
        for (parameters, number) in contribution.types.iter().zip(&contribution.type_numbers) {
            let record = TypeRecord::new(parameters, &contribution.types);
            self.types.entry(*number).or_insert(record);
        }
        self.signatures.extend(contribution.signatures.iter().copied());
        let [closed, open] = [&contribution.closed, &contribution.open].map(|gathered| {
            self.import_sightings(gathered, &contribution.mark_names, &contribution.type_numbers)
        });
        let (closed, open) = (closed?, open?);
        let kept = self.sensor_data_mut(sensor)?;
        if kept.captures.len() as u64 != contribution.captures_before {
            return Err(StoreError::ConcurrentChange);
        }
        let content = contribution.capture.content;
        kept.captures.insert(content, contribution.capture);
        // If its days were dropped before, windows that it had closed on other days may still be here.
        kept.closed.entry(content).or_default().merge(closed);
        kept.open = open;
        let resume = std::mem::replace(&mut kept.engine_state, contribution.engine_state);
        kept.rollback_point = Some(RollbackPoint { content, engine_state: resume });
        Ok(true)
    }

    fn series(&self, sensor: &str, selections: &[BehaviorFilter]) -> Result<Vec<Vec<DayCount>>, StoreError> {
        let kept = self.sensor_data(sensor)?;
        Ok(selections.iter().map(|selection| counts_by_day(self.selected(kept, selection))).collect())
    }

    fn totals(&self, sensor: &str) -> Result<Vec<DayTotal>, StoreError> {
        let whole = || {
            self.sensor_data(sensor).map(|kept| kept.sightings().filter(|(key, _)| key.scope == Scope::Whole))
        };
        let mut types: BTreeMap<Date, BTreeSet<u64>> = BTreeMap::new();
        for (key, _) in whole()? {
            types.entry(key.day).or_default().insert(key.number);
        }
        let type_count = |day: Date| types.get(&day).map_or(0, |types| types.len() as u64);
        Ok(counts_by_day(whole()?)
            .into_iter()
            .map(|count| DayTotal { count, types: type_count(count.day) })
            .collect())
    }

    fn each_sighting(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&Sighting),
    ) -> Result<(), StoreError> {
        for (key, counts) in self.sensor_data(sensor)?.sightings() {
            let SightingKey { number, scope, host, day, signature } = *key;
            if filter.has_host(host) && self.matches_filter(filter, number, scope, day) {
                sink(&Sighting { day, number, scope, host, signature, counts: *counts });
            }
        }
        Ok(())
    }

    fn each_hourly_count(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&HourlyCount),
    ) -> Result<(), StoreError> {
        super::refuse_sources(filter)?;
        let kept = self.sensor_data(sensor)?;
        let mut hours: BTreeMap<_, (u64, u64, BTreeSet<IpAddr>)> = BTreeMap::new();
        for ((number, scope, day, hour), (windows, packets)) in kept.parts().flat_map(|part| &part.hours) {
            let sum = hours.entry((*number, *scope, *day, *hour)).or_default();
            sum.0 += windows;
            sum.1 += packets;
        }
        for (key, counts) in kept.sightings() {
            for hour in hours_in_bitmap(counts.hours) {
                hours.entry((key.number, key.scope, key.day, hour)).or_default().2.insert(key.host);
            }
        }
        for ((number, scope, day, hour), (windows, packets, hosts)) in hours {
            if self.matches_filter(filter, number, scope, day) {
                sink(&HourlyCount { number, scope, day, hour, windows, packets, hosts: hosts.len() as u64 });
            }
        }
        Ok(())
    }

    fn mark_names(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.marks.clone())
    }

    fn type_record(&self, number: u64) -> Result<TypeRecord, StoreError> {
        self.types.get(&number).cloned().ok_or_else(|| StoreError::Damaged(format!("no type {number}")))
    }

    fn signature(&self, number: u64) -> Result<ProbeSignature, StoreError> {
        let signature = self.signatures.get(&number).copied();
        signature.ok_or_else(|| StoreError::Damaged(format!("no signature {number}")))
    }

    fn hosts(&self, sensor: &str, selection: &BehaviorFilter, most: usize) -> Result<HostList, StoreError> {
        let kept = self.sensor_data(sensor)?;
        let mut seen: BTreeMap<IpAddr, (BTreeSet<Date>, SightingCounts)> = BTreeMap::new();
        for (key, sighting) in self.selected(kept, selection) {
            seen.entry(key.host)
                .and_modify(|(days, sum)| {
                    days.insert(key.day);
                    *sum = sum.merged(*sighting);
                })
                .or_insert_with(|| ([key.day].into(), *sighting));
        }
        Ok(HostList::from_hosts(host_summaries(seen, &self.marks), most))
    }

    fn types_of_services(
        &self,
        sensor: &str,
        services: &[ServiceQuery],
        most: usize,
    ) -> Result<Vec<Vec<TypeTotal>>, StoreError> {
        let kept = self.sensor_data(sensor)?;
        let near = |key: &SightingKey, (protocol, ports): &ServiceQuery| {
            key.scope == Scope::Whole
                && self.types.get(&key.number).is_some_and(|record| {
                    record.parameters.protocol == *protocol
                        && ports.as_ref().is_none_or(|ports| record.parameters.ports == *ports)
                })
        };
        let of = |one| self.type_totals(kept.sightings().filter(|(key, _)| near(key, one)), most);
        Ok(services.iter().map(of).collect())
    }

    fn types(
        &self,
        sensor: &str,
        selection: &BehaviorFilter,
        most: usize,
    ) -> Result<Vec<TypeTotal>, StoreError> {
        Ok(self.type_totals(self.selected(self.sensor_data(sensor)?, selection), most))
    }

    fn example(&self, sensor: &str, behavior: BehaviorId) -> Result<Option<Example>, StoreError> {
        let all = self.sensor_data(sensor)?.parts().filter_map(|part| part.examples.get(&behavior));
        Ok(all.min_by_key(|example| (example.start, example.host)).cloned())
    }

    fn put_sample(&mut self, sample: &KeptSample) -> Result<(), StoreError> {
        self.samples.insert(sample.profile.id.clone(), sample.clone());
        Ok(())
    }

    fn remove_sample(&mut self, id: &str) -> Result<bool, StoreError> {
        Ok(self.samples.remove(id).is_some())
    }

    fn samples(&self) -> Result<Vec<KeptSample>, StoreError> {
        Ok(self.samples.values().cloned().collect())
    }

    fn put_family_renames(&mut self, renames: &FamilyRenames) -> Result<(), StoreError> {
        self.family_renames = renames.clone();
        Ok(())
    }

    fn family_renames(&self) -> Result<FamilyRenames, StoreError> {
        Ok(self.family_renames.clone())
    }
}
