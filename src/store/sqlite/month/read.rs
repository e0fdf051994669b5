//! Reading months of a sensor: cells of some types, and the sightings behind cells.

use rusqlite::{Connection, Row};

use crate::history::Scope;
use crate::history::month::{All, Cell, Cells, DetailsReader, Hit, HostsReader, Part, Place, row_of};
use crate::store::StoreError;

use super::super::codec;
use super::super::select::TypeIds;
use super::{Month, Numbers, ids, month_of_id, row_of_id, types_of_row};

/// Hands on the cells of some types in some months of a sensor: rows of types ascending, in each the months, in each of
/// these cells by type, scope and day.
pub(in super::super) fn each_cell(
    connection: &Connection,
    months: &[Month],
    types: TypeIds<'_>,
    sink: &mut dyn FnMut(&Month, &Cell) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sql = "SELECT id, cells FROM cell WHERE id BETWEEN ?1 AND ?2";
    each_row(connection, sql, months, types, &mut |at, types, row| {
        let month = &months[at];
        let cells = Cells::of(row.get_ref(1)?.as_blob()?, row_of_id(row.get(0)?))?;
        if let TypeIds::List(ids) = types {
            for id in ids {
                cells.of_type(codec::uncount(*id))?.try_for_each(|cell| sink(month, &cell?))?;
            }
            return Ok(());
        }
        cells.all().try_for_each(|cell| match cell? {
            cell if types.has(cell.number) => sink(month, &cell),
            _ => Ok(()),
        })
    })
}

/// Takes a row, the place of its month among some, and the types that are wanted of it.
type RowSink<'a> = &'a mut dyn FnMut(usize, TypeIds<'_>, &Row<'_>) -> Result<(), StoreError>;

/// Hands on the rows of some months of a sensor that can hold one of some types; `sql` selects them by their ids from
/// one to another, the id first.
fn each_row(
    connection: &Connection,
    sql: &str,
    months: &[Month],
    types: TypeIds<'_>,
    sink: RowSink<'_>,
) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (months.first(), months.last()) else { return Ok(()) };
    let types = match types {
        TypeIds::List(_) => types,
        TypeIds::Range(..) => types.between(0, last_type(connection)?),
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut next = types.from(0);
    while let Some(wanted) = next {
        let at = row_of(codec::uncount(wanted));
        let (_, high) = types_of_row(at);
        let here = types.between(wanted, high);
        let mut rows = statement.query(ids(at, first.sensor, (first.number(), last.number()))?)?;
        while let Some(row) = rows.next()? {
            let number = month_of_id(row.get(0)?);
            if let Ok(at) = months.binary_search_by_key(&number, Month::number) {
                sink(at, here, row)?;
            }
        }
        next = high.checked_add(1).and_then(|after| types.from(after));
    }
    Ok(())
}

/// The last type that a row can hold.
fn last_type(connection: &Connection) -> Result<i64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT max(id) FROM cell")?;
    let last: Option<i64> = statement.query_row([], |row| row.get(0))?;
    Ok(last.map_or(-1, |id| types_of_row(row_of_id(id)).1))
}

/// Takes the place of a month among some, a cell of it and a part, its host by number.
pub(in super::super) type PartSink<'a> = &'a mut dyn FnMut(usize, &Cell, Part) -> Result<(), StoreError>;

/// The same of one month's.
type OfCell<'a> = &'a mut dyn FnMut(&Cell, Part) -> Result<(), StoreError>;

/// Which cells of some months are wanted.
#[derive(Clone, Copy)]
pub(in super::super) enum Wants<'a> {
    /// Those of some days, a bit each, by month; of facets, too, or not.
    Days(&'a [u32], bool),
    /// Those of which this is true; it takes the month's place.
    Of(&'a dyn Fn(usize, &Cell) -> bool),
}

/// The same of one month.
#[derive(Clone, Copy)]
enum WantsOne<'a> {
    Days(u32, bool),
    Of(usize, &'a dyn Fn(usize, &Cell) -> bool),
}

impl<'a> Wants<'a> {
    fn at(self, at: usize) -> WantsOne<'a> {
        match self {
            Wants::Days(days, facets) => WantsOne::Days(days.get(at).copied().unwrap_or(0), facets),
            Wants::Of(wants) => WantsOne::Of(at, wants),
        }
    }
}

impl WantsOne<'_> {
    fn has(self, cell: &Cell) -> bool {
        match self {
            WantsOne::Days(days, facets) => {
                days >> cell.day & 1 == 1 && (facets || cell.scope == Scope::Whole)
            }
            WantsOne::Of(at, wants) => wants(at, cell),
        }
    }
}

