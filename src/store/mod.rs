//! Stores of histories (I/O): one trait, two backends, and one conformance suite (`tests/it/stores.rs`) for
//! both.

mod alerts;
mod edit;
mod error;
mod incidents;
pub mod local;
mod memory;
mod recent;

pub use alerts::AlertStore;
pub use error::StoreError;
pub use incidents::IncidentStore;
pub use local::{LocalStore, TypeIndex};
pub use memory::MemoryStore;
pub use recent::RecentStore;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::behavior::{BehaviorId, Parameters, Ports, ProbeSignature, ProtocolSet};
use crate::history::{
    BatchWriter, BehaviorFilter, BehaviorSummary, CaptureRecord, Contribution, Coverage, DailyCount,
    DayCount, DayTotal, EngineState, Example, Filter, HostList, HostSet, HostSummary, HourlyCount, Outage,
    ReopenedWindows, RollbackPoint, Sensor, Sighting, SightingCounts, SignatureCount, TypeRecord, TypeTotal,
};
use crate::packet::Timestamp;
use crate::sample::{FamilyRenames, KeptSample};

/// A protocol set, and the ports that go with it; `None` for any ports.
pub type ServiceQuery = (ProtocolSet, Option<Ports>);

/// A callback that receives the number of a type and its parameters.
pub type ParametersSink<'a> = &'a mut dyn FnMut(u64, Parameters);

/// A history of sensors, opened for one behavior profile. Captures are written as a whole; queries return
/// aggregates.
///
/// # Errors
/// Every method fails if the backend fails or stored data is damaged, and with [`StoreError::UnknownSensor`]
/// if it needs a sensor that does not exist. Methods list further errors.
pub trait HistoryStore: IncidentStore + AlertStore + RecentStore {
    /// Returns all sensors, ascending by name.
    fn sensors(&self) -> Result<Vec<Sensor>, StoreError>;

    /// Adds a sensor. Adding an equal sensor again changes nothing.
    ///
    /// # Errors
    /// Fails with [`StoreError::SensorExists`] if a sensor of the same name has other settings.
    fn add_sensor(&mut self, sensor: &Sensor) -> Result<(), StoreError>;

    /// Replaces the settings of a sensor (kind, prefixes, live prefixes; the time zone only while no day is
    /// recorded) with those of `edited`, which must be valid. All stored data of the sensor stays. A day is
    /// recorded if [`HistoryStore::coverage`] lists it as observed, in an outage or not.
    ///
    /// # Errors
    /// Fails with [`StoreError::PastChanged`] if the dark addresses of a recorded day would change, and with
    /// [`StoreError::NotEditable`] if the name would change, or the time zone while a day is recorded. The
    /// sensor then stays as it was.
    fn edit_sensor(&mut self, name: &str, edited: &Sensor) -> Result<(), StoreError>;

    /// Removes a sensor with its coverage, outages, captures, sightings, counts, examples and engine state.
    /// Types, mark names, samples and other sensors stay. The sensor's captures can be fed again to a new
    /// sensor of the same name.
    fn remove_sensor(&mut self, name: &str) -> Result<(), StoreError>;

    /// Adds an outage. Adding an equal outage again changes nothing.
    fn add_outage(&mut self, sensor: &str, outage: &Outage) -> Result<(), StoreError>;

    /// Removes the outage with exactly these days and this reason, and returns whether it existed. Other
    /// outages stay, even if they overlap it. Recorded days that no outage contains any more have a value
    /// again.
    fn remove_outage(&mut self, sensor: &str, outage: &Outage) -> Result<bool, StoreError>;

    /// Returns the first day whose sightings are kept, or `None` if no sightings of the sensor were dropped.
    /// Earlier days have totals and counts only.
    fn sightings_kept_from(&self, _sensor: &str) -> Result<Option<Date>, StoreError> {
        Ok(None)
    }

    /// Returns the recorded days of a sensor, its outages by first day and its capture loss ([`Coverage::from_captures`]
    /// its captures).
    fn coverage(&self, sensor: &str) -> Result<Coverage, StoreError>;

    /// Returns the captures of a sensor, ascending by the time of their first packet, then by name.
    fn captures(&self, sensor: &str) -> Result<Vec<CaptureRecord>, StoreError>;

