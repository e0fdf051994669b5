//! Removing captures and days.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jiff::civil::Date;
use rusqlite::{Connection, TransactionBehavior};

use crate::history::{BeforeNewest, CaptureRecord, Reopened, Resume, Sensor, closed_before, recorded_days};
use crate::store::{StoreError, merged, zone_of};

use super::catalog::{self, Listed};
use super::count_rows::COUNTS;
use super::example_rows::EXAMPLES;
use super::fed;
use super::incoming::Incoming;
use super::ingest::{Exchange, listed, listed_pair, new_examples, write_examples};
use super::merge::single_capture;
use super::rows::SIGHTINGS;
use super::segment_writer::WrittenSegment;
use super::write::Pending;
use super::{LocalStore, query};

/// A change of a sensor's part of the catalog, made in one transaction.
#[derive(Default)]
struct Change {
    /// Number of captures of the sensor when the change was prepared.
    captures: u64,
    old: Vec<Listed>,
    new: Vec<(Listed, WrittenSegment)>,
    /// Segments of open windows that stay in place, and whose windows count as closed from now on.
    listed_again: Vec<Listed>,
    /// Days that become unrecorded.
    gone: BTreeSet<Date>,
    /// Content hashes of the captures whose records are deleted.
    removed: Vec<[u8; 32]>,
    /// The new records of captures that were cut.
    cut: Vec<CaptureRecord>,
    resume: Resume,
    before_newest: Option<BeforeNewest>,
}

impl LocalStore {
    /// Removes a capture; see the trait.
    pub(super) fn take_back(
        &mut self,
        name: &str,
        content: &[u8; 32],
        reopened: Option<Reopened>,
    ) -> Result<(), StoreError> {
        self.writable()?;
        let (id, sensor) = catalog::sensor(&self.connection, name)?;
        let zone = zone_of(&sensor)?;
        let mut left = fed::captures(&self.connection, id)?;
        let at = left.iter().position(|one| one.content == *content);
        let record =
            at.map(|at| left.remove(at)).ok_or_else(|| StoreError::UnknownCapture(name.to_owned()))?;
        if fed::is_merged(&self.connection, id, content)? == Some(true) {
            return Err(merged(name, &record, &zone));
        }
        let before = fed::before_newest(&self.connection, id)?;
        if reopened.is_some() && before.as_ref().is_none_or(|before| before.content != *content) {
            return Err(StoreError::FedMeanwhile);
        }
        let still = recorded_days(&left, &zone);
        let mut change = Change {
            captures: left.len() as u64 + 1,
            gone: recorded_days([&record], &zone).difference(&still).copied().collect(),
            removed: vec![*content],
            resume: catalog::resume(&self.connection, id)?,
            before_newest: before.filter(|before| before.content != *content),
            ..Change::default()
        };
        let replaces_open = reopened.is_some() || left.is_empty();
        let is_old = |one: &Listed| if one.open { replaces_open } else { one.capture == Some(*content) };
        let segments = catalog::segments(&self.connection, Some(id))?;
        change.old = segments.into_iter().filter(is_old).collect();
        if left.is_empty() {
            change.resume = Resume::default();
        }
        // The folder of the written files is kept until the files are moved to their places.
        let _pending = match reopened {
            Some(reopened) => {
                let pending = self.add_reopened((id, &sensor), &reopened, &mut change)?;
                change.resume = reopened.resume;
                Some(pending)
            }
            None => None,
        };
        let incoming = Incoming::new(&self.folder)?;
        self.without_days((id, &sensor), &incoming, &mut change)?;
        self.change(id, change)
    }

    /// Makes days unrecorded; see the trait.
    pub(super) fn forget_days(&mut self, name: &str, days: (Date, Date)) -> Result<(), StoreError> {
        self.writable()?;
        let (id, sensor) = catalog::sensor(&self.connection, name)?;
        let zone = zone_of(&sensor)?;
        let recorded = catalog::days(&self.connection, id)?;
        let gone: BTreeSet<Date> =
            recorded.keys().filter(|day| days.0 <= **day && **day <= days.1).copied().collect();
        if let Some(from) = catalog::kept_from(&self.connection, id)?
            && gone.first().is_some_and(|day| *day < from)
        {
            return Err(StoreError::Dropped { from });
        }
        let captures = fed::captures(&self.connection, id)?;
        let mut change = Change { captures: captures.len() as u64, gone, ..Change::default() };
        let mut left = Vec::new();
        for capture in captures {
            let cut = capture.without_days(days, &zone);
            if cut.as_ref() != Some(&capture) {
                change.removed.push(capture.content);
                change.cut.extend(cut.clone());
            }
            left.extend(cut);
        }
        change.resume = catalog::resume(&self.connection, id)?;
        let is_in = |day: Date| days.0 <= day && day <= days.1;
        if change.resume.clock.is_some_and(|clock| is_in(clock.day(&zone))) {
            // Open windows that began on other days keep their counts and are closed: their packets on the
            // removed days cannot be separated.
            let segments = catalog::segments(&self.connection, Some(id))?;
            change.listed_again = segments.into_iter().filter(|one| one.open && !is_in(one.days.0)).collect();
            change.resume = closed_before(&left);
        }
        let incoming = Incoming::new(&self.folder)?;
        self.without_days((id, &sensor), &incoming, &mut change)?;
        self.change(id, change)
    }

