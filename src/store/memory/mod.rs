//! A history in memory: the simple reference with which other stores are compared, and the store of tests and
//! of simulated worlds. Memory: about 200 bytes per sighting.

mod adopt;
mod seen;
mod taken_back;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::civil::Date;

use crate::behavior::BehaviorId;
use crate::history::{
    BeforeNewest, CaptureRecord, Contribution, Coverage, DayCount, DayTotal, Example, Filter, Granularity,
    HostList, HourlyCount, Outage, Reopened, Resume, Scope, Selection, Sensor, Sighting, SightingCounts,
    TypeRecord, TypeTotal, Types, hours_of,
};

use crate::sample::KeptSample;

use seen::{Seen, SightingKey, by_day};

use super::{HistoryStore, NearService, StoreError, host_summaries};

/// A history in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    sensors: BTreeMap<String, Kept>,
    types: BTreeMap<u64, TypeRecord>,
    marks: Vec<String>,
    samples: BTreeMap<String, KeptSample>,
}

/// The stored data of a sensor.
#[derive(Debug)]
struct Kept {
    sensor: Sensor,
    outages: Vec<Outage>,
    captures: BTreeMap<[u8; 32], CaptureRecord>,
    /// Closed windows, by the content hash of the capture that closed them.
    closed: BTreeMap<[u8; 32], Seen>,
    open: Seen,
    resume: Resume,
    before_newest: Option<BeforeNewest>,
}

impl MemoryStore {
    /// Creates an empty history.
    #[must_use]
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn kept(&self, sensor: &str) -> Result<&Kept, StoreError> {
        self.sensors.get(sensor).ok_or_else(|| StoreError::UnknownSensor(sensor.to_owned()))
    }

    fn kept_mut(&mut self, sensor: &str) -> Result<&mut Kept, StoreError> {
        self.sensors.get_mut(sensor).ok_or_else(|| StoreError::UnknownSensor(sensor.to_owned()))
    }

