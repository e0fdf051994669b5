//! From sightings, as they come, to [packed](super::packed) bytes.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::leb128::{varint, wide};
use super::packed::{Group, SECOND, start_of};
use super::{Day, Scope, SightingCounts, digits};

/// Sightings of one day that wait to be packed, in any order.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    /// Of IPv4 hosts: the group, then the host, in one number.
    fours: Vec<(u64, SightingCounts)>,
    /// Of IPv6 hosts.
    sixes: Vec<((u32, u128), SightingCounts)>,
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
    pub fn push(&mut self, number: u32, scope: Scope, host: IpAddr, seen: SightingCounts) {
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
        digits::sort_by(&mut order, |(key, _)| *key);
        self.sixes.sort_unstable_by_key(|(key, _)| *key);
        let mut fours = order.chunks(AT_ONCE).flat_map(|some| fetched(&self.fours, some)).peekable();
        let mut sixes = self.sixes.iter().peekable();
        let mut out = Vec::with_capacity(self.len() * 16);
        let mut writer = GroupWriter::new(day);
        loop {
            let next = [
                fours.peek().map(|(key, _)| key >> 32),
                sixes.peek().map(|((group, _), _)| u64::from(*group)),
            ];
            let Some(group) = next.into_iter().flatten().min() else { break };
            while let Some((key, seen)) = fours.next_if(|(key, _)| key >> 32 == group) {
                writer.add(low_half(key).into(), seen);
            }
            writer.end_fours();
            while let Some(((_, host), seen)) = sixes.next_if(|((of, _), _)| u64::from(*of) == group) {
                writer.add(*host, *seen);
            }
            let scope = if group & 1 == 1 { Scope::Facet } else { Scope::Whole };
            writer.end(&mut out, group >> 1, scope);
        }
        self.fours.clear();
        self.sixes.clear();
        out.shrink_to_fit();
        out
    }
}

/// Sightings that are fetched at once.
const AT_ONCE: usize = 32;

/// Sightings in their order. They lie all over memory that is larger than the processor's cache: it waits for all of them
/// together, and not for each when it is written.
fn fetched(
    sightings: &[(u64, SightingCounts)],
    order: &[(u64, usize)],
) -> SmallVec<[(u64, SightingCounts); AT_ONCE]> {
    order.iter().map(|(_, at)| sightings[*at]).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn low_half(number: u64) -> u32 {
    number as u32
}

/// Writes groups, one after the other, out of sightings that come by host, IPv4 hosts first.
pub(super) struct GroupWriter {
    day: Day,
    base: i64,
    /// The sightings written of the group at hand, and how many of them are of IPv4 hosts.
    body: Vec<u8>,
    fours: u64,
    written: u64,
    /// The host at hand by its number, the one before it, and its sightings, one an hour, ascending.
    host: u128,
    before: u128,
    parts: Vec<SightingCounts>,
    /// The group's sums.
    hosts: u64,
    windows: u64,
    packets: u64,
    whole: Vec<u8>,
}

impl GroupWriter {
    pub(super) fn new(day: Day) -> GroupWriter {
        GroupWriter {
            day,
            base: start_of(day.date),
            body: Vec::new(),
            fours: 0,
            written: 0,
            host: 0,
            before: 0,
            parts: Vec::new(),
            hosts: 0,
            windows: 0,
            packets: 0,
            whole: Vec::new(),
        }
    }

    /// Takes a sighting; hosts come ascending, the hours of a host as they like.
    pub(super) fn add(&mut self, host: u128, seen: SightingCounts) {
        if host != self.host {
            self.end_host();
            self.host = host;
        }
        // Nearly all hosts have one sighting.
        if self.parts.is_empty() {
            self.parts.push(seen);
            return;
        }
        let hour = self.day.hour(seen.first);
        match self.parts.binary_search_by_key(&hour, |part| self.day.hour(part.first)) {
            Ok(at) => self.parts[at] = self.parts[at].merged(seen),
            Err(at) => self.parts.insert(at, seen),
        }
    }

    fn end_host(&mut self) {
        self.hosts += u64::from(!self.parts.is_empty());
        for seen in self.parts.drain(..) {
            self.windows += seen.windows;
            self.packets += seen.packets;
            self.written += 1;
            wide(&mut self.body, self.host.wrapping_sub(self.before));
            self.before = self.host;
            varint(&mut self.body, seen.windows);
            varint(&mut self.body, seen.packets);
            ticks(&mut self.body, self.base, seen.first.0);
            ticks(&mut self.body, seen.first.0, seen.last.0);
            varint(&mut self.body, seen.marks);
        }
    }

    /// No more IPv4 hosts come to this group.
    pub(super) fn end_fours(&mut self) {
        self.end_host();
        (self.fours, self.before) = (self.written, 0);
    }

    /// Appends the group, and begins the next one.
    pub(super) fn end(&mut self, out: &mut Vec<u8>, number: u64, scope: Scope) {
        self.end_host();
        self.whole.clear();
        varint(&mut self.whole, self.fours);
        self.whole.extend_from_slice(&self.body);
        let GroupWriter { hosts, windows, packets, whole, .. } = self;
        let group = Group { number, scope, hosts: *hosts, windows: *windows, packets: *packets, body: whole };
        group.write(out);
        self.body.clear();
        (self.fours, self.written, self.before) = (0, 0, 0);
        (self.hosts, self.windows, self.packets) = (0, 0, 0);
    }
}

/// Writes a time as whole seconds from another one.
fn ticks(out: &mut Vec<u8>, from: i64, to: i64) {
    match to.checked_sub(from) {
        Some(nanoseconds) => {
            let ticks = nanoseconds / SECOND;
            varint(out, (ticks << 1 ^ ticks >> 63).cast_unsigned());
        }
        // The ends of time are further apart than 64 bits tell.
        None => {
            let ticks = (i128::from(to) - i128::from(from)) / i128::from(SECOND);
            wide(out, (ticks << 1 ^ ticks >> 127).cast_unsigned());
        }
    }
}