    /// Writes the segments of windows that are open again, and adds them to a change. Returns the value that
    /// keeps their folder.
    fn add_reopened(
        &mut self,
        (id, sensor): (i64, &Sensor),
        reopened: &Reopened,
        change: &mut Change,
    ) -> Result<Pending, StoreError> {
        let mut pending = self.pending(sensor, &reopened.mark_names)?;
        for batch in &reopened.open.batches {
            pending.add(batch.clone())?;
        }
        for (day, pair) in pending.finish()? {
            change.new.extend(listed_pair((id, sensor), (day, day), pair, true, None));
        }
        let is_old = |path: &str| change.old.iter().any(|one| one.path == path);
        let known = query::example_starts(&self.folder, &self.connection, id, &is_old)?;
        let mut rows = new_examples(&reopened.open.examples, &reopened.type_numbers, &known);
        if let Some((first, file)) = write_examples(pending.folder(), &mut rows, self.durable)? {
            let day = first.day(&zone_of(sensor)?);
            change.new.push((listed((id, sensor), EXAMPLES.name, (day, day), &file, true, None), file));
        }
        Ok(pending)
    }

    /// Adds to a change the segments with rows of the removed days, and their replacements without these
    /// rows.
    fn without_days(
        &self,
        (id, sensor): (i64, &Sensor),
        incoming: &Incoming,
        change: &mut Change,
    ) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (change.gone.first().copied(), change.gone.last().copied()) else {
            return Ok(());
        };
        let zone = zone_of(sensor)?;
        let is_gone = |day: Date| change.gone.contains(&day);
        change.resume = std::mem::take(&mut change.resume).without_days(&is_gone, &zone);
        if let Some(before) = &mut change.before_newest {
            before.resume = std::mem::take(&mut before.resume).without_days(&is_gone, &zone);
        }
        let gone = Rc::new(change.gone.clone());
        let segments = catalog::segments(&self.connection, Some(id))?;
        let known = change.old.clone();
        let is_old = |one: &Listed| known.contains(one);
        let mut parts: BTreeMap<(Date, Date), Vec<Listed>> = BTreeMap::new();
        let mut old = Vec::new();
        for one in segments.into_iter().filter(|one| !is_old(one)) {
            if one.kind == EXAMPLES.name {
                // The day of a segment of examples is that of its first example; later examples may follow.
                if one.days.0 <= last {
                    self.examples_without(&one, (id, sensor), incoming, &gone, change)?;
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
                change.new.extend(listed_pair((id, sensor), days, pair, false, capture));
            }
            old.extend(segments);
        }
        change.old.extend(old);
        Ok(())
    }

    /// Replaces a segment of examples if some of them begin on removed days.
    fn examples_without(
        &self,
        one: &Listed,
        (id, sensor): (i64, &Sensor),
        incoming: &Incoming,
        gone: &BTreeSet<Date>,
        change: &mut Change,
    ) -> Result<(), StoreError> {
        let zone = zone_of(sensor)?;
        let mut rows = self.earliest_examples(std::slice::from_ref(one))?;
        let before = rows.len();
        rows.retain(|_, row| !gone.contains(&row.start.day(&zone)));
        if rows.len() == before {
            return Ok(());
        }
        change.old.push(one.clone());
        let mut rows = rows.into_values().map(Ok);
        if let Some((first, file)) = write_examples(incoming.folder(), &mut rows, self.durable)? {
            let day = first.day(&zone);
            let days = if one.days.0 == one.days.1 { (day, day) } else { one.days };
            let again = listed((id, sensor), EXAMPLES.name, days, &file, one.open, one.capture);
            change.new.push((again, file));
        }
        Ok(())
    }

    /// Makes a change, completely or not at all.
    fn change(&mut self, id: i64, change: Change) -> Result<(), StoreError> {
        let (folder, durable) = (self.folder.clone(), self.durable);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before = catalog::segments(&transaction, Some(id))?;
        let is_same = change.old.iter().chain(&change.listed_again).all(|one| before.contains(one));
        if !is_same || fed::capture_count(&transaction, id)? != change.captures {
            return Err(StoreError::FedMeanwhile);
        }
        change.enter(&transaction, id)?;
        let recorded = catalog::days(&transaction, id)?;
        let days = recorded.into_keys().filter(|day| change.recounts(*day)).collect();
        let Change { old, new, .. } = change;
        let totals = BTreeMap::new();
        let exchange =
            Exchange { folder: &folder, sensor: id, before: &before, old, new, days, totals, durable };
        let gone = exchange.commit(transaction)?;
        self.forget(&gone);
        Ok(())
    }
}

impl Change {
    /// Writes the parts of the change that do not concern removed and new segments to the catalog.
    fn enter(&self, connection: &Connection, id: i64) -> Result<(), StoreError> {
        for one in self.listed_again.iter().filter(|one| !self.old.contains(one)) {
            catalog::put_segment(connection, &Listed { open: false, ..one.clone() })?;
        }
        self.removed.iter().try_for_each(|content| fed::delete_capture(connection, id, content))?;
        self.cut.iter().try_for_each(|record| fed::put_capture(connection, id, record, true))?;
        catalog::put_resume(connection, id, &self.resume)?;
        fed::delete_before_newest(connection, id)?;
        if let Some(before) = &self.before_newest {
            fed::put_before_newest(connection, id, before)?;
        }
        self.gone.iter().try_for_each(|day| catalog::delete_day(connection, id, *day))
    }

    /// Returns whether the totals of a day that stays recorded may change. They do not if the day's segments
    /// only lost rows of other days.
    fn recounts(&self, day: Date) -> bool {
        let is_rewritten = |old: &Listed| {
            old.days.0 != old.days.1
                && self.new.iter().any(|(new, _)| new.kind == old.kind && new.days == old.days)
        };
        self.old.iter().any(|one| one.holds(day) && !is_rewritten(one))
            || self.new.iter().any(|(one, _)| one.days == (day, day))
    }
}
