//! How the hosts of a world build their probes.

use crate::packet::{Packet, PayloadDigest, ProbeHeader, ProbeKind, TcpFlags, TcpOptions, UnusedFields};
use crate::sample::SplitMix64;

/// A field that a program fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProgramField {
    /// Always this number.
    Fixed(u32),
    /// A number for each host, chosen when it starts.
    PerHost,
    /// Another number for each probe.
    PerProbe,
    /// The destination address.
    Destination,
}

/// What builds probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProbeMaker {
    /// The stack of Windows.
    Windows,
    /// The stack of Linux.
    Linux,
    /// The program itself.
    Program {
        /// Initial TTL.
        ttl: u8,
        /// TCP window.
        window: ProgramField,
        /// IP identification.
        ip_id: ProgramField,
        /// TCP sequence number.
        sequence: ProgramField,
    },
}

impl ProbeMaker {
    /// Draws the way in which a family with raw sockets builds its probes. Public scanners and the published sources of
    /// bots have all of these choices (ZMap, masscan, Mirai, and the raw sockets of older worms).
    pub(super) fn draw_program(random: &mut SplitMix64) -> ProbeMaker {
        const WINDOWS: [u32; 6] = [1_024, 5_840, 14_600, 16_384, 29_200, 65_535];
        let window = match random.below(10) {
            0..5 => ProgramField::Fixed(random.choose(&WINDOWS).copied().unwrap_or(1_024)),
            5..8 => ProgramField::PerHost,
            _ => ProgramField::PerProbe,
        };
        let ip_id = match random.below(10) {
            0..2 => ProgramField::Fixed(random.choose(&[0, 256, 54_321]).copied().unwrap_or(0)),
            2..4 => ProgramField::PerHost,
            _ => ProgramField::PerProbe,
        };
        let sequence = match random.below(4) {
            0 => ProgramField::Destination,
            1 => ProgramField::PerHost,
            _ => ProgramField::PerProbe,
        };
        let ttl = *random.choose(&[64, 64, 64, 128, 255, 255]).unwrap_or(&64);
        ProbeMaker::Program { ttl, window, ip_id, sequence }
    }

    /// Adds the header of a probe. `host` is a number of its own for each host.
    pub(super) fn build(self, packet: Packet, host: u64, payload: u32, random: &mut SplitMix64) -> Packet {
        let hops = u8::try_from(6 + host % 16).unwrap_or(6);
        let (ttl, dont_fragment, options) = match self {
            ProbeMaker::Windows => (128, true, &[2, 4, 5, 180, 1, 1, 4, 2][..]),
            ProbeMaker::Linux => {
                let options = &[2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7][..];
                (64, true, options)
            }
            ProbeMaker::Program { ttl, .. } => (ttl, false, &[][..]),
        };
        let destination = match packet.destination() {
            std::net::IpAddr::V4(address) => u32::from(address),
            std::net::IpAddr::V6(_) => 0,
        };
        let mut number = |field: ProgramField, salt: u64| match field {
            ProgramField::Fixed(number) => number,
            ProgramField::PerHost => low(host.wrapping_add(salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32),
            ProgramField::PerProbe => low(random.bits()),
            ProgramField::Destination => destination,
        };
        let (window, ip_id, sequence) = match self {
            ProbeMaker::Windows => {
                (65_535, number(ProgramField::PerProbe, 0), number(ProgramField::PerProbe, 0))
            }
            ProbeMaker::Linux => {
                (29_200, number(ProgramField::PerProbe, 0), number(ProgramField::PerProbe, 0))
            }
            ProbeMaker::Program { window, ip_id, sequence, .. } => {
                (number(window, 1), number(ip_id, 2), number(sequence, 3))
            }
        };
        let packet = packet.with_ttl(Some(ttl - hops)).with_ip_id(Some(low_half(ip_id)));
        let (packet, header) = if packet.flags().is_some_and(TcpFlags::opens) {
            let options = TcpOptions::parse(options);
            let packet = packet.with_tcp_window(Some(low_half(window))).with_sequence(Some(sequence));
            (packet, ProbeHeader::syn(options, UnusedFields::Empty))
        } else {
            let payload = PayloadDigest { length: 20 + low_half(payload % 40), hash: Some(payload) };
            (packet, ProbeHeader::new(ProbeKind::Datagram).with_payload(payload))
        };
        packet.with_probe(header.with_dont_fragment(Some(dont_fragment)))
    }
}

fn low(number: u64) -> u32 {
    u32::try_from(number & 0xffff_ffff).unwrap_or(0)
}

fn low_half(number: u32) -> u16 {
    u16::try_from(number & 0xffff).unwrap_or(0)
}
