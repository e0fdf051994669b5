//! Day numbers, by which segments store days, and the times at which a sensor's days begin.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::history::Day;
use crate::store::StoreError;

/// The day with the number 0.
const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// Nanoseconds per second.
pub(super) const SECOND: i64 = 1_000_000_000;

/// A cache that converts day numbers to dates and to the times at which the days begin, in seconds since
/// 1970. Memory: 24 bytes for each day from 1970 to the latest day used, up to the year 2149; later days are
/// not cached.
#[derive(Debug)]
pub(super) struct DayNumbers {
    zone: TimeZone,
    known: Vec<Option<(Date, i64)>>,
}

/// Maximum number of cached days.
const DAYS_KNOWN_MAX: usize = 1 << 16;

impl DayNumbers {
    pub(super) fn new(zone: TimeZone) -> DayNumbers {
        DayNumbers { zone, known: Vec::new() }
    }

    /// Returns the date of a day number, and the second since 1970 at which the day begins.
    #[inline]
    pub(super) fn of_number(&mut self, number: i32) -> Result<(Date, i64), StoreError> {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        match self.known.get(at) {
            Some(Some(day)) => Ok(*day),
            _ => self.compute_day(number, at),
        }
    }

    /// Returns the day number of a date, and the second since 1970 at which the day begins.
    pub(super) fn of_date(&mut self, date: Date) -> (i32, i64) {
        let number = day_number(date);
        let start = self.of_number(number).map_or(0, |(_, start)| start);
        (number, start)
    }

    #[cold]
    fn compute_day(&mut self, number: i32, at: usize) -> Result<(Date, i64), StoreError> {
        let date = date_of(number)?;
        let day = (date, Day::from_date(date, &self.zone).start.0.div_euclid(SECOND));
        if at < DAYS_KNOWN_MAX {
            if self.known.len() <= at {
                self.known.resize(at + 1, None);
            }
            self.known[at] = Some(day);
        }
        Ok(day)
    }
}

/// Returns the number of days from 1970-01-01 to a date.
pub(super) fn day_number(date: Date) -> i32 {
    i32::try_from(EPOCH.duration_until(date).as_hours() / 24).unwrap_or(0)
}

fn date_of(day: i32) -> Result<Date, StoreError> {
    let span = jiff::Span::new().try_days(i64::from(day));
    let date = span.and_then(|span| EPOCH.checked_add(span));
    date.map_err(|_| StoreError::Damaged(format!("day {day} of a segment is no date")))
}
