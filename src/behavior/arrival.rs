//! A packet as the engine takes it.

use crate::event::{Address, Packet, Timestamp};

use super::{Marks, Probe};

/// What the engine needs to know of a packet, in 64 bytes: it is handed from one thread to the next, and many of them
/// lie in the processor's nearest cache.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// [`Timestamp::BEFORE_ALL`] where it is not known.
    pub(super) time: Timestamp,
    pub(super) source: Address,
    pub(super) probe: Probe,
    pub(super) marks: Marks,
}

impl Arrival {
    /// A packet with its marks.
    #[inline]
    #[must_use]
    pub fn of(packet: &Packet, marks: Marks) -> Arrival {
        let (source, _) = packet.addresses();
        let time = packet.time().unwrap_or(Timestamp::BEFORE_ALL);
        Arrival { time, source, probe: Probe::of(packet), marks }
    }

    /// When it came, if that is known.
    #[inline]
    pub(super) fn time(&self) -> Option<Timestamp> {
        (self.time != Timestamp::BEFORE_ALL).then_some(self.time)
    }
}
