//! Coverage: the days on which a sensor recorded. A day that was not recorded has no value, as opposed to
//! zero.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::loss::{self, CaptureLoss};
use super::{CaptureRecord, nanoseconds_by_day};

/// A range of days without usable data, both ends included, in the sensor's time zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// The first day; it may have been recorded in part.
    pub first: Date,
    /// The last day; it may have been recorded in part.
    pub last: Date,
    /// The reason, empty if unknown.
    #[serde(default)]
    pub reason: String,
}

impl Outage {
    /// Returns whether the outage includes a day.
    #[must_use]
    pub fn contains(&self, day: Date) -> bool {
        self.first <= day && day <= self.last
    }
}

/// Writes the days, followed by the reason if there is one: `2009-02-27..2009-03-09 (data loss)`.
impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.last)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, " ({})", self.reason) }
    }
}

/// Says whether the count of a day has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayState {
    /// The sensor recorded on this day: the absence of sightings means zero.
    Observed,
    /// The day belongs to an outage, or the recorder lost more packets than it recorded. The day has no
    /// value, even if a part of it was recorded.
    Outage,
    /// No capture covers this day: the day has no value.
    NotObserved,
}

/// A sensor's recorded days, outages and capture loss.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Days that at least one capture span touches, including days of outages.
    pub recorded_days: BTreeSet<Date>,
    /// Outages, ordered by first day.
    pub outages: Vec<Outage>,
    /// Capture loss by day, for the days on which packets were lost.
    pub loss: BTreeMap<Date, CaptureLoss>,
}

impl Coverage {
    /// Computes the coverage from a sensor's captures and outages. Days are those of the sensor's time zone.
    #[must_use]
    pub fn from_captures(captures: &[CaptureRecord], mut outages: Vec<Outage>, zone: &TimeZone) -> Coverage {
        outages.sort();
        let days = captures.iter().flat_map(|capture| nanoseconds_by_day(&capture.spans, zone).into_keys());
        Coverage { recorded_days: days.collect(), outages, loss: loss::by_day(captures, zone) }
    }

    /// Returns whether the count of `day` has a value, and if not, why.
    #[must_use]
    pub fn state(&self, day: Date) -> DayState {
        let lost = !self.loss.is_empty() && self.loss.get(&day).is_some_and(|loss| loss.exceeds_recorded());
        if lost || self.outages.iter().any(|outage| outage.contains(day)) {
            DayState::Outage
        } else if self.recorded_days.contains(&day) {
            DayState::Observed
        } else {
            DayState::NotObserved
        }
    }

    /// Returns the days whose counts have a value, ascending.
    pub fn observed_days(&self) -> impl Iterator<Item = Date> + '_ {
        self.recorded_days.iter().copied().filter(|day| self.state(*day) == DayState::Observed)
    }

    /// Returns the summed capture loss of a range of days, both ends included.
    #[must_use]
    pub fn loss_between(&self, first: Date, last: Date) -> CaptureLoss {
        if first > last {
            return CaptureLoss::default();
        }
        self.loss.range(first..=last).fold(CaptureLoss::default(), |sum, (_, loss)| sum.plus(*loss))
    }

    /// Returns a notice for the user about the days with capture loss, or `None` if no packets were lost.
    #[must_use]
    pub fn loss_notice(&self) -> Option<String> {
        let (first, last) = (self.loss.first_key_value()?.0, self.loss.last_key_value()?.0);
        let all = self.loss_between(*first, *last);
        let (worst, most) = self.loss.iter().max_by(|a, b| a.1.share().total_cmp(&b.1.share()))?;
        let left_out = self.loss.values().filter(|loss| loss.exceeds_recorded()).count();
        let days = if self.loss.len() == 1 { "day" } else { "days" };
        let mut notice = format!(
            "the recorder lost {} packets on {} {days} from {first} to {last} (at most {:.1} % of a day, on {worst}); counts \
             of these days are too low",
            all.dropped,
            self.loss.len(),
            100.0 * most.share()
        );
        if left_out > 0 {
            notice.push_str(&format!("; {left_out} of them lost more than they recorded and have no value"));
        }
        Some(notice)
    }

    /// Returns the first and the last recorded day, or `None` if no day was recorded.
    #[must_use]
    pub fn span(&self) -> Option<(Date, Date)> {
        Some((*self.recorded_days.first()?, *self.recorded_days.last()?))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::packet::Timestamp;

    #[test]
    fn an_outage_hides_a_day_that_was_partly_observed() {
        let mut coverage = Coverage {
            recorded_days: [date(2009, 2, 26), date(2009, 2, 27), date(2009, 3, 10)].into(),
            ..Coverage::default()
        };
        coverage.outages.push(Outage {
            first: date(2009, 2, 27),
            last: date(2009, 3, 9),
            reason: "data loss".to_owned(),
        });
        assert_eq!(coverage.state(date(2009, 2, 26)), DayState::Observed);
        assert_eq!(coverage.state(date(2009, 2, 27)), DayState::Outage);
        assert_eq!(coverage.state(date(2009, 3, 11)), DayState::NotObserved);
        assert_eq!(coverage.observed_days().count(), 2);
    }

    #[test]
    fn a_day_with_most_packets_lost_is_an_outage() {
        const DAY: i64 = 86_400_000_000_000;
        let start = Timestamp::start_of(date(2009, 3, 1)).unwrap().0;
        let capture = |day: i64, dropped| CaptureRecord {
            spans: vec![(Timestamp(start + day * DAY), Timestamp(start + (day + 1) * DAY - 1))],
            recorded: 100,
            dropped,
            ..CaptureRecord::default()
        };
        let captures = [capture(0, None), capture(1, Some(100)), capture(2, Some(101)), capture(4, Some(0))];
        let coverage = Coverage::from_captures(&captures, Vec::new(), &TimeZone::UTC);
        let state = |day| coverage.state(date(2009, 3, day));
        assert_eq!([state(1), state(2), state(5)], [DayState::Observed; 3]);
        assert_eq!([state(3), state(4)], [DayState::Outage, DayState::NotObserved]);
        let lost = coverage.loss_between(date(2009, 3, 1), date(2009, 3, 31));
        assert_eq!((lost.recorded, lost.dropped), (200, 201));
        let notice = coverage.loss_notice().unwrap();
        assert!(notice.contains("201 packets on 2 days") && notice.contains("1 of them"), "{notice}");
        assert_eq!(Coverage::from_captures(&captures[..1], Vec::new(), &TimeZone::UTC).loss_notice(), None);
    }
}
