//! Reading segments: which row groups a question needs, and what they hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::net::IpAddr;
use std::path::Path;
use std::rc::Rc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::Connection;

use crate::event::Timestamp;
use crate::history::{
    DailyCount, DayCount, DayTotal, Example, ExamplePacket, Hosts, HourlyCount, Scope, Sighting,
};
use crate::store::StoreError;

use super::catalog::{self, Listed};
use super::example_rows::{EXAMPLE_TYPE, EXAMPLES, each_example_packet};
use super::open_segments::OpenSegments;
use super::rows::{self, COUNTS, DayStarts, HOUR, SIGHTINGS, TYPE};
use super::segment::Segment;
use super::sorted::{CountRows, Sorted, merged};
use super::table::{Column, Table, Values};
use super::wanted::Wanted;

/// Hosts by type, scope, day and hour.
type HostsByHour = HashMap<(u64, Scope, Date, u8), Hosts>;

/// A sensor's part of a history, for one question.
pub(super) struct Source<'s> {
    pub(super) folder: &'s Path,
    pub(super) open: &'s OpenSegments,
    pub(super) segments: Vec<Listed>,
    pub(super) zone: TimeZone,
    /// Sightings of days before this one were dropped.
    pub(super) kept_from: Option<Date>,
    /// Keeps files from being deleted.
    pub(super) _files: Option<File>,
}

