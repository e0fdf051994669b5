//! Reading: aggregates by the database, in few statements.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, ToSql};

use crate::behavior::{Behavior, BehaviorId, Ports, ProtocolSet};
use crate::event::Timestamp;
use crate::history::{
    Coverage, DayCount, DayTotal, Example, Granularity, HostList, HostSummary, Outage, Resume, Selection,
    Sensor, TypeRecord, TypeTotal,
};
use crate::sample::KeptSample;
use crate::store::StoreError;

use super::codec;

pub(super) fn sensors(connection: &Connection) -> Result<Vec<Sensor>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT settings FROM sensor ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut sensors = Vec::new();
    while let Some(row) = rows.next()? {
        let settings: String = row.get(0)?;
        sensors.push(codec::unjson(&settings)?);
    }
    Ok(sensors)
}

pub(super) fn coverage(connection: &Connection, sensor: i64) -> Result<Coverage, StoreError> {
    let mut coverage = Coverage::default();
    let mut statement = connection.prepare_cached("SELECT day FROM observed WHERE sensor = ?1")?;
    let mut rows = statement.query([sensor])?;
    while let Some(row) = rows.next()? {
        coverage.observed.insert(codec::date(row.get(0)?)?);
    }
    let sql = "SELECT first_day, last_day, reason FROM outage WHERE sensor = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([sensor])?;
    while let Some(row) = rows.next()? {
        let (first, last) = (codec::date(row.get(0)?)?, codec::date(row.get(1)?)?);
        coverage.outages.push(Outage { first, last, reason: row.get(2)? });
    }
    coverage.outages.sort();
    Ok(coverage)
}

pub(super) fn resume(connection: &Connection, sensor: i64) -> Result<Resume, StoreError> {
    let sql = "SELECT clock, windows, mark_names FROM resume WHERE sensor = ?1";
    let found: Option<(Option<i64>, String, String)> =
        connection.query_row(sql, [sensor], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((clock, windows, mark_names)) = found else { return Ok(Resume::default()) };
    Ok(Resume {
        clock: clock.map(Timestamp),
        captures: captures(connection, sensor)?,
        windows: codec::unjson(&windows)?,
        mark_names: codec::unjson(&mark_names)?,
    })
}

/// How many captures were fed.
pub(super) fn captures(connection: &Connection, sensor: i64) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM capture WHERE sensor = ?1";
    Ok(codec::uncount(connection.query_row(sql, [sensor], |row| row.get(0))?))
}

pub(super) fn samples(connection: &Connection) -> Result<Vec<KeptSample>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT path, report, profile FROM sample ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut samples = Vec::new();
    while let Some(row) = rows.next()? {
        let profile: String = row.get(2)?;
        let profile = codec::unjson(&profile)?;
        samples.push(KeptSample { path: row.get(0)?, report: row.get(1)?, profile });
    }
    Ok(samples)
}

/// The types of a selection, as a condition on `sighting` whose parameters are the name and the sensor.
fn condition(selection: &Selection) -> String {
    let types = match selection.granularity {
        Granularity::Type => "md5",
        Granularity::Shape => "shape",
        Granularity::Family => "family",
    };
    let facets = if selection.facets { "" } else { " AND facet = 0" };
    format!("sensor = ?1 AND type IN (SELECT id FROM type WHERE {types} = ?2){facets}")
}

fn day_count(row: &Row<'_>) -> Result<DayCount, StoreError> {
    Ok(DayCount {
        day: codec::date(row.get(0)?)?,
        windows: codec::uncount(row.get(1)?),
        packets: codec::uncount(row.get(2)?),
        hosts: codec::uncount(row.get(3)?),
    })
}

