//! What a history holds, and dropping the sightings of old months.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::TransactionBehavior;

use crate::store::StoreError;

use super::LocalStore;
use super::catalog;
use super::rows::SIGHTINGS;
use super::schema::{CATALOG, put};

/// A kind of thing that a history holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// What it is.
    pub what: String,
    /// How many rows there are of it.
    pub rows: u64,
    /// Files that have them; they are in the catalog where this is `None`.
    pub files: Option<u64>,
    /// Bytes of these files.
    pub bytes: Option<u64>,
}

/// Sightings that are dropped, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// By sensor: the first day of which sightings are kept.
    pub from: BTreeMap<String, Date>,
    /// Months, counted once for each sensor.
    pub months: u64,
    /// Rows of sightings.
    pub sightings: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

impl LocalStore {
    /// Returns what the history holds.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn holdings(&self) -> Result<Vec<Holding>, StoreError> {
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
            all.push(Holding { what: what.to_owned(), rows: rows.cast_unsigned(), files: None, bytes: None });
        }
        let catalog = std::fs::metadata(self.folder.join(CATALOG))?.len();
        all.push(Holding { what: CATALOG.to_owned(), rows: 0, files: Some(1), bytes: Some(catalog) });
        let mut kinds: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
        for segment in catalog::segments(&self.connection, None)? {
            let sum = kinds.entry(segment.kind).or_default();
            *sum = (sum.0 + segment.facts.rows, sum.1 + 1, sum.2 + segment.facts.bytes);
        }
        all.extend(kinds.into_iter().map(|(what, (rows, files, bytes))| Holding {
            what,
            rows,
            files: Some(files),
            bytes: Some(bytes),
        }));
        Ok(all)
    }

    /// Drops the sightings of months that end before a day; counts, totals and examples stay. Without `really` nothing is
    /// changed, and what would be dropped is returned.
    ///
    /// # Errors
    /// When the day lies behind the last recorded day of every sensor, when a segment is damaged, or the history cannot be
    /// written to.
    pub fn retain(&mut self, from: Date, really: bool) -> Result<Retained, StoreError> {
        self.writable()?;
        let mut plan = Retained::default();
        let mut last_day = None;
        for (id, sensor) in catalog::sensors(&self.connection)? {
            last_day = last_day.max(catalog::days(&self.connection, id)?.into_keys().next_back());
            let keeps = from.first_of_month();
            if really {
                // Counts are exact once a month is merged.
                self.merge_months_before(id, &sensor, keeps)?;
            }
            let segments = catalog::segments(&self.connection, Some(id))?;
            let old: Vec<_> = segments
                .into_iter()
                .filter(|one| one.kind == SIGHTINGS.name && one.days.1 < keeps && !one.open)
                .collect();
            if old.is_empty() {
                continue;
            }
            let mut months: Vec<Date> = old.iter().map(|one| one.days.0.first_of_month()).collect();
            months.dedup();
            plan.months += months.len() as u64;
            plan.sightings += old.iter().map(|one| one.facts.rows).sum::<u64>();
            plan.bytes += old.iter().map(|one| one.facts.bytes).sum::<u64>();
            plan.from.insert(sensor.name.clone(), keeps);
            if really {
                let transaction =
                    self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                for one in &old {
                    transaction.execute("DELETE FROM segment WHERE path = ?1", [&one.path])?;
                }
                put(&transaction, "setting", &[&format!("kept from {id}"), &keeps.to_string()])?;
                transaction.commit()?;
                self.forget(&old.into_iter().map(|one| one.path).collect::<Vec<_>>());
            }
        }
        match last_day {
            Some(last) if from <= last => Ok(plan),
            Some(last) => Err(StoreError::RetainsNothing(last)),
            None => Ok(plan),
        }
    }
}
