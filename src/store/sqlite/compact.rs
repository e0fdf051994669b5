//! Compaction: what captures brought, put together.
//!
//! Each capture adds rows of its own, packed as it was read, so that a type of a day stands in many groups. Put together
//! it stands in one. A month that is over is put together by type, which takes half the room and makes a type's series
//! quick. A day, and a month, are done in one transaction each: they are as they were, or compact. A late capture lies
//! beside its month until the next compaction, which writes that month anew.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::behavior::Marks;
use crate::history::month::Directory;
use crate::history::packed::{self, Group};
use crate::history::{Day, Hosts, Waiting};
use crate::store::StoreError;

use super::month::{self, Entry, Month, MonthWriter, Numbers, Wants};
use super::select::TypeIds;
use super::{SqliteStore, chunk, codec, example, read, service};

/// Sightings that are put together at once: some 25 MB of a day, some 80 MB of a month.
const AT_ONCE: u64 = 1 << 18;
const AT_ONCE_OF_MONTH: u64 = 1 << 20;

/// Types whose examples are: some 20 MB.
const EXAMPLES_AT_ONCE: i64 = 1 << 18;

/// Which months are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Months {
    /// Those after which the sensor has seen another one.
    Over,
    /// The one that goes on, too.
    All,
}

/// What compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Days of sensors that were put together.
    pub days: u64,
    /// Months of sensors that were.
    pub months: u64,
    /// Bytes of the file before.
    pub before: u64,
    /// Bytes of the file after.
    pub after: u64,
}

impl SqliteStore {
    /// Puts every day's rows together, and months', and gives the room back.
    ///
    /// # Errors
    /// When the history is damaged or cannot be written to; what was done stays done.
    pub fn compact(&mut self, which: Months) -> Result<Compacted, StoreError> {
        let before = self.bytes()?;
        let (mut days, mut months) = (0, 0);
        for (sensor, day) in several(&self.connection)? {
            let day = Day::on(codec::date(day)?, &read::zone(&self.connection, sensor)?);
            self.in_one(|transaction| compact_day(transaction, sensor, day))?;
            days += 1;
        }
        for (sensor, month) in loose_months(&self.connection, which)? {
            self.in_one(|transaction| compact_month(transaction, sensor, month))?;
            months += 1;
        }
        self.in_one(service::list)?;
        self.give_back()?;
        Ok(Compacted { days, months, before, after: self.bytes()? })
    }

    /// Drops the sightings of months that end before a date, of all sensors; their observations stay. Months that are
    /// not put together are, before. Answers how many months were dropped.
    ///
    /// # Errors
    /// As [`SqliteStore::compact`].
    pub fn retain(&mut self, from: Date) -> Result<u64, StoreError> {
        let over = |first: Date| first.last_of_month() < from;
        for (sensor, day) in several(&self.connection)? {
            let day = Day::on(codec::date(day)?, &read::zone(&self.connection, sensor)?);
            if over(day.date.first_of_month()) {
                self.in_one(|transaction| compact_day(transaction, sensor, day))?;
            }
        }
        for (sensor, month) in loose_months(&self.connection, Months::All)? {
            if over(month) {
                self.in_one(|transaction| compact_month(transaction, sensor, month))?;
            }
        }
        let mut dropped = 0;
        for sensor in ids_of_sensors(&self.connection)? {
            for month in Month::all(&self.connection, sensor)? {
                if over(month.first) && !month.dropped {
                    self.in_one(|transaction| month::drop_sightings(transaction, month.id))?;
                    dropped += 1;
                }
            }
        }
        self.give_back()?;
        Ok(dropped)
    }

    fn in_one(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work(&transaction)?;
        Ok(transaction.commit()?)
    }

    fn give_back(&mut self) -> Result<(), StoreError> {
        let free: i64 = self.connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        if free > 0 {
            // A copy of the whole file: on the disk, for however short a time.
            self.connection.pragma_update(None, "temp_store", "FILE")?;
            self.connection.execute_batch("VACUUM")?;
            self.connection.pragma_update(None, "temp_store", "MEMORY")?;
        }
        Ok(())
    }

    fn bytes(&self) -> Result<u64, StoreError> {
        let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        Ok(codec::uncount(self.connection.query_row(sql, [], |row| row.get(0))?))
    }
}

