//! Capture loss: packets that recorders dropped, distributed over the days and hours of their captures.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::packet::Timestamp;

use super::record::HOUR_NANOSECONDS;
use super::recorded_time::span_nanoseconds;
use super::{CaptureRecord, Day, TimeSpan};

/// Numbers of recorded and dropped packets in a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureLoss {
    /// Packets that were recorded, to any address.
    pub recorded: u64,
    /// Packets that the recorder reports as dropped.
    pub dropped: u64,
}

impl CaptureLoss {
    /// Returns the sum of two spans of time.
    #[must_use]
    pub fn plus(self, other: CaptureLoss) -> CaptureLoss {
        CaptureLoss {
            recorded: self.recorded.saturating_add(other.recorded),
            dropped: self.dropped.saturating_add(other.dropped),
        }
    }

    /// Returns the dropped share of all packets, 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share of counts far below 2^52")]
    pub fn share(self) -> f64 {
        let all = self.recorded.saturating_add(self.dropped);
        if all == 0 { 0.0 } else { self.dropped as f64 / all as f64 }
    }

    /// Returns whether more packets were dropped than recorded, so that counts have no value.
    #[must_use]
    pub fn exceeds_recorded(self) -> bool {
        self.dropped > self.recorded
    }
}

/// Returns the days of a time zone that spans touch, with the recorded nanoseconds of each.
#[must_use]
pub fn nanoseconds_by_day(spans: &[TimeSpan], zone: &TimeZone) -> BTreeMap<Date, i64> {
    nanoseconds_by_part(spans, |from| {
        let end = from.day_bounds(zone).map_or(Timestamp(i64::MAX), |(_, next)| Timestamp(next.0 - 1));
        (from.day(zone), end)
    })
}

/// Returns the hours of days that spans touch, with the recorded nanoseconds of each.
fn nanoseconds_by_hour(spans: &[TimeSpan], zone: &TimeZone) -> BTreeMap<(Date, i64), i64> {
    nanoseconds_by_part(spans, |from| {
        let day = Day::from_time(from, zone);
        let hour = day.hour(from);
        // The last hour of a day on which the clock changes can be shorter.
        let next = day.start.0.saturating_add((hour + 1).saturating_mul(HOUR_NANOSECONDS));
        let next = from.day_bounds(zone).map_or(next, |(_, midnight)| midnight.0.min(next));
        ((day.date, hour), Timestamp(next.saturating_sub(1)))
    })
}

/// Adds up the nanoseconds of spans by day or hour. `part_at` returns the day or hour that contains a moment,
/// and its last nanosecond.
fn nanoseconds_by_part<K: Ord>(
    spans: &[TimeSpan],
    part_at: impl Fn(Timestamp) -> (K, Timestamp),
) -> BTreeMap<K, i64> {
    let mut parts = BTreeMap::new();
    for (first, last) in spans {
        let mut from = *first;
        loop {
            let (part, end) = part_at(from);
            let end = end.min(*last).max(from);
            let sum: &mut i64 = parts.entry(part).or_default();
            *sum = sum.saturating_add(span_nanoseconds((from, end)));
            if end >= *last {
                break;
            }
            from = Timestamp(end.0 + 1);
        }
    }
    parts
}

/// Returns the capture loss of each day on which packets were dropped. A capture's recorded packets are
/// distributed over its days in proportion to recorded time, and its dropped packets in proportion to the
/// recorded packets, so that rounding makes no day look worse than the capture. The days of a capture add up
/// to its counts.
pub(super) fn by_day(captures: &[CaptureRecord], zone: &TimeZone) -> BTreeMap<Date, CaptureLoss> {
    distribute(captures, |spans| nanoseconds_by_day(spans, zone))
}

/// Returns the capture loss of each hour of a day ([`Day::hour`]) in which packets were dropped, distributed
/// in the same way as by day.
pub(super) fn by_hour(captures: &[CaptureRecord], zone: &TimeZone) -> BTreeMap<(Date, i64), CaptureLoss> {
    distribute(captures, |spans| nanoseconds_by_hour(spans, zone))
}

/// Distributes the packets of captures over days or hours. `parts_of` returns the nanoseconds of each day or
/// hour.
fn distribute<K: Ord + Copy>(
    captures: &[CaptureRecord],
    parts_of: impl Fn(&[TimeSpan]) -> BTreeMap<K, i64>,
) -> BTreeMap<K, CaptureLoss> {
    let mut parts: BTreeMap<K, CaptureLoss> = BTreeMap::new();
    if captures.iter().all(|capture| capture.dropped.unwrap_or(0) == 0) {
        return parts;
    }
    for capture in captures {
        let times = parts_of(&capture.spans);
        let total = times.values().fold(0u128, |sum, time| sum + u128::from(time.unsigned_abs()));
        let lost_until = |passed: u128| {
            let dropped = capture.dropped.unwrap_or(0);
            match share_of(capture.recorded, passed, total) {
                _ if capture.recorded == 0 => share_of(dropped, passed, total),
                recorded => share_of(dropped, recorded.into(), capture.recorded.into()),
            }
        };
        let mut passed = 0u128;
        for (part, time) in times {
            let before = passed;
            passed += u128::from(time.unsigned_abs());
            let recorded =
                share_of(capture.recorded, passed, total) - share_of(capture.recorded, before, total);
            let loss = CaptureLoss { recorded, dropped: lost_until(passed) - lost_until(before) };
            let known = parts.entry(part).or_default();
            *known = known.plus(loss);
        }
    }
    parts.retain(|_, loss| loss.dropped > 0);
    parts
}

