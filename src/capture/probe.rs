//! The fields of packets that begin a contact, from their transport headers and payloads.

use crate::packet::{Packet, PayloadDigest, ProbeHeader, ProbeKind, TcpFlags, TcpOptions, UnusedFields};

/// IPv4's "don't fragment" flag in the field of flags and fragment offset.
pub(super) const DONT_FRAGMENT: u16 = 0x4000;

/// Returns the probe fields of a complete TCP header. `fixed` is the part of the header before the options. A packet that
/// does not open a connection has no probe fields.
#[inline]
pub(super) fn tcp(fixed: &[u8; 20], options: &[u8]) -> ProbeHeader {
    if !TcpFlags(fixed[13]).opens() {
        return ProbeHeader::NONE;
    }
    let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    let unused = match (is_zero(&fixed[18..20]), is_zero(&fixed[8..12])) {
        (true, true) => UnusedFields::Empty,
        (true, false) => UnusedFields::Acknowledgement,
        (false, _) => UnusedFields::UrgentPointer,
    };
    ProbeHeader::syn(TcpOptions::parse(options), unused)
}

/// Returns the fields of a UDP packet. `whole` says whether all of its payload was captured.
#[inline]
pub(super) fn udp(payload: &[u8], whole: bool) -> ProbeHeader {
    with_payload(ProbeHeader::new(ProbeKind::Datagram), payload, whole)
}

/// Sets the fields of an ICMP or ICMPv6 request. `behind` is what follows type, code and checksum.
#[inline]
pub(super) fn icmp(packet: &mut Packet, kind: u8, behind: &[u8], whole: bool) {
    let Some(kind) = ProbeKind::of_icmp(kind) else { return };
    let numbers = behind.split_first_chunk();
    let probe = match numbers {
        Some((_, payload)) => with_payload(ProbeHeader::new(kind), payload, whole),
        None => ProbeHeader::new(kind),
    };
    let numbers = numbers.map(|(numbers, _): (&[u8; 4], _)| u32::from_be_bytes(*numbers));
    *packet = packet.with_sequence(numbers).with_probe(probe);
}

#[inline]
fn with_payload(probe: ProbeHeader, payload: &[u8], whole: bool) -> ProbeHeader {
    if whole { probe.with_payload(PayloadDigest::of(payload)) } else { probe }
}
