//! Use cases that manage a history: sensors, outages, segments, joining, retention, checking, kept samples.

use std::path::{Path, PathBuf};

use jiff::civil::Date;

use crate::history::{
    CompactionSummary, ContentSize, Coverage, JoinSummary, Outage, RetentionSummary, Sensor,
    VerificationResult,
};
use crate::rules::Rules;
use crate::store::{HistoryStore, LocalStore, StoreError};

use super::sandbox::{LoadedSample, load_sample};
use super::{AppError, CaptureOptions, Notices};

/// Adds a sensor to a history, which is created if it does not exist.
///
/// # Errors
/// When the sensor is invalid, or a sensor of that name exists with other settings.
pub fn add_sensor(history: &Path, sensor: &Sensor, rules: &Rules) -> Result<(), AppError> {
    sensor.validate()?;
    Ok(LocalStore::create(history, &rules.profile)?.add_sensor(sensor)?)
}

/// Returns the sensors of a history, with their coverage.
///
/// # Errors
/// When the history cannot be read.
pub fn sensors(history: &Path, rules: &Rules) -> Result<Vec<(Sensor, Coverage)>, AppError> {
    sensors_in_store(&LocalStore::open_to_read(history, &rules.profile)?)
}

/// Returns all sensors with their coverage from a store that is open.
///
/// # Errors
/// When the history cannot be read.
pub fn sensors_in_store(store: &dyn HistoryStore) -> Result<Vec<(Sensor, Coverage)>, AppError> {
    let with_coverage = |sensor: Sensor| {
        let coverage = store.coverage(&sensor.name)?;
        Ok((sensor, coverage))
    };
    store.sensors()?.into_iter().map(with_coverage).collect()
}

/// Returns the sensor with a name.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn find_sensor(store: &dyn HistoryStore, name: &str) -> Result<Sensor, AppError> {
    let found = store.sensors()?.into_iter().find(|sensor| sensor.name == name);
    found.ok_or_else(|| StoreError::UnknownSensor(name.to_owned()).into())
}

/// Returns the sensors with these names, or all sensors if there are no names.
///
/// # Errors
/// As [`find_sensor`].
pub fn select_sensors(store: &dyn HistoryStore, names: &[String]) -> Result<Vec<Sensor>, AppError> {
    if names.is_empty() {
        return Ok(store.sensors()?);
    }
    names.iter().map(|name| find_sensor(store, name)).collect()
}

/// Adds a notice for each of these sensors (all, if none is named) whose recorder lost packets.
///
/// # Errors
/// As [`find_sensor`].
pub fn add_losses(
    store: &dyn HistoryStore,
    sensors: &[String],
    notices: &mut Notices,
) -> Result<(), AppError> {
    for sensor in select_sensors(store, sensors)? {
        notices.add_loss(&sensor.name, &store.coverage(&sensor.name)?);
    }
    Ok(())
}

/// Adds an outage to a sensor.
///
/// # Errors
/// When the last day lies before the first, there is no such sensor, or the history cannot be written to.
pub fn add_outage(history: &Path, sensor: &str, outage: &Outage, rules: &Rules) -> Result<(), AppError> {
    let Outage { first, last, .. } = outage;
    if first > last {
        return Err(AppError::Usage(format!("the outage's first day {first} lies after its last {last}")));
    }
    Ok(LocalStore::open_to_write(history, &rules.profile)?.add_outage(sensor, outage)?)
}

/// Returns what a history stores, and its size in bytes.
///
/// # Errors
/// When there is no such history, or it cannot be read.
pub fn info(history: &Path, rules: &Rules) -> Result<Vec<ContentSize>, AppError> {
    Ok(LocalStore::open_to_read(history, &rules.profile)?.content_sizes()?)
}

/// Merges the segments of each finished month, and of each finished day of the month of a sensor's newest
/// packet. If `all` is true, that month is merged as a whole.
///
/// # Errors
/// When the folder has no history, a segment is damaged, or the history cannot be written to. Merges that
/// were complete by then are kept.
pub fn compact(history: &Path, all: bool, rules: &Rules) -> Result<CompactionSummary, AppError> {
    Ok(LocalStore::open_to_write(history, &rules.profile)?.compact(all)?)
}

/// Joins histories into a new one.
///
/// # Errors
/// When they cannot be joined, one of them is damaged, or the result cannot be written. Then no new history
/// exists.
pub fn join(histories: &[PathBuf], into: &Path, rules: &Rules) -> Result<JoinSummary, AppError> {
    Ok(LocalStore::join(histories, into, &rules.profile, super::now())?)
}

/// Drops the sightings of all months that end before the day `from`; the counts of these months stay. Returns
/// the number of months, sightings and bytes that were dropped.
///
/// `agrees` is called with the same numbers before anything is dropped, unless there is nothing to drop. If
/// it returns an error, the history does not change.
///
/// # Errors
/// As [`compact`], when `agrees` returns an error, and when the date is later than the last recorded day of
/// every sensor.
pub fn retain(
    history: &Path,
    from: Date,
    rules: &Rules,
    agrees: &mut dyn FnMut(&RetentionSummary) -> Result<(), AppError>,
) -> Result<RetentionSummary, AppError> {
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
    if let Some(from) = store.sightings_kept_from(sensor)? {
        coverage.recorded_days = coverage.recorded_days.split_off(&from);
    }
    Ok(coverage)
}

/// Maximum number of faults that are described; further ones are counted.
const FAULTS_MAX: usize = 100;

/// Searches a history for damage. It verifies the checksums of the catalog's rows, the hashes of all bytes of
/// all segments, and that the catalog and the segments agree.
///
/// # Errors
/// When there is no such history, or it cannot be read at all.
pub fn verify(history: &Path, rules: &Rules) -> Result<VerificationResult, AppError> {
    let store = LocalStore::open_to_read(history, &rules.profile)?;
    let (mut faults, mut more) = (Vec::new(), 0u64);
    let checked = store.verify(&mut |fault| match faults.len() {
        FAULTS_MAX => more += 1,
        _ => faults.push(fault),
    })?;
    faults.extend((more > 0).then(|| format!("and {more} more")));
    Ok(VerificationResult { checked, faults })
}

/// Stores samples in a history: their reports, and the profiles of their runs.
///
/// # Errors
/// When a report or its captures cannot be read, a run shows nothing, or the history cannot be written to.
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
        if let Some(why) = &sample.unread_reason {
            let path = crate::escape::path(path);
            return Err(AppError::Usage(format!("{path}: the sample's run shows nothing to keep ({why})")));
        }
        store.put_sample(&sample.to_kept())?;
    }
    Ok(())
}

/// Returns the samples that a history keeps.
///
/// # Errors
/// When the history cannot be read, or a report no longer fits the schema.
pub fn kept_samples(store: &dyn HistoryStore) -> Result<Vec<LoadedSample>, AppError> {
    store.samples()?.into_iter().map(LoadedSample::from_kept).collect()
}
