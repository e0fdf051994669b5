//! Lookup of the dark addresses at the time of a packet, for the hot path.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::packet::{AddressSpace, Timestamp};

use super::DarkPeriods;

/// Finds the dark addresses at a time. Packets come in time order and prefixes change rarely, so the period
/// of the previous packet is tried first. A sensor without dates has one period, so that a lookup costs two
/// comparisons.
#[derive(Clone, Debug)]
pub struct DarkSpaceLookup {
    /// The start and the dark addresses of each period, ascending; never empty.
    periods: Vec<(Timestamp, Arc<AddressSpace>)>,
    /// The period of the latest lookup: its start (included), its end (excluded) and its dark addresses.
    begin: Timestamp,
    end: Timestamp,
    space: Arc<AddressSpace>,
}

impl DarkSpaceLookup {
    /// Converts periods of days into periods of time, for a sensor whose days are those of `zone`.
    #[must_use]
    pub fn new(periods: &DarkPeriods, zone: &TimeZone) -> DarkSpaceLookup {
        let begin = |first: Date| match first {
            Date::MIN => Timestamp(i64::MIN),
            first => start_of_day(first, zone),
        };
        let periods: Vec<(Timestamp, Arc<AddressSpace>)> = periods
            .all()
            .iter()
            .map(|period| (begin(period.first), Arc::new(period.space.clone())))
            .collect();
        let space = periods.first().map_or_else(Arc::default, |(_, space)| Arc::clone(space));
        let end = periods.get(1).map_or(Timestamp(i64::MAX), |(begin, _)| *begin);
        DarkSpaceLookup { periods, begin: Timestamp(i64::MIN), end, space }
    }

    /// Returns the dark addresses at a time. Without a time, returns those of the latest lookup that had one,
    /// or of the first period if there was none.
    #[inline]
    pub fn cached_space_at(&mut self, time: Option<Timestamp>) -> &Arc<AddressSpace> {
        if let Some(time) = time
            && (time < self.begin || self.end <= time)
        {
            self.cache_period_at(time);
        }
        &self.space
    }

    /// Returns the dark addresses at a time without remembering the period: fast enough for one lookup per
    /// batch of windows.
    #[must_use]
    pub fn space_at(&self, time: Timestamp) -> Option<&Arc<AddressSpace>> {
        self.periods.get(self.index_at(time)).map(|(_, space)| space)
    }

    /// Returns whether two times lie in the same period. A missing time matches only another missing time.
    #[must_use]
    pub fn is_same_period(&self, one: Option<Timestamp>, other: Option<Timestamp>) -> bool {
        match (one, other) {
            (Some(one), Some(other)) => self.periods.len() < 2 || self.index_at(one) == self.index_at(other),
            _ => one == other,
        }
    }

    /// Returns the index of the period that includes a time.
    fn index_at(&self, time: Timestamp) -> usize {
        self.periods.partition_point(|(begin, _)| *begin <= time).saturating_sub(1)
    }

    #[cold]
    fn cache_period_at(&mut self, time: Timestamp) {
        let place = self.index_at(time);
        let end = self.periods.get(place + 1).map_or(Timestamp(i64::MAX), |(begin, _)| *begin);
        if let Some((begin, space)) = self.periods.get(place) {
            (self.begin, self.end, self.space) = (*begin, end, Arc::clone(space));
        }
    }
}

/// Returns the first moment of a day, or the nearest representable time if 64 bits do not hold it.
fn start_of_day(day: Date, zone: &TimeZone) -> Timestamp {
    let nanoseconds = match day.to_zoned(zone.clone()) {
        Ok(begin) => begin.timestamp().as_nanosecond(),
        Err(_) if day.year() < 0 => i128::MIN,
        Err(_) => i128::MAX,
    };
    Timestamp(i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX }))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use jiff::civil::date;

    use super::*;
    use crate::history::{DatedPrefix, Sensor, SensorKind};

    #[test]
    fn a_prefix_begins_at_the_midnight_of_its_sensor() {
        let dated = |prefix: &str, from: Option<Date>, to: Option<Date>| DatedPrefix {
            prefix: prefix.parse().unwrap(),
            from,
            to,
        };
        let sensor = Sensor {
            name: "II".to_owned(),
            kind: SensorKind::Dark,
            prefixes: vec![
                dated("192.0.2.0/24", None, Some(date(2009, 3, 1))),
                dated("198.51.100.0/24", Some(date(2009, 3, 2)), None),
                dated("203.0.113.0/24", Some(date(1500, 1, 1)), Some(date(9000, 1, 1))),
            ],
            live: vec![],
            time_zone: "Asia/Tokyo".to_owned(),
        };
        let mut times = DarkSpaceLookup::new(&sensor.dark_periods(), &sensor.zone().unwrap());
        let mut is_dark = |time: &str, address: &str| {
            let address: IpAddr = address.parse().unwrap();
            times.cached_space_at(Some(time.parse().unwrap())).contains(address)
        };
        let (last, first) = ("2009-03-01T14:59:59.999999999Z", "2009-03-01T15:00:00Z");
        // The second round goes back in time.
        for _ in 0..2 {
            assert!(is_dark(last, "192.0.2.1") && !is_dark(last, "198.51.100.1"));
            assert!(is_dark(first, "198.51.100.1") && !is_dark(first, "192.0.2.1"));
        }
        assert!(is_dark("1970-01-01T00:00:00Z", "203.0.113.1") && is_dark(first, "203.0.113.1"));
        let time = |text: &str| Some(text.parse().unwrap());
        assert!(times.is_same_period(time(first), time("2100-01-01T00:00:00Z")));
        assert!(!times.is_same_period(time(first), time(last)) && !times.is_same_period(None, time(last)));
    }
}