    /// Returns the sightings of a selection, from closed and open windows.
    fn selected<'a>(
        &'a self,
        kept: &'a Kept,
        selection: &'a Selection,
    ) -> impl Iterator<Item = (&'a SightingKey, &'a SightingCounts)> {
        kept.sightings().filter(move |(key, _)| {
            (selection.facets || key.scope == Scope::Whole) && self.is_of(key.number, selection)
        })
    }

    fn is_of(&self, number: u64, selection: &Selection) -> bool {
        self.types.get(&number).is_some_and(|record| match selection.granularity {
            Granularity::Type => record.behavior.id == selection.id,
            Granularity::Shape => record.shape.id == selection.id,
            Granularity::Family => record.family.id == selection.id,
        })
    }

    /// Returns whether a filter selects the sightings of a type, scope and day.
    fn wants(&self, filter: &Filter<'_>, number: u64, scope: Scope, day: Date) -> bool {
        filter.has_day(day)
            && (scope == Scope::Whole || filter.types.facets())
            && self.passes(number, &filter.types)
    }

    /// Returns whether a filter's types include a type.
    fn passes(&self, number: u64, types: &Types<'_>) -> bool {
        let record = self.types.get(&number);
        match types {
            Types::All => true,
            Types::Of(selection) => self.is_of(number, selection),
            Types::Listed(listed) => listed.binary_search(&number).is_ok(),
            Types::Service(protocol, port) => {
                record.is_some_and(|record| record.parameters.is_service(*protocol, *port))
            }
            Types::Where(passes, _) => record.is_some_and(|record| passes(&record.parameters)),
        }
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

impl Kept {
    fn sightings(&self) -> impl Iterator<Item = (&SightingKey, &SightingCounts)> {
        self.parts().flat_map(|part| &part.sightings)
    }

    /// Returns the data of each capture's closed windows, and that of the open windows.
    fn parts(&self) -> impl Iterator<Item = &Seen> {
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
                let kept = Kept {
                    sensor: sensor.clone(),
                    outages: Vec::new(),
                    captures: BTreeMap::new(),
                    closed: BTreeMap::new(),
                    open: Seen::default(),
                    resume: Resume::default(),
                    before_newest: None,
                };
                self.sensors.insert(sensor.name.clone(), kept);
                Ok(())
            }
        }
    }

    fn edit_sensor(&mut self, name: &str, edited: &Sensor) -> Result<(), StoreError> {
        let coverage = self.coverage(name)?;
        let kept = self.kept_mut(name)?;
        super::edit::check_edit(&kept.sensor, edited, &coverage)?;
        kept.sensor = edited.clone();
        Ok(())
    }

    fn remove_sensor(&mut self, name: &str) -> Result<(), StoreError> {
        self.kept(name)?;
        self.sensors.remove(name);
        Ok(())
    }

    fn remove_outage(&mut self, sensor: &str, outage: &Outage) -> Result<bool, StoreError> {
        let outages = &mut self.kept_mut(sensor)?.outages;
        let before = outages.len();
        outages.retain(|known| known != outage);
        Ok(outages.len() < before)
    }

    fn add_outage(&mut self, sensor: &str, outage: &Outage) -> Result<(), StoreError> {
        let outages = &mut self.kept_mut(sensor)?.outages;
        if !outages.contains(outage) {
            outages.push(outage.clone());
        }
        Ok(())
    }

    fn coverage(&self, sensor: &str) -> Result<Coverage, StoreError> {
        let kept = self.kept(sensor)?;
        let captures: Vec<CaptureRecord> = kept.captures.values().cloned().collect();
        super::coverage_of(&kept.sensor, &captures, kept.outages.clone())
    }

    fn captures(&self, sensor: &str) -> Result<Vec<CaptureRecord>, StoreError> {
        let mut captures: Vec<CaptureRecord> = self.kept(sensor)?.captures.values().cloned().collect();
        captures.sort_by(CaptureRecord::in_time_order);
        Ok(captures)
    }

    fn is_removable(&self, sensor: &str, content: &[u8; 32]) -> Result<bool, StoreError> {
        self.can_take_back(sensor, content)
    }

    fn before_newest(&self, sensor: &str) -> Result<Option<BeforeNewest>, StoreError> {
        self.kept(sensor).map(|kept| kept.before_newest.clone())
    }

    fn remove_capture(
        &mut self,
        sensor: &str,
        content: &[u8; 32],
        reopened: Option<Reopened>,
    ) -> Result<(), StoreError> {
        self.take_back(sensor, content, reopened)
    }

    fn drop_days(&mut self, sensor: &str, days: (Date, Date)) -> Result<(), StoreError> {
        self.forget_days(sensor, days)
    }

    fn has_capture(&self, sensor: &str, content: &[u8; 32]) -> Result<bool, StoreError> {
        self.kept(sensor).map(|kept| kept.captures.contains_key(content))
    }

    fn resume(&self, sensor: &str) -> Result<Resume, StoreError> {
        let kept = self.kept(sensor)?;
        Ok(Resume { captures: kept.captures.len() as u64, ..kept.resume.clone() })
    }

    fn ingest(&mut self, sensor: &str, contribution: Contribution) -> Result<bool, StoreError> {
        if self.has_capture(sensor, &contribution.capture.content)? {
            return Ok(false);
        }
        for (parameters, number) in contribution.types.iter().zip(&contribution.type_numbers) {
            let record = TypeRecord::new(parameters, &contribution.types);
            self.types.entry(*number).or_insert(record);
        }
        let [closed, open] = [&contribution.closed, &contribution.open]
            .map(|gathered| self.adopt(gathered, &contribution.mark_names, &contribution.type_numbers));
        let (closed, open) = (closed?, open?);
        let kept = self.kept_mut(sensor)?;
        if kept.captures.len() as u64 != contribution.captures_before {
            return Err(StoreError::FedMeanwhile);
        }
        let content = contribution.capture.content;
        kept.captures.insert(content, contribution.capture);
        // If its days were dropped before, windows that it had closed on other days may still be here.
        kept.closed.entry(content).or_default().merge(closed);
        kept.open = open;
        let resume = std::mem::replace(&mut kept.resume, contribution.resume);
        kept.before_newest = Some(BeforeNewest { content, resume });
        Ok(true)
    }

    fn series(&self, sensor: &str, selections: &[Selection]) -> Result<Vec<Vec<DayCount>>, StoreError> {
        let kept = self.kept(sensor)?;
        Ok(selections.iter().map(|selection| by_day(self.selected(kept, selection))).collect())
    }

    fn totals(&self, sensor: &str) -> Result<Vec<DayTotal>, StoreError> {
        let whole =
            || self.kept(sensor).map(|kept| kept.sightings().filter(|(key, _)| key.scope == Scope::Whole));
        let mut types: BTreeMap<Date, BTreeSet<u64>> = BTreeMap::new();
        for (key, _) in whole()? {
            types.entry(key.day).or_default().insert(key.number);
        }
        let kinds = |day: Date| types.get(&day).map_or(0, |types| types.len() as u64);
        Ok(by_day(whole()?).into_iter().map(|count| DayTotal { count, types: kinds(count.day) }).collect())
    }

    fn each_sighting(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&Sighting),
    ) -> Result<(), StoreError> {
        for (key, counts) in self.kept(sensor)?.sightings() {
            let SightingKey { number, scope, host, day, signature } = *key;
            if filter.has_host(host) && self.wants(filter, number, scope, day) {
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
        let kept = self.kept(sensor)?;
        let mut hours: BTreeMap<_, (u64, u64, BTreeSet<IpAddr>)> = BTreeMap::new();
        for ((number, scope, day, hour), (windows, packets)) in kept.parts().flat_map(|part| &part.hours) {
            let sum = hours.entry((*number, *scope, *day, *hour)).or_default();
            sum.0 += windows;
            sum.1 += packets;
        }
        for (key, counts) in kept.sightings() {
            for hour in hours_of(counts.hours) {
                hours.entry((key.number, key.scope, key.day, hour)).or_default().2.insert(key.host);
            }
        }
        for ((number, scope, day, hour), (windows, packets, hosts)) in hours {
            if self.wants(filter, number, scope, day) {
                sink(&HourlyCount { number, scope, day, hour, windows, packets, hosts: hosts.len() as u64 });
            }
        }
        Ok(())
    }

    fn mark_names(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.marks.clone())
    }

    fn type_of(&self, number: u64) -> Result<TypeRecord, StoreError> {
        self.types.get(&number).cloned().ok_or_else(|| StoreError::Damaged(format!("no type {number}")))
    }

    fn hosts(&self, sensor: &str, selection: &Selection, most: usize) -> Result<HostList, StoreError> {
        let kept = self.kept(sensor)?;
        let mut seen: BTreeMap<IpAddr, (BTreeSet<Date>, SightingCounts)> = BTreeMap::new();
        for (key, sighting) in self.selected(kept, selection) {
            seen.entry(key.host)
                .and_modify(|(days, sum)| {
                    days.insert(key.day);
                    *sum = sum.merged(*sighting);
                })
                .or_insert_with(|| ([key.day].into(), *sighting));
        }
        Ok(HostList::of(host_summaries(seen, &self.marks), most))
    }

    fn neighbours(
        &self,
        sensor: &str,
        services: &[NearService],
        most: usize,
    ) -> Result<Vec<Vec<TypeTotal>>, StoreError> {
        let kept = self.kept(sensor)?;
        let near = |key: &SightingKey, (protocol, ports): &NearService| {
            key.scope == Scope::Whole
                && self.types.get(&key.number).is_some_and(|record| {
                    record.parameters.protocol == *protocol
                        && ports.as_ref().is_none_or(|ports| record.parameters.ports == *ports)
                })
        };
        let of = |one| self.type_totals(kept.sightings().filter(|(key, _)| near(key, one)), most);
        Ok(services.iter().map(of).collect())
    }

    fn types(&self, sensor: &str, selection: &Selection, most: usize) -> Result<Vec<TypeTotal>, StoreError> {
        let kept = self.kept(sensor)?;
        Ok(self.type_totals(self.selected(kept, selection), most))
    }

    fn example(&self, sensor: &str, behavior: BehaviorId) -> Result<Option<Example>, StoreError> {
        let kept = self.kept(sensor)?;
        let all = kept.parts().filter_map(|part| part.examples.get(&behavior));
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
}
