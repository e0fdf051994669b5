//! Points in time, in nanoseconds, and the kind of clock that a capture has.

use std::fmt;

use jiff::tz::TimeZone;

/// Nanoseconds since 1970-01-01T00:00:00Z or, if the capture's [`Clock`] is relative, since an unknown
/// midnight or the first packet. The range is 1677-09-21 to 2262-04-11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(pub i64);

/// Nanoseconds per second.
const SECOND: i64 = 1_000_000_000;

/// What the times of a capture refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Clock {
    /// Date and time: a pcap file, or a log that prints both or was read with `--date`.
    Absolute,
    /// Times without a date: differences are valid, the day is unknown.
    Relative,
    /// No times.
    None,
}

/// A text that is not an RFC 3339 time, or that lies outside of the range of [`Timestamp`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no RFC 3339 time between the years 1678 and 2262 (like 2009-03-02T12:00:00Z)")]
pub struct TimestampError(String);

impl Timestamp {
    /// Creates a time from whole seconds and nanoseconds; `None` if 64 bits do not suffice.
    #[must_use]
    pub fn from_parts(seconds: i64, nanoseconds: u32) -> Option<Timestamp> {
        seconds.checked_mul(SECOND)?.checked_add(i64::from(nanoseconds)).map(Timestamp)
    }

    /// Returns the time that is later by a number of nanoseconds, or the latest possible time if that would
    /// overflow.
    #[must_use]
    pub fn plus_nanoseconds(self, nanoseconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(nanoseconds))
    }

    /// Returns the beginning of the second in which the time lies.
    #[must_use]
    pub fn whole_seconds(self) -> Timestamp {
        Timestamp(self.0.div_euclid(SECOND).saturating_mul(SECOND))
    }

    /// Returns the seconds from `earlier` to this time.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a difference for people to read, not for comparison")]
    pub fn seconds_since(self, earlier: Timestamp) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e9
    }

    /// Returns the time at which a calendar day begins in UTC, or `None` if 64 bits do not suffice.
    #[must_use]
    pub fn start_of(day: jiff::civil::Date) -> Option<Timestamp> {
        let start = TimeZone::UTC.to_timestamp(day.into()).ok()?;
        i64::try_from(start.as_nanosecond()).ok().map(Timestamp)
    }

    /// Returns the calendar day in a time zone. A sensor counts days in its own zone.
    #[must_use]
    pub fn day(self, zone: &TimeZone) -> jiff::civil::Date {
        self.instant().to_zoned(zone.clone()).date()
    }

    /// Returns the times at which the calendar day and the next one begin in a time zone; `None` if 64 bits
    /// do not suffice.
    #[must_use]
    pub fn day_bounds(self, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let day = self.instant().to_zoned(zone.clone());
        let start = day.start_of_day().ok()?;
        let next = start.tomorrow().ok()?.start_of_day().ok()?;
        let moment = |at: &jiff::Zoned| i64::try_from(at.timestamp().as_nanosecond()).ok().map(Timestamp);
        Some((moment(&start)?, moment(&next)?))
    }

    fn instant(self) -> jiff::Timestamp {
        // Every `i64` of nanoseconds lies within jiff's range of years, -9999 to 9999.
        jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

/// Writes RFC 3339 in UTC with nine decimals.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.9}", self.instant())
    }
}

/// Parses RFC 3339.
impl std::str::FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || TimestampError(text.to_owned());
        let instant: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
        i64::try_from(instant.as_nanosecond()).map(Timestamp).map_err(|_| wrong())
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_all_nine_digits_and_reads_them_back() {
        let time = Timestamp::from_parts(1_236_000_000, 5).unwrap();
        assert_eq!(time.to_string(), "2009-03-02T13:20:00.000000005Z");
        assert_eq!(time.to_string().parse(), Ok(time));
    }

    #[test]
    fn a_day_depends_on_the_zone() {
        let evening: Timestamp = "2009-03-01T20:00:00Z".parse().unwrap();
        let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
        assert_eq!(evening.day(&TimeZone::UTC).to_string(), "2009-03-01");
        assert_eq!(evening.day(&tokyo).to_string(), "2009-03-02");
    }

    #[test]
    fn a_day_is_as_long_as_its_clocks_make_it() {
        let noon: Timestamp = "2009-03-08T16:00:00Z".parse().unwrap();
        let (first, next) = noon.day_bounds(&TimeZone::get("America/New_York").unwrap()).unwrap();
        assert_eq!(
            (first.to_string(), next.seconds_since(first)),
            ("2009-03-08T05:00:00.000000000Z".to_owned(), 23.0 * 3600.0)
        );
        assert!(Timestamp(i64::MAX).day_bounds(&TimeZone::UTC).is_none());
    }

    #[test]
    fn extremes_neither_wrap_nor_panic() {
        assert_eq!(Timestamp::from_parts(i64::MAX, 0), None);
        assert_eq!(Timestamp(i64::MAX).plus_nanoseconds(1), Timestamp(i64::MAX));
        for extreme in [i64::MIN, i64::MAX] {
            assert!(!Timestamp(extreme).to_string().is_empty());
        }
    }
}
