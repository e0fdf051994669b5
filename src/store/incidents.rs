//! The part of a store that keeps incidents and the health of sensors.

use std::collections::BTreeMap;

use crate::incident::{FollowedCapture, Incident, SensorHealth};

use super::StoreError;

/// A store of incidents and of the health of sensors.
///
/// # Errors
/// Every method fails if the backend fails or stored data is damaged. Methods list further errors.
pub trait IncidentStore {
    /// Returns all incidents, ascending by number. A history of an earlier version has none.
    fn incidents(&self) -> Result<Vec<Incident>, StoreError>;

    /// Returns an incident.
    ///
    /// # Errors
    /// Fails with [`StoreError::UnknownIncident`] if there is none with this number.
    fn incident(&self, number: u64) -> Result<Incident, StoreError> {
        let found = self.incidents()?.into_iter().find(|incident| incident.number == number);
        found.ok_or(StoreError::UnknownIncident(number))
    }

    /// Stores incidents, all or none. An incident with revision 0 is new; any other one replaces that of the
    /// same number, and must have its revision. Each is stored with the next revision.
    ///
    /// # Errors
    /// Fails with [`StoreError::ConcurrentChange`] if somebody else stored one of the incidents since it was
    /// read. Read it again, change it again, and try again.
    fn put_incidents(&mut self, incidents: &[Incident]) -> Result<(), StoreError>;

    /// Returns the health of each sensor that was stored last, ascending by name.
    fn sensor_healths(&self) -> Result<Vec<SensorHealth>, StoreError>;

    /// Stores the health of sensors, in place of what was stored of the same sensors.
    fn put_sensor_healths(&mut self, healths: &[SensorHealth]) -> Result<(), StoreError>;

    /// Returns the number of segment files in which the rows of a sensor lie; 0 for a store without such files.
    fn segment_count(&self, sensor: &str) -> Result<u64, StoreError>;

    /// Returns how far the captures of a sensor were followed, by a key that identifies the capture.
    fn followed_captures(&self, sensor: &str) -> Result<BTreeMap<String, FollowedCapture>, StoreError>;

    /// Stores how far a capture of a sensor was followed.
    fn put_followed_capture(
        &mut self,
        sensor: &str,
        key: &str,
        followed: &FollowedCapture,
    ) -> Result<(), StoreError>;
}

/// Returns an incident with the next revision, if `stored`, the revision in the store, is the one that it was
/// read with.
pub(super) fn next_revision(incident: &Incident, stored: Option<u64>) -> Result<Incident, StoreError> {
    if incident.revision != stored.unwrap_or(0) {
        return Err(StoreError::ConcurrentChange);
    }
    Ok(Incident { revision: incident.revision.saturating_add(1), ..incident.clone() })
}
