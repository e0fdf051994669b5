//! The contribution of one capture to a sensor's history, and the state in which the sensor's engine stops.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::behavior::{OpenWindow, ProbeSignature, TypeList};
use crate::packet::Timestamp;

use super::{CaptureRecord, CollectedSightings};

/// Everything that one capture adds to a history. A store accepts or rejects it as a whole.
#[derive(Debug)]
pub struct Contribution {
    /// The record of the capture.
    pub capture: CaptureRecord,
    /// The recorded days, in the sensor's time zone, on which the sensor had dark addresses.
    pub days: BTreeSet<Date>,
    /// Names of the marks in sightings: entry i is bit i.
    pub mark_names: Vec<String>,
    /// The types of the gathered windows. Examples refer to a type by its index in this list.
    pub types: TypeList,
    /// The number of each type in histories ([`crate::behavior::BehaviorId::number`]), by the same index.
    pub type_numbers: Vec<u64>,
    /// The probe signatures of the sightings with their numbers in histories, ascending.
    pub signatures: Vec<(u64, ProbeSignature)>,
    /// Sightings of closed windows.
    pub closed: CollectedSightings,
    /// Sightings of the windows that were open at the end of the capture, counted as if they ended there.
    /// They *replace* those that the sensor's previous capture left open.
    pub open: CollectedSightings,
    /// Number of captures that the sensor had when this one was started. A store rejects the contribution if
    /// the number has changed, since the open windows would then be counted twice.
    pub captures_before: u64,
    /// The engine state with the open windows, to be continued by the next capture.
    pub engine_state: EngineState,
}

/// The state in which a sensor's engine stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineState {
    /// Number of captures fed so far. The store counts them; the number is not stored with the state.
    pub captures: u64,
    /// The latest time that the engine saw; `None` if it saw none.
    pub clock: Option<Timestamp>,
    /// The open windows. Their marks are numbered by `mark_names`.
    pub windows: Vec<OpenWindow>,
    /// Names of the marks in the open windows.
    pub mark_names: Vec<String>,
}

/// The engine state before a sensor's newest capture was fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackPoint {
    /// The content hash of the newest capture.
    pub content: [u8; 32],
    /// The state to return to if that capture is removed.
    pub engine_state: EngineState,
}

/// The windows that are open again after the newest capture is removed.
#[derive(Debug)]
pub struct ReopenedWindows {
    /// Names of the marks in sightings: entry i is bit i.
    pub mark_names: Vec<String>,
    /// The number of each type in histories, by the index by which examples refer to it. The history has all
    /// of these types.
    pub type_numbers: Vec<u64>,
    /// The probe signatures of the windows with their numbers in histories, ascending.
    pub signatures: Vec<(u64, ProbeSignature)>,
    /// Sightings of the windows, counted as if they ended where they are open.
    pub open: CollectedSightings,
    /// The engine state with the windows.
    pub engine_state: EngineState,
}
