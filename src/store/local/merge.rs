//! Merging small segments: those of a day into one, and those of a month that is over into one.
//!
//! Readers reject row groups that differ from what was written, so a merge never copies damaged rows. The
//! merged segments are written to `incoming` first and replace their inputs in one transaction, if the
//! catalog still lists these.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::history::{CompactionSummary, DayTotal, HourlyCount, Sensor, Sighting};
use crate::packet::Timestamp;
use crate::store::{StoreError, zone_of};

use super::LocalStore;
use super::capture_rows;
use super::catalog::{self, SegmentEntry};
use super::count_rows::COUNTS;
use super::example_rows::{EXAMPLES, EarliestExamples, ExampleRow, write_examples};
use super::incoming::IncomingFolder;
use super::open_segments::OpenSegments;
use super::row_filter::RowFilter;
use super::rows::SIGHTINGS;
use super::segment::Segment;
use super::segment_replacement::{SegmentChange, segment_entry, segment_entry_pair};
use super::segment_writer::WrittenSegment;
use super::sorted::{SortedRows, all_sightings, hourly_counts_of_segment, merge_sorted};
use super::write::{PairWriter, WrittenPair};

/// Maximum number of segments that are merged at once. Each takes 1.5 MB: an encoded row group, a decoded
/// page of each column and some decoded rows.
const SEGMENTS_AT_ONCE: usize = 16;

/// Maximum number of segments of late captures beside a merged month before the month is merged again
/// automatically. Feeding many late captures therefore does not rewrite the month for each of them.
const LATE_MAX: usize = 16;

/// The segments that an automatic merge leaves alone. The default, for requested merges, leaves none alone.
#[derive(Default)]
struct MergeExclusions {
    /// Maximum number of segments of sightings beside that of a merged month; 0 for a requested merge.
    late_max: usize,
    /// The content hash of the capture whose segments are not merged.
    excluded_capture: Option<[u8; 32]>,
}

impl MergeExclusions {
    /// Returns whether a month is already merged but for a few late segments.
    fn excludes_month(&self, segments: &[SegmentEntry], month: (Date, Date)) -> bool {
        let within = |one: &&SegmentEntry| {
            one.kind == SIGHTINGS.name && !one.open && month.0 <= one.days.0 && one.days.1 <= month.1
        };
        let is_merged = segments.iter().filter(within).any(|one| one.days == month);
        is_merged && segments.iter().filter(within).count() <= 1 + self.late_max && self.late_max > 0
    }
}

/// Sorted parts of sightings and of hourly counts.
pub(super) type PairParts = (Vec<SortedRows<'static, Sighting>>, Vec<SortedRows<'static, HourlyCount>>);

/// Returns the rows of segments: one sorted part per segment of sightings, and two sorted parts of hourly
/// counts per segment of counts.
pub(super) fn pair_parts(
    folder: &Path,
    sightings: &[SegmentEntry],
    counts: &[SegmentEntry],
    zone: &TimeZone,
) -> Result<PairParts, StoreError> {
    let open = OpenSegments::default();
    let (mut of_sightings, mut of_hours) = (Vec::new(), Vec::new());
    for listed in sightings {
        of_sightings.push(all_sightings(&open.get(folder, listed, &SIGHTINGS)?, zone));
    }
    for listed in counts {
        of_hours.extend(hourly_counts_of_segment(&open.get(folder, listed, &COUNTS)?, &RowFilter::ALL));
    }
    Ok((of_sightings, of_hours))
}

/// Removes the rows of the days in `gone` from sorted parts.
fn rows_without_days<T: 'static>(
    parts: Vec<SortedRows<'static, T>>,
    gone: &Rc<BTreeSet<Date>>,
    day: fn(&T) -> Date,
) -> Vec<SortedRows<'static, T>> {
    let one = |part: SortedRows<'static, T>| {
        let gone = Rc::clone(gone);
        let stays =
            move |row: &Result<T, StoreError>| row.as_ref().map_or(true, |row| !gone.contains(&day(row)));
        Box::new(part.filter(stays)) as SortedRows<'static, T>
    };
    parts.into_iter().map(one).collect()
}