fn ids_of_sensors(connection: &Connection) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare("SELECT id FROM sensor ORDER BY id")?;
    let ids = statement.query_map([], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Days of which some types may stand in several rows: the rows' spans of types overlap.
fn several(connection: &Connection) -> Result<Vec<(i64, i64)>, StoreError> {
    let sql = "SELECT sensor, day FROM (
                   SELECT sensor, day, first_type < lag(last_type) OVER (
                       PARTITION BY sensor, day ORDER BY first_type, last_type) AS overlaps
                   FROM chunk WHERE open = 0)
               GROUP BY sensor, day HAVING max(overlaps) = 1 ORDER BY sensor, day";
    let mut statement = connection.prepare(sql)?;
    let days = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(days.collect::<Result<_, _>>()?)
}

/// Months, by their first days, that have sightings which are not yet put together.
fn loose_months(connection: &Connection, which: Months) -> Result<Vec<(i64, Date)>, StoreError> {
    let sql = "SELECT DISTINCT chunk.sensor, chunk.day,
                   (SELECT max(day) FROM observed WHERE observed.sensor = chunk.sensor)
               FROM chunk WHERE open = 0 ORDER BY chunk.sensor, chunk.day";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut months: Vec<(i64, Date)> = Vec::new();
    while let Some(row) = rows.next()? {
        let month = codec::date(row.get(1)?)?.first_of_month();
        let last = codec::date(row.get(2)?)?;
        let found = (row.get(0)?, month);
        if (which == Months::All || month.last_of_month() < last) && months.last() != Some(&found) {
            months.push(found);
        }
    }
    Ok(months)
}

fn compact_day(transaction: &Transaction<'_>, sensor: i64, on: Day) -> Result<(), StoreError> {
    let (date, day) = (on.date, codec::day(on.date));
    let mut sizes: BTreeMap<i64, u64> = BTreeMap::new();
    chunk::of_closed(transaction, sensor, (day, day), ALL_TYPES, &mut |_, group| {
        *sizes.entry(codec::count(group.number)).or_default() += group.hosts;
        Ok(())
    })?;
    let old: i64 = transaction.query_row("SELECT coalesce(max(id), 0) FROM chunk", [], |row| row.get(0))?;
    // What is written anew has the store's own numbers.
    let marks: Vec<usize> = (0..Marks::MAX).collect();
    let rows = chunk::Rows::new(sensor, &marks, false)?;
    for span in spans(&sizes, AT_ONCE) {
        let mut waiting = Waiting::default();
        chunk::of_closed(transaction, sensor, (day, day), span, &mut |chunk, group| {
            let number = u32::try_from(group.number)
                .map_err(|_| StoreError::Damaged(format!("type {}", group.number)))?;
            for sighting in group.sightings(date) {
                let (host, mut seen) = sighting?;
                seen.marks = chunk.marks(seen.marks);
                waiting.push(number, group.scope, host, seen);
            }
            Ok(())
        })?;
        let packed = waiting.pack(on);
        let groups: Vec<Group<'_>> = packed::groups(&packed).collect::<Result<_, _>>()?;
        rows.write_groups(transaction, date, &groups)?;
    }
    let sql = "DELETE FROM chunk WHERE sensor = ?1 AND day = ?2 AND open = 0 AND id <= ?3";
    transaction.execute(sql, (sensor, day, old))?;
    Ok(())
}

const ALL_TYPES: (i64, i64) = (i64::MIN, i64::MAX);

