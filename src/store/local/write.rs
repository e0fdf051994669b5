//! Writing segments: sorted sightings become a pair of files, sightings and their counts.

use std::collections::BTreeMap;
use std::io;
use std::iter::Peekable;
use std::net::IpAddr;
use std::path::Path;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::history::{
    Batch, BatchWriter, DailyCount, DayCount, DayTotal, Hosts, HourlyCount, Scope, Sighting, hours_of,
};
use crate::store::{StoreError, renumbered};

use super::incoming::Incoming;
use super::rows::{COUNTS, DayStarts, SIGHTINGS, daily_columns, hourly_columns, sighting_columns};
use super::segment_writer::{SegmentWriter, WrittenSegment};
use super::table::{GROUP_ROWS, GROUP_ROWS_MAX};

/// Rows of a row group of counts: fewer than of sightings, because most questions are about a single type.
const COUNTS_ROWS: usize = 1 << 14;

/// Segments of some days: sightings, and what was counted of them.
#[derive(Debug)]
pub(super) struct WrittenPair {
    pub(super) sightings: WrittenSegment,
    pub(super) counts: WrittenSegment,
    /// Totals of its days. Those of several runs do not add up.
    pub(super) totals: Vec<DayTotal>,
}

/// Writes sightings, and counts them. Memory: two row groups, some 12 MB, and the hosts of the days whose totals are
/// counted.
pub(super) struct PairWriter {
    sightings: SegmentWriter,
    counts: SegmentWriter,
    days: DayStarts,
    rows: Vec<Sighting>,
    daily: Vec<DailyCount>,
    hourly: Vec<HourlyCount>,
    group: Group,
    totals: BTreeMap<Date, Total>,
    /// Whether hosts of days are counted, which a merge of days that are counted already does not need.
    counts_hosts: bool,
}

/// What is counted of one type and scope.
#[derive(Default)]
struct Group {
    key: Option<(u64, Scope)>,
    last: Option<(IpAddr, Date)>,
    /// Windows, packets and hosts.
    days: BTreeMap<Date, (u64, u64, u64)>,
    hosts_of_hours: BTreeMap<(Date, u8), u64>,
}

#[derive(Default)]
struct Total {
    windows: u64,
    packets: u64,
    types: u64,
    hosts: Hosts,
}

impl PairWriter {
    pub(super) fn new(folder: &Path, zone: TimeZone, counts_hosts: bool) -> Result<PairWriter, StoreError> {
        Ok(PairWriter {
            sightings: SegmentWriter::new(folder, &SIGHTINGS)?,
            counts: SegmentWriter::new(folder, &COUNTS)?,
            days: DayStarts::new(zone),
            rows: Vec::new(),
            daily: Vec::new(),
            hourly: Vec::new(),
            group: Group::default(),
            totals: BTreeMap::new(),
            counts_hosts,
        })
    }

    /// Writes a sorted run: sightings and the hourly counts of the same windows, each in its order. Equal ones are added up.
    pub(super) fn write_run(
        &mut self,
        sightings: &mut dyn Iterator<Item = Result<Sighting, StoreError>>,
        hours: &mut dyn Iterator<Item = Result<HourlyCount, StoreError>>,
    ) -> Result<(), StoreError> {
        self.sightings.begin_run();
        self.counts.begin_run();
        let mut hours = hours.peekable();
        let mut last: Option<Sighting> = None;
        for sighting in sightings {
            let sighting = sighting?;
            last = match last {
                Some(mut kept) if kept.order(&sighting).is_eq() => {
                    kept.counts = kept.counts.merged(sighting.counts);
                    Some(kept)
                }
                kept => {
                    if let Some(kept) = kept {
                        self.add(kept, &mut hours)?;
                    }
                    Some(sighting)
                }
            };
        }
        if let Some(kept) = last {
            self.add(kept, &mut hours)?;
        }
        self.end_group(&mut hours)?;
        if let Some(hour) = hours.next() {
            let HourlyCount { number, day, .. } = hour?;
            return Err(StoreError::Damaged(format!("type {number} has counts of {day} without sightings")));
        }
        self.flush_sightings()?;
        self.flush_counts()
    }

    fn add<I>(&mut self, sighting: Sighting, hours: &mut Peekable<I>) -> Result<(), StoreError>
    where
        I: Iterator<Item = Result<HourlyCount, StoreError>>,
    {
        let Sighting { day, number, scope, host, counts, .. } = sighting;
        if self.group.key != Some((number, scope)) {
            let new_type = self.group.key.is_none_or(|(last, _)| last != number);
            self.end_group(hours)?;
            self.group.key = Some((number, scope));
            if new_type && self.rows.len() >= GROUP_ROWS {
                self.flush_sightings()?;
            }
        }
        let known = self.group.last == Some((host, day));
        self.group.last = Some((host, day));
        let cell = self.group.days.entry(day).or_default();
        cell.0 = cell.0.saturating_add(counts.windows);
        cell.1 = cell.1.saturating_add(counts.packets);
        // A host of a day with two signatures is one host.
        cell.2 += u64::from(!known);
        for hour in hours_of(counts.hours) {
            *self.group.hosts_of_hours.entry((day, hour)).or_default() += u64::from(!known);
        }
        if scope == Scope::Whole && self.counts_hosts {
            self.totals.entry(day).or_default().hosts.insert(host);
        }
        self.rows.push(sighting);
        if self.rows.len() >= GROUP_ROWS_MAX { self.flush_sightings() } else { Ok(()) }
    }

