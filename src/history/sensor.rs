//! A black-hole sensor: which addresses it watches, and how it counts its days.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::event::AddressSpace;

use super::dark::change_days;
use super::{DarkPeriod, DarkPeriods, DatedPrefix};

/// Prefixes of all periods of a sensor, at most: they would take 16 MB.
const PREFIXES_MAX: usize = 1 << 18;

/// What surrounds a sensor's dark addresses (seed, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SensorKind {
    /// A network in which live and dark addresses mix (the seed's sensor I).
    Mixed,
    /// A network that is dark as a whole (sensor II).
    Dark,
    /// A dark subnet of a network that is live elsewhere (sensor III).
    Subnet,
}

impl fmt::Display for SensorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SensorKind::Mixed => "mixed",
            SensorKind::Dark => "dark",
            SensorKind::Subnet => "subnet",
        })
    }
}

/// A sensor that records all packets to its dark addresses and answers none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensor {
    /// Its name: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// What surrounds it.
    pub kind: SensorKind,
    /// The prefixes it watches, each on its days.
    pub prefixes: Vec<DatedPrefix>,
    /// Live prefixes among them, cut out on their days.
    #[serde(default)]
    pub live: Vec<DatedPrefix>,
    /// IANA name of the time zone of its days.
    #[serde(default = "utc")]
    pub time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Why a sensor cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SensorFault {
    /// A name that could hurt a path, a page or a terminal.
    #[error(
        "sensor name `{0}` must be 1 to 64 letters, digits, `.`, `_` or `-`, and not begin with `.` or `-`"
    )]
    Name(String),
    /// No addresses are left.
    #[error("sensor `{0}` has no dark address on any day; give at least one prefix that is not all live")]
    NoDarkAddress(String),
    /// A prefix that ends before it begins.
    #[error("sensor `{sensor}`: prefix {prefix} begins after its last day; exchange the two dates")]
    Backwards {
        /// The sensor.
        sensor: String,
        /// The prefix.
        prefix: DatedPrefix,
    },
    /// A prefix that is given twice for the same days.
    #[error(
        "sensor `{sensor}` has the prefix {one} twice, again as {other}; give it once, or dates that do not overlap"
    )]
    Twice {
        /// The sensor.
        sensor: String,
        /// The prefix.
        one: DatedPrefix,
        /// The same prefix again.
        other: DatedPrefix,
    },
    /// A prefix that is to be changed and is not there.
    #[error("sensor `{sensor}` has no prefix {wanted}; it has: {known}")]
    NoPrefix {
        /// The sensor.
        sensor: String,
        /// The prefix, with the day on which it should be there.
        wanted: String,
        /// The prefixes of its list.
        known: String,
    },
    /// So many prefixes and dates that the spaces of all periods would take too much memory.
    #[error(
        "sensor `{0}` has more than {PREFIXES_MAX} prefixes in all periods between its dates; use fewer dates, or \
         larger prefixes"
    )]
    TooManyDates(String),
    /// A time zone that the IANA database does not have.
    #[error("sensor `{sensor}` has the unknown time zone `{zone}`; use an IANA name like Asia/Tokyo or UTC")]
    TimeZone {
        /// The sensor.
        sensor: String,
        /// Its zone, as given.
        zone: String,
    },
}

impl Sensor {
    /// What is wrong with it, if anything is.
    ///
    /// # Errors
    /// A name outside the safe alphabet, a prefix whose dates run backwards or that is given twice for a day, no dark
    /// address on any day, an unknown time zone.
    pub fn validate(&self) -> Result<(), SensorFault> {
        let safe = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let hidden = self.name.starts_with(['.', '-']);
        if self.name.is_empty() || self.name.len() > 64 || hidden || !self.name.chars().all(safe) {
            return Err(SensorFault::Name(self.name.escape_default().to_string()));
        }
        self.check_dates(&self.prefixes)?;
        self.check_dates(&self.live)?;
        let periods = change_days(&self.prefixes, &self.live).len();
        if periods > 1 && periods.saturating_mul(self.prefixes.len() + self.live.len()) > PREFIXES_MAX {
            return Err(SensorFault::TooManyDates(self.name.clone()));
        }
        if self.dark_periods().all().iter().all(|period| period.space.is_empty()) {
            return Err(SensorFault::NoDarkAddress(self.name.clone()));
        }
        self.zone().map(|_| ())
    }

    fn check_dates(&self, prefixes: &[DatedPrefix]) -> Result<(), SensorFault> {
        let mut sorted: Vec<&DatedPrefix> = prefixes.iter().collect();
        // Of one prefix by date, so that two that overlap lie side by side.
        sorted.sort_by_key(|one| (one.prefix.trunc(), one.from));
        let sensor = || self.name.clone();
        for one in &sorted {
            if one.from.zip(one.to).is_some_and(|(from, to)| from > to) {
                return Err(SensorFault::Backwards { sensor: sensor(), prefix: (*one).clone() });
            }
        }
        for pair in sorted.windows(2) {
            let [one, other] = [pair[0], pair[1]].map(DatedPrefix::clone);
            if one.prefix.trunc() == other.prefix.trunc() && one.overlaps(&other) {
                return Err(SensorFault::Twice { sensor: sensor(), one, other });
            }
        }
        Ok(())
    }

