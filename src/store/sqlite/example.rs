//! Example windows as rows: each row some of one sensor and month, in the order of their types' ids.
//!
//! A day can bring a hundred thousand types, most of them for the first time: a row each would take as long as all
//! their sightings.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::behavior::BehaviorId;
use crate::event::Timestamp;
use crate::history::{Example, Examples, PackedExample};
use crate::store::StoreError;

use super::codec;

/// Bytes from which on a row is full.
const ROW: usize = 64 * 1024;

/// An example as a row holds it: the type's id, the start, the host, its packets as postcard has them.
type Entry<'a> = (i64, i64, IpAddr, &'a [u8]);

/// Writes a capture's examples. One that a month has already, and that cannot be earlier, is left out. `ids` are the
/// store's numbers of the types.
pub(super) fn write(
    transaction: &Transaction<'_>,
    sensor: i64,
    examples: &Examples,
    ids: &[i64],
    open: bool,
) -> Result<(), StoreError> {
    let mut months: BTreeMap<i64, Vec<Entry<'_>>> = BTreeMap::new();
    for PackedExample { number, start, host, packets } in examples.iter() {
        let id = usize::try_from(number).ok().and_then(|at| ids.get(at));
        let id = id.ok_or_else(|| StoreError::Backend("an example of an unknown type".to_owned()))?;
        months
            .entry(codec::month(start.day(&TimeZone::UTC)))
            .or_default()
            .push((*id, start.0, host, packets));
    }
    for (month, mut entries) in months {
        entries.sort_unstable_by_key(|(id, ..)| *id);
        if !open {
            let mut known = Known::read(transaction, sensor, month)?;
            entries.retain(|(id, start, ..)| known.wants(*id, *start));
            known.write(transaction, sensor, month, &entries)?;
        }
        write_rows(transaction, (sensor, month, open), &entries)?;
    }
    Ok(())
}

fn write_rows(
    transaction: &Transaction<'_>,
    (sensor, month, open): (i64, i64, bool),
    entries: &[Entry<'_>],
) -> Result<(), StoreError> {
    let sql = "INSERT INTO example (sensor, month, open, first_type, last_type, examples, checksum)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut insert = transaction.prepare_cached(sql)?;
    let mut rest = entries;
    while let Some((first, ..)) = rest.first() {
        let mut row = Vec::with_capacity(2 * ROW);
        let mut last = *first;
        while let Some((entry, others)) = rest.split_first().filter(|_| row.len() < ROW) {
            row = postcard::to_extend(entry, row).map_err(|error| StoreError::Backend(error.to_string()))?;
            (last, rest) = (entry.0, others);
        }
        let checksum = codec::checksum(&[sensor, month, open.into(), *first, last], [b"", &row]);
        insert.execute((sensor, month, open, first, last, &row, checksum))?;
    }
    Ok(())
}

/// Which types a month has an example of, and when the last of these begins.
struct Known {
    last: i64,
    /// A bit for each id.
    types: Vec<u8>,
}

impl Known {
    fn read(connection: &Connection, sensor: i64, month: i64) -> Result<Known, StoreError> {
        let sql = "SELECT last, types FROM exampled WHERE sensor = ?1 AND month = ?2";
        let found = connection.query_row(sql, (sensor, month), |row| Ok((row.get(0)?, row.get(1)?)));
        let (last, types) = found.optional()?.unwrap_or((i64::MIN, Vec::new()));
        Ok(Known { last, types })
    }

    /// Captures are fed in time order: what is known is nearly always the earlier one.
    fn wants(&self, id: i64, start: i64) -> bool {
        let (byte, bit) = place(id);
        start <= self.last || self.types.get(byte).is_none_or(|byte| byte & bit == 0)
    }

    fn write(
        &mut self,
        transaction: &Transaction<'_>,
        sensor: i64,
        month: i64,
        entries: &[Entry<'_>],
    ) -> Result<(), StoreError> {
        for (id, start, ..) in entries {
            let (byte, bit) = place(*id);
            if self.types.len() <= byte {
                self.types.resize(byte + 1, 0);
            }
            self.types[byte] |= bit;
            self.last = self.last.max(*start);
        }
        let sql = "INSERT OR REPLACE INTO exampled (sensor, month, last, types) VALUES (?1, ?2, ?3, ?4)";
        transaction.execute(sql, (sensor, month, self.last, &self.types))?;
        Ok(())
    }
}

/// The byte and bit of an id.
fn place(id: i64) -> (usize, u8) {
    (usize::try_from(id / 8).unwrap_or(0), 1 << (id % 8))
}

/// The earliest example of a type; of those that begin together the one with the lowest address.
pub(super) fn read(
    connection: &Connection,
    sensor: i64,
    behavior: BehaviorId,
    wanted: i64,
) -> Result<Option<Example>, StoreError> {
    let sql = "SELECT examples FROM example WHERE sensor = ?1 AND first_type <= ?2 AND last_type >= ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((sensor, wanted))?;
    let mut earliest: Option<Example> = None;
    while let Some(row) = rows.next()? {
        let mut rest = row.get_ref(0)?.as_blob()?;
        while !rest.is_empty() {
            let entry: (Entry<'_>, _) =
                postcard::take_from_bytes(rest).map_err(|error| StoreError::Damaged(error.to_string()))?;
            let ((id, start, host, packets), others) = entry;
            rest = others;
            let earlier = earliest.as_ref().is_none_or(|kept| (start, host) < (kept.start.0, kept.host));
            if id == wanted && earlier {
                let packets = codec::unpack(packets)?;
                earliest = Some(Example { behavior, host, start: Timestamp(start), packets });
            }
        }
    }
    Ok(earliest)
}
