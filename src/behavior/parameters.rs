//! The parameters to which a window is reduced: the counts, transition, ports and protocol of the nicter
//! report, and what shape and pattern need besides.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::packet::{Protocol, TcpFlags};

use super::Transition;

/// The destination ports of a window.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ports {
    /// No packet had a port (ICMP, ARP).
    None,
    /// The ports in ascending order, at most [`ports_listed_max`](super::Profile::ports_listed_max).
    Listed(SmallVec<[u16; 4]>),
    /// More ports than a type lists.
    Many,
}

impl Ports {
    /// Returns the listed ports; empty for [`Ports::None`] and [`Ports::Many`].
    #[must_use]
    pub fn listed(&self) -> &[u16] {
        match self {
            Ports::Listed(ports) => ports,
            Ports::None | Ports::Many => &[],
        }
    }
}

/// Writes `-`, a list such as `23,2323`, or `*`.
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

/// The protocol of a packet, with its flags if it is TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProtocolToken {
    /// The protocol.
    pub protocol: Protocol,
    /// TCP flags; `None` for other protocols and where flags are unknown.
    pub flags: Option<TcpFlags>,
}

/// The set of protocols (with TCP flags) of a window's packets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProtocolSet(
    /// Ascending, without duplicates.
    SmallVec<[ProtocolToken; 2]>,
);

impl ProtocolSet {
    /// Adds a token to the set.
    pub fn insert(&mut self, token: ProtocolToken) {
        if let Err(place) = self.0.binary_search(&token) {
            self.0.insert(place, token);
        }
    }

    /// Returns whether the set contains a token.
    #[must_use]
    pub fn contains(&self, token: &ProtocolToken) -> bool {
        self.0.binary_search(token).is_ok()
    }

    /// Returns the token of a set that has exactly one.
    #[inline]
    #[must_use]
    pub fn only(&self) -> Option<&ProtocolToken> {
        match self.0.as_slice() {
            [token] => Some(token),
            _ => None,
        }
    }

    /// Returns the tokens in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = &ProtocolToken> + '_ {
        self.0.iter()
    }

    /// Returns whether every packet was an answer (SYN-ACK or RST). A darknet sends nothing, so these are
    /// backscatter.
    #[must_use]
    pub fn only_answers(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|token| token.flags.is_some_and(TcpFlags::answers))
    }

    /// Returns the protocols without flags, each once.
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

/// TCP flags whose `Display` writes `?` if they are unknown.
struct FlagsText(Option<TcpFlags>);

impl fmt::Display for FlagsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(flags) => flags.fmt(f),
            None => f.write_str("?"),
        }
    }
}

/// Writes `TCP:S`, `TCP:S+SA`, `TCP:?` (flags unknown) or `UDP`; several protocols are joined by commas.
impl fmt::Display for ProtocolSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The fast path: nearly all sets have one token, and types are named by the hundred thousand.
        match self.only() {
            Some(ProtocolToken { protocol: Protocol::Tcp, flags }) => {
                return write!(f, "TCP:{}", FlagsText(*flags));
            }
            Some(ProtocolToken { protocol, .. }) => return protocol.fmt(f),
            None => {}
        }
        let mut by_name: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for token in &self.0 {
            let flags = by_name.entry(token.protocol.to_string()).or_default();
            if token.protocol == Protocol::Tcp {
                flags.insert(FlagsText(token.flags).to_string());
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

/// The number of packets that a destination gets if nothing cuts its series short: the largest count that
/// more than a quarter of the destinations reached. The most frequent count would be too low for a scanner
/// in the middle of its retries, because the ends of a window, losses and answers only ever remove packets.
/// A few duplicated packets are too few to matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PacketsPerDestination {
    /// Exactly this number of packets, 1 to 4.
    Exactly(u8),
    /// Five or more packets.
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

/// How a host uses its source ports. The number of source ports is compared, as a ratio, with one, the number
/// of destinations and the number of packets; the nearest of the three decides, and the first in this order
/// if two are equally near.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SourcePortUse {
    /// No packet had a source port (ICMP, ARP).
    None,
    /// One port, or a few, for all packets: raw-socket scanners, and any window with one connection.
    One,
    /// A new port for each destination: scanners that use `connect()`. Retries keep the port.
    PerDestination,
    /// A new port for each packet.
    PerPacket,
}

impl SourcePortUse {
    /// Returns the letter in the canonical string: `-`, `1`, `d` or `p`.
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

/// The parameters of a window, from which type, shape and pattern are derived.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parameters {
    /// Number of distinct source ports.
    pub source_ports: u64,
    /// Number of packets.
    pub packets: u64,
    /// Number of distinct destination ports.
    pub destination_ports: u64,
    /// Number of distinct destination addresses.
    pub destinations: u64,
    /// The order of the destinations.
    pub transition: Transition,
    /// The destination ports.
    pub ports: Ports,
    /// The protocols with TCP flags.
    pub protocol: ProtocolSet,
    /// Number of packets that a destination gets.
    pub packets_per_destination: PacketsPerDestination,
    /// How the host uses its source ports.
    pub source_port_use: SourcePortUse,
    /// Whether the port varies with the destination: at least three destinations, one port for each, and at
    /// least 80 % as many distinct ports as destinations.
    pub ports_follow_destinations: bool,
    /// Whether every destination port is at or above [`ephemeral_port_min`](super::Profile::ephemeral_port_min).
    pub ports_ephemeral: bool,
}

impl Parameters {
    /// Returns whether all packets are of `protocol`.
    #[must_use]
    pub fn is_of(&self, protocol: Protocol) -> bool {
        self.protocol.iter().all(|token| token.protocol == protocol)
    }

    /// Returns the protocol of all packets, or `None` if there are several or none.
    #[must_use]
    pub fn only_protocol(&self) -> Option<Protocol> {
        let first = self.protocol.protocols().next()?;
        self.is_of(first).then_some(first)
    }

    /// Returns the protocol and the destination port that all packets have, or `None` if there are several or
    /// none.
    #[must_use]
    pub fn service(&self) -> Option<(Protocol, u16)> {
        let mut protocols = self.protocol.protocols();
        match (protocols.next(), protocols.next(), self.ports.listed()) {
            (Some(protocol), None, [port]) => Some((protocol, *port)),
            _ => None,
        }
    }

    /// Returns whether all packets are of `protocol` and go to `port`.
    #[must_use]
    pub fn is_service(&self, protocol: Protocol, port: u16) -> bool {
        self.service() == Some((protocol, port))
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
