//! The file that says what `watch` follows, and the check that it can be followed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use crate::app::{AppError, yaml_file};
use crate::incident::Thresholds;
use crate::rules::Rules;
use crate::store::{HistoryStore, LocalStore};
use crate::yaml::{error_at_node, parse};

use super::alerts::AlertSettings;
use super::pattern::PathPattern;

/// Standard input as the captures of a sensor.
pub(super) const STANDARD_INPUT: &str = "-";

/// The configuration of `watch`: history, sensors with the places of their captures, thresholds, retention and alerts.
/// Unknown keys are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchConfig {
    /// The folder of the history. Paths are relative to the folder of the file.
    pub history: PathBuf,
    /// The sensors; at least one.
    pub sensors: Vec<WatchedSensor>,
    /// The operator's own networks. A packet of theirs in a dark space is reported.
    #[serde(default)]
    pub own_networks: Vec<OwnNetwork>,
    /// When something is wrong with a sensor.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// Time between two commits of captures that grow, in seconds.
    #[serde(default = "commit_seconds")]
    pub commit_seconds: u32,
    /// Time between two searches for surges and causes, in minutes.
    #[serde(default = "detect_minutes")]
    pub detect_minutes: u32,
    /// Time for which a capture that cannot be continued (compressed, or text) must not have changed before it is
    /// read, in seconds.
    #[serde(default = "settle_seconds")]
    pub settle_seconds: u32,
    /// How long sightings are kept.
    #[serde(default)]
    pub retention: Retention,
    /// The receivers of alerts on incidents, own networks, silent sensors and loss.
    #[serde(default)]
    pub alerts: AlertSettings,
}

/// A sensor and the place where its captures arrive.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchedSensor {
    /// Its name in the history.
    pub name: String,
    /// A folder, a pattern with `*`, `?`, `**` and strftime's fields such as `%Y`, or `-` for standard input.
    pub captures: String,
}

/// A network of the operator.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnNetwork {
    /// Its prefix.
    pub prefix: IpNet,
    /// Its name.
    pub name: String,
}

/// How long a history keeps its sightings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Number of days for which sightings are kept; counts are kept forever. All are kept if it is left out.
    #[serde(default)]
    pub sightings_days: Option<u32>,
}

fn commit_seconds() -> u32 {
    30
}

fn detect_minutes() -> u32 {
    10
}

fn settle_seconds() -> u32 {
    10
}

impl WatchConfig {
    /// Reads and checks a file. Relative paths in it become relative to its folder.
    ///
    /// # Errors
    /// When the file cannot be read, is not of this form, or a value has no meaning; the error has its place.
    pub fn load(path: &Path) -> Result<WatchConfig, AppError> {
        let text = yaml_file::read(path)?;
        let mut config: WatchConfig = parse(&text).map_err(|error| AppError::yaml(path, &error))?;
        config.check().map_err(|(node, message)| {
            let node: Vec<&str> = node.iter().map(String::as_str).collect();
            AppError::yaml(path, &error_at_node(&text, &node, message))
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.history = folder.join(&config.history);
        for receiver in &mut config.alerts.receivers {
            receiver.secret_file = receiver.secret_file.take().map(|file| folder.join(file));
        }
        for sensor in &mut config.sensors {
            if sensor.captures != STANDARD_INPUT {
                sensor.captures = folder.join(&sensor.captures).to_string_lossy().into_owned();
            }
        }
        Ok(config)
    }

    /// Checks the meaning of the values. An error has the path of the value in the file.
    fn check(&self) -> Result<(), (Vec<String>, String)> {
        let wrong = |path: &[&str], message: &str| {
            Err((path.iter().map(|step| (*step).to_owned()).collect(), message.to_owned()))
        };
        if self.sensors.is_empty() {
            return wrong(&["sensors"], "no sensor; name at least one, with its captures");
        }
        for (place, sensor) in self.sensors.iter().enumerate() {
            let at = place.to_string();
            if self.sensors[..place].iter().any(|other| other.name == sensor.name) {
                return wrong(&["sensors", &at, "name"], "a sensor of this name is listed above");
            }
            let is_input = |one: &WatchedSensor| one.captures == STANDARD_INPUT;
            if is_input(sensor) && self.sensors[..place].iter().any(is_input) {
                return wrong(&["sensors", &at, "captures"], "only one sensor can have standard input");
            }
            if let Err(message) = PathPattern::new(&sensor.captures) {
                return wrong(&["sensors", &at, "captures"], &message);
            }
        }
        for (place, network) in self.own_networks.iter().enumerate() {
            if network.name.trim().is_empty() {
                return wrong(&["own_networks", &place.to_string(), "name"], "the name is empty");
            }
        }
        for (place, receiver) in self.alerts.receivers.iter().enumerate() {
            let at = place.to_string();
            if self.alerts.receivers[..place].iter().any(|other| other.name == receiver.name) {
                return wrong(
                    &["alerts", "receivers", &at, "name"],
                    "a receiver of this name is listed above",
                );
            }
            if let Err((key, message)) = receiver.check() {
                return wrong(&["alerts", "receivers", &at, key], &message);
            }
        }
        for (place, mute) in self.alerts.mutes.iter().enumerate() {
            if let Err((key, message)) = mute.check() {
                return wrong(&["alerts", "mutes", &place.to_string(), key], &message);
            }
        }
        if !(1..=3600).contains(&self.commit_seconds) {
            return wrong(&["commit_seconds"], "must lie between 1 and 3600");
        }
        if !(1..=1440).contains(&self.detect_minutes) {
            return wrong(&["detect_minutes"], "must lie between 1 and 1440");
        }
        for (key, percent) in
            [("loss_percent", self.thresholds.loss_percent), ("disk_percent", self.thresholds.disk_percent)]
        {
            if !(0.0..=100.0).contains(&percent) {
                return wrong(&["thresholds", key], "must lie between 0 and 100");
            }
        }
        if self.retention.sightings_days.is_some_and(|days| days < 90) {
            return wrong(
                &["retention", "sightings_days"],
                "fewer than 90 days; surges and causes are judged by eight weeks before them",
            );
        }
        Ok(())
    }

    /// Checks that the history exists and has the sensors.
    ///
    /// # Errors
    /// When it does not; the error says how a sensor is added.
    pub fn check_history(&self, path: &Path, rules: &Rules) -> Result<(), AppError> {
        let store = LocalStore::open_to_read(&self.history, &rules.profile)?;
        let known: Vec<String> = store.sensors()?.into_iter().map(|sensor| sensor.name).collect();
        let Some(place) = self.sensors.iter().position(|sensor| !known.contains(&sensor.name)) else {
            return Ok(());
        };
        let text = yaml_file::read(path)?;
        let message = format!(
            "the history has no sensor `{}`; add it by `inga sensor add`",
            crate::escape::escape_hidden(&self.sensors[place].name)
        );
        Err(AppError::yaml(path, &error_at_node(&text, &["sensors", &place.to_string(), "name"], message)))
    }

    /// Returns the time between two commits.
    pub(super) fn commit_interval(&self) -> Duration {
        Duration::from_secs(self.commit_seconds.into())
    }

    /// Returns the time between two searches for surges.
    pub(super) fn detect_interval(&self) -> Duration {
        Duration::from_secs(60 * u64::from(self.detect_minutes))
    }
}
