//! Writing segments: sorted sightings become a pair of files, one of sightings and one of counts.

use std::collections::BTreeMap;
use std::io;
use std::iter::Peekable;
use std::path::Path;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::history::{Batch, BatchWriter, DayCount, DayTotal, HostSet, HourlyCount, Scope, Sighting};
use crate::store::{StoreError, renumber_marks};

use super::count_rows::{COUNTS, CountColumns};
use super::counting::CountsOfType;
use super::incoming::IncomingFolder;
use super::rows::{SIGHTINGS, SightingColumns};
use super::segment_writer::{SegmentWriter, WrittenSegment};
use super::sorted::SortedRows;
use super::spool::SightingSpool;
use super::table::{GROUP_ROWS, GROUP_ROWS_MAX};

/// Number of rows from which a row group of counts ends when the type changes. It is smaller than that of
/// sightings, because most queries of counts are about a single type.
const COUNTS_ROWS: usize = 1 << 14;

/// A segment of sightings, and the segment of counts that was computed from it.
#[derive(Debug)]
pub(super) struct WrittenPair {
    pub(super) sightings: WrittenSegment,
    pub(super) counts: WrittenSegment,
    /// The totals of the days of the segments.
    pub(super) totals: Vec<DayTotal>,
}

/// Writes sightings and their counts. Memory: a row group of sightings and one of counts, about 12 MB, and
/// the hosts of the days whose totals are counted.
pub(super) struct PairWriter {
    sightings: SegmentWriter,
    counts: SegmentWriter,
    rows: SightingColumns,
    daily: CountColumns,
    hourly: CountColumns,
    counts_of_type: CountsOfType,
    totals: BTreeMap<Date, DaySum>,
    /// Whether the unique hosts of days are counted. Merging days whose totals are known does not need them.
    counts_hosts: bool,
}

#[derive(Default)]
struct DaySum {
    windows: u64,
    packets: u64,
    types: u64,
    hosts: HostSet,
}

/// Stored hourly counts in their order.
type StoredHours<'a> = Peekable<SortedRows<'a, HourlyCount>>;

impl PairWriter {
    pub(super) fn new(folder: &Path, zone: TimeZone, counts_hosts: bool) -> Result<PairWriter, StoreError> {
        Ok(PairWriter {
            sightings: SegmentWriter::new(folder, &SIGHTINGS)?,
            counts: SegmentWriter::new(folder, &COUNTS)?,
            rows: SightingColumns::new(zone),
            daily: CountColumns::default(),
            hourly: CountColumns::default(),
            counts_of_type: CountsOfType::default(),
            totals: BTreeMap::new(),
            counts_hosts,
        })
    }

    /// Writes sorted sightings, each of a single hour. Sightings with equal keys are added up.
    pub(super) fn write(
        self,
        sightings: SortedRows<'_, Sighting>,
        durable: bool,
    ) -> Result<WrittenPair, StoreError> {
        self.write_all(sightings, None, durable)
    }

    /// Writes sorted sightings of any number of hours, with the hourly counts of the same windows. Sightings
    /// with equal keys are added up.
    pub(super) fn write_merged(
        self,
        sightings: SortedRows<'_, Sighting>,
        hours: SortedRows<'_, HourlyCount>,
        durable: bool,
    ) -> Result<WrittenPair, StoreError> {
        self.write_all(sightings, Some(hours.peekable()), durable)
    }

    fn write_all(
        mut self,
        sightings: SortedRows<'_, Sighting>,
        mut hours: Option<StoredHours<'_>>,
        durable: bool,
    ) -> Result<WrittenPair, StoreError> {
        let mut last: Option<Sighting> = None;
        for sighting in sightings {
            let sighting = sighting?;
            if let Some(kept) = &mut last {
                if kept.order(&sighting).is_eq() {
                    kept.counts = kept.counts.merged(sighting.counts);
                    self.count(&sighting);
                    continue;
                }
                self.rows.push(kept);
                if (kept.number, kept.scope) != (sighting.number, sighting.scope) {
                    self.end_type(hours.as_mut())?;
                }
                let is_full = self.rows.len() >= GROUP_ROWS && kept.number != sighting.number;
                if is_full || self.rows.len() >= GROUP_ROWS_MAX {
                    self.flush_sightings()?;
                }
            }
            self.count(&sighting);
            last = Some(sighting);
        }
        if let Some(kept) = last {
            self.rows.push(&kept);
        }
        self.end_type(hours.as_mut())?;
        if let Some(hour) = hours.and_then(|mut hours| hours.next()) {
            let HourlyCount { number, day, .. } = hour?;
            return Err(StoreError::Damaged(format!("type {number} has counts of {day} without sightings")));
        }
        self.flush_sightings()?;
        self.flush_counts()?;
        self.finish(durable)
    }