    /// Returns whether a capture can be removed: its rows were not merged with rows of other captures, and
    /// its record was not cut.
    ///
    /// # Errors
    /// Fails with [`StoreError::UnknownCapture`] if the sensor has no such capture.
    fn is_removable(&self, sensor: &str, content: &[u8; 32]) -> Result<bool, StoreError>;

    /// Returns the newest capture of a sensor with the engine state before it, or `None` if that state is not
    /// stored.
    fn rollback_point(&self, sensor: &str) -> Result<Option<RollbackPoint>, StoreError>;

    /// Removes a capture and the windows that it closed, completely or not at all. Days that no other capture
    /// recorded become unrecorded, and all windows that began on them are removed.
    ///
    /// With `reopened`, made from [`HistoryStore::rollback_point`], the newest capture is removed as if it had
    /// never been fed. Without it, windows that other captures closed or that are still open keep their
    /// counts, windows that this capture closed are removed even if they began in an earlier one, and types
    /// whose example came from this capture may be left without an example.
    ///
    /// # Errors
    /// Fails with [`StoreError::UnknownCapture`] if the sensor has no such capture, with
    /// [`StoreError::CaptureMerged`] if it can no longer be removed by itself, and with [`StoreError::ConcurrentChange`]
    /// if `reopened` is given and the capture is no longer the newest, or if another process changed the
    /// sensor meanwhile.
    fn remove_capture(
        &mut self,
        sensor: &str,
        content: &[u8; 32],
        reopened: Option<ReopenedWindows>,
    ) -> Result<(), StoreError>;

    /// Makes days unrecorded, both ends included, so that they can be fed again. All windows that began on
    /// them are removed, and so are captures that lie entirely within these days; records of other captures
    /// are cut ([`CaptureRecord::without_days`]). If the engine stopped within these days, it continues after
    /// the last remaining capture, and windows that are still open count as closed.
    ///
    /// # Errors
    /// Fails with [`StoreError::SightingsDropped`] if sightings of these days were dropped before, and with
    /// [`StoreError::ConcurrentChange`] if another process changed the sensor meanwhile.
    fn drop_days(&mut self, sensor: &str, days: (Date, Date)) -> Result<(), StoreError>;

    /// Returns whether the sensor has a capture with this content hash.
    fn has_capture(&self, sensor: &str, content: &[u8; 32]) -> Result<bool, StoreError>;

    /// Returns the state in which the sensor's engine stopped.
    fn engine_state(&self, sensor: &str) -> Result<EngineState, StoreError>;

    /// Stores the contribution of a capture, completely or not at all. Returns `false`, and changes nothing,
    /// if the sensor has the capture already.
    ///
    /// # Errors
    /// Fails with [`StoreError::ConcurrentChange`] if the number of captures changed after the contribution was
    /// started, with [`StoreError::SightingsDropped`] if it adds to days whose sightings were dropped, and with
    /// [`StoreError::TypeNumberCollision`] if two types have the same number.
    fn ingest(&mut self, sensor: &str, contribution: Contribution) -> Result<bool, StoreError>;

    /// Returns the behavior series of each selection, ascending by day, in the order of the selections.
    fn series(&self, sensor: &str, selections: &[BehaviorFilter]) -> Result<Vec<Vec<DayCount>>, StoreError>;

    /// Returns the totals of all days of a sensor that have windows, ascending by day.
    fn totals(&self, sensor: &str) -> Result<Vec<DayTotal>, StoreError>;

