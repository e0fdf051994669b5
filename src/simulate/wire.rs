//! Writes packets as bytes: Ethernet frames with IPv4 or IPv6 and TCP, UDP or ICMP, including checksums, in a
//! pcap file.

use std::io::{self, Write};
use std::net::IpAddr;

use crate::packet::{Packet, Protocol, TcpFlags, Timestamp};

/// TCP options of a SYN: maximum segment size 1460 and selective acknowledgements, as Windows XP sends them.
pub(super) const SYN_OPTIONS: [u8; 8] = [2, 4, 5, 180, 1, 1, 4, 2];
/// Identifier of ICMP requests, as Windows XP sends it.
pub(super) const ICMP_ID: u16 = 512;
/// Destination and source of a frame: the sensor, and the router before it. Both addresses are locally
/// administered.
const ETHERNET: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
/// Snapshot length in the file header, in bytes.
const SNAPSHOT_LENGTH: u32 = 65_535;

/// Writes a pcap file: little-endian, times in microseconds, link type Ethernet.
pub struct PcapWriter<W> {
    out: W,
    frame: Vec<u8>,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file header.
    ///
    /// # Errors
    /// Returns an error if writing fails.
    pub fn new(mut out: W) -> io::Result<PcapWriter<W>> {
        for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, SNAPSHOT_LENGTH, 1] {
            out.write_all(&word.to_le_bytes())?;
        }
        Ok(PcapWriter { out, frame: Vec::with_capacity(128) })
    }

    /// Writes a packet. `options` adds the options of a SYN to a TCP header. A packet without a time gets
    /// 1970-01-01.
    ///
    /// # Errors
    /// Returns an error if writing fails.
    pub fn packet(&mut self, packet: &Packet, payload: &[u8], options: bool) -> io::Result<()> {
        let mut frame = std::mem::take(&mut self.frame);
        frame.clear();
        write_frame(&mut frame, packet, payload, options);
        let done = self.record(packet.time().unwrap_or_default(), &frame);
        self.frame = frame;
        done
    }

    fn record(&mut self, time: Timestamp, frame: &[u8]) -> io::Result<()> {
        let micros = time.0.div_euclid(1_000);
        let (seconds, rest) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let word = |number: i64| u32::try_from(number).unwrap_or(0);
        for word in [word(seconds), word(rest), length, length] {
            self.out.write_all(&word.to_le_bytes())?;
        }
        self.out.write_all(frame)
    }

    /// Returns the underlying writer.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// Appends an Ethernet frame. An ARP frame is a request and has no payload. For protocols other than TCP, UDP
/// and ICMP, the payload directly follows the IP header.
pub fn write_frame(frame: &mut Vec<u8>, packet: &Packet, payload: &[u8], options: bool) {
    frame.extend(ETHERNET);
    if packet.protocol() == Protocol::Arp {
        return arp(frame, packet);
    }
    let options: &[u8] = if options { &SYN_OPTIONS } else { &[] };
    let transport = match packet.protocol() {
        Protocol::Tcp => 20 + options.len(),
        Protocol::Udp | Protocol::Icmp | Protocol::Icmpv6 => 8,
        _ => 0,
    };
    let length = u16::try_from(transport + payload.len()).unwrap_or(u16::MAX);
    let pseudo = match (packet.source(), packet.destination()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            ipv4(frame, packet, length, from.octets(), to.octets());
            let ends = sum(&from.octets()) + sum(&to.octets());
            ends + u32::from(length) + u32::from(packet.protocol().number())
        }
        (from, to) => {
            let six = |address: IpAddr| match address {
                IpAddr::V4(four) => four.to_ipv6_mapped().octets(),
                IpAddr::V6(six) => six.octets(),
            };
            ipv6(frame, packet, length, six(from), six(to));
            sum(&six(from)) + sum(&six(to)) + u32::from(length) + u32::from(packet.protocol().number())
        }
    };
    let start = frame.len();
    let sum_at = match packet.protocol() {
        Protocol::Tcp => {
            tcp(frame, packet, options);
            Some(start + 16)
        }
        Protocol::Udp => {
            ports(frame, packet);
            frame.extend(length.to_be_bytes());
            frame.extend([0, 0]);
            Some(start + 6)
        }
        Protocol::Icmp | Protocol::Icmpv6 => {
            let icmp = packet.icmp().unwrap_or(crate::packet::IcmpKind { kind: 8, code: None });
            let id = packet.ip_id().unwrap_or(512);
            frame.extend([icmp.kind, icmp.code.unwrap_or(0), 0, 0]);
            frame.extend(ICMP_ID.to_be_bytes());
            frame.extend(id.to_be_bytes());
            Some(start + 2)
        }
        _ => None,
    };
    frame.extend(payload);
    if let Some(at) = sum_at {
        // Only the checksum of ICMP over IPv4 does not cover the addresses.
        let pseudo = if packet.protocol() == Protocol::Icmp { 0 } else { pseudo };
        let mut check = checksum(pseudo + sum(&frame[start..]));
        if packet.protocol() == Protocol::Udp && check == 0 {
            check = 0xffff;
        }
        frame[at..at + 2].copy_from_slice(&check.to_be_bytes());
    }
}

fn arp(frame: &mut Vec<u8>, packet: &Packet) {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (packet.source(), packet.destination()) else { return };
    frame[..6].fill(0xff);
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(&ETHERNET[6..]);
    frame.extend(from.octets());
    frame.extend([0; 6]);
    frame.extend(to.octets());
}

