//! Sightings as bytes: sorted by host, only differences written, some eight bytes each.
//!
//! A *group* holds the sightings of one type and scope on one day. It begins with the type's number, the scope, the
//! number of hosts, the sums of their windows and packets and the length of what follows: a reader that wants
//! sums alone passes over the rest. All numbers are LEB128: seven bits a byte, the lowest first. Times are whole
//! seconds. A host whose windows began in several hours of the day has a part for each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::civil::Date;

use crate::event::Timestamp;

use super::leb128::{Reader, varint};
use super::{Scope, SightingCounts};

/// Packed bytes that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("packed sightings that end early or hold impossible numbers")]
pub struct Damaged;

/// A group's head, and its sightings still packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// The type, as whoever wrote it numbers types.
    pub number: u64,
    /// Of whole windows or of facets.
    pub scope: Scope,
    /// Unique hosts.
    pub hosts: u64,
    /// Windows of all of them.
    pub windows: u64,
    /// Packets of all of them.
    pub packets: u64,
    pub(super) body: &'a [u8],
}

/// The groups of packed bytes; the last one is an error where the bytes are damaged.
pub fn groups(bytes: &[u8]) -> impl Iterator<Item = Result<Group<'_>, Damaged>> {
    let mut reader = Reader(bytes);
    std::iter::from_fn(move || {
        if reader.0.is_empty() {
            return None;
        }
        let group = reader.group();
        if group.is_err() {
            reader.0 = &[];
        }
        Some(group)
    })
}

impl<'a> Group<'a> {
    /// Appends the group, under its number.
    pub fn write(&self, out: &mut Vec<u8>) {
        let scope = u64::from(self.scope == Scope::Facet);
        for value in [self.number, scope, self.hosts, self.windows, self.packets, self.body.len() as u64] {
            varint(out, value);
        }
        out.extend_from_slice(self.body);
    }

    /// The same group under another number.
    #[must_use]
    pub fn renumbered(self, number: u64) -> Group<'a> {
        Group { number, ..self }
    }

    /// The hosts of its sightings, ascending; one whose sightings are in parts comes as often.
    pub fn hosts(&self) -> impl Iterator<Item = Result<IpAddr, Damaged>> + use<'a> {
        self.entries(|reader| reader.pass(SIGHTING)).map(|entry| entry.map(|(host, ())| host))
    }

    /// Its sightings of a day, ascending by host; those of a host in parts, an hour each.
    pub fn sightings(
        &self,
        day: Date,
    ) -> impl Iterator<Item = Result<(IpAddr, SightingCounts), Damaged>> + use<'a> {
        let base = start_of(day);
        self.entries(move |reader| reader.sighting(base))
    }

    /// Hosts, each with what is read behind it.
    fn entries<T, F: FnMut(&mut Reader<'a>) -> Result<T, Damaged>>(
        self,
        mut read: F,
    ) -> impl Iterator<Item = Result<(IpAddr, T), Damaged>> + use<'a, T, F> {
        let mut reader = Reader(self.body);
        let fours = reader.number();
        let (mut at, mut met, hosts) = (0, 0, self.hosts);
        let mut host = 0u128;
        std::iter::from_fn(move || {
            if reader.0.is_empty() {
                // Other hosts than the head says is damage, told once.
                return (std::mem::replace(&mut met, hosts) != hosts).then_some(Err(Damaged));
            }
            let entry = fours.and_then(|fours| {
                let begins = at == 0 || at == fours;
                if begins {
                    host = 0;
                }
                let step = reader.varint()?;
                met += u64::from(begins || step > 0);
                host = host.checked_add(step).ok_or(Damaged)?;
                let address = match at < fours {
                    true => Ipv4Addr::from(u32::try_from(host).map_err(|_| Damaged)?).into(),
                    false => Ipv6Addr::from(host).into(),
                };
                at += 1;
                Ok((address, read(&mut reader)?))
            });
            if entry.is_err() {
                (reader.0, met) = (&[], hosts);
            }
            Some(entry)
        })
    }
}

/// The civil day's midnight in UTC: close to its sightings' times, whatever the sensor's zone.
pub(super) fn start_of(day: Date) -> i64 {
    let midnight = day.to_zoned(jiff::tz::TimeZone::UTC).map(|midnight| midnight.timestamp().as_nanosecond());
    midnight.ok().and_then(|nanoseconds| i64::try_from(nanoseconds).ok()).unwrap_or(0)
}

