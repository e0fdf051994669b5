//! Use case: what sensors saw last: the behaviors whose windows closed newly, and packets a second.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::behavior::BehaviorId;
use crate::history::{CaptureRecord, Filter, HostSet, Sighting, TimeSpan, TypeFilter, TypeRecord};
use crate::packet::Timestamp;
use crate::store::HistoryStore;

use super::AppError;
use super::overview::{Overview, SensorOverview};

/// Time before the newest packet of a sensor that is shown while packets arrive.
const RECENT_NANOSECONDS: i64 = 600 * SECOND_NANOSECONDS;
/// Length of the parts of that time for which packets a second are computed.
const PART_NANOSECONDS: i64 = 10 * SECOND_NANOSECONDS;
const SECOND_NANOSECONDS: i64 = 1_000_000_000;
/// Maximum number of types whose patterns are looked at.
const TYPES_MAX: usize = 400;

/// A behavior that a sensor saw last.
#[derive(Clone, Debug)]
pub struct LiveBehavior {
    /// The name of the sensor.
    pub sensor: String,
    /// The type of the pattern with the most packets.
    pub main_type: TypeRecord,
    /// Number of hosts that showed this type in the time that is shown.
    pub hosts: u64,
    /// Time of the last packet of the type.
    pub last: Timestamp,
}

/// The packets that a sensor recorded last.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveSensor {
    /// The name of the sensor.
    pub sensor: String,
    /// Packets to dark addresses a second, for each ten seconds of the ten minutes before its newest packet; `None` where
    /// nothing was recorded.
    pub rates: Vec<Option<f64>>,
}

/// What all sensors saw last.
#[derive(Clone, Debug, Default)]
pub struct LiveView {
    /// The behaviors, the newest first.
    pub behaviors: Vec<LiveBehavior>,
    /// The sensors, by name.
    pub sensors: Vec<LiveSensor>,
}

/// What came of a type.
#[derive(Debug, Default)]
struct RecentType {
    last: Timestamp,
    hosts: HostSet,
    packets: u64,
}

/// Returns what the sensors of an overview saw last: of each at most `most` patterns, those with the most packets. While
/// packets arrive, the last ten minutes are shown, and otherwise the last day.
///
/// # Errors
/// When the history cannot be read.
pub fn live(store: &dyn HistoryStore, seen: &Overview, most: usize) -> Result<LiveView, AppError> {
    let mut view = LiveView::default();
    for one in &seen.sensors {
        let Some(newest) = one.last_packet else { continue };
        let types = if seen.is_live {
            recent_types(store, one, newest.plus_nanoseconds(-RECENT_NANOSECONDS))?
        } else {
            types_of_last_day(store, one, most)?
        };
        for (main_type, mut recent) in main_types(store, types, most)? {
            let (sensor, hosts) = (one.sensor.name.clone(), recent.hosts.count());
            view.behaviors.push(LiveBehavior { sensor, main_type, hosts, last: recent.last });
        }
        let rates = rates(&store.captures(&one.sensor.name)?, newest);
        view.sensors.push(LiveSensor { sensor: one.sensor.name.clone(), rates });
    }
    view.behaviors.sort_by_key(|one| Reverse(one.last));
    Ok(view)
}

fn add(types: &mut HashMap<u64, RecentType>, sighting: &Sighting) {
    let recent = types.entry(sighting.number).or_default();
    recent.last = recent.last.max(sighting.counts.last);
    recent.hosts.insert(sighting.host);
    recent.packets = recent.packets.saturating_add(sighting.counts.packets);
}

/// Reads what the newest captures of a sensor added.
fn recent_types(
    store: &dyn HistoryStore,
    one: &SensorOverview,
    since: Timestamp,
) -> Result<HashMap<u64, RecentType>, AppError> {
    let mut types = HashMap::new();
    store.each_recent_sighting(&one.sensor.name, since, &mut |sighting| add(&mut types, sighting))?;
    Ok(types)
}

