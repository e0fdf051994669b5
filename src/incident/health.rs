//! The state of health of a sensor's recording, and the one place that decides it: for `watch` and for the operator's
//! page.

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
    /// Number of its windows that are still open; `None` if it was stored by an earlier version of inga.
    #[serde(default)]
    pub open_windows: Option<u64>,
    /// Number of segment files in which its rows lie; `None` as above.
    #[serde(default)]
    pub segments: Option<u64>,
    /// What is wrong, ascending; empty while the sensor is recording as it should.
    pub conditions: Vec<HealthCondition>,
    /// The error of the last capture that could not be fed, if `conditions` has
    /// [`HealthCondition::Unreadable`].
    pub error: Option<String>,
}

/// When something is wrong with a sensor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// A sensor is silent if its newest packet is older, in minutes.
    pub silent_minutes: u32,
    /// Packets are late if they reach the history later, in seconds.
    pub lag_seconds: u32,
    /// A recorder loses too much if it lost more of the packets of the last day, in per cent.
    pub loss_percent: f64,
    /// The disk of the history is nearly full if less of it is free, in per cent.
    pub disk_percent: f64,
    /// A clock is wrong if packets come from further in the future, in seconds.
    pub clock_seconds: u32,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            silent_minutes: 15,
            lag_seconds: 300,
            loss_percent: 1.0,
            disk_percent: 5.0,
            clock_seconds: 60,
        }
    }
}

/// What is known of a sensor's recording at one time.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordingFacts {
    /// Age of the newest packet in seconds, negative if it comes from the future; `None` if there is no packet.
    pub age_seconds: Option<f64>,
    /// As in [`SensorHealth`].
    pub lag_seconds: Option<f64>,
    /// As in [`SensorHealth`].
    pub loss: Option<f64>,
    /// Whether packets were left out because of their times.
    pub had_wrong_clock: bool,
    /// Whether a capture could not be read or was refused.
    pub is_unreadable: bool,
    /// Free share of the disk of the history in per cent, if it is known.
    pub free_percent: Option<f64>,
}

impl RecordingFacts {
    /// Returns what is wrong, ascending.
    #[must_use]
    pub fn conditions(&self, limits: &Thresholds) -> Vec<HealthCondition> {
        let silent_seconds = 60.0 * f64::from(limits.silent_minutes);
        let is_silent = self.age_seconds.is_none_or(|age| age > silent_seconds);
        let is_late = self.lag_seconds.is_some_and(|lag| lag > f64::from(limits.lag_seconds));
        let is_ahead = self.age_seconds.is_some_and(|age| age < -f64::from(limits.clock_seconds));
        let conditions = [
            (HealthCondition::Silent, is_silent),
            // Of a silent sensor nothing comes, late or not.
            (HealthCondition::Late, is_late && !is_silent),
            (HealthCondition::Lossy, self.loss.is_some_and(|loss| 100.0 * loss > limits.loss_percent)),
            (HealthCondition::WrongClock, is_ahead || self.had_wrong_clock),
            (HealthCondition::Unreadable, self.is_unreadable),
            (
                HealthCondition::DiskNearlyFull,
                self.free_percent.is_some_and(|free| free < limits.disk_percent),
            ),
        ];
        conditions.into_iter().filter(|(_, holds)| *holds).map(|(one, _)| one).collect()
    }
}

impl SensorHealth {
    /// Returns whether nothing is wrong.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.conditions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_holds_beyond_its_threshold() {
        use HealthCondition::{DiskNearlyFull, Late, Lossy, Silent, Unreadable, WrongClock};
        let fine = RecordingFacts {
            age_seconds: Some(900.0),
            lag_seconds: Some(300.0),
            loss: Some(0.01),
            free_percent: Some(5.0),
            ..RecordingFacts::default()
        };
        let of = |facts: RecordingFacts| facts.conditions(&Thresholds::default());
        assert_eq!(of(fine), []);
        assert_eq!(of(RecordingFacts::default()), [Silent], "nothing was recorded yet");
        let late = RecordingFacts { lag_seconds: Some(301.0), ..fine };
        assert_eq!(of(late), [Late]);
        assert_eq!(of(RecordingFacts { age_seconds: Some(901.0), ..late }), [Silent]);
        assert_eq!(
            of(RecordingFacts { age_seconds: Some(-61.0), loss: Some(0.02), ..fine }),
            [Lossy, WrongClock]
        );
        let broken = RecordingFacts { is_unreadable: true, free_percent: Some(4.9), ..fine };
        assert_eq!(of(broken), [Unreadable, DiskNearlyFull]);
    }
}
