//! The catalog's tables of captures, and of the engine state before the newest capture of each sensor.

use std::collections::BTreeSet;

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension};

use crate::history::{
    CaptureRecord, Coverage, EngineState, JoinedParts, Outage, RollbackPoint, Sensor, join_parts,
};
use crate::packet::Timestamp;
use crate::store::{StoreError, zone_of};

use super::catalog::{count_of_column, date, each_row, from_json, pack, to_json, unpack};
use super::schema::put_row;

/// Inserts the record of a capture, or replaces it.
pub(super) fn put_capture(
    connection: &Connection,
    sensor: i64,
    capture: &CaptureRecord,
    merged: bool,
) -> Result<(), StoreError> {
    put_row(connection, "capture", &[&sensor, &capture.content, &to_json(capture)?, &i64::from(merged)])
}

/// Deletes the record of a capture. Its segments stay.
pub(super) fn delete_capture(
    connection: &Connection,
    sensor: i64,
    content: &[u8; 32],
) -> Result<(), StoreError> {
    connection.execute("DELETE FROM capture WHERE sensor = ?1 AND content = ?2", (sensor, content))?;
    Ok(())
}

/// Marks captures as merged: their rows share segments with rows of other captures, so that they can no
/// longer be removed by themselves.
pub(super) fn mark_merged(
    connection: &Connection,
    sensor: i64,
    contents: &BTreeSet<[u8; 32]>,
) -> Result<(), StoreError> {
    if contents.is_empty() {
        return Ok(());
    }
    let captures = captures(connection, sensor)?;
    let mut of_these = captures.iter().filter(|capture| contents.contains(&capture.content));
    of_these.try_for_each(|capture| put_capture(connection, sensor, capture, true))
}

/// Joins the records of parts of growing files ([`join_parts`]) that ended by the end of `last_day` and whose rows
/// lie in no segment of their own any more, so that none of them could be removed by itself. `listed` are the
/// segments of the sensor, and the newest capture stays as it is.
pub(super) fn join_records(
    connection: &Connection,
    (id, sensor): (i64, &Sensor),
    listed: &BTreeSet<[u8; 32]>,
    last_day: Date,
) -> Result<(), StoreError> {
    let zone = zone_of(sensor)?;
    let newest = newest_capture(connection, id)?;
    let may_join = |one: &CaptureRecord| {
        let is_over = one.last().is_some_and(|last| last.day(&zone) <= last_day);
        is_over && !listed.contains(&one.content) && newest != Some(one.content)
    };
    for JoinedParts { record, parts } in join_parts(&captures(connection, id)?, &may_join) {
        parts.iter().try_for_each(|content| delete_capture(connection, id, content))?;
        put_capture(connection, id, &record, true)?;
    }
    Ok(())
}

/// Returns whether a capture was merged or cut, or `None` if there is no such capture.
pub(super) fn is_merged(
    connection: &Connection,
    sensor: i64,
    content: &[u8; 32],
) -> Result<Option<bool>, StoreError> {
    let sql = "SELECT merged FROM capture WHERE sensor = ?1 AND content = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let merged: Option<i64> = statement.query_row((sensor, content), |row| row.get(0)).optional()?;
    Ok(merged.map(|merged| merged != 0))
}

/// Stores the engine state before the newest capture.
pub(super) fn put_rollback_point(
    connection: &Connection,
    sensor: i64,
    RollbackPoint { content, engine_state: resume }: &RollbackPoint,
) -> Result<(), StoreError> {
    let clock = resume.clock.map(|time| time.0);
    let (windows, names) = (pack(&resume.windows)?, to_json(&resume.mark_names)?);
    put_row(connection, "before_newest", &[&sensor, content, &clock, &windows, &names])
}

/// Deletes the engine state before the newest capture, which can then be removed only in the way of earlier
/// captures.
pub(super) fn delete_rollback_point(connection: &Connection, sensor: i64) -> Result<(), StoreError> {
    connection.execute("DELETE FROM before_newest WHERE sensor = ?1", [sensor])?;
    Ok(())
}