    fn count(&mut self, sighting: &Sighting) {
        let is_new = self.counts_of_type.add(sighting);
        if is_new && self.counts_hosts && sighting.scope == Scope::Whole {
            self.totals.entry(sighting.day).or_default().hosts.insert(sighting.host);
        }
    }

    /// Adds the finished counts of a type and scope to the columns and totals.
    fn end_type(&mut self, kept_hours: Option<&mut StoredHours<'_>>) -> Result<(), StoreError> {
        if let Some(kept) = kept_hours {
            self.counts_of_type.apply_stored_hours(kept)?;
        }
        for (count, hours) in self.counts_of_type.days() {
            if count.scope == Scope::Whole {
                let total = self.totals.entry(count.day).or_default();
                total.windows = total.windows.saturating_add(count.windows);
                total.packets = total.packets.saturating_add(count.packets);
                total.types += 1;
            }
            // If all windows of a day began in one hour, the daily row is the hourly count as well.
            let only = if let [only] = hours { Some(only.hour) } else { None };
            self.daily.push_day(count, only);
            if only.is_none() {
                hours.iter().for_each(|hour| self.hourly.push_hour(hour));
            }
        }
        self.counts_of_type.clear();
        if self.daily.len().max(self.hourly.len()) >= COUNTS_ROWS { self.flush_counts() } else { Ok(()) }
    }

    fn flush_sightings(&mut self) -> Result<(), StoreError> {
        let rows = self.rows.len();
        self.sightings.write(rows, &self.rows.take())
    }

    fn flush_counts(&mut self) -> Result<(), StoreError> {
        for columns in [&mut self.daily, &mut self.hourly] {
            let rows = columns.len();
            self.counts.write(rows, &columns.take())?;
        }
        Ok(())
    }

    /// Completes both files.
    fn finish(self, durable: bool) -> Result<WrittenPair, StoreError> {
        let total = |(day, mut total): (Date, DaySum)| DayTotal {
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

/// Writes the segments of one capture while it is read. Memory: that of one [`PairWriter`].
#[derive(Debug)]
pub(super) struct CaptureWriter {
    incoming: IncomingFolder,
    zone: TimeZone,
    /// The store's bit number of each mark of the capture.
    marks: Vec<usize>,
    durable: bool,
    open: BTreeMap<Date, SightingSpool>,
    written: Vec<(Date, WrittenPair)>,
}

/// Maximum number of days that are collected at once. Captures are read in time order, so a day is complete
/// when the day after the next begins; later sightings of it go to another segment.
const OPEN_DAYS_MAX: usize = 3;

impl CaptureWriter {
    pub(super) fn new(
        incoming: IncomingFolder,
        zone: TimeZone,
        marks: Vec<usize>,
        durable: bool,
    ) -> CaptureWriter {
        CaptureWriter { incoming, zone, marks, durable, open: BTreeMap::new(), written: Vec::new() }
    }

    /// Returns the folder of the written files.
    pub(super) fn folder(&self) -> &Path {
        self.incoming.folder()
    }

    /// Adds a batch.
    pub(super) fn add(&mut self, mut batch: Batch) -> Result<(), StoreError> {
        for sighting in &mut batch.sightings {
            sighting.counts.marks = renumber_marks(sighting.counts.marks, &self.marks);
        }
        if !self.open.contains_key(&batch.day) {
            while self.open.len() >= OPEN_DAYS_MAX {
                self.close_oldest_day()?;
            }
            self.open.insert(batch.day, SightingSpool::new(self.incoming.folder(), batch.day)?);
        }
        let Some(spool) = self.open.get_mut(&batch.day) else { return Ok(()) };
        spool.add(batch)
    }

    fn close_oldest_day(&mut self) -> Result<(), StoreError> {
        if let Some((day, spool)) = self.open.pop_first() {
            let writer = PairWriter::new(self.incoming.folder(), self.zone.clone(), true)?;
            self.written.push((day, writer.write(spool.into_sorted()?, self.durable)?));
        }
        Ok(())
    }

    /// Completes all files, and returns them with their days.
    pub(super) fn finish(&mut self) -> Result<Vec<(Date, WrittenPair)>, StoreError> {
        while !self.open.is_empty() {
            self.close_oldest_day()?;
        }
        Ok(std::mem::take(&mut self.written))
    }
}

impl BatchWriter for CaptureWriter {
    fn write(&mut self, batch: Batch) -> io::Result<()> {
        self.add(batch).map_err(|error| match error {
            StoreError::Io(error) => error,
            other => io::Error::other(other),
        })
    }
}
