//! A packet reduced to the fields that the engine reads.

use std::net::IpAddr;

use crate::packet::{Packet, Timestamp};

use super::{Marks, Probe};

/// The fields of a packet that the engine reads. Arrivals pass from one thread to the next in batches.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Capture time, if known.
    pub(super) time: Option<Timestamp>,
    pub(super) source: IpAddr,
    pub(super) probe: Probe,
    pub(super) marks: Marks,
}

impl Arrival {
    /// Returns the arrival of a packet with its marks.
    #[inline]
    #[must_use]
    pub fn of(packet: &Packet, marks: Marks) -> Arrival {
        Arrival { time: packet.time(), source: packet.source(), probe: Probe::of(packet), marks }
    }
}