    /// Calls `sink` with every sighting that a filter selects, in no particular order.
    fn each_sighting(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&Sighting),
    ) -> Result<(), StoreError>;

    /// Calls `sink` with every daily count that a filter selects, ascending by type, scope and day, once for
    /// each combination. If the filter names sources, only these hosts are counted.
    fn each_daily_count(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&DailyCount),
    ) -> Result<(), StoreError> {
        let mut sums: BTreeMap<_, (u64, u64, HostSet)> = BTreeMap::new();
        self.each_sighting(sensor, filter, &mut |sighting| {
            let (windows, packets, hosts) =
                sums.entry((sighting.number, sighting.scope, sighting.day)).or_default();
            *windows += sighting.counts.windows;
            *packets += sighting.counts.packets;
            hosts.insert(sighting.host);
        })?;
        for ((number, scope, day), (windows, packets, mut hosts)) in sums {
            sink(&DailyCount { number, scope, day, windows, packets, hosts: hosts.count() });
        }
        Ok(())
    }

    /// Calls `sink` with every hourly count that a filter selects, ascending by type, scope, day and hour,
    /// once for each combination. Packets per hour are not stored by host, so a filter with sources is
    /// refused.
    ///
    /// # Errors
    /// Fails with [`StoreError::HoursBySource`] if the filter names sources.
    fn each_hourly_count(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&HourlyCount),
    ) -> Result<(), StoreError>;

    /// Calls `sink` with the sums of the sightings that a filter selects, ascending by type, scope, day and
    /// signature, once for each combination, in one pass over the sightings.
    fn each_signature_count(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&SignatureCount),
    ) -> Result<(), StoreError> {
        let mut sums: BTreeMap<_, (u64, u64, HostSet)> = BTreeMap::new();
        self.each_sighting(sensor, filter, &mut |sighting| {
            let Sighting { number, scope, day, signature, counts, host } = *sighting;
            let (windows, packets, hosts) = sums.entry((number, scope, day, signature)).or_default();
            *windows = windows.saturating_add(counts.windows);
            *packets = packets.saturating_add(counts.packets);
            hosts.insert(host);
        })?;
        for ((number, scope, day, signature), (windows, packets, mut hosts)) in sums {
            sink(&SignatureCount { number, scope, day, signature, windows, packets, hosts: hosts.count() });
        }
        Ok(())
    }

    /// Returns the probe signature with a number ([`Sighting`] refers to signatures by number).
    ///
    /// # Errors
    /// Fails with [`StoreError::Damaged`] if there is no such signature.
    fn signature(&self, number: u64) -> Result<ProbeSignature, StoreError>;

    /// Returns a writer that stores the batches of a capture while the capture is read, or `None` if the
    /// store takes batches only with the contribution; they then stay in memory. `mark_names` names the marks
    /// in the batches.
    fn batch_writer(
        &mut self,
        _sensor: &str,
        _mark_names: &[String],
    ) -> Result<Option<Box<dyn BatchWriter>>, StoreError> {
        Ok(None)
    }

    /// Returns the names of the marks of sightings, by bit number.
    fn mark_names(&self) -> Result<Vec<String>, StoreError>;

    /// Returns the type with a number ([`Sighting`] refers to types by number).
    ///
    /// # Errors
    /// Fails with [`StoreError::Damaged`] if there is no such type.
    fn type_record(&self, number: u64) -> Result<TypeRecord, StoreError>;

    /// Calls `sink` with the parameters of types, whose numbers must ascend. Faster than
    /// [`HistoryStore::type_record`] for each, because no names are computed.
    ///
    /// # Errors
    /// Fails as [`HistoryStore::type_record`] does.
    fn each_parameters(&self, numbers: &[u64], sink: ParametersSink<'_>) -> Result<(), StoreError> {
        for number in numbers {
            sink(*number, self.type_record(*number)?.parameters);
        }
        Ok(())
    }

    /// Returns the hosts of a selection, of which at most `most` are listed one by one.
    fn hosts(&self, sensor: &str, selection: &BehaviorFilter, most: usize) -> Result<HostList, StoreError>;

    /// Returns the types of whole windows of each service with the most windows (then by id), at most `most`
    /// per service, in the order of the services. They serve to explain near misses.
    fn types_of_services(
        &self,
        sensor: &str,
        services: &[ServiceQuery],
        most: usize,
    ) -> Result<Vec<Vec<TypeTotal>>, StoreError>;

    /// Returns a summary of each selection, with at most `most` of its hosts listed one by one, in the order
    /// of the selections. Faster than separate queries.
    fn behavior_summaries(
        &self,
        sensor: &str,
        selections: &[BehaviorFilter],
        most: usize,
    ) -> Result<Vec<BehaviorSummary>, StoreError> {
        let habit = |(selection, series)| {
            let seen_as = self.types(sensor, selection, 1)?.pop().map(|total| total.record);
            let example = match &seen_as {
                Some(record) => self.example(sensor, record.behavior.id)?,
                None => None,
            };
            Ok(BehaviorSummary {
                series,
                hosts: self.hosts(sensor, selection, most)?,
                most_frequent_type: seen_as,
                example,
            })
        };
        selections.iter().zip(self.series(sensor, selections)?).map(habit).collect()
    }

    /// Returns the types of a selection's whole windows (and facets, if it includes them), by descending
    /// number of windows, at most `most`.
    fn types(
        &self,
        sensor: &str,
        selection: &BehaviorFilter,
        most: usize,
    ) -> Result<Vec<TypeTotal>, StoreError>;

    /// Returns the earliest example window of a type, or `None` if there is none.
    fn example(&self, sensor: &str, behavior: BehaviorId) -> Result<Option<Example>, StoreError>;

    /// Stores a sample under its profile's id, and replaces a stored sample of the same id.
    fn put_sample(&mut self, sample: &KeptSample) -> Result<(), StoreError>;

    /// Removes a sample, and returns whether it existed.
    fn remove_sample(&mut self, id: &str) -> Result<bool, StoreError>;

    /// Returns the stored samples, ascending by id.
    fn samples(&self) -> Result<Vec<KeptSample>, StoreError>;

    /// Stores the names that the user gave to malware families, in place of those that were stored.
    fn put_family_renames(&mut self, renames: &FamilyRenames) -> Result<(), StoreError>;

    /// Returns the names that the user gave to malware families.
    fn family_renames(&self) -> Result<FamilyRenames, StoreError>;
}

