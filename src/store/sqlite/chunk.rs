//! Packed sightings as rows: each row some groups of one sensor and day, in the order of the types' ids.
//!
//! A day's rows are those of all captures that had a part of it; who reads adds up. A row tells its lowest and highest
//! type, so that a question about one type reads few rows.

use jiff::civil::Date;
use rusqlite::{Connection, Row, Transaction};

use crate::history::packed::{self, Group};
use crate::history::{Run, Scope, digits};
use crate::store::StoreError;

use super::codec;
use super::made::{self, Put};
use super::select::TypeIds;

/// Bytes from which on a row is full. A group is never cut, so a row can be larger.
const ROW: usize = 64 * 1024;

/// Types up to which each is looked up by itself; beyond, one pass over all rows between them is quicker.
const LOOKUPS_MAX: usize = 32;

/// What rows have in common.
pub(super) struct Rows {
    sensor: i64,
    /// The store's numbers of the marks, by those in the sightings.
    marks: String,
    open: bool,
}

/// A row to be written.
struct NewRow {
    day: i64,
    types: (i64, i64),
    groups: Vec<u8>,
    checksum: i64,
}

impl Rows {
    /// Rows of windows that the capture's end left `open`, or of such that closed.
    pub(super) fn new(sensor: i64, marks: &[usize], open: bool) -> Result<Rows, StoreError> {
        Ok(Rows { sensor, marks: codec::json(&marks)?, open })
    }

    /// Writes runs. `ids` are the store's numbers of their types.
    pub(super) fn write_runs(
        &self,
        transaction: &Transaction<'_>,
        runs: &[Run],
        ids: &[i64],
        threads: usize,
    ) -> Result<(), StoreError> {
        let make = |put: Put<'_, NewRow>| runs.iter().try_for_each(|run| self.make_run(run, ids, put));
        made::ahead(threads, make, self.writer(transaction)?)
    }

    /// Writes groups that have the store's numbers, in their order.
    pub(super) fn write_groups(
        &self,
        transaction: &Transaction<'_>,
        day: Date,
        groups: &[Group<'_>],
    ) -> Result<(), StoreError> {
        self.make(day, groups, &mut self.writer(transaction)?)
    }

    fn writer<'t>(
        &'t self,
        transaction: &'t Transaction<'_>,
    ) -> Result<impl FnMut(NewRow) -> Result<(), StoreError> + use<'t>, StoreError> {
        let sql = "INSERT INTO chunk (sensor, day, open, first_type, last_type, marks, groups, checksum)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let mut insert = transaction.prepare_cached(sql)?;
        Ok(move |row: NewRow| {
            let NewRow { day, types: (first, last), groups, checksum } = row;
            insert.execute((self.sensor, day, self.open, first, last, &self.marks, groups, checksum))?;
            Ok(())
        })
    }

    fn make_run(&self, run: &Run, ids: &[i64], put: Put<'_, NewRow>) -> Result<(), StoreError> {
        let unknown = || StoreError::Backend("a sighting of an unknown type".to_owned());
        let bytes = run.bytes().map_err(StoreError::Spilled)?;
        let mut groups = Vec::new();
        for group in packed::groups(&bytes) {
            let group = group?;
            let id = usize::try_from(group.number).ok().and_then(|number| ids.get(number));
            groups.push(group.renumbered(codec::uncount(*id.ok_or_else(unknown)?)));
        }
        digits::sort_by(&mut groups, |group| (group.number, group.scope == Scope::Facet));
        self.make(run.day.date, &groups, put)
    }

    fn make(&self, day: Date, groups: &[Group<'_>], put: Put<'_, NewRow>) -> Result<(), StoreError> {
        let day = codec::day(day);
        let mut rest = groups;
        while !rest.is_empty() {
            let mut bytes = Vec::with_capacity(2 * ROW);
            let fits = rest.iter().take_while(|group| {
                let room = bytes.len() < ROW;
                if room {
                    group.write(&mut bytes);
                }
                room
            });
            let (row, others) = rest.split_at(fits.count());
            let types = (codec::count(row[0].number), codec::count(row[row.len() - 1].number));
            let numbers = [self.sensor, day, self.open.into(), types.0, types.1];
            let checksum = codec::checksum(&numbers, [self.marks.as_bytes(), &bytes]);
            put(NewRow { day, types, groups: bytes, checksum })?;
            rest = others;
        }
        Ok(())
    }
}

