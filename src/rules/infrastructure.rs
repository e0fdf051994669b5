//! Infrastructure traffic ("plumbing"): packets that every host sends, infected or not.

use std::net::IpAddr;

use crate::packet::{Packet, Protocol};

use super::schema::{InfrastructureFile, InfrastructureWhen};

/// A compiled rule for infrastructure traffic.
#[derive(Clone, Debug)]
pub(super) struct InfrastructureRule {
    pub(super) id: String,
    when: InfrastructureWhen,
}

impl InfrastructureRule {
    pub(super) fn new(file: &InfrastructureFile) -> InfrastructureRule {
        InfrastructureRule { id: file.about().id, when: file.when.clone() }
    }

    /// Sort key: rules with a port come first, and of the others those with a protocol.
    pub(super) fn rank(&self) -> (bool, bool, &str) {
        (self.when.destination_ports.is_empty(), self.when.protocol.is_none(), &self.id)
    }

    pub(super) fn matches(&self, packet: &Packet) -> bool {
        let InfrastructureWhen { protocol, destination_ports, icmp_kinds, group, local } = &self.when;
        protocol.is_none_or(|wanted| wanted == packet.protocol())
            && (destination_ports.is_empty()
                || packet.destination_port().is_some_and(|port| destination_ports.contains(&port)))
            && (icmp_kinds.is_empty() || packet.icmp().is_some_and(|icmp| icmp_kinds.contains(&icmp.kind)))
            && (!group || is_for_group(packet))
            && (!local || is_local(packet.destination()))
    }
}

/// Returns whether a packet goes to multicast or broadcast. The `.255` of a sweep may be a host of a larger
/// network, so only the limited broadcast counts as broadcast. ARP targets are never groups.
fn is_for_group(packet: &Packet) -> bool {
    let limited = |address: IpAddr| matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    packet.protocol() != Protocol::Arp
        && (packet.destination().is_multicast() && is_assigned(packet.destination())
            || limited(packet.destination()))
}

/// Returns whether a multicast address lies in a block that hosts use by themselves: the local and the
/// organization's blocks of IPv4 (RFC 5771), and all IPv6 groups. Random scans draw addresses from all of
/// 224/4.
fn is_assigned(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => matches!(v4.octets(), [224, 0, 0..=1, _] | [239, ..]),
        IpAddr::V6(_) => true,
    }
}

fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unique_local(),
    }
}
