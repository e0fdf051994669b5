//! Months as rows: observations in rows that fill a page, their sightings in larger ones, hosts in blocks.

mod host;
mod read;
mod write;

pub(super) use host::Numbers;
pub(super) use read::{each_cell, each_part, parts_of_row};
pub(super) use write::{Entry, MonthWriter};

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::event::Timestamp;
use crate::store::StoreError;

use super::codec;

/// A month of a sensor.
#[derive(Clone, Debug)]
pub(super) struct Month {
    /// The row's id.
    pub(super) id: i64,
    /// Its first day.
    pub(super) first: Date,
    /// How many hosts its directory has.
    pub(super) hosts: u64,
    /// Whether its sightings were dropped.
    pub(super) dropped: bool,
    /// When each day begins.
    starts: Vec<Timestamp>,
}

impl Month {
    /// The months of a sensor, ascending.
    pub(super) fn all(connection: &Connection, sensor: i64) -> Result<Vec<Month>, StoreError> {
        let sql = "SELECT id, month, hosts, dropped, starts FROM month WHERE sensor = ?1 ORDER BY month";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([sensor])?;
        let mut months = Vec::new();
        while let Some(row) = rows.next()? {
            let starts: Vec<i64> = codec::unpack(row.get_ref(4)?.as_blob()?)?;
            months.push(Month {
                id: row.get(0)?,
                first: codec::first_of_month(row.get(1)?)?,
                hosts: codec::uncount(row.get(2)?),
                dropped: row.get(3)?,
                starts: starts.into_iter().map(Timestamp).collect(),
            });
        }
        Ok(months)
    }

    /// A month by its row.
    pub(super) fn of_row(connection: &Connection, id: i64) -> Result<Month, StoreError> {
        let sensor: Option<i64> = connection
            .query_row("SELECT sensor FROM month WHERE id = ?1", [id], |row| row.get(0))
            .optional()?;
        let months = sensor.map(|sensor| Month::all(connection, sensor)).transpose()?.unwrap_or_default();
        let found = months.into_iter().find(|month| month.id == id);
        found.ok_or_else(|| StoreError::Damaged(format!("no month {id}")))
    }

    /// The date of a day of it.
    pub(super) fn date(&self, day: u8) -> Result<Date, StoreError> {
        let date = i8::try_from(day + 1).ok().and_then(|day| self.first.with().day(day).build().ok());
        date.ok_or_else(|| StoreError::Damaged(format!("day {day} of {}", self.first)))
    }

    /// When a day of it begins.
    fn start(&self, day: u8) -> Result<Timestamp, StoreError> {
        let start = self.starts.get(usize::from(day)).copied();
        start.ok_or_else(|| StoreError::Damaged(format!("day {day} of {}", self.first)))
    }
}

/// Takes a month's rows away.
pub(super) fn delete(transaction: &Transaction<'_>, month: i64) -> Result<(), StoreError> {
    for table in ["cell", "seen", "host"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE month = ?1"), [month])?;
    }
    transaction.execute("DELETE FROM month WHERE id = ?1", [month])?;
    Ok(())
}

/// Takes a month's sightings away; its observations stay.
pub(super) fn drop_sightings(transaction: &Transaction<'_>, month: i64) -> Result<(), StoreError> {
    for table in ["seen", "host"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE month = ?1"), [month])?;
    }
    transaction.execute("UPDATE month SET dropped = 1 WHERE id = ?1", [month])?;
    Ok(())
}