/// A second in nanoseconds.
pub(super) const SECOND: i64 = 1_000_000_000;

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Numbers of a sighting: windows, packets, first and last time, marks.
const SIGHTING: u32 = 5;

impl<'a> Reader<'a> {
    fn group(&mut self) -> Result<Group<'a>, Damaged> {
        let number = self.number()?;
        let kind = self.number()?;
        let [hosts, windows, packets] = [self.number()?, self.number()?, self.number()?];
        let length = usize::try_from(self.number()?).map_err(|_| Damaged)?;
        let (body, rest) = self.0.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        let scope = if kind & 1 == 1 { Scope::Facet } else { Scope::Whole };
        Ok(Group { number, scope, hosts, windows, packets, body })
    }

    fn sighting(&mut self, base: i64) -> Result<SightingCounts, Damaged> {
        let (windows, packets) = (self.number()?, self.number()?);
        let mut time = |from: i64| -> Result<i64, Damaged> {
            let nanoseconds = i128::from(unzigzag(self.number()?)) * i128::from(SECOND);
            i64::try_from(i128::from(from) + nanoseconds).map_err(|_| Damaged)
        };
        let first = time(base)?;
        let last = time(first)?;
        let marks = self.number()?;
        Ok(SightingCounts { windows, packets, first: Timestamp(first), last: Timestamp(last), marks })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::super::Day;
    use super::super::packing::GroupWriter;
    use super::*;
    use crate::event::Address;

    fn host() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|four| Ipv4Addr::from(four).into()),
            any::<u128>().prop_map(|six| Ipv6Addr::from(six).into()),
        ]
    }

    fn sighting() -> impl Strategy<Value = SightingCounts> {
        let time = || {
            prop_oneof![any::<i64>().prop_map(|time| time / SECOND), 0..1_000_000_000i64]
                .prop_map(|seconds| seconds * SECOND)
        };
        (any::<u64>(), any::<u64>(), time(), time(), any::<u64>()).prop_map(
            |(windows, packets, first, last, marks)| SightingCounts {
                windows: windows >> 8,
                packets: packets >> 8,
                first: Timestamp(first),
                last: Timestamp(last),
                marks,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_packed_reads_back(
            seen in prop::collection::btree_map(host(), sighting(), 1..40),
            number in any::<u64>(),
            facet in any::<bool>(),
        ) {
            let day = date(2009, 3, 2);
            let scope = if facet { Scope::Facet } else { Scope::Whole };
            let seen: Vec<_> = seen.into_iter().collect();
            let mut bytes = Vec::new();
            let mut writer = GroupWriter::new(Day { date: day, start: Timestamp(0) });
            let mut write = |number, seen: &[(IpAddr, SightingCounts)]| {
                let (fours, sixes) = seen.split_at(seen.partition_point(|(host, _)| host.is_ipv4()));
                fours.iter().for_each(|(host, seen)| writer.add(Address::from(*host).wide(), *seen));
                writer.end_fours();
                sixes.iter().for_each(|(host, seen)| writer.add(Address::from(*host).wide(), *seen));
                writer.end(&mut bytes, number, scope);
            };
            seen.iter().for_each(|one| write(7, std::slice::from_ref(one)));
            write(number, &seen);
            let read: Vec<_> = groups(&bytes).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(read.len(), seen.len() + 1);
            let last = read[seen.len()];
            prop_assert_eq!((last.number, last.scope, last.hosts), (number, scope, seen.len() as u64));
            prop_assert_eq!(last.windows, seen.iter().map(|(_, seen)| seen.windows).sum::<u64>());
            prop_assert!(last.hosts().map(Result::unwrap).eq(seen.iter().map(|(host, _)| *host)));
            prop_assert_eq!(last.sightings(day).collect::<Result<Vec<_>, _>>().unwrap(), seen);
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for group in groups(&bytes).flatten() {
                let read = group.sightings(date(2009, 3, 2)).count();
                prop_assert!(read.max(group.hosts().count()) <= bytes.len() + 1);
            }
        }
    }
}
