//! Stores the time of `--covers`, in which a sensor recorded although no packet shows it.

use crate::app::admission::{PacketAdmission, PlausibleTimes, ReadPlan};
use crate::app::declared_span::DeclaredSpan;
use crate::app::now;
use crate::app::{AppError, CaptureOptions};
use crate::history::{RecordedTime, Sensor, TimeSpan, nanoseconds_by_day};
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::AddedTime;
use super::pass::{FedCapture, Pass};

/// Returns the time span of `--covers` for a sensor.
///
/// # Errors
/// When the span cannot be read, or lies before 1990 or after tomorrow and such times are not accepted.
pub(super) fn checked_span(
    covers: &DeclaredSpan,
    sensor: &Sensor,
    options: &CaptureOptions,
) -> Result<TimeSpan, AppError> {
    let span = covers.span(&sensor.zone()?)?;
    let plausible = PlausibleTimes::until_tomorrow(now());
    if options.accept_times || plausible.contains(span.0) && plausible.contains(span.1) {
        return Ok(span);
    }
    let wrong = "lies before 1990 or after tomorrow; give --accept-times if it is right";
    Err(AppError::Usage(format!("--covers {covers}: {wrong}")))
}

/// Stores the time of `--covers` as recorded time of a sensor and returns the length of the stored time. Time
/// that other captures recorded is left out.
pub(super) fn store_declared_span(
    store: &mut dyn HistoryStore,
    sensor: &Sensor,
    covers: &DeclaredSpan,
    options: &CaptureOptions,
    rules: &Rules,
) -> Result<AddedTime, AppError> {
    let span = checked_span(covers, sensor, options)?;
    let stored = store.captures(&sensor.name)?;
    let recorded = RecordedTime::union(stored.iter().flat_map(|capture| capture.spans.iter().copied()));
    let time = RecordedTime::union([span]).without(&recorded);
    if time.is_empty() {
        return Ok(AddedTime { nanoseconds: 0 });
    }
    let nanoseconds = time.total_nanoseconds();
    let pass = Pass::new_late(
        sensor,
        rules,
        store.engine_state(&sensor.name)?,
        PacketAdmission::new(PlausibleTimes::all(), ReadPlan::for_trusted_times(), &[]),
        None,
    )?;
    let name = format!("--covers {covers}");
    // The same arguments with other uncovered spans must be stored as another capture.
    let content = *blake3::hash(format!("{name} {:?}", time.spans()).as_bytes()).as_bytes();
    let mut contribution =
        pass.into_contribution(FedCapture { name, content, dropped: None, at: now(), part: None })?;
    contribution.days = nanoseconds_by_day(time.spans(), &sensor.zone()?).into_keys().collect();
    contribution.capture.spans = time.spans().to_vec();
    store.ingest(&sensor.name, contribution)?;
    Ok(AddedTime { nanoseconds })
}