impl LocalStore {
    /// Merges the segments of each day, and those of each month. Days and months that are not over are merged
    /// only if `all` is set.
    ///
    /// # Errors
    /// Fails if a segment is damaged, or if the history cannot be written to. Merges that were completed
    /// before the failure stay.
    pub fn compact(&mut self, all: bool) -> Result<CompactionSummary, StoreError> {
        self.check_writable()?;
        let mut done =
            CompactionSummary { bytes_before: self.segment_bytes()?, ..CompactionSummary::default() };
        for (id, sensor) in catalog::sensors(&self.connection)? {
            let clock = capture_rows::engine_state(&self.connection, id)?.clock.unwrap_or_default();
            let until = if all { None } else { Some(clock) };
            let (days, months) = self.merge_until(id, &sensor, until, &MergeExclusions::default())?;
            done.days += days;
            done.months += months;
        }
        done.bytes_after = self.segment_bytes()?;
        Ok(done)
    }

    /// Returns the size of all segments in bytes.
    fn segment_bytes(&self) -> Result<u64, StoreError> {
        Ok(catalog::segments(&self.connection, None)?.iter().map(|one| one.facts.bytes).sum())
    }

    /// Merges the days and months of a sensor that are over, where this was not done or failed after a capture was stored.
    ///
    /// # Errors
    /// Fails if there is no such sensor, if a segment is damaged, or if the history cannot be written to.
    pub fn complete_merges(&mut self, sensor: &str) -> Result<(), StoreError> {
        let (id, _) = catalog::sensor(&self.connection, sensor)?;
        let clock = capture_rows::engine_state(&self.connection, id)?.clock;
        clock.map_or(Ok(()), |clock| self.merge_past_periods(sensor, clock))
    }

    /// Merges the days and months of a sensor that are over at the time `clock`, except segments of the
    /// sensor's newest capture, which must stay removable until the next capture is fed.
    pub(super) fn merge_past_periods(&mut self, name: &str, clock: Timestamp) -> Result<(), StoreError> {
        let (id, sensor) = catalog::sensor(&self.connection, name)?;
        let spare = if self.durable { capture_rows::newest_capture(&self.connection, id)? } else { None };
        self.merge_until(
            id,
            &sensor,
            Some(clock),
            &MergeExclusions { late_max: LATE_MAX, excluded_capture: spare },
        )
        .map(drop)
    }

    /// Merges the days and months before that of `clock`, or all. Returns the numbers of merged days and
    /// months.
    fn merge_until(
        &mut self,
        id: i64,
        sensor: &Sensor,
        clock: Option<Timestamp>,
        automatic: &MergeExclusions,
    ) -> Result<(u64, u64), StoreError> {
        let zone = zone_of(sensor)?;
        let today = clock.map_or(Date::MAX, |clock| clock.day(&zone));
        // No segment has days of two months, so merging one month does not change the segments of others.
        let segments = catalog::segments(&self.connection, Some(id))?;
        let (mut days, mut months) = (0, 0);
        let spare = automatic.excluded_capture;
        for month in months_of(&segments) {
            if today > month.last_of_month() {
                let month = (month, month.last_of_month());
                if automatic.excludes_month(&segments, month) {
                    continue;
                }
                months += u64::from(self.merge_listed((id, sensor), &segments, month, spare)?);
                continue;
            }
            for day in days_to_merge(&segments, month).into_iter().filter(|day| *day < today) {
                days += u64::from(self.merge_listed((id, sensor), &segments, (day, day), spare)?);
            }
        }
        Ok((days, months))
    }

    /// Merges as [`LocalStore::merge`] does, or does nothing if another process merged some of the listed segments
    /// meanwhile: their files are gone then.
    fn merge_listed(
        &mut self,
        (id, sensor): (i64, &Sensor),
        listed: &[SegmentEntry],
        period: (Date, Date),
        spare: Option<[u8; 32]>,
    ) -> Result<bool, StoreError> {
        match self.merge((id, sensor), listed, period, spare) {
            Err(error) => {
                let now = catalog::segments(&self.connection, Some(id))?;
                let is_of_period = |one: &&SegmentEntry| period.0 <= one.days.0 && one.days.1 <= period.1;
                let is_replaced = listed.iter().filter(is_of_period).any(|one| !now.contains(one));
                if is_replaced { Ok(false) } else { Err(error) }
            }
            done => done,
        }
    }

