//! Reading a month: cells of some types, and the sightings behind cells.

use std::net::IpAddr;

use rusqlite::Connection;

use crate::history::month::{Cell, Part, PartsReader, Place, cells};
use crate::store::StoreError;

use super::super::codec;
use super::super::select::TypeIds;
use super::{Month, Numbers};

/// A row of cells.
struct Row {
    first_type: u64,
    seen: i64,
    place: Place,
    cells: Vec<u8>,
}

/// Hands on the cells of some types, ascending by type, scope and day.
pub(in super::super) fn each_cell(
    connection: &Connection,
    month: &Month,
    types: TypeIds<'_>,
    sink: &mut dyn FnMut(&Cell) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut read = connection.prepare_cached("SELECT first_type, cells FROM cell WHERE id = ?1")?;
    each_row(connection, month, types, &mut |id| {
        let mut rows = read.query([id])?;
        let Some(row) = rows.next()? else { return Ok(()) };
        let mut wanted = types.from(row.get(0)?);
        for cell in cells(row.get_ref(1)?.as_blob()?, codec::uncount(row.get(0)?)) {
            let cell = cell?;
            let id = codec::count(cell.number);
            if wanted.is_some_and(|wanted| wanted < id) {
                wanted = types.from(id);
            }
            match wanted {
                None => break,
                Some(wanted) if wanted == id => sink(&cell)?,
                Some(_) => {}
            }
        }
        Ok(())
    })
}

/// Takes a cell, a host of it and a part of what that host did.
type PartSink<'a> = &'a mut dyn FnMut(&Cell, IpAddr, Part) -> Result<(), StoreError>;

/// Hands on the sightings behind the cells of some types that `wants` them, by hosts that are wanted.
pub(in super::super) fn each_part(
    connection: &Connection,
    month: &Month,
    types: TypeIds<'_>,
    numbers: &Numbers,
    wants: &dyn Fn(&Cell) -> bool,
    sink: PartSink<'_>,
) -> Result<(), StoreError> {
    let mut seen = Seen::default();
    let wanted = |cell: &Cell| types.has(cell.number) && wants(cell);
    each_row(connection, month, types, &mut |id| {
        let row = read_row(connection, id)?;
        seen.each_part(connection, &row, (month, numbers), &wanted, sink)
    })
}

/// Hands on all sightings behind one row of cells.
pub(in super::super) fn parts_of_row(
    connection: &Connection,
    month: &Month,
    id: i64,
    numbers: &Numbers,
    sink: PartSink<'_>,
) -> Result<(), StoreError> {
    let row = read_row(connection, id)?;
    Seen::default().each_part(connection, &row, (month, numbers), &|_| true, sink)
}

/// The row of sightings that was read last.
#[derive(Default)]
struct Seen {
    id: Option<i64>,
    hosts: Vec<u8>,
    details: Vec<u8>,
    detailed: bool,
}

impl Seen {
    fn each_part(
        &mut self,
        connection: &Connection,
        row: &Row,
        (month, numbers): (&Month, &Numbers),
        wanted: &dyn Fn(&Cell) -> bool,
        sink: PartSink<'_>,
    ) -> Result<(), StoreError> {
        let listed: Vec<Cell> = cells(&row.cells, row.first_type).collect::<Result<_, _>>()?;
        let Some(last) = listed.iter().rposition(wanted) else { return Ok(()) };
        let listed = &listed[..=last];
        self.load_hosts(connection, row.seen)?;
        if numbers.wanted != (0..month.hosts) && !self.meets(row, month, listed, numbers)? {
            return Ok(());
        }
        self.load_details(connection)?;
        let mut reader = PartsReader::new((&self.hosts, &self.details), row.place, month.hosts);
        for cell in listed {
            let start = month.start(cell.day)?;
            if !wanted(cell) {
                reader.skip(cell, start)?;
                continue;
            }
            let mut told = Ok(());
            reader.read(cell, start, &mut |part| {
                if told.is_ok() && numbers.wanted.contains(&part.host) {
                    told = numbers.host(part.host).and_then(|host| sink(cell, host, part));
                }
            })?;
            told?;
        }
        Ok(())
    }

    fn load_hosts(&mut self, connection: &Connection, id: i64) -> Result<(), StoreError> {
        if self.id != Some(id) {
            let mut statement = connection.prepare_cached("SELECT hosts FROM seen WHERE id = ?1")?;
            self.hosts = statement.query_row([id], |row| row.get(0))?;
            (self.id, self.detailed) = (Some(id), false);
        }
        Ok(())
    }

    fn load_details(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if !self.detailed {
            let mut statement = connection.prepare_cached("SELECT details FROM seen WHERE id = ?1")?;
            self.details = statement.query_row([self.id], |row| row.get(0))?;
            self.detailed = true;
        }
        Ok(())
    }

    /// Whether any of the cells has a host that is wanted: told from the hosts alone.
    fn meets(
        &self,
        row: &Row,
        month: &Month,
        listed: &[Cell],
        numbers: &Numbers,
    ) -> Result<bool, StoreError> {
        let mut reader = PartsReader::new((&self.hosts, &[]), row.place, month.hosts);
        for cell in listed {
            if reader.has_host(cell, &numbers.wanted)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Hands on the ids of the rows that can hold one of some types.
fn each_row(
    connection: &Connection,
    month: &Month,
    types: TypeIds<'_>,
    sink: &mut dyn FnMut(i64) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    // The index alone tells which rows these are.
    let sql = "SELECT id, first_type, last_type FROM cell WHERE month = ?1 AND last_type >= ?2
               ORDER BY last_type, first_type, id";
    let mut find = connection.prepare_cached(sql)?;
    let mut next = types.from(i64::MIN);
    'seek: while let Some(wanted) = next {
        let mut rows = find.query((month.id, wanted))?;
        while let Some(row) = rows.next()? {
            let (id, first, last): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            next = types.from(first.max(next.unwrap_or(first)));
            match next {
                None => return Ok(()),
                Some(wanted) if wanted > last => continue 'seek,
                Some(_) => sink(id)?,
            }
            // The row's last type may go on in the next one.
            next = types.from(last);
        }
        return Ok(());
    }
    Ok(())
}

fn read_row(connection: &Connection, id: i64) -> Result<Row, StoreError> {
    let sql = "SELECT first_type, seen, hosts_at, details_at, cells FROM cell WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([id], |row| {
        let place = Place { hosts: codec::uncount(row.get(2)?), details: codec::uncount(row.get(3)?) };
        let first_type = codec::uncount(row.get(0)?);
        Ok(Row { first_type, seen: row.get(1)?, place, cells: row.get(4)? })
    })?)
}
