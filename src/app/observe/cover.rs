//! Stores the time of `--covers`, in which a sensor recorded although no packet shows it.

use crate::app::check::now;
use crate::app::covers::Covers;
use crate::app::recorded::{Plan, PlausibleTimes, Recorded};
use crate::app::{AppError, CaptureOptions};
use crate::history::{RecordedTime, Sensor, TimeSpan, days_of};
use crate::rules::Rules;
use crate::store::HistoryStore;

use super::Covered;
use super::pass::{Fed, Pass};

/// Returns the time span of `--covers` for a sensor.
///
/// # Errors
/// When the span cannot be read, or lies before 1990 or after tomorrow and such times are not accepted.
pub(super) fn checked(
    covers: &Covers,
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
pub(super) fn cover(
    store: &mut dyn HistoryStore,
    sensor: &Sensor,
    covers: &Covers,
    options: &CaptureOptions,
    rules: &Rules,
) -> Result<Covered, AppError> {
    let span = checked(covers, sensor, options)?;
    let stored = store.captures(&sensor.name)?;
    let recorded = RecordedTime::union(stored.iter().flat_map(|capture| capture.spans.iter().copied()));
    let time = RecordedTime::union([span]).without(&recorded);
    if time.is_empty() {
        return Ok(Covered { nanoseconds: 0 });
    }
    let nanoseconds = time.total();
    let pass = Pass::late(
        sensor,
        rules,
        store.resume(&sensor.name)?,
        Recorded::new(PlausibleTimes::all(), Plan::settled(), &[]),
        None,
    )?;
    let name = format!("--covers {covers}");
    // The same arguments with other uncovered spans must be stored as another capture.
    let content = *blake3::hash(format!("{name} {:?}", time.spans()).as_bytes()).as_bytes();
    let mut contribution = pass.into_contribution(Fed { name, content, dropped: None, at: now() })?;
    contribution.days = days_of(time.spans(), &sensor.zone()?).into_keys().collect();
    contribution.capture.spans = time.spans().to_vec();
    store.ingest(&sensor.name, contribution)?;
    Ok(Covered { nanoseconds })
}