    /// Counts what there was of a type and scope.
    fn end_group<I>(&mut self, hours: &mut Peekable<I>) -> Result<(), StoreError>
    where
        I: Iterator<Item = Result<HourlyCount, StoreError>>,
    {
        let Group { key, days, mut hosts_of_hours, .. } = std::mem::take(&mut self.group);
        let Some((number, scope)) = key else { return Ok(()) };
        for (day, (windows, packets, hosts)) in days {
            self.daily.push(DailyCount { number, scope, day, windows, packets, hosts });
            if scope == Scope::Whole {
                let total = self.totals.entry(day).or_default();
                total.windows = total.windows.saturating_add(windows);
                total.packets = total.packets.saturating_add(packets);
                total.types += 1;
            }
        }
        let first = self.hourly.len();
        let of_group = |hour: &Result<HourlyCount, StoreError>| match hour {
            Ok(hour) => (hour.number, hour.scope) == (number, scope),
            Err(_) => true,
        };
        while let Some(hour) = hours.next_if(of_group) {
            let hour = hour?;
            match self.hourly[first..].last_mut() {
                Some(last) if last.order(&hour).is_eq() => last.add(&hour),
                _ => self.hourly.push(hour),
            }
        }
        for hour in &mut self.hourly[first..] {
            let hosts = hosts_of_hours.remove(&(hour.day, hour.hour));
            hour.hosts = hosts.ok_or_else(|| counts_differ(number))?;
        }
        if !hosts_of_hours.is_empty() {
            return Err(counts_differ(number));
        }
        if self.daily.len() >= COUNTS_ROWS || self.hourly.len() >= COUNTS_ROWS {
            self.flush_counts()
        } else {
            Ok(())
        }
    }

    fn flush_sightings(&mut self) -> Result<(), StoreError> {
        let columns = sighting_columns(&self.rows, &mut self.days);
        self.sightings.write(self.rows.len(), &columns)?;
        self.rows.clear();
        Ok(())
    }

    fn flush_counts(&mut self) -> Result<(), StoreError> {
        for rows in self.daily.chunks(GROUP_ROWS_MAX) {
            self.counts.write(rows.len(), &daily_columns(rows))?;
        }
        for rows in self.hourly.chunks(GROUP_ROWS_MAX) {
            self.counts.write(rows.len(), &hourly_columns(rows))?;
        }
        self.daily.clear();
        self.hourly.clear();
        Ok(())
    }

    /// Completes both files.
    pub(super) fn finish(self, durable: bool) -> Result<WrittenPair, StoreError> {
        let total = |(day, mut total): (Date, Total)| DayTotal {
            count: DayCount {
                day,
                windows: total.windows,
                packets: total.packets,
                hosts: total.hosts.count(),
            },
            types: total.types,
        };
        Ok(WrittenPair {
            sightings: self.sightings.finish(durable)?,
            counts: self.counts.finish(durable)?,
            totals: self.totals.into_iter().map(total).collect(),
        })
    }
}

fn counts_differ(number: u64) -> StoreError {
    StoreError::Damaged(format!("type {number} has other hours in its counts than in its sightings"))
}

/// The segments of one capture, written while it is read.
#[derive(Debug)]
pub(super) struct Pending {
    incoming: Incoming,
    zone: TimeZone,
    /// The store's numbers of the capture's marks.
    marks: Vec<usize>,
    durable: bool,
    open: BTreeMap<Date, PairWriter>,
    done: Vec<(Date, WrittenPair)>,
}

/// Days that are written at once. Captures are read in time order, so that a day is complete when the next but one begins; what
/// comes later makes another segment.
const DAYS_OPEN: usize = 3;

impl Pending {
    pub(super) fn new(incoming: Incoming, zone: TimeZone, marks: Vec<usize>, durable: bool) -> Pending {
        Pending { incoming, zone, marks, durable, open: BTreeMap::new(), done: Vec::new() }
    }

    /// The folder in which its files are.
    pub(super) fn folder(&self) -> &Path {
        self.incoming.folder()
    }

    /// Writes a batch as one sorted run.
    pub(super) fn add(&mut self, mut batch: Batch) -> Result<(), StoreError> {
        for sighting in &mut batch.sightings {
            sighting.counts.marks = renumbered(sighting.counts.marks, &self.marks);
        }
        if !self.open.contains_key(&batch.day) {
            while self.open.len() >= DAYS_OPEN {
                self.close_first()?;
            }
            let writer = PairWriter::new(self.incoming.folder(), self.zone.clone(), true)?;
            self.open.insert(batch.day, writer);
        }
        let Some(writer) = self.open.get_mut(&batch.day) else { return Ok(()) };
        writer.write_run(&mut batch.sightings.into_iter().map(Ok), &mut batch.hours.into_iter().map(Ok))
    }

    fn close_first(&mut self) -> Result<(), StoreError> {
        if let Some((day, writer)) = self.open.pop_first() {
            self.done.push((day, writer.finish(self.durable)?));
        }
        Ok(())
    }

    /// Completes all files, and hands them over with their days.
    pub(super) fn finish(&mut self) -> Result<Vec<(Date, WrittenPair)>, StoreError> {
        while !self.open.is_empty() {
            self.close_first()?;
        }
        Ok(std::mem::take(&mut self.done))
    }
}

impl std::fmt::Debug for PairWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PairWriter({} rows)", self.sightings.rows())
    }
}

impl BatchWriter for Pending {
    fn write(&mut self, batch: Batch) -> io::Result<()> {
        self.add(batch).map_err(|error| match error {
            StoreError::Io(error) => error,
            other => io::Error::other(other),
        })
    }
}
