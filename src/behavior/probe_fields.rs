//! The fields of one probe that its signature needs, in 16 bytes.

use serde::{Deserialize, Serialize};

use crate::packet::{Packet, ProbeHeader};

/// The fields of a probe. Packets that begin no contact have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct ProbeFields {
    /// The bits of [`ProbeHeader`] with, in bits 6 to 8, the class of the TTL (1 to 4, or 0 if unknown), and in bits 9 to
    /// 11 whether IP identification, TCP window and sequence number are known.
    pub(super) form: u64,
    /// TCP window (upper 16 bits), IP identification (16), sequence number of TCP or ICMP (lower 32 bits).
    pub(super) numbers: u64,
}

/// Bits of [`ProbeFields::form`].
pub(super) const KIND: u64 = 3;
pub(super) const DONT_FRAGMENT: u64 = 3 << 2;
pub(super) const UNUSED: u64 = 3 << 4;
pub(super) const TTL: u64 = 7 << 6;
pub(super) const ID_KNOWN: u64 = 1 << 9;
pub(super) const WINDOW_KNOWN: u64 = 1 << 10;
pub(super) const SEQUENCE_KNOWN: u64 = 1 << 11;

/// Initial values of the TTL by class, from class 1.
pub(super) const INITIAL_TTLS: [u8; 4] = [32, 64, 128, 255];

impl ProbeFields {
    /// Returns the fields of a packet.
    #[inline]
    pub(super) fn of(packet: &Packet) -> ProbeFields {
        let header = packet.probe();
        if header == ProbeHeader::NONE {
            return ProbeFields::default();
        }
        let known = |is_known: bool, bit: u64| if is_known { bit } else { 0 };
        let (id, window, sequence) = (packet.ip_id(), packet.tcp_window(), packet.sequence());
        ProbeFields {
            form: header.bits()
                | packet.ttl().map_or(0, ttl_class) << 6
                | known(id.is_some(), ID_KNOWN)
                | known(window.is_some(), WINDOW_KNOWN)
                | known(sequence.is_some(), SEQUENCE_KNOWN),
            numbers: u64::from(window.unwrap_or(0)) << 48
                | u64::from(id.unwrap_or(0)) << 32
                | u64::from(sequence.unwrap_or(0)),
        }
    }

    /// Returns whether the packet is a probe.
    #[inline]
    pub(super) fn is_probe(&self) -> bool {
        self.form != 0
    }

    pub(super) fn header(&self) -> ProbeHeader {
        ProbeHeader::from_bits(self.form)
    }

    pub(super) fn window(&self) -> u16 {
        u16::try_from(self.numbers >> 48).unwrap_or(0)
    }

    pub(super) fn ip_id(&self) -> u16 {
        u16::try_from(self.numbers >> 32 & 0xffff).unwrap_or(0)
    }

    pub(super) fn sequence(&self) -> u32 {
        u32::try_from(self.numbers & 0xffff_ffff).unwrap_or(0)
    }
}

/// Returns the class of a TTL: the smallest initial value that it can have come from.
#[inline]
fn ttl_class(ttl: u8) -> u64 {
    match ttl {
        0..=32 => 1,
        33..=64 => 2,
        65..=128 => 3,
        129..=255 => 4,
    }
}
