//! The data of an incident.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::behavior::{BehaviorId, Parameters};
use crate::history::SurgeBehavior;
use crate::packet::{Protocol, Timestamp};

use super::change::IncidentChange;
use super::state::{IncidentEnd, IncidentState};

/// The parts of an incident's title. The words are put together where they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentTitle {
    /// The narrowest behavior that has more than half of the excess hosts.
    pub behavior: SurgeBehavior,
    /// The protocol and destination port that all its packets have; `None` if they have several or none.
    pub service: Option<(Protocol, u16)>,
    /// The parameters of the type that most of its hosts show, from which transition and ports can be told.
    pub parameters: Parameters,
    /// The labels of its types, the one with the most hosts first.
    pub labels: Vec<String>,
    /// Number of its types.
    pub types: u64,
}

/// An incident as one sensor observed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentSensor {
    /// The name of the sensor.
    pub sensor: String,
    /// The first day (the onset).
    pub first: Date,
    /// The last day that stood out.
    pub last: Date,
    /// Number of unique hosts from the first to the last day.
    pub hosts: u64,
    /// The day with the largest departure from the expected number of hosts.
    pub peak: Date,
    /// Number of unique hosts on that day.
    pub peak_hosts: u64,
    /// The number of hosts that the past let expect for that day.
    pub expected: f64,
    /// The q-value of the surge.
    pub q: f64,
}

/// A malware family as a cause of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentCause {
    /// The name of the family; the id of the sample if nothing names one.
    pub family: String,
    /// The ids of its samples that may be the cause, the most probable first.
    pub samples: Vec<String>,
    /// The probability that the family is the cause, by all sensors.
    pub probability: f64,
    /// The verdict's stable word, such as `likely` or `indistinguishable`.
    pub verdict: String,
    /// The names of the sensors where the verdict holds.
    pub sensors: Vec<String>,
}

/// One departure of a behavior from its past, at all sensors that observe it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number in the history, from 1; never used again.
    pub number: u64,
    /// How often it was stored. Storing an older revision is refused, so that no change is lost.
    pub revision: u64,
    /// The parts of its title.
    pub title: IncidentTitle,
    /// The ids of all patterns that surged in it, ascending. A later surge of one of them belongs to it.
    pub patterns: Vec<BehaviorId>,
    /// The first day of the surge that opened it, by which surges of the same service are assigned to it.
    pub onset: Date,
    /// The sensors that observed it, ascending by name.
    pub sensors: Vec<IncidentSensor>,
    /// When it was opened.
    pub opened: Timestamp,
    /// When something of it changed last.
    pub updated: Timestamp,
    /// The end of its surge; `None` while it lasts.
    pub ended: Option<IncidentEnd>,
    /// What the operators have done about it.
    pub state: IncidentState,
    /// Who takes care of it.
    pub owner: Option<String>,
    /// The malware families that may be its cause, the most probable first.
    pub causes: Vec<IncidentCause>,
    /// The probability that it is a scanner of which no sample is known; `None` until it was computed.
    pub unknown: Option<f64>,
    /// The probability that nothing began, and chance or drift made the counts; `None` until it was computed.
    pub nothing: Option<f64>,
    /// A hash of the samples that were weighed as its causes; empty until that was done.
    pub weighed: String,
    /// Number of unique hosts, over all its sensors and days, that show its behavior; each may be a suspect.
    pub suspects: u64,
    /// The ids of the samples that are linked to it, ascending.
    pub samples: Vec<String>,
    /// Everything that happened to it, in the order in which it happened.
    pub changes: Vec<IncidentChange>,
}

impl Incident {
    /// Returns the first day at any sensor, or `None` if it has no sensor.
    #[must_use]
    pub fn first(&self) -> Option<Date> {
        self.sensors.iter().map(|one| one.first).min()
    }

    /// Returns the last day that stood out at any sensor, or `None` if it has no sensor.
    #[must_use]
    pub fn last(&self) -> Option<Date> {
        self.sensors.iter().map(|one| one.last).max()
    }

    /// Returns the number of hosts at the sensor that observed most of them, by which incidents are ranked.
    #[must_use]
    pub fn hosts(&self) -> u64 {
        self.main_sensor().map_or(0, |one| one.hosts)
    }

    /// Returns the sensor that observed the most hosts, or `None` if it has no sensor.
    #[must_use]
    pub fn main_sensor(&self) -> Option<&IncidentSensor> {
        self.sensors.iter().max_by_key(|one| one.hosts)
    }

    /// Returns whether the operators have to look at it: it is not closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state != IncidentState::Closed
    }
}
