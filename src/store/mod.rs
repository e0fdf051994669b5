//! I/O: where histories are kept. One trait, several backends, one conformance suite.

mod edit;
mod error;
pub mod local;
mod memory;

pub use error::StoreError;
pub use local::LocalStore;
pub use memory::MemoryStore;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::behavior::{BehaviorId, Parameters, Ports, ProtocolSet};
use crate::event::Timestamp;
use crate::history::{
    BatchWriter, BeforeNewest, CaptureRecord, Contribution, Coverage, DailyCount, DayCount, DayTotal,
    Example, Filter, Habit, HostList, HostSummary, Hosts, HourlyCount, Outage, Reopened, Resume, Selection,
    Sensor, Sighting, SightingCounts, TypeRecord, TypeTotal,
};
use crate::sample::KeptSample;

/// A protocol set with some ports, or with any.
pub type NearService = (ProtocolSet, Option<Ports>);

/// Takes the number of a type and its parameters.
pub type ParametersSink<'a> = &'a mut dyn FnMut(u64, Parameters);

/// A history of sensors over days. All writing is by whole captures; all reading answers with aggregates.
///
/// A store is opened for one behavior profile and refuses another.
pub trait HistoryStore {
    /// All sensors, by name.
    ///
    /// # Errors
    /// When the backend fails (so for all methods).
    fn sensors(&self) -> Result<Vec<Sensor>, StoreError>;

    /// Adds a sensor; adding the same one again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::SensorExists`] when one of that name has other settings.
    fn add_sensor(&mut self, sensor: &Sensor) -> Result<(), StoreError>;

    /// Replaces a sensor's settings with those of `edited`, which is valid: kind, prefixes and live prefixes, and, as
    /// long as no day is recorded, the time zone. All else that is kept of the sensor stays. Equal settings change
    /// nothing. A day is recorded if [`HistoryStore::coverage`] has it as observed, in an outage or not.
    ///
    /// # Errors
    /// [`StoreError::UnknownSensor`]; [`StoreError::PastChanged`] when the dark addresses of a recorded day would
    /// change; [`StoreError::NotEditable`] for another name, and for another time zone when a day is recorded. Then
    /// nothing is changed.
    fn edit_sensor(&mut self, name: &str, edited: &Sensor) -> Result<(), StoreError>;

    /// Removes a sensor with all that is kept of it: coverage, outages, captures, sightings and their counts, examples,
    /// and where its engine stopped. Types, mark names and samples stay, and so do all other sensors. Its captures can
    /// be fed again to a sensor that is added under the same name.
    ///
    /// # Errors
    /// [`StoreError::UnknownSensor`].
    fn remove_sensor(&mut self, name: &str) -> Result<(), StoreError>;

    /// Notes an outage; the same one again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::UnknownSensor`] (so for all methods that name a sensor).
    fn add_outage(&mut self, sensor: &str, outage: &Outage) -> Result<(), StoreError>;

    /// Removes the outage of exactly these days and this reason, and returns whether there was one; other outages that
    /// overlap it stay. What was recorded on its days has a value again.
    ///
    /// # Errors
    /// [`StoreError::UnknownSensor`].
    fn remove_outage(&mut self, sensor: &str, outage: &Outage) -> Result<bool, StoreError>;

    /// Returns the first day whose sightings are kept, or `None` if no sightings of the sensor were dropped. Earlier days have
    /// totals and counts only.
    ///
    /// # Errors
    /// See the trait.
    fn sightings_from(&self, _sensor: &str) -> Result<Option<Date>, StoreError> {
        Ok(None)
    }

    /// Returns the days that a sensor recorded, its outages by first day and its capture loss: [`Coverage::of`] its
    /// captures.
    ///
    /// # Errors
    /// See the trait.
    fn coverage(&self, sensor: &str) -> Result<Coverage, StoreError>;

    /// Returns the captures of a sensor, ascending by the time of their first packet, then by name.
    ///
    /// # Errors
    /// See the trait.
    fn captures(&self, sensor: &str) -> Result<Vec<CaptureRecord>, StoreError>;

    /// Returns whether a capture can be removed: what it brought was neither merged with what others brought nor cut.
    ///
    /// # Errors
    /// [`StoreError::UnknownCapture`], and see the trait.
    fn is_removable(&self, sensor: &str, content: &[u8; 32]) -> Result<bool, StoreError>;

    /// Returns the newest capture of a sensor and where its engine stopped before; `None` where that is not known any more.
    ///
    /// # Errors
    /// See the trait.
    fn before_newest(&self, sensor: &str) -> Result<Option<BeforeNewest>, StoreError>;

