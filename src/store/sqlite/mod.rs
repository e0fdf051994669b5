//! A history in one SQLite file.
//!
//! All of a capture is written in one transaction, with a write-ahead log and full synchronisation: what was
//! stored is there after a crash or a power cut, once.

mod chunk;
mod codec;
mod compact;
mod days;
mod example;
mod habit;
mod layout;
mod made;
mod month;
mod read;
mod recount;
mod schema;
mod select;
mod service;
mod sql;
mod types;
mod verify;
mod write;

pub use compact::{Compacted, Months};
pub use sql::{INFO, RowSink};
pub use verify::Checked;

use layout::Layouts;
use select::{Source, TypeIds, Wanted};
use types::Catalogue;

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use jiff::civil::Date;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::behavior::{BehaviorId, Profile};
use crate::history::{
    CaptureSpan, Contribution, Coverage, DailyCount, DayCount, DayTotal, Example, Filter, Habit, HostList,
    Outage, Resume, Selection, Sensor, Sighting, TypeRecord, TypeTotal, Types,
};

use crate::sample::KeptSample;

use super::{BehaviorSink, HistoryStore, NearService, StoreError};

/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(30);

/// A history in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    profile: Profile,
    catalogue: Catalogue,
    layouts: RefCell<Layouts>,
    threads: usize,
}

impl SqliteStore {
    /// Opens a history, and makes it where there is none.
    ///
    /// # Errors
    /// When the file is no history, was written by a newer inga or with another behavior profile, or cannot be
    /// opened.
    pub fn open(path: &Path, profile: &Profile) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_with(path, profile, OpenFlags::default())
    }

    /// Opens a history that must be there.
    ///
    /// # Errors
    /// As [`SqliteStore::open`], and when there is no file.
    pub fn open_existing(path: &Path, profile: &Profile) -> Result<SqliteStore, StoreError> {
        if !path.is_file() && !path.is_dir() {
            let reason = "there is no such file; `inga sensor add` makes a history".to_owned();
            return Err(StoreError::NotAHistory { path: crate::escape::path(path), reason });
        }
        SqliteStore::open_with(path, profile, OpenFlags::default())
    }

    /// The same, with so many threads that may share the work of writing.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> SqliteStore {
        SqliteStore { threads, ..self }
    }

    fn open_with(path: &Path, profile: &Profile, flags: OpenFlags) -> Result<SqliteStore, StoreError> {
        if path.is_dir() {
            let reason =
                "this is a folder, and a history is a file; for a folder of captures there is --darknet"
                    .to_owned();
            return Err(StoreError::NotAHistory { path: crate::escape::path(path), reason });
        }
        let refused = |error: rusqlite::Error| StoreError::NotAHistory {
            path: crate::escape::path(path),
            reason: error.to_string(),
        };
        let mut connection = Connection::open_with_flags(path, flags).map_err(refused)?;
        connection.busy_timeout(BUSY).map_err(refused)?;
        schema::prepare(&mut connection, &crate::escape::path(path))?;
        let (catalogue, layouts) = (Catalogue::default(), RefCell::default());
        let store = SqliteStore { connection, profile: profile.clone(), catalogue, layouts, threads: 1 };
        store.check_profile()?;
        Ok(store)
    }

    fn check_profile(&self) -> Result<(), StoreError> {
        let wanted = self.profile.identity();
        let found: Option<String> = self
            .connection
            .query_row("SELECT value FROM setting WHERE name = 'profile'", [], |row| row.get(0))
            .optional()?;
        match found {
            Some(found) if found != wanted => Err(StoreError::OtherProfile { found, wanted }),
            Some(_) => Ok(()),
            None => {
                self.connection
                    .execute("INSERT INTO setting (name, value) VALUES ('profile', ?1)", [wanted])?;
                Ok(())
            }
        }
    }

    fn types_of(&self, selection: &Selection) -> Result<Vec<i64>, StoreError> {
        self.catalogue.types_of(&self.connection, selection)
    }

    /// The ids of a filter's types, ascending; `None` for all.
    fn restricted(&self, filter: &Filter<'_>) -> Result<Option<Vec<i64>>, StoreError> {
        match &filter.types {
            Types::All => Ok(None),
            Types::Of(selection) => self.types_of(selection).map(Some),
            Types::Listed(numbers) => Ok(Some(numbers.iter().map(|number| codec::count(*number)).collect())),
            Types::Service(protocol, port) => service::types_of(&self.connection, *protocol, *port).map(Some),
            Types::Where(passes, _) => types::passing(&self.connection, *passes).map(Some),
        }
    }

    fn source(&self, sensor: &str) -> Result<Source<'_>, StoreError> {
        Source::known(&self.connection, sensor, &mut self.layouts.borrow_mut())
    }

    fn sensor_id(&self, name: &str) -> Result<i64, StoreError> {
        read::sensor_id(&self.connection, name)
    }
}

