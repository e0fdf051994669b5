//! A history asked in SQL: views that unpack what is packed.

use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::behavior::{Behavior, Profile};
use crate::history::Scope;
use crate::history::month::{Cell, Cells};
use crate::history::packed::{self, Damaged};
use crate::store::StoreError;

use super::month::{self, Month, Numbers};
use super::select::Source;
use super::{SqliteStore, codec};

/// What `inga sql` offers beside the tables, for this connection only: it needs functions that it brings. A day that lies
/// in its month alone has its observations there; else they are counted, a day at once. Sensors come first in each
/// join, so that a question about one unpacks nothing of the others.
const VIEWS: &str = "
CREATE TEMP VIEW IF NOT EXISTS inga_loose AS SELECT DISTINCT sensor, day FROM chunk;
CREATE TEMP VIEW IF NOT EXISTS inga_part AS
    SELECT chunk.sensor AS sensor, 0 AS month, chunk.day AS day, entry.value ->> 0 AS type, entry.value ->> 1 AS facet,
           entry.value ->> 2 AS host, entry.value ->> 3 AS windows, entry.value ->> 4 AS packets,
           entry.value ->> 5 AS first, entry.value ->> 6 AS last
    FROM chunk JOIN json_each(inga_unpacked(chunk.day, chunk.groups)) AS entry
    UNION ALL
    SELECT month.sensor, month.id, entry.value ->> 7, entry.value ->> 0, entry.value ->> 1, entry.value ->> 2,
           entry.value ->> 3, entry.value ->> 4, entry.value ->> 5, entry.value ->> 6
    FROM month JOIN cell ON cell.month = month.id JOIN json_each(inga_month(cell.id)) AS entry
    WHERE month.dropped = 0;
CREATE TEMP VIEW IF NOT EXISTS sightings AS
    SELECT sensor.name AS sensor, date(part.day * 86400, 'unixepoch') AS day, part.host AS host,
           lower(hex(type.md5)) AS type, inga_canonical(type.parameters) AS canonical, part.facet AS facet,
           sum(part.windows) AS windows, sum(part.packets) AS packets, min(part.first) AS first, max(part.last) AS last
    FROM inga_part AS part JOIN sensor ON sensor.id = part.sensor JOIN type ON type.id = part.type
    GROUP BY part.sensor, part.day, part.type, part.facet, part.host;
CREATE TEMP VIEW IF NOT EXISTS observation AS
    SELECT sensor.name AS sensor, date(loose.day * 86400, 'unixepoch') AS day, lower(hex(type.md5)) AS type,
           inga_canonical(type.parameters) AS canonical, entry.value ->> 1 AS windows, entry.value ->> 2 AS packets,
           entry.value ->> 3 AS hosts
    FROM sensor CROSS JOIN inga_loose AS loose ON loose.sensor = sensor.id
         CROSS JOIN json_each(inga_counted(loose.sensor, loose.day)) AS entry
         CROSS JOIN type ON type.id = entry.value ->> 0
    UNION ALL
    SELECT sensor.name, date(inga_day(month.month, entry.value ->> 2) * 86400, 'unixepoch'), lower(hex(type.md5)),
           inga_canonical(type.parameters), entry.value ->> 3, entry.value ->> 4, entry.value ->> 5
    FROM sensor CROSS JOIN month ON month.sensor = sensor.id CROSS JOIN cell ON cell.month = month.id
         CROSS JOIN json_each(inga_cells(cell.id, cell.cells)) AS entry
         CROSS JOIN type ON type.id = entry.value ->> 0
    WHERE entry.value ->> 1 = 0
        AND (month.sensor, inga_day(month.month, entry.value ->> 2)) NOT IN inga_loose;
";

/// Rows, and bytes of packed values, by what they are.
pub const INFO: &str = "
    SELECT 'sensors' AS what, count(*) AS rows, sum(length(settings)) AS bytes FROM sensor
    UNION ALL SELECT 'captures', count(*), NULL FROM capture
    UNION ALL SELECT 'observed days', count(*), NULL FROM observed
    UNION ALL SELECT 'outages', count(*), NULL FROM outage
    UNION ALL SELECT 'types', count(*), sum(length(parameters)) FROM type
    UNION ALL SELECT 'rows of packed sightings', count(*), sum(length(groups)) FROM chunk
    UNION ALL SELECT 'months put together', count(*), NULL FROM month
    UNION ALL SELECT 'rows of observations of months', count(*), sum(length(cells)) FROM cell
    UNION ALL SELECT 'rows of sightings of months', count(*), sum(length(hosts) + length(details)) FROM seen
    UNION ALL SELECT 'blocks of hosts of months', count(*), sum(length(hosts)) FROM host
    UNION ALL SELECT 'rows of packed examples', count(*), sum(length(examples)) FROM example
    UNION ALL SELECT 'open windows of sensors', count(*), sum(length(windows)) FROM resume
    UNION ALL SELECT 'samples', count(*), sum(length(profile)) FROM sample
    UNION ALL SELECT 'pages of the file', page_count, page_count * page_size
        FROM pragma_page_count, pragma_page_size";

/// Takes the names of the columns, then each row; answers whether to go on. Blobs come as hexadecimal text.
pub type RowSink<'a> = &'a mut dyn FnMut(&[String], Option<&[Value]>) -> bool;

impl SqliteStore {
    /// Answers a query in SQL that changes nothing. `sink` hears of the columns once, without a row, then of each row.
    ///
    /// # Errors
    /// When the query is wrong or would change something.
    pub fn sql(&self, query: &str, sink: RowSink<'_>) -> Result<(), StoreError> {
        self.offer_views()?;
        let mut statement = self.connection.prepare(query)?;
        if !statement.readonly() {
            return Err(StoreError::Backend(
                "the query would change the history; only readonly ones are answered".to_owned(),
            ));
        }
        let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut going = sink(&columns, None);
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()?.filter(|_| going) {
            let cells = (0..columns.len()).map(|at| Ok(cell(row.get_ref(at)?)));
            going = sink(&columns, Some(&cells.collect::<Result<Vec<_>, StoreError>>()?));
        }
        Ok(())
    }

