//! What reaches a dark block: hosts of families at work, and the traffic that every darknet sees.

use std::net::Ipv4Addr;

use crate::packet::{Packet, Protocol, TcpFlags};
use crate::sample::SplitMix64;

use super::conditions::Conditions;
use super::family::{EvaluationFamily, FamilyTargeting};
use super::probe_maker::ProbeMaker;
use super::victim::{EvaluationVictim, normal, public_address};

const DAY_SECONDS: f64 = 86_400.0;
/// Seconds for which a host asks a darknet where the conditions say nothing else.
const SHORT_VISIT_SECONDS: f64 = 300.0;
/// Maximum number of contacts of one host on one day.
const CONTACTS_MAX: usize = 2_000;

/// The dark prefix of a sensor.
#[derive(Clone, Copy)]
pub(super) struct DarkBlock {
    pub(super) first: u32,
    pub(super) bits: u8,
}

impl DarkBlock {
    pub(super) fn size(self) -> u32 {
        1 << (32 - self.bits)
    }

    /// How much of what comes upon the largest sensor comes upon this one: as many hosts an address, and of sweeps, as
    /// many starts from which one reaches it.
    pub(super) fn part(self, largest: DarkBlock, family: &EvaluationFamily) -> f64 {
        let reach = match family.targeting {
            FamilyTargeting::Uniform => 0,
            FamilyTargeting::Sweep { targets, stride } => targets * stride,
        };
        f64::from(self.size() + reach) / f64::from(largest.size() + reach)
    }
}

/// A family at work.
pub(super) struct Activity<'a> {
    pub(super) family: &'a EvaluationFamily,
    /// Hosts that the largest sensor sees a day at the height.
    pub(super) hosts: f64,
    /// First day; before the history for those that were always there.
    pub(super) first: i64,
    /// Days from the first to the height.
    pub(super) growth: f64,
    /// Number of hosts of the family. The hosts of a day are drawn from them, so that some come back.
    pub(super) population: u64,
    /// Its size by day, relative to what it would be without drift.
    pub(super) levels: Vec<f64>,
}

impl Activity<'_> {
    pub(super) fn hosts_on(&self, day: i64) -> f64 {
        let age = (day - self.first) as f64;
        let level = usize::try_from(day).ok().and_then(|day| self.levels.get(day)).copied().unwrap_or(1.0);
        if age < 0.0 { 0.0 } else { level * self.hosts * ((age + 1.0) / self.growth).min(1.0) }
    }
}

pub(super) fn poisson(mean: f64, random: &mut SplitMix64) -> u64 {
    let (mut count, mut left) = (0, mean);
    if mean <= 0.0 {
        return 0;
    }
    loop {
        left -= random.waiting_time(1.0);
        if left < 0.0 {
            return count;
        }
        count += 1;
    }
}

/// The packets of one host that comes upon the sensor some time of a day.
pub(super) fn visit(
    activity: &Activity<'_>,
    dark: DarkBlock,
    conditions: &Conditions,
    random: &mut SplitMix64,
    packets: &mut Vec<(f64, Packet)>,
) {
    let family = activity.family;
    let size = dark.size();
    let host = SplitMix64::from_name("host", family.number << 32 | random.below(activity.population)).bits();
    let host = Ipv4Addr::from(u32::try_from(host >> 32).unwrap_or(1) & 0x7fff_ffff | 0x0100_0000);
    let mut victim = EvaluationVictim::from_family(family, host.into(), random);
    if random.unit() < conditions.unmarked && matches!(victim.maker, ProbeMaker::Program { .. }) {
        // A variant of the same program that builds its probes in another way.
        victim.maker = ProbeMaker::draw_program(&mut SplitMix64::from_name("variant", family.number));
    }
    if conditions.rate_spread > 0.0 {
        victim.rate *= (conditions.rate_spread * normal(random)).exp();
    }
    let seconds = match conditions.active_hours {
        Some(hours) => random.waiting_time(1.0 / (hours * 3600.0)).min(DAY_SECONDS - 1_000.0),
        None => SHORT_VISIT_SECONDS,
    };
    let start = random.unit() * (DAY_SECONDS - seconds - 600.0);
    // A host whose lease ends goes on under another address.
    let moves = conditions.leases > 0.0 && random.unit() < conditions.leases;
    let other = Ipv4Addr::from(u32::from(host).wrapping_add(257) & 0x7fff_ffff | 0x0100_0000);
    let before = packets.len();
    match family.targeting {
        FamilyTargeting::Uniform => {
            // Addresses of the sensor among all that are asked, as long as the visit lasts.
            let hits = victim.rate * f64::from(size) / 4.29e9;
            let mut at = 0.0;
            let mut contacts = 0;
            while at < seconds && contacts < CONTACTS_MAX {
                contacts += 1;
                let target =
                    Ipv4Addr::from(dark.first + u32::try_from(random.below(size.into())).unwrap_or(0));
                victim.probe(family, start + at, target, random, packets);
                at += random.waiting_time(hits);
            }
        }
        FamilyTargeting::Sweep { targets, stride } => {
            let span = targets * stride;
            let offset = u32::try_from(random.below(u64::from(size + span))).unwrap_or(0);
            let first = dark.first + offset - span;
            let mut at = 0.0;
            for step in 0..targets {
                let target = first + step * stride;
                if (dark.first..dark.first + size).contains(&target) {
                    victim.probe(family, start + at, Ipv4Addr::from(target), random, packets);
                }
                at += random.waiting_time(victim.rate);
            }
        }
    }
    if moves {
        for (at, packet) in &mut packets[before..] {
            if *at > start + seconds / 2.0 {
                *packet = packet.with_source(other.into());
            }
        }
    }
}

