//! A packet as the engine takes it.

use crate::event::{Address, Packet, Timestamp};

use super::{Marks, Probe};

/// What the engine needs to know of a packet, in 72 bytes: it is handed from one thread to the next, and many of them
/// lie in the processor's nearest cache.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub(super) time: Option<Timestamp>,
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
        Arrival { time: packet.time(), source, probe: Probe::of(packet), marks }
    }
}
