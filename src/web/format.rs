//! Numbers, days and times as the page writes them.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::packet::Timestamp;
use crate::render::svg::number;

/// What is written where there is no value.
pub(super) const NONE: &str = "\u{2013}";

/// Formats a count with separated thousands.
#[expect(clippy::cast_precision_loss, reason = "a count to be read by people")]
pub(super) fn count(value: u64) -> String {
    number(value as f64)
}

/// Formats a count with its noun: `1 host`, `2,000 hosts`.
pub(super) fn counted(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(value), if value == 1 { one } else { many })
}

/// Formats an expected count, which has no fraction for people: `none`, `12`.
pub(super) fn expected(mean: f64) -> String {
    if mean < 0.5 { "none".to_owned() } else { number(mean.round()) }
}

/// Formats a share from 0 to 1 in per cent: `12 %`, `0.3 %`, `0 %`.
pub(super) fn percent(share: f64) -> String {
    let value = share * 100.0;
    if value == 0.0 {
        "0 %".to_owned()
    } else if value < 0.1 {
        "under 0.1 %".to_owned()
    } else if value < 10.0 {
        format!("{value:.1} %")
    } else {
        format!("{value:.0} %")
    }
}

/// Formats a number of packets a second: `0`, `0.04`, `3.1`, `1,250`.
pub(super) fn rate_in_words(rate: f64) -> String {
    match rate {
        rate if rate >= 100.0 => number(rate.round()),
        rate if rate >= 1.0 => format!("{rate:.1}"),
        rate if rate >= 0.005 => format!("{rate:.2}"),
        rate if rate > 0.0 => "under 0.01".to_owned(),
        _ => "0".to_owned(),
    }
}

/// Formats a day: `2 Mar 2009`.
pub(super) fn day(date: Date) -> String {
    date.strftime("%-d\u{a0}%b\u{a0}%Y").to_string()
}

/// A moment as people read it, with the moment in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ShownTime {
    /// In the time zone of the sensor: `2 Mar 2009 14:02`.
    pub(super) local: String,
    /// In UTC, to the second.
    pub(super) utc: String,
}

impl ShownTime {
    /// Formats a moment in a time zone.
    pub(super) fn new(time: Timestamp, zone: &TimeZone) -> ShownTime {
        let instant =
            jiff::Timestamp::from_nanosecond(i128::from(time.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let local = instant.to_zoned(zone.clone());
        ShownTime {
            local: local.strftime("%-d\u{a0}%b\u{a0}%Y %H:%M").to_string(),
            utc: instant.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        }
    }
}

/// Formats a length of time in the largest unit of which there are two: `12 s`, `4 min`, `3 h`, `17 days`.
pub(super) fn lag(seconds: f64) -> String {
    let units = [(86_400.0, "days"), (3_600.0, "h"), (60.0, "min")];
    let found = units.into_iter().find(|(length, _)| seconds >= 2.0 * length);
    match found {
        Some((length, unit)) => format!("{:.0} {unit}", seconds / length),
        None => format!("{:.0} s", seconds.max(0.0)),
    }
}

/// Returns a list of names in a sentence: `A`, `A and B`, `A, B and C`.
pub(super) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Returns `s` behind a noun unless there is one of them.
pub(super) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn values_are_written_for_people() {
        assert_eq!([count(0), count(1_234_567)], ["0", "1,234,567"]);
        assert_eq!(
            [percent(0.0), percent(0.0001), percent(0.031), percent(0.62)],
            ["0 %", "under 0.1 %", "3.1 %", "62 %"]
        );
        assert_eq!(
            [0.0, 0.001, 0.04, 3.12, 1_250.4].map(rate_in_words),
            ["0", "under 0.01", "0.04", "3.1", "1,250"]
        );
        assert_eq!(day(date(2009, 3, 2)), "2\u{a0}Mar\u{a0}2009");
        assert_eq!([lag(12.0), lag(100.0), lag(240.0), lag(1e6)], ["12 s", "100 s", "4 min", "12 days"]);
        assert_eq!(listed(&["A".to_owned(), "B".to_owned(), "C".to_owned()]), "A, B and C");
        let time = ShownTime::new(Timestamp(1_236_000_000_000_000_000), &TimeZone::UTC);
        assert_eq!(time.utc, "2009-03-02 13:20:00 UTC");
    }
}
