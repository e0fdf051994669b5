//! Reduces the probes of a window to parameters, by counting distinct values.

use std::net::IpAddr;

use foldhash::fast::FixedState;
use indexmap::IndexMap;
use indexmap::map::Entry;

use crate::packet::AddressSpace;

use super::transition::{neighbourhood, transition};
use super::{
    PacketsPerDestination, Parameters, Ports, Probe, Profile, ProtocolSet, ProtocolToken, SourcePortUse,
};

impl Parameters {
    /// Reduces probes (with their packet counts) to parameters, with destinations ranked in `space`.
    /// `packets` is the packet count of the window, which exceeds the sum over the probes if the window is
    /// saturated.
    pub fn of<'a>(
        probes: impl Iterator<Item = (&'a Probe, u64)>,
        packets: u64,
        space: &AddressSpace,
        profile: &Profile,
    ) -> Parameters {
        Reducer::default().reduce(probes, packets, space, profile)
    }
}

/// Distinct destinations in order of first appearance.
type Destinations = IndexMap<IpAddr, Destination, FixedState>;

/// The packets of one destination.
struct Destination {
    packets: u64,
    /// Destination port of the latest probe that had one.
    port: Option<u16>,
    several_ports: bool,
}

/// Reduces windows one after the other. It keeps the memory of its lists from one window to the next.
#[derive(Default)]
pub(super) struct Reducer {
    destinations: Destinations,
    source_ports: Vec<u16>,
    ports: Vec<u16>,
    ranks: Vec<u128>,
}

impl Reducer {
    /// Returns the parameters of probes; see [`Parameters::of`].
    pub(super) fn reduce<'a>(
        &mut self,
        probes: impl Iterator<Item = (&'a Probe, u64)>,
        packets: u64,
        space: &AddressSpace,
        profile: &Profile,
    ) -> Parameters {
        let Reducer { destinations, source_ports, ports, ranks } = self;
        clear(destinations);
        source_ports.clear();
        ports.clear();
        let mut protocol = ProtocolSet::default();
        for (probe, count) in probes {
            protocol.insert(ProtocolToken { protocol: probe.protocol(), flags: probe.flags() });
            source_ports.extend(probe.source_port());
            ports.extend(probe.destination_port());
            add_destination(destinations, probe, count);
        }
        sort_and_dedup(source_ports);
        sort_and_dedup(ports);
        ranks.clear();
        ranks.extend(destinations.keys().map(|address| space.rank(*address).unwrap_or(0)));
        let neighbourhoods = destinations.keys().map(|address| neighbourhood(*address));
        let (source_port_count, destination_count) = (source_ports.len() as u64, destinations.len() as u64);
        Parameters {
            source_ports: source_port_count,
            packets,
            destination_ports: ports.len() as u64,
            destinations: destination_count,
            transition: transition(ranks, neighbourhoods),
            packets_per_destination: packets_per_destination(destinations.values().map(|to| to.packets)),
            source_port_use: source_port_use(source_port_count, destination_count, packets),
            ports_follow_destinations: ports_follow_destinations(destinations, ports.len()),
            ports_ephemeral: ports.first().is_some_and(|lowest| *lowest >= profile.ephemeral_port_min),
            ports: listed(ports, profile.ports_listed_max),
            protocol,
        }
    }
}

/// Removes all destinations, and frees the memory of a window with many. Clearing takes time in proportion
/// to the memory that is kept.
fn clear(destinations: &mut Destinations) {
    const KEPT_MAX: usize = 1024;
    if destinations.capacity() > KEPT_MAX {
        *destinations = Destinations::default();
    }
    destinations.clear();
}

fn sort_and_dedup(ports: &mut Vec<u16>) {
    ports.sort_unstable();
    ports.dedup();
}

fn add_destination(destinations: &mut Destinations, probe: &Probe, count: u64) {
    let port = probe.destination_port();
    match destinations.entry(probe.destination()) {
        Entry::Occupied(mut known) => {
            let known = known.get_mut();
            known.packets = known.packets.saturating_add(count);
            known.several_ports |= known.port.zip(port).is_some_and(|(other, port)| other != port);
            known.port = port.or(known.port);
        }
        Entry::Vacant(new) => {
            new.insert(Destination { packets: count, port, several_ports: false });
        }
    }
}

/// Returns whether the port varies with the destination; see [`Parameters::ports_follow_destinations`].
/// `ports` is the number of distinct destination ports.
fn ports_follow_destinations(destinations: &Destinations, ports: usize) -> bool {
    destinations.len() >= 3
        && ports * 5 >= destinations.len() * 4
        && destinations.values().all(|destination| destination.port.is_some() && !destination.several_ports)
}

/// Returns the ports as a type lists them. `ports` is ascending and has no duplicates.
fn listed(ports: &[u16], listed_max: usize) -> Ports {
    match ports.len() {
        0 => Ports::None,
        count if count > listed_max => Ports::Many,
        _ => Ports::Listed(ports.into()),
    }
}

/// Returns the largest class of packet counts that more than a quarter of the destinations reached. The
/// classes are 1, 2, 3, 4, and 5 or more packets. `counts` is the packet count of each destination.
fn packets_per_destination(counts: impl Iterator<Item = u64>) -> PacketsPerDestination {
    let mut by_class = [0u64; 5];
    for count in counts {
        let class = usize::try_from(count).unwrap_or(usize::MAX).clamp(1, 5);
        by_class[class - 1] += 1;
    }
    let destinations: u64 = by_class.iter().sum();
    let mut reached = by_class[4];
    if reached * 4 > destinations {
        return PacketsPerDestination::FiveOrMore;
    }
    for packets in (2..=4u8).rev() {
        reached += by_class[usize::from(packets) - 1];
        if reached * 4 > destinations {
            return PacketsPerDestination::Exactly(packets);
        }
    }
    PacketsPerDestination::Exactly(1)
}

/// Returns the use of source ports, by numbers of distinct source ports, destinations and packets; see
/// [`SourcePortUse`].
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
    fn a_quarter_of_the_destinations_decides_on_packets_per_destination() {
        let check =
            |counts: &[u64], expected| assert_eq!(packets_per_destination(counts.iter().copied()), expected);
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
