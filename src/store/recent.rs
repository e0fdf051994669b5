//! The part of a store that answers what an operator's page asks often: finished days, and what came last.

use jiff::civil::Date;

use crate::history::{DayTotal, Sighting};
use crate::packet::Timestamp;

use super::StoreError;

/// A store whose finished days and newest sightings are read without the rest.
///
/// # Errors
/// Every method fails if the backend fails or stored data is damaged, and with [`StoreError::UnknownSensor`] if there
/// is no such sensor.
pub trait RecentStore {
    /// Returns the totals of the days until `last` (included) that have windows, ascending by day. Days after it, which
    /// may have to be counted from sightings because they still grow, are not read.
    fn totals_until(&self, sensor: &str, last: Date) -> Result<Vec<DayTotal>, StoreError>;

    /// Calls `sink` with the sightings of whole windows whose last packet is not before `since`, in no particular order.
    fn each_recent_sighting(
        &self,
        sensor: &str,
        since: Timestamp,
        sink: &mut dyn FnMut(&Sighting),
    ) -> Result<(), StoreError>;
}
