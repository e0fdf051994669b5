//! The contents of a history in numbers, and dropping the sightings of old months.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use rusqlite::{Connection, TransactionBehavior};

use crate::history::{ContentSize, RetentionSummary};
use crate::store::StoreError;

use super::LocalStore;
use super::catalog::{self, SegmentEntry};
use super::rows::SIGHTINGS;
use super::schema::CATALOG;

impl LocalStore {
    /// Returns the sizes of the history's contents.
    ///
    /// # Errors
    /// Fails if the catalog cannot be read.
    pub fn content_sizes(&self) -> Result<Vec<ContentSize>, StoreError> {
        let tables = [
            ("sensors", "sensor"),
            ("captures", "capture"),
            ("recorded days", "day"),
            ("outages", "outage"),
            ("types", "type"),
            ("probe signatures", "signature"),
            ("samples", "sample"),
        ];
        let mut all = Vec::new();
        for (what, table) in tables {
            let count = format!("SELECT count(*) FROM {table}");
            let rows: i64 = self.connection.query_row(&count, [], |row| row.get(0))?;
            all.push(ContentSize {
                name: what.to_owned(),
                rows: rows.cast_unsigned(),
                files: None,
                bytes: None,
            });
        }
        let catalog = std::fs::metadata(self.folder.join(CATALOG))?.len();
        all.push(ContentSize { name: CATALOG.to_owned(), rows: 0, files: Some(1), bytes: Some(catalog) });
        let mut by_kind: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
        for segment in catalog::segments(&self.connection, None)? {
            let sum = by_kind.entry(segment.kind).or_default();
            *sum = (sum.0 + segment.facts.rows, sum.1 + 1, sum.2 + segment.facts.bytes);
        }
        all.extend(by_kind.into_iter().map(|(what, (rows, files, bytes))| ContentSize {
            name: what,
            rows,
            files: Some(files),
            bytes: Some(bytes),
        }));
        Ok(all)
    }

    /// Returns what [`LocalStore::retain`] would drop, and changes nothing.
    ///
    /// # Errors
    /// Fails if the day lies after the last recorded day of every sensor, or if the catalog cannot be read.
    pub fn retain_plan(&self, from: Date) -> Result<RetentionSummary, StoreError> {
        let mut plan = RetentionSummary::default();
        let mut last_day = None;
        for (id, sensor) in catalog::sensors(&self.connection)? {
            last_day = last_day.max(catalog::days(&self.connection, id)?.into_keys().next_back());
            add_dropped(&mut plan, &sensor.name, from, &sightings_before(&self.connection, id, from)?);
        }
        match last_day {
            Some(last) if from > last => Err(StoreError::RetainsNothing(last)),
            _ => Ok(plan),
        }
    }

    /// Drops the sightings of months that end before a day. Counts, totals and examples stay.
    ///
    /// # Errors
    /// Fails as [`LocalStore::retain_plan`] does, if a segment is damaged, if the history cannot be written
    /// to, and if another process feeds these months meanwhile. Sightings of other sensors that were dropped
    /// before the failure stay dropped.
    pub fn retain(&mut self, from: Date) -> Result<RetentionSummary, StoreError> {
        self.check_writable()?;
        self.retain_plan(from)?;
        let mut dropped = RetentionSummary::default();
        for (id, sensor) in catalog::sensors(&self.connection)? {
            // The stored counts of a month are exact only after merging.
            self.merge_months_before(id, &sensor, from.first_of_month())?;
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let old = sightings_before(&transaction, id, from)?;
            if old.is_empty() {
                continue;
            }
            // Days that were fed after their month was merged have counts of their own, which are not exact.
            let months: BTreeSet<Date> = old.iter().map(|one| one.days.0.first_of_month()).collect();
            if months.len() < old.len() {
                return Err(StoreError::ConcurrentChange);
            }
            old.iter().try_for_each(|one| catalog::unlist_segment(&transaction, one))?;
            catalog::put_kept_from(&transaction, id, from.first_of_month())?;
            transaction.commit()?;
            add_dropped(&mut dropped, &sensor.name, from, &old);
            self.delete_files(&old.into_iter().map(|one| one.path).collect::<Vec<_>>());
        }
        Ok(dropped)
    }
}

/// Returns the segments of sightings of months that end before the month of a day.
fn sightings_before(connection: &Connection, id: i64, day: Date) -> Result<Vec<SegmentEntry>, StoreError> {
    let mut segments = catalog::segments(connection, Some(id))?;
    segments.retain(|one| one.kind == SIGHTINGS.name && one.days.1 < day.first_of_month() && !one.open);
    Ok(segments)
}

/// Adds the segments of a sensor that are dropped to the summary.
fn add_dropped(summary: &mut RetentionSummary, sensor: &str, from: Date, old: &[SegmentEntry]) {
    if old.is_empty() {
        return;
    }
    let months: BTreeSet<Date> = old.iter().map(|one| one.days.0.first_of_month()).collect();
    summary.months += months.len() as u64;
    summary.sightings += old.iter().map(|one| one.facts.rows).sum::<u64>();
    summary.bytes += old.iter().map(|one| one.facts.bytes).sum::<u64>();
    summary.kept_from.insert(sensor.to_owned(), from.first_of_month());
}
