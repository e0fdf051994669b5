//! What a window is reduced to: the seed's five parameters, ports and protocol, and what shapes need besides.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::event::{AddressSpace, Protocol, TcpFlags};

use super::reduction::Reduction;
use super::{Probe, Profile, Transition};

/// The destination ports of a window.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ports {
    /// No packet had a port: ICMP, ARP.
    None,
    /// Ascending, at most [`Profile::ports_listed_max`].
    Listed(SmallVec<[u16; 4]>),
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
            Ports::Listed(ports) => ports.iter().enumerate().try_for_each(|(place, port)| {
                let comma = if place == 0 { "" } else { "," };
                write!(f, "{comma}{port}")
            }),
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
pub struct ProtocolSet(
    /// Ascending, each once.
    SmallVec<[ProtocolToken; 2]>,
);

impl ProtocolSet {
    /// Adds a token.
    pub fn insert(&mut self, token: ProtocolToken) {
        if let Err(place) = self.0.binary_search(&token) {
            self.0.insert(place, token);
        }
    }

    /// Whether it has a token.
    #[must_use]
    pub fn contains(&self, token: &ProtocolToken) -> bool {
        self.0.binary_search(token).is_ok()
    }

    /// The token, where there is no other.
    #[inline]
    #[must_use]
    pub fn only(&self) -> Option<&ProtocolToken> {
        match self.0.as_slice() {
            [token] => Some(token),
            _ => None,
        }
    }

    /// The tokens, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &ProtocolToken> + '_ {
        self.0.iter()
    }

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

impl FromIterator<ProtocolToken> for ProtocolSet {
    fn from_iter<T: IntoIterator<Item = ProtocolToken>>(tokens: T) -> ProtocolSet {
        let mut set = ProtocolSet::default();
        tokens.into_iter().for_each(|token| set.insert(token));
        set
    }
}

/// Flags, or `?` where they are unknown.
struct Shown(Option<TcpFlags>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(flags) => flags.fmt(f),
            None => f.write_str("?"),
        }
    }
}

/// `TCP:S`, `TCP:S+SA`, `TCP:?` (flags unknown), `UDP`; several protocols are joined by commas.
impl fmt::Display for ProtocolSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nearly all sets have one token, and types are named by the hundred thousand.
        match self.only() {
            Some(ProtocolToken { protocol: Protocol::Tcp, flags }) => {
                return write!(f, "TCP:{}", Shown(*flags));
            }
            Some(ProtocolToken { protocol, .. }) => return protocol.fmt(f),
            None => {}
        }
        let mut by_name: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for token in &self.0 {
            let flags = by_name.entry(token.protocol.to_string()).or_default();
            if token.protocol == Protocol::Tcp {
                flags.insert(Shown(token.flags).to_string());
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
        probes: impl Iterator<Item = (&'a Probe, u64)> + Clone,
        packets: u64,
        space: &AddressSpace,
        profile: &Profile,
    ) -> Parameters {
        Reduction::default().of(probes, packets, space, profile)
    }

    /// Whether all packets are of one protocol.
    #[must_use]
    pub fn is_of(&self, protocol: Protocol) -> bool {
        self.protocol.iter().all(|token| token.protocol == protocol)
    }

    /// Whether all packets are of one protocol and to one port.
    #[must_use]
    pub fn is_service(&self, protocol: Protocol, port: u16) -> bool {
        self.is_of(protocol) && matches!(&self.ports, Ports::Listed(ports) if ports.as_slice() == [port])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_sorted_and_flags_joined() {
        let token = |protocol, flags: Option<u8>| ProtocolToken { protocol, flags: flags.map(TcpFlags) };
        let set = |tokens: &[ProtocolToken]| tokens.iter().copied().collect::<ProtocolSet>().to_string();
        assert_eq!(set(&[token(Protocol::Tcp, Some(2))]), "TCP:S");
        assert_eq!(set(&[token(Protocol::Tcp, Some(0x12)), token(Protocol::Tcp, Some(2))]), "TCP:S+SA");
        assert_eq!(set(&[token(Protocol::Udp, None), token(Protocol::Tcp, None)]), "TCP:?,UDP");
    }
}
