//! Use case: whether each sensor is recording, and how its last day compares with its past.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::analysis::forecast::{Forecast, Scatter};
use crate::history::{
    CaptureLoss, CaptureRecord, Coverage, DayState, DayTotal, RecordedTime, Sensor, nanoseconds_by_day,
};
use crate::incident::{HealthCondition, RecordingFacts, SensorHealth, Thresholds};
use crate::packet::Timestamp;
use crate::store::HistoryStore;

use super::AppError;

/// Age of the newest packet of all from which on a history is one that nothing is fed to any more, in seconds.
const DAY_SECONDS: f64 = 86_400.0;
/// Age up to which the health that `watch` determined is what holds now, in seconds.
const WATCHED_SECONDS: f64 = 15.0 * 60.0;
/// When something is wrong with a sensor that nobody watches.
const UNWATCHED: Thresholds = Thresholds {
    silent_minutes: 1440,
    lag_seconds: 900,
    loss_percent: 1.0,
    disk_percent: 0.0,
    clock_seconds: 60,
};
/// What can be wrong; of several things, the first is shown.
const SEVEREST_FIRST: [HealthCondition; 6] = [
    HealthCondition::Silent,
    HealthCondition::Unreadable,
    HealthCondition::WrongClock,
    HealthCondition::Late,
    HealthCondition::Lossy,
    HealthCondition::DiskNearlyFull,
];
/// Minimum number of observed days before a day for which a count is expected.
const PAST_DAYS_MIN: usize = 14;
/// Share of a day that must be recorded for its counts to be compared with whole days.
const WHOLE_DAY_SHARE: f64 = 0.95;
/// Standard deviations beyond which a count is unusual.
const UNUSUAL_DEVIATIONS: f64 = 3.0;
const DAY_NANOSECONDS: f64 = 86_400e9;

/// Whether a sensor is recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SensorState {
    /// The sensor records, and nothing is wrong with it.
    Recording,
    /// Something is wrong with its recording; the most serious of all that is.
    Wrong(HealthCondition),
    /// It has no packet yet.
    Empty,
}

impl SensorState {
    /// Returns the words of the state.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            SensorState::Recording => "recording",
            SensorState::Wrong(HealthCondition::WrongClock) => "wrong clock",
            SensorState::Wrong(HealthCondition::Unreadable) => "captures not readable",
            SensorState::Wrong(HealthCondition::DiskNearlyFull) => "disk nearly full",
            SensorState::Wrong(other) => other.word(),
            SensorState::Empty => "no data yet",
        }
    }
}

/// A count of a day, and what the days before it let expect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ComparedCount {
    /// The count.
    pub count: u64,
    /// The forecast from the observed days before; `None` if there are fewer than 14.
    pub expected: Option<Forecast>,
}

impl ComparedCount {
    /// Returns 1 if the count exceeds the forecast by more than three standard deviations, -1 if it falls short of it by as
    /// many, else 0.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of a day, below 2^52")]
    pub fn departure(&self) -> i8 {
        let Some(Forecast { mean, variance, .. }) = self.expected else { return 0 };
        let off = (self.count as f64 - mean) / variance.max(1.0).sqrt();
        i8::from(off > UNUSUAL_DEVIATIONS) - i8::from(off < -UNUSUAL_DEVIATIONS)
    }
}

/// The counts of the last day that a sensor recorded as a whole, compared with the days before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ComparedDay {
    /// The day.
    pub day: Date,
    /// Packets to dark addresses.
    pub packets: ComparedCount,
    /// Unique hosts.
    pub hosts: ComparedCount,
}

/// What the overview says about a sensor.
#[derive(Clone, Debug)]
pub struct SensorOverview {
    /// The sensor.
    pub sensor: Sensor,
    /// Its coverage.
    pub coverage: Coverage,
    /// Whether it is recording.
    pub state: SensorState,
    /// Time of its newest packet.
    pub last_packet: Option<Timestamp>,
    /// Seconds from its newest packet to the time with which it is compared: now, or the newest packet of all
    /// sensors if that is older than a day.
    pub lag_seconds: Option<f64>,
    /// Capture loss of its last recorded day.
    pub loss: CaptureLoss,
    /// Its last whole day.
    pub last_day: Option<ComparedDay>,
    /// Totals of the observed days until the last whole one, ascending; of all, if there is no whole day yet. Empty if only
    /// the states of sensors were asked for.
    pub totals: Vec<DayTotal>,
}

/// The sensors of a history, and the end of its data.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The sensors, by name.
    pub sensors: Vec<SensorOverview>,
    /// The time with which the newest packets are compared.
    pub reference: Timestamp,
    /// Whether that is the present, so that lags are those of recording.
    pub is_live: bool,
}

