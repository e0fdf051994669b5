//! Hours of a sensor's day, in local time.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};

use crate::packet::Timestamp;

use super::Day;

const HOUR_SECONDS: i64 = 3_600;

/// An hour of a day, counted from the start of the day. A day on which the clock changes by an hour has 23 or
/// 25 hours; if the clock changes by less, the last hour of the day is shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    /// Local time at the start of the hour.
    pub clock: DateTime,
    /// Offset of local time from UTC. It distinguishes the two hours with the same local time when the clock
    /// is set back.
    pub offset: Offset,
    /// Start (included) and end (excluded) of the hour.
    pub times: (Timestamp, Timestamp),
    /// Seconds of the day that have elapsed at the start and at the end of the hour.
    pub elapsed_seconds: (i64, i64),
    /// Length of the whole day in seconds.
    pub day_seconds: i64,
}

impl Hour {
    /// Returns all hours of a day in a time zone, ascending.
    #[must_use]
    pub fn all_of(date: Date, zone: &TimeZone) -> Vec<Hour> {
        let second = |day: Day| day.start.0.div_euclid(1_000_000_000);
        let start = second(Day::from_date(date, zone));
        let Ok(next) = date.tomorrow() else { return Vec::new() };
        let day_seconds = second(Day::from_date(next, zone)) - start;
        let mut hours = Vec::new();
        let mut passed = 0;
        while passed < day_seconds {
            let end = (passed + HOUR_SECONDS).min(day_seconds);
            let Ok(begins) = jiff::Timestamp::from_second(start + passed) else { break };
            let offset = zone.to_offset(begins);
            let time = |passed: i64| Timestamp((start + passed).saturating_mul(1_000_000_000));
            hours.push(Hour {
                times: (time(passed), time(end)),
                clock: offset.to_datetime(begins),
                offset,
                elapsed_seconds: (passed, end),
                day_seconds,
            });
            passed = end;
        }
        hours
    }

    /// Returns the fraction of the day that has elapsed at the start and at the end of the hour, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "seconds of a day")]
    #[must_use]
    pub fn part_of_day(&self) -> (f64, f64) {
        let whole = self.day_seconds as f64;
        (self.elapsed_seconds.0 as f64 / whole, self.elapsed_seconds.1 as f64 / whole)
    }
}

/// Writes the start in RFC 3339: `2009-03-08T03:00:00-04:00`.
impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.offset.seconds();
        let sign = if seconds < 0 { '-' } else { '+' };
        let (hours, minutes) = (seconds.abs() / 3_600, seconds.abs() / 60 % 60);
        write!(f, "{}{sign}{hours:02}:{minutes:02}", self.clock)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_day_has_as_many_hours_as_its_clock_counts() {
        let check = |zone: &str, day: Date, count: usize, last: &str| {
            let hours = Hour::all_of(day, &TimeZone::get(zone).unwrap());
            assert_eq!((hours.len(), hours[count - 1].to_string().as_str()), (count, last));
            let edges = hours.iter().flat_map(|hour| [hour.elapsed_seconds.0, hour.elapsed_seconds.1]);
            let edges: Vec<i64> = edges.skip(1).step_by(2).collect();
            assert_eq!(edges.last(), Some(&hours[0].day_seconds));
        };
        check("UTC", date(2009, 3, 8), 24, "2009-03-08T23:00:00+00:00");
        check("Asia/Tokyo", date(2009, 3, 8), 24, "2009-03-08T23:00:00+09:00");
        check("America/New_York", date(2009, 3, 8), 23, "2009-03-08T23:00:00-04:00");
        check("America/New_York", date(2009, 11, 1), 25, "2009-11-01T23:00:00-05:00");
        // Lord Howe Island sets its clock back by half an hour. Kathmandu does not change it and has an
        // offset of 5:45.
        check("Australia/Lord_Howe", date(2009, 4, 5), 25, "2009-04-05T23:30:00+10:30");
        check("Asia/Kathmandu", date(2009, 4, 5), 24, "2009-04-05T23:00:00+05:45");
    }
}
