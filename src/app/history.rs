//! Use case: a history, wherever it is: its sensors, their outages, the samples it keeps.

use std::path::{Path, PathBuf};

use jiff::civil::Date;

use crate::history::{Coverage, Outage, Sensor};
use crate::rules::Rules;
use crate::store::sqlite::{Checked, Compacted, INFO, Months};
use crate::store::{HistoryStore, SqliteStore, StoreError};

pub use crate::store::sqlite::RowSink;

use super::sandbox::{LoadedSample, load_sample};
use super::{AppError, CaptureOptions, Notices, darknet};

/// Where a history comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistorySource {
    /// A database that `inga observe` filled.
    Database(PathBuf),
    /// A folder of captures with its `sensors.yaml`, read into memory.
    Darknet(PathBuf),
}

impl HistorySource {
    /// Opens or reads it.
    ///
    /// # Errors
    /// When it is not there, refused, or a capture of a folder cannot be read.
    pub fn open(
        &self,
        options: &CaptureOptions,
        rules: &Rules,
        notices: &mut Notices,
    ) -> Result<Box<dyn HistoryStore>, AppError> {
        Ok(match self {
            HistorySource::Database(path) => Box::new(SqliteStore::open_existing(path, &rules.profile)?),
            HistorySource::Darknet(folder) => Box::new(darknet::load(folder, options, rules, notices)?),
        })
    }
}

/// Adds a sensor to a history, which is made where there is none.
///
/// # Errors
/// When the sensor cannot be, or one of that name is there with other settings.
pub fn add_sensor(db: &Path, sensor: &Sensor, rules: &Rules) -> Result<(), AppError> {
    sensor.validate()?;
    Ok(SqliteStore::open(db, &rules.profile)?.add_sensor(sensor)?)
}

/// The sensors of a history, with the days they looked.
///
/// # Errors
/// When the history cannot be read.
pub fn sensors(db: &Path, rules: &Rules) -> Result<Vec<(Sensor, Coverage)>, AppError> {
    let store = SqliteStore::open_existing(db, &rules.profile)?;
    let with_coverage = |sensor: Sensor| {
        let coverage = store.coverage(&sensor.name)?;
        Ok((sensor, coverage))
    };
    store.sensors()?.into_iter().map(with_coverage).collect()
}

/// The sensor of a name.
///
/// # Errors
/// When there is none, or the history cannot be read.
pub fn named(store: &dyn HistoryStore, name: &str) -> Result<Sensor, AppError> {
    let found = store.sensors()?.into_iter().find(|sensor| sensor.name == name);
    found.ok_or_else(|| StoreError::UnknownSensor(name.to_owned()).into())
}

/// The sensors of these names, or all.
///
/// # Errors
/// As [`named`].
pub fn chosen(store: &dyn HistoryStore, names: &[String]) -> Result<Vec<Sensor>, AppError> {
    if names.is_empty() {
        return Ok(store.sensors()?);
    }
    names.iter().map(|name| named(store, name)).collect()
}

/// Notes days without data.
///
/// # Errors
/// When the days run backwards, or there is no such sensor.
pub fn add_outage(db: &Path, sensor: &str, outage: &Outage, rules: &Rules) -> Result<(), AppError> {
    let Outage { first, last, .. } = outage;
    if first > last {
        return Err(AppError::Usage(format!("the outage's first day {first} lies after its last {last}")));
    }
    Ok(SqliteStore::open_existing(db, &rules.profile)?.add_outage(sensor, outage)?)
}

/// Answers a query in SQL that changes nothing.
///
/// # Errors
/// When there is no such history, or the query is wrong or would change something.
pub fn query(db: &Path, sql: &str, rules: &Rules, sink: RowSink<'_>) -> Result<(), AppError> {
    Ok(SqliteStore::open_existing(db, &rules.profile)?.sql(sql, sink)?)
}

/// What a history holds and what that takes: rows and bytes of packed values.
///
/// # Errors
/// When there is no such history.
pub fn info(db: &Path, rules: &Rules, sink: RowSink<'_>) -> Result<(), AppError> {
    query(db, INFO, rules, sink)
}

/// Puts together what several captures brought of a day, and months; of the month that goes on only if `all`.
///
/// # Errors
/// When there is no such history, it is damaged or cannot be written to; what was done stays.
pub fn compact(db: &Path, all: bool, rules: &Rules) -> Result<Compacted, AppError> {
    let which = if all { Months::All } else { Months::Over };
    Ok(SqliteStore::open_existing(db, &rules.profile)?.compact(which)?)
}

/// Drops the sightings of months that end before a date; their observations stay. Answers how many months of sensors.
///
/// # Errors
/// As [`compact`].
pub fn retain(db: &Path, from: Date, rules: &Rules) -> Result<u64, AppError> {
    Ok(SqliteStore::open_existing(db, &rules.profile)?.retain(from)?)
}

/// What a check of a history came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How much was checked.
    pub checked: Checked,
    /// What is not as it was written, in words; none is good.
    pub faults: Vec<String>,
}

/// Faults that are told one by one; the rest are counted.
const FAULTS_MAX: usize = 100;

/// Checks a history.
///
/// # Errors
/// When there is no such history or it cannot be read at all.
pub fn verify(db: &Path, rules: &Rules) -> Result<Verified, AppError> {
    let store = SqliteStore::open_existing(db, &rules.profile)?;
    let (mut faults, mut more) = (Vec::new(), 0u64);
    let checked = store.verify(&mut |fault| match faults.len() {
        FAULTS_MAX => more += 1,
        _ => faults.push(fault),
    })?;
    faults.extend((more > 0).then(|| format!("and {more} more")));
    Ok(Verified { checked, faults })
}

/// Keeps samples in a history: their reports, and what their runs show.
///
/// # Errors
/// When a report or its captures cannot be read, or the history fails.
pub fn keep_samples(
    db: &Path,
    reports: &[PathBuf],
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<(), AppError> {
    let mut store = SqliteStore::open_existing(db, &rules.profile)?;
    for path in reports {
        let sample = load_sample(path, options, rules, notices)?;
        if let Some(why) = &sample.unread {
            let path = crate::escape::path(path);
            return Err(AppError::Usage(format!("{path}: the sample's run shows nothing to keep ({why})")));
        }
        store.put_sample(&sample.to_keep())?;
    }
    Ok(())
}

/// The samples that a history keeps.
///
/// # Errors
/// When it cannot be read, or a report is no longer of the schema.
pub fn kept_samples(store: &dyn HistoryStore) -> Result<Vec<LoadedSample>, AppError> {
    store.samples()?.into_iter().map(LoadedSample::kept).collect()
}
