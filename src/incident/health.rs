//! The state of health of a sensor's recording, as `watch` determines it.

use serde::{Deserialize, Serialize};

use crate::packet::Timestamp;

/// Something that is wrong with a sensor's recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthCondition {
    /// No packet has arrived for longer than the threshold.
    Silent,
    /// Packets reach the history later than the threshold.
    Late,
    /// The recorder lost more packets than the threshold, of those of the last recorded day.
    Lossy,
    /// The newest packets bear a time in the future.
    WrongClock,
    /// Captures cannot be read or were refused.
    Unreadable,
    /// The disk of the history is nearly full.
    DiskNearlyFull,
}

impl HealthCondition {
    /// Returns the word of the condition, as it is shown and stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            HealthCondition::Silent => "silent",
            HealthCondition::Late => "late",
            HealthCondition::Lossy => "lossy",
            HealthCondition::WrongClock => "wrong-clock",
            HealthCondition::Unreadable => "unreadable",
            HealthCondition::DiskNearlyFull => "disk-nearly-full",
        }
    }
}

/// The state of health of a sensor's recording at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SensorHealth {
    /// The name of the sensor.
    pub sensor: String,
    /// When the state was determined.
    pub at: Timestamp,
    /// The time of the newest packet in the history.
    pub last_packet: Option<Timestamp>,
    /// Seconds from the time of the newest packet until it was stored, when it was stored last.
    pub lag_seconds: Option<f64>,
    /// Share of the packets of the last recorded day that the recorder lost, 0 to 1; `None` if no capture
    /// states it.
    pub loss: Option<f64>,
    /// Packets to dark addresses that the history has of the sensor.
    pub packets: u64,
    /// What is wrong, ascending; empty while the sensor is recording as it should.
    pub conditions: Vec<HealthCondition>,
    /// The error of the last capture that could not be fed, if `conditions` has
    /// [`HealthCondition::Unreadable`].
    pub error: Option<String>,
}

impl SensorHealth {
    /// Returns whether nothing is wrong.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.conditions.is_empty()
    }
}