    fn offer_views(&self) -> Result<(), StoreError> {
        let pure = FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_UTF8;
        let profile = self.profile.clone();
        let to = &self.connection;
        to.create_scalar_function("inga_unpacked", 2, pure, unpacked)?;
        to.create_scalar_function("inga_canonical", 1, pure, move |context| canonical(context, &profile))?;
        to.create_scalar_function("inga_cells", 2, pure, unpacked_cells)?;
        to.create_scalar_function("inga_day", 2, pure, |context| {
            let first = codec::first_of_month(context.get(0)?).map_err(failed)?;
            Ok(codec::day(first) + context.get::<i64>(1)?)
        })?;
        // What is looked up while the asking connection is at work has connections of its own.
        let path = self.connection.path().unwrap_or_default();
        let reader = || Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let counting = Mutex::new(reader()?);
        to.create_scalar_function("inga_counted", 2, pure, move |context| {
            let reader = counting.lock().unwrap_or_else(PoisonError::into_inner);
            counted(&reader, context.get(0)?, context.get(1)?).map_err(failed)
        })?;
        let months = Mutex::new(Months { reader: reader()?, last: None });
        to.create_scalar_function("inga_month", 1, pure, move |context| {
            let mut months = months.lock().unwrap_or_else(PoisonError::into_inner);
            months.unpacked(context.get(0)?).map_err(failed)
        })?;
        to.execute_batch(VIEWS)?;
        Ok(to.pragma_update(None, "query_only", "ON")?)
    }
}

/// Unpacks rows of months, the last month's hosts at hand.
struct Months {
    reader: Connection,
    last: Option<(Month, Numbers)>,
}

impl Months {
    /// The sightings behind a row of cells as JSON: as [`unpacked`], and the day.
    fn unpacked(&mut self, cell: i64) -> Result<String, StoreError> {
        let sql = "SELECT month FROM cell WHERE id = ?1";
        let id: i64 = self.reader.query_row(sql, [cell], |row| row.get(0))?;
        if self.last.as_ref().is_none_or(|(month, _)| month.id != id) {
            let month = Month::of_row(&self.reader, id)?;
            let numbers = Numbers::of(&self.reader, &month, None)?;
            self.last = Some((month, numbers));
        }
        let Some((month, numbers)) = &self.last else { return Ok(String::new()) };
        let mut rows = Vec::new();
        month::parts_of_row(&self.reader, cell, (month, numbers), &mut |cell, part| {
            let host = numbers.host(&self.reader, part.host)?;
            let facet = u8::from(cell.scope == Scope::Facet);
            let (first, last) = (part.seen.first.to_string(), part.seen.last.to_string());
            let day = codec::day(month.date(cell.day)?);
            rows.push((cell.number, facet, host, part.seen.windows, part.seen.packets, first, last, day));
            Ok(())
        })?;
        codec::json(&rows)
    }
}

/// The observations of a day as JSON: an array each of type id, windows, packets, hosts.
fn counted(reader: &Connection, sensor: i64, day: i64) -> Result<String, StoreError> {
    let found = Source::new(reader, sensor)?.of_day(codec::date(day)?)?;
    let rows: Vec<_> =
        found.iter().map(|seen| (seen.number, seen.windows, seen.packets, seen.hosts)).collect();
    codec::json(&rows)
}

/// The cells of a row as JSON: an array a cell of type id, facet or not, day of the month from 0, windows, packets, hosts.
fn unpacked_cells(context: &Context<'_>) -> rusqlite::Result<String> {
    let row_of = month::row_of_id(context.get(0)?);
    let bytes = context.get_raw(1).as_blob().map_err(failed)?;
    let row = |cell: Result<Cell, Damaged>| {
        let Cell { number, scope, day, windows, packets, hosts, .. } = cell?;
        Ok((number, u8::from(scope == Scope::Facet), day, windows, packets, hosts))
    };
    let cells = Cells::of(bytes, row_of).map_err(failed)?;
    let rows: Vec<_> = cells.all().map(row).collect::<Result<_, Damaged>>().map_err(failed)?;
    codec::json(&rows).map_err(failed)
}

fn cell(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(Box::new(error))
}

/// The groups of a row as JSON: an array a sighting of type id, facet or not, host, windows, packets, first, last.
fn unpacked(context: &Context<'_>) -> rusqlite::Result<String> {
    let day = codec::date(context.get(0)?).map_err(failed)?;
    let bytes = context.get_raw(1).as_blob().map_err(failed)?;
    rows(day, bytes).map_err(failed)
}

fn rows(day: Date, bytes: &[u8]) -> Result<String, Damaged> {
    let mut rows = Vec::new();
    for group in packed::groups(bytes) {
        let group = group?;
        for sighting in group.sightings(day) {
            let (host, seen) = sighting?;
            let facet = u8::from(group.scope == Scope::Facet);
            let (first, last) = (seen.first.to_string(), seen.last.to_string());
            rows.push((group.number, facet, host, seen.windows, seen.packets, first, last));
        }
    }
    serde_json::to_string(&rows).map_err(|_| Damaged)
}

fn canonical(context: &Context<'_>, profile: &Profile) -> rusqlite::Result<String> {
    let parameters = codec::unpack(context.get_raw(0).as_blob().map_err(failed)?).map_err(failed)?;
    Ok(Behavior::of_type(&parameters, profile).canonical)
}
