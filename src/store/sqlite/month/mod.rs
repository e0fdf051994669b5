//! Months as rows: observations in small rows, their sightings in larger ones, hosts in blocks.
//!
//! A row of cells holds some types of one month. Its id begins with these types, then come sensor and month: rows of the
//! same types lie side by side, those of a sensor's months next to each other, so that a type's series over years is one
//! walk over a few pages.

mod host;
mod read;
mod write;

pub(super) use host::Numbers;
pub(super) use read::{Wants, each_cell, each_part, parts_of_row};
pub(super) use write::{Entry, MonthWriter};

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::event::Timestamp;
use crate::history::month::{Codes, TYPES};
use crate::store::StoreError;

use super::codec;

/// Bits of a cell row's id that tell the month, and above them the sensor; what is above these tells the types.
const MONTH: u32 = 20;
const SENSOR: u32 = 18;

/// The ids of the rows of some types that a sensor has in months from one to another.
fn ids(row: u64, sensor: i64, months: (i64, i64)) -> Result<(i64, i64), StoreError> {
    let fits = |number: i64, bits: u32| (0..1 << bits).contains(&number);
    let (first, last) = months;
    let row = i64::try_from(row).ok().filter(|row| fits(*row, i64::BITS - 1 - SENSOR - MONTH));
    match row.filter(|_| fits(sensor, SENSOR) && fits(first, MONTH) && fits(last, MONTH)) {
        Some(row) => {
            let id = |month: i64| (row << SENSOR | sensor) << MONTH | month;
            Ok((id(first), id(last)))
        }
        None => Err(StoreError::Backend(format!("no room for type {row:?}, sensor {sensor}, month {last}"))),
    }
}

/// The row of types that an id tells.
pub(super) fn row_of_id(id: i64) -> u64 {
    codec::uncount(id >> (SENSOR + MONTH))
}

/// The month that an id tells, since year 0.
fn month_of_id(id: i64) -> i64 {
    id & ((1 << MONTH) - 1)
}

/// The types of a row, by their ids.
fn types_of_row(row: u64) -> (i64, i64) {
    let first = row.saturating_mul(TYPES);
    (codec::count(first), codec::count(first.saturating_add(TYPES - 1)))
}

/// A month of a sensor.
#[derive(Clone, Debug)]
pub(super) struct Month {
    /// The row's id.
    pub(super) id: i64,
    sensor: i64,
    /// Its first day.
    pub(super) first: Date,
    /// How many hosts its directory has.
    pub(super) hosts: u64,
    /// Whether its sightings were dropped.
    pub(super) dropped: bool,
    /// Each day, and when it begins.
    days: Vec<(Date, Timestamp)>,
    /// How its hosts are written.
    codes: Codes,
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
            let first = codec::first_of_month(row.get(1)?)?;
            let dates = first.series(jiff::Span::new().days(1));
            let hosts = codec::uncount(row.get(2)?);
            months.push(Month {
                id: row.get(0)?,
                sensor,
                first,
                hosts,
                dropped: row.get(3)?,
                days: dates.zip(starts.into_iter().map(Timestamp)).collect(),
                codes: Codes::new(hosts),
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

    /// The dates of its days.
    pub(super) fn dates(&self) -> impl Iterator<Item = Date> + '_ {
        self.days.iter().map(|(date, _)| *date)
    }

    /// The date of a day of it.
    pub(super) fn date(&self, day: u8) -> Result<Date, StoreError> {
        Ok(self.day(day)?.0)
    }

    /// When a day of it begins.
    fn start(&self, day: u8) -> Result<Timestamp, StoreError> {
        Ok(self.day(day)?.1)
    }

    fn day(&self, day: u8) -> Result<(Date, Timestamp), StoreError> {
        let known = self.days.get(usize::from(day)).copied();
        known.ok_or_else(|| StoreError::Damaged(format!("day {day} of {}", self.first)))
    }

    /// Months since year 0.
    fn number(&self) -> i64 {
        codec::month(self.first)
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
