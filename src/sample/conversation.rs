//! Decides which host began a conversation, as far as the first captured packet shows it.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::packet::{Packet, Protocol, TcpFlags, is_group};

/// A port; `None` for protocols without ports.
pub(super) type FlowPort = Option<u16>;

/// The end of a conversation that began it, relative to the first captured packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Initiator {
    /// The sender of the first captured packet.
    Sender,
    /// The receiver of the first captured packet, which answers a packet that went to a group or that was not
    /// captured.
    Receiver,
    /// Neither end within the capture. The packet belongs to a TCP connection that was opened before the
    /// capture began, for example before the sandbox restored its machine's snapshot.
    Earlier,
}

/// Sockets that sent to a multicast or broadcast address. Any host may answer from its own address, and this
/// answer is then the first packet between the two hosts.
#[derive(Default)]
pub(super) struct Announcements(HashSet<(Protocol, IpAddr, FlowPort)>);

impl Announcements {
    /// Records the sender if the packet goes to a group or to a subnet's broadcast address.
    pub(super) fn record(&mut self, packet: &Packet) {
        if is_group(packet.destination()) || is_subnet_broadcast(packet.destination()) {
            self.0.insert((packet.protocol(), packet.source(), packet.source_port()));
        }
    }

    /// Returns whether the packet's destination socket has sent to a group.
    fn has(&self, packet: &Packet) -> bool {
        self.0.contains(&(packet.protocol(), packet.destination(), packet.destination_port()))
    }

    /// Returns who began the conversation of which `first` is the first captured packet.
    pub(super) fn initiator(&self, first: &Packet) -> Initiator {
        match first.flags() {
            // A reset refuses or ends a connection; it never opens one.
            Some(flags) if flags.contains(TcpFlags::RST) => Initiator::Earlier,
            Some(flags) if flags.contains(TcpFlags::SYN.with(TcpFlags::ACK)) => Initiator::Receiver,
            Some(flags) if flags.contains(TcpFlags::ACK) => Initiator::Earlier,
            _ if self.has(first) => Initiator::Receiver,
            _ => Initiator::Sender,
        }
    }
}

/// Returns whether an address may be the broadcast address of a private /24, to which NetBIOS and many
/// devices announce themselves. In a larger network, such an address is a host.
fn is_subnet_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.is_private() && v4.octets()[3] == 255)
}

/// Returns whether an ICMP packet asks for an answer (RFC 792, RFC 950, RFC 4443, RFC 4620): echo, timestamp,
/// information, address mask and node information requests. A packet from a text log that does not print the
/// type counts as an echo request.
pub(super) fn is_icmp_request(packet: &Packet) -> bool {
    packet.icmp().is_none_or(|icmp| match packet.protocol() {
        Protocol::Icmpv6 => matches!(icmp.kind, 128 | 139),
        _ => matches!(icmp.kind, 8 | 13 | 15 | 17),
    })
}

/// Returns whether a packet is ICMP of either version.
pub(super) fn is_icmp(packet: &Packet) -> bool {
    matches!(packet.protocol(), Protocol::Icmp | Protocol::Icmpv6)
}
