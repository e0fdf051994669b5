//! Use cases: list captures, remove a capture, make days not recorded, remove a sample.

use std::path::Path;

use jiff::civil::Date;

use crate::history::{CaptureRecord, DroppedDays, ListedCapture, Sensor};
use crate::rules::Rules;
use crate::store::{HistoryStore, LocalStore, StoreError};

use super::history::{find_sensor, select_sensors};
use super::observe::reopen_windows;
use super::{AppError, Notices};

/// Returns the captures of the named sensors, by sensor and time; of all sensors if none is named.
///
/// # Errors
/// When there is no such history or sensor, or it cannot be read.
pub fn captures(history: &Path, sensors: &[String], rules: &Rules) -> Result<Vec<ListedCapture>, AppError> {
    captures_in_store(&LocalStore::open_to_read(history, &rules.profile)?, sensors)
}

/// Returns the captures of the named sensors, as [`captures`] does, from a store that is open.
///
/// # Errors
/// When there is no such sensor, or the history cannot be read.
pub fn captures_in_store(
    store: &dyn HistoryStore,
    sensors: &[String],
) -> Result<Vec<ListedCapture>, AppError> {
    let mut all = Vec::new();
    for sensor in select_sensors(store, sensors)? {
        all.extend(captures_of(store, &sensor)?);
    }
    Ok(all)
}

fn captures_of(store: &dyn HistoryStore, sensor: &Sensor) -> Result<Vec<ListedCapture>, AppError> {
    let listed = |record: CaptureRecord| {
        let removable = store.is_removable(&sensor.name, &record.content)?;
        Ok(ListedCapture { sensor: sensor.clone(), record, removable })
    };
    store.captures(&sensor.name)?.into_iter().map(listed).collect()
}

/// Minimum number of digits by which a content hash may be given.
const DIGITS_MIN: usize = 6;

/// Returns the capture of a sensor whose name is `which`, or whose content hash begins with these digits.
fn find_capture(store: &dyn HistoryStore, sensor: &Sensor, which: &str) -> Result<ListedCapture, AppError> {
    let mut all = captures_of(store, sensor)?;
    let is_hash = which.len() >= DIGITS_MIN && which.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = which.to_ascii_lowercase();
    all.retain(|one| one.record.name == which || is_hash && one.hash().starts_with(&digits));
    match (all.pop(), all.len()) {
        (None, _) => Err(StoreError::UnknownCapture(sensor.name.clone()).into()),
        (Some(one), 0) => Ok(one),
        (Some(_), more) => Err(AppError::Usage(format!(
            "sensor {} has {} captures of that name; give the content hash of one (`inga capture list`)",
            sensor.name,
            more + 1
        ))),
    }
}

/// Removes a capture of a sensor from a history and returns the removed capture. `which` is the name of the
/// capture or the first digits of its content hash. `agrees` is called with the capture first; if it returns
/// an error, the history does not change.
///
/// # Errors
/// When there is no such capture, it was merged with others, or the history cannot be written to.
pub fn remove_capture(
    history: &Path,
    (sensor, which): (&str, &str),
    rules: &Rules,
    notices: &mut Notices,
    agrees: &mut dyn FnMut(&ListedCapture) -> Result<(), AppError>,
) -> Result<ListedCapture, AppError> {
    let mut store = LocalStore::open_to_write(history, &rules.profile)?;
    let sensor = find_sensor(&store, sensor)?;
    let found = find_capture(&store, &sensor, which)?;
    // If the removal is going to be refused, the user is not asked.
    if found.removable {
        agrees(&found)?;
    }
    remove_from_store(&mut store, &sensor, &found.record, rules, notices)?;
    Ok(found)
}

/// Removes a capture from a store.
///
/// Removing the capture that was fed last restores the state of the store from before it was fed, including
/// the windows that were open at that time. If other captures were fed after it, a notice states which
/// windows cannot be restored.
///
/// # Errors
/// As [`remove_capture`].
pub fn remove_from_store(
    store: &mut dyn HistoryStore,
    sensor: &Sensor,
    capture: &CaptureRecord,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<(), AppError> {
    let before = store.rollback_point(&sensor.name)?.filter(|before| before.content == capture.content);
    let exact = before.is_some();
    let again = before.map(|before| reopen_windows(sensor, before.engine_state, rules)).transpose()?;
    store.remove_capture(&sensor.name, &capture.content, again)?;
    if !exact && !store.captures(&sensor.name)?.is_empty() {
        notices.add(format!(
            "{}: other captures were fed after it; windows that ran on into a later one stay counted as they were, and those \
             that ran from an earlier one into it are gone with it",
            capture.name
        ));
    }
    Ok(())
}

/// Makes days of a sensor not recorded, so that they can be fed again; the first and the last of `days` are
/// included. Returns the removed days and captures. `agrees` is called with them first; if it returns an
/// error, the history does not change.
///
/// # Errors
/// When there is no such sensor, nothing is recorded in these days, their sightings were dropped before, or
/// the history cannot be written to.
pub fn drop_days(
    history: &Path,
    sensor: &str,
    days: (Date, Date),
    rules: &Rules,
    agrees: &mut dyn FnMut(&DroppedDays) -> Result<(), AppError>,
) -> Result<DroppedDays, AppError> {
    let mut store = LocalStore::open_to_write(history, &rules.profile)?;
    let sensor = find_sensor(&store, sensor)?;
    let zone = sensor.zone()?;
    let recorded = store.coverage(&sensor.name)?.recorded_days.range(days.0..=days.1).count() as u64;
    if recorded == 0 {
        let name = &sensor.name;
        return Err(AppError::Usage(format!(
            "sensor {name} has no recorded day from {} to {}",
            days.0, days.1
        )));
    }
    let mut plan = DroppedDays { days: recorded, whole_captures: Vec::new(), cut_captures: Vec::new() };
    for capture in store.captures(&sensor.name)? {
        match capture.without_days(days, &zone) {
            None => plan.whole_captures.push(capture.name),
            Some(cut) if cut != capture => plan.cut_captures.push(capture.name),
            Some(_) => {}
        }
    }
    agrees(&plan)?;
    store.drop_days(&sensor.name, days)?;
    Ok(plan)
}

/// Removes a sample from a history.
///
/// # Errors
/// When there is no sample with this id, or the history cannot be written to.
pub fn remove_sample(history: &Path, id: &str, rules: &Rules) -> Result<(), AppError> {
    if LocalStore::open_to_write(history, &rules.profile)?.remove_sample(id)? {
        return Ok(());
    }
    let id = id.escape_default();
    Err(AppError::Usage(format!(
        "no sample `{id}` in this history; `inga sample list` shows those there are"
    )))
}
