//! Merging: small segments of a day become one, and those of a month that is over.
//!
//! What is merged is verified first, since readers refuse a part that is not as it was written; damage is never taken over.
//! A merge is prepared beside the history and takes its place in one transaction, if the segments that it was made of are
//! still there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::TransactionBehavior;

use crate::event::Timestamp;
use crate::history::{DayTotal, HourlyCount, Sensor, Sighting};
use crate::store::{StoreError, zone_of};

use super::LocalStore;
use super::catalog::{self, Listed};
use super::example_rows::{EXAMPLES, EarliestExamples, ExampleRow};
use super::fed;
use super::incoming::Incoming;
use super::ingest::{Exchange, listed, write_examples};
use super::open_segments::OpenSegments;
use super::rows::{COUNTS, SIGHTINGS};
use super::segment::Segment;
use super::segment_writer::WrittenSegment;
use super::sorted::{Sorted, hourly_runs, merged, sighting_runs};
use super::wanted::Wanted;
use super::write::{PairWriter, WrittenPair};

/// Sorted runs that are merged at once. Each takes a row group as it lies in the file and some decoded rows: a megabyte.
const RUNS_AT_ONCE: usize = 32;

/// What a merge came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Days that were merged, counted once for each sensor.
    pub days: u64,
    /// Months that were merged.
    pub months: u64,
    /// Bytes of all segments before.
    pub bytes_before: u64,
    /// Bytes of all segments afterwards.
    pub bytes_after: u64,
}

/// Sorted runs of sightings, and of hourly counts.
pub(super) type PairRuns = (Vec<Sorted<'static, Sighting>>, Vec<Sorted<'static, HourlyCount>>);

/// The sorted runs of segments of sightings, and of their counts.
pub(super) fn pair_runs(
    folder: &Path,
    sightings: &[Listed],
    counts: &[Listed],
    zone: &TimeZone,
) -> Result<PairRuns, StoreError> {
    let open = OpenSegments::default();
    let (mut of_sightings, mut of_hours) = (Vec::new(), Vec::new());
    for listed in sightings {
        of_sightings.extend(sighting_runs(&open.get(folder, listed, &SIGHTINGS)?, zone));
    }
    for listed in counts {
        of_hours.extend(hourly_runs(&open.get(folder, listed, &COUNTS)?));
    }
    Ok((of_sightings, of_hours))
}

/// The runs without the rows of days that are gone.
fn without<T: 'static>(
    runs: Vec<Sorted<'static, T>>,
    gone: &Rc<BTreeSet<Date>>,
    day: fn(&T) -> Date,
) -> Vec<Sorted<'static, T>> {
    let one = |run: Sorted<'static, T>| {
        let gone = Rc::clone(gone);
        let stays =
            move |row: &Result<T, StoreError>| row.as_ref().map_or(true, |row| !gone.contains(&day(row)));
        Box::new(run.filter(stays)) as Sorted<'static, T>
    };
    runs.into_iter().map(one).collect()
}

impl LocalStore {
    /// Merges what several captures brought of a day, and then months. Of days and months that go on only if `all`.
    ///
    /// # Errors
    /// When a segment is damaged, or the history cannot be written to. What was merged stays merged.
    pub fn compact(&mut self, all: bool) -> Result<Compacted, StoreError> {
        self.writable()?;
        let mut done = Compacted { bytes_before: self.segment_bytes()?, ..Compacted::default() };
        for (id, sensor) in catalog::sensors(&self.connection)? {
            let clock = catalog::resume(&self.connection, id)?.clock.unwrap_or_default();
            let until = if all { None } else { Some(clock) };
            let (days, months) = self.merge_until(id, &sensor, until, None)?;
            done.days += days;
            done.months += months;
        }
        done.bytes_after = self.segment_bytes()?;
        Ok(done)
    }

    fn segment_bytes(&self) -> Result<u64, StoreError> {
        Ok(catalog::segments(&self.connection, None)?.iter().map(|one| one.facts.bytes).sum())
    }

    /// Merges the days and months of a sensor that are over at a time, but for what its newest capture brought: that can be
    /// removed until the next one is fed.
    pub(super) fn merge_what_is_over(&mut self, name: &str, clock: Timestamp) -> Result<(), StoreError> {
        let (id, sensor) = catalog::sensor(&self.connection, name)?;
        let spare = if self.durable { fed::newest(&self.connection, id)? } else { None };
        self.merge_until(id, &sensor, Some(clock), spare).map(drop)
    }

