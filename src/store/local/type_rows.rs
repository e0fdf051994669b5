//! The catalog's table of types: their numbers and parameters.

use rusqlite::Connection;

use crate::behavior::{Behavior, Names, Parameters, Profile};
use crate::history::TypeRecord;
use crate::store::StoreError;

use super::catalog::{count_of_column, each_row, pack, unpack};
use super::schema::{Checksum, put_row};

/// Inserts the types that the catalog does not have yet. The types come with their numbers, ascending.
///
/// # Errors
/// Fails with [`StoreError::TypeNumberCollision`] if the catalog has another type of the same number.
pub(super) fn put_types(
    connection: &Connection,
    types: &mut dyn Iterator<Item = (u64, Parameters)>,
    profile: &Profile,
) -> Result<(), StoreError> {
    let mut find = connection.prepare_cached("SELECT parameters FROM type WHERE number = ?1")?;
    let none: bool = connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM type)", [], |row| row.get(0))?;
    for (number, parameters) in types {
        let mut known = if none { None } else { Some(find.query([number.cast_signed()])?) };
        if let Some(row) = known.as_mut().map(rusqlite::Rows::next).transpose()?.flatten() {
            let kept: Parameters = unpack(row.get_ref(0)?.as_blob()?)?;
            let (kept, new) = (Behavior::of_type(&kept, profile), Behavior::of_type(&parameters, profile));
            if kept.id != new.id {
                return Err(StoreError::TypeNumberCollision(kept.canonical, new.canonical));
            }
            continue;
        }
        put_row(connection, "type", &[&number.cast_signed(), &pack(&parameters)?])?;
    }
    Ok(())
}

/// Returns the parameters of a type.
pub(super) fn parameters(connection: &Connection, number: u64) -> Result<Parameters, StoreError> {
    let mut statement = connection.prepare_cached("SELECT parameters FROM type WHERE number = ?1")?;
    let mut rows = statement.query([number.cast_signed()])?;
    let row = rows.next()?.ok_or_else(|| StoreError::Damaged(format!("no type {number} in the catalog")))?;
    unpack(row.get_ref(0)?.as_blob()?)
}

/// Returns a type with its names, which are computed from its parameters and checked against its number.
pub(super) fn type_record(
    connection: &Connection,
    profile: &Profile,
    number: u64,
) -> Result<TypeRecord, StoreError> {
    let parameters = parameters(connection, number)?;
    let Names { behavior, shape, pattern } = Names::of(&parameters, profile);
    check_number(number, &behavior)?;
    Ok(TypeRecord { behavior, shape, pattern, parameters })
}

/// Fails if a type does not have this number.
pub(super) fn check_number(number: u64, behavior: &Behavior) -> Result<(), StoreError> {
    if behavior.id.number() == number {
        return Ok(());
    }
    Err(StoreError::Damaged(format!("type {number} has parameters of another type")))
}

/// Calls `sink` with the parameters of types, whose numbers must ascend. Rows are verified by their
/// checksums, which is much faster than computing the name of each type.
pub(super) fn each_parameters(
    connection: &Connection,
    numbers: &[u64],
    sink: &mut dyn FnMut(u64, Parameters),
) -> Result<(), StoreError> {
    let many = "SELECT EXISTS (SELECT 1 FROM type LIMIT 1 OFFSET ?1)";
    let are_few: bool = connection.query_row(many, [8 * numbers.len() as i64], |row| row.get(0))?;
    let sql = "SELECT number, parameters, checksum FROM type WHERE number >= ?1 ORDER BY number";
    let mut statement = connection.prepare_cached(sql)?;
    let missing = |number: u64| StoreError::Damaged(format!("no type {number} in the catalog"));
    // Few types (less than an eighth of the table) are looked up one by one; for more, the table is scanned
    // once.
    let share = if are_few { 1 } else { numbers.len() };
    for some in numbers.chunks(share.max(1)) {
        let mut left = some.iter().copied().peekable();
        let Some(first) = left.peek().copied() else { continue };
        let mut rows = statement.query([first.cast_signed()])?;
        while let Some(next) = left.peek().copied() {
            let row = rows.next()?.ok_or_else(|| missing(next))?;
            let number = count_of_column(row.get(0)?)?;
            if number > next {
                return Err(missing(next));
            }
            if number < next {
                continue;
            }
            let mut checksum = Checksum::of_table("type");
            checksum.add(row.get_ref(0)?);
            checksum.add(row.get_ref(1)?);
            if row.get_ref(2)?.as_i64()? != checksum.finish() {
                return Err(StoreError::Damaged(format!("type {number} is not as it was written")));
            }
            sink(number, unpack(row.get_ref(1)?.as_blob()?)?);
            left.next();
        }
    }
    Ok(())
}

/// Calls `sink` with all types, ascending by number.
pub(super) fn each_type(
    connection: &Connection,
    sink: &mut dyn FnMut(u64, Parameters) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    each_row(connection, "SELECT number, parameters FROM type ORDER BY number", [], &mut |row| {
        let number: i64 = row.get(0)?;
        sink(count_of_column(number)?, unpack(row.get_ref(1)?.as_blob()?)?)
    })
}
