//! Reading segments: the row groups that a query needs, and their contents.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::{Connection, Transaction};

use crate::history::{
    DailyCount, DayCount, DayTotal, HostSet, HourlyCount, Scope, Sighting, hours_in_bitmap,
};
use crate::packet::Timestamp;
use crate::store::{StoreError, zone_of};

use super::LocalStore;
use super::catalog::{self, SegmentEntry};
use super::count_rows::COUNTS;
use super::example_rows::{EXAMPLES, EarliestExamples, ExampleRow, starts_of};
use super::open_segments::OpenSegments;
use super::readers_lock::lock_files;
use super::row_filter::RowFilter;
use super::rows::SIGHTINGS;
use super::scan::scan;
use super::schema::AccessMode;
use super::sorted::{SortedRows, daily_counts, hourly_counts_of_segment, merge_sorted};
use super::table::SegmentTable;

/// Hosts by type, scope, day and hour.
type HostsByHour = HashMap<(u64, Scope, Date, u8), HostSet>;

/// Maximum number of segments whose row groups are scanned together. Each is an open file.
const SCANNED_SEGMENTS_MAX: usize = 64;

/// Keeps files from being deleted, and the catalog in the state in which it was first read.
#[derive(Debug, Default)]
pub(super) struct ReadGuard<'s> {
    pub(super) _reading: Option<Transaction<'s>>,
    pub(super) _files: Option<File>,
}

/// The segments of a sensor, for one query.
pub(super) struct SensorReader<'s> {
    pub(super) folder: &'s Path,
    pub(super) open: &'s OpenSegments,
    pub(super) segments: Vec<SegmentEntry>,
    pub(super) zone: TimeZone,
    /// The first day whose sightings are kept; `None` if none were dropped.
    pub(super) kept_from: Option<Date>,
    pub(super) _guard: Option<ReadGuard<'s>>,
}

