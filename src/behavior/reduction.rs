//! Reduces the probes of a window to parameters, by counting distinct values. The memory is reused from
//! window to window.

use crate::packet::{Address, AddressSpace};

use super::distinct::Distinct;
use super::place::Place;
use super::port_set::PortSet;
use super::{
    PacketsPerDestination, Parameters, Ports, Probe, Profile, ProtocolSet, ProtocolToken, SourcePortUse,
    transition,
};

/// Maximum number of destinations for which memory is kept from one window to the next.
const DESTINATIONS_KEPT: usize = 4096;

/// Reduces windows one after the other, with reused memory.
#[derive(Default)]
pub(super) struct Reduction {
    /// For windows with IPv4 destinations only, which are nearly all windows.
    fours: Gathered<u32>,
    /// For all other windows.
    others: Gathered<Address>,
}

impl Reduction {
    /// Returns the parameters of probes; see [`Parameters::of`](super::Parameters::of).
    pub(super) fn of<'a>(
        &mut self,
        probes: impl Iterator<Item = (&'a Probe, u64)> + Clone,
        packets: u64,
        space: &AddressSpace,
        profile: &Profile,
    ) -> Parameters {
        if probes.clone().all(|(probe, _)| !probe.address().is_ipv6()) {
            self.fours.reduce(probes, packets, space, profile)
        } else {
            self.others.reduce(probes, packets, space, profile)
        }
    }
}

/// The distinct values of one window.
#[derive(Default)]
struct Gathered<P: Place> {
    /// Distinct destinations in order of first appearance.
    destinations: Distinct<P, Destination>,
    ranks: Vec<P::Number>,
    source_ports: PortSet,
    ports: PortSet,
    protocol: ProtocolSet,
    /// Protocol and flags of the previous probe. Most probes repeat them and need not be added to `protocol`
    /// again.
    kind: Option<u64>,
}

/// The packets of one destination.
#[derive(Clone, Copy, Default)]
struct Destination {
    packets: u64,
    /// Destination port of the latest probe that had one.
    port: Option<u16>,
    several_ports: bool,
}

impl<P: Place> Gathered<P> {
    fn reduce<'a>(
        &mut self,
        probes: impl Iterator<Item = (&'a Probe, u64)>,
        packets: u64,
        space: &AddressSpace,
        profile: &Profile,
    ) -> Parameters {
        self.destinations.clear(DESTINATIONS_KEPT);
        self.source_ports.clear();
        self.ports.clear();
        self.kind = None;
        probes.for_each(|(probe, count)| self.add(probe, count));
        self.ranks.clear();
        self.ranks.extend(self.destinations.as_slice().iter().map(|(place, _)| place.rank(space)));
        self.parameters(packets, profile)
    }

    fn add(&mut self, probe: &Probe, count: u64) {
        let kind = probe.kind();
        if self.kind != Some(kind) {
            self.kind = Some(kind);
            self.protocol.insert(ProtocolToken { protocol: probe.protocol(), flags: probe.flags() });
        }
        if let Some(port) = probe.source_port() {
            self.source_ports.insert(port);
        }
        let place = P::of(probe.address());
        let port = probe.destination_port();
        port.into_iter().for_each(|port| self.ports.insert(port));
        let destination = Destination { packets: count, port, several_ports: false };
        if let Some((_, Some(known))) = self.destinations.enter(place, usize::MAX, destination) {
            known.packets = known.packets.saturating_add(count);
            known.several_ports |= known.port.zip(port).is_some_and(|(other, port)| other != port);
            known.port = port.or(known.port);
        }
    }

    fn parameters(&mut self, packets: u64, profile: &Profile) -> Parameters {
        let ports_follow_destinations = self.ports_follow_destinations();
        let all = self.destinations.as_slice();
        let neighbourhoods = all.iter().map(|(place, _)| place.neighbourhood());
        let source_ports = self.source_ports.len() as u64;
        let destinations = all.len() as u64;
        let ports = self.ports.ascending();
        Parameters {
            source_ports,
            packets,
            destination_ports: ports.len() as u64,
            destinations,
            transition: transition(&self.ranks, neighbourhoods),
            packets_per_destination: if packets == destinations {
                // As many packets as destinations: every destination got exactly one.
                PacketsPerDestination::Exactly(1)
            } else {
                attempts(all.iter().map(|(_, seen)| seen.packets))
            },
            source_port_use: source_port_use(source_ports, destinations, packets),
            ports_follow_destinations,
            ports_ephemeral: ports.first().is_some_and(|lowest| *lowest >= profile.ephemeral_port_min),
            ports: listed(ports, profile.ports_listed_max),
            protocol: std::mem::take(&mut self.protocol),
        }
    }

