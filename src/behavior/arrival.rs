//! A packet reduced to the fields that the engine reads.

use crate::packet::{Address, Packet, Timestamp};

use super::{Marks, Probe};

/// The fields of a packet that the engine reads, in 64 bytes. Arrivals pass from one thread to the next in
/// batches, and a small size keeps a batch in the processor's first-level cache.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Capture time; [`Timestamp::BEFORE_ALL`] if it is unknown.
    pub(super) time: Timestamp,
    pub(super) source: Address,
    pub(super) probe: Probe,
    pub(super) marks: Marks,
}

impl Arrival {
    /// Returns the arrival of a packet with its marks.
    #[inline]
    #[must_use]
    pub fn of(packet: &Packet, marks: Marks) -> Arrival {
        let (source, _) = packet.addresses();
        let time = packet.time().unwrap_or(Timestamp::BEFORE_ALL);
        Arrival { time, source, probe: Probe::of(packet), marks }
    }

    /// Returns the capture time, or `None` if it is unknown.
    #[inline]
    pub(super) fn time(&self) -> Option<Timestamp> {
        (self.time != Timestamp::BEFORE_ALL).then_some(self.time)
    }
}
