//! Which marks a packet can have at all: only these are asked of it.

use crate::event::Protocol;

use super::mark::{Mark, MarkClass};

/// Marks by protocol, as bits numbered like [`Marks`](crate::behavior::Marks).
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    by_protocol: [Bits; 4],
}

/// Those of headers, and those of payloads, which an empty payload cannot have.
#[derive(Clone, Copy, Debug, Default)]
struct Bits {
    header: u64,
    payload: u64,
}

impl Candidates {
    pub(super) fn of(marks: &[Mark]) -> Candidates {
        let mut candidates = Candidates::default();
        for (at, mark) in marks.iter().enumerate() {
            for (place, bits) in candidates.by_protocol.iter_mut().enumerate() {
                if mark.protocol().is_some_and(|protocol| place_of(protocol) != place) {
                    continue;
                }
                match mark.class {
                    MarkClass::Payload => bits.payload |= 1 << at,
                    _ => bits.header |= 1 << at,
                }
            }
        }
        candidates
    }

    /// The bits of the marks to be asked of a packet.
    #[inline]
    pub(super) fn bits(&self, protocol: Protocol, payload: &[u8]) -> u64 {
        let Bits { header, payload: of_payload } = self.by_protocol[place_of(protocol)];
        if payload.is_empty() { header } else { header | of_payload }
    }
}

/// A rule of ICMP is one of ICMPv6, too; protocols that few rules are about share a place.
fn place_of(protocol: Protocol) -> usize {
    match protocol {
        Protocol::Tcp => 0,
        Protocol::Udp => 1,
        Protocol::Icmp | Protocol::Icmpv6 => 2,
        Protocol::Arp | Protocol::Sctp | Protocol::Other(_) => 3,
    }
}