pub(super) fn series(
    connection: &Connection,
    sensor: i64,
    selections: &[Selection],
) -> Result<Vec<Vec<DayCount>>, StoreError> {
    // Each selection is answered from the primary key's range of its types alone.
    selections
        .iter()
        .map(|selection| {
            let sql = format!(
                "SELECT day, sum(windows), sum(packets), count(DISTINCT host) FROM sighting
                 WHERE {} GROUP BY day ORDER BY day",
                condition(selection)
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query((sensor, selection.id.0))?;
            let mut days = Vec::new();
            while let Some(row) = rows.next()? {
                days.push(day_count(row)?);
            }
            Ok(days)
        })
        .collect()
}

pub(super) fn totals(connection: &Connection, sensor: i64) -> Result<Vec<DayTotal>, StoreError> {
    let sql =
        "SELECT day, sum(windows), sum(packets), count(DISTINCT host), count(DISTINCT type) FROM sighting
               WHERE sensor = ?1 AND facet = 0 GROUP BY day ORDER BY day";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([sensor])?;
    let mut days = Vec::new();
    while let Some(row) = rows.next()? {
        days.push(DayTotal { count: day_count(row)?, types: codec::uncount(row.get(4)?) });
    }
    Ok(days)
}

pub(super) fn hosts(
    connection: &Connection,
    sensor: i64,
    selection: &Selection,
    most: usize,
) -> Result<HostList, StoreError> {
    let mark_names = mark_names(connection)?;
    let sql = format!(
        "SELECT (SELECT address FROM host WHERE id = host), sum(windows), sum(packets), count(DISTINCT day),
                min(first), max(last), group_concat(DISTINCT marks)
         FROM sighting WHERE {} GROUP BY host",
        condition(selection)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((sensor, selection.id.0))?;
    let mut list = HostList::default();
    let mut marked: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let address: String = row.get(0)?;
        let damaged = |_| StoreError::Damaged(format!("address {}", address.escape_debug()));
        let marks: String = row.get(6)?;
        let host = HostSummary {
            host: address.parse().map_err(damaged)?,
            windows: codec::uncount(row.get(1)?),
            packets: codec::uncount(row.get(2)?),
            days: codec::uncount(row.get(3)?),
            first: Timestamp(row.get(4)?),
            last: Timestamp(row.get(5)?),
            marks: names_of(&marks, &mark_names)?,
        };
        for name in &host.marks {
            *marked.entry(name.clone()).or_default() += 1;
        }
        list.total += 1;
        list.first = Some(list.first.map_or(host.first, |first| first.min(host.first)));
        list.last = list.last.max(Some(host.last));
        list.hosts.push(host);
    }
    list.marked = marked.into_iter().collect();
    list.hosts.sort_by(|a, b| b.windows.cmp(&a.windows).then(a.host.cmp(&b.host)));
    list.hosts.truncate(most);
    Ok(list)
}

fn mark_names(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT name FROM mark ORDER BY bit")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Names of all bits in a comma-joined list of numbers.
fn names_of(list: &str, names: &[String]) -> Result<Vec<String>, StoreError> {
    let mut bits = 0u64;
    for number in list.split(',').filter(|number| !number.is_empty()) {
        let number: i64 = number.parse().map_err(|_| StoreError::Damaged(format!("marks {list}")))?;
        bits |= number.cast_unsigned();
    }
    let held = names.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
    let mut held: Vec<String> = held.map(|(_, name)| name.clone()).collect();
    held.sort();
    Ok(held)
}

const TYPE_COLUMNS: &str = "md5, canonical, shape, shape_canonical, family, family_canonical, parameters";

pub(super) fn neighbours(
    connection: &Connection,
    sensor: i64,
    protocol: &ProtocolSet,
    ports: Option<&Ports>,
    most: usize,
) -> Result<Vec<TypeTotal>, StoreError> {
    let which =
        "facet = 0 AND type IN (SELECT id FROM type WHERE protocol = ?2 AND (?3 IS NULL OR ports = ?3))";
    let values: [&dyn ToSql; 3] = [&sensor, &protocol.to_string(), &ports.map(Ports::to_string)];
    type_totals(connection, &format!("sensor = ?1 AND {which}"), &values, most)
}

pub(super) fn types(
    connection: &Connection,
    sensor: i64,
    selection: &Selection,
    most: usize,
) -> Result<Vec<TypeTotal>, StoreError> {
    let values: [&dyn ToSql; 2] = [&sensor, &selection.id.0];
    type_totals(connection, &condition(selection), &values, most)
}

fn type_totals(
    connection: &Connection,
    condition: &str,
    values: &[&dyn ToSql],
    most: usize,
) -> Result<Vec<TypeTotal>, StoreError> {
    let sql = format!(
        "SELECT {TYPE_COLUMNS}, windows, packets, hosts FROM
             (SELECT type AS of, sum(windows) AS windows, sum(packets) AS packets, count(DISTINCT host) AS hosts
              FROM sighting WHERE {condition} GROUP BY type)
         JOIN type ON type.id = of ORDER BY windows DESC, md5 LIMIT {}",
        codec::count(most as u64)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(values)?;
    let mut totals = Vec::new();
    while let Some(row) = rows.next()? {
        totals.push(TypeTotal {
            record: type_record(row)?,
            windows: codec::uncount(row.get(7)?),
            packets: codec::uncount(row.get(8)?),
            hosts: codec::uncount(row.get(9)?),
        });
    }
    Ok(totals)
}

fn type_record(row: &Row<'_>) -> Result<TypeRecord, StoreError> {
    let behavior = |at: usize| -> Result<Behavior, StoreError> {
        let bytes: Vec<u8> = row.get(at)?;
        Ok(Behavior { id: codec::id(&bytes)?, canonical: row.get(at + 1)? })
    };
    let parameters: String = row.get(6)?;
    Ok(TypeRecord {
        behavior: behavior(0)?,
        shape: behavior(2)?,
        family: behavior(4)?,
        parameters: codec::unjson(&parameters)?,
    })
}

pub(super) fn example(
    connection: &Connection,
    sensor: i64,
    behavior: BehaviorId,
) -> Result<Option<Example>, StoreError> {
    let sql = "SELECT start, host, packets FROM example
               WHERE sensor = ?1 AND type = (SELECT id FROM type WHERE md5 = ?2) ORDER BY start, host LIMIT 1";
    let found: Option<(i64, String, String)> = connection
        .query_row(sql, (sensor, behavior.0), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((start, host, packets)) = found else { return Ok(None) };
    let damaged = |_| StoreError::Damaged(format!("address {}", host.escape_debug()));
    Ok(Some(Example {
        behavior,
        host: host.parse().map_err(damaged)?,
        start: Timestamp(start),
        packets: codec::unjson(&packets)?,
    }))
}
