//! Removing captures and days from a history in memory.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::history::{CaptureRecord, ReopenedWindows, recorded_days, state_after_captures};
use crate::store::{StoreError, merged_error, zone_of};

use super::{MemoryStore, SensorData};

impl SensorData {
    /// Makes days unrecorded.
    fn delete_days(&mut self, gone: &BTreeSet<Date>) -> Result<(), StoreError> {
        let zone = zone_of(&self.sensor)?;
        self.closed.values_mut().chain([&mut self.open]).for_each(|part| part.delete_days(gone, &zone));
        let is_gone = |day: Date| gone.contains(&day);
        self.engine_state = std::mem::take(&mut self.engine_state).without_days(&is_gone, &zone);
        if let Some(before) = &mut self.rollback_point {
            before.engine_state = std::mem::take(&mut before.engine_state).without_days(&is_gone, &zone);
        }
        Ok(())
    }
}

impl MemoryStore {
    /// Returns whether a capture can be removed; see the trait.
    pub(super) fn is_capture_removable(&self, sensor: &str, content: &[u8; 32]) -> Result<bool, StoreError> {
        let kept = self.sensor_data(sensor)?;
        if !kept.captures.contains_key(content) {
            return Err(StoreError::UnknownCapture(sensor.to_owned()));
        }
        Ok(kept.closed.contains_key(content))
    }

    /// Removes a capture; see the trait.
    pub(super) fn delete_capture(
        &mut self,
        sensor: &str,
        content: &[u8; 32],
        reopened: Option<ReopenedWindows>,
    ) -> Result<(), StoreError> {
        let kept = self.sensor_data(sensor)?;
        let zone = zone_of(&kept.sensor)?;
        let Some(record) = kept.captures.get(content).cloned() else {
            return Err(StoreError::UnknownCapture(sensor.to_owned()));
        };
        if !kept.closed.contains_key(content) {
            return Err(merged_error(sensor, &record, &zone));
        }
        let is_newest = kept.rollback_point.as_ref().is_some_and(|before| before.content == *content);
        let open = match &reopened {
            Some(_) if !is_newest => return Err(StoreError::ConcurrentChange),
            Some(reopened) => {
                self.signatures.extend(reopened.signatures.iter().copied());
                Some(self.import_sightings(&reopened.open, &reopened.mark_names, &reopened.type_numbers)?)
            }
            None => None,
        };
        let kept = self.sensor_data_mut(sensor)?;
        kept.captures.remove(content);
        kept.closed.remove(content);
        if is_newest {
            kept.rollback_point = None;
        }
        if let (Some(open), Some(reopened)) = (open, reopened) {
            (kept.open, kept.engine_state) = (open, reopened.engine_state);
        } else if kept.captures.is_empty() {
            (kept.open, kept.engine_state) = Default::default();
        }
        let left = recorded_days(kept.captures.values(), &zone);
        let gone = recorded_days([&record], &zone).difference(&left).copied().collect();
        kept.delete_days(&gone)
    }

    /// Makes days unrecorded; see the trait.
    pub(super) fn delete_days(&mut self, sensor: &str, days: (Date, Date)) -> Result<(), StoreError> {
        let kept = self.sensor_data_mut(sensor)?;
        let zone = zone_of(&kept.sensor)?;
        let is_in = |day: Date| days.0 <= day && day <= days.1;
        let recorded = recorded_days(kept.captures.values(), &zone);
        let cut = std::mem::take(&mut kept.captures);
        let left = cut.into_values().filter_map(|record| record.without_days(days, &zone));
        kept.captures = left.map(|record: CaptureRecord| (record.content, record)).collect();
        kept.rollback_point = None;
        if kept.engine_state.clock.is_some_and(|clock| is_in(clock.day(&zone))) {
            let open = std::mem::take(&mut kept.open);
            // The windows count as closed from now on, but belong to no capture.
            kept.closed.entry([0; 32]).or_default().merge(open);
            kept.engine_state = state_after_captures(kept.captures.values());
        }
        kept.delete_days(&recorded.into_iter().filter(|day| is_in(*day)).collect())
    }
}
