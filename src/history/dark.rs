//! Prefixes with dates, and the periods in which a sensor's dark addresses stayed the same.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use jiff::civil::Date;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::AddressSpace;

/// A prefix, and the days on which it was dark (or, among a sensor's live prefixes, live). Both ends are included and
/// are days of the sensor's own time zone; without an end it holds for all days on that side.
///
/// In YAML and JSON it is the prefix alone where it has no dates, and else a mapping of `prefix`, `from` and `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatedPrefix {
    /// The prefix.
    pub prefix: IpNet,
    /// Its first day.
    pub from: Option<Date>,
    /// Its last day.
    pub to: Option<Date>,
}

impl DatedPrefix {
    /// Whether it holds on a day.
    #[must_use]
    pub fn is_valid_on(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }

    /// Whether there is a day on which both hold.
    #[must_use]
    pub fn overlaps(&self, other: &DatedPrefix) -> bool {
        let begins_before_end = |one: &DatedPrefix, other: &DatedPrefix| {
            one.from.zip(other.to).is_none_or(|(from, to)| from <= to)
        };
        begins_before_end(self, other) && begins_before_end(other, self)
    }
}

impl From<IpNet> for DatedPrefix {
    fn from(prefix: IpNet) -> DatedPrefix {
        DatedPrefix { prefix, from: None, to: None }
    }
}

/// A prefix without dates.
impl FromStr for DatedPrefix {
    type Err = ipnet::AddrParseError;

    fn from_str(text: &str) -> Result<DatedPrefix, ipnet::AddrParseError> {
        text.parse::<IpNet>().map(DatedPrefix::from)
    }
}

/// `203.0.113.0/24`, with its dates where it has some: `203.0.113.0/24 (from 2009-03-01 to 2009-04-30)`.
impl fmt::Display for DatedPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.prefix.fmt(f)?;
        match (self.from, self.to) {
            (None, None) => Ok(()),
            (Some(from), None) => write!(f, " (from {from})"),
            (None, Some(to)) => write!(f, " (to {to})"),
            (Some(from), Some(to)) => write!(f, " (from {from} to {to})"),
        }
    }
}

impl Serialize for DatedPrefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let DatedPrefix { prefix, from, to } = self;
        if from.is_none() && to.is_none() {
            return prefix.serialize(serializer);
        }
        let fields = 1 + usize::from(from.is_some()) + usize::from(to.is_some());
        let mut long = serializer.serialize_struct("DatedPrefix", fields)?;
        long.serialize_field("prefix", prefix)?;
        for (key, date) in [("from", from), ("to", to)] {
            match date {
                Some(date) => long.serialize_field(key, date)?,
                None => long.skip_field(key)?,
            }
        }
        long.end()
    }
}

/// The form with dates.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    prefix: IpNet,
    #[serde(default)]
    from: Option<Date>,
    #[serde(default)]
    to: Option<Date>,
}

impl<'de> Deserialize<'de> for DatedPrefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DatedPrefix, D::Error> {
        // An untagged enum would hide what is wrong with a date or a key.
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = DatedPrefix;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a prefix like 203.0.113.0/24, or a mapping of prefix, from and to")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DatedPrefix, E> {
                text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DatedPrefix, A::Error> {
                let Long { prefix, from, to } = Long::deserialize(MapAccessDeserializer::new(map))?;
                Ok(DatedPrefix { prefix, from, to })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Days on which a sensor's dark addresses stayed the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DarkPeriod {
    /// Its first day; [`Date::MIN`] where it has no beginning.
    pub first: Date,
    /// Its last day; [`Date::MAX`] where it has no end.
    pub last: Date,
    /// The dark prefixes, with their live holes.
    pub prefixes: Vec<IpNet>,
    /// The dark addresses; empty where no prefix was dark.
    pub space: AddressSpace,
}

impl DarkPeriod {
    /// The prefixes of a sensor that hold on a day, as a period of that day alone.
    pub(super) fn on(day: Date, prefixes: &[DatedPrefix], live: &[DatedPrefix]) -> DarkPeriod {
        let valid = |all: &[DatedPrefix]| -> Vec<IpNet> {
            all.iter().filter(|one| one.is_valid_on(day)).map(|one| one.prefix).collect()
        };
        let (prefixes, live) = (valid(prefixes), valid(live));
        let space = match prefixes.is_empty() {
            true => AddressSpace::none(),
            false => AddressSpace::new(&prefixes, &live),
        };
        DarkPeriod { first: day, last: day, prefixes, space }
    }