impl Source<'_> {
    fn of_kind<'t>(&'t self, table: &'t Table) -> impl Iterator<Item = &'t Listed> {
        self.segments.iter().filter(move |segment| segment.kind == table.name)
    }

    /// Hands on sightings, in no order that means anything.
    pub(super) fn each_sighting(
        &self,
        wanted: &Wanted<'_>,
        sink: &mut dyn FnMut(&Sighting) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_sighting_of(self.of_kind(&SIGHTINGS), wanted, sink)
    }

    fn each_sighting_of<'t>(
        &self,
        segments: impl Iterator<Item = &'t Listed>,
        wanted: &Wanted<'_>,
        sink: &mut dyn FnMut(&Sighting) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut days = DayStarts::new(self.zone.clone());
        for listed in segments.filter(|listed| wanted.may_lie_in(listed)) {
            let segment = self.open.get(self.folder, listed, &SIGHTINGS)?;
            for group in (0..segment.groups()).filter(|group| wanted.may_lie_in_group(&segment, *group)) {
                read_group(&segment, group, wanted, &mut days, sink)?;
            }
        }
        Ok(())
    }

    /// Days whose counts can be taken as they are kept: those that lie in one sorted run of one segment.
    pub(super) fn counted_days(&self) -> impl Fn(Date) -> bool + use<> {
        let all: Vec<(Date, Date, u64)> =
            self.of_kind(&COUNTS).map(|one| (one.days.0, one.days.1, one.facts.runs)).collect();
        move |day| {
            let holding = all.iter().filter(|(first, last, _)| *first <= day && day <= *last);
            holding.map(|(.., runs)| runs).sum::<u64>() == 1
        }
    }

    /// Hands on daily counts, ascending by type, scope and day; each once.
    pub(super) fn each_daily_count(
        &self,
        wanted: &Wanted<'_>,
        sink: &mut dyn FnMut(&DailyCount) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let counted = self.counted_days();
        let mut sources: Vec<Sorted<'_, DailyCount>> = Vec::new();
        if wanted.sources.is_none() {
            for listed in self.of_kind(&COUNTS).filter(|listed| wanted.may_lie_in(listed)) {
                let segment = self.open.get(self.folder, listed, &COUNTS)?;
                let groups = self.count_groups(&segment, wanted, false);
                let counted = &counted;
                let rows = CountRows::new(segment, groups)
                    .filter(move |row| !matches!(row, Ok((count, _)) if !counted(count.day)))
                    .map(|row| row.map(|(count, _)| count));
                sources.push(Box::new(rows));
            }
        }
        let recount = self.counted_again(wanted, &|day| wanted.sources.is_some() || !counted(day))?;
        sources.push(Box::new(recount.into_iter().map(Ok)));
        for count in merged(sources, |a: &DailyCount, b| a.cmp(b))? {
            let count = count?;
            if self.wants_count(wanted, count.number, count.scope, count.day) {
                sink(&count)?;
            }
        }
        Ok(())
    }

    /// Hands on hourly counts, ascending by type, scope, day and hour; each once.
    pub(super) fn each_hourly_count(
        &self,
        wanted: &Wanted<'_>,
        sink: &mut dyn FnMut(&HourlyCount) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut sources: Vec<Sorted<'_, HourlyCount>> = Vec::new();
        for listed in self.of_kind(&COUNTS).filter(|listed| wanted.may_lie_in(listed)) {
            let segment = self.open.get(self.folder, listed, &COUNTS)?;
            for run in segment.runs() {
                let groups = self.count_groups(&segment, wanted, true);
                let groups = groups.into_iter().filter(|group| run.contains(group)).collect();
                let rows = CountRows::new(Rc::clone(&segment), groups).map(|row| row.map(hourly));
                sources.push(Box::new(rows));
            }
        }
        let counted = self.counted_days();
        let mut hosts = self.hosts_by_hour(wanted, &|day| !counted(day))?;
        let mut last: Option<HourlyCount> = None;
        let mut finish =
            |count: HourlyCount, sink: &mut dyn FnMut(&HourlyCount) -> Result<(), StoreError>| {
                let recounted = hosts.get_mut(&(count.number, count.scope, count.day, count.hour));
                let hosts = recounted.map_or(count.hosts, Hosts::count);
                sink(&HourlyCount { hosts, ..count })
            };
        for count in merged(sources, HourlyCount::order)? {
            let count = count?;
            if !self.wants_count(wanted, count.number, count.scope, count.day) {
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

    fn wants_count(&self, wanted: &Wanted<'_>, number: u64, scope: Scope, day: Date) -> bool {
        wanted.has_scope(scope)
            && wanted.has_day(day)
            && wanted.types.is_none_or(|types| types.binary_search(&number).is_ok())
    }

    /// The row groups with counts of days, or of hours, that may have types that are wanted.
    fn count_groups(&self, segment: &Segment, wanted: &Wanted<'_>, hours: bool) -> Vec<usize> {
        let is_of_hours = |group: usize| segment.range(group, HOUR).is_some();
        let wants = |group: &usize| {
            is_of_hours(*group) == hours
                && segment.range(*group, TYPE).is_none_or(|range| wanted.has_type_between(range))
        };
        (0..segment.groups()).filter(wants).collect()
    }

    /// Daily counts of some days, counted from sightings. Memory: some 100 bytes a type, scope and day, and 4 a host.
    fn counted_again(
        &self,
        wanted: &Wanted<'_>,
        days: &dyn Fn(Date) -> bool,
    ) -> Result<Vec<DailyCount>, StoreError> {
        let mut sums: BTreeMap<(u64, Scope, Date), (u64, u64, Hosts)> = BTreeMap::new();
        self.each_sighting_of(self.with_days(days), wanted, &mut |sighting| {
            if days(sighting.day) {
                let sum = sums.entry((sighting.number, sighting.scope, sighting.day)).or_default();
                sum.0 = sum.0.saturating_add(sighting.counts.windows);
                sum.1 = sum.1.saturating_add(sighting.counts.packets);
                sum.2.insert(sighting.host);
            }
            Ok(())
        })?;
        let count = |((number, scope, day), (windows, packets, mut hosts)): (_, (u64, u64, Hosts))| {
            DailyCount { number, scope, day, windows, packets, hosts: hosts.count() }
        };
        Ok(sums.into_iter().map(count).collect())
    }

    fn hosts_by_hour(
        &self,
        wanted: &Wanted<'_>,
        days: &dyn Fn(Date) -> bool,
    ) -> Result<HostsByHour, StoreError> {
        let mut hosts = HostsByHour::new();
        self.each_sighting_of(self.with_days(days), wanted, &mut |sighting| {
            let Sighting { number, scope, day, host, counts, .. } = *sighting;
            if days(day) {
                for hour in crate::history::hours_of(counts.hours) {
                    hosts.entry((number, scope, day, hour)).or_default().insert(host);
                }
            }
            Ok(())
        })?;
        Ok(hosts)
    }

    /// The segments of sightings that may have one of some days.
    fn with_days<'t>(&'t self, days: &dyn Fn(Date) -> bool) -> impl Iterator<Item = &'t Listed> + use<'t> {
        let mut some: Vec<&Listed> = Vec::new();
        for listed in self.of_kind(&SIGHTINGS) {
            let all = listed.days.0.series(jiff::Span::new().days(1));
            if all.take_while(|day| *day <= listed.days.1).any(days) {
                some.push(listed);
            }
        }
        some.into_iter()
    }

    /// Totals of some days, counted from sightings.
    pub(super) fn totals_of(&self, days: &BTreeSet<Date>) -> Result<BTreeMap<Date, DayTotal>, StoreError> {
        let mut sums: BTreeMap<Date, (u64, u64, Hosts, BTreeSet<u64>)> = BTreeMap::new();
        let wanted = Wanted {
            types: None,
            facets: false,
            days: (days.first().copied(), days.last().copied()),
            sources: None,
        };
        self.each_sighting_of(self.with_days(&|day| days.contains(&day)), &wanted, &mut |sighting| {
            if days.contains(&sighting.day) {
                let sum = sums.entry(sighting.day).or_default();
                sum.0 = sum.0.saturating_add(sighting.counts.windows);
                sum.1 = sum.1.saturating_add(sighting.counts.packets);
                sum.2.insert(sighting.host);
                sum.3.insert(sighting.number);
            }
            Ok(())
        })?;
        let total = |day: &Date| {
            let (windows, packets, mut hosts, types) = sums.remove(day).unwrap_or_default();
            let count = DayCount { day: *day, windows, packets, hosts: hosts.count() };
            (*day, DayTotal { count, types: types.len() as u64 })
        };
        Ok(days.iter().map(total).collect())
    }

    /// The earliest example of each of some types, ascending; of those that begin together the one with the lowest address.
    pub(super) fn examples(&self, types: &[u64]) -> Result<BTreeMap<u64, Example>, StoreError> {
        let wanted = Wanted { types: Some(types), facets: false, days: (None, None), sources: None };
        let mut windows: BTreeMap<(u64, Timestamp, IpAddr), Vec<ExamplePacket>> = BTreeMap::new();
        for listed in self.of_kind(&EXAMPLES) {
            let segment = self.open.get(self.folder, listed, &EXAMPLES)?;
            let every: Vec<usize> = (0..EXAMPLES.columns.len()).collect();
            for group in 0..segment.groups() {
                if !segment.range(group, EXAMPLE_TYPE).is_none_or(|range| wanted.has_type_between(range)) {
                    continue;
                }
                let (rows, columns) = segment.read(group, &every)?.rest()?;
                each_example_packet(rows, &columns, &mut |number, start, host, packet| {
                    if types.binary_search(&number).is_ok() {
                        windows.entry((number, start, host)).or_default().push(packet);
                    }
                })?;
            }
        }
        let mut earliest = BTreeMap::new();
        for ((number, start, host), mut packets) in windows {
            // The same window can be in two segments, when captures were joined.
            packets.dedup();
            let behavior = crate::behavior::BehaviorId([0; 16]);
            earliest.entry(number).or_insert(Example { behavior, host, start, packets });
        }
        Ok(earliest)
    }
}

fn hourly((count, hour): (DailyCount, Option<u8>)) -> HourlyCount {
    let DailyCount { number, scope, day, windows, packets, hosts } = count;
    HourlyCount { number, scope, day, hour: hour.unwrap_or(0), windows, packets, hosts }
}

/// Hands on the sightings of a row group that are wanted. Columns beside type and day are decoded only if one may be.
fn read_group(
    segment: &Segment,
    group: usize,
    wanted: &Wanted<'_>,
    days: &mut DayStarts,
    sink: &mut dyn FnMut(&Sighting) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let every: Vec<usize> = (0..SIGHTINGS.columns.len()).collect();
    if wanted.types.is_some() {
        let (_, columns) = segment.read(group, &[TYPE])?.rest()?;
        if !has_wanted_type(&columns[0], wanted) {
            return Ok(());
        }
    }
    let (count, columns) = segment.read(group, &every)?.rest()?;
    // Types come one after the other, so that each is looked up once.
    let mut last: Option<(u64, bool)> = None;
    rows::each_sighting(count, &columns, days, &mut |sighting| {
        let type_is_wanted = match (wanted.types, last) {
            (None, _) => true,
            (Some(_), Some((number, is_wanted))) if number == sighting.number => is_wanted,
            (Some(types), _) => types.binary_search(&sighting.number).is_ok(),
        };
        last = Some((sighting.number, type_is_wanted));
        let wants = type_is_wanted
            && wanted.has_scope(sighting.scope)
            && wanted.has_day(sighting.day)
            && wanted.sources.is_none_or(|sources| sources.contains(&sighting.host));
        if wants { sink(&sighting) } else { Ok(()) }
    })
}

fn has_wanted_type(column: &Column, wanted: &Wanted<'_>) -> bool {
    let (Values::Int64(numbers), Some(types)) = (&column.values, wanted.types) else { return true };
    let mut last = None;
    numbers.iter().any(|number| {
        if last.replace(*number) == Some(*number) {
            return false;
        }
        types.binary_search(&number.cast_unsigned()).is_ok()
    })
}

/// The sources of a sensor's segments, without a store, for whoever holds the catalog already.
pub(super) fn source_of<'s>(
    folder: &'s Path,
    open: &'s OpenSegments,
    connection: &Connection,
    sensor: i64,
    zone: TimeZone,
) -> Result<Source<'s>, StoreError> {
    Ok(Source {
        folder,
        open,
        segments: catalog::segments(connection, Some(sensor))?,
        zone,
        kept_from: catalog::kept_from(connection, sensor)?,
        _files: None,
    })
}

