//! Types as rows: written once, found by name through an index, by shape and family through lists that are made when
//! they are first asked for. Indexes of these would take longer to write than all sightings.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::thread;

use rusqlite::{Connection, OptionalExtension, Statement, Transaction};

use crate::behavior::{Behavior, BehaviorId, Names, Parameters, Profile, TypeList};
use crate::history::{Granularity, Selection, TypeRecord};
use crate::store::StoreError;

use super::{codec, made};

/// The ids of some types, each at its number's place; those that are new are written. In the order of the index of names,
/// which so is written from its one end to the other.
pub(super) fn write(
    transaction: &Transaction<'_>,
    types: &TypeList,
    threads: usize,
) -> Result<Vec<i64>, StoreError> {
    /// Rows that are made at once.
    const ROWS: usize = 256;
    let mut ids = vec![0; types.len()];
    let none_is_known = last(transaction)? == 0;
    let mut find = transaction.prepare_cached(FIND)?;
    let mut new = Vec::new();
    for (behavior, number) in names(types, threads) {
        match if none_is_known { None } else { found(&mut find, behavior)? } {
            Some(id) => ids[number] = id,
            None => new.push((behavior, number)),
        }
    }
    // Not `RETURNING id`: it makes SQLite copy each page it touches aside, for each row.
    let mut insert = transaction.prepare_cached(
        "INSERT INTO type (key, md5, shape, family, protocol, ports, parameters)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let row = |(behavior, number): &(BehaviorId, usize)| TypeRow::of(types, *behavior, *number);
    let make = |put: made::Put<'_, Vec<TypeRow>>| {
        new.chunks(ROWS).try_for_each(|some| put(some.iter().map(row).collect::<Result<_, _>>()?))
    };
    made::ahead(threads, make, |rows| {
        for TypeRow { number, behavior, shape, family, protocol, ports, parameters } in rows {
            let values = (key(behavior), behavior.0, shape.0, family.0, protocol, ports, parameters);
            ids[number] = insert.insert(values)?;
        }
        Ok(())
    })?;
    Ok(ids)
}

/// A type as it is written.
struct TypeRow {
    number: usize,
    behavior: BehaviorId,
    shape: BehaviorId,
    family: BehaviorId,
    protocol: String,
    ports: String,
    parameters: Vec<u8>,
}

impl TypeRow {
    fn of(types: &TypeList, behavior: BehaviorId, number: usize) -> Result<TypeRow, StoreError> {
        let parameters = types.get(number);
        let parameters =
            parameters.ok_or_else(|| StoreError::Backend("a type without parameters".to_owned()))?;
        let [shape, family] = types.shape_and_family(&parameters).map(|names| names.id);
        Ok(TypeRow {
            number,
            behavior,
            shape,
            family,
            protocol: parameters.protocol.to_string(),
            ports: parameters.ports.to_string(),
            parameters: codec::pack(&parameters)?,
        })
    }
}

/// The names of all types with their numbers, sorted as the index of names is; each thread works some out.
fn names(types: &TypeList, threads: usize) -> Vec<(BehaviorId, usize)> {
    /// Fewer are worked out before a thread has begun.
    const SHARE_MIN: usize = 256;
    let mut names: Vec<_> = (0..types.len()).map(|number| (BehaviorId([0; 16]), number)).collect();
    let work_out = |names: &mut [(BehaviorId, usize)]| {
        for (name, number) in names {
            *name = types.get(*number).map_or(*name, |parameters| types.behavior(&parameters).id);
        }
    };
    thread::scope(|scope| {
        let mut parts = names.chunks_mut(types.len().div_ceil(threads.max(1)).max(SHARE_MIN));
        let here = parts.next();
        parts.for_each(|part| {
            scope.spawn(move || work_out(part));
        });
        here.map(work_out)
    });
    names.sort_unstable_by_key(|(name, number)| (key(*name), *name, *number));
    names
}

/// The first half of a name, which the index of names holds: shorter and quicker to compare.
pub(super) fn key(behavior: BehaviorId) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = behavior.0;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The last id that there is.
pub(super) fn last(connection: &Connection) -> Result<i64, StoreError> {
    let last: Option<i64> = connection.query_row("SELECT max(id) FROM type", [], |row| row.get(0))?;
    Ok(last.unwrap_or(0))
}

const FIND: &str = "SELECT id FROM type WHERE key = ?1 AND md5 = ?2";

/// The id of a type.
pub(super) fn find(connection: &Connection, behavior: BehaviorId) -> Result<Option<i64>, StoreError> {
    found(&mut *connection.prepare_cached(FIND)?, behavior)
}