    /// Its dark addresses on a day of its time zone; none where no prefix was dark.
    #[must_use]
    pub fn space_on(&self, day: Date) -> AddressSpace {
        DarkPeriod::on(day, &self.prefixes, &self.live).space
    }

    /// The periods between the days on which its dark addresses changed.
    #[must_use]
    pub fn dark_periods(&self) -> DarkPeriods {
        DarkPeriods::of(&self.prefixes, &self.live)
    }

    /// Those of some days on which its dark addresses are not those of `other`.
    #[must_use]
    pub fn days_unlike(&self, other: &Sensor, days: &BTreeSet<Date>) -> BTreeSet<Date> {
        let (own, others) = (self.dark_periods(), other.dark_periods());
        let is_unlike = |day: &Date| {
            let (own, others) = (own.on(*day), others.on(*day));
            own.map(|period| &period.space) != others.map(|period| &period.space)
        };
        days.iter().copied().filter(is_unlike).collect()
    }

    /// The zone of its days.
    ///
    /// # Errors
    /// When the IANA database does not have it.
    pub fn zone(&self) -> Result<TimeZone, SensorFault> {
        TimeZone::get(&self.time_zone).map_err(|_| SensorFault::TimeZone {
            sensor: self.name.clone(),
            zone: self.time_zone.escape_default().to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn good() -> Sensor {
        Sensor {
            name: "sensor-I".to_owned(),
            kind: SensorKind::Mixed,
            prefixes: vec![prefix("192.0.2.0/24")],
            live: vec![],
            time_zone: "Asia/Tokyo".to_owned(),
        }
    }

    fn prefix(text: &str) -> DatedPrefix {
        DatedPrefix::from(text.parse::<ipnet::IpNet>().unwrap())
    }

    fn refused(bad: &Sensor, words: &[&str]) {
        let message = bad.validate().unwrap_err().to_string();
        for word in words {
            assert!(message.contains(word), "`{word}` in {message}");
        }
    }

    #[test]
    fn bad_sensors_are_named_with_a_remedy() {
        let good = good();
        assert_eq!(good.validate(), Ok(()));
        let check = |bad: Sensor, word: &str| refused(&bad, &[word]);
        check(Sensor { name: "../etc".to_owned(), ..good.clone() }, "letters");
        check(Sensor { name: "a\u{1b}[31m".to_owned(), ..good.clone() }, "\\u{1b}");
        check(Sensor { live: good.prefixes.clone(), ..good.clone() }, "no dark address");
        check(Sensor { prefixes: vec![], ..good.clone() }, "no dark address");
        check(Sensor { time_zone: "Tokyo".to_owned(), ..good }, "IANA");
    }

    #[test]
    fn dates_that_cannot_be_are_refused() {
        let day = |day: i8| Some(date(2009, 3, day));
        let on = |from, to| DatedPrefix { from, to, ..prefix("192.0.2.0/24") };
        let with = |prefixes: Vec<DatedPrefix>| Sensor { prefixes, ..good() };
        refused(&with(vec![on(day(2), day(1))]), &["192.0.2.0/24", "2009-03-02", "2009-03-01", "exchange"]);
        // Also where another prefix was given between, and the address is not the network's first.
        let host_bits = DatedPrefix { from: day(9), ..prefix("192.0.2.77/24") };
        for twice in [
            vec![on(None, None), prefix("198.51.100.0/24"), host_bits.clone()],
            vec![on(day(9), None), on(None, day(9))],
            vec![on(day(3), day(4)), on(day(1), day(20))],
        ] {
            refused(&with(twice), &["192.0.2", "twice", "overlap"]);
        }
        assert_eq!(with(vec![on(None, day(8)), host_bits]).validate(), Ok(()));
        // Another prefix within it is no duplicate.
        assert_eq!(with(vec![on(None, None), prefix("192.0.2.0/25")]).validate(), Ok(()));
        // Live on all days on which it is not dark anyway, and on all others.
        let live = vec![on(day(1), None)];
        let never = Sensor { live: live.clone(), prefixes: vec![on(day(5), day(9))], ..good() };
        refused(&never, &["no dark address on any day"]);
        assert_eq!(Sensor { live, ..good() }.validate(), Ok(()));
        let daily = (0..1000).map(|at| DatedPrefix {
            from: Some(date(2009, 3, 1).saturating_add(jiff::Span::new().days(at))),
            ..prefix(&format!("10.0.{}.{}/32", at / 256, at % 256))
        });
        refused(&with(daily.collect()), &["fewer dates"]);
    }

    #[test]
    fn spaces_are_those_of_the_day() {
        let first = date(2009, 3, 10);
        let before = first.yesterday().unwrap();
        let mut sensor = good();
        sensor.prefixes.push(DatedPrefix { from: Some(first), ..prefix("192.0.0.0/24") });
        let rank = |day: Date| sensor.space_on(day).rank("192.0.2.7".parse().unwrap());
        assert_eq!((rank(before), rank(first)), (Some(7), Some(256 + 7)));
        let days = BTreeSet::from([before, first]);
        assert_eq!(sensor.days_unlike(&good(), &days), BTreeSet::from([first]));
        assert_eq!(sensor.days_unlike(&sensor, &days), BTreeSet::new());
    }
}
