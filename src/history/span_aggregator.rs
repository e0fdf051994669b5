//! Aggregation of sightings over hours, days, weeks, months or all time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use foldhash::fast::FixedState;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::loss::{self, CaptureLoss};
use super::{
    CaptureRecord, Coverage, DayState, DayTotal, HostSet, Hour, HourlyCount, RecordedTime, Sighting,
    hours_in_bitmap,
};

/// The length of the spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanLength {
    /// An hour of the sensor's local time. A window belongs to the hour in which it began.
    Hour,
    /// A day of the sensor's time zone.
    Day,
    /// A week from Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// One span for all time.
    All,
}

impl SpanLength {
    /// Returns the first day of the span that contains a day.
    #[must_use]
    pub fn start(self, day: Date) -> Date {
        let back = |days: i8| day.checked_sub(jiff::Span::new().days(days)).unwrap_or(day);
        match self {
            SpanLength::Hour | SpanLength::Day => day,
            SpanLength::Week => back(day.weekday().to_monday_zero_offset()),
            SpanLength::Month => day.first_of_month(),
            SpanLength::All => Date::MIN,
        }
    }
}

/// The totals of one span. Unique hosts and types are counted exactly over the span; they are not sums over
/// days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanCount {
    /// The first day of the span, but not before the first requested day.
    pub first: Date,
    /// The hour of that day if spans are hours, otherwise `None`.
    pub hour: Option<Hour>,
    /// Number of days with a value in the span. For an hour: 1 if any of it was recorded, else 0. If 0, the
    /// span has no value.
    pub observed_days: u64,
    /// Number of packets.
    pub packets: u64,
    /// Number of windows, or of facets of windows.
    pub windows: u64,
    /// Number of unique hosts.
    pub hosts: u64,
    /// Number of distinct types (the type count).
    pub types: u64,
    /// The capture loss of the span, over packets to any address; also set where the span has no value.
    pub loss: CaptureLoss,
}

/// Adds up sightings by span. Memory: 8 bytes per host and span, 30 bytes per type and span.
#[derive(Debug)]
pub struct SpanAggregator<'a> {
    step: SpanLength,
    coverage: &'a Coverage,
    zone: &'a TimeZone,
    /// The recorded time, which decides whether an hour has a value. Days are decided by the coverage.
    recorded_time: &'a RecordedTime,
    /// Index into `sums` by the first day of the span and, if spans are hours, the hour of that day
    /// ([`super::Day::hour`]; otherwise 0).
    index_by_span: BTreeMap<(Date, i64), usize>,
    sums: Vec<SpanTotals>,
    /// Cache of indexes into `sums` by day; `None` for a day without a value. There are millions of sightings
    /// but few days.
    index_by_day: HashMap<Date, Option<usize>, FixedState>,
    /// Capture loss by hour, if spans are hours.
    hourly_loss: BTreeMap<(Date, i64), CaptureLoss>,
}

#[derive(Debug, Default)]
struct SpanTotals {
    packets: u64,
    windows: u64,
    hosts: HostSet,
    types: BTreeSet<u64>,
    last_type: Option<u64>,
}

impl SpanTotals {
    /// Adds a host and a type. Sightings are mostly sorted by type, so the type is compared with the previous
    /// one first.
    fn add(&mut self, host: IpAddr, number: u64) {
        self.hosts.insert(host);
        if self.last_type.replace(number) != Some(number) {
            self.types.insert(number);
        }
    }
}