fn found(statement: &mut Statement<'_>, behavior: BehaviorId) -> Result<Option<i64>, StoreError> {
    Ok(statement.query_row((key(behavior), behavior.0), |row| row.get(0)).optional()?)
}

/// A type, its names worked out from its parameters.
pub(super) fn read(connection: &Connection, profile: &Profile, id: i64) -> Result<TypeRecord, StoreError> {
    let (name, parameters) = kept(connection, id)?;
    let Names { behavior, shape, family } = Names::of(&parameters, profile);
    check(id, &behavior, name)?;
    Ok(TypeRecord { behavior, shape, family, parameters })
}

/// The same without shape and family.
pub(super) fn behavior(
    connection: &Connection,
    profile: &Profile,
    id: i64,
) -> Result<(Behavior, Parameters), StoreError> {
    let (name, parameters) = kept(connection, id)?;
    let behavior = Behavior::of_type(&parameters, profile);
    check(id, &behavior, name)?;
    Ok((behavior, parameters))
}

fn kept(connection: &Connection, id: i64) -> Result<(BehaviorId, Parameters), StoreError> {
    let mut statement = connection.prepare_cached("SELECT md5, parameters FROM type WHERE id = ?1")?;
    let mut rows = statement.query([id])?;
    let row = rows.next()?.ok_or_else(|| StoreError::Damaged(format!("no type {id}")))?;
    let parameters = codec::unpack(row.get_ref(1)?.as_blob()?)?;
    Ok((codec::id(row.get_ref(0)?.as_blob()?)?, parameters))
}

fn check(id: i64, behavior: &Behavior, name: BehaviorId) -> Result<(), StoreError> {
    if behavior.id == name {
        return Ok(());
    }
    Err(StoreError::Damaged(format!("type {id} has another name than its parameters give")))
}

/// The ids of the types whose parameters pass, ascending.
pub(super) fn passing(
    connection: &Connection,
    passes: &dyn Fn(&Parameters) -> bool,
) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id, parameters FROM type ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next()? {
        if passes(&codec::unpack(row.get_ref(1)?.as_blob()?)?) {
            ids.push(row.get(0)?);
        }
    }
    Ok(ids)
}

/// Names that are kept with their ids, at most.
const FOUND: usize = 1 << 16;

/// Types by shape and family. Memory: 32 bytes a type for each of them that was asked for, and 3 MB of single ones.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    /// Types that were asked for, and found: each sensor is asked for the same ones, and an id never changes.
    found: RefCell<HashMap<BehaviorId, i64>>,
    shapes: RefCell<Sorted>,
    families: RefCell<Sorted>,
}

/// Names with ids, ascending.
type Ids = Rc<Vec<([u8; 16], i64)>>;

/// The names, and the last id that there was.
type Sorted = (i64, Ids);

impl Catalogue {
    fn find(&self, connection: &Connection, behavior: BehaviorId) -> Result<Option<i64>, StoreError> {
        let mut found = self.found.borrow_mut();
        if let Some(id) = found.get(&behavior) {
            return Ok(Some(*id));
        }
        let id = find(connection, behavior)?;
        if found.len() >= FOUND {
            found.clear();
        }
        found.extend(id.map(|id| (behavior, id)));
        Ok(id)
    }

    /// The ids of the types of a selection, ascending.
    pub(super) fn types_of(
        &self,
        connection: &Connection,
        selection: &Selection,
    ) -> Result<Vec<i64>, StoreError> {
        let names = match selection.granularity {
            Granularity::Type => return Ok(self.find(connection, selection.id)?.into_iter().collect()),
            Granularity::Shape => sorted(&self.shapes, connection, "SELECT shape, id FROM type")?,
            Granularity::Family => sorted(&self.families, connection, "SELECT family, id FROM type")?,
        };
        let name = selection.id.0;
        let first = names.partition_point(|(known, _)| *known < name);
        Ok(names[first..].iter().take_while(|(known, _)| *known == name).map(|(_, id)| *id).collect())
    }
}

/// The list, made anew when there are new types.
fn sorted(kept: &RefCell<Sorted>, connection: &Connection, sql: &str) -> Result<Ids, StoreError> {
    let last = last(connection)?;
    let mut kept = kept.borrow_mut();
    if kept.0 != last {
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut names: Vec<([u8; 16], i64)> = rows.collect::<Result<_, _>>()?;
        names.sort_unstable();
        *kept = (last, Rc::new(names));
    }
    Ok(Rc::clone(&kept.1))
}
