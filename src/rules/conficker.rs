//! The ports at which Conficker.D (SRI's Conficker C) listens for its peers and probes for them.
//!
//! The ports are derived from the address and the week. The algorithm is published: Porras, Saidi,
//! Yegneswaran, "Conficker C P2P Protocol and Implementation", SRI International 2009, and Symantec's version
//! of it in nmap's script `p2p-conficker`.

use std::net::{IpAddr, Ipv4Addr};

use crate::packet::{Packet, Protocol, TcpFlags, Timestamp};

const SECONDS_PER_WEEK: i64 = 7 * 86_400;
/// Start of week 0, 1970-01-05 00:00 UTC, in seconds since the epoch. Weeks begin on Mondays.
const FIRST_MONDAY: i64 = 4 * 86_400;
/// Within this time of the turn of the week the ports of both weeks match, because clocks differ.
const CLOCKS_DIFFER_SECONDS: i64 = 15 * 60;
/// The multiplier of the generator, known from old C libraries.
const MULTIPLIER: u64 = 0x015a_4e35;
/// Number of draws for a pair of ports.
const DRAWS: u32 = 10;
/// Ports that are never chosen, in blocks of 32: bit n of word w stands for the ports from 1024 w + 32 n on.
/// They include all ports below 2048 and most ports that services of the time used.
#[rustfmt::skip]
const AVOIDED: [u32; 64] = [
    0xffff_ffff, 0xffff_ffff, 0xf0f6_bfbb, 0xbb5a_5ff3, 0xf397_7011, 0xeb67_bfbf, 0x5f9b_fac8, 0x34d8_8091,
    0x1e22_82df, 0x5734_02c4, 0xc000_0084, 0x0300_0209, 0x0160_0002, 0x0000_5000, 0x8010_00c0, 0x0050_0040,
    0x0000_00a1, 0x0100_0000, 0x0100_0000, 0x0002_2a20, 0x0000_0080, 0x0400_0000, 0x4002_0000, 0x8800_0000,
    0x0000_0180, 0x0008_1000, 0x0880_1900, 0x0080_0b81, 0x0000_0280, 0x0800_02c0, 0x00a8_0000, 0x0000_8000,
    0x0010_0040, 0x0010_0000, 0, 0, 0x1000_0008, 0, 0, 0x0000_0004,
    0x0000_0002, 0, 0x0004_0000, 0, 0, 0, 0x0041_0000, 0x8200_0000,
    0, 0, 0x0000_0001, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0x0000_0008, 0x8000_0000,
];

/// Returns the ports of an address in a week (see [`conficker_d_week`]): TCP, UDP, TCP, UDP. The first two
/// are the same in every week.
#[must_use]
pub fn conficker_d_ports(address: Ipv4Addr, week: u32) -> [u16; 4] {
    let mut generator = Generator::for_address(address);
    let [tcp, udp] = generator.pair();
    generator.0 ^= week;
    let [tcp_of_week, udp_of_week] = generator.pair();
    [tcp, udp, tcp_of_week, udp_of_week]
}

/// Returns the number of the week of a moment. Weeks begin on Mondays at 00:00 UTC; week 0 is that of
/// 1970-01-05. Earlier moments also yield 0.
#[must_use]
pub fn conficker_d_week(at: Timestamp) -> u32 {
    week_of(since_first_monday(at))
}

fn since_first_monday(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000_000_000) - FIRST_MONDAY
}

fn week_of(seconds: i64) -> u32 {
    u32::try_from(seconds.div_euclid(SECONDS_PER_WEEK)).unwrap_or(0)
}

/// Returns whether a packet probes for a peer: a SYN or a datagram to a port that its destination has in the
/// week of the packet. If the packet has no time, only the ports that are the same in every week match. A
/// packet to a random high port matches about three times in 100,000.
pub(super) fn is_peer_probe(packet: &Packet) -> bool {
    let place = match packet.protocol() {
        Protocol::Tcp if packet.flags().is_none_or(TcpFlags::opens) => 0,
        Protocol::Udp => 1,
        _ => return false,
    };
    let (IpAddr::V4(address), Some(port)) = (packet.destination(), packet.destination_port()) else {
        return false;
    };
    if is_avoided(port) {
        return false;
    }
    let mut generator = Generator::for_address(address);
    if generator.pair()[place] == port {
        return true;
    }
    let Some(time) = packet.time() else { return false };
    let seconds = since_first_monday(time);
    let of_week = |week: u32| Generator(generator.0 ^ week).pair()[place] == port;
    let turn = seconds.rem_euclid(SECONDS_PER_WEEK);
    of_week(week_of(seconds))
        || turn < CLOCKS_DIFFER_SECONDS && of_week(week_of(seconds - CLOCKS_DIFFER_SECONDS))
        || turn >= SECONDS_PER_WEEK - CLOCKS_DIFFER_SECONDS
            && of_week(week_of(seconds + CLOCKS_DIFFER_SECONDS))
}

fn is_avoided(port: u16) -> bool {
    let block = u32::from(port >> 5);
    AVOIDED[usize::from(port >> 10)] >> (block & 31) & 1 == 1
}

