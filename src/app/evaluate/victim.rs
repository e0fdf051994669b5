//! One victim at work: the packets that it sends to some targets, whether a sensor or a sandbox sees them.

use std::net::{IpAddr, Ipv4Addr};

use crate::packet::{Packet, Timestamp};
use crate::sample::SplitMix64;

use super::family::EvaluationFamily;
use super::probe_maker::ProbeMaker;

/// A victim's system and luck.
#[derive(Clone, Debug)]
pub(super) struct EvaluationVictim {
    pub(super) host: IpAddr,
    pub(super) rate: f64,
    pub(super) retries: Vec<f64>,
    /// What builds its probes.
    pub(super) maker: ProbeMaker,
    /// A number of its own.
    pub(super) seed: u64,
    next_port: u16,
}

/// Two numbers whose mean is 0 and whose deviation is 1 (Box and Muller), of which one is enough.
pub(super) fn normal(random: &mut SplitMix64) -> f64 {
    let (a, b) = (1.0 - random.unit(), random.unit());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

impl EvaluationVictim {
    /// A victim of a family.
    pub(super) fn from_family(
        family: &EvaluationFamily,
        host: IpAddr,
        random: &mut SplitMix64,
    ) -> EvaluationVictim {
        let other = random.unit() < family.other_share;
        EvaluationVictim {
            host,
            rate: family.rate * (family.rate_spread * normal(random)).exp(),
            retries: if other { &family.other_retries } else { &family.retries }.clone(),
            maker: if other { family.other_maker } else { family.maker },
            seed: random.bits(),
            next_port: 1_024 + u16::try_from(random.below(30_000)).unwrap_or(0),
        }
    }

    /// The packets to a target first asked at a time in seconds.
    pub(super) fn probe(
        &mut self,
        family: &EvaluationFamily,
        at: f64,
        target: Ipv4Addr,
        random: &mut SplitMix64,
        packets: &mut Vec<(f64, Packet)>,
    ) {
        for port in family.ports_of_target(random) {
            if !family.raw {
                self.next_port = self.next_port.checked_add(1).unwrap_or(1_024);
            }
            let packet = Packet::new(self.host, IpAddr::V4(target), family.protocol)
                .with_source_port(Some(self.next_port))
                .with_destination_port(Some(port))
                .with_flags(family.flags());
            let packet = self.maker.build(packet, self.seed, family.payload, random);
            packets.push((at, packet));
            packets.extend(self.retries.iter().map(|after| (at + after + 0.02 * random.unit(), packet)));
        }
    }
}

/// An address like those of the Internet.
pub(super) fn public_address(random: &mut SplitMix64) -> Ipv4Addr {
    loop {
        let address = Ipv4Addr::from(u32::try_from(random.below(1 << 32)).unwrap_or(0));
        let [first, ..] = address.octets();
        if !matches!(first, 0 | 10 | 127 | 172 | 192 | 203 | 224..=255) {
            return address;
        }
    }
}

/// Packets in time order with their times, `start` seconds since 1970 later.
pub(super) fn with_times(packets: &[(f64, Packet)], start: f64) -> Vec<Packet> {
    // Places are sorted: packets are large, and moving them takes longer than comparing their times.
    let mut order: Vec<(f64, usize)> = packets.iter().zip(0..).map(|((at, _), place)| (*at, place)).collect();
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let dated = order.into_iter().map(|(at, place)| packets[place].1.with_time(Some(timestamp(start + at))));
    dated.collect()
}

#[expect(clippy::cast_possible_truncation, reason = "seconds of this century, in nanoseconds")]
pub(super) fn timestamp(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1e9) as i64)
}
