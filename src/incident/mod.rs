//! F2: incidents, the unit in which an operator works: one departure of a behavior from its past, at all sensors
//! that observe it, from the day it is found until it is closed; and the state of health of the sensors.
//!
//! This module is pure. `app` finds the surges and causes, `store` keeps the incidents in the catalog.

mod alert;
mod apply;
mod assign;
mod change;
mod followed;
mod health;
mod model;
mod state;

pub use alert::{Alert, AlertKind, Delivery};
pub use assign::{FoundSurge, SurgeGroup, assign_surges, narrowest_behavior};
pub use change::{ChangeKind, IncidentChange, IncidentError, NOTE_BYTES_MAX, OWNER_BYTES_MAX};
pub use followed::FollowedCapture;
pub use health::{HealthCondition, RecordingFacts, SensorHealth, Thresholds};
pub use model::{Incident, IncidentCause, IncidentSensor, IncidentTitle};
pub use state::{EndReason, IncidentEnd, IncidentState};