impl Overview {
    /// Returns the last recorded day of any sensor.
    #[must_use]
    pub fn last_day(&self) -> Option<Date> {
        self.sensors.iter().filter_map(|one| one.coverage.span()).map(|(_, last)| last).max()
    }

    /// Returns the first recorded day of any sensor.
    #[must_use]
    pub fn first_day(&self) -> Option<Date> {
        self.sensors.iter().filter_map(|one| one.coverage.span()).map(|(first, _)| first).min()
    }
}

/// Returns what the overview says about all sensors at the time `now`. Days after `last` are left out, if it is
/// given.
///
/// # Errors
/// When the history cannot be read.
pub fn overview(store: &dyn HistoryStore, now: Timestamp, last: Option<Date>) -> Result<Overview, AppError> {
    overview_with(store, now, last, true)
}

/// Returns the states of all sensors at the time `now`, without their counts: every page shows them.
///
/// # Errors
/// When the history cannot be read.
pub fn sensor_states(store: &dyn HistoryStore, now: Timestamp) -> Result<Overview, AppError> {
    overview_with(store, now, None, false)
}

fn overview_with(
    store: &dyn HistoryStore,
    now: Timestamp,
    last: Option<Date>,
    with_counts: bool,
) -> Result<Overview, AppError> {
    let mut sensors = Vec::new();
    for sensor in store.sensors()? {
        sensors.push(of_sensor(store, sensor, last, with_counts)?);
    }
    let newest = sensors.iter().filter_map(|one| one.last_packet).max();
    let is_fresh = |health: &SensorHealth| {
        (0.0..=WATCHED_SECONDS).contains(&now.seconds_since(health.at)) && last.is_none()
    };
    let healths: Vec<SensorHealth> = store.sensor_healths()?.into_iter().filter(is_fresh).collect();
    let is_recent = newest.is_none_or(|newest| now.seconds_since(newest) < DAY_SECONDS);
    let is_live = last.is_none() && (is_recent || !healths.is_empty());
    let reference = if is_live { now } else { newest.unwrap_or(now) };
    for one in &mut sensors {
        one.lag_seconds = one.last_packet.map(|time| reference.seconds_since(time).max(0.0));
        let watched = healths.iter().find(|health| health.sensor == one.sensor.name);
        one.state = state(one, watched, is_live);
    }
    Ok(Overview { sensors, reference, is_live })
}

/// Returns the state of a sensor. If it is `watched`, its state is what `inga watch` decided, by its own thresholds. If
/// not, the same is decided here: its captures may be fed once a day, so that it is silent only after a day, and late
/// as long as nothing is fed.
fn state(one: &SensorOverview, watched: Option<&SensorHealth>, is_live: bool) -> SensorState {
    if one.last_packet.is_none() {
        return SensorState::Empty;
    }
    let conditions = match watched {
        Some(health) => health.conditions.clone(),
        None => {
            let facts = RecordingFacts {
                age_seconds: one.lag_seconds,
                // Small sensors see few packets, so that the last ones of an old history say little.
                lag_seconds: one.lag_seconds.filter(|_| is_live),
                loss: Some(one.loss.share()),
                ..RecordingFacts::default()
            };
            facts.conditions(&UNWATCHED)
        }
    };
    SEVEREST_FIRST
        .into_iter()
        .find(|one| conditions.contains(one))
        .map_or(SensorState::Recording, SensorState::Wrong)
}

fn of_sensor(
    store: &dyn HistoryStore,
    sensor: Sensor,
    last: Option<Date>,
    with_counts: bool,
) -> Result<SensorOverview, AppError> {
    let zone = sensor.zone()?;
    let captures = store.captures(&sensor.name)?;
    let mut coverage = store.coverage(&sensor.name)?;
    let mut last_packet = captures.iter().filter_map(|capture| capture.last()).max();
    if let Some(last) = last {
        coverage.recorded_days.retain(|day| *day <= last);
        let end =
            coverage.recorded_days.last().and_then(|day| crate::history::Day::from_date(*day, &zone).end());
        last_packet = last_packet.into_iter().chain(end).min().filter(|_| end.is_some());
    }
    let (last_day, totals) =
        if with_counts { counts(store, &sensor, &coverage, &captures)? } else { (None, Vec::new()) };
    let loss =
        coverage.recorded_days.last().and_then(|day| coverage.loss.get(day)).copied().unwrap_or_default();
    Ok(SensorOverview {
        sensor,
        coverage,
        state: SensorState::Empty,
        last_packet,
        lag_seconds: None,
        loss,
        last_day,
        totals,
    })
}

