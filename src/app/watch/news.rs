//! What happened while captures were fed and incidents were updated, as lines of the log.

use std::collections::BTreeMap;

use crate::app::admission::CLOCK_NOTICE;
use crate::app::incidents::UpdatedIncident;
use crate::app::now;
use crate::incident::{ChangeKind, SensorHealth};

use super::condition::FeedState;
use super::follow::FollowEvent;
use super::log::Log;

/// What happened while captures were fed.
pub(super) struct News {
    /// By sensor.
    pub(super) states: BTreeMap<String, FeedState>,
    /// Whether something was stored since surges were searched for.
    pub(super) has_new: bool,
    /// Whether something was stored since segments were merged and own networks were searched for.
    pub(super) has_stored: bool,
    /// The health that was logged last, by sensor.
    known: BTreeMap<String, SensorHealth>,
}

impl News {
    /// Begins as if something had been stored, because an earlier process may have ended before it looked.
    pub(super) fn new() -> News {
        News { states: BTreeMap::new(), has_new: true, has_stored: true, known: BTreeMap::new() }
    }

    /// Logs an event of a sensor, and takes it into the sensor's state.
    pub(super) fn take(&mut self, log: &mut Log, sensor: &str, event: FollowEvent) {
        let state = self.states.entry(sensor.to_owned()).or_default();
        match event {
            FollowEvent::Stored { capture, dark, packets } => {
                log.info(Some(sensor), &format!("{capture}: {dark} of {packets} packets to dark addresses"));
                *state = FeedState::stored(now());
                (self.has_new, self.has_stored) = (true, true);
            }
            FollowEvent::Notice(notice) => {
                state.had_wrong_clock |= notice.contains(CLOCK_NOTICE);
                log.warning(Some(sensor), &notice);
            }
            FollowEvent::Failed(error) => {
                log.error(Some(sensor), &error);
                state.error = Some(error);
            }
        }
    }

    /// Logs what changed in the health of a sensor.
    pub(super) fn log_health(&mut self, log: &mut Log, health: &SensorHealth) {
        let before = self.known.insert(health.sensor.clone(), health.clone());
        let before = before.map(|health| health.conditions).unwrap_or_default();
        for condition in health.conditions.iter().filter(|one| !before.contains(one)) {
            log.warning(Some(&health.sensor), condition.word());
        }
        for condition in before.iter().filter(|one| !health.conditions.contains(one)) {
            log.info(Some(&health.sensor), &format!("no longer {}", condition.word()));
        }
    }
}

/// Logs what detection changed in an incident.
pub(super) fn log_incident(log: &mut Log, updated: &UpdatedIncident) {
    let incident = &updated.incident;
    for what in updated.new_changes() {
        let what = match what {
            ChangeKind::Opened => "opened".to_owned(),
            ChangeKind::Ended(end) => format!("ended on {}", end.day),
            ChangeKind::Reopened(day) => format!("resumed, last on {day}"),
            ChangeKind::Cause { family, probability, verdict } => {
                format!("{family} is a {verdict} cause ({:.0} %)", 100.0 * probability)
            }
            ChangeKind::Sample(id) => format!("sample {id} linked"),
            ChangeKind::State(_) | ChangeKind::Owner(_) | ChangeKind::Note(_) => continue,
        };
        let behavior = incident.title.behavior.notation();
        log.warning(None, &format!("incident {} ({behavior}): {what}", incident.number));
    }
}