/// Hands on the sightings behind the cells of some types that `wants` them, by hosts that are wanted: of some months of a
/// sensor, each with its hosts.
pub(in super::super) fn each_part(
    connection: &Connection,
    (months, numbers): (&[Month], &[Numbers]),
    types: TypeIds<'_>,
    wants: Wants<'_>,
    sink: PartSink<'_>,
) -> Result<(), StoreError> {
    let sql = "SELECT id, seen, hosts_at, details_at, cells FROM cell WHERE id BETWEEN ?1 AND ?2";
    let mut seen: Vec<Seen> = months.iter().map(|_| Seen::default()).collect();
    each_row(connection, sql, months, types, &mut |at, types, row| {
        let of = (&months[at], &numbers[at]);
        let mut sink = |cell: &Cell, part: Part| sink(at, cell, part);
        seen[at].each_part(connection, of, row, (types, wants.at(at)), &mut sink)
    })
}

/// Hands on all sightings behind one row of cells.
pub(in super::super) fn parts_of_row(
    connection: &Connection,
    id: i64,
    of: (&Month, &Numbers),
    sink: OfCell<'_>,
) -> Result<(), StoreError> {
    let sql = "SELECT id, seen, hosts_at, details_at, cells FROM cell WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    match rows.next()? {
        Some(row) => {
            let all = (TypeIds::ALL, WantsOne::Days(u32::MAX, true));
            Seen::default().each_part(connection, of, row, all, sink)
        }
        None => Err(StoreError::Damaged(format!("no row {id} of observations"))),
    }
}

/// The row of sightings that was read last, and what is wanted of it.
#[derive(Default)]
struct Seen {
    id: Option<i64>,
    hosts: Vec<u8>,
    details: Vec<u8>,
    detailed: bool,
    hits: Vec<Hit>,
}

impl Seen {
    fn each_part(
        &mut self,
        connection: &Connection,
        (month, numbers): (&Month, &Numbers),
        row: &Row<'_>,
        (types, wants): (TypeIds<'_>, WantsOne<'_>),
        sink: OfCell<'_>,
    ) -> Result<(), StoreError> {
        let mut id: i64 = row.get(1)?;
        let mut place = Place { hosts: codec::uncount(row.get(2)?), details: codec::uncount(row.get(3)?) };
        let Some((_, last)) = types.ends() else { return Ok(()) };
        let last = codec::uncount(last);
        let mut cells = Cells::of(row.get_ref(4)?.as_blob()?, row_of_id(row.get(0)?))?.all();
        loop {
            // Where one row of sightings is full, the next one goes on.
            let here = cells.clone();
            if cells.clone().next().is_none_or(|cell| cell.is_ok_and(|cell| cell.number > last)) {
                return Ok(());
            }
            self.load_hosts(connection, id)?;
            self.hits.clear();
            let mut reader = HostsReader::new(&self.hosts, place.hosts, &month.codes);
            let (mut at, mut cell) = (0, Cell::NONE);
            while cells.read(&mut cell)? && cell.number <= last {
                if types.has(cell.number) && wants.has(&cell) {
                    reader.find((at, &cell), &numbers.wanted, &mut self.hits)?;
                } else {
                    reader.pass(&cell)?;
                }
                at += 1;
                if reader.is_full() {
                    break;
                }
            }
            let ended = !reader.is_full();
            if !self.hits.is_empty() {
                self.load_details(connection)?;
                self.tell(here, place.details, month, sink)?;
            }
            if ended {
                return Ok(());
            }
            (id, place) = (id + 1, Place::default());
        }
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

    /// Hands on what was found of these cells.
    fn tell(&self, mut cells: All<'_>, at: u64, month: &Month, sink: OfCell<'_>) -> Result<(), StoreError> {
        let mut reader = DetailsReader::new(&self.details, at);
        let mut hits = &self.hits[..];
        let (mut next, mut cell) = (0, Cell::NONE);
        // Most cells have none: where one host is wanted, one in some hundred has.
        while let Some(place) = hits.first().map(|hit| hit.cell) {
            while next <= place {
                if !cells.read(&mut cell)? {
                    return Ok(());
                }
                if next < place {
                    reader.pass(&cell)?;
                }
                next += 1;
            }
            let here = hits.iter().take_while(|hit| hit.cell == place).count();
            let (here, others) = hits.split_at(here);
            let mut told = Ok(());
            reader.read(&cell, month.start(cell.day)?, here, &mut |part| {
                if told.is_ok() {
                    told = sink(&cell, part);
                }
            })?;
            told?;
            hits = others;
        }
        Ok(())
    }
}