impl SensorReader<'_> {
    /// Returns the segments of one table.
    fn segments_of<'t>(&'t self, table: &'t SegmentTable) -> impl Iterator<Item = &'t SegmentEntry> {
        self.segments.iter().filter(move |segment| segment.kind == table.name)
    }

    /// Calls `sink` with the wanted sightings, in no particular order.
    pub(super) fn each_sighting(
        &self,
        wanted: &RowFilter<'_>,
        sink: &mut dyn FnMut(&Sighting) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_sighting_of(self.segments_of(&SIGHTINGS), wanted, sink)
    }

    /// Calls `sink` with the wanted sightings of the segments whose single capture `may_have` accepts, in no particular
    /// order. It is asked with `None` about segments of several captures.
    pub(super) fn each_sighting_of_captures(
        &self,
        may_have: &dyn Fn(Option<[u8; 32]>) -> bool,
        wanted: &RowFilter<'_>,
        sink: &mut dyn FnMut(&Sighting) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let segments = self.segments_of(&SIGHTINGS).filter(|segment| may_have(segment.capture));
        self.each_sighting_of(segments, wanted, sink)
    }

    /// Calls `sink` with the wanted sightings of some segments, in no particular order.
    fn each_sighting_of<'t>(
        &self,
        segments: impl Iterator<Item = &'t SegmentEntry>,
        wanted: &RowFilter<'_>,
        sink: &mut dyn FnMut(&Sighting) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut segments = segments.filter(|listed| wanted.may_match_segment(listed)).peekable();
        while segments.peek().is_some() {
            let mut places = Vec::new();
            for listed in segments.by_ref().take(SCANNED_SEGMENTS_MAX) {
                let segment = self.open.get(self.folder, listed, &SIGHTINGS)?;
                let groups = (0..segment.groups()).filter(|group| wanted.may_match_group(&segment, *group));
                places.extend(groups.map(|group| (Arc::clone(&segment), group)));
            }
            scan(&places, wanted, &self.zone, sink)?;
        }
        Ok(())
    }

    /// Returns a predicate for the days whose stored counts are exact: those that lie in one segment of
    /// counts.
    pub(super) fn exact_days(&self) -> impl Fn(Date) -> bool + use<> {
        let all: Vec<(Date, Date)> = self.segments_of(&COUNTS).map(|one| one.days).collect();
        move |day| all.iter().filter(|(first, last)| *first <= day && day <= *last).count() == 1
    }

    /// Calls `sink` with the wanted daily counts, ascending by type, scope and day, once for each
    /// combination.
    pub(super) fn each_daily_count(
        &self,
        wanted: &RowFilter<'_>,
        sink: &mut dyn FnMut(&DailyCount) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let counted = self.exact_days();
        let mut sources: Vec<SortedRows<'_, DailyCount>> = Vec::new();
        if wanted.sources.is_none() {
            for listed in self.segments_of(&COUNTS).filter(|listed| wanted.may_match_segment(listed)) {
                let segment = self.open.get(self.folder, listed, &COUNTS)?;
                let counted = &counted;
                let is_counted = move |row: &Result<DailyCount, _>| match row {
                    Ok(count) => counted(count.day),
                    Err(_) => true,
                };
                sources.push(Box::new(daily_counts(&segment, wanted).filter(is_counted)));
            }
        }
        let recount = self.recount_days(wanted, &|day| wanted.sources.is_some() || !counted(day))?;
        sources.push(Box::new(recount.into_iter().map(Ok)));
        for count in merge_sorted(sources, |a: &DailyCount, b| a.cmp(b))? {
            let count = count?;
            if wanted.has_count(count.number, count.scope, count.day) {
                sink(&count)?;
            }
        }
        Ok(())
    }

    /// Calls `sink` with the wanted hourly counts, ascending by type, scope, day and hour, once for each
    /// combination.
    pub(super) fn each_hourly_count(
        &self,
        wanted: &RowFilter<'_>,
        sink: &mut dyn FnMut(&HourlyCount) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut sources: Vec<SortedRows<'_, HourlyCount>> = Vec::new();
        for listed in self.segments_of(&COUNTS).filter(|listed| wanted.may_match_segment(listed)) {
            let segment = self.open.get(self.folder, listed, &COUNTS)?;
            sources.extend(hourly_counts_of_segment(&segment, wanted));
        }
        let counted = self.exact_days();
        let mut hosts = self.hosts_by_hour(wanted, &|day| !counted(day))?;
        let mut last: Option<HourlyCount> = None;
        let mut finish =
            |count: HourlyCount, sink: &mut dyn FnMut(&HourlyCount) -> Result<(), StoreError>| {
                let recounted = hosts.get_mut(&(count.number, count.scope, count.day, count.hour));
                let hosts = recounted.map_or(count.hosts, HostSet::count);
                sink(&HourlyCount { hosts, ..count })
            };
        for count in merge_sorted(sources, HourlyCount::order)? {
            let count = count?;
            if !wanted.has_count(count.number, count.scope, count.day) {
                continue;
            }
            match &mut last {
                Some(kept) if kept.order(&count).is_eq() => kept.add(&count),
                _ => {
                    if let Some(kept) = last.replace(count) {
                        finish(kept, sink)?;
                    }
                }
            }
        }
        match last {
            Some(kept) => finish(kept, sink),
            None => Ok(()),
        }
    }

    /// Returns the daily counts of some days, counted from sightings. Memory: about 100 bytes per type, scope
    /// and day, and 4 bytes per host.
    fn recount_days(
        &self,
        wanted: &RowFilter<'_>,
        days: &dyn Fn(Date) -> bool,
    ) -> Result<Vec<DailyCount>, StoreError> {
        let mut sums: BTreeMap<(u64, Scope, Date), SightingSums> = BTreeMap::new();
        self.each_sighting_of(self.segments_with_days(days), wanted, &mut |sighting| {
            if days(sighting.day) {
                sums.entry((sighting.number, sighting.scope, sighting.day)).or_default().add(sighting);
            }
            Ok(())
        })?;
        let count = |((number, scope, day), sum): ((u64, Scope, Date), SightingSums)| {
            let DayCount { day, windows, packets, hosts } = sum.into_day_count(day);
            DailyCount { number, scope, day, windows, packets, hosts }
        };
        Ok(sums.into_iter().map(count).collect())
    }

    /// Returns the hosts of each hour of some days, from sightings.
    fn hosts_by_hour(
        &self,
        wanted: &RowFilter<'_>,
        days: &dyn Fn(Date) -> bool,
    ) -> Result<HostsByHour, StoreError> {
        let mut hosts = HostsByHour::new();
        self.each_sighting_of(self.segments_with_days(days), wanted, &mut |sighting| {
            let Sighting { number, scope, day, host, counts, .. } = *sighting;
            if days(day) {
                for hour in hours_in_bitmap(counts.hours) {
                    hosts.entry((number, scope, day, hour)).or_default().insert(host);
                }
            }
            Ok(())
        })?;
        Ok(hosts)
    }

    /// Returns the segments of sightings that may hold rows of one of some days.
    fn segments_with_days<'t>(
        &'t self,
        days: &dyn Fn(Date) -> bool,
    ) -> impl Iterator<Item = &'t SegmentEntry> + use<'t> {
        let mut some: Vec<&SegmentEntry> = Vec::new();
        for listed in self.segments_of(&SIGHTINGS) {
            let all = listed.days.0.series(jiff::Span::new().days(1));
            if all.take_while(|day| *day <= listed.days.1).any(days) {
                some.push(listed);
            }
        }
        some.into_iter()
    }

    /// Returns the totals of some days, counted from sightings.
    pub(super) fn count_totals(&self, days: &BTreeSet<Date>) -> Result<BTreeMap<Date, DayTotal>, StoreError> {
        let mut sums: BTreeMap<Date, (SightingSums, BTreeSet<u64>)> = BTreeMap::new();
        let between = (days.first().copied(), days.last().copied());
        let wanted = RowFilter { facets: false, days: between, ..RowFilter::ALL };
        self.each_sighting_of(
            self.segments_with_days(&|day| days.contains(&day)),
            &wanted,
            &mut |sighting| {
                if days.contains(&sighting.day) {
                    let (sum, types) = sums.entry(sighting.day).or_default();
                    sum.add(sighting);
                    types.insert(sighting.number);
                }
                Ok(())
            },
        )?;
        let total = |day: &Date| {
            let (sum, types) = sums.remove(day).unwrap_or_default();
            (*day, DayTotal { count: sum.into_day_count(*day), types: types.len() as u64 })
        };
        Ok(days.iter().map(total).collect())
    }

    /// Returns the earliest example of each of some types, whose numbers must ascend.
    pub(super) fn examples(&self, types: &[u64]) -> Result<BTreeMap<u64, ExampleRow>, StoreError> {
        let wanted = RowFilter::from_types(types, false);
        let mut earliest = EarliestExamples::default();
        for listed in self.segments_of(&EXAMPLES) {
            earliest.add(&*self.open.get(self.folder, listed, &EXAMPLES)?, &wanted)?;
        }
        Ok(earliest.by_type())
    }
}

