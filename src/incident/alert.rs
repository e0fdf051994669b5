//! Alerts: what an operator is told at once, at most once for one thing.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::packet::Timestamp;

/// The kind of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// An address of the operator's own networks was observed in a dark space.
    OwnNetwork,
    /// An incident was opened.
    IncidentOpened,
    /// A malware family became the likely cause of an incident.
    CauseLikely,
    /// No packet has come from a sensor for longer than the threshold.
    SensorSilent,
    /// A recorder lost more packets than the threshold.
    CaptureLoss,
}

impl AlertKind {
    /// Returns the word of the kind, as it is shown and sent.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            AlertKind::OwnNetwork => "own-network",
            AlertKind::IncidentOpened => "incident-opened",
            AlertKind::CauseLikely => "cause-likely",
            AlertKind::SensorSilent => "sensor-silent",
            AlertKind::CaptureLoss => "capture-loss",
        }
    }
}

/// Something that an operator is told at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The one thing that it is about. Of several alerts with the same key only the first is raised, ever.
    pub key: String,
    /// Its kind.
    pub kind: AlertKind,
    /// When it was raised.
    pub at: Timestamp,
    /// What happened, in a sentence.
    pub message: String,
    /// The incident that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<u64>,
    /// The sensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// The address in the operator's own network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<IpAddr>,
    /// The name of that network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

/// Alerts that are still to be sent to a receiver, together.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Its number in the history.
    pub id: u64,
    /// The name of the receiver.
    pub receiver: String,
    /// How often it was tried.
    pub attempts: u64,
    /// When it is tried next.
    pub next: Timestamp,
    /// The alerts.
    pub alerts: Vec<Alert>,
}

const SECOND: i64 = 1_000_000_000;
/// Time after the first failed attempt until the second one.
const BACK_OFF_FIRST: i64 = 30 * SECOND;
/// Maximum time between two attempts.
const BACK_OFF_MAX: i64 = 3600 * SECOND;
/// Number of attempts after which a delivery is given up: more than three days.
const ATTEMPTS_MAX: u64 = 80;

impl Delivery {
    /// Returns the delivery after a failed attempt: it is tried again after a time that doubles with each attempt,
    /// up to an hour. Returns `None` if it is given up.
    #[must_use]
    pub fn after_failure(&self, at: Timestamp) -> Option<Delivery> {
        let attempts = self.attempts + 1;
        if attempts >= ATTEMPTS_MAX {
            return None;
        }
        let doubled = u32::try_from(self.attempts).ok().and_then(|times| 1_i64.checked_shl(times));
        let wait = doubled.and_then(|factor| BACK_OFF_FIRST.checked_mul(factor)).unwrap_or(BACK_OFF_MAX);
        let wait = if wait > 0 { wait.min(BACK_OFF_MAX) } else { BACK_OFF_MAX };
        Some(Delivery { attempts, next: at.plus_nanoseconds(wait), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_waits_longer_after_each_failure_and_is_given_up_after_days() {
        let mut delivery =
            Delivery { id: 1, receiver: "a".to_owned(), attempts: 0, next: Timestamp(0), alerts: vec![] };
        let mut waits = Vec::new();
        while let Some(next) = delivery.after_failure(delivery.next) {
            waits.push((next.next.0 - delivery.next.0) / SECOND);
            delivery = next;
        }
        assert_eq!(waits[..8], [30, 60, 120, 240, 480, 960, 1920, 3600]);
        assert!(waits.iter().sum::<i64>() > 3 * 24 * 3600);
    }
}
