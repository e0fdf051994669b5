//! Use case: selects a window for drawing as a tile, from a history or from captures.

use std::net::IpAddr;

use crate::behavior::{BehaviorId, OpenWindow, Parameters};
use crate::capture::Input;
use crate::history::{Example, TypeRecord};
use crate::packet::Timestamp;
use crate::rules::{NamedWindow, Namer, Rules};
use crate::store::HistoryStore;

use super::fingerprint::{self, fingerprints};
use super::history::select_sensors;
use super::packets::Victims;
use super::{AppError, CaptureOptions, Notices};

/// A window to be drawn.
#[derive(Clone, Debug)]
pub enum TileWindow {
    /// The example window of a type at a sensor.
    Example {
        /// The sensor.
        sensor: String,
        /// The window with its packets.
        example: Box<Example>,
        /// The type.
        record: Box<TypeRecord>,
        /// Labels of the type's parameters at the example's time.
        labels: Vec<String>,
    },
    /// A window of a capture.
    Window(Box<NamedWindow>),
}

impl TileWindow {
    /// Returns the window's parameters; for an example, those of its type.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        match self {
            TileWindow::Example { record, .. } => &record.parameters,
            TileWindow::Window(window) => &window.fingerprint.whole.parameters,
        }
    }
}

/// Returns the earliest example of a type at the named sensors; at any sensor if none is named.
///
/// # Errors
/// When none of them saw the type, there is no such sensor, or the history cannot be read.
pub fn example(
    store: &dyn HistoryStore,
    behavior: BehaviorId,
    sensors: &[String],
    rules: &Rules,
) -> Result<TileWindow, AppError> {
    let mut earliest: Option<(String, Example)> = None;
    for sensor in select_sensors(store, sensors)? {
        if let Some(example) = store.example(&sensor.name, behavior)?
            && earliest.as_ref().is_none_or(|(_, kept)| example.start < kept.start)
        {
            earliest = Some((sensor.name, example));
        }
    }
    let unseen = || AppError::Usage(format!("no example of type {behavior}: no sensor asked for saw it"));
    let (sensor, example) = earliest.ok_or_else(unseen)?;
    let record = store.type_record(behavior.number())?;
    let labels = rules.labels(&record.parameters, &[], Some(example.start));
    let labels = labels.into_iter().map(str::to_owned).collect();
    Ok(TileWindow::Example { sensor, example: Box::new(example), record: Box::new(record), labels })
}

/// Returns a host's window from captures: the window that contains the time `at`, or the host's first window
/// if there is no time.
///
/// # Errors
/// When a capture cannot be read, or none has such a window.
pub fn window(
    inputs: &[Input],
    host: IpAddr,
    at: Option<Timestamp>,
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<TileWindow, AppError> {
    let length = rules.profile.window_nanoseconds();
    let has = |start: Option<Timestamp>| match (start, at) {
        (_, None) => true,
        (Some(start), Some(at)) => start <= at && at < start.plus_nanoseconds(length),
        (None, Some(_)) => false,
    };
    let mut found = None;
    let selection = fingerprint::PacketFilter { victims: Victims::None, dark: Vec::new() };
    let make = |namer: &mut Namer<'_>, windows: &mut [OpenWindow], clock| {
        let wanted = windows.iter_mut().find(|window| window.source == host && has(window.start))?;
        Some(namer.name(std::mem::take(wanted), clock))
    };
    fingerprints(inputs, &selection, options, rules, notices, &make, &mut |window| {
        found = found.take().or(window);
        Ok(())
    })?;
    let when = at.map_or_else(String::new, |at| format!(" at {at}"));
    let missing =
        || AppError::Usage(format!("{host} has no window{when}; `inga fingerprint` lists those there are"));
    found.map(|window| TileWindow::Window(Box::new(window))).ok_or_else(missing)
}
