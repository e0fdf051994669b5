//! How many days lie between the onset of an outbreak and the date of its sample.
//!
//! Honeypots catch a sample within days after its outbreak began, and vendors name it within weeks. Some are named
//! months later, and some before the outbreak reaches a sensor. The distribution has heavy tails on both sides, so that
//! no date rules an onset out.

use jiff::civil::Date;

use crate::sample::PartialDate;

/// The parts of the distribution: probability, mean days, and whether the sample's date is after the onset.
/// No publication gives such a distribution; the values are rough on purpose.
const PARTS: [(f64, f64, bool); 5] =
    [(0.35, 7.0, true), (0.4, 30.0, true), (0.1, 150.0, true), (0.1, 10.0, false), (0.05, 60.0, false)];
/// Maximum number of days of a vague date that are looked at one by one.
const DATE_DAYS_MAX: i64 = 31;

/// Returns the number of days from one day to another, negative if the other is earlier.
pub(super) fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}

/// Returns the probability that the sample's date lies exactly `lag` days after an onset; negative for before.
fn lag_probability(lag: i64) -> f64 {
    let days = lag.unsigned_abs() as f64;
    let of_part = |(share, mean, after): (f64, f64, bool)| {
        // Lag 0 belongs to both sides.
        if lag != 0 && after != (lag > 0) { 0.0 } else { share * (-days / mean).exp() / mean }
    };
    PARTS.into_iter().map(of_part).sum()
}

/// Returns the days from an onset on `day` to a date; 0 if the day lies within the date, negative if the date
/// is before.
pub(super) fn days_late(day: Date, date: PartialDate) -> i64 {
    let (first, last) = (days_between(day, date.first), days_between(day, date.last));
    if first > 0 { first } else { last.min(0) }
}

/// Returns the probability of an onset on `day`, given that there is one and the date of its sample.
pub(super) fn onset_probability(day: Date, date: PartialDate) -> f64 {
    let (first, last) = (days_between(day, date.first), days_between(day, date.last));
    let step = ((last - first) / DATE_DAYS_MAX).max(1);
    let (mut sum, mut count, mut at) = (0.0, 0.0, first);
    while at <= last {
        sum += lag_probability(at);
        (count, at) = (count + 1.0, at + step);
    }
    sum / f64::max(count, 1.0)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn exact(day: Date) -> PartialDate {
        PartialDate { first: day, last: day }
    }

    #[test]
    fn the_distribution_sums_to_about_one_and_prefers_late_samples() {
        let all: f64 = (-2_000..3_000).map(lag_probability).sum();
        assert!((all - 1.0).abs() < 0.05, "{all}");
        assert!(lag_probability(20) > 3.0 * lag_probability(-20));
        assert!(lag_probability(300) > 0.0 && lag_probability(-300) > 0.0);
    }

    #[test]
    fn a_vague_date_says_less_than_an_exact_one() {
        let onset = date(2009, 3, 10);
        let month = PartialDate { first: date(2009, 3, 1), last: date(2009, 3, 31) };
        let near = onset_probability(onset, exact(date(2009, 3, 12)));
        assert!(near > onset_probability(onset, month));
        assert!(onset_probability(onset, month) > onset_probability(onset, exact(date(2009, 8, 12))));
        assert_eq!(days_late(onset, month), 0);
        assert_eq!(days_late(onset, exact(date(2009, 3, 1))), -9);
        assert_eq!(days_late(onset, exact(date(2009, 3, 12))), 2);
    }
}
