//! Sensors: the addresses that a darknet watches and the time zone of its days.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::packet::AddressSpace;

use super::dark_periods::change_days;
use super::{DarkPeriod, DarkPeriods, DatedPrefix};

/// Maximum number of prefixes summed over all periods of a sensor. Their address spaces take 16 MB.
const PREFIXES_MAX: usize = 1 << 18;

/// The surroundings of a sensor's dark addresses (nicter report, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SensorKind {
    /// A network in which live and dark addresses mix (the report's sensor I).
    Mixed,
    /// A network that is entirely dark (sensor II).
    Dark,
    /// A dark subnet of a network that is otherwise live (sensor III).
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

/// A black-hole sensor: it records all packets to its dark addresses and answers none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensor {
    /// The name: 1 to 64 letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// The surroundings of its dark addresses.
    pub kind: SensorKind,
    /// The watched prefixes, with validity dates.
    pub prefixes: Vec<DatedPrefix>,
    /// Live prefixes with validity dates. Their addresses are excluded from `prefixes`.
    #[serde(default)]
    pub live: Vec<DatedPrefix>,
    /// IANA name of the time zone of its days; UTC by default.
    #[serde(default = "utc")]
    pub time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// A reason why the settings of a sensor are rejected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SensorFault {
    /// The name could be harmful in a path, a page or a terminal.
    #[error(
        "sensor name `{0}` must be 1 to 64 letters, digits, `.`, `_` or `-`, and not begin with `.` or `-`"
    )]
    Name(String),
    /// No address is dark on any day.
    #[error("sensor `{0}` has no dark address on any day; give at least one prefix that is not all live")]
    NoDarkAddress(String),
    /// A prefix ends before it begins.
    #[error("sensor `{sensor}`: prefix {prefix} begins after its last day; exchange the two dates")]
    DatesReversed {
        /// The name of the sensor.
        sensor: String,
        /// The prefix.
        prefix: DatedPrefix,
    },
    /// A prefix is listed twice for the same days.
    #[error(
        "sensor `{sensor}` has the prefix {one} twice, again as {other}; give it once, or dates that do not overlap"
    )]
    DuplicatePrefix {
        /// The name of the sensor.
        sensor: String,
        /// The first entry of the prefix.
        one: DatedPrefix,
        /// The second entry of the prefix.
        other: DatedPrefix,
    },
    /// A prefix to be removed or ended is not listed.
    #[error("sensor `{sensor}` has no prefix {wanted}; it has: {known}")]
    UnknownPrefix {
        /// The name of the sensor.
        sensor: String,
        /// The missing prefix, with the day on which it should be valid if it is to be ended.
        wanted: String,
        /// The prefixes that are listed.
        known: String,
    },
    /// There are so many prefixes and dates that the address spaces of all periods would take too much
    /// memory.
    #[error(
        "sensor `{0}` has more than {PREFIXES_MAX} prefixes in all periods between its dates; use fewer dates, or \
         larger prefixes"
    )]
    TooManyDates(String),
    /// The time zone is not in the IANA database.
    #[error("sensor `{sensor}` has the unknown time zone `{zone}`; use an IANA name like Asia/Tokyo or UTC")]
    TimeZone {
        /// The name of the sensor.
        sensor: String,
        /// The time zone as given.
        zone: String,
    },
}

impl Sensor {
    /// Checks the settings.
    ///
    /// # Errors
    /// Returns the first fault: an unsafe name, a prefix whose dates run backwards, a prefix that is listed
    /// twice for a day, too many prefixes and dates, no dark address on any day, or an unknown time zone.
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
        // Entries of one prefix are sorted by date, so that two that overlap are neighbors.
        sorted.sort_by_key(|one| (one.prefix.trunc(), one.from));
        let sensor = || self.name.clone();
        for one in &sorted {
            if one.from.zip(one.to).is_some_and(|(from, to)| from > to) {
                return Err(SensorFault::DatesReversed { sensor: sensor(), prefix: (*one).clone() });
            }
        }
        for pair in sorted.windows(2) {
            let [one, other] = [pair[0], pair[1]].map(DatedPrefix::clone);
            if one.prefix.trunc() == other.prefix.trunc() && one.overlaps(&other) {
                return Err(SensorFault::DuplicatePrefix { sensor: sensor(), one, other });
            }
        }
        Ok(())
    }

    /// Returns the dark addresses on a day of the sensor's time zone; empty if no prefix is dark.
    #[must_use]
    pub fn space_on(&self, day: Date) -> AddressSpace {
        DarkPeriod::for_day(day, &self.prefixes, &self.live).space
    }

    /// Returns the periods in which the dark addresses do not change.
    #[must_use]
    pub fn dark_periods(&self) -> DarkPeriods {
        DarkPeriods::from_prefixes(&self.prefixes, &self.live)
    }

    /// Returns those of `days` on which the dark addresses differ from those of `other`.
    #[must_use]
    pub fn days_unlike(&self, other: &Sensor, days: &BTreeSet<Date>) -> BTreeSet<Date> {
        let (own, others) = (self.dark_periods(), other.dark_periods());
        let is_unlike = |day: &Date| {
            let (own, others) = (own.period_on(*day), others.period_on(*day));
            own.map(|period| &period.space) != others.map(|period| &period.space)
        };
        days.iter().copied().filter(is_unlike).collect()
    }

    /// Returns the time zone of the sensor's days.
    ///
    /// # Errors
    /// Fails when the IANA database does not have the time zone.
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
        // Also refused if another prefix lies between the two entries, or one of them has host bits.
        let host_bits = DatedPrefix { from: day(9), ..prefix("192.0.2.77/24") };
        for twice in [
            vec![on(None, None), prefix("198.51.100.0/24"), host_bits.clone()],
            vec![on(day(9), None), on(None, day(9))],
            vec![on(day(3), day(4)), on(day(1), day(20))],
        ] {
            refused(&with(twice), &["192.0.2", "twice", "overlap"]);
        }
        assert_eq!(with(vec![on(None, day(8)), host_bits]).validate(), Ok(()));
        // A longer prefix within it is not a duplicate.
        assert_eq!(with(vec![on(None, None), prefix("192.0.2.0/25")]).validate(), Ok(()));
        // The prefix is live on all days on which it would be dark (refused), then on some of them
        // (accepted).
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