/// Returns the last whole day compared with the days before it, and the totals until then.
fn counts(
    store: &dyn HistoryStore,
    sensor: &Sensor,
    coverage: &Coverage,
    captures: &[CaptureRecord],
) -> Result<(Option<ComparedDay>, Vec<DayTotal>), AppError> {
    let time = RecordedTime::from_captures(captures);
    let nanoseconds = nanoseconds_by_day(time.spans(), &sensor.zone()?);
    #[expect(clippy::cast_precision_loss, reason = "a share of a day")]
    let is_whole = |day: &Date| {
        nanoseconds.get(day).is_some_and(|time| *time as f64 >= WHOLE_DAY_SHARE * DAY_NANOSECONDS)
    };
    let whole = coverage.observed_days().filter(is_whole).last();
    // The counts of a day that still grows would have to be counted from sightings for every page.
    let Some(last) = whole.or(coverage.observed_days().last()) else { return Ok((None, Vec::new())) };
    let mut totals = store.totals_until(&sensor.name, last)?;
    totals.retain(|total| coverage.state(total.count.day) == DayState::Observed);
    Ok((whole.map(|day| compare(coverage, &totals, day)), totals))
}

/// Compares a day with the observed days before it. Days without a packet are observed as well.
fn compare(coverage: &Coverage, totals: &[DayTotal], day: Date) -> ComparedDay {
    let by_day: BTreeMap<Date, &DayTotal> = totals.iter().map(|total| (total.count.day, total)).collect();
    let of = |day: Date, value: fn(&DayTotal) -> u64| by_day.get(&day).map_or(0, |total| value(total));
    let compared = |value: fn(&DayTotal) -> u64| {
        #[expect(clippy::cast_precision_loss, reason = "counts of a day, below 2^52")]
        let past: Vec<f64> = coverage
            .observed_days()
            .take_while(|before| *before < day)
            .map(|before| of(before, value) as f64)
            .collect();
        let scatter = Scatter::estimate(std::iter::once(past.as_slice()));
        let expected = (past.len() >= PAST_DAYS_MIN).then(|| scatter.forecast(&past, 1.0));
        ComparedCount { count: of(day, value), expected }
    };
    ComparedDay {
        day,
        packets: compared(|total| total.count.packets),
        hosts: compared(|total| total.count.hosts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::history::SensorKind;

    fn recorded(lag_seconds: Option<f64>, dropped: u64) -> SensorOverview {
        let sensor = Sensor {
            name: "s".to_owned(),
            kind: SensorKind::Dark,
            prefixes: Vec::new(),
            live: Vec::new(),
            time_zone: "UTC".to_owned(),
        };
        SensorOverview {
            sensor,
            coverage: Coverage::default(),
            state: SensorState::Empty,
            last_packet: lag_seconds.map(|_| Timestamp(0)),
            lag_seconds,
            loss: CaptureLoss { recorded: 100, dropped },
            last_day: None,
            totals: Vec::new(),
        }
    }

    #[test]
    fn the_state_of_an_unwatched_sensor_follows_from_age_and_loss() {
        let of = |lag, dropped| state(&recorded(lag, dropped), None, true).word();
        assert_eq!([of(None, 0), of(Some(5.0), 0), of(Some(5.0), 5)], ["no data yet", "recording", "lossy"]);
        assert_eq!([of(Some(1e3), 5), of(Some(1e5), 0)], ["late", "silent"]);
        assert_eq!(
            state(&recorded(Some(1e3), 0), None, false),
            SensorState::Recording,
            "the end of the data"
        );
    }

    #[test]
    fn the_state_of_a_watched_sensor_is_what_watch_decided() {
        let mut health = SensorHealth {
            sensor: "s".to_owned(),
            at: Timestamp(0),
            last_packet: Some(Timestamp(0)),
            lag_seconds: Some(1.0),
            loss: None,
            packets: 1,
            open_windows: None,
            segments: None,
            conditions: Vec::new(),
            error: None,
        };
        let of = |health: &SensorHealth| state(&recorded(Some(1e3), 5), Some(health), true).word();
        assert_eq!(of(&health), "recording");
        health.conditions = vec![HealthCondition::Late, HealthCondition::Unreadable];
        assert_eq!(of(&health), "captures not readable");
    }

    #[test]
    fn a_count_departs_beyond_three_deviations() {
        let compared = |count| ComparedCount {
            count,
            expected: Some(Forecast { mean: 100.0, variance: 100.0, drift: 0.0 }),
        };
        assert_eq!([69, 71, 129, 131].map(|count| compared(count).departure()), [-1, 0, 0, 1]);
        assert_eq!(ComparedCount { count: 9, expected: None }.departure(), 0);
    }
}
