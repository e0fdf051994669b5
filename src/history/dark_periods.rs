//! Prefixes with validity dates, and the periods in which a sensor's dark addresses do not change.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use jiff::civil::Date;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::packet::AddressSpace;

/// A prefix and the days on which it is valid: dark, or live where it stands in a sensor's list of live
/// prefixes. The dates are days of the sensor's time zone, both ends included. A missing date leaves that
/// side unbounded.
///
/// In YAML and JSON it is written as the bare prefix if it has no dates, and otherwise as a mapping of
/// `prefix`, `from` and `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatedPrefix {
    /// The prefix.
    pub prefix: IpNet,
    /// The first valid day; `None` if unbounded.
    pub from: Option<Date>,
    /// The last valid day; `None` if unbounded.
    pub to: Option<Date>,
}

impl DatedPrefix {
    /// Returns whether the prefix is valid on a day.
    #[must_use]
    pub fn is_valid_on(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }

    /// Returns whether the validity dates of both entries share a day, whatever their prefixes.
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

/// Parses a bare prefix, without dates.
impl FromStr for DatedPrefix {
    type Err = ipnet::AddrParseError;

    fn from_str(text: &str) -> Result<DatedPrefix, ipnet::AddrParseError> {
        text.parse::<IpNet>().map(DatedPrefix::from)
    }
}

/// Writes the prefix, followed by its dates if it has any: `203.0.113.0/24 (from 2009-03-01 to 2009-04-30)`.
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

/// The written form with dates.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PrefixMapping {
    prefix: IpNet,
    #[serde(default)]
    from: Option<Date>,
    #[serde(default)]
    to: Option<Date>,
}

impl<'de> Deserialize<'de> for DatedPrefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DatedPrefix, D::Error> {
        // An untagged enum would not report which date or key is wrong.
        struct PrefixVisitor;
        impl<'de> Visitor<'de> for PrefixVisitor {
            type Value = DatedPrefix;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a prefix like 203.0.113.0/24, or a mapping of prefix, from and to")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DatedPrefix, E> {
                text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DatedPrefix, A::Error> {
                let PrefixMapping { prefix, from, to } =
                    PrefixMapping::deserialize(MapAccessDeserializer::new(map))?;
                Ok(DatedPrefix { prefix, from, to })
            }
        }
        deserializer.deserialize_any(PrefixVisitor)
    }
}

/// A range of days on which a sensor's dark addresses do not change, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DarkPeriod {
    /// The first day; [`Date::MIN`] if the period has no beginning.
    pub first: Date,
    /// The last day; [`Date::MAX`] if the period has no end.
    pub last: Date,
    /// The valid dark prefixes. Live addresses within them are not subtracted.
    pub prefixes: Vec<IpNet>,
    /// The dark addresses, without the live ones; empty if no prefix is valid.
    pub space: AddressSpace,
}

impl DarkPeriod {
    /// Returns the one-day period of `day`: the prefixes that are valid on it and their dark addresses.
    pub(super) fn for_day(day: Date, prefixes: &[DatedPrefix], live: &[DatedPrefix]) -> DarkPeriod {
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

    /// Returns whether the period includes a day.
    #[must_use]
    pub fn contains(&self, day: Date) -> bool {
        self.first <= day && day <= self.last
    }
}

/// The periods of a sensor, ascending. They cover all days from [`Date::MIN`] to [`Date::MAX`] without a gap,
/// and neighboring periods differ in their prefixes or dark addresses. A sensor without dates has one period.
/// Memory: 60 bytes per address range and period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DarkPeriods(Vec<DarkPeriod>);

impl DarkPeriods {
    /// Computes the periods of dark prefixes from which live prefixes are subtracted.
    pub(super) fn from_prefixes(prefixes: &[DatedPrefix], live: &[DatedPrefix]) -> DarkPeriods {
        let mut periods: Vec<DarkPeriod> = Vec::new();
        for first in change_days(prefixes, live) {
            let next = DarkPeriod { last: Date::MAX, ..DarkPeriod::for_day(first, prefixes, live) };
            match periods.last_mut() {
                // A prefix that begins or ends may lie within another one, so that nothing changes.
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

    /// Returns all periods, ascending.
    #[must_use]
    pub fn all(&self) -> &[DarkPeriod] {
        &self.0
    }

    /// Returns the index of the period that includes a day.
    #[must_use]
    pub fn index_on(&self, day: Date) -> usize {
        self.0.partition_point(|period| period.last < day)
    }

    /// Returns the period that includes a day. It always exists, since the periods cover all days.
    #[must_use]
    pub fn period_on(&self, day: Date) -> Option<&DarkPeriod> {
        self.0.get(self.index_on(day))
    }

    /// Returns whether any address is dark on a day.
    #[must_use]
    pub fn is_dark_on(&self, day: Date) -> bool {
        self.period_on(day).is_some_and(|period| !period.space.is_empty())
    }
}

/// Returns the days on which the set of valid prefixes may change: [`Date::MIN`], the first day of each
/// prefix, and the day after the last day of each prefix.
pub(super) fn change_days(prefixes: &[DatedPrefix], live: &[DatedPrefix]) -> BTreeSet<Date> {
    let mut days = BTreeSet::from([Date::MIN]);
    for DatedPrefix { from, to, .. } in prefixes.iter().chain(live) {
        days.extend(*from);
        days.extend(to.and_then(|to| to.tomorrow().ok()));
    }
    days
}

/// Writes days as ranges, at most five of them: `2009-03-01 to 2009-03-04, 2009-03-07`. Further ranges are
/// summarized as one.
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
            // Dark without interruption, although in two entries.
            dated("198.51.100.0/24", Some(march), Some(april.yesterday().unwrap())),
            dated("198.51.100.0/24", Some(april), Some(may)),
        ];
        let live = [dated("198.51.100.0/25", Some(may), None)];
        let periods = DarkPeriods::from_prefixes(&prefixes, &live);
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
        assert_eq!(periods.period_on(april).unwrap().prefixes, ["198.51.100.0/24".parse().unwrap()]);
    }

    #[test]
    fn live_prefixes_may_leave_nothing_dark() {
        let day = date(2009, 3, 1);
        let all = [dated("192.0.2.0/24", None, None)];
        let live = [dated("192.0.0.0/16", Some(day), Some(day))];
        let periods = DarkPeriods::from_prefixes(&all, &live);
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
