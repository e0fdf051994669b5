//! Finished days and the newest sightings, in memory: all are read and filtered.

use jiff::civil::Date;

use crate::history::{DayTotal, Filter, Sighting};
use crate::packet::Timestamp;
use crate::store::{HistoryStore, RecentStore, StoreError};

use super::MemoryStore;

impl RecentStore for MemoryStore {
    fn totals_until(&self, sensor: &str, last: Date) -> Result<Vec<DayTotal>, StoreError> {
        let mut totals = self.totals(sensor)?;
        totals.retain(|total| total.count.day <= last);
        Ok(totals)
    }

    fn each_recent_sighting(
        &self,
        sensor: &str,
        since: Timestamp,
        sink: &mut dyn FnMut(&Sighting),
    ) -> Result<(), StoreError> {
        self.each_sighting(sensor, &Filter::default(), &mut |sighting| {
            if sighting.counts.last >= since {
                sink(sighting);
            }
        })
    }
}
