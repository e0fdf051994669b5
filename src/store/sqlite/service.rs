//! Types by the ports they go to. Compaction lists them; those that came since are looked through.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::behavior::{Parameters, Ports};
use crate::event::Protocol;
use crate::store::StoreError;

use super::{codec, types};

/// The ids of the types of one protocol alone and to one port alone, ascending.
pub(super) fn types_of(
    connection: &Connection,
    protocol: Protocol,
    port: u16,
) -> Result<Vec<i64>, StoreError> {
    let ports = Ports::Listed(vec![port].into()).to_string();
    let mut ids = listed(connection, &ports)?;
    let sql = "SELECT id FROM type WHERE id > ?1 AND ports = ?2 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let since = statement.query_map((last(connection)?, &ports), |row| row.get(0))?;
    ids.extend(since.collect::<Result<Vec<i64>, _>>()?);
    let mut find = connection.prepare_cached("SELECT parameters FROM type WHERE id = ?1")?;
    let mut alone = Vec::new();
    for id in ids {
        let mut rows = find.query([id])?;
        let Some(row) = rows.next()? else { return Err(StoreError::Damaged(format!("no type {id}"))) };
        let parameters: Parameters = codec::unpack(row.get_ref(0)?.as_blob()?)?;
        if parameters.is_of(protocol) {
            alone.push(id);
        }
    }
    Ok(alone)
}

fn listed(connection: &Connection, ports: &str) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT types FROM service WHERE ports = ?1")?;
    let packed: Option<Vec<u8>> = statement.query_row([ports], |row| row.get(0)).optional()?;
    packed.map_or_else(|| Ok(Vec::new()), |packed| codec::unpack(&packed))
}

/// The last type that is listed.
fn last(connection: &Connection) -> Result<i64, StoreError> {
    let last = connection
        .query_row("SELECT value FROM setting WHERE name = 'listed types'", [], |row| row.get(0))
        .optional()?;
    Ok(last.unwrap_or_else(|| "0".to_owned()).parse().unwrap_or(0))
}

/// Lists all types, if there are new ones. Memory: some 10 bytes a type.
pub(super) fn list(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let newest = types::last(transaction)?;
    if last(transaction)? == newest {
        return Ok(());
    }
    let mut services: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut statement = transaction.prepare("SELECT ports, id FROM type ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let ports = row.get_ref(0)?.as_str()?;
        match services.get_mut(ports) {
            Some(ids) => ids.push(row.get(1)?),
            None => _ = services.insert(ports.to_owned(), vec![row.get(1)?]),
        }
    }
    transaction.execute("DELETE FROM service", [])?;
    let sql = "INSERT INTO service (ports, types, checksum) VALUES (?1, ?2, ?3)";
    let mut insert = transaction.prepare_cached(sql)?;
    for (ports, ids) in services {
        let packed = codec::pack(&ids)?;
        let checksum = codec::checksum(&[], [ports.as_bytes(), &packed]);
        insert.execute((&ports, &packed, checksum))?;
    }
    let sql = "INSERT INTO setting (name, value) VALUES ('listed types', ?1)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    transaction.execute(sql, [newest.to_string()])?;
    Ok(())
}
