//! Sightings of one day, sorted and added up: the unit in which a capture is handed to a store.

use std::any::Any;
use std::cmp::Ordering;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::civil::Date;

use super::{HourlyCount, Scope, Sighting, SightingCounts};

/// Sightings of one day, and the counts of its hours. Both are sorted by type, scope and what follows (host or hour), and
/// have each key once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The sensor's day.
    pub day: Date,
    /// One entry for each type, scope and host.
    pub sightings: Vec<Sighting>,
    /// One entry for each type, scope and hour; hosts are those of this batch.
    pub hours: Vec<HourlyCount>,
}

/// Takes batches as they are gathered, so that memory does not have to hold a whole capture.
///
/// A store makes one for a capture, and finds it again in what it is asked to ingest. Dropping it discards what was
/// written.
pub trait BatchWriter: Any + fmt::Debug + Send {
    /// Takes a batch.
    ///
    /// # Errors
    /// When it cannot be written.
    fn write(&mut self, batch: Batch) -> io::Result<()>;
}

/// A writer for dry runs, which keeps nothing.
#[derive(Clone, Copy, Debug)]
pub struct DiscardBatches;

impl BatchWriter for DiscardBatches {
    fn write(&mut self, _: Batch) -> io::Result<()> {
        Ok(())
    }
}

/// What one window adds to a sighting.
#[derive(Clone, Copy, Debug)]
pub(super) struct WindowCounts {
    pub(super) packets: u64,
    /// Nanoseconds of whole seconds, as in [`SightingCounts`].
    pub(super) first: crate::event::Timestamp,
    pub(super) last: crate::event::Timestamp,
    /// The hour of the day in which it began.
    pub(super) hour: u8,
    pub(super) marks: u64,
}

/// Windows of one day that wait to be sorted, in any order. Memory: 64 bytes each.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    /// Of IPv4 hosts, as one number to sort by: type, scope, host, and the place among `windows`.
    fours: Vec<u128>,
    /// Of IPv6 hosts: type and scope, host, place.
    sixes: Vec<(u64, u128, usize)>,
    windows: Vec<WindowCounts>,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }

    pub(super) fn push(&mut self, number: u64, scope: Scope, host: IpAddr, window: WindowCounts) {
        let place = self.windows.len();
        let group = number << 1 | u64::from(scope == Scope::Facet);
        match host {
            IpAddr::V4(four) => {
                let host_and_place = u128::from(u32::from(four)) << 32 | place as u128;
                self.fours.push(u128::from(group) << 64 | host_and_place);
            }
            IpAddr::V6(six) => self.sixes.push((group, six.into(), place)),
        }
        self.windows.push(window);
    }

    /// Sorts and adds up all windows, and leaves none.
    pub(super) fn take(&mut self, day: Date) -> Batch {
        self.fours.sort_unstable();
        self.sixes.sort_unstable();
        let fours = self.fours.iter().map(|key| {
            let host = Ipv4Addr::from_bits(low_half(low(*key) >> 32));
            (low(key >> 64), host.into(), usize::try_from(low_half(low(*key))).unwrap_or(usize::MAX))
        });
        let sixes = self
            .sixes
            .iter()
            .map(|(group, host, place)| (*group, IpAddr::from(Ipv6Addr::from_bits(*host)), *place));
        let mut sightings = added_up(day, fours, &self.windows);
        let sixes = added_up(day, sixes, &self.windows);
        if !sixes.0.is_empty() {
            sightings.0 = merged(&[sightings.0, sixes.0], Sighting::order, |sum, one| {
                sum.counts = sum.counts.merged(one.counts);
            });
            sightings.1 = merged(&[sightings.1, sixes.1], HourlyCount::order, HourlyCount::add);
        }
        self.fours.clear();
        self.sixes.clear();
        self.windows.clear();
        Batch { day, sightings: sightings.0, hours: sightings.1 }
    }
}

/// Adds up windows that come by type, scope and host.
fn added_up(
    day: Date,
    windows: impl Iterator<Item = (u64, IpAddr, usize)>,
    counts: &[WindowCounts],
) -> (Vec<Sighting>, Vec<HourlyCount>) {
    let mut sightings: Vec<Sighting> = Vec::new();
    let mut hours = HoursOfGroup::default();
    let mut all_hours = Vec::new();
    let mut last_group = None;
    for (group, host, place) in windows {
        let Some(window) = counts.get(place) else { continue };
        let (number, scope) = (group >> 1, if group & 1 == 1 { Scope::Facet } else { Scope::Whole });
        if last_group.is_some_and(|last| last != group) {
            hours.flush(&sightings, &mut all_hours);
        }
        last_group = Some(group);
        let one = SightingCounts {
            windows: 1,
            packets: window.packets,
            first: window.first,
            last: window.last,
            hours: 1 << window.hour.min(31),
            marks: window.marks,
        };
        hours.add(window.hour, window.packets);
        match sightings.last_mut() {
            Some(last) if last.number == number && last.scope == scope && last.host == host => {
                hours.host(one.hours & !last.counts.hours);
                last.counts = last.counts.merged(one);
            }
            _ => {
                hours.host(one.hours);
                sightings.push(Sighting { day, number, scope, host, signature: None, counts: one });
            }
        }
    }
    hours.flush(&sightings, &mut all_hours);
    (sightings, all_hours)
}

/// Hours of a day in a bitmap: a day on which clocks change has 25 at most.
const HOURS_MAX: usize = 32;

/// Counts of the hours of one type and scope. Only hours that occur are touched.
#[derive(Default)]
struct HoursOfGroup {
    occur: u32,
    counts: [(u64, u64, u64); HOURS_MAX],
}

impl HoursOfGroup {
    fn add(&mut self, hour: u8, packets: u64) {
        let hour = usize::from(hour).min(HOURS_MAX - 1);
        self.occur |= 1 << hour;
        let (windows, sum, _) = &mut self.counts[hour];
        *windows += 1;
        *sum += packets;
    }

    /// Counts a host in the hours of a bitmap.
    fn host(&mut self, hours: u32) {
        for hour in hours_of(hours) {
            self.counts[usize::from(hour)].2 += 1;
        }
    }

    /// Appends the hours of the type and scope of the last sighting, and begins another group.
    fn flush(&mut self, sightings: &[Sighting], to: &mut Vec<HourlyCount>) {
        let Some(Sighting { day, number, scope, .. }) = sightings.last().copied() else { return };
        for hour in hours_of(std::mem::take(&mut self.occur)) {
            let (windows, packets, hosts) = std::mem::take(&mut self.counts[usize::from(hour)]);
            to.push(HourlyCount { number, scope, day, hour, windows, packets, hosts });
        }
    }
}

/// The hours of a bitmap, ascending.
pub fn hours_of(mut bits: u32) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let hour = u8::try_from(bits.trailing_zeros()).ok().filter(|_| bits != 0)?;
        bits &= bits - 1;
        Some(hour)
    })
}

/// Merges sorted lists into one that has each key once.
pub(crate) fn merged<T: Copy>(
    lists: &[Vec<T>],
    order: impl Fn(&T, &T) -> Ordering,
    add: impl Fn(&mut T, &T),
) -> Vec<T> {
    let mut all: Vec<T> = lists.concat();
    // A stable sort recognises sorted runs, so this is a merge.
    all.sort_by(&order);
    all.dedup_by(|next, kept| {
        let same = order(kept, next) == Ordering::Equal;
        if same {
            add(kept, next);
        }
        same
    });
    all
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn low(number: u128) -> u64 {
    number as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn low_half(number: u64) -> u32 {
    number as u32
}