/// Puts a month's closed sightings together with those that were put together before.
fn compact_month(transaction: &Transaction<'_>, sensor: i64, first: Date) -> Result<(), StoreError> {
    let days = (codec::day(first), codec::day(first.last_of_month()));
    let known = Month::all(transaction, sensor)?.into_iter().find(|month| month.first == first);
    if known.as_ref().is_some_and(|month| month.dropped) {
        return Err(StoreError::Damaged(format!("sightings of {first} beside those that were dropped")));
    }
    let known = known.map(|month| Numbers::of(transaction, &month, None).map(|hosts| (month, hosts)));
    let known = known.transpose()?;
    let (hosts, sizes) = contents(transaction, sensor, days, known.as_ref())?;
    let directory = Directory::of(hosts);
    if let Some((month, _)) = &known {
        // A sensor has one row a month: the old one gives way to the new one, and goes when it has been read.
        transaction.execute("UPDATE month SET month = -1 - month WHERE id = ?1", [month.id])?;
    }
    let zone = read::zone(transaction, sensor)?;
    let mut writer = MonthWriter::new(transaction, sensor, first, &zone, &directory)?;
    let number = |host| directory.number(host).ok_or_else(|| StoreError::Damaged(format!("no host {host}")));
    for span in spans(&sizes, AT_ONCE_OF_MONTH) {
        let mut entries = Vec::new();
        chunk::of_closed(transaction, sensor, days, span, &mut |chunk, group| {
            let day = u8::try_from(codec::day(chunk.day) - days.0).unwrap_or(u8::MAX);
            for sighting in group.sightings(chunk.day) {
                let (host, mut seen) = sighting?;
                seen.marks = chunk.marks(seen.marks);
                entries.push(Entry::new((group.number, group.scope, day), number(host)?, seen));
            }
            Ok(())
        })?;
        if let Some((month, numbers)) = &known {
            let types = TypeIds::Range(span.0, span.1);
            let of = (std::slice::from_ref(month), std::slice::from_ref(numbers));
            month::each_part(transaction, of, types, Wants::Of(&|_, _| true), &mut |_, cell, part| {
                let host = numbers.host(transaction, part.host)?;
                let of = (cell.number, cell.scope, cell.day);
                entries.push(Entry::new(of, number(host)?, part.seen));
                Ok(())
            })?;
        }
        entries.sort_unstable_by_key(Entry::order);
        writer.add(&entries)?;
    }
    writer.finish()?;
    thin_examples(transaction, (sensor, codec::month(first)), &sizes)?;
    if let Some((month, _)) = &known {
        month::delete(transaction, month.id)?;
    }
    let sql = "DELETE FROM chunk WHERE sensor = ?1 AND day BETWEEN ?2 AND ?3 AND open = 0";
    transaction.execute(sql, (sensor, days.0, days.1))?;
    Ok(())
}

/// Puts a month's examples together, some types after the other.
fn thin_examples(
    transaction: &Transaction<'_>,
    of: (i64, i64),
    sizes: &BTreeMap<i64, u64>,
) -> Result<(), StoreError> {
    let earlier = example::Earlier::read(transaction, of.0, of.1)?;
    let last = super::types::last(transaction)?;
    let mut first = 0;
    while first <= last {
        let types = (first, first.saturating_add(EXAMPLES_AT_ONCE - 1));
        example::thin(transaction, of, types, &earlier, sizes)?;
        first = types.1 + 1;
    }
    example::drop_rows(transaction, of, &earlier)
}

/// The hosts of a month, and how many parts of sightings each type has.
fn contents(
    transaction: &Transaction<'_>,
    sensor: i64,
    days: (i64, i64),
    known: Option<&(Month, Numbers)>,
) -> Result<(Hosts, BTreeMap<i64, u64>), StoreError> {
    let (mut hosts, mut sizes) = (Hosts::default(), BTreeMap::new());
    chunk::of_closed(transaction, sensor, days, ALL_TYPES, &mut |_, group| {
        *sizes.entry(codec::count(group.number)).or_default() += group.hosts;
        Ok(hosts.add(&group)?)
    })?;
    if let Some((month, numbers)) = known {
        numbers.each_host(transaction, &mut |host| hosts.insert(host))?;
        month::each_cell(transaction, std::slice::from_ref(month), TypeIds::ALL, &mut |_, cell| {
            *sizes.entry(codec::count(cell.number)).or_default() += cell.parts;
            Ok(())
        })?;
    }
    Ok((hosts, sizes))
}

/// Spans of ids with so many sightings as are put together at once; a type is never cut.
fn spans(sizes: &BTreeMap<i64, u64>, at_once: u64) -> Vec<(i64, i64)> {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    let mut held = at_once;
    for (id, hosts) in sizes {
        match spans.last_mut() {
            Some((_, last)) if held + hosts <= at_once => {
                *last = *id;
                held += hosts;
            }
            _ => {
                spans.push((*id, *id));
                held = *hosts;
            }
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_hold_every_type_once_and_no_more_than_fits() {
        let sizes = BTreeMap::from([(1, 10), (2, AT_ONCE), (5, 7), (9, 3), (12, AT_ONCE - 10), (13, 1)]);
        assert_eq!(spans(&sizes, AT_ONCE), [(1, 1), (2, 2), (5, 12), (13, 13)]);
        assert_eq!(spans(&BTreeMap::new(), AT_ONCE), []);
    }
}