    /// Removes a capture and what it brought, all of it or nothing. Days that no other capture recorded become not
    /// recorded, with all windows that began on them. With `reopened`, made from [`HistoryStore::before_newest`], the
    /// newest capture is removed as if it had never been fed. Without it, windows that other captures closed or that are
    /// still open stay counted as they were, windows that this one closed go even if an earlier one began them, and types
    /// whose example this capture brought may have none.
    ///
    /// # Errors
    /// [`StoreError::UnknownCapture`]; [`StoreError::Merged`]; [`StoreError::FedMeanwhile`] when the capture of `reopened`
    /// is no longer the newest one; and see the trait.
    fn remove_capture(
        &mut self,
        sensor: &str,
        content: &[u8; 32],
        reopened: Option<Reopened>,
    ) -> Result<(), StoreError>;

    /// Makes days not recorded, both ends included, so that they can be fed again: all windows that began on them go, and
    /// so do captures that lie wholly in these days. Records of captures that lie there partly are cut
    /// ([`CaptureRecord::without_days`]). Where the engine stopped in these days, it will go on after the last capture
    /// that is left, and windows that are still open stay as they are counted.
    ///
    /// # Errors
    /// [`StoreError::Dropped`] for days whose sightings were dropped before, and see the trait.
    fn drop_days(&mut self, sensor: &str, days: (Date, Date)) -> Result<(), StoreError>;

    /// Whether a capture of this content was stored for the sensor.
    ///
    /// # Errors
    /// See the trait.
    fn has_capture(&self, sensor: &str, content: &[u8; 32]) -> Result<bool, StoreError>;

    /// Where the sensor's engine stopped.
    ///
    /// # Errors
    /// See the trait.
    fn resume(&self, sensor: &str) -> Result<Resume, StoreError>;

    /// Stores what a capture adds, all of it or nothing. Answers `false`, and changes nothing, for a capture
    /// that is there already.
    ///
    /// # Errors
    /// See the trait.
    fn ingest(&mut self, sensor: &str, contribution: Contribution) -> Result<bool, StoreError>;

    /// Each selection's days, ascending, in the order of the selections.
    ///
    /// # Errors
    /// See the trait.
    fn series(&self, sensor: &str, selections: &[Selection]) -> Result<Vec<Vec<DayCount>>, StoreError>;

    /// All days of a sensor, ascending.
    ///
    /// # Errors
    /// See the trait.
    fn totals(&self, sensor: &str) -> Result<Vec<DayTotal>, StoreError>;

