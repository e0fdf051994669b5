//! Checks whether a sensor can be edited.

use crate::history::{Coverage, Sensor, days_in_words};

use super::StoreError;

/// Fails if an edit would contradict the stored data of the sensor; see
/// [`HistoryStore::edit_sensor`](super::HistoryStore::edit_sensor).
pub(super) fn check_edit(known: &Sensor, edited: &Sensor, coverage: &Coverage) -> Result<(), StoreError> {
    let refused = |reason: String| Err(StoreError::NotEditable { sensor: known.name.clone(), reason });
    if edited.name != known.name {
        return refused(format!(
            "cannot be renamed to `{}`, because its history is kept by its name",
            edited.name
        ));
    }
    let Some(last_recorded) = coverage.recorded_days.last() else { return Ok(()) };
    if edited.time_zone != known.time_zone {
        let (now, then) = (&edited.time_zone, &known.time_zone);
        return refused(format!("has recorded days of the time zone {then}, which are no days of {now}"));
    }
    let days = known.days_unlike(edited, &coverage.recorded_days);
    match (days.first(), days.last()) {
        (Some(first), Some(last)) => Err(StoreError::PastChanged {
            sensor: known.name.clone(),
            days: days_in_words(&days),
            first: *first,
            last: *last,
            next: last_recorded.tomorrow().unwrap_or(*last_recorded),
        }),
        _ => Ok(()),
    }
}