/// Reads the last day of a sensor. Daily counts tell which types had the most packets, and sightings are read of these
/// alone.
fn types_of_last_day(
    store: &dyn HistoryStore,
    one: &SensorOverview,
    most: usize,
) -> Result<HashMap<u64, RecentType>, AppError> {
    let Some((_, day)) = one.coverage.span() else { return Ok(HashMap::new()) };
    let filter = Filter { first: Some(day), last: Some(day), ..Filter::default() };
    let mut counted: HashMap<u64, RecentType> = HashMap::new();
    store.each_daily_count(&one.sensor.name, &filter, &mut |count| {
        let packets = count.packets;
        counted.insert(count.number, RecentType { packets, ..RecentType::default() });
    })?;
    let chosen = main_types(store, counted, most)?;
    let mut numbers: Vec<u64> = chosen.iter().map(|(record, _)| record.behavior.id.number()).collect();
    numbers.sort_unstable();
    let mut types = HashMap::new();
    let filter = Filter { types: TypeFilter::Numbers(&numbers), ..filter };
    store.each_sighting(&one.sensor.name, &filter, &mut |sighting| add(&mut types, sighting))?;
    Ok(types)
}

/// Returns, of at most `most` patterns, the type with the most packets: single stray packets say little.
fn main_types(
    store: &dyn HistoryStore,
    types: HashMap<u64, RecentType>,
    most: usize,
) -> Result<Vec<(TypeRecord, RecentType)>, AppError> {
    let mut ranked: Vec<(u64, RecentType)> = types.into_iter().collect();
    ranked.sort_by_key(|(number, recent)| (Reverse(recent.packets), *number));
    let mut chosen: Vec<(TypeRecord, RecentType)> = Vec::new();
    let mut patterns: Vec<BehaviorId> = Vec::new();
    for (number, recent) in ranked.into_iter().take(TYPES_MAX) {
        if chosen.len() == most {
            break;
        }
        let record = store.type_record(number)?;
        if !patterns.contains(&record.pattern.id) {
            patterns.push(record.pattern.id);
            chosen.push((record, recent));
        }
    }
    Ok(chosen)
}

/// Returns packets a second in the time before the newest packet. The packets of a capture are spread evenly over its
/// recorded time.
#[expect(clippy::cast_precision_loss, reason = "rates to be drawn")]
fn rates(captures: &[CaptureRecord], newest: Timestamp) -> Vec<Option<f64>> {
    let begin = newest.plus_nanoseconds(-RECENT_NANOSECONDS);
    let parts = RECENT_NANOSECONDS / PART_NANOSECONDS;
    let mut rates = Vec::new();
    let recent: Vec<&CaptureRecord> =
        captures.iter().filter(|capture| capture.last().is_some_and(|last| last >= begin)).collect();
    for part in 0..parts {
        let from = begin.plus_nanoseconds(part * PART_NANOSECONDS);
        let until = from.plus_nanoseconds(PART_NANOSECONDS);
        let (mut recorded, mut packets) = (0i64, 0.0);
        for capture in &recent {
            let length: i64 = capture.spans.iter().map(|(first, last)| last.0 - first.0 + 1).sum();
            let inside: i64 = capture.spans.iter().map(|span| overlap(*span, from, until)).sum();
            recorded += inside;
            packets += capture.packets as f64 * inside as f64 / length.max(1) as f64;
        }
        let seconds = recorded as f64 / SECOND_NANOSECONDS as f64;
        rates.push((recorded > 0).then(|| packets / seconds.max(1.0)));
    }
    rates
}

/// Returns the nanoseconds that a span and the time from a moment until another one have in common.
fn overlap((first, last): TimeSpan, from: Timestamp, until: Timestamp) -> i64 {
    (last.0.saturating_add(1).min(until.0) - first.0.max(from.0)).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_a_second_are_those_of_the_recorded_time() {
        let second = |seconds: i64| Timestamp(seconds * SECOND_NANOSECONDS);
        let capture = |first: i64, last: i64, packets| CaptureRecord {
            spans: vec![(second(first), second(last))],
            packets,
            ..CaptureRecord::default()
        };
        let found = rates(&[capture(0, 1_000, 5_000), capture(1_100, 1_110, 20)], second(1_110));
        assert_eq!(found.len(), 60);
        let near = |rate: Option<f64>, expected: f64| rate.is_some_and(|rate| (rate - expected).abs() < 0.01);
        assert!(near(found[0], 5.0), "{:?}", found[0]);
        assert_eq!(found[55], None, "nothing was recorded from 1,060 to 1,070 s");
        assert!(near(found[59], 2.0), "{:?}", found[59]);
    }
}