/// What a filter asks for; `ids` are those of its types, where it does not ask for all.
fn wanted<'a>(filter: &Filter<'_>, days: &'a dyn Fn(Date) -> bool, ids: Option<&'a [i64]>) -> Wanted<'a> {
    let types = ids.map_or(TypeIds::ALL, TypeIds::List);
    Wanted { types, facets: filter.types.facets(), days, sources: filter.sources }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error {
            rusqlite::Error::FromSqlConversionFailure(_, _, error) => StoreError::Damaged(error.to_string()),
            rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::IntegralValueOutOfRange(..) => {
                StoreError::Damaged(error.to_string())
            }
            rusqlite::Error::SqliteFailure(code, _) if code.code == rusqlite::ErrorCode::DatabaseCorrupt => {
                StoreError::Damaged(error.to_string())
            }
            other => StoreError::Backend(other.to_string()),
        }
    }
}

impl From<rusqlite::types::FromSqlError> for StoreError {
    fn from(error: rusqlite::types::FromSqlError) -> StoreError {
        StoreError::Damaged(error.to_string())
    }
}

impl HistoryStore for SqliteStore {
    fn sensors(&self) -> Result<Vec<Sensor>, StoreError> {
        read::sensors(&self.connection)
    }

    fn add_sensor(&mut self, sensor: &Sensor) -> Result<(), StoreError> {
        match self.sensors()?.into_iter().find(|known| known.name == sensor.name) {
            Some(known) if known == *sensor => Ok(()),
            Some(_) => Err(StoreError::SensorExists(sensor.name.clone())),
            None => write::sensor(&self.connection, sensor),
        }
    }

    fn add_outage(&mut self, sensor: &str, outage: &Outage) -> Result<(), StoreError> {
        write::outage(&self.connection, self.sensor_id(sensor)?, outage)
    }

    fn coverage(&self, sensor: &str) -> Result<Coverage, StoreError> {
        read::coverage(&self.connection, self.sensor_id(sensor)?)
    }

    fn capture_spans(&self, sensor: &str) -> Result<Vec<CaptureSpan>, StoreError> {
        read::capture_spans(&self.connection, self.sensor_id(sensor)?)
    }

    fn has_capture(&self, sensor: &str, content: &[u8; 32]) -> Result<bool, StoreError> {
        let id = self.sensor_id(sensor)?;
        let sql = "SELECT EXISTS (SELECT 1 FROM capture WHERE sensor = ?1 AND content = ?2)";
        Ok(self.connection.query_row(sql, (id, content), |row| row.get(0))?)
    }

    fn resume(&self, sensor: &str) -> Result<Resume, StoreError> {
        read::resume(&self.connection, self.sensor_id(sensor)?)
    }

    fn ingest(&mut self, sensor: &str, contribution: &Contribution) -> Result<bool, StoreError> {
        let id = self.sensor_id(sensor)?;
        write::ingest(&mut self.connection, id, contribution, self.threads)
    }

    fn series(&self, sensor: &str, selections: &[Selection]) -> Result<Vec<Vec<DayCount>>, StoreError> {
        let _reading = read::Reading::begin(&self.connection)?;
        let source = self.source(sensor)?;
        let ids = selections.iter().map(|selection| self.types_of(selection));
        let ids: Vec<Vec<i64>> = ids.collect::<Result<_, _>>()?;
        let singles = read::series_of_types(&source, &ids, selections)?;
        let one = |(selection, ids): (&Selection, &Vec<i64>)| match ids[..] {
            [only] if !selection.facets => Ok(singles.get(&only).cloned().unwrap_or_default()),
            _ => read::series(&source, ids, selection.facets),
        };
        selections.iter().zip(&ids).map(one).collect()
    }

