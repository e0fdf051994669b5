//! A packet as the engine takes it.

use crate::event::{Packet, Timestamp};

use super::probe::Address;
use super::{Marks, Probe};

/// What the engine needs to know of a packet, in 64 bytes: it is handed from one thread to the next, and many of them
/// lie in the processor's nearest cache.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// [`TIMELESS`] for a packet without a time.
    time: Timestamp,
    pub(super) source: Address,
    pub(super) probe: Probe,
    pub(super) marks: Marks,
}

/// Earlier than any packet: a capture's times begin in 1678.
const TIMELESS: Timestamp = Timestamp(i64::MIN);

impl Arrival {
    /// A packet with its marks.
    #[inline]
    #[must_use]
    pub fn of(packet: &Packet, marks: Marks) -> Arrival {
        let time = packet.time.unwrap_or(TIMELESS);
        Arrival { time, source: packet.source.into(), probe: Probe::of(packet), marks }
    }

    /// When it came.
    #[inline]
    pub(super) fn time(&self) -> Option<Timestamp> {
        (self.time != TIMELESS).then_some(self.time)
    }
}