impl<'a> SpanAggregator<'a> {
    /// Creates an empty aggregation. `zone` is the sensor's time zone. Hours have a value if `recorded_time`, the
    /// recorded time, touches them.
    #[must_use]
    pub fn new(
        step: SpanLength,
        coverage: &'a Coverage,
        zone: &'a TimeZone,
        looks: &'a RecordedTime,
    ) -> SpanAggregator<'a> {
        let (places, known) = (BTreeMap::new(), HashMap::default());
        let hourly_loss = BTreeMap::new();
        SpanAggregator {
            step,
            coverage,
            zone,
            recorded_time: looks,
            index_by_span: places,
            sums: Vec::new(),
            index_by_day: known,
            hourly_loss,
        }
    }

    /// Computes the capture loss of each hour from these captures. Longer spans take it from the coverage.
    #[must_use]
    pub fn with_hourly_loss(mut self, captures: &[CaptureRecord]) -> SpanAggregator<'a> {
        self.hourly_loss = loss::by_hour(captures, self.zone);
        self
    }

    /// Returns every day from `first` to `last`, given totals that were already counted by day.
    #[must_use]
    pub fn day_spans(coverage: &Coverage, counts: &[DayTotal], first: Date, last: Date) -> Vec<SpanCount> {
        let looks = RecordedTime::default();
        let mut days =
            SpanAggregator::new(SpanLength::Day, coverage, &TimeZone::UTC, &looks).finish(first, last);
        for DayTotal { count, types } in counts {
            let day = days.binary_search_by_key(&count.day, |span| span.first);
            if let Some(span) = day.ok().and_then(|at| days.get_mut(at)).filter(|span| span.observed_days > 0)
            {
                (span.packets, span.windows) = (count.packets, count.windows);
                (span.hosts, span.types) = (count.hosts, *types);
            }
        }
        days
    }

    /// Adds a sighting, unless its day has no value: a partly recorded day of an outage does not count. If
    /// spans are hours, the host and the type count in each hour in which windows of the sighting began;
    /// windows and packets come from [`SpanAggregator::add_hour`].
    pub fn add(&mut self, sighting: &Sighting) {
        if self.step == SpanLength::Hour {
            if self.coverage.state(sighting.day) == DayState::Observed {
                for hour in hours_in_bitmap(sighting.counts.hours) {
                    self.sum((sighting.day, hour.into())).add(sighting.host, sighting.number);
                }
            }
            return;
        }
        let known = self.index_by_day.get(&sighting.day).copied();
        let Some(place) = known.unwrap_or_else(|| self.index_of_day(sighting.day)) else { return };
        let sum = &mut self.sums[place];
        sum.packets = sum.packets.saturating_add(sighting.counts.packets);
        sum.windows = sum.windows.saturating_add(sighting.counts.windows);
        sum.add(sighting.host, sighting.number);
    }

    /// Adds the windows and packets of an hour, unless its day has no value.
    pub fn add_hour(&mut self, count: &HourlyCount) {
        if self.coverage.state(count.day) != DayState::Observed {
            return;
        }
        let sum = self.sum((count.day, count.hour.into()));
        sum.packets = sum.packets.saturating_add(count.packets);
        sum.windows = sum.windows.saturating_add(count.windows);
    }

    /// Returns the index of a day's span, or `None` if the day has no value.
    #[cold]
    fn index_of_day(&mut self, day: Date) -> Option<usize> {
        let is_observed = self.coverage.state(day) == DayState::Observed;
        let place = is_observed.then(|| self.index_of_span((self.step.start(day), 0)));
        self.index_by_day.insert(day, place);
        place
    }

    fn index_of_span(&mut self, key: (Date, i64)) -> usize {
        let new = self.sums.len();
        let place = *self.index_by_span.entry(key).or_insert(new);
        if place == new {
            self.sums.push(SpanTotals::default());
        }
        place
    }

    fn sum(&mut self, key: (Date, i64)) -> &mut SpanTotals {
        let place = self.index_of_span(key);
        &mut self.sums[place]
    }

    fn take_sum(&mut self, key: (Date, i64)) -> SpanTotals {
        let place = self.index_by_span.remove(&key);
        place.and_then(|place| self.sums.get_mut(place)).map(std::mem::take).unwrap_or_default()
    }

    /// Returns every span from the first day to the last, including those without a value.
    #[must_use]
    pub fn finish(mut self, first: Date, last: Date) -> Vec<SpanCount> {
        let mut spans: Vec<SpanCount> = Vec::new();
        let mut start = None;
        for day in first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last) {
            let observed = u64::from(self.coverage.state(day) == DayState::Observed);
            if self.step == SpanLength::Hour {
                for (number, hour) in (0..).zip(Hour::all_of(day, self.zone)) {
                    let sum = self.take_sum((day, number));
                    let looked = observed > 0
                        && self.recorded_time.nanoseconds_between(hour.times.0, hour.times.1) > 0;
                    let mut span = sum.into_span_count(day, Some(hour), u64::from(looked));
                    span.loss = self.hourly_loss.get(&(day, number)).copied().unwrap_or_default();
                    spans.push(span);
                }
                continue;
            }
            let begins = self.step.start(day);
            if start != Some(begins) {
                start = Some(begins);
                let sum = self.take_sum((begins, 0));
                spans.push(sum.into_span_count(begins.max(first), None, 0));
            }
            if let Some(span) = spans.last_mut() {
                span.observed_days += observed;
                span.loss = span.loss.plus(self.coverage.loss_between(day, day));
            }
        }
        spans
    }
}

