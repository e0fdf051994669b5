//! Malware families drawn by lot: how each scans, in its own words. Nothing here knows how projections are made.

use crate::event::{Protocol, TcpFlags};
use crate::sample::Random;

/// A way to pick targets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Aim {
    /// Anywhere.
    Uniform,
    /// Neighbours one after the other, so many from a start anywhere, a stride apart.
    Sweep { targets: u32, stride: u32 },
}

/// Which family drawing lots from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// Families that thresholds are chosen with.
    Training,
    /// Families that figures are reported of.
    Reporting,
}

/// A family.
#[derive(Clone, Debug)]
pub(super) struct Family {
    pub(super) number: u64,
    /// Ports with weights; one is drawn for each target, unless all are asked.
    pub(super) ports: Vec<(u16, u64)>,
    pub(super) all_ports: bool,
    pub(super) protocol: Protocol,
    pub(super) aim: Aim,
    /// Seconds after the first packet at which a silent target is asked again, by the system of most victims.
    pub(super) retries: &'static [f64],
    /// Of other systems.
    pub(super) other_retries: &'static [f64],
    /// Share of victims with another system.
    pub(super) other_share: f64,
    /// One source port for all, as raw sockets do.
    pub(super) raw: bool,
    /// New targets a second of a usual victim.
    pub(super) rate: f64,
    /// Natural logarithm's deviation of the rate over victims.
    pub(super) rate_spread: f64,
}

/// Services that worms and bots of one half scan; some are of both.
const PORTS: [&[&[(u16, u64)]]; 2] = [
    &[
        &[(445, 1)],
        &[(23, 1)],
        &[(22, 1)],
        &[(1433, 1)],
        &[(23, 9), (2323, 1)],
        &[(139, 1), (445, 1)],
        &[(5900, 1)],
        &[(80, 3), (8080, 2)],
    ],
    &[
        &[(445, 1)],
        &[(23, 1)],
        &[(135, 1)],
        &[(3389, 1)],
        &[(23, 4), (8080, 3), (2323, 2)],
        &[(3306, 1)],
        &[(5555, 1)],
        &[(7547, 3), (5358, 1)],
    ],
];
/// UDP services.
const UDP_PORTS: [&[(u16, u64)]; 2] = [&[(1434, 1)], &[(5060, 1)]];
/// Retries of systems: Windows, Linux, cut short by the program, none.
const WINDOWS: &[f64] = &[3.0, 9.0];
const LINUX: &[f64] = &[1.0, 3.0, 7.0, 15.0];
const SHORT: &[f64] = &[3.0];
const NONE: &[f64] = &[];

impl Family {
    /// The family of a number; each half has its own.
    pub(super) fn draw(half: Half, number: u64) -> Family {
        let (name, side) = match half {
            Half::Training => ("training family", 0),
            Half::Reporting => ("reporting family", 1),
        };
        let mut random = Random::named(name, number);
        let is_udp = random.below(8) == 0;
        let ports = random.one(PORTS[side]).copied().unwrap_or(&[(445, 1)]);
        let ports = if is_udp { UDP_PORTS[side] } else { ports };
        let raw = is_udp || random.below(4) == 0;
        let (retries, other_retries) = match random.below(5) {
            _ if raw => (NONE, NONE),
            0..=1 => (WINDOWS, LINUX),
            2..=3 => (LINUX, WINDOWS),
            _ => (SHORT, SHORT),
        };
        let aim = match random.below(3) {
            0 => Aim::Sweep {
                targets: 20 + u32::try_from(random.below(3).pow(2) * 80 + random.below(200)).unwrap_or(0),
                stride: 1 + u32::try_from(random.below(4) / 3).unwrap_or(0),
            },
            _ => Aim::Uniform,
        };
        Family {
            number,
            all_ports: ports.len() == 2 && ports[0].1 == ports[1].1,
            ports: ports.to_vec(),
            protocol: if is_udp { Protocol::Udp } else { Protocol::Tcp },
            aim,
            retries,
            other_retries,
            other_share: random.unit() * 0.2,
            raw,
            rate: (0.5f64.ln() + random.unit() * 5.0).exp(),
            rate_spread: 0.2 + random.unit() * 0.5,
        }
    }

    pub(super) fn flags(&self) -> Option<TcpFlags> {
        (self.protocol == Protocol::Tcp).then_some(TcpFlags::SYN)
    }

    /// The ports that one target is asked on.
    pub(super) fn ports_of_target(&self, random: &mut Random) -> Vec<u16> {
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
