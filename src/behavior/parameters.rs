//! What a window is reduced to: the seed's five parameters, ports and protocol, and what shapes need besides.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::BuildHasher;
use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize};

use crate::event::{AddressSpace, Protocol, TcpFlags};

use super::{Probe, Profile, Transition, transition};

type FirstSeen<K, V> = IndexMap<K, V, foldhash::fast::FixedState>;

/// The destination ports of a window.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ports {
    /// No packet had a port: ICMP, ARP.
    None,
    /// Ascending, at most [`Profile::ports_listed_max`].
    Listed(Vec<u16>),
    /// More than are listed.
    Many,
}

impl Ports {
    /// The listed ports; empty for [`Ports::None`] and [`Ports::Many`].
    #[must_use]
    pub fn listed(&self) -> &[u16] {
        match self {
            Ports::Listed(ports) => ports,
            Ports::None | Ports::Many => &[],
        }
    }
}

/// `-`, `23,2323` or `*`.
impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ports::None => f.write_str("-"),
            Ports::Many => f.write_str("*"),
            Ports::Listed(ports) => {
                let texts: Vec<String> = ports.iter().map(u16::to_string).collect();
                f.write_str(&texts.join(","))
            }
        }
    }
}

/// The protocol of one packet, with its flags if it is TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProtocolToken {
    /// The protocol.
    pub protocol: Protocol,
    /// TCP flags; `None` for other protocols and where they are unknown.
    pub flags: Option<TcpFlags>,
}

/// The set of protocols (and TCP flags) of a window's packets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProtocolSet(pub BTreeSet<ProtocolToken>);

impl ProtocolSet {
    /// Whether every packet was an answer to something the host did not send to us: SYN-ACK or RST.
    #[must_use]
    pub fn only_answers(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|token| token.flags.is_some_and(TcpFlags::answers))
    }

    /// The protocols, without flags.
    pub fn protocols(&self) -> impl Iterator<Item = Protocol> + '_ {
        let mut last = None;
        self.0
            .iter()
            .map(|token| token.protocol)
            .filter(move |protocol| last.replace(*protocol) != Some(*protocol))
    }
}

/// `TCP:S`, `TCP:S+SA`, `TCP:?` (flags unknown), `UDP`; several protocols are joined by commas.
impl fmt::Display for ProtocolSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_name: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for token in &self.0 {
            let flags = by_name.entry(token.protocol.to_string()).or_default();
            if token.protocol == Protocol::Tcp {
                flags.insert(token.flags.map_or_else(|| "?".to_owned(), |flags| flags.to_string()));
            }
        }
        for (place, (name, flags)) in by_name.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let colon = if flags.is_empty() { "" } else { ":" };
            let joined = flags.iter().map(String::as_str).collect::<Vec<_>>().join("+");
            write!(f, "{comma}{name}{colon}{joined}")?;
        }
        Ok(())
    }
}

/// How many packets a destination gets when nothing cuts it short: the most that more than a quarter of the
/// destinations got. A window's ends, losses and answers only ever take packets away, so the most frequent count
/// would be too low for a scanner that is in the middle of its retries; a few doubled packets are too few to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PacketsPerDestination {
    /// Exactly so many, 1 to 4.
    Exactly(u8),
    /// Five or more.
    FiveOrMore,
}

impl fmt::Display for PacketsPerDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PacketsPerDestination::Exactly(count) => write!(f, "{count}"),
            PacketsPerDestination::FiveOrMore => f.write_str("5+"),
        }
    }
}

/// How a host uses its source ports: whichever of one, the number of destinations and the number of packets is
/// nearest, on a scale of ratios, to the number of source ports. Ties go to the first in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SourcePortUse {
    /// No source ports: ICMP, ARP.
    None,
    /// One port, or a few, for everything: raw-socket scanners, and any window with one connection.
    One,
    /// A new port for each destination: connect() scanners. Retries keep the port.
    PerDestination,
    /// A new port for each packet.
    PerPacket,
}

impl SourcePortUse {
    /// The letter of the canonical string: `-`, `1`, `d` or `p`.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            SourcePortUse::None => '-',
            SourcePortUse::One => '1',
            SourcePortUse::PerDestination => 'd',
            SourcePortUse::PerPacket => 'p',
        }
    }
}

/// The parameters of a window: all that type, shape and family are made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parameters {
    /// Distinct source ports.
    pub source_ports: u64,
    /// Packets.
    pub packets: u64,
    /// Distinct destination ports.
    pub destination_ports: u64,
    /// Distinct destination addresses.
    pub destinations: u64,
    /// Their order.
    pub transition: Transition,
    /// The destination ports.
    pub ports: Ports,
    /// Protocols with TCP flags.
    pub protocol: ProtocolSet,
    /// Packets that a destination gets.
    pub packets_per_destination: PacketsPerDestination,
    /// The use of source ports.
    pub source_port_use: SourcePortUse,
    /// Whether the port follows the destination: three destinations or more, one port each, nearly all different.
    pub ports_follow_destinations: bool,
    /// Whether every destination port is ephemeral by the profile.
    pub ports_ephemeral: bool,
}

