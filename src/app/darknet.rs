//! Use case: builds a temporary history from a folder of captures, for users who have no history yet.
//!
//! The folder contains `sensors.yaml` and, for each sensor, a folder of its name with captures.

use std::path::Path;

use serde::Deserialize;

use crate::history::{DatedPrefix, Outage, Sensor, SensorKind};
use crate::rules::Rules;
use crate::store::{HistoryStore, LocalStore};

use super::observe::observe;
use super::reading::each_input;
use super::{AppError, CaptureOptions, Notices};

/// The schema of `sensors.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SensorsFile {
    sensors: Vec<SensorEntry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SensorEntry {
    name: String,
    kind: SensorKind,
    prefixes: Vec<DatedPrefix>,
    #[serde(default)]
    live: Vec<DatedPrefix>,
    #[serde(default = "utc")]
    time_zone: String,
    #[serde(default)]
    outages: Vec<Outage>,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Reads all captures of a darknet folder into a temporary history.
///
/// # Errors
/// When `sensors.yaml` is missing or refused, or no capture of a sensor can be read.
pub fn load(
    folder: &Path,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<LocalStore, AppError> {
    if folder.is_file() {
        let error = std::io::Error::other(
            "this is a file, and --darknet is a folder with sensors.yaml; a history is given by --history",
        );
        return Err(AppError::file(folder, error));
    }
    let path = folder.join("sensors.yaml");
    let text = super::yaml_file::read(&path)?;
    let file: SensorsFile = crate::yaml::parse(&text).map_err(|error| AppError::yaml(&path, &error))?;
    let mut store = LocalStore::temporary(&rules.profile)?;
    for entry in file.sensors {
        let SensorEntry { name, kind, prefixes, live, time_zone, outages } = entry;
        let sensor = Sensor { name, kind, prefixes, live, time_zone };
        sensor
            .validate()
            .map_err(|fault| AppError::yaml(&path, &crate::yaml::error_at_word(&text, fault.to_string())))?;
        store.add_sensor(&sensor)?;
        for outage in &outages {
            store.add_outage(&sensor.name, outage)?;
        }
        let captures = folder.join(&sensor.name);
        if !captures.is_dir() {
            notices.add(format!("sensor {}: no folder {}", sensor.name, crate::escape::path(&captures)));
            continue;
        }
        let inputs = options.expand(&[captures], notices)?;
        each_input(&inputs, notices, |input, notices| {
            observe(&mut store, &sensor, input, options, rules, notices).map(drop)
        })?;
    }
    Ok(store)
}