    /// Merges the months of a sensor that end before a day.
    pub(super) fn merge_months_before(
        &mut self,
        id: i64,
        sensor: &Sensor,
        day: Date,
    ) -> Result<(), StoreError> {
        let segments = catalog::segments(&self.connection, Some(id))?;
        for month in months_of(&segments).into_iter().filter(|month| month.last_of_month() < day) {
            self.merge((id, sensor), &segments, (month, month.last_of_month()), None)?;
        }
        Ok(())
    }

    /// Merges the segments of a sensor that lie within a day or month. Returns whether there was anything to
    /// merge. Nothing is merged if some of the segments belong to the capture `spare`.
    fn merge(
        &mut self,
        (id, sensor): (i64, &Sensor),
        segments: &[SegmentEntry],
        span: (Date, Date),
        spare: Option<[u8; 32]>,
    ) -> Result<bool, StoreError> {
        let within = |one: &&SegmentEntry| !one.open && span.0 <= one.days.0 && one.days.1 <= span.1;
        let inputs: Vec<&SegmentEntry> = segments.iter().filter(within).collect();
        if spare.is_some() && inputs.iter().any(|one| one.capture == spare) {
            return Ok(false);
        }
        let capture = single_capture(inputs.iter().copied());
        let of_kind =
            |kind: &str| inputs.iter().copied().filter(|one| one.kind == kind).cloned().collect::<Vec<_>>();
        let (sightings, counts, examples) =
            (of_kind(SIGHTINGS.name), of_kind(COUNTS.name), of_kind(EXAMPLES.name));
        let in_one = |some: &[SegmentEntry]| some.len() <= 1 && some.iter().all(|one| one.days == span);
        let merge_sightings = !in_one(&sightings) && !sightings.is_empty();
        // Months whose sightings were dropped have only counts, which are merged already. No segment names a capture
        // whose other rows were merged with those of others.
        let is_merged = examples.len() <= 1
            && examples.iter().all(|one| one.days == span && (one.capture == capture || !merge_sightings));
        let merge_examples = !is_merged;
        if !merge_sightings && !merge_examples {
            return Ok(false);
        }
        let incoming = IncomingFolder::new(&self.folder)?;
        let mut new: Vec<(SegmentEntry, WrittenSegment)> = Vec::new();
        let mut old: Vec<SegmentEntry> = Vec::new();
        let mut totals = BTreeMap::new();
        if merge_sightings {
            let uncounted = self.uncounted_days(id, span)?;
            let pair = self.merged_pair(
                &incoming,
                sensor,
                (&sightings, &counts),
                !uncounted.is_empty(),
                &Rc::default(),
            )?;
            totals.extend(pair.totals.iter().map(|total| (total.count.day, *total)));
            totals.retain(|day, _| uncounted.contains(day));
            new.extend(segment_entry_pair((id, sensor), span, pair, false, capture));
            old.extend(sightings.into_iter().chain(counts));
        }
        if merge_examples {
            let mut rows = self.earliest_examples(&examples)?.into_values().map(Ok);
            if let Some((_, written)) = write_examples(incoming.folder(), &mut rows, self.durable)? {
                new.push((
                    segment_entry((id, sensor), EXAMPLES.name, span, &written, false, capture),
                    written,
                ));
                old.extend(examples);
            }
        }
        self.replace((id, sensor), span.1, (old, new), totals)
    }

    /// Returns the days of a span whose totals are not stored.
    fn uncounted_days(&self, id: i64, (first, last): (Date, Date)) -> Result<BTreeSet<Date>, StoreError> {
        let days = catalog::days(&self.connection, id)?;
        let inside = days.range(first..=last);
        Ok(inside.filter(|(_, total)| total.is_none()).map(|(day, _)| *day).collect())
    }

