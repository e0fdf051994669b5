//! Writing a month: entries in their order, cut into rows.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::Transaction;

use crate::history::month::{CellsWriter, Directory, Part, PartsWriter, Place, row_of};
use crate::history::{Day, Scope, SightingCounts};
use crate::store::StoreError;

use super::super::codec;
use super::{Month, host};

/// A part of a sighting on its way into a month. Sorts by type, scope, day, host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Entry {
    number: u64,
    scope: Scope,
    /// Days since the month's first.
    day: u8,
    part: Part,
}

impl Entry {
    /// A sighting of a type, scope and day of the month by the host that has this number.
    pub(in super::super) fn new(
        (number, scope, day): (u64, Scope, u8),
        host: u64,
        seen: SightingCounts,
    ) -> Entry {
        Entry { number, scope, day, part: Part { host, seen } }
    }

    /// What entries are sorted by.
    pub(in super::super) fn order(&self) -> (u64, Scope, u8, u64) {
        (self.number, self.scope, self.day, self.part.host)
    }
}

/// Writes a month's rows.
pub(in super::super) struct MonthWriter<'a> {
    transaction: &'a Transaction<'a>,
    month: Month,
    cells: CellsWriter,
    /// Which row the cells are of, and where their parts begin.
    row: Option<(u64, i64, Place)>,
    parts: PartsWriter,
    /// The id of the row that the parts will be.
    seen: i64,
}

impl<'a> MonthWriter<'a> {
    /// Begins a month.
    pub(in super::super) fn new(
        transaction: &'a Transaction<'a>,
        sensor: i64,
        first: Date,
        zone: &TimeZone,
        directory: &Directory,
    ) -> Result<MonthWriter<'a>, StoreError> {
        let days = first.series(jiff::Span::new().days(1)).take_while(|day| *day <= first.last_of_month());
        let starts: Vec<i64> = days.map(|day| Day::on(day, zone).start.0).collect();
        let sql = "INSERT INTO month (sensor, month, hosts, dropped, starts, checksum)
                   VALUES (?1, ?2, ?3, 0, ?4, ?5)";
        let (month, hosts, starts) =
            (codec::month(first), codec::count(directory.len()), codec::pack(&starts)?);
        let checksum = codec::checksum(&[sensor, month, hosts], [&starts, b""]);
        let values = (sensor, month, hosts, &starts, checksum);
        let id = transaction.prepare_cached(sql)?.insert(values)?;
        host::write(transaction, id, directory)?;
        let seen =
            transaction.query_row("SELECT coalesce(max(id), 0) + 1 FROM seen", [], |row| row.get(0))?;
        Ok(MonthWriter {
            transaction,
            month: Month::of_row(transaction, id)?,
            cells: CellsWriter::default(),
            row: None,
            parts: PartsWriter::default(),
            seen,
        })
    }

    /// Adds sightings, sorted as they are read; a host's hour can be in several entries that follow each other. No
    /// later call may have a type of an earlier one. A month's old row of some types is replaced when a type of a later row
    /// comes.
    pub(in super::super) fn add(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        let cell = |entry: &Entry| (entry.number, entry.scope, entry.day);
        let mut parts = Vec::new();
        for entries in entries.chunk_by(|a, b| cell(a) == cell(b)) {
            parts.clear();
            let Some(Entry { number, scope, day, .. }) = entries.first().copied() else { continue };
            let on = Day { date: self.month.date(day)?, start: self.month.start(day)? };
            for Entry { part, .. } in entries {
                put_together(&mut parts, *part, on);
            }
            self.push((number, scope, day), on, &parts)?;
        }
        Ok(())
    }

    fn push(&mut self, of: (u64, Scope, u8), on: Day, parts: &[Part]) -> Result<(), StoreError> {
        let row = row_of(of.0);
        if self.row.is_none_or(|(known, ..)| known != row) {
            self.end_row()?;
            self.row = Some((row, self.seen, self.parts.place()));
        }
        self.cells.push(&self.parts.push(of, &self.month.codes, on.start, parts));
        if self.parts.is_full() { self.end_seen() } else { Ok(()) }
    }

    fn end_row(&mut self) -> Result<(), StoreError> {
        let Some((row, seen, place)) = self.row.take() else { return Ok(()) };
        let cells = std::mem::take(&mut self.cells).finish();
        let number = self.month.number();
        let (id, _) = super::ids(row, self.month.sensor, (number, number))?;
        let numbers = [id, self.month.id, seen, codec::count(place.hosts), codec::count(place.details)];
        let checksum = codec::checksum(&numbers, [&cells, b""]);
        // The row of the month as it was gives way: it has been read.
        let sql = "INSERT OR REPLACE INTO cell (id, month, seen, hosts_at, details_at, cells, checksum)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let [id, month, seen, hosts, details] = numbers;
        let values = (id, month, seen, hosts, details, &cells, checksum);
        self.transaction.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    fn end_seen(&mut self) -> Result<(), StoreError> {
        let (hosts, details) = std::mem::take(&mut self.parts).finish();
        let checksum = codec::checksum(&[self.seen, self.month.id], [&hosts, &details]);
        let sql = "INSERT INTO seen (id, month, hosts, details, checksum) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = (self.seen, self.month.id, &hosts, &details, checksum);
        self.transaction.prepare_cached(sql)?.execute(values)?;
        self.seen += 1;
        Ok(())
    }

    /// Writes what is left.
    pub(in super::super) fn finish(mut self) -> Result<(), StoreError> {
        self.end_row()?;
        if self.parts.is_empty() { Ok(()) } else { self.end_seen() }
    }
}

/// Adds a part to those of a day, ascending by host: one of the same host and hour takes it in.
fn put_together(parts: &mut Vec<Part>, part: Part, on: Day) {
    let first = parts.len() - parts.iter().rev().take_while(|known| known.host == part.host).count();
    let hour = |part: &Part| on.hour(part.seen.first);
    match parts[first..].binary_search_by_key(&hour(&part), hour) {
        Ok(at) => parts[first + at].seen = parts[first + at].seen.merged(part.seen),
        Err(at) => parts.insert(first + at, part),
    }
}
