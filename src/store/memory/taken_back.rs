//! Removing captures and days from a history in memory.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::history::{CaptureRecord, Reopened, closed_before, recorded_days};
use crate::store::{StoreError, merged, zone_of};

use super::{Kept, MemoryStore};

impl Kept {
    /// Makes days unrecorded.
    fn forget_days(&mut self, gone: &BTreeSet<Date>) -> Result<(), StoreError> {
        let zone = zone_of(&self.sensor)?;
        self.closed.values_mut().chain([&mut self.open]).for_each(|part| part.forget_days(gone, &zone));
        let is_gone = |day: Date| gone.contains(&day);
        self.resume = std::mem::take(&mut self.resume).without_days(&is_gone, &zone);
        if let Some(before) = &mut self.before_newest {
            before.resume = std::mem::take(&mut before.resume).without_days(&is_gone, &zone);
        }
        Ok(())
    }
}

impl MemoryStore {
    /// Returns whether a capture can be removed; see the trait.
    pub(super) fn can_take_back(&self, sensor: &str, content: &[u8; 32]) -> Result<bool, StoreError> {
        let kept = self.kept(sensor)?;
        if !kept.captures.contains_key(content) {
            return Err(StoreError::UnknownCapture(sensor.to_owned()));
        }
        Ok(kept.closed.contains_key(content))
    }

    /// Removes a capture; see the trait.
    pub(super) fn take_back(
        &mut self,
        sensor: &str,
        content: &[u8; 32],
        reopened: Option<Reopened>,
    ) -> Result<(), StoreError> {
        let kept = self.kept(sensor)?;
        let zone = zone_of(&kept.sensor)?;
        let Some(record) = kept.captures.get(content).cloned() else {
            return Err(StoreError::UnknownCapture(sensor.to_owned()));
        };
        if !kept.closed.contains_key(content) {
            return Err(merged(sensor, &record, &zone));
        }
        let is_newest = kept.before_newest.as_ref().is_some_and(|before| before.content == *content);
        let open = match &reopened {
            Some(_) if !is_newest => return Err(StoreError::FedMeanwhile),
            Some(reopened) => {
                Some(self.adopt(&reopened.open, &reopened.mark_names, &reopened.type_numbers)?)
            }
            None => None,
        };
        let kept = self.kept_mut(sensor)?;
        kept.captures.remove(content);
        kept.closed.remove(content);
        if is_newest {
            kept.before_newest = None;
        }
        if let (Some(open), Some(reopened)) = (open, reopened) {
            (kept.open, kept.resume) = (open, reopened.resume);
        } else if kept.captures.is_empty() {
            (kept.open, kept.resume) = Default::default();
        }
        let left = recorded_days(kept.captures.values(), &zone);
        let gone = recorded_days([&record], &zone).difference(&left).copied().collect();
        kept.forget_days(&gone)
    }

    /// Makes days unrecorded; see the trait.
    pub(super) fn forget_days(&mut self, sensor: &str, days: (Date, Date)) -> Result<(), StoreError> {
        let kept = self.kept_mut(sensor)?;
        let zone = zone_of(&kept.sensor)?;
        let is_in = |day: Date| days.0 <= day && day <= days.1;
        let recorded = recorded_days(kept.captures.values(), &zone);
        let cut = std::mem::take(&mut kept.captures);
        let left = cut.into_values().filter_map(|record| record.without_days(days, &zone));
        kept.captures = left.map(|record: CaptureRecord| (record.content, record)).collect();
        kept.before_newest = None;
        if kept.resume.clock.is_some_and(|clock| is_in(clock.day(&zone))) {
            let open = std::mem::take(&mut kept.open);
            // The windows count as closed from now on, but belong to no capture.
            kept.closed.entry([0; 32]).or_default().merge(open);
            kept.resume = closed_before(kept.captures.values());
        }
        kept.forget_days(&recorded.into_iter().filter(|day| is_in(*day)).collect())
    }
}