    /// Merges days and months before that of a clock, or all; returns how many of each.
    fn merge_until(
        &mut self,
        id: i64,
        sensor: &Sensor,
        clock: Option<Timestamp>,
        spare: Option<[u8; 32]>,
    ) -> Result<(u64, u64), StoreError> {
        let zone = zone_of(sensor)?;
        let today = clock.map_or(Date::MAX, |clock| clock.day(&zone));
        // No segment has days of two months, so that a merge leaves the others as they are listed here.
        let segments = catalog::segments(&self.connection, Some(id))?;
        let (mut days, mut months) = (0, 0);
        for month in months_of(&segments) {
            if today > month.last_of_month() {
                let month = (month, month.last_of_month());
                months += u64::from(self.merge((id, sensor), &segments, month, spare)?);
                continue;
            }
            for day in days_in_parts(&segments, month).into_iter().filter(|day| *day < today) {
                days += u64::from(self.merge((id, sensor), &segments, (day, day), spare)?);
            }
        }
        Ok((days, months))
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

    /// Merges those segments of a sensor that are of a day or month; returns whether there was anything to merge. Where some are
    /// of the capture `spare`, nothing is merged.
    fn merge(
        &mut self,
        (id, sensor): (i64, &Sensor),
        segments: &[Listed],
        span: (Date, Date),
        spare: Option<[u8; 32]>,
    ) -> Result<bool, StoreError> {
        let within = |one: &&Listed| !one.open && span.0 <= one.days.0 && one.days.1 <= span.1;
        let inputs: Vec<&Listed> = segments.iter().filter(within).collect();
        if spare.is_some() && inputs.iter().any(|one| one.capture == spare) {
            return Ok(false);
        }
        // What a single capture brought can still be told apart.
        let first = inputs.first().and_then(|one| one.capture);
        let capture = first.filter(|_| inputs.iter().all(|one| one.capture == first));
        let of_kind =
            |kind: &str| inputs.iter().copied().filter(|one| one.kind == kind).cloned().collect::<Vec<_>>();
        let (sightings, counts, examples) =
            (of_kind(SIGHTINGS.name), of_kind(COUNTS.name), of_kind(EXAMPLES.name));
        let in_one = |some: &[Listed]| {
            some.iter().map(|one| one.facts.runs).sum::<u64>() <= 1 && some.iter().all(|one| one.days == span)
        };
        let merge_sightings = !in_one(&sightings) && !sightings.is_empty();
        // Months whose sightings were dropped have counts alone, and are merged already.
        let is_merged = examples.len() <= 1 && examples.iter().all(|one| one.days == span);
        let merge_examples = span.0 != span.1 && !is_merged;
        if !merge_sightings && !merge_examples {
            return Ok(false);
        }
        let incoming = Incoming::new(&self.folder)?;
        let mut new: Vec<(Listed, WrittenSegment)> = Vec::new();
        let mut old: Vec<Listed> = Vec::new();
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
            for (kind, written) in [(SIGHTINGS.name, pair.sightings), (COUNTS.name, pair.counts)] {
                new.push((listed((id, sensor), kind, span, &written, false, capture), written));
            }
            old.extend(sightings.into_iter().chain(counts));
        }
        if merge_examples {
            let mut rows = self.earliest_examples(&examples)?.into_values().map(Ok);
            if let Some((_, written)) = write_examples(incoming.folder(), &mut rows, self.durable)? {
                new.push((listed((id, sensor), EXAMPLES.name, span, &written, false, capture), written));
                old.extend(examples);
            }
        }
        self.replace(id, old, new, totals)
    }

    /// Days of a span whose totals are not known, or are about to change.
    fn uncounted_days(&self, id: i64, (first, last): (Date, Date)) -> Result<BTreeSet<Date>, StoreError> {
        let days = catalog::days(&self.connection, id)?;
        let inside = days.range(first..=last);
        Ok(inside.filter(|(_, total)| total.is_none()).map(|(day, _)| *day).collect())
    }