impl SpanTotals {
    fn into_span_count(mut self, first: Date, hour: Option<Hour>, observed: u64) -> SpanCount {
        SpanCount {
            first,
            hour,
            observed_days: observed,
            packets: self.packets,
            windows: self.windows,
            hosts: self.hosts.count(),
            types: self.types.len() as u64,
            loss: CaptureLoss::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::history::{Outage, Scope, SightingCounts};

    fn sighting(day: i8, host: u8, number: u64) -> Sighting {
        let seen = SightingCounts { windows: 1, packets: 2, ..SightingCounts::NONE };
        Sighting {
            day: date(2009, 3, day),
            number,
            scope: Scope::Whole,
            host: [192, 0, 2, host].into(),
            signature: None,
            counts: seen,
        }
    }

    #[test]
    fn hosts_of_a_week_are_counted_once_and_outages_not_at_all() {
        let coverage = Coverage {
            recorded_days: (2..=15).map(|day| date(2009, 3, day)).collect(),
            outages: vec![Outage { first: date(2009, 3, 4), last: date(2009, 3, 8), reason: String::new() }],
            ..Coverage::default()
        };
        let sightings =
            [sighting(2, 1, 1), sighting(3, 1, 2), sighting(4, 9, 9), sighting(9, 1, 1), sighting(9, 2, 1)];
        let count = |step: SpanLength| {
            let zone = TimeZone::UTC;
            let looks = RecordedTime::default();
            let mut spans = SpanAggregator::new(step, &coverage, &zone, &looks);
            sightings.iter().for_each(|sighting| spans.add(sighting));
            spans
                .finish(date(2009, 3, 2), date(2009, 3, 15))
                .into_iter()
                .map(|span| (span.first.day(), span.observed_days, span.hosts, span.types, span.packets))
                .collect::<Vec<_>>()
        };
        // 2009-03-02 was a Monday.
        assert_eq!(count(SpanLength::Week), [(2, 2, 1, 2, 4), (9, 7, 2, 1, 4)]);
        assert_eq!(count(SpanLength::All), [(2, 9, 2, 2, 8)]);
        let days = count(SpanLength::Day);
        assert_eq!(
            (days.len(), days[0], days[2], days[7]),
            (14, (2, 1, 1, 1, 2), (4, 0, 0, 0, 0), (9, 1, 2, 1, 4))
        );
    }

    /// Returns the number of hours of a day in New York, and the counts of the hours with windows.
    fn hours(day: Date, seen: &[(&str, u8)]) -> (usize, Vec<(String, u64, u64)>) {
        let zone = TimeZone::get("America/New_York").unwrap();
        let coverage = Coverage { recorded_days: [day].into(), ..Coverage::default() };
        let time = |(time, _): &(&str, u8)| time.parse().unwrap();
        let (first, last) = (time(&seen[0]), time(&seen[seen.len() - 1]));
        let looks = RecordedTime::from_captures(&[CaptureRecord {
            spans: vec![(first, last)],
            recorded: 3,
            ..CaptureRecord::default()
        }]);
        let mut spans = SpanAggregator::new(SpanLength::Hour, &coverage, &zone, &looks);
        for (time, host) in seen {
            let mut sighting = sighting(1, *host, 1);
            let hour =
                u8::try_from(crate::history::Day::from_date(day, &zone).hour(time.parse().unwrap())).unwrap();
            (sighting.day, sighting.counts.hours) = (day, 1 << hour);
            spans.add(&sighting);
            let Sighting { number, scope, .. } = sighting;
            spans.add_hour(&HourlyCount { number, scope, day, hour, windows: 1, packets: 2, hosts: 1 });
        }
        let all = spans.finish(day, day);
        let busy = all.iter().filter(|span| span.windows > 0);
        let busy = busy.map(|span| (span.hour.unwrap().to_string(), span.hosts, span.packets));
        (all.len(), busy.collect())
    }

    #[test]
    fn hours_are_those_of_the_sensors_clock_also_when_it_is_changed() {
        // The clock goes from 01:59:59 to 03:00.
        let spring = hours(
            date(2009, 3, 8),
            &[("2009-03-08T06:59:59Z", 1), ("2009-03-08T07:00:00Z", 1), ("2009-03-09T03:59:59Z", 2)],
        );
        let at = |hour: &str, hosts, packets| (hour.to_owned(), hosts, packets);
        let expected = vec![
            at("2009-03-08T01:00:00-05:00", 1, 2),
            at("2009-03-08T03:00:00-04:00", 1, 2),
            at("2009-03-08T23:00:00-04:00", 1, 2),
        ];
        assert_eq!(spring, (23, expected));
        // The clock goes from 01:59:59 back to 01:00: the hour occurs twice, and a host seen in both counts
        // once in each.
        let autumn = hours(
            date(2009, 11, 1),
            &[("2009-11-01T05:30:00Z", 1), ("2009-11-01T05:40:00Z", 1), ("2009-11-01T06:30:00Z", 1)],
        );
        let expected = vec![at("2009-11-01T01:00:00-04:00", 1, 4), at("2009-11-01T01:00:00-05:00", 1, 2)];
        assert_eq!(autumn, (25, expected));
    }
}
