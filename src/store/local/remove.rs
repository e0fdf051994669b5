//! Removing captures and days.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jiff::civil::Date;
use rusqlite::Connection;

use crate::behavior::ProbeSignature;
use crate::history::{
    CaptureRecord, EngineState, ReopenedWindows, RollbackPoint, Sensor, recorded_days, state_after_captures,
};
use crate::store::{StoreError, merged_error, zone_of};

use super::capture_rows;
use super::catalog::{self, SegmentEntry};
use super::count_rows::COUNTS;
use super::example_rows::{EXAMPLES, new_examples, write_examples};
use super::incoming::IncomingFolder;
use super::merge::single_capture;
use super::rows::SIGHTINGS;
use super::segment_replacement::{SegmentChange, segment_entry, segment_entry_pair};
use super::segment_writer::WrittenSegment;
use super::write::CaptureWriter;
use super::{LocalStore, query, signature_rows};

/// A change of a sensor's part of the catalog, made in one transaction.
#[derive(Default)]
struct Removal {
    /// Number of captures of the sensor when the change was prepared.
    stored_captures: u64,
    old_segments: Vec<SegmentEntry>,
    new_segments: Vec<(SegmentEntry, WrittenSegment)>,
    /// Segments of open windows that stay in place, and whose windows count as closed from now on.
    closed_segments: Vec<SegmentEntry>,
    /// Days that become unrecorded.
    removed_days: BTreeSet<Date>,
    /// Content hashes of the captures whose records are deleted.
    removed_captures: Vec<[u8; 32]>,
    /// The new records of captures that were cut.
    cut_captures: Vec<CaptureRecord>,
    engine_state: EngineState,
    /// The probe signatures of windows that are open again.
    signatures: Vec<(u64, ProbeSignature)>,
    rollback_point: Option<RollbackPoint>,
}

impl LocalStore {
    /// Removes a capture; see the trait.
    pub(super) fn delete_capture(
        &mut self,
        name: &str,
        content: &[u8; 32],
        reopened: Option<ReopenedWindows>,
    ) -> Result<(), StoreError> {
        self.check_writable()?;
        let (id, sensor) = catalog::sensor(&self.connection, name)?;
        let zone = zone_of(&sensor)?;
        let mut left = capture_rows::captures(&self.connection, id)?;
        let at = left.iter().position(|one| one.content == *content);
        let record =
            at.map(|at| left.remove(at)).ok_or_else(|| StoreError::UnknownCapture(name.to_owned()))?;
        if capture_rows::is_merged(&self.connection, id, content)? == Some(true) {
            return Err(merged_error(name, &record, &zone));
        }
        let before = capture_rows::rollback_point(&self.connection, id)?;
        if reopened.is_some() && before.as_ref().is_none_or(|before| before.content != *content) {
            return Err(StoreError::ConcurrentChange);
        }
        let still = recorded_days(&left, &zone);
        let mut change = Removal {
            stored_captures: capture_rows::stored_captures(&self.connection, id)?,
            removed_days: recorded_days([&record], &zone).difference(&still).copied().collect(),
            removed_captures: vec![*content],
            engine_state: capture_rows::engine_state(&self.connection, id)?,
            rollback_point: before.filter(|before| before.content != *content),
            ..Removal::default()
        };
        let replaces_open = reopened.is_some() || left.is_empty();
        let is_old =
            |one: &SegmentEntry| if one.open { replaces_open } else { one.capture == Some(*content) };
        let segments = catalog::segments(&self.connection, Some(id))?;
        change.old_segments = segments.into_iter().filter(is_old).collect();
        if left.is_empty() {
            change.engine_state = EngineState::default();
        }
        // The folder of the written files is kept until the files are moved to their places.
        let _pending = match reopened {
            Some(reopened) => {
                let pending = self.add_reopened((id, &sensor), &reopened, &mut change)?;
                change.engine_state = reopened.engine_state;
                Some(pending)
            }
            None => None,
        };
        let incoming = IncomingFolder::new(&self.folder)?;
        self.add_day_removal((id, &sensor), &incoming, &mut change)?;
        self.apply_removal(id, change)
    }

