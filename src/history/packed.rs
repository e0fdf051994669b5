//! Sightings as bytes: sorted by host, only differences written, some eight bytes each.
//!
//! A *group* holds the sightings of one type and scope on one day. It begins with the type's number, the scope, the
//! number of hosts, the sums of their windows and packets and the length of what follows: a reader that wants
//! sums alone passes over the rest. All numbers are LEB128: seven bits a byte, the lowest first. Times are whole
//! seconds. A host whose windows began in several hours of the day has a part for each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::civil::Date;

use crate::event::Timestamp;

use super::leb128::{Reader, varint, wide};
use super::{Day, Scope, Sighting};

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
    body: &'a [u8],
}

/// Sightings of one day that wait to be packed, in any order.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    /// Of IPv4 hosts: the group, then the host, in one number.
    fours: Vec<(u64, Sighting)>,
    /// Of IPv6 hosts.
    sixes: Vec<((u32, u128), Sighting)>,
}

impl Waiting {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fours.len() + self.sixes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a sighting of a type that has this number, below 2^31.
    pub fn push(&mut self, number: u32, scope: Scope, host: IpAddr, seen: Sighting) {
        let group = number << 1 | u32::from(scope == Scope::Facet);
        match host {
            IpAddr::V4(four) => {
                self.fours.push((u64::from(group) << 32 | u64::from(u32::from(four)), seen));
            }
            IpAddr::V6(six) => self.sixes.push(((group, six.into()), seen)),
        }
    }

    /// Packs all, group by group, and leaves none.
    pub fn pack(&mut self, day: Day) -> Vec<u8> {
        // Numbers are sorted, and not what belongs to them, which is several times as large.
        let mut order: Vec<(u64, usize)> = (0..).zip(&self.fours).map(|(at, (key, _))| (*key, at)).collect();
        order.sort_unstable();
        self.sixes.sort_unstable_by_key(|(key, _)| *key);
        let mut fours = order.iter().map(|(key, at)| (*key, self.fours[*at].1)).peekable();
        let mut sixes = self.sixes.iter().peekable();
        let mut out = Vec::with_capacity(self.len() * 16);
        let (mut body, mut hosts) = (Vec::new(), Vec::new());
        loop {
            let next = [
                fours.peek().map(|(key, _)| key >> 32),
                sixes.peek().map(|((group, _), _)| u64::from(*group)),
            ];
            let Some(group) = next.into_iter().flatten().min() else { break };
            hosts.clear();
            while let Some((key, seen)) = fours.next_if(|(key, _)| key >> 32 == group) {
                note(&mut hosts, Ipv4Addr::from_bits(low_half(key)).into(), seen, day);
            }
            while let Some(((_, host), seen)) = sixes.next_if(|((of, _), _)| u64::from(*of) == group) {
                note(&mut hosts, Ipv6Addr::from_bits(*host).into(), *seen, day);
            }
            let scope = if group & 1 == 1 { Scope::Facet } else { Scope::Whole };
            write_group(&mut out, group >> 1, scope, day.date, &hosts, &mut body);
        }
        self.fours.clear();
        self.sixes.clear();
        out.shrink_to_fit();
        out
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn low_half(number: u64) -> u32 {
    number as u32
}

/// Adds a sighting to those of a group; hosts come in order, the hours of a host as they like.
fn note(hosts: &mut Vec<(IpAddr, Sighting)>, host: IpAddr, seen: Sighting, day: Day) {
    let parts = hosts.iter().rev().take_while(|(known, _)| *known == host).count();
    let first = hosts.len() - parts;
    let hour = day.hour(seen.first);
    match hosts[first..].binary_search_by_key(&hour, |(_, part)| day.hour(part.first)) {
        Ok(at) => hosts[first + at].1 = hosts[first + at].1.merged(seen),
        Err(at) => hosts.insert(first + at, (host, seen)),
    }
}

/// Appends a group; `sightings` are of one day, ascending by host and time.
fn write_group(
    out: &mut Vec<u8>,
    number: u64,
    scope: Scope,
    day: Date,
    sightings: &[(IpAddr, Sighting)],
    body: &mut Vec<u8>,
) {
    body.clear();
    let mut writer = BodyWriter { out: body, base: start_of(day), before: 0 };
    let fours = sightings.partition_point(|(host, _)| host.is_ipv4());
    varint(writer.out, fours as u64);
    for (at, (host, seen)) in sightings.iter().enumerate() {
        if at == fours {
            writer.before = 0;
        }
        writer.sighting(*host, seen);
    }
    let group = Group {
        number,
        scope,
        hosts: sightings.chunk_by(|a, b| a.0 == b.0).count() as u64,
        windows: sightings.iter().map(|(_, seen)| seen.windows).sum(),
        packets: sightings.iter().map(|(_, seen)| seen.packets).sum(),
        body,
    };
    group.write(out);
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

    /// Its sightings of a day, ascending by host; those of a host in parts, an hour each.
    pub fn sightings(
        &self,
        day: Date,
    ) -> impl Iterator<Item = Result<(IpAddr, Sighting), Damaged>> + use<'a> {
        let mut reader = Reader(self.body);
        let fours = reader.number();
        let base = start_of(day);
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
                Ok((address, reader.sighting(base)?))
            });
            if entry.is_err() {
                (reader.0, met) = (&[], hosts);
            }
            Some(entry)
        })
    }
}