/// Sums of windows and packets, and the set of hosts.
#[derive(Default)]
pub(super) struct SightingSums {
    windows: u64,
    packets: u64,
    hosts: HostSet,
}

impl SightingSums {
    pub(super) fn add(&mut self, sighting: &Sighting) {
        self.windows = self.windows.saturating_add(sighting.counts.windows);
        self.packets = self.packets.saturating_add(sighting.counts.packets);
        self.hosts.insert(sighting.host);
    }

    /// Returns the sums as the count of a day.
    pub(super) fn into_day_count(mut self, day: Date) -> DayCount {
        DayCount { day, windows: self.windows, packets: self.packets, hosts: self.hosts.count() }
    }
}

impl LocalStore {
    /// Returns the id of a sensor and its segments. While they are held, no segment file is deleted and the
    /// catalog is read in one state, so an answer never mixes data from before and after a change.
    pub(super) fn sensor_reader(&self, sensor: &str) -> Result<(i64, SensorReader<'_>), StoreError> {
        let held = self.read_guard()?;
        let (id, settings) = catalog::sensor(&self.connection, sensor)?;
        let zone = zone_of(&settings)?;
        let mut source = unguarded_reader(&self.folder, &self.open, &self.connection, id, zone)?;
        source._guard = Some(held);
        Ok((id, source))
    }

    /// Fixes the files and the state of the catalog. A store opened to read has done so since it was opened.
    pub(super) fn read_guard(&self) -> Result<ReadGuard<'_>, StoreError> {
        if self.access == AccessMode::Read {
            return Ok(ReadGuard::default());
        }
        // The files are locked first, so that every file that the catalog lists afterwards exists.
        let files = lock_files(&self.folder);
        // A query within another query sees the state of that one.
        let is_free = self.connection.is_autocommit();
        let reading = if is_free { Some(self.connection.unchecked_transaction()?) } else { None };
        Ok(ReadGuard { _reading: reading, _files: files })
    }
}

/// Returns the segments of a sensor without holding files, for callers that hold the catalog already.
pub(super) fn unguarded_reader<'s>(
    folder: &'s Path,
    open: &'s OpenSegments,
    connection: &Connection,
    sensor: i64,
    zone: TimeZone,
) -> Result<SensorReader<'s>, StoreError> {
    Ok(SensorReader {
        folder,
        open,
        segments: catalog::segments(connection, Some(sensor))?,
        zone,
        kept_from: catalog::kept_from(connection, sensor)?,
        _guard: None,
    })
}

/// Returns the total of a day, counted from sightings.
pub(super) fn count_day(
    folder: &Path,
    connection: &Connection,
    sensor: i64,
    day: Date,
) -> Result<DayTotal, StoreError> {
    let open = OpenSegments::default();
    let source = unguarded_reader(folder, &open, connection, sensor, TimeZone::UTC)?;
    let mut totals = source.count_totals(&[day].into())?;
    totals.remove(&day).ok_or_else(|| StoreError::Backend(format!("{day} was not counted")))
}

/// Returns the start of the earliest example of each type of a sensor. Segments of open windows are left out,
/// and those whose path `leave_out` accepts.
pub(super) fn example_starts(
    folder: &Path,
    connection: &Connection,
    sensor: i64,
    leave_out: &dyn Fn(&str) -> bool,
) -> Result<BTreeMap<u64, Timestamp>, StoreError> {
    let open = OpenSegments::default();
    let mut earliest = BTreeMap::new();
    for listed in catalog::segments(connection, Some(sensor))? {
        if listed.kind != EXAMPLES.name || listed.open || leave_out(&listed.path) {
            continue;
        }
        for (number, start) in starts_of(&*open.get(folder, &listed, &EXAMPLES)?)? {
            let known = earliest.entry(number).or_insert(start);
            *known = (*known).min(start);
        }
    }
    Ok(earliest)
}