    /// Makes days unrecorded; see the trait.
    pub(super) fn delete_days(&mut self, name: &str, days: (Date, Date)) -> Result<(), StoreError> {
        self.check_writable()?;
        let (id, sensor) = catalog::sensor(&self.connection, name)?;
        let zone = zone_of(&sensor)?;
        let recorded = catalog::days(&self.connection, id)?;
        let gone: BTreeSet<Date> =
            recorded.keys().filter(|day| days.0 <= **day && **day <= days.1).copied().collect();
        if let Some(from) = catalog::kept_from(&self.connection, id)?
            && gone.first().is_some_and(|day| *day < from)
        {
            return Err(StoreError::SightingsDropped { from });
        }
        let captures = capture_rows::captures(&self.connection, id)?;
        let mut change = Removal {
            stored_captures: capture_rows::stored_captures(&self.connection, id)?,
            removed_days: gone,
            ..Removal::default()
        };
        let mut left = Vec::new();
        for capture in captures {
            let cut = capture.without_days(days, &zone);
            if cut.as_ref() != Some(&capture) {
                change.removed_captures.push(capture.content);
                change.cut_captures.extend(cut.clone());
            }
            left.extend(cut);
        }
        change.engine_state = capture_rows::engine_state(&self.connection, id)?;
        let is_in = |day: Date| days.0 <= day && day <= days.1;
        if change.engine_state.clock.is_some_and(|clock| is_in(clock.day(&zone))) {
            // Open windows that began on other days keep their counts and are closed: their packets on the
            // removed days cannot be separated.
            let segments = catalog::segments(&self.connection, Some(id))?;
            change.closed_segments =
                segments.into_iter().filter(|one| one.open && !is_in(one.days.0)).collect();
            change.engine_state = state_after_captures(&left);
        }
        let incoming = IncomingFolder::new(&self.folder)?;
        self.add_day_removal((id, &sensor), &incoming, &mut change)?;
        self.apply_removal(id, change)
    }

    /// Writes the segments of windows that are open again, and adds them to a change. Returns the value that
    /// keeps their folder.
    fn add_reopened(
        &mut self,
        (id, sensor): (i64, &Sensor),
        reopened: &ReopenedWindows,
        change: &mut Removal,
    ) -> Result<CaptureWriter, StoreError> {
        change.signatures.clone_from(&reopened.signatures);
        let mut pending = self.capture_writer(sensor, &reopened.mark_names)?;
        for batch in &reopened.open.batches {
            pending.add(batch.clone())?;
        }
        for (day, pair) in pending.finish()? {
            change.new_segments.extend(segment_entry_pair((id, sensor), (day, day), pair, true, None));
        }
        let is_old = |path: &str| change.old_segments.iter().any(|one| one.path == path);
        let known = query::example_starts(&self.folder, &self.connection, id, &is_old)?;
        let mut rows = new_examples(&reopened.open.examples, &reopened.type_numbers, &known);
        if let Some((first, file)) = write_examples(pending.folder(), &mut rows, self.durable)? {
            let day = first.day(&zone_of(sensor)?);
            change
                .new_segments
                .push((segment_entry((id, sensor), EXAMPLES.name, (day, day), &file, true, None), file));
        }
        Ok(pending)
    }

    /// Adds to a change the segments with rows of the removed days, and their replacements without these
    /// rows.
    fn add_day_removal(
        &self,
        (id, sensor): (i64, &Sensor),
        incoming: &IncomingFolder,
        change: &mut Removal,
    ) -> Result<(), StoreError> {
        let (Some(first), Some(last)) =
            (change.removed_days.first().copied(), change.removed_days.last().copied())
        else {
            return Ok(());
        };
        let zone = zone_of(sensor)?;
        let is_gone = |day: Date| change.removed_days.contains(&day);
        change.engine_state = std::mem::take(&mut change.engine_state).without_days(&is_gone, &zone);
        if let Some(before) = &mut change.rollback_point {
            before.engine_state = std::mem::take(&mut before.engine_state).without_days(&is_gone, &zone);
        }
        let gone = Rc::new(change.removed_days.clone());
        let segments = catalog::segments(&self.connection, Some(id))?;
        let known = change.old_segments.clone();
        let is_old = |one: &SegmentEntry| known.contains(one);
        let mut parts: BTreeMap<(Date, Date), Vec<SegmentEntry>> = BTreeMap::new();
        let mut old = Vec::new();
        for one in segments.into_iter().filter(|one| !is_old(one)) {
            if one.kind == EXAMPLES.name {
                // The day of a segment of examples is that of its first example; later examples may follow.
                if one.days.0 <= last {
                    self.remove_examples(&one, (id, sensor), incoming, &gone, change)?;
                }
            } else if one.days.0 == one.days.1 {
                old.extend(gone.contains(&one.days.0).then_some(one));
            } else if one.days.0 <= last && first <= one.days.1 {
                parts.entry(one.days).or_default().push(one);
            }
        }
        for (days, segments) in parts {
            let of_kind =
                |kind: &str| segments.iter().filter(|one| one.kind == kind).cloned().collect::<Vec<_>>();
            let (sightings, counts) = (of_kind(SIGHTINGS.name), of_kind(COUNTS.name));
            if sightings.is_empty() {
                continue;
            }
            let pair = self.merged_pair(incoming, sensor, (&sightings, &counts), false, &gone)?;
            // If all segments belong to one capture, the result does so as well.
            let capture = single_capture(&segments);
            if pair.sightings.facts.rows > 0 {
                change.new_segments.extend(segment_entry_pair((id, sensor), days, pair, false, capture));
            }
            old.extend(segments);
        }
        change.old_segments.extend(old);
        Ok(())
    }