/// Returns `count * part / total`, rounded down.
fn share_of(count: u64, part: u128, total: u128) -> u64 {
    u64::try_from(u128::from(count) * part / total.max(1)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// 2009-03-01 00:00 UTC, in nanoseconds.
    const START: i64 = 1_235_865_600_000_000_000;

    fn capture(from: i64, to: i64, recorded: u64, dropped: Option<u64>) -> CaptureRecord {
        let spans =
            vec![(Timestamp(START + from * HOUR_NANOSECONDS), Timestamp(START + to * HOUR_NANOSECONDS - 1))];
        CaptureRecord { spans, recorded, dropped, ..CaptureRecord::default() }
    }

    #[test]
    fn loss_is_spread_by_recorded_time_and_adds_up() {
        let captures =
            [capture(12, 48, 300, Some(101)), capture(48, 72, 10, Some(0)), capture(0, 12, 50, None)];
        let days = by_day(&captures, &TimeZone::UTC);
        let loss = |recorded, dropped| CaptureLoss { recorded, dropped };
        let expected = [(date(2009, 3, 1), loss(150, 33)), (date(2009, 3, 2), loss(200, 68))];
        assert_eq!(days, expected.into());
        assert!((loss(150, 50).share() - 0.25).abs() < 1e-12);
        assert!(!loss(50, 50).exceeds_recorded() && loss(50, 51).exceeds_recorded());
        // Nine of nineteen packets are dropped in a month: rounding assigns no dropped packet to a day
        // without a recorded one.
        let month = by_day(&[capture(0, 24 * 30, 10, Some(9))], &TimeZone::UTC);
        assert_eq!(month.values().map(|loss| loss.dropped).sum::<u64>(), 9);
        assert!(month.values().all(|loss| !loss.exceeds_recorded()));
        let worst = [capture(0, 24, u64::MAX, Some(u64::MAX)), capture(0, 24, u64::MAX, Some(u64::MAX))];
        assert_eq!(by_day(&worst, &TimeZone::UTC).values().next(), Some(&loss(u64::MAX, u64::MAX)));
    }

    #[test]
    fn hours_add_up_to_days_also_where_clocks_change() {
        let zone = TimeZone::get("America/New_York").unwrap();
        // The clock is set forward on 8 March 2009, seven days after `START`.
        let captures = [capture(12, 200, 1_000, Some(333)), capture(200, 230, 77, Some(5))];
        let hours = by_hour(&captures, &zone);
        for (day, loss) in by_day(&captures, &zone) {
            let sum = hours
                .range((day, 0)..=(day, 24))
                .fold(CaptureLoss::default(), |sum, (_, loss)| sum.plus(*loss));
            // Hours without dropped packets are left out, so their recorded packets are missing in the sum.
            assert_eq!(sum.dropped, loss.dropped, "{day}");
            assert!(sum.recorded <= loss.recorded);
        }
        let of_day = |day| hours.keys().filter(|(date, _)| *date == day).map(|(_, hour)| *hour).max();
        assert_eq!(of_day(date(2009, 3, 7)), Some(23));
        assert_eq!(of_day(date(2009, 3, 8)), Some(22));
        let lone = [(Timestamp(i64::MAX), Timestamp(i64::MAX)), (Timestamp(i64::MIN), Timestamp(i64::MIN))];
        assert_eq!(nanoseconds_by_hour(&lone, &TimeZone::UTC).len(), 2);
    }

    #[test]
    fn days_are_those_of_the_sensor() {
        let spans = [(Timestamp(START), Timestamp(START + 16 * HOUR_NANOSECONDS))];
        let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
        let days = nanoseconds_by_day(&spans, &tokyo);
        assert_eq!(
            days,
            [(date(2009, 3, 1), 15 * HOUR_NANOSECONDS), (date(2009, 3, 2), HOUR_NANOSECONDS + 1)].into()
        );
        let lone = [(Timestamp(i64::MAX), Timestamp(i64::MAX)), (Timestamp(i64::MIN), Timestamp(i64::MIN))];
        assert_eq!(nanoseconds_by_day(&lone, &TimeZone::UTC).len(), 2);
    }
}
