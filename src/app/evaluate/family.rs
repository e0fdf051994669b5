//! Malware families drawn by lot: how each scans, in its own words. Nothing here knows how projections are made.

use crate::packet::{Protocol, TcpFlags};
use crate::sample::SplitMix64;

use super::probe_maker::ProbeMaker;

/// A way to pick targets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum FamilyTargeting {
    /// Anywhere.
    Uniform,
    /// Neighbours one after the other, so many from a start anywhere, a stride apart.
    Sweep { targets: u32, stride: u32 },
}

/// Which family drawing lots from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FamilySet {
    /// Families that thresholds are chosen with.
    Training,
    /// Families that figures are reported of.
    Reporting,
}

/// A family.
#[derive(Clone, Debug)]
pub(super) struct EvaluationFamily {
    pub(super) number: u64,
    /// Ports with weights; one is drawn for each target, unless all are asked.
    pub(super) ports: Vec<(u16, u64)>,
    pub(super) all_ports: bool,
    pub(super) protocol: Protocol,
    pub(super) targeting: FamilyTargeting,
    /// Seconds after the first packet at which a silent target is asked again, by the system of most victims.
    pub(super) retries: Vec<f64>,
    /// Of other systems.
    pub(super) other_retries: Vec<f64>,
    /// Share of victims with another system.
    pub(super) other_share: f64,
    /// One source port for all, as raw sockets do.
    pub(super) raw: bool,
    /// What builds the probes of most victims.
    pub(super) maker: ProbeMaker,
    /// What builds those of victims with another system.
    pub(super) other_maker: ProbeMaker,
    /// What stands for the payload of its datagrams.
    pub(super) payload: u32,
    /// New targets a second of a usual victim.
    pub(super) rate: f64,
    /// Natural logarithm's deviation of the rate over victims.
    pub(super) rate_spread: f64,
}

/// Ports that half of all scanning goes to.
const POPULAR: [u16; 8] = [22, 23, 80, 445, 1433, 3389, 5900, 8080];
/// Other ports, those of the training families and those of the reporting ones.
const OTHER: [[u16; 24]; 2] = [
    [
        21, 25, 110, 135, 139, 143, 1080, 1723, 2967, 3127, 3306, 4899, 5000, 6000, 6129, 6660, 8000, 8081,
        8888, 9090, 9415, 10_000, 12_345, 27_977,
    ],
    [
        113, 161, 389, 1025, 2745, 3410, 5060, 5432, 5554, 5555, 5984, 6379, 7001, 7547, 8443, 9000, 9200,
        11_211, 17_185, 27_017, 32_764, 37_215, 52_869, 60_001,
    ],
];
/// Retries of systems.
const WINDOWS: [f64; 2] = [3.0, 9.0];
const LINUX: [f64; 4] = [1.0, 3.0, 7.0, 15.0];

impl EvaluationFamily {
    /// The family of a number; each half has its own.
    pub(super) fn draw(half: FamilySet, number: u64) -> EvaluationFamily {
        let (name, side) = match half {
            FamilySet::Training => ("training family", 0),
            FamilySet::Reporting => ("reporting family", 1),
        };
        let mut random = SplitMix64::from_name(name, number);
        let is_udp = random.below(8) == 0;
        let raw = is_udp || random.below(4) == 0;
        let ports = ports(side, &mut random);
        let (retries, other_retries) = retries(raw, &mut random);
        let aim = match random.below(3) {
            0 => FamilyTargeting::Sweep {
                targets: 20 + u32::try_from(random.below(3).pow(2) * 80 + random.below(200)).unwrap_or(0),
                stride: 1 + u32::try_from(random.below(4) / 3).unwrap_or(0),
            },
            _ => FamilyTargeting::Uniform,
        };
        let (maker, other_maker) = makers(raw, &retries, &mut random);
        EvaluationFamily {
            number,
            maker,
            other_maker,
            payload: payload(&mut random),
            all_ports: ports.len() > 1 && random.below(2) == 0,
            ports,
            protocol: if is_udp { Protocol::Udp } else { Protocol::Tcp },
            targeting: aim,
            retries,
            other_retries,
            other_share: random.unit() * 0.2,
            raw,
            rate: (0.5f64.ln() + random.unit() * 5.0).exp(),
            rate_spread: 0.2 + random.unit() * 0.5,
        }
    }

