//! Example windows as rows: each row some of one sensor and month, in the order of their types' ids.
//!
//! A day can bring a hundred thousand types, most of them for the first time: a row each would take as long as all
//! their sightings. When a month is put together, a type that was seen a few times in it and has an example of an earlier
//! month needs no other one: most types are of that kind, and their examples would take more room than all else.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::behavior::BehaviorId;
use crate::event::Timestamp;
use crate::history::{Example, Examples, PackedExample};
use crate::store::StoreError;

use super::codec;
use super::made::{self, Put};

/// Bytes from which on a row is full.
const ROW: usize = 64 * 1024;

/// Sightings in a month from which on a type keeps an example of that month beside an earlier one.
const OFTEN: u64 = 8;

/// Bytes of a row, unpacked, beyond which it is damaged.
const ROW_MAX: usize = 1 << 26;

/// How hard rows are packed: beyond this they take longer and no less room.
const LEVEL: i32 = 1;

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
    threads: usize,
) -> Result<(), StoreError> {
    // Ids, starts and the numbers of their types, which are a fraction of the examples themselves.
    let mut months: BTreeMap<i64, Vec<(i64, i64, u32)>> = BTreeMap::new();
    for PackedExample { number, start, .. } in examples.iter() {
        let id = usize::try_from(number).ok().and_then(|at| ids.get(at));
        let id = id.ok_or_else(|| StoreError::Backend("an example of an unknown type".to_owned()))?;
        months.entry(codec::month(start.day(&TimeZone::UTC))).or_default().push((*id, start.0, number));
    }
    for (month, mut starts) in months {
        starts.sort_unstable();
        if !open {
            let mut known = Known::read(transaction, sensor, month)?;
            starts.retain(|(id, start, _)| known.wants(*id, *start));
            known.write(transaction, sensor, month, &starts)?;
        }
        let entries = starts.iter().filter_map(|(id, start, number)| {
            let PackedExample { host, packets, .. } = examples.get(*number)?;
            Some((*id, *start, host, packets))
        });
        write_rows(transaction, (sensor, month, open), entries, threads)?;
    }
    Ok(())
}

fn write_rows<'a>(
    transaction: &Transaction<'_>,
    (sensor, month, open): (i64, i64, bool),
    entries: impl Iterator<Item = Entry<'a>> + Send,
    threads: usize,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO example (sensor, month, open, first_type, last_type, examples, checksum)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut insert = transaction.prepare_cached(sql)?;
    let make = |put: Put<'_, (i64, i64, Vec<u8>)>| make_rows(entries, put);
    made::ahead(threads, make, |(first, last, row)| {
        let checksum = codec::checksum(&[sensor, month, open.into(), first, last], [b"", &row]);
        insert.execute((sensor, month, open, first, last, row, checksum))?;
        Ok(())
    })
}

/// Makes rows: their first and last type, and they as they are kept.
fn make_rows<'a>(
    entries: impl Iterator<Item = Entry<'a>>,
    put: Put<'_, (i64, i64, Vec<u8>)>,
) -> Result<(), StoreError> {
    let mut entries = entries.peekable();
    while let Some((first, ..)) = entries.peek().copied() {
        let mut row = Vec::with_capacity(2 * ROW);
        let mut last = first;
        while row.len() < ROW
            && let Some(entry) = entries.next()
        {
            row = postcard::to_extend(&entry, row).map_err(|error| StoreError::Backend(error.to_string()))?;
            last = entry.0;
        }
        put((first, last, pack(&row)?))?;
    }
    Ok(())
}

/// Puts a month's examples of some types together: one of each, and of those only that are new or were seen often.
/// `sizes` tells how many sightings a type has in the month. The rows that gave them are to be deleted by [`drop_rows`].
pub(super) fn thin(
    transaction: &Transaction<'_>,
    (sensor, month): (i64, i64),
    (first, last): (i64, i64),
    earlier: &Earlier,
    sizes: &BTreeMap<i64, u64>,
) -> Result<(), StoreError> {
    let sql = "SELECT examples FROM example WHERE sensor = ?1 AND month = ?2 AND open = 0 AND id <= ?3
                   AND first_type <= ?5 AND last_type >= ?4";
    let mut statement = transaction.prepare_cached(sql)?;
    let mut found = statement.query((sensor, month, earlier.rows, first, last))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(unpack(row.get_ref(0)?.as_blob()?)?);
    }
    let mut entries = Vec::new();
    for row in &rows {
        each(row, &mut |entry: Entry<'_>| {
            let often = sizes.get(&entry.0).is_some_and(|seen| *seen >= OFTEN);
            if first <= entry.0 && entry.0 <= last && (often || !earlier.has(entry.0)) {
                entries.push(entry);
            }
        })?;
    }
    entries.sort_unstable();
    entries.dedup_by_key(|(id, ..)| *id);
    write_rows(transaction, (sensor, month, false), entries.into_iter(), 1)
}

/// Deletes the rows of a month that were there before its examples were put together.
pub(super) fn drop_rows(
    transaction: &Transaction<'_>,
    (sensor, month): (i64, i64),
    earlier: &Earlier,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM example WHERE sensor = ?1 AND month = ?2 AND open = 0 AND id <= ?3";
    transaction.execute(sql, (sensor, month, earlier.rows))?;
    Ok(())
}