/// The total of a day, counted from sightings.
pub(super) fn count_day(
    folder: &Path,
    connection: &Connection,
    sensor: i64,
    day: Date,
) -> Result<DayTotal, StoreError> {
    let open = OpenSegments::default();
    let source = source_of(folder, &open, connection, sensor, TimeZone::UTC)?;
    let mut totals = source.totals_of(&[day].into())?;
    totals.remove(&day).ok_or_else(|| StoreError::Backend(format!("{day} was not counted")))
}

/// When the earliest example of each type of a sensor begins.
pub(super) fn example_starts(
    folder: &Path,
    connection: &Connection,
    sensor: i64,
) -> Result<BTreeMap<u64, Timestamp>, StoreError> {
    let open = OpenSegments::default();
    let mut starts = BTreeMap::new();
    for listed in catalog::segments(connection, Some(sensor))? {
        if listed.kind != EXAMPLES.name || listed.open {
            continue;
        }
        let segment = open.get(folder, &listed, &EXAMPLES)?;
        for group in 0..segment.groups() {
            let (_, columns) = segment.read(group, &[EXAMPLE_TYPE, EXAMPLE_TYPE + 1])?.rest()?;
            let [Values::Int64(types), Values::Int64(begins)] = [&columns[0].values, &columns[1].values]
            else {
                continue;
            };
            for (number, start) in types.iter().zip(begins) {
                let start = Timestamp(*start);
                let known = starts.entry(number.cast_unsigned()).or_insert(start);
                *known = (*known).min(start);
            }
        }
    }
    Ok(starts)
}
