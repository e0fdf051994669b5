//! Which days a sensor looked: a day without a look has no value, and that is not zero.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Days without data, both ends included, in the sensor's own days.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// The first day that is not whole.
    pub first: Date,
    /// The last one.
    pub last: Date,
    /// Why, if known.
    #[serde(default)]
    pub reason: String,
}

impl Outage {
    /// Whether a day belongs to it.
    #[must_use]
    pub fn contains(&self, day: Date) -> bool {
        self.first <= day && day <= self.last
    }
}

/// Its days, and its reason where there is one: `2009-02-27..2009-03-09 (data loss)`.
impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.last)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, " ({})", self.reason) }
    }
}

/// What a count of a day means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayState {
    /// The sensor looked: nothing seen is zero.
    Observed,
    /// An outage: no value, whatever a part of the day may have shown.
    Outage,
    /// No capture was ever fed for this day: no value.
    NotObserved,
}

/// The days that a sensor looked and the outages among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Days that some capture spans.
    pub observed: BTreeSet<Date>,
    /// Outages, by first day.
    pub outages: Vec<Outage>,
}

impl Coverage {
    /// What a count of `day` means.
    #[must_use]
    pub fn state(&self, day: Date) -> DayState {
        if self.outages.iter().any(|outage| outage.contains(day)) {
            DayState::Outage
        } else if self.observed.contains(&day) {
            DayState::Observed
        } else {
            DayState::NotObserved
        }
    }

    /// The days that count, ascending.
    pub fn days(&self) -> impl Iterator<Item = Date> + '_ {
        self.observed.iter().copied().filter(|day| self.state(*day) == DayState::Observed)
    }

    /// The first and the last day with data; `None` without any.
    #[must_use]
    pub fn span(&self) -> Option<(Date, Date)> {
        Some((*self.observed.first()?, *self.observed.last()?))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn an_outage_hides_a_day_that_was_partly_observed() {
        let mut coverage = Coverage {
            observed: [date(2009, 2, 26), date(2009, 2, 27), date(2009, 3, 10)].into(),
            outages: vec![],
        };
        coverage.outages.push(Outage {
            first: date(2009, 2, 27),
            last: date(2009, 3, 9),
            reason: "data loss".to_owned(),
        });
        assert_eq!(coverage.state(date(2009, 2, 26)), DayState::Observed);
        assert_eq!(coverage.state(date(2009, 2, 27)), DayState::Outage);
        assert_eq!(coverage.state(date(2009, 3, 11)), DayState::NotObserved);
        assert_eq!(coverage.days().count(), 2);
    }
}