/// What there is before a month's examples are put together: types that have one of an earlier month, and the last row.
pub(super) struct Earlier {
    types: Vec<u8>,
    rows: i64,
}

impl Earlier {
    pub(super) fn read(connection: &Connection, sensor: i64, month: i64) -> Result<Earlier, StoreError> {
        let mut statement =
            connection.prepare_cached("SELECT types FROM exampled WHERE sensor = ?1 AND month < ?2")?;
        let mut rows = statement.query((sensor, month))?;
        let mut types: Vec<u8> = Vec::new();
        while let Some(row) = rows.next()? {
            let bits = row.get_ref(0)?.as_blob()?;
            types.resize(types.len().max(bits.len()), 0);
            types.iter_mut().zip(bits).for_each(|(all, bits)| *all |= bits);
        }
        let sql = "SELECT coalesce(max(id), 0) FROM example";
        Ok(Earlier { types, rows: connection.query_row(sql, [], |row| row.get(0))? })
    }

    fn has(&self, id: i64) -> bool {
        let (byte, bit) = place(id);
        self.types.get(byte).is_some_and(|byte| byte & bit != 0)
    }
}

/// A row's bytes, packed: how many they are, and they as zstd has them.
fn pack(row: &[u8]) -> Result<Vec<u8>, StoreError> {
    let packed = zstd::bulk::compress(row, LEVEL).map_err(|error| StoreError::Backend(error.to_string()))?;
    let length =
        u32::try_from(row.len()).map_err(|_| StoreError::Backend("an example too large".to_owned()))?;
    Ok([&length.to_le_bytes()[..], &packed].concat())
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let damaged = || StoreError::Damaged("a row of examples".to_owned());
    let (length, packed) = bytes.split_first_chunk().ok_or_else(damaged)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > ROW_MAX {
        return Err(damaged());
    }
    zstd::bulk::decompress(packed, length).map_err(|_| damaged())
}

/// Hands on the examples of an unpacked row.
fn each<'r>(row: &'r [u8], sink: &mut dyn FnMut(Entry<'r>)) -> Result<(), StoreError> {
    let mut rest = row;
    while !rest.is_empty() {
        let (entry, others) =
            postcard::take_from_bytes(rest).map_err(|error| StoreError::Damaged(error.to_string()))?;
        sink(entry);
        rest = others;
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
        starts: &[(i64, i64, u32)],
    ) -> Result<(), StoreError> {
        for (id, start, _) in starts {
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

/// The earliest example of each of some types, given by ids, ascending, and names; of those that begin together the one
/// with the lowest address. A row is read once, whichever of them it may hold.
pub(super) fn read(
    connection: &Connection,
    sensor: i64,
    wanted: &[(i64, BehaviorId)],
) -> Result<BTreeMap<i64, Example>, StoreError> {
    let (Some((lowest, _)), Some((highest, _))) = (wanted.first(), wanted.last()) else {
        return Ok(BTreeMap::new());
    };
    let sql = "SELECT id, first_type, last_type FROM example
               WHERE sensor = ?1 AND first_type <= ?3 AND last_type >= ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((sensor, lowest, highest))?;
    let mut fetch = connection.prepare_cached("SELECT examples FROM example WHERE id = ?1")?;
    let mut earliest = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (id, first, last): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let from = wanted.partition_point(|(known, _)| *known < first);
        let here = &wanted[from..wanted.partition_point(|(known, _)| *known <= last).max(from)];
        if !here.is_empty() {
            let packed: Vec<u8> = fetch.query_row([id], |row| row.get(0))?;
            read_row(&unpack(&packed)?, here, &mut earliest)?;
        }
    }
    Ok(earliest)
}

/// Keeps those examples of an unpacked row that are wanted and earlier than what is known.
fn read_row(
    row: &[u8],
    wanted: &[(i64, BehaviorId)],
    earliest: &mut BTreeMap<i64, Example>,
) -> Result<(), StoreError> {
    let mut found = Ok(());
    each(row, &mut |(id, start, host, packets)| {
        let Ok(at) = wanted.binary_search_by_key(&id, |(known, _)| *known) else { return };
        if earliest.get(&id).is_some_and(|kept| (start, host) >= (kept.start.0, kept.host)) {
            return;
        }
        match codec::unpack(packets) {
            Ok(packets) => {
                let behavior = wanted[at].1;
                earliest.insert(id, Example { behavior, host, start: Timestamp(start), packets });
            }
            Err(error) => found = Err(error),
        }
    })?;
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_read_back_and_damage_is_an_error_and_never_a_panic(
            row in prop::collection::vec(0..4u8, 0..500),
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            flip in any::<prop::sample::Index>(),
        ) {
            let packed = pack(&row).unwrap();
            prop_assert_eq!(unpack(&packed).unwrap(), row);
            let mut flipped = packed;
            let at = flip.index(flipped.len());
            flipped[at] ^= 16;
            for damaged in [&flipped, &bytes] {
                if let Ok(row) = unpack(damaged) {
                    let _ = each(&row, &mut |_| {});
                }
            }
        }
    }
}
