//! Reading and writing the rows of the catalog as typed values.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::history::{DayCount, DayTotal, EngineState, Outage, Sensor};
use crate::sample::{FamilyRenames, KeptSample, SampleProfile};
use crate::store::StoreError;

use super::rows::column_of_count;
use super::schema::{has_table, put_row};
use super::segment_writer::SegmentFacts;

/// A segment as listed in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentEntry {
    /// The path relative to the history's folder.
    pub(super) path: String,
    pub(super) sensor: i64,
    pub(super) kind: String,
    /// The first and the last day of which the segment may hold rows.
    pub(super) days: (Date, Date),
    /// Whether it holds the windows that were open at the end of the sensor's last capture.
    pub(super) open: bool,
    pub(super) facts: SegmentFacts,
    /// The content hash of the only capture whose rows it holds; `None` if rows of several captures were
    /// merged.
    pub(super) capture: Option<[u8; 32]>,
}

impl SegmentEntry {
    /// Returns whether the segment may hold rows of a day.
    pub(super) fn holds(&self, day: Date) -> bool {
        self.days.0 <= day && day <= self.days.1
    }
}

/// Encodes a value as JSON.
pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Backend(error.to_string()))
}

/// Decodes a value from JSON.
pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// Encodes a value with postcard.
pub(super) fn pack<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    postcard::to_stdvec(value).map_err(|error| StoreError::Backend(error.to_string()))
}

/// Decodes a value from postcard bytes.
pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|error| StoreError::Damaged(error.to_string()))
}

pub(super) fn date(text: &str) -> Result<Date, StoreError> {
    text.parse().map_err(|_| StoreError::Damaged(format!("`{}` is no date", text.escape_default())))
}

/// Converts an SQLite integer to a count; negative numbers are damage.
pub(super) fn count_of_column(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Damaged(format!("the catalog has the count {value}")))
}

/// Calls `sink` with each row of a query.
pub(super) fn each_row(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    sink: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        sink(row)?;
    }
    Ok(())
}

/// Returns the values of a JSON column that `sql` selects alone from a table; none if the catalog has no such table.
pub(super) fn json_values<T: DeserializeOwned>(
    connection: &Connection,
    table: &str,
    sql: &str,
) -> Result<Vec<T>, StoreError> {
    let mut values = Vec::new();
    if has_table(connection, table)? {
        each_row(connection, sql, [], &mut |row| {
            values.push(from_json(row.get_ref(0)?.as_str()?)?);
            Ok(())
        })?;
    }
    Ok(values)
}

/// Returns the value of a row of `setting`, if it exists.
pub(super) fn setting(connection: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT value FROM setting WHERE name = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?)
}

/// Returns all sensors with their ids, ascending by name.
pub(super) fn sensors(connection: &Connection) -> Result<Vec<(i64, Sensor)>, StoreError> {
    let mut sensors = Vec::new();
    each_row(connection, "SELECT id, settings FROM sensor ORDER BY name", [], &mut |row| {
        let settings: String = row.get(1)?;
        sensors.push((row.get(0)?, from_json(&settings)?));
        Ok(())
    })?;
    Ok(sensors)
}

