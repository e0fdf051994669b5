//! Sightings added up over days, weeks, months, or all time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::{Coverage, DayState, DayTotal, Hosts, Met};

/// How long a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A day of the sensor.
    Day,
    /// Monday to Sunday.
    Week,
    /// A month of the calendar.
    Month,
    /// All there is.
    All,
}

impl Step {
    /// The first day of the span that a day belongs to.
    #[must_use]
    pub fn start(self, day: Date) -> Date {
        let back = |days: i8| day.checked_sub(jiff::Span::new().days(days)).unwrap_or(day);
        match self {
            Step::Day => day,
            Step::Week => back(day.weekday().to_monday_zero_offset()),
            Step::Month => day.first_of_month(),
            Step::All => Date::MIN,
        }
    }
}

/// What a span comes to. Unique hosts and types are exact over the span, and no sums of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanCount {
    /// Its first day, or, where all is one span, the first day that the sensor looked.
    pub first: Date,
    /// Its days on which the sensor looked. None of them: no value.
    pub observed: u64,
    /// Packets.
    pub packets: u64,
    /// Windows, or facets of windows.
    pub windows: u64,
    /// Unique hosts.
    pub hosts: u64,
    /// Kinds of behavior type.
    pub types: u64,
}

/// Adds up sightings by span. Memory: 8 bytes a host and span, 30 a type and span.
#[derive(Debug)]
pub struct Spans<'a> {
    step: Step,
    coverage: &'a Coverage,
    sums: BTreeMap<Date, Sum>,
}

#[derive(Debug, Default)]
struct Sum {
    packets: u64,
    windows: u64,
    hosts: Hosts,
    types: BTreeSet<u64>,
}

impl<'a> Spans<'a> {
    /// Without any sighting yet.
    #[must_use]
    pub fn new(step: Step, coverage: &'a Coverage) -> Spans<'a> {
        Spans { step, coverage, sums: BTreeMap::new() }
    }

    /// Every day from the first to the last, of days that are counted already.
    #[must_use]
    pub fn of_days(coverage: &Coverage, counts: &[DayTotal], first: Date, last: Date) -> Vec<SpanCount> {
        let mut days = Spans::new(Step::Day, coverage).finish(first, last);
        for DayTotal { count, types } in counts {
            let day = days.binary_search_by_key(&count.day, |span| span.first);
            if let Some(span) = day.ok().and_then(|at| days.get_mut(at)).filter(|span| span.observed > 0) {
                (span.packets, span.windows) = (count.packets, count.windows);
                (span.hosts, span.types) = (count.hosts, *types);
            }
        }
        days
    }

    /// Adds a sighting, unless its day is one of an outage: what a part of such a day shows is no value.
    pub fn add(&mut self, met: &Met) {
        if self.coverage.state(met.day) != DayState::Observed {
            return;
        }
        let sum = self.sums.entry(self.step.start(met.day)).or_default();
        sum.packets += met.seen.packets;
        sum.windows += met.seen.windows;
        sum.hosts.insert(met.host);
        sum.types.insert(met.number);
    }

    /// Every span from the first day to the last, those without a look among them.
    #[must_use]
    pub fn finish(mut self, first: Date, last: Date) -> Vec<SpanCount> {
        let mut spans: Vec<SpanCount> = Vec::new();
        let mut start = None;
        for day in first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last) {
            let begins = self.step.start(day);
            if start != Some(begins) {
                start = Some(begins);
                let mut sum = self.sums.remove(&begins).unwrap_or_default();
                spans.push(SpanCount {
                    first: begins.max(first),
                    observed: 0,
                    packets: sum.packets,
                    windows: sum.windows,
                    hosts: sum.hosts.count(),
                    types: sum.types.len() as u64,
                });
            }
            if let Some(span) = spans.last_mut() {
                span.observed += u64::from(self.coverage.state(day) == DayState::Observed);
            }
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::history::{Outage, Scope, Sighting};

    fn met(day: i8, host: u8, number: u64) -> Met {
        let seen = Sighting { windows: 1, packets: 2, ..Sighting::NONE };
        Met { day: date(2009, 3, day), number, scope: Scope::Whole, host: [192, 0, 2, host].into(), seen }
    }

    #[test]
    fn hosts_of_a_week_are_counted_once_and_outages_not_at_all() {
        let coverage = Coverage {
            observed: (2..=15).map(|day| date(2009, 3, day)).collect(),
            outages: vec![Outage { first: date(2009, 3, 4), last: date(2009, 3, 8), reason: String::new() }],
        };
        let sightings = [met(2, 1, 1), met(3, 1, 2), met(4, 9, 9), met(9, 1, 1), met(9, 2, 1)];
        let count = |step: Step| {
            let mut spans = Spans::new(step, &coverage);
            sightings.iter().for_each(|met| spans.add(met));
            spans
                .finish(date(2009, 3, 2), date(2009, 3, 15))
                .into_iter()
                .map(|span| (span.first.day(), span.observed, span.hosts, span.types, span.packets))
                .collect::<Vec<_>>()
        };
        // 2009-03-02 was a Monday.
        assert_eq!(count(Step::Week), [(2, 2, 1, 2, 4), (9, 7, 2, 1, 4)]);
        assert_eq!(count(Step::All), [(2, 9, 2, 2, 8)]);
        let days = count(Step::Day);
        assert_eq!(
            (days.len(), days[0], days[2], days[7]),
            (14, (2, 1, 1, 1, 2), (4, 0, 0, 0, 0), (9, 1, 2, 1, 4))
        );
    }
}