fn ipv4(frame: &mut Vec<u8>, packet: &Packet, length: u16, from: [u8; 4], to: [u8; 4]) {
    frame.extend([8, 0]);
    let start = frame.len();
    frame.extend([0x45, 0]);
    frame.extend(length.saturating_add(20).to_be_bytes());
    frame.extend(packet.ip_id().unwrap_or(0).to_be_bytes());
    // The "don't fragment" flag is set, as operating systems set it.
    frame.extend([0x40, 0, packet.ttl().unwrap_or(64), low_byte(packet.protocol()), 0, 0]);
    frame.extend(from);
    frame.extend(to);
    let check = checksum(sum(&frame[start..]));
    frame[start + 10..start + 12].copy_from_slice(&check.to_be_bytes());
}

fn ipv6(frame: &mut Vec<u8>, packet: &Packet, length: u16, from: [u8; 16], to: [u8; 16]) {
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    frame.extend(length.to_be_bytes());
    frame.extend([low_byte(packet.protocol()), packet.ttl().unwrap_or(64)]);
    frame.extend(from);
    frame.extend(to);
}

fn tcp(frame: &mut Vec<u8>, packet: &Packet, options: &[u8]) {
    let flags = packet.flags().unwrap_or(TcpFlags::SYN);
    ports(frame, packet);
    let sequence = packet.sequence().unwrap_or(0);
    frame.extend(sequence.to_be_bytes());
    let acknowledged = if flags.contains(TcpFlags::ACK) { sequence.rotate_left(13) | 1 } else { 0 };
    frame.extend(acknowledged.to_be_bytes());
    let words = u8::try_from(5 + options.len() / 4).unwrap_or(5);
    frame.extend([words << 4, flags.0]);
    frame.extend(packet.tcp_window().unwrap_or(65_535).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(options);
}

fn ports(frame: &mut Vec<u8>, packet: &Packet) {
    frame.extend(packet.source_port().unwrap_or(0).to_be_bytes());
    frame.extend(packet.destination_port().unwrap_or(0).to_be_bytes());
}

fn low_byte(protocol: Protocol) -> u8 {
    u8::try_from(protocol.number()).unwrap_or(0)
}

/// Returns the sum of the 16-bit words. A last odd byte is the upper byte of its word (RFC 1071).
fn sum(bytes: &[u8]) -> u32 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
    bytes.chunks(2).map(word).fold(0, u32::wrapping_add)
}

/// Folds a sum to 16 bits and inverts it.
fn checksum(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};

    use super::*;
    use crate::packet::IcmpKind;

    fn check(packet: &Packet, payload: &[u8], options: bool) {
        let mut frame = Vec::new();
        write_frame(&mut frame, packet, payload, options);
        let sliced = SlicedPacket::from_ethernet(&frame).unwrap();
        let Some(net) = sliced.net else { panic!("no network layer") };
        match (&net, sliced.transport.unwrap()) {
            (NetSlice::Ipv4(ip), transport) => {
                let header = ip.header().to_header();
                assert_eq!(header.header_checksum, header.calc_header_checksum());
                assert_eq!(usize::from(header.total_len), frame.len() - 14);
                let right = match &transport {
                    TransportSlice::Tcp(tcp) => {
                        tcp.to_header().calc_checksum_ipv4(&header, tcp.payload()).unwrap() == tcp.checksum()
                    }
                    TransportSlice::Udp(udp) => {
                        let expected = udp.to_header().calc_checksum_ipv4(&header, udp.payload()).unwrap();
                        expected == udp.checksum()
                    }
                    TransportSlice::Icmpv4(icmp) => {
                        icmp.icmp_type().calc_checksum(icmp.payload()) == icmp.checksum()
                    }
                    _ => false,
                };
                assert!(right, "{packet:?}");
            }
            (NetSlice::Ipv6(ip), transport) => {
                let header = ip.header().to_header();
                assert_eq!(usize::from(header.payload_length), frame.len() - 54);
                let right = match &transport {
                    TransportSlice::Tcp(tcp) => {
                        tcp.to_header().calc_checksum_ipv6(&header, tcp.payload()).unwrap() == tcp.checksum()
                    }
                    TransportSlice::Udp(udp) => {
                        let expected = udp.to_header().calc_checksum_ipv6(&header, udp.payload()).unwrap();
                        expected == udp.checksum()
                    }
                    TransportSlice::Icmpv6(icmp) => {
                        icmp.is_checksum_valid(ip.header().source(), ip.header().destination())
                    }
                    _ => false,
                };
                assert!(right, "{packet:?}");
            }
            _ => panic!("neither IPv4 nor IPv6"),
        }
    }

    #[test]
    fn lengths_and_checksums_are_those_of_another_parser() {
        let ends: [(IpAddr, IpAddr); 2] = [
            ([100, 64, 255, 254].into(), [10, 200, 0, 255].into()),
            ("2001:db8:ffff::1".parse().unwrap(), "2001:db8::ffff:2".parse().unwrap()),
        ];
        for (from, to) in ends {
            for (payload, number) in
                [(&b""[..], 0u32), (b"odd", 1), (b"even", 0xffff_ffff), (&[0xff; 301], 7)]
            {
                for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Icmp] {
                    let icmpv6 = protocol == Protocol::Icmp && from.is_ipv6();
                    let mut packet = Packet::new(from, to, if icmpv6 { Protocol::Icmpv6 } else { protocol });
                    packet = packet
                        .with_source_port(Some(65_535))
                        .with_destination_port(Some(445))
                        .with_sequence(Some(number))
                        .with_icmp(Some(IcmpKind { kind: if icmpv6 { 128 } else { 8 }, code: Some(0) }))
                        .with_ip_id(Some(u16::MAX));
                    check(&packet, payload, protocol == Protocol::Tcp && payload.is_empty());
                }
            }
        }
    }
}