    /// Hands on every sighting that a filter lets through, in no order that means anything.
    ///
    /// # Errors
    /// See the trait.
    fn each_sighting(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&Sighting),
    ) -> Result<(), StoreError>;

    /// Hands on every observation that a filter lets through, ascending by type, scope and day; each type,
    /// scope and day once, with all its hosts (of the filter's sources, where it names them).
    ///
    /// # Errors
    /// See the trait.
    fn each_daily_count(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&DailyCount),
    ) -> Result<(), StoreError> {
        let mut sums: BTreeMap<_, (u64, u64, Hosts)> = BTreeMap::new();
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

    /// Hands on every hourly count that a filter lets through, ascending by type, scope, day and hour; each once. Packets by hour
    /// are not kept by host, so a filter for sources is refused.
    ///
    /// # Errors
    /// [`StoreError::HoursOfSources`], and see the trait.
    fn each_hourly_count(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&HourlyCount),
    ) -> Result<(), StoreError>;

    /// Returns a writer that stores the batches of a capture while the capture is read, or `None` where the store takes
    /// them only at its end; then they stay in memory until it. The capture's marks have these names.
    ///
    /// # Errors
    /// See the trait.
    fn batch_writer(
        &mut self,
        _sensor: &str,
        _mark_names: &[String],
    ) -> Result<Option<Box<dyn BatchWriter>>, StoreError> {
        Ok(None)
    }

    /// The names of the marks of sightings, by the number of their bit.
    ///
    /// # Errors
    /// See the trait.
    fn mark_names(&self) -> Result<Vec<String>, StoreError>;

    /// The type that a [`Sighting`]'s number stands for.
    ///
    /// # Errors
    /// When there is none, and see the trait.
    fn type_of(&self, number: u64) -> Result<TypeRecord, StoreError>;

    /// Hands on the parameters of the types of some numbers, which ascend; quicker than one by one, and no names are worked out.
    ///
    /// # Errors
    /// As [`HistoryStore::type_of`].
    fn each_parameters(&self, numbers: &[u64], sink: ParametersSink<'_>) -> Result<(), StoreError> {
        for number in numbers {
            sink(*number, self.type_of(*number)?.parameters);
        }
        Ok(())
    }

    /// The hosts of a selection, at most `most` of them in detail.
    ///
    /// # Errors
    /// See the trait.
    fn hosts(&self, sensor: &str, selection: &Selection, most: usize) -> Result<HostList, StoreError>;

    /// The most frequent types (by windows, then by id) of whole windows of each service, at most `most` of each, in the
    /// order of the services; for explaining near misses.
    ///
    /// # Errors
    /// See the trait.
    fn neighbours(
        &self,
        sensor: &str,
        services: &[NearService],
        most: usize,
    ) -> Result<Vec<Vec<TypeTotal>>, StoreError>;

    /// All that was seen of each selection, at most `most` of its hosts in detail, in the order of the selections:
    /// quicker than question by question.
    ///
    /// # Errors
    /// See the trait.
    fn habits(&self, sensor: &str, selections: &[Selection], most: usize) -> Result<Vec<Habit>, StoreError> {
        let habit = |(selection, series)| {
            let seen_as = self.types(sensor, selection, 1)?.pop().map(|total| total.record);
            let example = match &seen_as {
                Some(record) => self.example(sensor, record.behavior.id)?,
                None => None,
            };
            Ok(Habit { series, hosts: self.hosts(sensor, selection, most)?, seen_as, example })
        };
        selections.iter().zip(self.series(sensor, selections)?).map(habit).collect()
    }

    /// The types that a selection's whole windows (and facets, if it asks for them) have, most windows first,
    /// at most `most`.
    ///
    /// # Errors
    /// See the trait.
    fn types(&self, sensor: &str, selection: &Selection, most: usize) -> Result<Vec<TypeTotal>, StoreError>;

    /// The earliest example window of a type.
    ///
    /// # Errors
    /// See the trait.
    fn example(&self, sensor: &str, behavior: BehaviorId) -> Result<Option<Example>, StoreError>;

    /// Keeps a sample under its profile's id; one that is there already is replaced.
    ///
    /// # Errors
    /// See the trait.
    fn put_sample(&mut self, sample: &KeptSample) -> Result<(), StoreError>;

    /// Removes a sample; returns whether there was one of that id.
    ///
    /// # Errors
    /// See the trait.
    fn remove_sample(&mut self, id: &str) -> Result<bool, StoreError>;

    /// The samples kept, by id.
    ///
    /// # Errors
    /// See the trait.
    fn samples(&self) -> Result<Vec<KeptSample>, StoreError>;
}

/// The coverage of a sensor: what its captures recorded, without days on which nothing was dark.
fn coverage_of(
    sensor: &Sensor,
    captures: &[CaptureRecord],
    outages: Vec<Outage>,
) -> Result<Coverage, StoreError> {
    let mut coverage = Coverage::of(captures, outages, &zone_of(sensor)?);
    let periods = sensor.dark_periods();
    coverage.observed.retain(|day| periods.is_dark_on(*day));
    Ok(coverage)
}

/// The error for a capture that cannot be taken out any more.
fn merged(sensor: &str, capture: &CaptureRecord, zone: &TimeZone) -> StoreError {
    let day = |time: Option<Timestamp>| time.unwrap_or_default().day(zone);
    StoreError::Merged {
        name: capture.name.clone(),
        sensor: sensor.to_owned(),
        first: day(capture.first()),
        last: day(capture.last()),
    }
}

/// The time zone of a sensor that is kept: it was checked when the sensor was added.
fn zone_of(sensor: &Sensor) -> Result<TimeZone, StoreError> {
    sensor.zone().map_err(|fault| StoreError::Damaged(fault.to_string()))
}

/// Refuses a filter for sources.
fn refuse_sources(filter: &Filter<'_>) -> Result<(), StoreError> {
    if filter.sources.is_some() { Err(StoreError::HoursOfSources) } else { Ok(()) }
}

/// Refuses more marks than a sighting's bits can tell apart.
fn check_marks(count: usize) -> Result<(), StoreError> {
    if count <= crate::behavior::Marks::MAX {
        return Ok(());
    }
    let most = crate::behavior::Marks::MAX;
    Err(StoreError::Backend(format!("{count} names of marks; a history holds {most}: use a new history")))
}

/// Mark bits, moved from a contribution's numbers to the store's.
fn renumbered(bits: u64, numbers: &[usize]) -> u64 {
    numbers
        .iter()
        .enumerate()
        .filter(|(from, _)| bits >> from & 1 == 1)
        .fold(0, |bits, (_, to)| bits | 1 << to)
}

/// What is told of hosts, each with its days and all that was seen of it.
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

/// Names of all mark bits, ascending.
fn names_of_marks(bits: u64, names: &[String]) -> Vec<String> {
    let held = names.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
    let mut held: Vec<String> = held.map(|(_, name)| name.clone()).collect();
    held.sort();
    held
}
