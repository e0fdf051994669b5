//! Incidents and the health of sensors in memory.

use std::collections::BTreeMap;

use crate::incident::{FollowedCapture, Incident, SensorHealth};
use crate::store::incidents::next_revision;
use crate::store::{IncidentStore, StoreError};

use super::MemoryStore;

/// The incidents of a history by number, and the health of its sensors by name.
#[derive(Debug, Default)]
pub(super) struct IncidentMaps {
    incidents: BTreeMap<u64, Incident>,
    healths: BTreeMap<String, SensorHealth>,
    followed: BTreeMap<String, BTreeMap<String, FollowedCapture>>,
}

impl IncidentStore for MemoryStore {
    fn incidents(&self) -> Result<Vec<Incident>, StoreError> {
        Ok(self.incident_maps.incidents.values().cloned().collect())
    }

    fn put_incidents(&mut self, incidents: &[Incident]) -> Result<(), StoreError> {
        let known = &mut self.incident_maps.incidents;
        let mut next = Vec::new();
        for incident in incidents {
            next.push(next_revision(incident, known.get(&incident.number).map(|known| known.revision))?);
        }
        known.extend(next.into_iter().map(|incident| (incident.number, incident)));
        Ok(())
    }

    fn sensor_healths(&self) -> Result<Vec<SensorHealth>, StoreError> {
        Ok(self.incident_maps.healths.values().cloned().collect())
    }

    fn put_sensor_healths(&mut self, healths: &[SensorHealth]) -> Result<(), StoreError> {
        let new = healths.iter().map(|health| (health.sensor.clone(), health.clone()));
        self.incident_maps.healths.extend(new);
        Ok(())
    }

    fn segment_count(&self, _sensor: &str) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn followed_captures(&self, sensor: &str) -> Result<BTreeMap<String, FollowedCapture>, StoreError> {
        Ok(self.incident_maps.followed.get(sensor).cloned().unwrap_or_default())
    }

    fn put_followed_capture(
        &mut self,
        sensor: &str,
        key: &str,
        followed: &FollowedCapture,
    ) -> Result<(), StoreError> {
        let of_sensor = self.incident_maps.followed.entry(sensor.to_owned()).or_default();
        of_sensor.insert(key.to_owned(), followed.clone());
        Ok(())
    }
}
