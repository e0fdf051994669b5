//! The argument `--covers FROM..TO`: time in which, according to the user, a sensor recorded.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::history::TimeSpan;
use crate::packet::Timestamp;

use super::AppError;

/// The value of `--covers` as the user wrote it. Two dates cover both days whole; two times cover the time
/// from the first up to, but not including, the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredSpan {
    from: String,
    to: String,
}

impl fmt::Display for DeclaredSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.from, self.to)
    }
}

impl FromStr for DeclaredSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<DeclaredSpan, String> {
        let (from, to) = text.split_once("..").ok_or("write it as FROM..TO")?;
        let covers = DeclaredSpan { from: from.trim().to_owned(), to: to.trim().to_owned() };
        // Parts that depend on the sensor's time zone are checked again once it is known.
        covers.span(&TimeZone::UTC).map(|_| covers).map_err(|error| error.to_string())
    }
}

impl DeclaredSpan {
    /// Returns the time span, both ends included. Dates and times without an offset are in the given zone.
    ///
    /// # Errors
    /// When it cannot be read or ends before it begins.
    pub fn span(&self, zone: &TimeZone) -> Result<TimeSpan, AppError> {
        let (from, _) = time_bounds(&self.from, zone)?;
        let (_, end) = time_bounds(&self.to, zone)?;
        if end <= from {
            return Err(AppError::Usage(format!("--covers {self}: it ends before it begins")));
        }
        Ok((from, Timestamp(end.0 - 1)))
    }
}

/// Returns when a date or time begins and when it ends; a time begins and ends at the same moment.
fn time_bounds(text: &str, zone: &TimeZone) -> Result<(Timestamp, Timestamp), AppError> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok((time, time));
    }
    let wrong = || {
        AppError::Usage(format!(
            "--covers: `{}` is neither a date (2009-03-02) nor an RFC 3339 time (2009-03-02T12:00:00Z)",
            text.escape_default()
        ))
    };
    let moment = |local: DateTime| -> Option<Timestamp> {
        let time = local.to_zoned(zone.clone()).ok()?.timestamp().as_nanosecond();
        i64::try_from(time).ok().map(Timestamp)
    };
    let is_date = text.len() == "2009-03-02".len();
    if is_date {
        let day: Date = text.parse().map_err(|_| wrong())?;
        let next = day.tomorrow().map_err(|_| wrong())?;
        return moment(day.into()).zip(moment(next.into())).ok_or_else(wrong);
    }
    let time: DateTime = text.parse().map_err(|_| wrong())?;
    moment(time).map(|time| (time, time)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str, zone: &str) -> (String, String) {
        let (from, to) = text.parse::<DeclaredSpan>().unwrap().span(&TimeZone::get(zone).unwrap()).unwrap();
        (from.to_string(), to.to_string())
    }

    #[test]
    fn dates_are_whole_days_and_times_end_before_their_end() {
        let day = ("2009-03-01T15:00:00.000000000Z".to_owned(), "2009-03-02T14:59:59.999999999Z".to_owned());
        assert_eq!(span("2009-03-02..2009-03-02", "Asia/Tokyo"), day);
        assert_eq!(span("2009-03-02T00:00..2009-03-03T00:00:00", "Asia/Tokyo"), day);
        assert_eq!(span("2009-03-01T15:00:00Z..2009-03-03T00:00:00+09:00", "UTC"), day);
        // The day on which clocks go forward has 23 hours.
        assert_eq!(span("2009-03-08..2009-03-08", "America/New_York").1, "2009-03-09T03:59:59.999999999Z");
    }

    #[test]
    fn slips_are_refused_in_words() {
        let refusal = |text: &str| text.parse::<DeclaredSpan>().unwrap_err();
        assert!(refusal("2009-03-02").contains("FROM..TO"));
        assert!(refusal("2009-03-02..2009-03-01").contains("before it begins"));
        assert!(refusal("2009-03-02T01:00:00Z..2009-03-02T01:00:00Z").contains("before it begins"));
        for wrong in [
            "yesterday..2009-03-02",
            "2009-02-30..2009-03-02",
            "1236000000..1236000001",
            "0001-01-01..9999-12-31",
        ] {
            assert!(refusal(wrong).contains("is neither a date"), "{wrong}");
        }
    }
}
