//! A packet reduced to the fields that the engine reads.

use std::net::IpAddr;

use crate::packet::{Packet, Timestamp};

use super::Probe;
use super::probe_fields::ProbeFields;

/// The marking rules (of headers or payloads) that a packet matches: bit i stands for the i-th rule of the
/// run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(pub u64);

impl Marks {
    /// Maximum number of marking rules in a run.
    pub const MAX: usize = 64;

    /// Returns the numbers of the matching rules, in ascending order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..Self::MAX).filter(move |bit| self.0 >> bit & 1 == 1)
    }
}

/// The fields of a packet that the engine reads. Arrivals pass from one thread to the next in batches.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Capture time, if known.
    pub(super) time: Option<Timestamp>,
    pub(super) source: IpAddr,
    pub(super) probe: Probe,
    pub(super) fields: ProbeFields,
    pub(super) marks: Marks,
}

impl Arrival {
    /// Returns the arrival of a packet with its marks.
    #[inline]
    #[must_use]
    pub fn of(packet: &Packet, marks: Marks) -> Arrival {
        Arrival {
            time: packet.time(),
            source: packet.source(),
            probe: Probe::of(packet),
            fields: ProbeFields::of(packet),
            marks,
        }
    }
}
