//! A history in memory: for captures that are looked at once, and the plain reference that other stores are held
//! against. Memory grows with the sightings, some 200 bytes each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::civil::Date;

use crate::behavior::BehaviorId;
use crate::history::{
    CaptureSpan, Contribution, Coverage, DayCount, DayTotal, Example, Filter, Gathered, Granularity,
    HostList, Outage, PackedExample, Resume, Scope, Selection, Sensor, Sighting, SightingCounts, SightingKey,
    TypeRecord, TypeTotal, Types, packets_of,
};

use crate::sample::KeptSample;

use super::{HistoryStore, NearService, StoreError, host_summaries};

/// A history in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    sensors: BTreeMap<String, Kept>,
    types: BTreeMap<BehaviorId, TypeRecord>,
    marks: Vec<String>,
    samples: BTreeMap<String, KeptSample>,
}

#[derive(Debug)]
struct Kept {
    sensor: Sensor,
    coverage: Coverage,
    captures: BTreeSet<[u8; 32]>,
    looks: Vec<CaptureSpan>,
    closed: Seen,
    open: Seen,
    resume: Resume,
}

impl MemoryStore {
    /// An empty history.
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

    /// The sightings of a selection, closed and open.
    fn selected<'a>(
        &'a self,
        kept: &'a Kept,
        selection: &'a Selection,
    ) -> impl Iterator<Item = (&'a SightingKey, &'a SightingCounts)> {
        kept.sightings().filter(move |(key, _)| {
            (selection.facets || key.scope == Scope::Whole) && self.is_of(key.behavior, selection)
        })
    }

    fn is_of(&self, behavior: BehaviorId, selection: &Selection) -> bool {
        match selection.granularity {
            Granularity::Type => behavior == selection.id,
            Granularity::Shape => {
                self.types.get(&behavior).is_some_and(|record| record.shape.id == selection.id)
            }
            Granularity::Family => {
                self.types.get(&behavior).is_some_and(|record| record.family.id == selection.id)
            }
        }
    }

    /// The types of some sightings with their sums, most windows first.
    fn type_totals<'a>(
        &self,
        sightings: impl Iterator<Item = (&'a SightingKey, &'a SightingCounts)>,
        most: usize,
    ) -> Vec<TypeTotal> {
        let mut sums: BTreeMap<BehaviorId, (u64, u64, BTreeSet<IpAddr>)> = BTreeMap::new();
        for (key, sighting) in sightings {
            let sum = sums.entry(key.behavior).or_default();
            sum.0 += sighting.windows;
            sum.1 += sighting.packets;
            sum.2.insert(key.host);
        }
        let mut totals: Vec<TypeTotal> = sums
            .into_iter()
            .filter_map(|(id, (windows, packets, hosts))| {
                let record = self.types.get(&id)?.clone();
                Some(TypeTotal { record, windows, packets, hosts: hosts.len() as u64 })
            })
            .collect();
        totals
            .sort_by(|a, b| b.windows.cmp(&a.windows).then(a.record.behavior.id.cmp(&b.record.behavior.id)));
        totals.truncate(most);
        totals
    }

    /// What was gathered, its marks renumbered from the contribution's names to the store's.
    fn adopt(
        &mut self,
        gathered: &Gathered,
        types: &[BehaviorId],
        names: &[String],
    ) -> Result<Seen, StoreError> {
        let mut numbers = Vec::new();
        for name in names {
            let at = self.marks.iter().position(|known| known == name).unwrap_or_else(|| {
                self.marks.push(name.clone());
                self.marks.len() - 1
            });
            numbers.push(at);
        }
        super::check_marks(self.marks.len())?;
        let id_of = |number: u64| usize::try_from(number).ok().and_then(|at| types.get(at)).copied();
        let mut seen = Seen::default();
        let read = gathered.each(&mut |day, number, scope, host, sighting| {
            let Some(behavior) = id_of(number) else { return };
            let marks = super::renumbered(sighting.marks, &numbers);
            let hour = day.hour(sighting.first);
            let key = SightingKey { day: day.date, behavior, scope, host, hour };
            seen.sight(key, SightingCounts { marks, ..sighting });
        });
        read.map_err(StoreError::Spilled)?;
        for PackedExample { number, start, host, packets } in gathered.examples.iter() {
            if let Some(behavior) = id_of(number.into()) {
                seen.keep(Example { behavior, host, start, packets: packets_of(packets)? });
            }
        }
        Ok(seen)
    }
}

/// Sightings and examples, plainly.
#[derive(Debug, Default)]
struct Seen {
    sightings: BTreeMap<SightingKey, SightingCounts>,
    examples: BTreeMap<BehaviorId, Example>,
}

impl Seen {
    fn sight(&mut self, key: SightingKey, seen: SightingCounts) {
        let known = self.sightings.entry(key);
        known.and_modify(|known| *known = known.merged(seen)).or_insert(seen);
    }

    fn keep(&mut self, example: Example) {
        let begins = |example: &Example| (example.start, example.host);
        if self.examples.get(&example.behavior).is_none_or(|kept| begins(&example) < begins(kept)) {
            self.examples.insert(example.behavior, example);
        }
    }

    fn merge(&mut self, other: Seen) {
        other.sightings.into_iter().for_each(|(key, seen)| self.sight(key, seen));
        other.examples.into_values().for_each(|example| self.keep(example));
    }
}

impl Kept {
    fn sightings(&self) -> impl Iterator<Item = (&SightingKey, &SightingCounts)> {
        self.closed.sightings.iter().chain(&self.open.sightings)
    }
}

