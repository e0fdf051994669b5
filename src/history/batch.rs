//! Batches of sightings: the unit in which a capture is handed to a store.

use std::any::Any;
use std::cmp::Ordering;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::civil::Date;

use super::{Scope, Sighting, SightingCounts};

/// The sightings of one hour of a sensor's day, by the start of their windows, sorted by [`Sighting::order`].
/// No two have the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The day, in the sensor's time zone.
    pub day: Date,
    /// The hour of that day ([`super::Day::hour`]), at most 31.
    pub hour: u8,
    /// One sighting for each type, scope, host and signature.
    pub sightings: Vec<Sighting>,
}

/// Receives batches while a capture is read, so that memory does not have to hold the sightings of a whole
/// capture.
///
/// A store creates one writer per capture and gets it back with the contribution to ingest. Dropping the
/// writer discards what was written.
pub trait BatchWriter: Any + fmt::Debug + Send {
    /// Writes one batch.
    ///
    /// # Errors
    /// Fails when the batch cannot be written.
    fn write(&mut self, batch: Batch) -> io::Result<()>;
}

/// A writer that discards all batches, for dry runs.
#[derive(Clone, Copy, Debug)]
pub struct DiscardBatches;

impl BatchWriter for DiscardBatches {
    fn write(&mut self, _: Batch) -> io::Result<()> {
        Ok(())
    }
}

/// The counts of one window, which are added to a sighting.
#[derive(Clone, Copy, Debug)]
pub(super) struct WindowCounts {
    pub(super) packets: u64,
    /// The time of the first packet, rounded down to whole seconds as in [`SightingCounts`].
    pub(super) first: crate::packet::Timestamp,
    pub(super) last: crate::packet::Timestamp,
    pub(super) marks: u64,
    /// The number of the probe signature.
    pub(super) signature: Option<u64>,
}

/// Unsorted windows of one hour, waiting to be combined into sightings. Memory: 64 bytes per window.
#[derive(Clone, Debug, Default)]
pub(super) struct WindowBuffer {
    /// Windows of IPv4 hosts as sortable numbers: type and scope (64 bits), host (32 bits), index into
    /// `windows` (32 bits).
    fours: Vec<u128>,
    /// Windows of IPv6 hosts: type and scope, host, index into `windows`.
    sixes: Vec<(u64, u128, usize)>,
    windows: Vec<WindowCounts>,
}

impl WindowBuffer {
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

    /// Combines all windows into the sorted sightings of a batch and clears the buffer.
    pub(super) fn take(&mut self, day: Date, hour: u8) -> Batch {
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
        let mut sightings = combine_windows((day, hour), fours, &self.windows);
        if !self.sixes.is_empty() {
            sightings.extend(combine_windows((day, hour), sixes, &self.windows));
            // Both parts are sorted, and a stable sort recognizes sorted runs, so this is a merge.
            sightings.sort_by(Sighting::order);
        }
        self.fours.clear();
        self.sixes.clear();
        self.windows.clear();
        Batch { day, hour, sightings }
    }
}

/// Combines windows into sightings. The windows must be sorted by type, scope and host; each refers to its
/// counts by index.
fn combine_windows(
    (day, hour): (Date, u8),
    windows: impl ExactSizeIterator<Item = (u64, IpAddr, usize)>,
    counts: &[WindowCounts],
) -> Vec<Sighting> {
    let mut sightings: Vec<Sighting> = Vec::with_capacity(windows.len());
    for (group, host, place) in windows {
        let Some(window) = counts.get(place) else { continue };
        let (number, scope) = (group >> 1, if group & 1 == 1 { Scope::Facet } else { Scope::Whole });
        let one = SightingCounts {
            windows: 1,
            packets: window.packets,
            first: window.first,
            last: window.last,
            hours: 1 << hour.min(31),
            marks: window.marks,
        };
        let new = Sighting { day, number, scope, host, signature: window.signature, counts: one };
        let Some(last) = sightings.last_mut() else {
            sightings.push(new);
            continue;
        };
        match last.order(&new) {
            Ordering::Less => sightings.push(new),
            Ordering::Equal => last.counts = last.counts.merged(one),
            // Windows of a host are not sorted by signature.
            Ordering::Greater => insert_sorted(&mut sightings, new),
        }
    }
    sightings
}

/// Adds a sighting before others of its host that have a greater signature.
fn insert_sorted(sightings: &mut Vec<Sighting>, new: Sighting) {
    let place = sightings.iter().rposition(|known| known.order(&new).is_le());
    match place.and_then(|place| sightings.get_mut(place)) {
        Some(known) if known.order(&new).is_eq() => known.counts = known.counts.merged(new.counts),
        _ => sightings.insert(place.map_or(0, |place| place + 1), new),
    }
}

/// Returns the hours whose bits are set, ascending.
pub fn hours_in_bitmap(mut bits: u32) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let hour = u8::try_from(bits.trailing_zeros()).ok().filter(|_| bits != 0)?;
        bits &= bits - 1;
        Some(hour)
    })
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn low(number: u128) -> u64 {
    number as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn low_half(number: u64) -> u32 {
    number as u32
}
