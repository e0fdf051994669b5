//! Link layers that capture tools define themselves, and those of wireless, ring and wide-area networks.

use super::Problem;
use super::header::NetworkProtocol;
use super::link_ethernet::{StrippedFrame, bytes_from, ether_type, llc, u16_at};

/// Removes the header of a Linux cooked capture: 16 bytes, of which the last two are an EtherType.
pub(super) fn sll(frame: &[u8]) -> StrippedFrame<'_> {
    ether_type_or_llc(u16_at(frame, 14)?, bytes_from(frame, 16)?)
}

/// Removes the header of the second version of Linux cooked captures: 20 bytes, of which the first two are an
/// EtherType.
pub(super) fn sll2(frame: &[u8]) -> StrippedFrame<'_> {
    ether_type_or_llc(u16_at(frame, 0)?, bytes_from(frame, 20)?)
}

/// Follows the protocol number of a cooked capture: an EtherType, 4 for 802.2 LLC, or 1 for raw 802.3.
fn ether_type_or_llc(kind: u16, data: &[u8]) -> StrippedFrame<'_> {
    match kind {
        4 => llc(data, 0),
        0..=3 => Err(Problem::NotIp),
        kind => ether_type(kind, data, 0),
    }
}

/// Removes the header of Solaris' ipnet: 24 bytes, of which the second is the address family.
pub(super) fn ipnet(frame: &[u8]) -> StrippedFrame<'_> {
    match frame.get(1).ok_or(Problem::TruncatedPacket)? {
        2 | 26 => Ok((NetworkProtocol::Ip, bytes_from(frame, 24)?)),
        _ => Err(Problem::NotIp),
    }
}

/// The link type of the frame behind a header that names it, and that frame.
type InnerFrame<'a> = Result<(i32, &'a [u8]), Problem>;

/// Removes the header of Apple's packet tap (PKTAP), which contains its own length and the link type of the
/// frame behind it, in little-endian order.
pub(super) fn pktap(frame: &[u8]) -> InnerFrame<'_> {
    let number = |at: usize| -> Result<u32, Problem> {
        let bytes = frame.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_le_bytes).ok_or(Problem::TruncatedPacket)
    };
    let length = usize::try_from(number(0)?).map_err(|_| Problem::MalformedHeader)?;
    let inner = i32::try_from(number(8)?).map_err(|_| Problem::MalformedHeader)?;
    if length < 12 {
        return Err(Problem::MalformedHeader);
    }
    Ok((inner, bytes_from(frame, length)?))
}

/// Removes the header of Per-Packet Information (PPI): a version, flags, its own length, and the link type of
/// the frame behind it, in little-endian order.
pub(super) fn ppi(frame: &[u8]) -> InnerFrame<'_> {
    let length = usize::from(u16_at(frame, 2)?.swap_bytes());
    let link = i32::from(u16_at(frame, 4)?.swap_bytes());
    if length < 8 {
        return Err(Problem::MalformedHeader);
    }
    Ok((link, bytes_from(frame, length)?))
}

/// Removes a radiotap header, whose length is in its third and fourth byte (little-endian), and the 802.11
/// header behind it.
pub(super) fn radiotap(frame: &[u8]) -> StrippedFrame<'_> {
    let length = usize::from(u16_at(frame, 2)?.swap_bytes());
    if length < 8 {
        return Err(Problem::MalformedHeader);
    }
    ieee80211(bytes_from(frame, length)?)
}

/// Removes the header of an 802.11 data frame that is not encrypted.
pub(super) fn ieee80211(frame: &[u8]) -> StrippedFrame<'_> {
    let [control, flags] = *frame.first_chunk().ok_or(Problem::TruncatedPacket)?;
    let (is_data, quality, empty) = (control & 0x0c == 0x08, control & 0x80 != 0, control & 0x40 != 0);
    let encrypted = flags & 0x40 != 0;
    if !is_data || empty || encrypted {
        return Err(Problem::NotIp);
    }
    let four_addresses = flags & 0x03 == 0x03;
    let throughput_control = quality && flags & 0x80 != 0;
    let header = 24
        + if four_addresses { 6 } else { 0 }
        + if quality { 2 } else { 0 }
        + if throughput_control { 4 } else { 0 };
    llc(bytes_from(frame, header)?, 0)
}

/// Removes a frame relay header (RFC 2427): the Q.922 address, control, then a one-byte protocol or SNAP.
pub(super) fn frame_relay(frame: &[u8]) -> StrippedFrame<'_> {
    let address = frame.iter().position(|byte| byte & 1 == 1).ok_or(Problem::TruncatedPacket)? + 1;
    match bytes_from(frame, address)? {
        [0x03, 0xcc | 0x8e, rest @ ..] | [0x03, 0x00, 0xcc | 0x8e, rest @ ..] => {
            Ok((NetworkProtocol::Ip, rest))
        }
        [0x03, 0x00, 0x80, 0, 0, 0, high, low, rest @ ..] | [0x03, 0x80, 0, 0, 0, high, low, rest @ ..] => {
            ether_type(u16::from_be_bytes([*high, *low]), rest, 0)
        }
        // Cisco's own encapsulation has an EtherType here.
        [high, low, rest @ ..] => ether_type(u16::from_be_bytes([*high, *low]), rest, 0),
        _ => Err(Problem::NotIp),
    }
}

/// Removes the header of Juniper's Ethernet captures: `MGC`, flags, and, if a flag says so, extensions with
/// their length.
pub(super) fn juniper(frame: &[u8]) -> Result<&[u8], Problem> {
    match frame {
        [b'M', b'G', b'C', flags, ..] if flags & 0x80 != 0 => {
            bytes_from(frame, 6 + usize::from(u16_at(frame, 4)?))
        }
        [b'M', b'G', b'C', _, rest @ ..] => Ok(rest),
        _ => Err(Problem::MalformedHeader),
    }
}

/// Removes an FDDI header: frame control, two addresses, and LLC if the upper four bits of frame control say
/// so.
pub(super) fn fddi(frame: &[u8]) -> StrippedFrame<'_> {
    match frame.first().ok_or(Problem::TruncatedPacket)? >> 4 {
        5 => llc(bytes_from(frame, 13)?, 0),
        _ => Err(Problem::NotIp),
    }
}

/// Removes a Token Ring header: access and frame control, two addresses, a route if the first bit of the
/// sender's address says so, and LLC.
pub(super) fn token_ring(frame: &[u8]) -> StrippedFrame<'_> {
    let [_, control] = *frame.first_chunk().ok_or(Problem::TruncatedPacket)?;
    if control >> 6 != 1 {
        return Err(Problem::NotIp);
    }
    let route = match (frame.get(8), frame.get(14)) {
        (Some(sender), Some(route)) if sender & 0x80 != 0 => usize::from(route & 0x1f),
        _ => 0,
    };
    llc(bytes_from(frame, 14 + route)?, 0)
}
