//! Removes Ethernet headers, the tags and labels behind them, and the headers of point-to-point links.

use super::Problem;
use super::header::NetworkProtocol;

/// Maximum number of nested link headers (VLAN tags, MPLS labels and so on). A frame with more is counted as
/// damaged.
pub(super) const LAYERS_MAX: usize = 32;

/// The network-layer protocol of a frame and the network-layer packet, or the reason why there is none.
pub(super) type StrippedFrame<'a> = Result<(NetworkProtocol, &'a [u8]), Problem>;

/// Returns the bytes from an offset on.
#[inline]
pub(super) fn bytes_from(data: &[u8], at: usize) -> Result<&[u8], Problem> {
    data.get(at..).ok_or(Problem::TruncatedPacket)
}

/// Returns the big-endian 16-bit number at an offset.
#[inline]
pub(super) fn u16_at(data: &[u8], at: usize) -> Result<u16, Problem> {
    let bytes = data.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u16::from_be_bytes).ok_or(Problem::TruncatedPacket)
}

/// Removes an Ethernet header.
#[inline]
pub(super) fn ethernet(frame: &[u8]) -> StrippedFrame<'_> {
    ether_type(u16_at(frame, 12)?, bytes_from(frame, 14)?, 0)
}

/// Follows an EtherType (or an 802.3 length) through tags and labels to the network layer. `depth` is the
/// number of headers removed before.
pub(super) fn ether_type(kind: u16, data: &[u8], depth: usize) -> StrippedFrame<'_> {
    if depth > LAYERS_MAX {
        return Err(Problem::MalformedHeader);
    }
    match kind {
        0x0800 => Ok((NetworkProtocol::Ipv4, data)),
        0x86dd => Ok((NetworkProtocol::Ipv6, data)),
        0x0806 => Ok((NetworkProtocol::Arp, data)),
        // 802.1Q, 802.1ad, and the numbers used for stacked tags (QinQ) before 802.1ad.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 => ether_type(u16_at(data, 2)?, bytes_from(data, 4)?, depth + 1),
        0x8847 | 0x8848 => mpls(data),
        0x8864 => pppoe(data),
        0x88e5 => macsec(data, depth + 1),
        0xd28b => arista(data, depth + 1),
        0..=1500 => llc(data, depth + 1),
        _ => Err(Problem::NotIp),
    }
}

/// Removes a stack of MPLS labels (RFC 3032). A label has four bytes; the lowest bit of its third byte marks
/// the last label.
fn mpls(data: &[u8]) -> StrippedFrame<'_> {
    let last = data.chunks_exact(4).take(LAYERS_MAX).position(|label| label[2] & 1 == 1);
    let inner = bytes_from(data, 4 * (last.ok_or(Problem::TruncatedPacket)? + 1))?;
    // A label does not name the protocol behind it. The first four bits of an IP header do.
    match inner.first().map(|first| first >> 4) {
        Some(4 | 6) => Ok((NetworkProtocol::Ip, inner)),
        Some(_) => Err(Problem::NotIp),
        None => Err(Problem::TruncatedPacket),
    }
}

/// Removes a MACsec tag (802.1AE) of 6 bytes, or of 14 bytes if it includes the sender's identifier.
/// Encrypted frames cannot be decoded.
fn macsec(data: &[u8], depth: usize) -> StrippedFrame<'_> {
    const IDENTIFIED: u8 = 0x20;
    const ENCRYPTED: u8 = 0x0c;
    let control = *data.first().ok_or(Problem::TruncatedPacket)?;
    let tag = if control & IDENTIFIED == 0 { 6 } else { 14 };
    match control & ENCRYPTED {
        0 => ether_type(u16_at(data, tag)?, bytes_from(data, tag + 2)?, depth),
        _ => Err(Problem::NotIp),
    }
}

/// Removes the timestamp that Arista switches insert into mirrored frames: two bytes with the value 1, two
/// bytes for the format, and the time in 8 or 6 bytes.
fn arista(data: &[u8], depth: usize) -> StrippedFrame<'_> {
    /// Formats without the bit for the kind of clock, each with the length of its time in bytes: all 64 bits
    /// of the time, or 48 of them.
    const FORMS: [(u16, usize); 2] = [(0x0010, 8), (0x0020, 6)];
    let form = u16_at(data, 2)? & !0x0100;
    let time = FORMS.iter().find(|(known, _)| *known == form).map(|(_, time)| *time);
    match (u16_at(data, 0)?, time) {
        (1, Some(time)) => ether_type(u16_at(data, 4 + time)?, bytes_from(data, 6 + time)?, depth),
        _ => Err(Problem::NotIp),
    }
}

/// Removes a PPPoE header (RFC 2516). Only session packets, which have the code 0, carry PPP.
pub(super) fn pppoe(data: &[u8]) -> StrippedFrame<'_> {
    match data.get(1).ok_or(Problem::TruncatedPacket)? {
        0 => ppp_protocol(bytes_from(data, 6)?),
        _ => Err(Problem::NotIp),
    }
}

/// Removes an 802.2 LLC header. SNAP (RFC 1042) carries an EtherType; SAP 6 carries IP directly.
pub(super) fn llc(data: &[u8], depth: usize) -> StrippedFrame<'_> {
    match data.first_chunk::<8>() {
        Some([0xaa, 0xaa, 3, 0, 0, 0, high, low]) => {
            ether_type(u16::from_be_bytes([*high, *low]), bytes_from(data, 8)?, depth + 1)
        }
        Some([0x06, 0x06, 3, ..]) => Ok((NetworkProtocol::Ip, bytes_from(data, 3)?)),
        _ => Err(Problem::NotIp),
    }
}

/// Returns whether an address family is IPv4 or IPv6. The number of IPv6 differs between systems.
pub(super) fn is_ip_family(family: u32) -> bool {
    matches!(family, 2 | 10 | 24 | 28 | 30)
}

/// Removes the header of a loopback interface: the address family in four bytes of either byte order.
pub(super) fn loopback(frame: &[u8]) -> StrippedFrame<'_> {
    let family: [u8; 4] = *frame.first_chunk().ok_or(Problem::TruncatedPacket)?;
    let families = [u32::from_be_bytes(family), u32::from_le_bytes(family)];
    if families.into_iter().any(is_ip_family) {
        Ok((NetworkProtocol::Ip, bytes_from(frame, 4)?))
    } else {
        Err(Problem::NotIp)
    }
}

/// Removes a PPP header (RFC 1661 and 1662). The address and control bytes in front may be absent.
pub(super) fn ppp(frame: &[u8]) -> StrippedFrame<'_> {
    match frame {
        [0xff, 0x03, rest @ ..] => ppp_protocol(rest),
        // Cisco HDLC, which is recorded under the same link type.
        [0x0f | 0x8f, 0x00, ..] => ether_type(u16_at(frame, 2)?, bytes_from(frame, 4)?, 0),
        _ => ppp_protocol(frame),
    }
}

/// Reads the protocol number of PPP, in two bytes or one.
fn ppp_protocol(data: &[u8]) -> StrippedFrame<'_> {
    match data {
        [0x00, 0x21 | 0x57, rest @ ..] | [0x21 | 0x57, rest @ ..] => Ok((NetworkProtocol::Ip, rest)),
        [0x02, 0x81 | 0x83, rest @ ..] => mpls(rest),
        [] | [_] => Err(Problem::TruncatedPacket),
        _ => Err(Problem::NotIp),
    }
}
