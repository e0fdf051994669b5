//! A fast path for the most common packet of a telescope: complete IPv4 without options, not a later
//! fragment, in Ethernet without tags.
//!
//! All fields of such a packet have fixed offsets, so decoding takes a third of the time of `link` and
//! `header`. Any other frame is left to these. A property test compares the results of the two paths.

use std::net::Ipv4Addr;

use crate::packet::{IcmpKind, Packet, Protocol, TcpFlags, Timestamp};

use super::probe;

/// Length of an Ethernet header, in bytes.
const ETHERNET: usize = 14;
/// Length of an IPv4 header without options, in bytes.
const IPV4: usize = 20;

/// Decodes a frame into `packet` and returns its payload. Returns `None`, without changing `packet`, for a
/// frame that this path does not handle.
#[inline]
pub(super) fn decode<'a>(frame: &'a [u8], time: Option<Timestamp>, packet: &mut Packet) -> Option<&'a [u8]> {
    let head: &[u8; ETHERNET + IPV4] = frame.first_chunk()?;
    let half = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let is_whole_ipv4 = half(12) == 0x0800 && head[14] == 0x45 && half(20) & 0x1fff == 0;
    let data = frame.get(ETHERNET + IPV4..ETHERNET + usize::from(half(16)))?;
    if !is_whole_ipv4 {
        return None;
    }
    let address = |at: usize| Ipv4Addr::new(head[at], head[at + 1], head[at + 2], head[at + 3]).into();
    let of = |protocol| {
        Packet::new(address(26), address(30), protocol)
            .with_time(time)
            .with_ip_id(Some(half(18)))
            .with_ttl(Some(head[22]))
    };
    let dont_fragment = Some(half(20) & probe::DONT_FRAGMENT != 0);
    match head[23] {
        6 => {
            let fixed: &[u8; 20] = data.first_chunk()?;
            let half = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
            let header = usize::from(fixed[12] >> 4) * 4;
            let payload = data.get(header..).filter(|_| header >= fixed.len())?;
            let probe = probe::tcp(fixed, &data[fixed.len()..header]);
            *packet = of(Protocol::Tcp)
                .with_source_port(Some(half(0)))
                .with_destination_port(Some(half(2)))
                .with_flags(Some(TcpFlags(fixed[13])))
                .with_sequence(Some(u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]])))
                .with_tcp_window(Some(half(14)))
                .with_probe(probe.with_dont_fragment(dont_fragment));
            Some(payload)
        }
        17 => {
            let ([a, b, c, d, ..], payload) = data.split_first_chunk::<8>()?;
            *packet = of(Protocol::Udp)
                .with_source_port(Some(u16::from_be_bytes([*a, *b])))
                .with_destination_port(Some(u16::from_be_bytes([*c, *d])))
                .with_probe(probe::udp(payload, true).with_dont_fragment(dont_fragment));
            Some(payload)
        }
        1 => {
            let ([kind, code, ..], payload) = data.split_first_chunk::<4>()?;
            *packet = of(Protocol::Icmp).with_icmp(Some(IcmpKind { kind: *kind, code: Some(*code) }));
            probe::icmp(packet, *kind, payload, true);
            *packet = packet.with_probe(packet.probe().with_dont_fragment(dont_fragment));
            Some(payload)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::super::{header, link};
    use super::*;

    /// Generates a frame of a common kind, and damages it.
    fn frames() -> impl Strategy<Value = Vec<u8>> {
        let kind = prop::sample::select(vec![6u8, 17, 1, 2]);
        let damage = prop::collection::vec((0..60usize, any::<u8>()), 0..3);
        (kind, prop::collection::vec(any::<u8>(), 80), 34..80usize, damage).prop_map(
            |(kind, mut frame, length, damage)| {
                frame[12..15].copy_from_slice(&[8, 0, 0x45]);
                frame[16..18].copy_from_slice(&u16::try_from(length - 14).unwrap().to_be_bytes());
                frame[20..22].copy_from_slice(&[0x40, 0]);
                frame[23] = kind;
                frame[46] = 0x50;
                for (at, byte) in damage {
                    frame[at] = byte;
                }
                frame.truncate(length + usize::from(frame[0] % 4));
                frame
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_usual_is_read_as_all_else_is(frame in frames()) {
            let nowhere = IpAddr::from([0; 4]);
            let blank = Packet::new(nowhere, nowhere, Protocol::Arp);
            let (mut quick, mut thorough) = (blank, blank);
            match decode(&frame, None, &mut quick) {
                None => prop_assert_eq!(quick, blank),
                Some(payload) => {
                    let (network, data) = link::strip(1, &frame).unwrap();
                    let decoded = header::decode(network, data, &mut thorough);
                    prop_assert_eq!(decoded, Ok((payload, None)));
                    prop_assert_eq!(quick, thorough);
                }
            }
        }
    }

    #[test]
    fn usual_packets_are_taken() {
        for (kind, least) in [(6, 54), (17, 42), (1, 38)] {
            let mut frame = vec![0u8; least];
            frame[12..15].copy_from_slice(&[8, 0, 0x45]);
            frame[16..18].copy_from_slice(&u16::try_from(least - 14).unwrap().to_be_bytes());
            frame[23] = kind;
            if kind == 6 {
                frame[46] = 0x50;
            }
            let mut packet = Packet::new([0; 4].into(), [0; 4].into(), Protocol::Arp);
            assert_eq!(decode(&frame, None, &mut packet), Some(&[][..]), "{kind}");
            assert_eq!(decode(&frame[..least - 1], None, &mut packet), None, "{kind}");
        }
    }
}