/// Returns the id and the settings of a sensor.
pub(super) fn sensor(connection: &Connection, name: &str) -> Result<(i64, Sensor), StoreError> {
    let sql = "SELECT id, settings FROM sensor WHERE name = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found: Option<(i64, String)> =
        statement.query_row([name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (id, settings) = found.ok_or_else(|| StoreError::UnknownSensor(name.to_owned()))?;
    Ok((id, from_json(&settings)?))
}

pub(super) fn put_outage(connection: &Connection, sensor: i64, outage: &Outage) -> Result<(), StoreError> {
    let Outage { first, last, reason } = outage;
    put_row(connection, "outage", &[&sensor, &first.to_string(), &last.to_string(), reason])
}

/// Inserts a recorded day, without totals.
pub(super) fn put_day(connection: &Connection, sensor: i64, day: Date) -> Result<(), StoreError> {
    let none: Option<i64> = None;
    put_row(connection, "day", &[&sensor, &day.to_string(), &none, &none, &none, &none])
}

/// Inserts a recorded day with its totals.
pub(super) fn put_total(connection: &Connection, sensor: i64, total: &DayTotal) -> Result<(), StoreError> {
    let DayTotal { count: DayCount { day, windows, packets, hosts }, types } = total;
    let [windows, packets, hosts, types] =
        [windows, packets, hosts, types].map(|value| column_of_count(*value));
    put_row(connection, "day", &[&sensor, &day.to_string(), &windows, &packets, &hosts, &types])
}

/// Deletes a recorded day.
pub(super) fn delete_day(connection: &Connection, sensor: i64, day: Date) -> Result<(), StoreError> {
    connection.execute("DELETE FROM day WHERE sensor = ?1 AND day = ?2", (sensor, day.to_string()))?;
    Ok(())
}

/// Returns all recorded days of a sensor, with their totals where these are stored.
pub(super) fn days(
    connection: &Connection,
    sensor: i64,
) -> Result<BTreeMap<Date, Option<DayTotal>>, StoreError> {
    let mut days = BTreeMap::new();
    let sql = "SELECT day, windows, packets, hosts, types FROM day WHERE sensor = ?1";
    each_row(connection, sql, [sensor], &mut |row| {
        let day = date(row.get_ref(0)?.as_str()?)?;
        let value = |at: usize| -> Result<Option<u64>, StoreError> {
            row.get::<_, Option<i64>>(at)?.map(count_of_column).transpose()
        };
        let total = match (value(1)?, value(2)?, value(3)?, value(4)?) {
            (Some(windows), Some(packets), Some(hosts), Some(types)) => {
                Some(DayTotal { count: DayCount { day, windows, packets, hosts }, types })
            }
            _ => None,
        };
        days.insert(day, total);
        Ok(())
    })?;
    Ok(days)
}

/// Stores the engine state of a sensor.
pub(super) fn put_engine_state(
    connection: &Connection,
    sensor: i64,
    resume: &EngineState,
) -> Result<(), StoreError> {
    let clock = resume.clock.map(|time| time.0);
    put_row(connection, "resume", &[&sensor, &clock, &pack(&resume.windows)?, &to_json(&resume.mark_names)?])
}

/// Returns the names of all marks, by bit number.
pub(super) fn mark_names(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    each_row(connection, "SELECT bit, name FROM mark ORDER BY bit", [], &mut |row| {
        let bit: i64 = row.get(0)?;
        if bit != column_of_count(names.len() as u64) {
            return Err(StoreError::Damaged(format!("mark {bit} follows {} others", names.len())));
        }
        names.push(row.get(1)?);
        Ok(())
    })?;
    Ok(names)
}

/// Returns the store's bit number of each mark of a capture, and inserts marks that are new.
pub(super) fn number_marks(connection: &Connection, names: &[String]) -> Result<Vec<usize>, StoreError> {
    let mut known = mark_names(connection)?;
    let mut numbers = Vec::new();
    for name in names {
        let bit = match known.iter().position(|known| known == name) {
            Some(bit) => bit,
            None => {
                crate::store::check_mark_count(known.len() + 1)?;
                put_row(connection, "mark", &[&column_of_count(known.len() as u64), name])?;
                known.push(name.clone());
                known.len() - 1
            }
        };
        numbers.push(bit);
    }
    Ok(numbers)
}

/// Returns the first day whose sightings are kept, or `None` if no sightings of the sensor were dropped.
pub(super) fn kept_from(connection: &Connection, sensor: i64) -> Result<Option<Date>, StoreError> {
    setting(connection, &kept_from_name(sensor))?.map(|text| date(&text)).transpose()
}

/// Stores the first day whose sightings are kept.
pub(super) fn put_kept_from(connection: &Connection, sensor: i64, day: Date) -> Result<(), StoreError> {
    put_row(connection, "setting", &[&kept_from_name(sensor), &day.to_string()])
}

/// Deletes the entry of [`put_kept_from`].
pub(super) fn delete_kept_from(connection: &Connection, sensor: i64) -> Result<(), StoreError> {
    connection.execute("DELETE FROM setting WHERE name = ?1", [kept_from_name(sensor)])?;
    Ok(())
}

fn kept_from_name(sensor: i64) -> String {
    format!("kept from {sensor}")
}

/// Lists a segment, or replaces the entry of the same path.
pub(super) fn put_segment(connection: &Connection, segment: &SegmentEntry) -> Result<(), StoreError> {
    let SegmentEntry { path, sensor, kind, days, open, facts, capture } = segment;
    let SegmentFacts { rows, bytes, tail, hash } = facts;
    let [rows, bytes, tail] = [rows, bytes, tail].map(|value| column_of_count(*value));
    let days = [days.0.to_string(), days.1.to_string()];
    let (open, capture) = (i64::from(*open), capture.as_ref().map(|content| content.as_slice()));
    put_row(
        connection,
        "segment",
        &[path, sensor, kind, &days[0], &days[1], &open, &rows, &bytes, &tail, hash, &capture],
    )
}

/// Removes a segment from the list. Its file stays.
pub(super) fn unlist_segment(connection: &Connection, segment: &SegmentEntry) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM segment WHERE path = ?1")?.execute([&segment.path])?;
    Ok(())
}

/// Returns the segments of one sensor, or of all sensors, ascending by path.
pub(super) fn segments(
    connection: &Connection,
    sensor: Option<i64>,
) -> Result<Vec<SegmentEntry>, StoreError> {
    let sql = "SELECT path, sensor, kind, first_day, last_day, open, rows, bytes, tail, hash, capture
               FROM segment WHERE ?1 IS NULL OR sensor = ?1 ORDER BY path";
    let mut all = Vec::new();
    each_row(connection, sql, [sensor], &mut |row| {
        let hash = |at: usize| -> Result<[u8; 32], StoreError> {
            let bytes = row.get_ref(at)?.as_blob()?;
            bytes.try_into().map_err(|_| StoreError::Damaged(format!("a hash of {} bytes", bytes.len())))
        };
        let capture = match row.get_ref(10)? {
            rusqlite::types::ValueRef::Null => None,
            _ => Some(hash(10)?),
        };
        let path: String = row.get(0)?;
        // A damaged catalog must not lead to files outside of the history's folder.
        if path.starts_with('/') || path.split('/').any(|part| part == "..") {
            return Err(StoreError::Damaged(format!("segment `{}`", path.escape_default())));
        }
        all.push(SegmentEntry {
            path,
            sensor: row.get(1)?,
            kind: row.get(2)?,
            days: (date(row.get_ref(3)?.as_str()?)?, date(row.get_ref(4)?.as_str()?)?),
            open: row.get::<_, i64>(5)? != 0,
            facts: SegmentFacts {
                rows: count_of_column(row.get(6)?)?,
                bytes: count_of_column(row.get(7)?)?,
                tail: count_of_column(row.get(8)?)?,
                hash: hash(9)?,
            },
            capture,
        });
        Ok(())
    })?;
    Ok(all)
}

pub(super) fn put_sample(connection: &Connection, sample: &KeptSample) -> Result<(), StoreError> {
    let KeptSample { path, report, profile } = sample;
    let json = match profile.runs.is_empty() {
        true => to_json(profile)?,
        // The profile of several runs follows from the runs.
        false => {
            let runs = profile.runs.clone();
            to_json(&SampleProfile { id: profile.id.clone(), runs, ..SampleProfile::default() })?
        }
    };
    put_row(connection, "sample", &[&profile.id, path, report, &json])
}

/// Returns all samples, ascending by id.
pub(super) fn samples(connection: &Connection) -> Result<Vec<KeptSample>, StoreError> {
    let mut samples = Vec::new();
    each_row(connection, "SELECT path, report, profile FROM sample ORDER BY id", [], &mut |row| {
        let mut profile: SampleProfile = from_json(row.get_ref(2)?.as_str()?)?;
        if !profile.runs.is_empty() {
            profile = SampleProfile::of_runs(&profile.id, profile.runs);
        }
        samples.push(KeptSample { path: row.get(0)?, report: row.get(1)?, profile });
        Ok(())
    })?;
    Ok(samples)
}

/// Name of the row of `setting` with the names that the user gave to malware families.
const FAMILY_RENAMES: &str = "family names";

/// Stores the names that the user gave to malware families.
pub(super) fn put_family_renames(connection: &Connection, renames: &FamilyRenames) -> Result<(), StoreError> {
    put_row(connection, "setting", &[&FAMILY_RENAMES, &to_json(renames)?])
}

/// Returns the names that the user gave to malware families.
pub(super) fn family_renames(connection: &Connection) -> Result<FamilyRenames, StoreError> {
    Ok(setting(connection, FAMILY_RENAMES)?.map(|text| from_json(&text)).transpose()?.unwrap_or_default())
}

impl From<rusqlite::types::FromSqlError> for StoreError {
    fn from(error: rusqlite::types::FromSqlError) -> StoreError {
        StoreError::Damaged(error.to_string())
    }
}