/// A linear congruential generator modulo 2^32. Draws use the upper half of the 64-bit product.
struct Generator(u32);

impl Generator {
    fn for_address(address: Ipv4Addr) -> Generator {
        Generator(!u32::from_le_bytes(address.octets()))
    }

    /// Draws two ports, alternately folding ten draws into them, until they differ and neither is avoided.
    /// One round suffices three times in four.
    #[expect(clippy::cast_possible_truncation, reason = "the algorithm takes lower halves")]
    fn pair(&mut self) -> [u16; 2] {
        let mut ports = [0, 0];
        loop {
            for draw in 0..DRAWS {
                let product = u64::from(self.0) * MULTIPLIER + 1;
                let [low, high] = [product as u32, (product >> 32) as u32];
                self.0 = low;
                ports[(draw & 1) as usize] ^= (high >> draw) as u16;
            }
            if ports[0] != ports[1] && !ports.iter().any(|port| is_avoided(*port)) {
                return ports;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output of nmap's script for hosts whose address and day of scan were published with it (write-ups
    /// of public training machines). The script prints TCP, TCP, UDP, UDP; the order within a protocol has no
    /// meaning. The last two days, a Thursday and a Friday, distinguish weeks that begin on Mondays from
    /// weeks that begin on Thursdays, as the epoch does.
    const PUBLISHED: [(&str, &str, [u16; 4]); 7] = [
        ("10.10.11.16", "2024-05-15T22:57:38Z", [64_857, 37_138, 48_381, 52_237]),
        ("10.201.28.141", "2025-09-01T08:25:57Z", [3602, 13_469, 60_407, 22_839]),
        ("10.129.156.112", "2023-07-25T16:46:00Z", [39_536, 65_329, 22_132, 35_934]),
        ("10.10.10.74", "2024-08-15T02:35:23Z", [38_735, 29_086, 64_306, 24_012]),
        ("10.10.11.236", "2024-03-13T10:41:00Z", [4401, 18_973, 12_164, 30_748]),
        ("10.10.54.157", "2021-10-07T17:33:22Z", [19_166, 33_952, 47_082, 33_360]),
        ("10.10.11.187", "2023-01-20T08:27:25Z", [32_072, 9373, 42_948, 44_855]),
    ];

    #[test]
    fn ports_are_those_that_nmaps_script_published() {
        for (address, time, mut printed) in PUBLISHED {
            let [tcp, udp, tcp_of_week, udp_of_week] =
                conficker_d_ports(address.parse().unwrap(), conficker_d_week(time.parse().unwrap()));
            let mut ports = [tcp, tcp_of_week, udp, udp_of_week];
            for pairs in [&mut ports, &mut printed] {
                pairs[..2].sort_unstable();
                pairs[2..].sort_unstable();
            }
            assert_eq!(ports, printed, "{address}");
        }
    }

    #[test]
    fn weeks_begin_on_mondays() {
        let week = |time: &str| conficker_d_week(time.parse().unwrap());
        assert_eq!(week("1970-01-05T00:00:00Z"), 0);
        assert_eq!(week("1969-01-01T00:00:00Z"), 0);
        assert_eq!(week("2009-03-08T23:59:59Z") + 1, week("2009-03-09T00:00:00Z"));
    }

    #[test]
    fn a_packet_asks_for_a_peer_by_protocol_port_and_week() {
        let address: Ipv4Addr = "192.0.2.77".parse().unwrap();
        let monday: Timestamp = "2009-03-16T00:00:00Z".parse().unwrap();
        let week = conficker_d_week(monday);
        let packet = |protocol, port, minutes: i64| {
            let mut packet = Packet::new([10, 0, 0, 1].into(), address.into(), protocol);
            packet = packet
                .with_destination_port(Some(port))
                .with_flags((protocol == Protocol::Tcp).then_some(TcpFlags(2)))
                .with_time(Some(monday.plus_nanoseconds(minutes * 60_000_000_000)));
            packet
        };
        let [tcp, udp, tcp_of_week, udp_of_week] = conficker_d_ports(address, week);
        let asks = |protocol, port, minutes| is_peer_probe(&packet(protocol, port, minutes));
        assert!([tcp, tcp_of_week].iter().all(|port| asks(Protocol::Tcp, *port, 100)));
        assert!([udp, udp_of_week].iter().all(|port| asks(Protocol::Udp, *port, 100)));
        assert!(!asks(Protocol::Udp, tcp, 100) && !asks(Protocol::Tcp, udp, 100));
        assert!(asks(Protocol::Udp, udp_of_week, -10), "the other host's clock may be ahead");
        assert!(!asks(Protocol::Udp, udp_of_week, -20), "last week it was another");
        let answer = packet(Protocol::Tcp, tcp, 100).with_flags(Some(TcpFlags(0x12)));
        assert!(!is_peer_probe(&answer));
        let timeless = |port| is_peer_probe(&packet(Protocol::Udp, port, 0).with_time(None));
        assert!(timeless(udp) && !timeless(udp_of_week));
        let by_chance = (2048..=u16::MAX).filter(|port| asks(Protocol::Udp, *port, 100)).count();
        assert_eq!(by_chance, 2);
    }
}