/// Returns the coverage of a sensor: the days that its captures recorded, without days on which no address
/// was dark.
fn coverage_of(
    sensor: &Sensor,
    captures: &[CaptureRecord],
    outages: Vec<Outage>,
) -> Result<Coverage, StoreError> {
    let mut coverage = Coverage::from_captures(captures, outages, &zone_of(sensor)?);
    let periods = sensor.dark_periods();
    coverage.recorded_days.retain(|day| periods.is_dark_on(*day));
    Ok(coverage)
}

/// Creates the error for a capture that can no longer be removed by itself.
fn merged_error(sensor: &str, capture: &CaptureRecord, zone: &TimeZone) -> StoreError {
    let day = |time: Option<Timestamp>| time.unwrap_or_default().day(zone);
    StoreError::CaptureMerged {
        name: capture.name.clone(),
        sensor: sensor.to_owned(),
        first: day(capture.first()),
        last: day(capture.last()),
    }
}

/// Returns the time zone of a stored sensor, which was checked when the sensor was added.
fn zone_of(sensor: &Sensor) -> Result<TimeZone, StoreError> {
    sensor.zone().map_err(|fault| StoreError::Damaged(fault.to_string()))
}

/// Fails if a filter selects by source.
fn refuse_sources(filter: &Filter<'_>) -> Result<(), StoreError> {
    if filter.sources.is_some() { Err(StoreError::HoursBySource) } else { Ok(()) }
}

/// Fails if there are more marks than bits in a sighting.
fn check_mark_count(count: usize) -> Result<(), StoreError> {
    if count <= crate::behavior::Marks::MAX {
        return Ok(());
    }
    let most = crate::behavior::Marks::MAX;
    Err(StoreError::Backend(format!("{count} names of marks; a history holds {most}: use a new history")))
}

/// Moves each mark bit of a contribution to the store's number of the mark; `numbers` is indexed by the
/// former.
fn renumber_marks(bits: u64, numbers: &[usize]) -> u64 {
    numbers
        .iter()
        .enumerate()
        .filter(|(from, _)| bits >> from & 1 == 1)
        .fold(0, |bits, (_, to)| bits | 1 << to)
}

/// Converts hosts, each with its days and summed counts, to summaries.
fn host_summaries(
    hosts: impl IntoIterator<Item = (IpAddr, (BTreeSet<Date>, SightingCounts))>,
    marks: &[String],
) -> Vec<HostSummary> {
    let summary = |(host, (days, sum)): (IpAddr, (BTreeSet<Date>, SightingCounts))| HostSummary {
        host,
        days: days.len() as u64,
        windows: sum.windows,
        packets: sum.packets,
        first: sum.first,
        last: sum.last,
        marks: names_of_marks(sum.marks, marks),
    };
    hosts.into_iter().map(summary).collect()
}

/// Returns the names of the marks that are set, ascending.
fn names_of_marks(bits: u64, names: &[String]) -> Vec<String> {
    let held = names.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
    let mut held: Vec<String> = held.map(|(_, name)| name.clone()).collect();
    held.sort();
    held
}