    fn totals(&self, sensor: &str) -> Result<Vec<DayTotal>, StoreError> {
        read::totals(&self.connection, self.sensor_id(sensor)?)
    }

    fn each_sighting(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&Sighting),
    ) -> Result<(), StoreError> {
        let _reading = read::Reading::begin(&self.connection)?;
        let ids = self.restricted(filter)?;
        self.source(sensor)?.each_sighting(
            &wanted(filter, &|day| filter.has_day(day), ids.as_deref()),
            &mut |met| {
                sink(met);
                Ok(())
            },
        )
    }

    fn each_daily_count(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&DailyCount),
    ) -> Result<(), StoreError> {
        let _reading = read::Reading::begin(&self.connection)?;
        let ids = self.restricted(filter)?;
        self.source(sensor)?.each_daily_count(
            &wanted(filter, &|day| filter.has_day(day), ids.as_deref()),
            &mut |seen| {
                sink(seen);
                Ok(())
            },
        )
    }

    fn mark_names(&self) -> Result<Vec<String>, StoreError> {
        read::mark_names(&self.connection)
    }

    fn type_of(&self, number: u64) -> Result<TypeRecord, StoreError> {
        types::read(&self.connection, &self.profile, codec::count(number))
    }

    fn each_behavior(&self, numbers: &[u64], sink: BehaviorSink<'_>) -> Result<(), StoreError> {
        let _reading = read::Reading::begin(&self.connection)?;
        for number in numbers {
            let id = codec::count(*number);
            let (behavior, parameters) = types::behavior(&self.connection, &self.profile, id)?;
            sink(*number, behavior, &parameters);
        }
        Ok(())
    }

    fn hosts(&self, sensor: &str, selection: &Selection, most: usize) -> Result<HostList, StoreError> {
        let _reading = read::Reading::begin(&self.connection)?;
        let (source, types) = (self.source(sensor)?, self.types_of(selection)?);
        read::hosts(&self.connection, &source, &types, selection.facets, most)
    }

    fn neighbours(
        &self,
        sensor: &str,
        services: &[NearService],
        most: usize,
    ) -> Result<Vec<Vec<TypeTotal>>, StoreError> {
        let _reading = read::Reading::begin(&self.connection)?;
        habit::neighbours(&self.connection, &self.profile, &self.source(sensor)?, services, most)
    }

    fn habits(&self, sensor: &str, selections: &[Selection], most: usize) -> Result<Vec<Habit>, StoreError> {
        let _reading = read::Reading::begin(&self.connection)?;
        let types = selections.iter().map(|selection| self.types_of(selection));
        let types: Vec<Vec<i64>> = types.collect::<Result<_, _>>()?;
        let (sensor, source) = (self.sensor_id(sensor)?, self.source(sensor)?);
        let lists: Vec<(&[i64], bool)> =
            types.iter().zip(selections).map(|(types, one)| (&types[..], one.facets)).collect();
        habit::habits(&self.connection, &self.profile, (sensor, &source), &lists, most)
    }

    fn types(&self, sensor: &str, selection: &Selection, most: usize) -> Result<Vec<TypeTotal>, StoreError> {
        let _reading = read::Reading::begin(&self.connection)?;
        let (source, types) = (self.source(sensor)?, self.types_of(selection)?);
        let lists = [(&types[..], selection.facets)];
        let totals = habit::type_totals(&self.connection, &self.profile, &source, &lists, most)?;
        Ok(totals.into_iter().flatten().collect())
    }

    fn example(&self, sensor: &str, behavior: BehaviorId) -> Result<Option<Example>, StoreError> {
        let _reading = read::Reading::begin(&self.connection)?;
        let id = self.sensor_id(sensor)?;
        match types::find(&self.connection, behavior)? {
            Some(wanted) => Ok(example::read(&self.connection, id, &[(wanted, behavior)])?.remove(&wanted)),
            None => Ok(None),
        }
    }

    fn put_sample(&mut self, sample: &KeptSample) -> Result<(), StoreError> {
        write::sample(&self.connection, sample)
    }

    fn samples(&self) -> Result<Vec<KeptSample>, StoreError> {
        read::samples(&self.connection)
    }
}
