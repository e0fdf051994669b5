//! Decodes network-layer packets: IPv4, IPv6, ARP, and the transport header behind them.
//!
//! etherparse decodes IPv6 and its extension headers. IPv4, by far the most frequent, and transport headers
//! are decoded here field by field, because captures cut packets: eight bytes of a TCP header contain its
//! ports, but etherparse decodes a TCP header as a whole or not at all.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::LaxIpv6Slice;

use crate::packet::{IcmpKind, Packet, ProbeHeader, ProbeKind, Protocol, TcpFlags};

use super::{Problem, probe};

/// The network-layer protocol that a link layer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NetworkProtocol {
    /// IP of either version: the link layer does not say which.
    Ip,
    /// IPv4, according to the link layer.
    Ipv4,
    /// IPv6, according to the link layer.
    Ipv6,
    /// ARP.
    Arp,
}

/// A packet's payload, and a problem if the packet was decoded only in part.
pub(super) type DecodedPayload<'a> = (&'a [u8], Option<Problem>);

/// Decodes a network-layer packet into `packet`. The caller reuses one packet for all frames, because a
/// packet returned by value would be copied at each level of calls. The previous content of `packet` may be
/// lost even if an error is returned.
pub(super) fn decode<'a>(
    network: NetworkProtocol,
    data: &'a [u8],
    packet: &mut Packet,
) -> Result<DecodedPayload<'a>, Problem> {
    match (network, data.first().map(|first| first >> 4)) {
        (NetworkProtocol::Ip | NetworkProtocol::Ipv4, Some(4)) => ipv4(data, packet),
        (NetworkProtocol::Ip | NetworkProtocol::Ipv6, Some(6)) => ipv6(data, packet),
        (NetworkProtocol::Arp, _) => arp(data, packet),
        (_, Some(_)) => Err(Problem::MalformedHeader),
        (_, None) => Err(Problem::TruncatedPacket),
    }
}

/// Decodes an ARP packet (RFC 826) for IPv4 over any hardware.
fn arp<'a>(data: &'a [u8], packet: &mut Packet) -> Result<DecodedPayload<'a>, Problem> {
    let head: &[u8; 8] = data.first_chunk().ok_or(Problem::TruncatedPacket)?;
    let [_, _, 0x08, 0x00, hardware, 4, _, _] = head else { return Err(Problem::NotIp) };
    let hardware = usize::from(*hardware);
    let address = |at: usize| -> Result<IpAddr, Problem> {
        let bytes: [u8; 4] =
            data.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).ok_or(Problem::TruncatedPacket)?;
        Ok(IpAddr::V4(Ipv4Addr::from(bytes)))
    };
    let sender = address(8 + hardware)?;
    let target = address(8 + 4 + 2 * hardware)?;
    *packet = Packet::new(sender, target, Protocol::Arp);
    Ok((&[], None))
}

/// Decodes an IPv4 packet (RFC 791). The fields are decoded by hand, because nearly all packets of a
/// telescope are IPv4.
#[inline]
fn ipv4<'a>(data: &'a [u8], packet: &mut Packet) -> Result<DecodedPayload<'a>, Problem> {
    let fixed: &[u8; 20] = data.first_chunk().ok_or(Problem::TruncatedPacket)?;
    let half = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
    let header = usize::from(fixed[0] & 0x0f) * 4;
    if header < fixed.len() {
        return Err(Problem::MalformedHeader);
    }
    let address = |at: usize| Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]);
    let protocol = fixed[9];
    *packet = Packet::new(address(12).into(), address(16).into(), Protocol::from_ip_number(protocol))
        .with_ip_id(Some(half(4)))
        .with_ttl(Some(fixed[8]));
    // Segmentation offload leaves a total length of 0. No total length below the header's length is valid.
    let total = match usize::from(half(2)) {
        total if total < header => data.len(),
        total => total,
    };
    let Some(behind) = data.get(header..) else {
        return Ok((&[], Some(Problem::TruncatedPacket)));
    };
    let cut = total > data.len();
    let behind = &behind[..behind.len().min(total - header)];
    let later_fragment = half(6) & 0x1fff > 0;
    let decoded = match protocol {
        AUTHENTICATION => authentication_header(packet, behind, later_fragment, cut),
        _ => transport(packet, behind, later_fragment, cut),
    };
    let dont_fragment = Some(half(6) & probe::DONT_FRAGMENT != 0);
    *packet = packet.with_probe(packet.probe().with_dont_fragment(dont_fragment));
    Ok(decoded)
}

/// IP protocol number of the authentication header (RFC 4302).
const AUTHENTICATION: u8 = 51;

/// Decodes an authentication header and the transport header behind it.
fn authentication_header<'a>(
    packet: &mut Packet,
    data: &'a [u8],
    later_fragment: bool,
    cut: bool,
) -> DecodedPayload<'a> {
    let length = |words: u8| (usize::from(words) + 2) * 4;
    match data {
        _ if later_fragment => transport(packet, data, later_fragment, cut),
        [protocol, words, ..] if data.len() >= length(*words) => {
            *packet = packet.with_protocol(Protocol::from_ip_number(*protocol));
            transport(packet, &data[length(*words)..], later_fragment, cut)
        }
        _ => (&[], Some(Problem::TruncatedPacket)),
    }
}

