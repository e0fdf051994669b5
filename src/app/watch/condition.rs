//! Determines the health of a sensor's recording.

use std::path::Path;

use crate::app::AppError;
use crate::incident::{RecordingFacts, SensorHealth, Thresholds};
use crate::packet::Timestamp;
use crate::store::HistoryStore;

const SECOND: f64 = 1e9;

/// The result of feeding the captures of a sensor: when packets were stored, and what failed.
#[derive(Clone, Debug, Default)]
pub(super) struct FeedState {
    /// When packets were stored last, by the clock of this machine.
    pub(super) stored_at: Option<Timestamp>,
    /// The last error.
    pub(super) error: Option<String>,
    /// Whether packets were left out because of their times.
    pub(super) had_wrong_clock: bool,
    /// What the history has of the sensor; `None` if that changed since it was read.
    recorded: Option<Recorded>,
}

impl FeedState {
    /// Returns the state after packets were stored at this time, without an error.
    pub(super) fn stored(at: Timestamp) -> FeedState {
        FeedState { stored_at: Some(at), ..FeedState::default() }
    }
}

/// What the history has of a sensor.
#[derive(Clone, Copy, Debug)]
struct Recorded {
    last_packet: Option<Timestamp>,
    /// As in [`SensorHealth`].
    loss: Option<f64>,
    packets: u64,
    open_windows: u64,
    segments: u64,
}

impl Recorded {
    fn read(store: &dyn HistoryStore, sensor: &str) -> Result<Recorded, AppError> {
        let captures = store.captures(sensor)?;
        let coverage = store.coverage(sensor)?;
        let states_loss = captures.iter().any(|capture| capture.dropped.is_some());
        let last_day = coverage.recorded_days.last();
        let share = last_day.and_then(|day| coverage.loss.get(day)).map_or(0.0, |loss| loss.share());
        Ok(Recorded {
            last_packet: captures.iter().filter_map(|capture| capture.last()).max(),
            loss: states_loss.then_some(share),
            packets: captures.iter().map(|capture| capture.packets).sum(),
            open_windows: store.engine_state(sensor)?.windows.len() as u64,
            segments: store.segment_count(sensor)?,
        })
    }
}

/// Returns the health of a sensor at a time. `free_percent` is the free share of the disk of the history.
///
/// # Errors
/// When the history cannot be read.
pub(super) fn sensor_health(
    store: &dyn HistoryStore,
    sensor: &str,
    state: &mut FeedState,
    limits: &Thresholds,
    (at, free_percent): (Timestamp, Option<f64>),
) -> Result<SensorHealth, AppError> {
    let recorded = match state.recorded {
        Some(recorded) => recorded,
        None => *state.recorded.insert(Recorded::read(store, sensor)?),
    };
    let Recorded { last_packet, loss, packets, open_windows, segments } = recorded;
    let lag_seconds = match (state.stored_at, last_packet) {
        (Some(stored), Some(last)) => Some(stored.seconds_since(last).max(0.0)),
        _ => None,
    };
    let facts = RecordingFacts {
        age_seconds: last_packet.map(|last| (at.0.saturating_sub(last.0)) as f64 / SECOND),
        lag_seconds,
        loss,
        had_wrong_clock: state.had_wrong_clock,
        is_unreadable: state.error.is_some(),
        free_percent,
    };
    Ok(SensorHealth {
        sensor: sensor.to_owned(),
        at,
        last_packet,
        lag_seconds,
        loss,
        packets,
        open_windows: Some(open_windows),
        segments: Some(segments),
        conditions: facts.conditions(limits),
        error: state.error.clone(),
    })
}

/// Returns the free share of the disk of a folder in per cent; `None` if the system does not tell it.
#[cfg(unix)]
pub(super) fn free_percent(folder: &Path) -> Option<f64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    (disk.f_blocks > 0).then(|| 100.0 * disk.f_bavail as f64 / disk.f_blocks as f64)
}

/// Returns `None`: other systems do not tell it by a call that inga uses.
#[cfg(not(unix))]
pub(super) fn free_percent(_folder: &Path) -> Option<f64> {
    None
}