/// What every darknet sees: single packets to any port, answers to floods, now and then somebody who asks everybody.
pub(super) fn background(
    dark: DarkBlock,
    (burst, storm): (bool, bool),
    conditions: &Conditions,
    random: &mut SplitMix64,
    packets: &mut Vec<(f64, Packet)>,
) {
    let size = u64::from(dark.size());
    let mut send =
        |at: f64, host: Ipv4Addr, flags: Option<u8>, ports: (u16, u16), random: &mut SplitMix64| {
            let target = Ipv4Addr::from(dark.first + u32::try_from(random.below(size)).unwrap_or(0));
            let protocol = if flags.is_some() { Protocol::Tcp } else { Protocol::Udp };
            let packet = Packet::new(host.into(), target.into(), protocol)
                .with_source_port(Some(ports.0))
                .with_destination_port(Some(ports.1))
                .with_flags(flags.map(TcpFlags));
            let host = u64::from(u32::from(host));
            // Backscatter is built by servers, and is no probe.
            let packet = match flags.is_none_or(|flags| TcpFlags(flags).opens()) {
                true => background_maker(host).build(packet, host, low_bits(host), random),
                false => packet,
            };
            packets.push((at, packet));
        };
    const PROBED_PORTS: [u16; 10] = [22, 23, 80, 135, 443, 445, 1433, 3389, 5900, 8080];
    for _ in 0..poisson(15.0, random) {
        let (at, host) = (random.unit() * DAY_SECONDS, public_address(random));
        let any = u16::try_from(random.below(65_536)).unwrap_or(0);
        let port = if random.below(2) == 0 { *random.choose(&PROBED_PORTS).unwrap_or(&22) } else { any };
        let flags = (random.below(5) > 0).then_some(2);
        send(at, host, flags, (1_024 | any, port), random);
    }
    for _ in 0..poisson(4.0, random) {
        let (at, host) = (random.unit() * DAY_SECONDS, public_address(random));
        for _ in 0..1 + random.below(4) {
            let port = u16::try_from(1_024 + random.below(60_000)).unwrap_or(0);
            send(at + random.unit(), host, Some(0x12), (80, port), random);
        }
    }
    if storm {
        // Many hosts, each with a packet or two to one port.
        let port = *random.choose(&PROBED_PORTS).unwrap_or(&22);
        for _ in 0..poisson(200.0, random) {
            let (at, host) = (random.unit() * DAY_SECONDS, public_address(random));
            send(at, host, Some(2), (50_000, port), random);
        }
    }
    let surveys = conditions.surveys + u64::from(burst || random.below(15) == 0);
    for _ in 0..surveys {
        // A survey: one source port, one packet an address.
        let (at, host, port) =
            (random.unit() * 80_000.0, public_address(random), *random.choose(&PROBED_PORTS).unwrap_or(&22));
        for number in 0..size.min(200) {
            send(at + number as f64 * 0.01, host, Some(2), (40_000, port), random);
        }
    }
}

/// What builds the probes of a host that is of no family.
fn background_maker(host: u64) -> ProbeMaker {
    let mut random = SplitMix64::from_name("background", host);
    match random.below(4) {
        0 => ProbeMaker::Windows,
        1 => ProbeMaker::Linux,
        _ => ProbeMaker::draw_program(&mut random),
    }
}

/// A payload of a host that is of no family: one of many.
fn low_bits(host: u64) -> u32 {
    u32::try_from(host % 97).unwrap_or(0)
}