/// The civil day's midnight in UTC: close to its sightings' times, whatever the sensor's zone.
fn start_of(day: Date) -> i64 {
    let midnight = day.to_zoned(jiff::tz::TimeZone::UTC).map(|midnight| midnight.timestamp().as_nanosecond());
    midnight.ok().and_then(|nanoseconds| i64::try_from(nanoseconds).ok()).unwrap_or(0)
}

/// A second in nanoseconds.
const SECOND: i64 = 1_000_000_000;

fn host_number(host: IpAddr) -> u128 {
    match host {
        IpAddr::V4(four) => u128::from(u32::from(four)),
        IpAddr::V6(six) => u128::from(six),
    }
}

struct BodyWriter<'a> {
    out: &'a mut Vec<u8>,
    base: i64,
    before: u128,
}

impl BodyWriter<'_> {
    fn sighting(&mut self, host: IpAddr, seen: &Sighting) {
        let host = host_number(host);
        wide(self.out, host.wrapping_sub(self.before));
        self.before = host;
        varint(self.out, seen.windows);
        varint(self.out, seen.packets);
        self.ticks(self.base, seen.first.0);
        self.ticks(seen.first.0, seen.last.0);
        varint(self.out, seen.marks);
    }

    fn ticks(&mut self, from: i64, to: i64) {
        match to.checked_sub(from) {
            Some(nanoseconds) => {
                let ticks = nanoseconds / SECOND;
                varint(self.out, (ticks << 1 ^ ticks >> 63).cast_unsigned());
            }
            // The ends of time are further apart than 64 bits tell.
            None => {
                let ticks = (i128::from(to) - i128::from(from)) / i128::from(SECOND);
                wide(self.out, (ticks << 1 ^ ticks >> 127).cast_unsigned());
            }
        }
    }
}

fn unzigzag(value: u128) -> i128 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

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

    fn sighting(&mut self, base: i64) -> Result<Sighting, Damaged> {
        let (windows, packets) = (self.number()?, self.number()?);
        let mut time = |from: i64| -> Result<i64, Damaged> {
            let ticks = unzigzag(self.varint()?).checked_mul(i128::from(SECOND)).ok_or(Damaged)?;
            i64::try_from(i128::from(from).checked_add(ticks).ok_or(Damaged)?).map_err(|_| Damaged)
        };
        let first = time(base)?;
        let last = time(first)?;
        let marks = self.number()?;
        Ok(Sighting { windows, packets, first: Timestamp(first), last: Timestamp(last), marks })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn host() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|four| Ipv4Addr::from(four).into()),
            any::<u128>().prop_map(|six| Ipv6Addr::from(six).into()),
        ]
    }

    fn sighting() -> impl Strategy<Value = Sighting> {
        let time = || {
            prop_oneof![any::<i64>().prop_map(|time| time / SECOND), 0..1_000_000_000i64]
                .prop_map(|seconds| seconds * SECOND)
        };
        (any::<u64>(), any::<u64>(), time(), time(), any::<u64>()).prop_map(
            |(windows, packets, first, last, marks)| Sighting {
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
            let (mut bytes, mut body) = (Vec::new(), Vec::new());
            for (host, sighting) in &seen {
                write_group(&mut bytes, 7, scope, day, &[(*host, *sighting)], &mut body);
            }
            write_group(&mut bytes, number, scope, day, &seen, &mut body);
            let read: Vec<_> = groups(&bytes).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(read.len(), seen.len() + 1);
            let last = read[seen.len()];
            prop_assert_eq!((last.number, last.scope, last.hosts), (number, scope, seen.len() as u64));
            prop_assert_eq!(last.windows, seen.iter().map(|(_, seen)| seen.windows).sum::<u64>());
            prop_assert_eq!(last.sightings(day).collect::<Result<Vec<_>, _>>().unwrap(), seen);
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for group in groups(&bytes).flatten() {
                let read = group.sightings(date(2009, 3, 2)).count();
                prop_assert!(read <= bytes.len() + 1);
            }
        }
    }
}