    /// Merges pairs of segments, without the rows of days that are gone.
    pub(super) fn merged_pair(
        &self,
        incoming: &Incoming,
        sensor: &Sensor,
        (sightings, counts): (&[Listed], &[Listed]),
        counts_hosts: bool,
        gone: &Rc<BTreeSet<Date>>,
    ) -> Result<WrittenPair, StoreError> {
        let zone = zone_of(sensor)?;
        let (mut of_sightings, mut of_hours) = pair_runs(&self.folder, sightings, counts, &zone)?;
        if !gone.is_empty() {
            of_sightings = without(of_sightings, gone, |sighting| sighting.day);
            of_hours = without(of_hours, gone, |hour| hour.day);
        }
        // Many runs are first merged in groups, so that memory does not grow with their number.
        let mut steps = Vec::new();
        while of_sightings.len() > RUNS_AT_ONCE {
            let mut hours = merged(of_hours.drain(..RUNS_AT_ONCE).collect(), HourlyCount::order)?;
            let mut rows = merged(of_sightings.drain(..RUNS_AT_ONCE).collect(), Sighting::order)?;
            let mut writer = PairWriter::new(incoming.folder(), zone.clone(), false)?;
            writer.write_run(&mut rows, &mut hours)?;
            let step = writer.finish(false)?;
            let opened =
                |table, written: &WrittenSegment| Segment::open(&written.path, table, &written.facts);
            let pair = (opened(&SIGHTINGS, &step.sightings)?, opened(&COUNTS, &step.counts)?);
            of_sightings.extend(sighting_runs(&Rc::new(pair.0), &zone));
            of_hours.extend(hourly_runs(&Rc::new(pair.1)));
            steps.push(step);
        }
        let mut writer = PairWriter::new(incoming.folder(), zone, counts_hosts)?;
        let mut hours = merged(of_hours, HourlyCount::order)?;
        writer.write_run(&mut *merged(of_sightings, Sighting::order)?, &mut hours)?;
        writer.finish(self.durable)
    }

    /// The earliest example of each type. Memory: some 200 bytes for each type.
    pub(super) fn earliest_examples(
        &self,
        listed: &[Listed],
    ) -> Result<BTreeMap<u64, ExampleRow>, StoreError> {
        let open = OpenSegments::default();
        let mut earliest = EarliestExamples::default();
        for one in listed {
            earliest.add(&*open.get(&self.folder, one, &EXAMPLES)?, &Wanted::ALL)?;
        }
        Ok(earliest.by_type())
    }

    /// Puts new segments in the place of old ones, in one transaction; `false` where another process merged or removed some
    /// meanwhile.
    fn replace(
        &mut self,
        id: i64,
        old: Vec<Listed>,
        new: Vec<(Listed, WrittenSegment)>,
        totals: BTreeMap<Date, DayTotal>,
    ) -> Result<bool, StoreError> {
        let (folder, durable) = (self.folder.clone(), self.durable);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before = catalog::segments(&transaction, Some(id))?;
        if !old.iter().all(|one| before.contains(one)) {
            return Ok(false);
        }
        let mut merged: BTreeSet<[u8; 32]> = old.iter().filter_map(|one| one.capture).collect();
        merged.retain(|content| !new.iter().any(|(one, _)| one.capture.as_ref() == Some(content)));
        fed::mark_merged(&transaction, id, &merged)?;
        let days = totals.keys().copied().collect();
        let exchange =
            Exchange { folder: &folder, sensor: id, before: &before, old, new, days, totals, durable };
        let gone = exchange.commit(transaction)?;
        self.forget(&gone);
        Ok(true)
    }
}

/// The first days of the months that have segments.
fn months_of(segments: &[Listed]) -> BTreeSet<Date> {
    segments.iter().map(|segment| segment.days.0.first_of_month()).collect()
}

/// Days of a month that lie in several sorted runs of day segments.
fn days_in_parts(segments: &[Listed], month: Date) -> Vec<Date> {
    let mut runs: BTreeMap<Date, u64> = BTreeMap::new();
    for Listed { days, kind, facts, open, .. } in segments {
        if kind == SIGHTINGS.name && !open && days.0 == days.1 && days.0.first_of_month() == month {
            *runs.entry(days.0).or_default() += facts.runs;
        }
    }
    runs.into_iter().filter(|(_, runs)| *runs > 1).map(|(day, _)| day).collect()
}