/// Decodes an IPv6 packet with its extension headers.
fn ipv6<'a>(data: &'a [u8], packet: &mut Packet) -> Result<DecodedPayload<'a>, Problem> {
    if data.len() < 40 {
        return Err(Problem::TruncatedPacket);
    }
    let (slice, stopped) = LaxIpv6Slice::from_slice(data).map_err(|_| Problem::MalformedHeader)?;
    let header = slice.header();
    let payload = slice.payload();
    *packet = Packet::new(
        IpAddr::V6(header.source_addr()),
        IpAddr::V6(header.destination_addr()),
        Protocol::from_ip_number(payload.ip_number.0),
    )
    .with_ttl(Some(header.hop_limit()));
    if stopped.is_some() {
        return Ok((payload.payload, Some(Problem::TruncatedPacket)));
    }
    let later_fragment = slice.extensions().clone().into_iter().any(|extension| {
        matches!(extension, etherparse::Ipv6ExtensionSlice::Fragment(fragment) if fragment.fragment_offset().value() > 0)
    });
    Ok(transport(packet, payload.payload, later_fragment, payload.incomplete))
}

/// IP protocol number of DCCP (RFC 4340).
const DCCP: u8 = 33;
/// IP protocol number of UDP-Lite (RFC 3828).
const UDP_LITE: u8 = 136;

/// Sets the fields of the transport header, as far as they were captured. Returns the payload behind it.
#[inline]
fn transport<'a>(packet: &mut Packet, data: &'a [u8], later_fragment: bool, cut: bool) -> DecodedPayload<'a> {
    if later_fragment {
        return (data, Some(Problem::LaterFragment));
    }
    let least = |header: usize| (data.len() >= header).then_some(header);
    let whole = match packet.protocol() {
        Protocol::Tcp => tcp(packet, data),
        Protocol::Udp => {
            set_ports(packet, data);
            let payload = data.get(8..);
            *packet = packet.with_probe(probe::udp(payload.unwrap_or_default(), payload.is_some() && !cut));
            least(8)
        }
        Protocol::Other(DCCP | UDP_LITE) => {
            set_ports(packet, data);
            least(8)
        }
        Protocol::Icmp | Protocol::Icmpv6 => {
            let icmp = data.first().map(|kind| IcmpKind { kind: *kind, code: data.get(1).copied() });
            *packet = packet.with_icmp(icmp);
            if let Some(kind) = icmp {
                probe::icmp(packet, kind.kind, data.get(4..).unwrap_or_default(), !cut);
            }
            least(4)
        }
        Protocol::Sctp => {
            set_ports(packet, data);
            least(12)
        }
        Protocol::Arp | Protocol::Other(_) => Some(0),
    };
    match whole {
        Some(header) => (&data[header..], None),
        // The header is too short because either the capture or the sender cut it.
        None if cut => (&[], Some(Problem::TruncatedPacket)),
        None => (&[], Some(Problem::MalformedHeader)),
    }
}

/// Sets the fields of a TCP header as far as they were captured. Returns the header's length in bytes if all
/// of it was captured.
#[inline]
fn tcp(packet: &mut Packet, data: &[u8]) -> Option<usize> {
    set_ports(packet, data);
    let sequence = data.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let flags = data.get(13).map(|flags| TcpFlags(*flags));
    *packet = packet.with_sequence(sequence).with_flags(flags).with_tcp_window(u16_at(data, 14));
    if flags.is_some_and(TcpFlags::opens) {
        *packet = packet.with_probe(ProbeHeader::new(ProbeKind::Syn));
    }
    let length = usize::from(data.get(12)? >> 4) * 4;
    let (fixed, behind) = data.split_first_chunk()?;
    let options = behind.get(..length.checked_sub(fixed.len())?)?;
    *packet = packet.with_probe(probe::tcp(fixed, options));
    Some(length)
}

#[inline]
fn set_ports(packet: &mut Packet, data: &[u8]) {
    *packet = packet.with_source_port(u16_at(data, 0)).with_destination_port(u16_at(data, 2));
}

#[inline]
fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    fn read(network: NetworkProtocol, data: &[u8]) -> Result<(Packet, Option<Problem>), Problem> {
        let mut packet = Packet::new([0; 4].into(), [0; 4].into(), Protocol::Arp);
        let (_, problem) = decode(network, data, &mut packet)?;
        Ok((packet, problem))
    }

    fn syn() -> Vec<u8> {
        let mut bytes = Vec::new();
        PacketBuilder::ipv4([10, 0, 0, 1], [192, 0, 2, 7], 64)
            .tcp(1061, 445, 99, 8192)
            .syn()
            .write(&mut bytes, &[])
            .unwrap();
        bytes
    }

    #[test]
    fn a_packet_gives_what_was_captured_of_it() {
        let whole = syn();
        for length in 0..=whole.len() {
            let Ok((packet, problem)) = read(NetworkProtocol::Ip, &whole[..length]) else {
                assert!(length < 20);
                continue;
            };
            assert_eq!(packet.source_port().is_some(), length >= 22, "{length}");
            assert_eq!(packet.destination_port(), (length >= 24).then_some(445), "{length}");
            assert_eq!(packet.flags().is_some(), length >= 34, "{length}");
            assert_eq!(problem.is_none(), length == whole.len(), "{length}");
        }
    }

    #[test]
    fn a_later_fragment_has_no_ports() {
        let mut bytes = syn();
        bytes[7] = 5;
        let (packet, problem) = read(NetworkProtocol::Ip, &bytes).unwrap();
        assert_eq!((packet.source_port(), problem), (None, Some(Problem::LaterFragment)));
    }

    #[test]
    fn arp_gives_sender_and_target() {
        let bytes = [0, 1, 8, 0, 6, 4, 0, 1, 1, 2, 3, 4, 5, 6, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 9];
        let (packet, _) = read(NetworkProtocol::Arp, &bytes).unwrap();
        assert_eq!((packet.source(), packet.destination()), ([10, 0, 0, 1].into(), [10, 0, 0, 9].into()));
        assert_eq!(read(NetworkProtocol::Arp, &bytes[..20]), Err(Problem::TruncatedPacket));
    }
}
