//! The course of incidents: whether a surge goes on, is over, or resumes.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::analysis::behavior_surges::RankedSurge;
use crate::analysis::surge::Outcome;
use crate::app::AppError;
use crate::app::history::coverage_of_sightings;
use crate::incident::{ChangeKind, EndReason, Incident, IncidentEnd, IncidentSensor};
use crate::packet::Timestamp;
use crate::store::HistoryStore;

use super::{DETECTION, GroupedSurges};

/// Number of observed days without a surge after which an incident ends: as many as end a surge. The newest day
/// of a sensor does not count, because it may be recorded in part.
const CALM_DAYS: usize = 4;

/// The observed days of all sensors, by which the course of incidents is judged.
pub(super) struct Course {
    observed: BTreeMap<String, Vec<Date>>,
}

impl Course {
    pub(super) fn load(store: &dyn HistoryStore) -> Result<Course, AppError> {
        let mut observed = BTreeMap::new();
        for sensor in store.sensors()? {
            let days = coverage_of_sightings(store, &sensor.name)?.observed_days().collect();
            observed.insert(sensor.name, days);
        }
        Ok(Course { observed })
    }

    /// Returns whether an incident has to be brought up to date: it lasts, or one of its surges has a day after its end.
    pub(super) fn goes_on(&self, incident: &Incident, surges: &GroupedSurges<'_>) -> bool {
        let last = surges.ranked().map(|one| one.surge.last).max();
        incident.ended.is_none_or(|end| last.is_some_and(|last| last > end.day))
    }

    /// Reopens an incident that had ended and goes on.
    pub(super) fn resume(&self, incident: &mut Incident, at: Timestamp) -> Result<(), AppError> {
        if let (Some(end), Some(last)) = (incident.ended, incident.last())
            && last > end.day
        {
            incident.apply(ChangeKind::Reopened(last), at, DETECTION)?;
        }
        Ok(())
    }

    /// Ends an incident whose surges are over at all sensors.
    pub(super) fn end(
        &self,
        incident: &mut Incident,
        ranked: &[RankedSurge],
        at: Timestamp,
    ) -> Result<(), AppError> {
        let Some(last) = incident.last().filter(|_| incident.ended.is_none()) else { return Ok(()) };
        let mut reason = EndReason::Calm;
        for row in &incident.sensors {
            if is_new_level(row, incident, ranked) {
                reason = EndReason::NewLevel;
            } else if !self.is_calm(row) {
                return Ok(());
            }
        }
        incident.apply(ChangeKind::Ended(IncidentEnd { day: last, reason }), at, DETECTION)?;
        Ok(())
    }

    fn is_calm(&self, row: &IncidentSensor) -> bool {
        // A sensor that was removed observes nothing any more.
        let Some(days) = self.observed.get(&row.sensor) else { return true };
        days.iter().filter(|day| **day > row.last).count() > CALM_DAYS
    }
}

/// Returns whether the surge of an incident at a sensor lasted so long that its level became the background.
fn is_new_level(row: &IncidentSensor, incident: &Incident, ranked: &[RankedSurge]) -> bool {
    ranked.iter().any(|one| {
        one.sensor == row.sensor
            && one.behavior == incident.title.behavior
            && one.surge.last == row.last
            && one.surge.outcome == Outcome::NewLevel
    })
}