    /// Merges segments of sightings and their counts, without the rows of the days in `gone`.
    pub(super) fn merged_pair(
        &self,
        incoming: &IncomingFolder,
        sensor: &Sensor,
        (sightings, counts): (&[SegmentEntry], &[SegmentEntry]),
        counts_hosts: bool,
        gone: &Rc<BTreeSet<Date>>,
    ) -> Result<WrittenPair, StoreError> {
        let zone = zone_of(sensor)?;
        let (mut of_sightings, mut of_hours) = pair_parts(&self.folder, sightings, counts, &zone)?;
        if !gone.is_empty() {
            of_sightings = rows_without_days(of_sightings, gone, |sighting| sighting.day);
            of_hours = rows_without_days(of_hours, gone, |hour| hour.day);
        }
        // Many segments are first merged in groups, so that memory does not grow with their number. Each
        // segment of counts gives two sorted parts.
        let mut steps = Vec::new();
        while of_sightings.len() > SEGMENTS_AT_ONCE {
            let hours = merge_sorted(of_hours.drain(..2 * SEGMENTS_AT_ONCE).collect(), HourlyCount::order)?;
            let rows = merge_sorted(of_sightings.drain(..SEGMENTS_AT_ONCE).collect(), Sighting::order)?;
            let writer = PairWriter::new(incoming.folder(), zone.clone(), false)?;
            let step = writer.write_merged(rows, hours, false)?;
            let opened =
                |table, written: &WrittenSegment| Segment::open(&written.path, table, &written.facts);
            let pair = (opened(&SIGHTINGS, &step.sightings)?, opened(&COUNTS, &step.counts)?);
            of_sightings.push(all_sightings(&Arc::new(pair.0), &zone));
            of_hours.extend(hourly_counts_of_segment(&Arc::new(pair.1), &RowFilter::ALL));
            steps.push(step);
        }
        let writer = PairWriter::new(incoming.folder(), zone, counts_hosts)?;
        let (rows, hours) =
            (merge_sorted(of_sightings, Sighting::order)?, merge_sorted(of_hours, HourlyCount::order)?);
        writer.write_merged(rows, hours, self.durable)
    }

    /// Returns the earliest example of each type. Memory: about 200 bytes per type.
    pub(super) fn earliest_examples(
        &self,
        listed: &[SegmentEntry],
    ) -> Result<BTreeMap<u64, ExampleRow>, StoreError> {
        let open = OpenSegments::default();
        let mut earliest = EarliestExamples::default();
        for one in listed {
            earliest.add(&*open.get(&self.folder, one, &EXAMPLES)?, &RowFilter::ALL)?;
        }
        Ok(earliest.by_type())
    }

    /// Replaces segments of a span that ends with `last_day`, and joins the records of captures that ended by then, in
    /// one transaction. Returns `false`, and changes nothing, if another process merged
    /// or removed some of the old segments meanwhile.
    fn replace(
        &mut self,
        (id, sensor): (i64, &Sensor),
        last_day: Date,
        (old, new): (Vec<SegmentEntry>, Vec<(SegmentEntry, WrittenSegment)>),
        totals: BTreeMap<Date, DayTotal>,
    ) -> Result<bool, StoreError> {
        self.replace_segments(id, |transaction, before| {
            if !old.iter().all(|one| before.contains(one)) {
                return Ok(None);
            }
            let mut merged: BTreeSet<[u8; 32]> = old.iter().filter_map(|one| one.capture).collect();
            merged.retain(|content| !new.iter().any(|(one, _)| one.capture.as_ref() == Some(content)));
            capture_rows::mark_merged(transaction, id, &merged)?;
            let left = before.iter().filter(|one| !old.contains(one));
            let listed = left.chain(new.iter().map(|(one, _)| one)).filter_map(|one| one.capture).collect();
            capture_rows::join_records(transaction, (id, sensor), &listed, last_day)?;
            let days = totals.keys().copied().collect();
            Ok(Some(SegmentChange { old, new, days, totals }))
        })
    }
}

/// Returns the capture to which all of the segments belong, or `None` if there are several. A segment merged
/// from them can still be removed with that capture.
pub(super) fn single_capture<'l>(segments: impl IntoIterator<Item = &'l SegmentEntry>) -> Option<[u8; 32]> {
    let mut captures = segments.into_iter().map(|one| one.capture);
    let first = captures.next().flatten();
    first.filter(|_| captures.all(|capture| capture == first))
}

/// Returns the first days of the months that have segments.
fn months_of(segments: &[SegmentEntry]) -> BTreeSet<Date> {
    segments.iter().map(|segment| segment.days.0.first_of_month()).collect()
}

/// Returns the days of a month that lie in several segments of a single day each.
fn days_to_merge(segments: &[SegmentEntry], month: Date) -> Vec<Date> {
    let mut parts: BTreeMap<Date, u64> = BTreeMap::new();
    for SegmentEntry { days, kind, open, .. } in segments {
        if kind == SIGHTINGS.name && !open && days.0 == days.1 && days.0.first_of_month() == month {
            *parts.entry(days.0).or_default() += 1;
        }
    }
    parts.into_iter().filter(|(_, parts)| *parts > 1).map(|(day, _)| day).collect()
}