    /// Whether a day is one of its days.
    #[must_use]
    pub fn contains(&self, day: Date) -> bool {
        self.first <= day && day <= self.last
    }
}

/// The periods of a sensor, ascending, without a gap from [`Date::MIN`] to [`Date::MAX`]; neighbours differ in their
/// dark addresses. A sensor without dates has one. Memory: 60 bytes a range of addresses and period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DarkPeriods(Vec<DarkPeriod>);

impl DarkPeriods {
    /// The periods of some prefixes without the live ones.
    pub(super) fn of(prefixes: &[DatedPrefix], live: &[DatedPrefix]) -> DarkPeriods {
        let mut periods: Vec<DarkPeriod> = Vec::new();
        for first in change_days(prefixes, live) {
            let next = DarkPeriod { last: Date::MAX, ..DarkPeriod::on(first, prefixes, live) };
            match periods.last_mut() {
                // The prefix that ends may be a part of another one.
                Some(known) if known.space == next.space && known.prefixes == next.prefixes => {}
                Some(known) => {
                    known.last = first.yesterday().unwrap_or(first);
                    periods.push(next);
                }
                None => periods.push(next),
            }
        }
        DarkPeriods(periods)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[DarkPeriod] {
        &self.0
    }

    /// The place of the period that a day belongs to.
    #[must_use]
    pub fn place(&self, day: Date) -> usize {
        self.0.partition_point(|period| period.last < day)
    }

    /// The period that a day belongs to; `None` never, since they cover all days.
    #[must_use]
    pub fn on(&self, day: Date) -> Option<&DarkPeriod> {
        self.0.get(self.place(day))
    }

    /// Whether any address was dark on a day.
    #[must_use]
    pub fn is_dark_on(&self, day: Date) -> bool {
        self.on(day).is_some_and(|period| !period.space.is_empty())
    }
}

/// The days on which a prefix begins, or is the first day behind one that has ended; and the first day of all.
pub(super) fn change_days(prefixes: &[DatedPrefix], live: &[DatedPrefix]) -> BTreeSet<Date> {
    let mut days = BTreeSet::from([Date::MIN]);
    for DatedPrefix { from, to, .. } in prefixes.iter().chain(live) {
        days.extend(*from);
        days.extend(to.and_then(|to| to.tomorrow().ok()));
    }
    days
}

/// Days in words, at most five stretches of them: `2009-03-01 to 2009-03-04, 2009-03-07`.
#[must_use]
pub fn days_in_words(days: &BTreeSet<Date>) -> String {
    const STRETCHES_MAX: usize = 5;
    let mut stretches: Vec<(Date, Date)> = Vec::new();
    for day in days {
        match stretches.last_mut() {
            Some((_, last)) if last.tomorrow().is_ok_and(|next| next == *day) => *last = *day,
            _ => stretches.push((*day, *day)),
        }
    }
    let shown = stretches.iter().take(STRETCHES_MAX).map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first} to {last}"),
    });
    let mut words = shown.collect::<Vec<_>>().join(", ");
    if let (Some((first, _)), Some((_, last))) = (stretches.get(STRETCHES_MAX), stretches.last()) {
        words += &format!(", and others from {first} to {last}");
    }
    words
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn dated(prefix: &str, from: Option<Date>, to: Option<Date>) -> DatedPrefix {
        DatedPrefix { prefix: prefix.parse().unwrap(), from, to }
    }

    #[test]
    fn periods_change_where_dark_addresses_do() {
        let [march, april, may] = [3, 4, 5].map(|month| date(2009, month, 1));
        let prefixes = [
            dated("192.0.2.0/24", None, Some(march.yesterday().unwrap())),
            // Dark all the time, although in two entries.
            dated("198.51.100.0/24", Some(march), Some(april.yesterday().unwrap())),
            dated("198.51.100.0/24", Some(april), Some(may)),
        ];
        let live = [dated("198.51.100.0/25", Some(may), None)];
        let periods = DarkPeriods::of(&prefixes, &live);
        let found: Vec<_> = periods
            .all()
            .iter()
            .map(|period| (period.first, period.last, period.space.ipv4_size()))
            .collect();
        let day_before = |day: Date| day.yesterday().unwrap();
        assert_eq!(
            found,
            [
                (Date::MIN, day_before(march), 256),
                (march, day_before(may), 256),
                (may, may, 128),
                (may.tomorrow().unwrap(), Date::MAX, 0),
            ]
        );
        assert!(periods.is_dark_on(may) && !periods.is_dark_on(may.tomorrow().unwrap()));
        assert_eq!(periods.on(april).unwrap().prefixes, ["198.51.100.0/24".parse().unwrap()]);
    }

    #[test]
    fn live_prefixes_may_leave_nothing_dark() {
        let day = date(2009, 3, 1);
        let all = [dated("192.0.2.0/24", None, None)];
        let live = [dated("192.0.0.0/16", Some(day), Some(day))];
        let periods = DarkPeriods::of(&all, &live);
        let dark: Vec<bool> = periods.all().iter().map(|period| !period.space.is_empty()).collect();
        assert_eq!(dark, [true, false, true]);
    }

    #[test]
    fn both_forms_are_read_and_the_shortest_is_written() {
        let check = |json: &str| {
            let prefix: DatedPrefix = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&prefix).unwrap(), json);
            prefix
        };
        check(r#""203.0.113.0/24""#);
        let long = check(r#"{"prefix":"203.0.113.0/24","from":"2009-03-01","to":"2009-04-30"}"#);
        assert_eq!(long, dated("203.0.113.0/24", Some(date(2009, 3, 1)), Some(date(2009, 4, 30))));
        check(r#"{"prefix":"2001:db8::/64","to":"2009-04-30"}"#);
        let read = |yaml: &str| serde_yaml::from_str::<DatedPrefix>(yaml);
        assert_eq!(read("{prefix: 203.0.113.0/24, from: 2009-03-01, to: 2009-04-30}").unwrap(), long);
        assert_eq!(read("203.0.113.0/24").unwrap(), dated("203.0.113.0/24", None, None));
        let refused = |yaml: &str, word: &str| {
            let message = read(yaml).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        };
        refused("203.0.113.0/33", "203.0.113.0/33");
        refused("{prefix: 203.0.113.0/24, until: 2009-03-01}", "until");
        refused("{prefix: 203.0.113.0/24, from: 2009-02-30}", "from");
        refused("{from: 2009-03-01}", "prefix");
        refused("[203.0.113.0/24]", "a prefix like");
    }

    #[test]
    fn days_are_worded_as_stretches() {
        let days = |days: &[i8]| days_in_words(&days.iter().map(|day| date(2009, 3, *day)).collect());
        assert_eq!(days(&[1, 2, 3, 7]), "2009-03-01 to 2009-03-03, 2009-03-07");
        assert!(
            days(&[1, 3, 5, 7, 9, 11, 13]).ends_with("2009-03-09, and others from 2009-03-11 to 2009-03-13")
        );
    }
}
