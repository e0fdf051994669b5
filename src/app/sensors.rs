//! Use case: edits and removes sensors of a history, and removes outages.

use std::path::Path;

use jiff::civil::Date;

use crate::history::{Outage, Sensor, SensorContents, SensorEdit};
use crate::rules::Rules;
use crate::store::{HistoryStore, LocalStore};

use super::AppError;
use super::history::find_sensor;

/// Changes the settings of a sensor, and returns the sensor with its new settings.
///
/// # Errors
/// When there is no such history or sensor, the edited sensor is invalid, or the edit would change which
/// addresses were dark on recorded days.
pub fn edit_sensor(history: &Path, name: &str, edit: &SensorEdit, rules: &Rules) -> Result<Sensor, AppError> {
    let mut store = LocalStore::open_to_write(history, &rules.profile)?;
    let edited = edit.apply(&find_sensor(&store, name)?)?;
    store.edit_sensor(name, &edited)?;
    Ok(edited)
}

/// Returns the data that would be removed with a sensor.
///
/// # Errors
/// When there is no such history or sensor.
pub fn contents(history: &Path, name: &str, rules: &Rules) -> Result<SensorContents, AppError> {
    let store = LocalStore::open_to_read(history, &rules.profile)?;
    let sensor = find_sensor(&store, name)?;
    let coverage = store.coverage(name)?;
    Ok(SensorContents { sensor, coverage, captures: store.engine_state(name)?.captures })
}

/// Removes a sensor with all its data from a history.
///
/// # Errors
/// As [`contents`], and when the history cannot be written to.
pub fn remove_sensor(history: &Path, name: &str, rules: &Rules) -> Result<(), AppError> {
    Ok(LocalStore::open_to_write(history, &rules.profile)?.remove_sensor(name)?)
}

/// Removes the outages of a sensor that have exactly these days and, if one is given, this reason. Returns
/// the removed outages.
///
/// # Errors
/// When there is no such history, sensor or outage.
pub fn remove_outages(
    history: &Path,
    name: &str,
    (first, last): (Date, Date),
    reason: Option<&str>,
    rules: &Rules,
) -> Result<Vec<Outage>, AppError> {
    let mut store = LocalStore::open_to_write(history, &rules.profile)?;
    let outages = store.coverage(name)?.outages;
    let is_meant = |outage: &Outage| {
        (outage.first, outage.last) == (first, last) && reason.is_none_or(|reason| outage.reason == reason)
    };
    let mut removed = Vec::new();
    for outage in outages.iter().filter(|outage| is_meant(outage)) {
        if store.remove_outage(name, outage)? {
            removed.push(outage.clone());
        }
    }
    if removed.is_empty() {
        let known: Vec<String> = outages.iter().map(Outage::to_string).collect();
        let known = if known.is_empty() { "it has none".to_owned() } else { known.join(", ") };
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        return Err(AppError::Usage(format!(
            "sensor {name} has no outage of exactly {first}..{last}{reason}; its outages: {known}"
        )));
    }
    Ok(removed)
}
