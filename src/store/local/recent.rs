//! Finished days and the newest sightings of a history in a folder.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::civil::Date;

use crate::history::{CaptureRecord, DayTotal, Sighting};
use crate::packet::Timestamp;
use crate::store::{RecentStore, StoreError};

use super::row_filter::RowFilter;
use super::{LocalStore, capture_rows, catalog};

const HOUR_NANOSECONDS: i64 = 3_600_000_000_000;

impl RecentStore for LocalStore {
    fn totals_until(&self, sensor: &str, last: Date) -> Result<Vec<DayTotal>, StoreError> {
        self.totals_of_days(sensor, Some(last))
    }

    fn each_recent_sighting(
        &self,
        sensor: &str,
        since: Timestamp,
        sink: &mut dyn FnMut(&Sighting),
    ) -> Result<(), StoreError> {
        let (id, source) = self.sensor_reader(sensor)?;
        let captures = capture_rows::captures(&self.connection, id)?;
        let is_recent = |capture: &&CaptureRecord| capture.last().is_some_and(|last| last >= since);
        let recent: HashSet<[u8; 32]> =
            captures.iter().filter(is_recent).map(|capture| capture.content).collect();
        let wanted = RowFilter {
            facets: false,
            // A window that began before midnight may have ended after it.
            days: (Some(since.plus_nanoseconds(-HOUR_NANOSECONDS).day(&source.zone)), None),
            ..RowFilter::ALL
        };
        let may_have = |capture: Option<[u8; 32]>| capture.is_none_or(|content| recent.contains(&content));
        source.each_sighting_of_captures(&may_have, &wanted, &mut |sighting| {
            if sighting.counts.last >= since {
                sink(sighting);
            }
            Ok(())
        })
    }
}

impl LocalStore {
    /// Returns the totals of the days until `last` that have windows, ascending by day; of all days if it is `None`.
    pub(super) fn totals_of_days(
        &self,
        sensor: &str,
        last: Option<Date>,
    ) -> Result<Vec<DayTotal>, StoreError> {
        let (id, source) = self.sensor_reader(sensor)?;
        let mut days = catalog::days(&self.connection, id)?;
        days.retain(|day, _| last.is_none_or(|last| *day <= last));
        let uncounted: BTreeSet<Date> =
            days.iter().filter(|(_, total)| total.is_none()).map(|(day, _)| *day).collect();
        let mut totals: BTreeMap<Date, DayTotal> =
            days.into_iter().filter_map(|(day, total)| Some((day, total?))).collect();
        if !uncounted.is_empty() {
            totals.extend(source.count_totals(&uncounted)?);
        }
        Ok(totals.into_values().filter(|total| total.count.windows > 0).collect())
    }
}
