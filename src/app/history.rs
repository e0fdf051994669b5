//! Use case: a history, wherever it is: its sensors, their outages, the samples it keeps.

use std::path::{Path, PathBuf};

use jiff::civil::Date;

use crate::history::{Coverage, Outage, Sensor};
use crate::rules::Rules;
pub use crate::store::local::{Checked, Compacted, Holding, Joined, Retained, Seam};
use crate::store::{HistoryStore, LocalStore, StoreError};

use super::sandbox::{LoadedSample, load_sample};
use super::{AppError, CaptureOptions, Notices, darknet};

/// Where a history comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistorySource {
    /// A history that `inga observe` filled.
    Folder(PathBuf),
    /// A folder of captures with its `sensors.yaml`, read into a temporary history.
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
        let store = match self {
            HistorySource::Folder(path) => LocalStore::open_to_read(path, &rules.profile)?,
            HistorySource::Darknet(folder) => darknet::load(folder, options, rules, notices)?,
        };
        for sensor in store.sensors()? {
            if let Some(from) = store.sightings_from(&sensor.name)? {
                notices.add(format!(
                    "sensor {}: sightings before {from} were dropped; of days before only totals and single types are \
                     answered",
                    sensor.name
                ));
            }
        }
        Ok(Box::new(store))
    }
}

/// Adds a sensor to a history, which is made where there is none.
///
/// # Errors
/// When the sensor cannot be, or one of that name is there with other settings.
pub fn add_sensor(history: &Path, sensor: &Sensor, rules: &Rules) -> Result<(), AppError> {
    sensor.validate()?;
    Ok(LocalStore::create(history, &rules.profile)?.add_sensor(sensor)?)
}

/// The sensors of a history, with the days they looked.
///
/// # Errors
/// When the history cannot be read.
pub fn sensors(history: &Path, rules: &Rules) -> Result<Vec<(Sensor, Coverage)>, AppError> {
    let store = LocalStore::open_to_read(history, &rules.profile)?;
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

/// Adds a notice for each of these sensors, or of all, whose recorder lost packets.
///
/// # Errors
/// As [`named`].
pub fn add_losses(
    store: &dyn HistoryStore,
    sensors: &[String],
    notices: &mut Notices,
) -> Result<(), AppError> {
    for sensor in chosen(store, sensors)? {
        notices.add_loss(&sensor.name, &store.coverage(&sensor.name)?);
    }
    Ok(())
}

/// Notes days without data.
///
/// # Errors
/// When the days run backwards, or there is no such sensor.
pub fn add_outage(history: &Path, sensor: &str, outage: &Outage, rules: &Rules) -> Result<(), AppError> {
    let Outage { first, last, .. } = outage;
    if first > last {
        return Err(AppError::Usage(format!("the outage's first day {first} lies after its last {last}")));
    }
    Ok(LocalStore::open_to_write(history, &rules.profile)?.add_outage(sensor, outage)?)
}

/// What a history holds, and the bytes that it takes.
///
/// # Errors
/// When there is no such history.
pub fn info(history: &Path, rules: &Rules) -> Result<Vec<Holding>, AppError> {
    Ok(LocalStore::open_to_read(history, &rules.profile)?.holdings()?)
}

/// Merges what several captures brought of a day, and months; of the month that goes on only if `all`.
///
/// # Errors
/// When the folder has no history, a segment is damaged, or the history cannot be written to. Merges that were complete by
/// then are kept.
pub fn compact(history: &Path, all: bool, rules: &Rules) -> Result<Compacted, AppError> {
    Ok(LocalStore::open_to_write(history, &rules.profile)?.compact(all)?)
}

/// Joins histories into a new one.
///
/// # Errors
/// When they cannot be joined, one of them is damaged, or the result cannot be written; then there is none.
pub fn join(histories: &[PathBuf], into: &Path, rules: &Rules) -> Result<Joined, AppError> {
    Ok(LocalStore::join(histories, into, &rules.profile)?)
}

/// Drops the sightings of all months that end before the day `from`; the counts of these months stay. Returns the number of months,
/// sightings and bytes that were dropped.
///
/// `agrees` is called with the same numbers before anything is dropped, unless there is nothing to drop. If it returns an error,
/// the history does not change.
///
/// # Errors
/// As [`compact`], when `agrees` returns an error, and when the date is later than the last recorded day of every sensor.
pub fn retain(
    history: &Path,
    from: Date,
    rules: &Rules,
    agrees: &mut dyn FnMut(&Retained) -> Result<(), AppError>,
) -> Result<Retained, AppError> {
    let mut store = LocalStore::open_to_write(history, &rules.profile)?;
    let plan = store.retain_plan(from)?;
    if plan.sightings > 0 {
        agrees(&plan)?;
    }
    Ok(store.retain(from)?)
}

/// Returns the coverage of a sensor without the days whose sightings were dropped.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn coverage_of_sightings(store: &dyn HistoryStore, sensor: &str) -> Result<Coverage, AppError> {
    let mut coverage = store.coverage(sensor)?;
    if let Some(from) = store.sightings_from(sensor)? {
        coverage.observed = coverage.observed.split_off(&from);
    }
    Ok(coverage)
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
pub fn verify(history: &Path, rules: &Rules) -> Result<Verified, AppError> {
    let store = LocalStore::open_to_read(history, &rules.profile)?;
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
    history: &Path,
    reports: &[PathBuf],
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<(), AppError> {
    let mut store = LocalStore::open_to_write(history, &rules.profile)?;
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