    /// Returns another family, of the given number, that scans as this one does. It has a builder of probes of its own.
    pub(super) fn unknown_twin(&self, number: u64) -> EvaluationFamily {
        let mut random = SplitMix64::from_name("twin", number);
        let (maker, other_maker) = makers(self.raw, &self.retries, &mut random);
        EvaluationFamily { number, maker, other_maker, payload: payload(&mut random), ..self.clone() }
    }

    pub(super) fn flags(&self) -> Option<TcpFlags> {
        (self.protocol == Protocol::Tcp).then_some(TcpFlags::SYN)
    }

    /// The ports that one target is asked on.
    pub(super) fn ports_of_target(&self, random: &mut SplitMix64) -> Vec<u16> {
        if self.all_ports {
            return self.ports.iter().map(|(port, _)| *port).collect();
        }
        let all: u64 = self.ports.iter().map(|(_, weight)| weight).sum();
        let mut at = random.below(all);
        let drawn = self.ports.iter().find(|(_, weight)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        vec![drawn.map_or(0, |(port, _)| *port)]
    }
}

/// One port, or with one in four two or three.
fn ports(side: usize, random: &mut SplitMix64) -> Vec<(u16, u64)> {
    let count = if random.below(4) == 0 { 2 + random.below(2) } else { 1 };
    let mut ports: Vec<(u16, u64)> = Vec::new();
    for _ in 0..count {
        let of: &[u16] = if random.below(2) == 0 { &POPULAR } else { &OTHER[side] };
        let port = random.choose(of).copied().unwrap_or(445);
        if ports.iter().all(|(known, _)| *known != port) {
            ports.push((port, 1 + random.below(5)));
        }
    }
    ports
}

/// When a family's usual victims send again, and when victims of another system do.
fn retries(raw: bool, random: &mut SplitMix64) -> (Vec<f64>, Vec<f64>) {
    match random.below(6) {
        0..=1 if !raw => (WINDOWS.to_vec(), LINUX.to_vec()),
        2..=3 if !raw => (LINUX.to_vec(), WINDOWS.to_vec()),
        // Programs that send or give up by their own clock, whatever the system.
        4 => {
            let mut at = 0.0;
            let mut next = || {
                at += 0.3 + 5.0 * random.unit();
                at
            };
            let own = [next(), next(), next()];
            let count = usize::try_from(1 + random.below(3)).unwrap_or(1);
            (own[..count].to_vec(), own[..count].to_vec())
        }
        _ => (Vec::new(), Vec::new()),
    }
}

/// What builds the probes of a family's usual victims, and of those with another system.
fn makers(raw: bool, retries: &[f64], random: &mut SplitMix64) -> (ProbeMaker, ProbeMaker) {
    if raw {
        let maker = ProbeMaker::draw_program(random);
        return (maker, maker);
    }
    // Retries are the system's, except those of programs with their own clock.
    let is_linux = if retries == WINDOWS { false } else { retries == LINUX || random.below(2) == 0 };
    match is_linux {
        true => (ProbeMaker::Linux, ProbeMaker::Windows),
        false => (ProbeMaker::Windows, ProbeMaker::Linux),
    }
}

/// A payload: one of a dozen that protocols prescribe, or one of the family's own.
fn payload(random: &mut SplitMix64) -> u32 {
    let any = u32::try_from(random.below(1 << 32)).unwrap_or(0);
    if random.below(3) == 0 { any % 12 } else { any }
}
