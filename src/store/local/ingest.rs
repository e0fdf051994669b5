//! Storing a capture: its segments enter the history in one transaction of the catalog.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use rusqlite::{Connection, TransactionBehavior};

use crate::behavior::Profile;
use crate::history::{BatchWriter, Contribution, DayTotal, RollbackPoint, Sensor};
use crate::store::{StoreError, zone_of};

use super::LocalStore;
use super::capture_rows;
use super::catalog::{self, SegmentEntry};
use super::count_rows::COUNTS;
use super::example_rows::{EXAMPLES, new_examples, write_examples};
use super::incoming::IncomingFolder;
use super::query;
use super::rows::SIGHTINGS;
use super::segment_replacement::{SegmentChange, segment_entry};
use super::segment_writer::WrittenSegment;
use super::signature_rows;
use super::type_rows;
use super::write::{CaptureWriter, WrittenPair};

/// The new segments of a capture.
struct NewSegments<'s> {
    sensor: (i64, &'s Sensor),
    capture: [u8; 32],
    segments: Vec<(SegmentEntry, WrittenSegment)>,
    /// The totals of the days of these segments.
    totals: BTreeMap<Date, DayTotal>,
}

impl LocalStore {
    /// Stores the contribution of a capture, completely or not at all. Returns `false` if the sensor has the
    /// capture already.
    pub(super) fn store_capture(
        &mut self,
        name: &str,
        mut contribution: Contribution,
    ) -> Result<bool, StoreError> {
        let (id, sensor) = catalog::sensor(&self.connection, name)?;
        let content = contribution.capture.content;
        let mut pending = self.resume_capture_writer(
            name,
            &sensor,
            contribution.closed.writer.take(),
            &contribution.mark_names,
        )?;
        let mut new = NewSegments {
            sensor: (id, &sensor),
            capture: content,
            segments: Vec::new(),
            totals: BTreeMap::new(),
        };
        for (gathered, is_open) in [(&mut contribution.closed, false), (&mut contribution.open, true)] {
            for batch in std::mem::take(&mut gathered.batches) {
                pending.add(batch)?;
            }
            for (day, pair) in pending.finish()? {
                new.add_pair(day, pair, is_open);
            }
        }
        let (folder, durable, profile) = (self.folder.clone(), self.durable, self.profile.clone());
        let is_new = self.replace_segments(id, |transaction, before| {
            if capture_rows::has_capture(transaction, id, &content)? {
                return Ok(None);
            }
            if capture_rows::stored_captures(transaction, id)? != contribution.captures_before {
                return Err(StoreError::ConcurrentChange);
            }
            let replaced: Vec<SegmentEntry> = before.iter().filter(|segment| segment.open).cloned().collect();
            let new_days = new.segments.iter().map(|(listed, _)| listed);
            let mut changed: BTreeSet<Date> = replaced.iter().chain(new_days).map(|one| one.days.0).collect();
            check_not_dropped(transaction, id, &changed)?;
            put_types(transaction, &contribution, &profile)?;
            signature_rows::put_signatures(transaction, &contribution.signatures)?;
            let known = query::example_starts(&folder, transaction, id, &|_| false)?;
            for (gathered, is_open) in [(&contribution.closed, false), (&contribution.open, true)] {
                let mut examples = new_examples(&gathered.examples, &contribution.type_numbers, &known);
                if let Some((first, written)) = write_examples(pending.folder(), &mut examples, durable)? {
                    new.add(EXAMPLES.name, first.day(&zone_of(&sensor)?), written, is_open);
                }
            }
            // Totals are computed for days whose segments changed, and for new days.
            let known_days = catalog::days(transaction, id)?;
            changed.extend(contribution.days.iter().filter(|day| !known_days.contains_key(day)));
            capture_rows::put_capture(transaction, id, &contribution.capture, false)?;
            if durable {
                // Temporary histories never remove a capture.
                let resume = capture_rows::engine_state(transaction, id)?;
                capture_rows::put_rollback_point(
                    transaction,
                    id,
                    &RollbackPoint { content, engine_state: resume },
                )?;
            }
            catalog::put_engine_state(transaction, id, &contribution.engine_state)?;
            let NewSegments { segments, totals, .. } = new;
            Ok(Some(SegmentChange { old: replaced, new: segments, days: changed, totals }))
        })?;
        drop(pending);
        if let Some(clock) = contribution.engine_state.clock.filter(|_| is_new) {
            self.merge_past_periods(name, clock)?;
        }
        Ok(is_new)
    }

    /// Creates a writer for the segments of a capture.
    pub(super) fn capture_writer(
        &mut self,
        sensor: &Sensor,
        mark_names: &[String],
    ) -> Result<CaptureWriter, StoreError> {
        self.check_writable()?;
        let zone = zone_of(sensor)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let marks = catalog::number_marks(&transaction, mark_names)?;
        transaction.commit()?;
        Ok(CaptureWriter::new(IncomingFolder::new(&self.folder)?, zone, marks, self.durable))
    }

    /// Returns the writer that received the batches of a capture while it was read, or a new one if there was
    /// none.
    fn resume_capture_writer(
        &mut self,
        name: &str,
        sensor: &Sensor,
        writer: Option<Box<dyn BatchWriter>>,
        mark_names: &[String],
    ) -> Result<Box<CaptureWriter>, StoreError> {
        match writer {
            None => Ok(Box::new(self.capture_writer(sensor, mark_names)?)),
            Some(writer) => (writer as Box<dyn Any>).downcast::<CaptureWriter>().map_err(|_| {
                StoreError::Backend(format!("the batches of sensor {name} were written for another store"))
            }),
        }
    }
}

impl NewSegments<'_> {
    fn add_pair(&mut self, day: Date, pair: WrittenPair, open: bool) {
        self.totals.extend(pair.totals.into_iter().map(|total| (total.count.day, total)));
        self.add(SIGHTINGS.name, day, pair.sightings, open);
        self.add(COUNTS.name, day, pair.counts, open);
    }

    fn add(&mut self, kind: &str, day: Date, written: WrittenSegment, open: bool) {
        let mut listed = segment_entry(self.sensor, kind, (day, day), &written, open, Some(self.capture));
        // A capture can have two segments of a day with the same counts if the day was closed and opened
        // again.
        let mut number = 2;
        while self.segments.iter().any(|(other, _)| other.path == listed.path) {
            listed.path = listed.path.replace(".parquet", &format!("-{number}.parquet"));
            number += 1;
        }
        self.segments.push((listed, written));
    }
}

/// Fails if sightings of one of the days were dropped: the day's counts could not be computed again.
fn check_not_dropped(connection: &Connection, sensor: i64, days: &BTreeSet<Date>) -> Result<(), StoreError> {
    match catalog::kept_from(connection, sensor)? {
        Some(from) if days.first().is_some_and(|day| *day < from) => {
            Err(StoreError::SightingsDropped { from })
        }
        _ => Ok(()),
    }
}

fn put_types(
    connection: &Connection,
    contribution: &Contribution,
    profile: &Profile,
) -> Result<(), StoreError> {
    // In the order of the table's keys, so that the table is written sequentially.
    let mut order: Vec<(u64, usize)> = contribution.type_numbers.iter().copied().zip(0..).collect();
    order.sort_unstable();
    let mut types =
        order.into_iter().filter_map(|(number, place)| Some((number, contribution.types.get(place)?)));
    type_rows::put_types(connection, &mut types, profile)
}