/// Sums by day with the exact number of unique hosts.
fn by_day<'a>(sightings: impl Iterator<Item = (&'a SightingKey, &'a SightingCounts)>) -> Vec<DayCount> {
    let mut days: BTreeMap<Date, (u64, u64, BTreeSet<IpAddr>)> = BTreeMap::new();
    for (key, sighting) in sightings {
        let day = days.entry(key.day).or_default();
        day.0 += sighting.windows;
        day.1 += sighting.packets;
        day.2.insert(key.host);
    }
    days.into_iter()
        .map(|(day, (windows, packets, hosts))| DayCount { day, windows, packets, hosts: hosts.len() as u64 })
        .collect()
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
                    coverage: Coverage::default(),
                    captures: BTreeSet::new(),
                    looks: Vec::new(),
                    closed: Seen::default(),
                    open: Seen::default(),
                    resume: Resume::default(),
                };
                self.sensors.insert(sensor.name.clone(), kept);
                Ok(())
            }
        }
    }

    fn add_outage(&mut self, sensor: &str, outage: &Outage) -> Result<(), StoreError> {
        let outages = &mut self.kept_mut(sensor)?.coverage.outages;
        if !outages.contains(outage) {
            outages.push(outage.clone());
            outages.sort();
        }
        Ok(())
    }

    fn coverage(&self, sensor: &str) -> Result<Coverage, StoreError> {
        self.kept(sensor).map(|kept| kept.coverage.clone())
    }

    fn capture_spans(&self, sensor: &str) -> Result<Vec<CaptureSpan>, StoreError> {
        self.kept(sensor).map(|kept| kept.looks.clone())
    }

    fn has_capture(&self, sensor: &str, content: &[u8; 32]) -> Result<bool, StoreError> {
        self.kept(sensor).map(|kept| kept.captures.contains(content))
    }

    fn resume(&self, sensor: &str) -> Result<Resume, StoreError> {
        let kept = self.kept(sensor)?;
        Ok(Resume { captures: kept.captures.len() as u64, ..kept.resume.clone() })
    }

    fn ingest(&mut self, sensor: &str, contribution: &Contribution) -> Result<bool, StoreError> {
        if self.has_capture(sensor, &contribution.capture.content)? {
            return Ok(false);
        }
        let mut types = Vec::with_capacity(contribution.types.len());
        for parameters in contribution.types.iter() {
            let record = TypeRecord::new(parameters, &contribution.types);
            types.push(record.behavior.id);
            self.types.entry(record.behavior.id).or_insert(record);
        }
        let closed = self.adopt(&contribution.closed, &types, &contribution.mark_names)?;
        let open = self.adopt(&contribution.open, &types, &contribution.mark_names)?;
        let kept = self.kept_mut(sensor)?;
        if kept.captures.len() as u64 != contribution.captures_before {
            return Err(StoreError::FedMeanwhile);
        }
        kept.captures.insert(contribution.capture.content);
        kept.looks.extend(contribution.capture.span());
        kept.coverage.observed.extend(&contribution.days);
        kept.closed.merge(closed);
        kept.open = open;
        kept.resume = contribution.resume.clone();
        Ok(true)
    }

    fn series(&self, sensor: &str, selections: &[Selection]) -> Result<Vec<Vec<DayCount>>, StoreError> {
        let kept = self.kept(sensor)?;
        Ok(selections.iter().map(|selection| by_day(self.selected(kept, selection))).collect())
    }

    fn totals(&self, sensor: &str) -> Result<Vec<DayTotal>, StoreError> {
        let whole =
            || self.kept(sensor).map(|kept| kept.sightings().filter(|(key, _)| key.scope == Scope::Whole));
        let mut types: BTreeMap<Date, BTreeSet<BehaviorId>> = BTreeMap::new();
        for (key, _) in whole()? {
            types.entry(key.day).or_default().insert(key.behavior);
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
        let numbers: BTreeMap<BehaviorId, u64> = self.types.keys().copied().zip(0..).collect();
        let wanted = |behavior: BehaviorId| match &filter.types {
            Types::All => true,
            Types::Of(selection) => self.is_of(behavior, selection),
            Types::Listed(listed) => {
                numbers.get(&behavior).is_some_and(|number| listed.binary_search(number).is_ok())
            }
            Types::Service(protocol, port) => {
                let record = self.types.get(&behavior);
                record.is_some_and(|record| record.parameters.is_service(*protocol, *port))
            }
            Types::Where(passes, _) => {
                self.types.get(&behavior).is_some_and(|record| passes(&record.parameters))
            }
        };
        for (key, seen) in self.kept(sensor)?.sightings() {
            let SightingKey { day, behavior, scope, host, .. } = *key;
            let counts = filter.has_day(day)
                && filter.has_host(host)
                && (scope == Scope::Whole || filter.types.facets())
                && wanted(behavior);
            if let Some(number) = numbers.get(&behavior).filter(|_| counts) {
                sink(&Sighting { day, number: *number, scope, host, counts: *seen });
            }
        }
        Ok(())
    }

    fn mark_names(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.marks.clone())
    }

    fn type_of(&self, number: u64) -> Result<TypeRecord, StoreError> {
        let record = usize::try_from(number).ok().and_then(|at| self.types.values().nth(at));
        record.cloned().ok_or_else(|| StoreError::Damaged(format!("no type {number}")))
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
                && self.types.get(&key.behavior).is_some_and(|record| {
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
        let both = [kept.closed.examples.get(&behavior), kept.open.examples.get(&behavior)];
        Ok(both.into_iter().flatten().min_by_key(|example| (example.start, example.host)).cloned())
    }

    fn put_sample(&mut self, sample: &KeptSample) -> Result<(), StoreError> {
        self.samples.insert(sample.profile.id.clone(), sample.clone());
        Ok(())
    }

    fn samples(&self) -> Result<Vec<KeptSample>, StoreError> {
        Ok(self.samples.values().cloned().collect())
    }
}
