//! Compaction: what several captures brought of a day, put together.
//!
//! Each capture adds rows of its own, packed as it was read, so that a type of a day stands in many groups. Put together
//! it stands in one, its hosts in order once. A day is done in one transaction: it is as it was, or compact.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction};

use crate::behavior::Marks;
use crate::history::Day;
use crate::history::packed::{self, Group, Waiting};
use crate::store::StoreError;

use super::{SqliteStore, chunk, codec, read};

/// Sightings that are put together at once: some 25 MB of them.
const AT_ONCE: u64 = 1 << 18;

/// What compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Days of sensors.
    pub days: u64,
    /// Packed bytes before.
    pub before: u64,
    /// Packed bytes after.
    pub after: u64,
}

impl SqliteStore {
    /// Puts every day's rows together, and gives the room back.
    ///
    /// # Errors
    /// When the history is damaged or cannot be written to; days that were done stay done.
    pub fn compact(&mut self) -> Result<Compacted, StoreError> {
        let before = bytes(&self.connection)?;
        let mut done = 0;
        for (sensor, day) in several(&self.connection)? {
            let zone = read::zone(&self.connection, sensor)?;
            let transaction =
                self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            compact_day(&transaction, sensor, Day::on(codec::date(day)?, &zone))?;
            transaction.commit()?;
            done += 1;
        }
        self.connection.execute_batch("VACUUM")?;
        Ok(Compacted { days: done, before, after: bytes(&self.connection)? })
    }
}

fn bytes(connection: &Connection) -> Result<u64, StoreError> {
    let sum = "SELECT coalesce(sum(length(groups)), 0) FROM chunk";
    Ok(codec::uncount(connection.query_row(sum, [], |row| row.get(0))?))
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

fn compact_day(transaction: &Transaction<'_>, sensor: i64, on: Day) -> Result<(), StoreError> {
    let (date, day) = (on.date, codec::day(on.date));
    let mut sizes: BTreeMap<i64, u64> = BTreeMap::new();
    chunk::of_closed(transaction, (sensor, day), (i64::MIN, i64::MAX), &mut |_, group| {
        *sizes.entry(codec::count(group.number)).or_default() += group.hosts;
        Ok(())
    })?;
    let old: i64 = transaction.query_row("SELECT coalesce(max(id), 0) FROM chunk", [], |row| row.get(0))?;
    // What is written anew has the store's own numbers.
    let marks: Vec<usize> = (0..Marks::MAX).collect();
    for (first, last) in spans(&sizes) {
        let mut waiting = Waiting::default();
        chunk::of_closed(transaction, (sensor, day), (first, last), &mut |chunk, group| {
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
        chunk::write_groups(transaction, sensor, date, &groups, &marks, false)?;
    }
    let sql = "DELETE FROM chunk WHERE sensor = ?1 AND day = ?2 AND open = 0 AND id <= ?3";
    transaction.execute(sql, (sensor, day, old))?;
    Ok(())
}

/// Spans of ids with so many sightings as are put together at once; a type is never cut.
fn spans(sizes: &BTreeMap<i64, u64>) -> Vec<(i64, i64)> {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    let mut held = AT_ONCE;
    for (id, hosts) in sizes {
        match spans.last_mut() {
            Some((_, last)) if held + hosts <= AT_ONCE => {
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
        assert_eq!(spans(&sizes), [(1, 1), (2, 2), (5, 12), (13, 13)]);
        assert_eq!(spans(&BTreeMap::new()), []);
    }
}
