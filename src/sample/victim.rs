//! Who is the victim host of a sandbox capture? The address that begins the conversations.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use crate::event::{Packet, Protocol};

/// Share of all conversations, in per cent, that the victims together must begin.
const SHARE_PERCENT: usize = 90;
/// A sandbox has one victim, at times two or three.
const VICTIMS_MAX: usize = 3;

/// Why no victim could be named.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VictimError {
    /// Nothing begins a conversation.
    #[error("no packet begins a conversation, so no victim host can be told; give --victim ADDRESS")]
    NoConversation,
    /// Too many hosts begin conversations.
    #[error(
        "no victim host stands out: {hosts} hosts begin conversations, {first} most of all with {count} of {total}; give --victim ADDRESS"
    )]
    NoneStandsOut {
        /// How many hosts begin one.
        hosts: usize,
        /// The one that begins most.
        first: IpAddr,
        /// How many it begins.
        count: usize,
        /// All conversations.
        total: usize,
    },
}

/// The fewest addresses that together begin nearly all conversations, most conversations first.
///
/// A conversation is a pair of hosts with protocol and ports; it is begun by whoever sends its first packet.
/// ARP counts only where nothing else is there, multicast and broadcast receivers (`is_plumbing`) never.
///
/// # Errors
/// When nobody begins one, or more than three hosts would be needed.
pub fn likely_victims(
    packets: &[Packet],
    is_plumbing: &dyn Fn(&Packet) -> bool,
) -> Result<Vec<IpAddr>, VictimError> {
    let without_arp = begun(packets, &|packet| packet.protocol() == Protocol::Arp || is_plumbing(packet));
    let begun = if without_arp.is_empty() { begun(packets, is_plumbing) } else { without_arp };
    let total: usize = begun.values().sum();
    let mut hosts: Vec<(IpAddr, usize)> = begun.into_iter().collect();
    hosts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let Some(&(first, count)) = hosts.first() else { return Err(VictimError::NoConversation) };
    let mut victims = Vec::new();
    let mut covered = 0;
    for &(host, begun) in &hosts {
        if covered * 100 >= total * SHARE_PERCENT {
            break;
        }
        covered += begun;
        victims.push(host);
    }
    if victims.len() > VICTIMS_MAX {
        return Err(VictimError::NoneStandsOut { hosts: hosts.len(), first, count, total });
    }
    Ok(victims)
}

fn begun(packets: &[Packet], skip: &dyn Fn(&Packet) -> bool) -> BTreeMap<IpAddr, usize> {
    let mut seen = HashSet::new();
    let mut begun = BTreeMap::new();
    for packet in packets.iter().filter(|packet| !skip(packet)) {
        let there = (packet.source(), packet.source_port());
        let back = (packet.destination(), packet.destination_port());
        let conversation = (packet.protocol(), there.min(back), there.max(back));
        if seen.insert(conversation) {
            *begun.entry(packet.source()).or_default() += 1;
        }
    }
    begun
}
