//! Reading: aggregates of packed sightings.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension};

use crate::event::Timestamp;
use crate::history::{
    CaptureSpan, Coverage, DailyCount, DayCount, DayTotal, HostList, Hosts, Outage, Resume, Selection,
    Sensor, SightingCounts,
};
use crate::sample::KeptSample;
use crate::store::{StoreError, host_summaries};

use super::codec;
use super::select::{Source, TypeIds, Wanted};

/// A transaction in which a question is answered: one state of the history, and its locks taken once.
pub(super) struct Reading<'c>(Option<&'c Connection>);

impl<'c> Reading<'c> {
    /// Begins one, unless one goes on.
    pub(super) fn begin(connection: &'c Connection) -> Result<Reading<'c>, StoreError> {
        if !connection.is_autocommit() {
            return Ok(Reading(None));
        }
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(Reading(Some(connection)))
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        // Nothing was written: however it ends, nothing is lost.
        let end = |sql: &str| self.0.map(|connection| connection.prepare_cached(sql)?.execute([]));
        if !matches!(end("COMMIT"), None | Some(Ok(_))) {
            let _ = end("ROLLBACK");
        }
    }
}

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

/// The id of a sensor.
pub(super) fn sensor_id(connection: &Connection, name: &str) -> Result<i64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id FROM sensor WHERE name = ?1")?;
    let id = statement.query_row([name], |row| row.get(0)).optional()?;
    id.ok_or_else(|| StoreError::UnknownSensor(name.to_owned()))
}

/// The time zone of a sensor.
pub(super) fn zone(connection: &Connection, sensor: i64) -> Result<TimeZone, StoreError> {
    let sql = "SELECT settings FROM sensor WHERE id = ?1";
    let settings: String = connection.query_row(sql, [sensor], |row| row.get(0))?;
    let sensor: Sensor = codec::unjson(&settings)?;
    sensor.zone().map_err(|fault| StoreError::Damaged(fault.to_string()))
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

pub(super) fn capture_spans(connection: &Connection, sensor: i64) -> Result<Vec<CaptureSpan>, StoreError> {
    let sql = "SELECT first, last, packets FROM capture WHERE sensor = ?1 AND first IS NOT NULL";
    let mut statement = connection.prepare_cached(sql)?;
    let looks = statement.query_map([sensor], |row| {
        let (first, last) = (Timestamp(row.get(0)?), Timestamp(row.get(1)?));
        Ok(CaptureSpan { first, last, packets: codec::uncount(row.get(2)?) })
    })?;
    Ok(looks.collect::<Result<_, _>>()?)
}

pub(super) fn resume(connection: &Connection, sensor: i64) -> Result<Resume, StoreError> {
    let sql = "SELECT clock, windows, mark_names FROM resume WHERE sensor = ?1";
    let found: Option<(Option<i64>, Vec<u8>, String)> =
        connection.query_row(sql, [sensor], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((clock, windows, mark_names)) = found else { return Ok(Resume::default()) };
    Ok(Resume {
        clock: clock.map(Timestamp),
        captures: captures(connection, sensor)?,
        windows: codec::unpack(&windows)?,
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

/// The series of those selections that are a single type without facets, by the type's id: all of them in one pass.
pub(super) fn series_of_types(
    source: &Source<'_>,
    ids: &[Vec<i64>],
    selections: &[Selection],
) -> Result<BTreeMap<i64, Vec<DayCount>>, StoreError> {
    let single = |(ids, selection): (&Vec<i64>, &Selection)| match ids[..] {
        [only] if !selection.facets => Some(only),
        _ => None,
    };
    let types: BTreeSet<i64> = ids.iter().zip(selections).filter_map(single).collect();
    let types: Vec<i64> = types.into_iter().collect();
    let mut series: BTreeMap<i64, Vec<DayCount>> = BTreeMap::new();
    // They come type by type.
    let (mut last, mut days) = (None, Vec::new());
    source.each_daily_count(&Wanted::of_types(TypeIds::List(&types), false), &mut |seen| {
        let DailyCount { number, day, windows, packets, hosts, .. } = *seen;
        if let Some(before) = last.filter(|last| *last != number) {
            series.insert(codec::count(before), std::mem::take(&mut days));
        }
        last = Some(number);
        days.push(DayCount { day, windows, packets, hosts });
        Ok(())
    })?;
    series.extend(last.map(|number| (codec::count(number), days)));
    Ok(series)
}

/// The series of several types together, whose hosts are counted once.
pub(super) fn series(source: &Source<'_>, types: &[i64], facets: bool) -> Result<Vec<DayCount>, StoreError> {
    let mut days: BTreeMap<Date, (u64, u64, Hosts)> = BTreeMap::new();
    source.each_sighting(&Wanted::of_types(TypeIds::List(types), facets), &mut |sighting| {
        let (windows, packets, hosts) = days.entry(sighting.day).or_default();
        *windows += sighting.counts.windows;
        *packets += sighting.counts.packets;
        hosts.insert(sighting.host);
        Ok(())
    })?;
    let counted = days.into_iter().map(|(day, (windows, packets, mut hosts))| DayCount {
        day,
        windows,
        packets,
        hosts: hosts.count(),
    });
    Ok(counted.collect())
}

pub(super) fn totals(connection: &Connection, sensor: i64) -> Result<Vec<DayTotal>, StoreError> {
    let sql = "SELECT day, windows, packets, hosts, types FROM observed
               WHERE sensor = ?1 AND windows > 0 ORDER BY day";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([sensor])?;
    let mut days = Vec::new();
    while let Some(row) = rows.next()? {
        let count = |at: usize| -> Result<u64, StoreError> { Ok(codec::uncount(row.get(at)?)) };
        let day = codec::date(row.get(0)?)?;
        let counts = DayCount { day, windows: count(1)?, packets: count(2)?, hosts: count(3)? };
        days.push(DayTotal { count: counts, types: count(4)? });
    }
    Ok(days)
}

pub(super) fn hosts(
    connection: &Connection,
    source: &Source<'_>,
    types: &[i64],
    facets: bool,
    most: usize,
) -> Result<HostList, StoreError> {
    let names = mark_names(connection)?;
    let mut seen: HashMap<IpAddr, (BTreeSet<Date>, SightingCounts)> = HashMap::new();
    source.each_sighting(&Wanted::of_types(TypeIds::List(types), facets), &mut |sighting| {
        let (days, sum) =
            seen.entry(sighting.host).or_insert_with(|| (BTreeSet::new(), SightingCounts::NONE));
        days.insert(sighting.day);
        *sum = sum.merged(sighting.counts);
        Ok(())
    })?;
    Ok(HostList::of(host_summaries(seen, &names), most))
}

pub(super) fn mark_names(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT name FROM mark ORDER BY bit")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
