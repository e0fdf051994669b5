//! A history asked in SQL: views that unpack what is packed.

use jiff::civil::Date;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use serde_json::Value;

use crate::behavior::{Behavior, Profile};
use crate::history::Scope;
use crate::history::packed::{self, Damaged};
use crate::store::StoreError;

use super::{SqliteStore, codec};

/// What `inga sql` offers beside the tables. Both are of this connection only: they need functions that it brings.
const VIEWS: &str = "
CREATE TEMP VIEW sightings AS
    SELECT sensor.name AS sensor, date(chunk.day * 86400, 'unixepoch') AS day, entry.value ->> 2 AS host,
           lower(hex(type.md5)) AS type, inga_canonical(type.parameters) AS canonical,
           entry.value ->> 1 AS facet, sum(entry.value ->> 3) AS windows, sum(entry.value ->> 4) AS packets,
           min(entry.value ->> 5) AS first, max(entry.value ->> 6) AS last
    FROM chunk JOIN sensor ON sensor.id = chunk.sensor
         JOIN json_each(inga_unpacked(chunk.day, chunk.groups)) AS entry
         JOIN type ON type.id = entry.value ->> 0
    GROUP BY chunk.sensor, chunk.day, type.id, entry.value ->> 1, entry.value ->> 2;
CREATE TEMP VIEW observation AS
    SELECT sensor, day, type, canonical, sum(windows) AS windows, sum(packets) AS packets, count(*) AS hosts
    FROM sightings WHERE facet = 0 GROUP BY sensor, day, type;
";

/// Rows, and bytes of packed values, by what they are.
pub const INFO: &str = "
    SELECT 'sensors' AS what, count(*) AS rows, sum(length(settings)) AS bytes FROM sensor
    UNION ALL SELECT 'captures', count(*), NULL FROM capture
    UNION ALL SELECT 'observed days', count(*), NULL FROM observed
    UNION ALL SELECT 'outages', count(*), NULL FROM outage
    UNION ALL SELECT 'types', count(*), sum(length(parameters)) FROM type
    UNION ALL SELECT 'rows of packed sightings', count(*), sum(length(groups)) FROM chunk
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
        self.connection.create_scalar_function("inga_unpacked", 2, pure, unpacked)?;
        self.connection
            .create_scalar_function("inga_canonical", 1, pure, move |context| canonical(context, &profile))?;
        self.connection.execute_batch(VIEWS)?;
        Ok(self.connection.pragma_update(None, "query_only", "ON")?)
    }
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