    fn ports_follow_destinations(&self) -> bool {
        let all = self.destinations.as_slice();
        all.len() >= 3
            && self.ports.len() * 5 >= all.len() * 4
            && all.iter().all(|(_, seen)| seen.port.is_some() && !seen.several_ports)
    }
}

fn listed(ports: &[u16], most: usize) -> Ports {
    match ports.len() {
        0 => Ports::None,
        count if count > most => Ports::Many,
        _ => Ports::Listed(ports.into()),
    }
}

fn attempts(counts: impl Iterator<Item = u64>) -> PacketsPerDestination {
    /// The last of the classes 1, 2, 3, 4, and 5 or more packets.
    const MOST: u8 = 5;
    let mut with = [0u64; MOST as usize];
    for count in counts {
        let packets = usize::try_from(count).unwrap_or(usize::MAX).clamp(1, MOST.into());
        with[packets - 1] += 1;
    }
    let all: u64 = with.iter().sum();
    let mut at_least = 0;
    for (packets, destinations) in (1..=MOST).zip(with).rev() {
        at_least += destinations;
        if at_least * 4 > all && packets == MOST {
            return PacketsPerDestination::FiveOrMore;
        }
        if at_least * 4 > all {
            return PacketsPerDestination::Exactly(packets);
        }
    }
    PacketsPerDestination::Exactly(1)
}

fn source_port_use(source_ports: u64, destinations: u64, packets: u64) -> SourcePortUse {
    /// Returns the ratio of the larger to the smaller count as a fraction, with a denominator of at least 1.
    fn ratio(a: u64, b: u64) -> (u128, u128) {
        (u128::from(a.max(b)), u128::from(a.min(b).max(1)))
    }
    fn nearer(a: (u128, u128), b: (u128, u128)) -> bool {
        a.0 * b.1 < b.0 * a.1
    }
    match source_ports {
        0 => return SourcePortUse::None,
        1 => return SourcePortUse::One,
        _ => {}
    }
    let mut best = (SourcePortUse::One, ratio(source_ports, 1));
    for (using, count) in [(SourcePortUse::PerDestination, destinations), (SourcePortUse::PerPacket, packets)]
    {
        let distance = ratio(source_ports, count);
        if nearer(distance, best.1) {
            best = (using, distance);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_not_lowered_by_what_a_window_cuts_off() {
        let check = |counts: &[u64], expected| assert_eq!(attempts(counts.iter().copied()), expected);
        check(&[3, 3, 2, 3, 1], PacketsPerDestination::Exactly(3));
        check(&[5, 7, 1, 4, 3, 2], PacketsPerDestination::FiveOrMore);
        check(&[1, 2], PacketsPerDestination::Exactly(2));
        check(&[1, 1, 1, 2], PacketsPerDestination::Exactly(1));
        check(&[1, 1, 1, 1, 3, 4, 5, 5, 5], PacketsPerDestination::FiveOrMore);
        check(&[u64::MAX], PacketsPerDestination::FiveOrMore);
    }

    #[test]
    fn source_ports_go_to_the_nearest_use() {
        use SourcePortUse::{None, One, PerDestination, PerPacket};
        for ((ports, destinations, packets), expected) in [
            ((0, 9, 9), None),
            ((1, 1, 3), One),
            ((3, 100, 100), One),
            ((18, 18, 18), PerDestination),
            ((19, 20, 60), PerDestination),
            ((57, 20, 60), PerPacket),
            ((10, 1, 10), PerPacket),
        ] {
            assert_eq!(source_port_use(ports, destinations, packets), expected, "{ports} {destinations}");
        }
    }
}