impl Parameters {
    /// The parameters of a window's probes (with their packet counts), ranked in `space`. `packets` is the
    /// window's own count, which is larger than the probes' sum where the window is saturated.
    pub fn of<'a>(
        probes: impl Iterator<Item = (&'a Probe, u64)>,
        packets: u64,
        space: &AddressSpace,
        profile: &Profile,
    ) -> Parameters {
        let mut gathered = Gathered::default();
        probes.for_each(|(probe, count)| gathered.add(probe, count));
        gathered.reduce(packets, space, profile)
    }
}

/// The sets that the counts are taken of.
#[derive(Default)]
struct Gathered {
    /// Packets, the first port and whether there were others, by destination in order of first sight.
    destinations: FirstSeen<IpAddr, Destination>,
    source_ports: IndexSet<u16, foldhash::fast::FixedState>,
    ports: IndexSet<u16, foldhash::fast::FixedState>,
    protocol: ProtocolSet,
}

#[derive(Default)]
struct Destination {
    packets: u64,
    port: Option<u16>,
    several_ports: bool,
}

impl Gathered {
    fn add(&mut self, probe: &Probe, count: u64) {
        let destination = self.destinations.entry(probe.destination).or_default();
        destination.packets += count;
        if let Some(port) = probe.destination_port {
            destination.several_ports |= destination.port.replace(port).is_some_and(|other| other != port);
            self.ports.insert(port);
        }
        self.source_ports.extend(probe.source_port);
        self.protocol.0.insert(ProtocolToken { protocol: probe.protocol, flags: probe.flags });
    }

    fn reduce(self, packets: u64, space: &AddressSpace, profile: &Profile) -> Parameters {
        let ranked: Vec<(IpAddr, u128)> = self
            .destinations
            .keys()
            .map(|address| (*address, space.rank(*address).unwrap_or_default()))
            .collect();
        let ports_follow_destinations = self.ports_follow_destinations();
        let ports_ephemeral =
            !self.ports.is_empty() && self.ports.iter().all(|port| *port >= profile.ephemeral_port_min);
        let source_ports = self.source_ports.len() as u64;
        let destinations = self.destinations.len() as u64;
        Parameters {
            source_ports,
            packets,
            destination_ports: self.ports.len() as u64,
            destinations,
            transition: transition(&ranked),
            packets_per_destination: attempts(self.destinations.values().map(|seen| seen.packets)),
            source_port_use: source_port_use(source_ports, destinations, packets),
            ports_follow_destinations,
            ports_ephemeral,
            ports: listed(&self.ports, profile.ports_listed_max),
            protocol: self.protocol,
        }
    }

    fn ports_follow_destinations(&self) -> bool {
        self.destinations.len() >= 3
            && self.destinations.values().all(|seen| seen.port.is_some() && !seen.several_ports)
            && self.ports.len() * 5 >= self.destinations.len() * 4
    }
}

fn listed<S: BuildHasher>(ports: &IndexSet<u16, S>, most: usize) -> Ports {
    match ports.len() {
        0 => Ports::None,
        count if count > most => Ports::Many,
        _ => {
            let mut ports: Vec<u16> = ports.iter().copied().collect();
            ports.sort_unstable();
            Ports::Listed(ports)
        }
    }
}

fn attempts(counts: impl Iterator<Item = u64>) -> PacketsPerDestination {
    let mut at_least = [0u64; 5];
    for count in counts {
        for (packets, destinations) in (1u64..).zip(&mut at_least) {
            *destinations += u64::from(count >= packets);
        }
    }
    let most = (1u8..=5).rev().find(|packets| at_least[usize::from(packets - 1)] * 4 > at_least[0]);
    match most {
        Some(5) => PacketsPerDestination::FiveOrMore,
        most => PacketsPerDestination::Exactly(most.unwrap_or(1)),
    }
}

fn source_port_use(source_ports: u64, destinations: u64, packets: u64) -> SourcePortUse {
    /// How many times the larger of two counts is the smaller, as an exact fraction's order: a/b against c/d.
    fn ratio(a: u64, b: u64) -> (u128, u128) {
        (u128::from(a.max(b)), u128::from(a.min(b).max(1)))
    }
    fn nearer(a: (u128, u128), b: (u128, u128)) -> bool {
        a.0 * b.1 < b.0 * a.1
    }
    if source_ports == 0 {
        return SourcePortUse::None;
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

    #[test]
    fn protocols_are_sorted_and_flags_joined() {
        let token = |protocol, flags: Option<u8>| ProtocolToken { protocol, flags: flags.map(TcpFlags) };
        let set = |tokens: &[ProtocolToken]| ProtocolSet(tokens.iter().copied().collect()).to_string();
        assert_eq!(set(&[token(Protocol::Tcp, Some(2))]), "TCP:S");
        assert_eq!(set(&[token(Protocol::Tcp, Some(0x12)), token(Protocol::Tcp, Some(2))]), "TCP:S+SA");
        assert_eq!(set(&[token(Protocol::Udp, None), token(Protocol::Tcp, None)]), "TCP:?,UDP");
    }
}