    /// Replaces a segment of examples if some of them begin on removed days.
    fn remove_examples(
        &self,
        one: &SegmentEntry,
        (id, sensor): (i64, &Sensor),
        incoming: &IncomingFolder,
        gone: &BTreeSet<Date>,
        change: &mut Removal,
    ) -> Result<(), StoreError> {
        let zone = zone_of(sensor)?;
        let mut rows = self.earliest_examples(std::slice::from_ref(one))?;
        let before = rows.len();
        rows.retain(|_, row| !gone.contains(&row.start.day(&zone)));
        if rows.len() == before {
            return Ok(());
        }
        change.old_segments.push(one.clone());
        let mut rows = rows.into_values().map(Ok);
        if let Some((first, file)) = write_examples(incoming.folder(), &mut rows, self.durable)? {
            let day = first.day(&zone);
            let days = if one.days.0 == one.days.1 { (day, day) } else { one.days };
            let again = segment_entry((id, sensor), EXAMPLES.name, days, &file, one.open, one.capture);
            change.new_segments.push((again, file));
        }
        Ok(())
    }

    /// Makes a change, completely or not at all.
    fn apply_removal(&mut self, id: i64, change: Removal) -> Result<(), StoreError> {
        self.replace_segments(id, |transaction, before| {
            let is_same =
                change.old_segments.iter().chain(&change.closed_segments).all(|one| before.contains(one));
            if !is_same || capture_rows::stored_captures(transaction, id)? != change.stored_captures {
                return Err(StoreError::ConcurrentChange);
            }
            change.write_catalog(transaction, id)?;
            let recorded = catalog::days(transaction, id)?;
            let days = recorded.into_keys().filter(|day| change.changes_total(*day)).collect();
            let Removal { old_segments: old, new_segments: new, .. } = change;
            Ok(Some(SegmentChange { old, new, days, totals: BTreeMap::new() }))
        })
        .map(drop)
    }
}

impl Removal {
    /// Writes the parts of the change that do not concern removed and new segments to the catalog.
    fn write_catalog(&self, connection: &Connection, id: i64) -> Result<(), StoreError> {
        for one in self.closed_segments.iter().filter(|one| !self.old_segments.contains(one)) {
            catalog::put_segment(connection, &SegmentEntry { open: false, ..one.clone() })?;
        }
        self.removed_captures
            .iter()
            .try_for_each(|content| capture_rows::delete_capture(connection, id, content))?;
        self.cut_captures
            .iter()
            .try_for_each(|record| capture_rows::put_capture(connection, id, record, true))?;
        signature_rows::put_signatures(connection, &self.signatures)?;
        catalog::put_engine_state(connection, id, &self.engine_state)?;
        capture_rows::delete_rollback_point(connection, id)?;
        if let Some(before) = &self.rollback_point {
            capture_rows::put_rollback_point(connection, id, before)?;
        }
        self.removed_days.iter().try_for_each(|day| catalog::delete_day(connection, id, *day))
    }

    /// Returns whether the totals of a day that stays recorded may change. They do not if the day's segments
    /// only lost rows of other days.
    fn changes_total(&self, day: Date) -> bool {
        let is_rewritten = |old: &SegmentEntry| {
            old.days.0 != old.days.1
                && self.new_segments.iter().any(|(new, _)| new.kind == old.kind && new.days == old.days)
        };
        self.old_segments.iter().any(|one| one.holds(day) && !is_rewritten(one))
            || self.new_segments.iter().any(|(one, _)| one.days == (day, day))
    }
}