/// A row that is being read.
pub(super) struct Chunk {
    pub(super) day: Date,
    /// The store's number of each mark, by the number in the sightings.
    marks: Vec<usize>,
}

impl Chunk {
    /// Marks of a sighting of this row, in the store's numbers.
    pub(super) fn marks(&self, bits: u64) -> u64 {
        crate::store::renumbered(bits, &self.marks)
    }
}

/// Takes a group and the row that it is in.
pub(super) type Sink<'a> = &'a mut dyn FnMut(&Chunk, Group<'_>) -> Result<(), StoreError>;

/// Hands on every group of some types of a sensor, on the days that count.
pub(super) fn of_types(
    connection: &Connection,
    sensor: i64,
    types: TypeIds<'_>,
    days: &dyn Fn(Date) -> bool,
    sink: Sink<'_>,
) -> Result<(), StoreError> {
    let Some((first, last)) = types.ends() else { return Ok(()) };
    let spans: Vec<(i64, i64)> = match types {
        TypeIds::List(ids) if ids.len() <= LOOKUPS_MAX => ids.iter().map(|id| (*id, *id)).collect(),
        _ => vec![(first, last)],
    };
    let condition = "sensor = ?1 AND first_type <= ?3 AND last_type >= ?2";
    for (first, last) in spans {
        let types = types.between(first, last);
        each(connection, condition, (sensor, first, last), days, &mut |chunk, group| {
            if types.has(group.number) { sink(chunk, group) } else { Ok(()) }
        })?;
    }
    Ok(())
}

/// Hands on every group of a sensor's day.
pub(super) fn of_day(
    connection: &Connection,
    sensor: i64,
    day: i64,
    sink: Sink<'_>,
) -> Result<(), StoreError> {
    each(connection, "sensor = ?1 AND day = ?2", (sensor, day), &|_| true, sink)
}

/// Hands on the groups, of closed windows, of a sensor's days from one to another, whose types' ids lie between two.
pub(super) fn of_closed(
    connection: &Connection,
    sensor: i64,
    (first_day, last_day): (i64, i64),
    (first, last): (i64, i64),
    sink: Sink<'_>,
) -> Result<(), StoreError> {
    let condition =
        "sensor = ?1 AND day BETWEEN ?2 AND ?3 AND open = 0 AND first_type <= ?5 AND last_type >= ?4";
    let types = TypeIds::Range(first, last);
    each(connection, condition, (sensor, first_day, last_day, first, last), &|_| true, &mut |chunk, group| {
        if types.has(group.number) { sink(chunk, group) } else { Ok(()) }
    })
}

/// Hands on every group of the rows that a condition is true of, on the days that count.
fn each(
    connection: &Connection,
    condition: &str,
    values: impl rusqlite::Params,
    days: &dyn Fn(Date) -> bool,
    sink: Sink<'_>,
) -> Result<(), StoreError> {
    let sql = format!("SELECT day, marks, groups FROM chunk WHERE {condition}");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        let day = codec::date(row.get(0)?)?;
        if days(day) {
            each_group(day, row, sink)?;
        }
    }
    Ok(())
}

fn each_group(day: Date, row: &Row<'_>, sink: Sink<'_>) -> Result<(), StoreError> {
    let chunk = Chunk { day, marks: codec::unjson(row.get_ref(1)?.as_str()?)? };
    for group in packed::groups(row.get_ref(2)?.as_blob()?) {
        sink(&chunk, group?)?;
    }
    Ok(())
}
