//! Link layers of packet filters that log packets: a record of the filter's decision, followed by the IP
//! packet.

use super::Problem;
use super::header::NetworkProtocol;
use super::link_ethernet::{StrippedFrame, bytes_from, is_ip_family, u16_at};

/// Finds the packet in a record of Linux's NFLOG (tcpdump.org/linktypes/LINKTYPE_NFLOG.html): the address
/// family, a version, a group, then fields of length, type and value. One of the fields is the packet.
pub(super) fn nflog(frame: &[u8]) -> StrippedFrame<'_> {
    let family = *frame.first().ok_or(Problem::TruncatedPacket)?;
    let fields = bytes_from(frame, 4)?;
    if !is_ip_family(family.into()) {
        return Err(Problem::NotIp);
    }
    // Lengths are in the byte order of the machine that wrote the record, which the frame does not state.
    // Read in the wrong byte order, a length of a few bytes becomes kilobytes and does not fit into the
    // frame.
    let packet = nflog_packet(fields, u16::from_le_bytes).or(nflog_packet(fields, u16::from_be_bytes));
    packet.map(|packet| (NetworkProtocol::Ip, packet)).ok_or(Problem::MalformedHeader)
}

/// Returns the value of the field that contains the packet. `half` decodes a 16-bit number.
fn nflog_packet(mut fields: &[u8], half: impl Fn([u8; 2]) -> u16) -> Option<&[u8]> {
    /// The field type `NFULA_PAYLOAD`.
    const PAYLOAD: u16 = 9;
    /// Mask of the bits that hold the field type. The two upper bits are flags for nesting and byte order.
    const TYPE: u16 = 0x3fff;
    loop {
        let [a, b, c, d] = *fields.first_chunk()?;
        let length = usize::from(half([a, b]));
        if half([c, d]) & TYPE == PAYLOAD && length >= 4 {
            // The packet may be cut by the snap length.
            return fields.get(4..length.min(fields.len()));
        }
        fields = fields.get(length.next_multiple_of(4)..).filter(|_| length >= 4)?;
    }
}

/// Removes the header of OpenBSD's pflog: its own length, the address family, then the rule, the interface
/// and the direction.
pub(super) fn pflog(frame: &[u8]) -> StrippedFrame<'_> {
    /// Length in bytes of the header of OpenBSD 3.4, the shortest one of this link type.
    const LENGTH_MIN: usize = 45;
    let [length, family] = *frame.first_chunk().ok_or(Problem::TruncatedPacket)?;
    let length = usize::from(length);
    if length < LENGTH_MIN {
        return Err(Problem::MalformedHeader);
    }
    if !is_ip_family(family.into()) {
        return Err(Problem::NotIp);
    }
    Ok((NetworkProtocol::Ip, bytes_from(frame, length.next_multiple_of(4))?))
}

/// Removes the header of OpenBSD's enc: the address family in four bytes of either byte order, the security
/// parameters index (SPI), and flags.
pub(super) fn enc(frame: &[u8]) -> StrippedFrame<'_> {
    let packet = bytes_from(frame, 12)?;
    let families = [u16_at(frame, 2)?, u16_at(frame, 0)?.swap_bytes()];
    let is_ip = families.into_iter().any(|family| is_ip_family(family.into()));
    if is_ip { Ok((NetworkProtocol::Ip, packet)) } else { Err(Problem::NotIp) }
}