/// Returns the newest capture with the engine state before it, if that state is stored.
pub(super) fn rollback_point(
    connection: &Connection,
    sensor: i64,
) -> Result<Option<RollbackPoint>, StoreError> {
    let mut found = None;
    let sql = "SELECT content, clock, windows, mark_names FROM before_newest WHERE sensor = ?1";
    each_row(connection, sql, [sensor], &mut |row| {
        let content = row.get_ref(0)?.as_blob()?;
        let content =
            content.try_into().map_err(|_| StoreError::Damaged("a hash of a wrong length".to_owned()))?;
        let resume = EngineState {
            captures: 0,
            clock: row.get::<_, Option<i64>>(1)?.map(Timestamp),
            windows: unpack(row.get_ref(2)?.as_blob()?)?,
            mark_names: from_json(row.get_ref(3)?.as_str()?)?,
        };
        found = Some(RollbackPoint { content, engine_state: resume });
        Ok(())
    })?;
    Ok(found)
}

/// Returns the content hash of a sensor's newest capture if it can still be removed as if it had never been
/// fed.
pub(super) fn newest_capture(connection: &Connection, sensor: i64) -> Result<Option<[u8; 32]>, StoreError> {
    let sql = "SELECT content FROM before_newest WHERE sensor = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([sensor], |row| row.get(0)).optional()?)
}

/// Returns the captures of a sensor in time order.
pub(super) fn captures(connection: &Connection, sensor: i64) -> Result<Vec<CaptureRecord>, StoreError> {
    let mut captures = Vec::new();
    each_row(connection, "SELECT record FROM capture WHERE sensor = ?1", [sensor], &mut |row| {
        captures.push(from_json(row.get_ref(0)?.as_str()?)?);
        Ok(())
    })?;
    captures.sort_by(CaptureRecord::cmp_by_time);
    Ok(captures)
}

/// Returns whether the sensor has a capture with this content hash.
pub(super) fn has_capture(
    connection: &Connection,
    sensor: i64,
    content: &[u8; 32],
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM capture WHERE sensor = ?1 AND content = ?2)";
    Ok(connection.prepare_cached(sql)?.query_row((sensor, content), |row| row.get(0))?)
}

/// Returns the number of captures of a sensor.
pub(super) fn capture_count(connection: &Connection, sensor: i64) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM capture WHERE sensor = ?1";
    count_of_column(connection.prepare_cached(sql)?.query_row([sensor], |row| row.get(0))?)
}

/// Returns how many captures of a sensor were stored, those included whose records were joined. Joining records does not
/// change it, so that it tells whether anything was stored or removed since it was asked.
pub(super) fn stored_captures(connection: &Connection, sensor: i64) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) + coalesce(sum(json_extract(record, '$.part.joined')), 0) FROM capture WHERE sensor = ?1";
    count_of_column(connection.prepare_cached(sql)?.query_row([sensor], |row| row.get(0))?)
}

/// Returns the coverage of a sensor.
pub(super) fn coverage(connection: &Connection, id: i64, sensor: &Sensor) -> Result<Coverage, StoreError> {
    let mut outages = Vec::new();
    let sql = "SELECT first_day, last_day, reason FROM outage WHERE sensor = ?1";
    each_row(connection, sql, [id], &mut |row| {
        let (first, last) = (date(row.get_ref(0)?.as_str()?)?, date(row.get_ref(1)?.as_str()?)?);
        outages.push(Outage { first, last, reason: row.get(2)? });
        Ok(())
    })?;
    crate::store::coverage_of(sensor, &captures(connection, id)?, outages)
}

/// Returns the engine state of a sensor; the default state if none is stored.
pub(super) fn engine_state(connection: &Connection, sensor: i64) -> Result<EngineState, StoreError> {
    let captures = stored_captures(connection, sensor)?;
    let mut found = EngineState { captures, ..EngineState::default() };
    let sql = "SELECT clock, windows, mark_names FROM resume WHERE sensor = ?1";
    each_row(connection, sql, [sensor], &mut |row| {
        found.clock = row.get::<_, Option<i64>>(0)?.map(Timestamp);
        found.windows = unpack(row.get_ref(1)?.as_blob()?)?;
        found.mark_names = from_json(row.get_ref(2)?.as_str()?)?;
        Ok(())
    })?;
    Ok(found)
}
