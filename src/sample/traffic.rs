//! Decides which packets of a victim host are scan events and which are service accesses, and why.
//!
//! A darknet answers nothing, so it receives from a sample only what the sample sends unasked and before any
//! answer. A packet is a scan event if two conditions hold: a silent address would have received it as well,
//! and the service that it asks for is asked for on many addresses. A single address that is contacted again
//! and again, whether it answers or not (a dead command server), is no scan.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::packet::{Packet, Protocol, TcpFlags, is_group};

use super::conversation::{Announcements, FlowPort, Initiator, is_icmp, is_icmp_request};
use super::fan_out::{ContactedService, ContactedServices};

/// Minimum number of addresses that a host asks for by ARP in a sweep of its subnet. A host that does not
/// scan asks for a gateway and a few peers.
const ARP_SWEEP_MIN: usize = 10;

/// The class of a packet that the victim sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "class", content = "reason", rename_all = "lowercase")]
pub enum PacketClass {
    /// A scan event.
    Scan,
    /// A service access, with the reason why the packet is no scan event.
    Access(AccessReason),
}

/// The reason why a packet is no scan event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessReason {
    /// The packet answers a conversation that another host began, or a ping.
    Answer,
    /// The packet follows an answer, so a silent address would never have received it.
    Answered,
    /// The packet asks for a service on one of a few addresses, and the address answers.
    Service,
    /// The packet asks for a service on one of a few addresses, and the address is silent or refuses (a dead
    /// server).
    FewTargets,
    /// The packet belongs to a TCP connection that was opened before the capture began.
    Earlier,
    /// The packet goes to an address whose name was looked up.
    Named,
    /// The packet goes to a dummy server of the sandbox.
    DummyServer,
    /// The packet asks for the hardware address of one of a few neighbors.
    Arp,
    /// The packet pings one of a few hosts.
    Ping,
    /// The packet looks for peers: one UDP socket contacts each host on another port, beside a scan of fixed
    /// ports. Peer lookups are kept apart from the scan because a darknet sees them apart as well.
    PeerLookup,
    /// The packet is infrastructure traffic by the rule with this id.
    #[serde(untagged)]
    Infrastructure(String),
}

impl AccessReason {
    /// Returns whether the address answered.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        matches!(self, AccessReason::Answered | AccessReason::Service)
    }
}

impl std::fmt::Display for AccessReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            AccessReason::Answer => "answer",
            AccessReason::Answered => "answered",
            AccessReason::Service => "service",
            AccessReason::FewTargets => "few-targets",
            AccessReason::Earlier => "earlier",
            AccessReason::Named => "named",
            AccessReason::DummyServer => "dummy-server",
            AccessReason::Arp => "arp",
            AccessReason::Ping => "ping",
            AccessReason::PeerLookup => "peer-lookup",
            AccessReason::Infrastructure(rule) => rule,
        })
    }
}

/// Addresses to which names were resolved in the run.
pub type ResolvedAddresses = HashSet<IpAddr>;

/// Returns the id of the infrastructure rule that a packet matches.
pub type InfrastructureMatcher<'a> = dyn Fn(&Packet) -> Option<String> + 'a;

/// A conversation from the victim's side: victim, peer, protocol, victim's port, peer's port.
type FlowKey = (IpAddr, IpAddr, Protocol, FlowPort, FlowPort);

/// The conversations of the victims in a whole capture, and the services that the victims scan.
pub struct Traffic<'a> {
    victims: &'a [IpAddr],
    dummy_servers: &'a [IpAddr],
    resolved: &'a ResolvedAddresses,
    infrastructure: &'a InfrastructureMatcher<'a>,
    flows: HashMap<FlowKey, FlowState>,
    services: ContactedServices,
    /// Index of the first packet by which each peer answered a victim.
    answered_at: HashMap<IpAddr, usize>,
    announcements: Announcements,
    arp_targets: HashSet<IpAddr>,
}

#[derive(Clone, Copy)]
struct FlowState {
    /// Which end began the conversation; `Sender` means the victim.
    initiator: Initiator,
    /// Index of the first packet of the conversation. Earlier packets of the victim belong to an older
    /// connection.
    begun_at: usize,
    /// Index of the first packet that answers the victim.
    answered_at: Option<usize>,
}

impl FlowState {
    fn new(origin: Initiator, begun_at: usize) -> FlowState {
        FlowState { initiator: origin, begun_at, answered_at: None }
    }
}

impl<'a> Traffic<'a> {
    /// Reads the packets of a capture, in time order, and finds the services that its victims scan.
    #[must_use]
    pub fn from_packets(
        packets: &[Packet],
        victims: &'a [IpAddr],
        dummy_servers: &'a [IpAddr],
        names: &'a ResolvedAddresses,
        plumbing: &'a InfrastructureMatcher<'a>,
    ) -> Traffic<'a> {
        let mut traffic = Traffic {
            victims,
            dummy_servers,
            resolved: names,
            infrastructure: plumbing,
            flows: HashMap::new(),
            services: ContactedServices::default(),
            answered_at: HashMap::new(),
            announcements: Announcements::default(),
            arp_targets: HashSet::new(),
        };
        for (index, packet) in packets.iter().enumerate() {
            traffic.record(index, packet);
        }
        traffic.services.find_scans();
        traffic
    }

    /// Returns the class of the `index`-th packet; `None` when no victim sent it.
    #[must_use]
    pub fn classify(&self, index: usize, packet: &Packet) -> Option<PacketClass> {
        if !self.is_victim(packet.source()) {
            return None;
        }
        Some(match self.access_reason(index, packet) {
            Some(reason) => PacketClass::Access(reason),
            None => PacketClass::Scan,
        })
    }

    fn is_victim(&self, address: IpAddr) -> bool {
        self.victims.contains(&address)
    }

    fn record(&mut self, index: usize, packet: &Packet) {
        let from_victim = self.is_victim(packet.source());
        if packet.protocol() == Protocol::Arp {
            if from_victim && packet.destination() != packet.source() {
                self.arp_targets.insert(packet.destination());
            }
        } else if from_victim {
            self.announcements.record(packet);
            if self.answers_victim(packet) {
                self.flows.insert(flow_of(packet), FlowState::new(Initiator::Receiver, index));
                self.record_received(index, packet);
            } else {
                self.record_sent(index, packet);
            }
        } else if self.is_victim(packet.destination()) {
            self.record_received(index, packet);
        }
    }

    /// Returns whether a victim's packet is the first answer to a conversation that another victim began.
    fn answers_victim(&self, packet: &Packet) -> bool {
        let flow = flow_of(packet);
        !is_icmp(packet) && !self.flows.contains_key(&flow) && self.flows.contains_key(&reverse(flow))
    }

    fn record_sent(&mut self, index: usize, packet: &Packet) {
        if is_icmp(packet) {
            if is_icmp_request(packet) {
                self.count_contact(packet, service_of(packet));
            }
            return;
        }
        let (announcements, flow) = (&self.announcements, flow_of(packet));
        let is_first = !self.flows.contains_key(&flow);
        let state =
            self.flows.entry(flow).or_insert_with(|| FlowState::new(announcements.initiator(packet), index));
        // A new connection may reuse the ports of one that was opened before the capture began.
        let reopens = state.initiator == Initiator::Earlier && packet.flags().is_some_and(TcpFlags::opens);
        if reopens {
            *state = FlowState::new(Initiator::Sender, index);
        }
        let acknowledges = state.initiator == Initiator::Earlier && is_bare_acknowledgement(packet);
        let asks = state.initiator == Initiator::Sender || acknowledges;
        if asks && (is_first || reopens) {
            self.count_contact(packet, ContactedService { acknowledges, ..service_of(packet) });
        }
    }

    fn record_received(&mut self, index: usize, packet: &Packet) {
        if is_icmp(packet) {
            return;
        }
        let flow = reverse(flow_of(packet));
        // If the peer sent the first captured packet of a conversation, the victim did not ask for it by a
        // packet to that peer.
        let state = self.flows.entry(flow).or_insert_with(|| FlowState::new(Initiator::Receiver, index));
        let refuses = packet.flags().is_some_and(|flags| flags.contains(TcpFlags::RST));
        if refuses || state.answered_at.is_some() {
            return;
        }
        state.answered_at = Some(index);
        if state.initiator == Initiator::Sender {
            self.answered_at.entry(packet.source()).or_insert(index);
            let service = ContactedService {
                protocol: packet.protocol(),
                port: packet.source_port(),
                acknowledges: false,
            };
            self.services.record_answer(service, packet.source());
        }
    }

    /// Counts the destination of a packet that begins a contact. Destinations that the sandbox chose (a group
    /// address, a dummy server) or that came from a name are left out.
    fn count_contact(&mut self, packet: &Packet, service: ContactedService) {
        let target = packet.destination();
        if is_group(target) || self.dummy_servers.contains(&target) || self.resolved.contains(&target) {
            return;
        }
        let is_infrastructure = (self.infrastructure)(packet).is_some();
        let socket = (packet.source(), packet.source_port());
        self.services.record_contact(service, target, socket, is_infrastructure);
    }

    fn access_reason(&self, index: usize, packet: &Packet) -> Option<AccessReason> {
        let target = packet.destination();
        if let Some(rule) = (self.infrastructure)(packet)
            && (is_group(target) || !self.services.is_scanned(service_of(packet)))
        {
            return Some(AccessReason::Infrastructure(rule));
        }
        if self.dummy_servers.contains(&target) {
            return Some(AccessReason::DummyServer);
        }
        if packet.protocol() == Protocol::Arp {
            let is_sweep = self.arp_targets.len() >= ARP_SWEEP_MIN && target != packet.source();
            return (!is_sweep).then_some(AccessReason::Arp);
        }
        if is_icmp(packet) {
            return self.icmp_access_reason(packet);
        }
        self.access_in_flow(index, packet)
    }

    fn icmp_access_reason(&self, packet: &Packet) -> Option<AccessReason> {
        if !is_icmp_request(packet) {
            Some(AccessReason::Answer)
        } else if self.resolved.contains(&packet.destination()) {
            Some(AccessReason::Named)
        } else {
            (!self.services.is_scanned(service_of(packet))).then_some(AccessReason::Ping)
        }
    }

    fn access_in_flow(&self, index: usize, packet: &Packet) -> Option<AccessReason> {
        let flow = self.flows.get(&flow_of(packet))?;
        let acknowledges = flow.initiator == Initiator::Earlier && is_bare_acknowledgement(packet);
        let service = ContactedService { acknowledges, ..service_of(packet) };
        let answers = packet.flags().is_some_and(TcpFlags::answers);
        match flow.initiator {
            Initiator::Receiver => return Some(AccessReason::Answer),
            _ if answers => return Some(AccessReason::Answer),
            // Only its fan-out distinguishes a scan with bare acknowledgements from the remains of many old
            // connections.
            Initiator::Earlier if service.acknowledges && self.services.is_scanned(service) => {}
            Initiator::Earlier => return Some(AccessReason::Earlier),
            Initiator::Sender if index < flow.begun_at => return Some(AccessReason::Earlier),
            Initiator::Sender => {}
        }
        let target = packet.destination();
        let is_before = |answer: &usize| *answer < index;
        if flow.answered_at.as_ref().is_some_and(is_before) {
            return Some(AccessReason::Answered);
        }
        if self.resolved.contains(&target) {
            return Some(AccessReason::Named);
        }
        let socket = (packet.source(), packet.source_port());
        if packet.protocol() == Protocol::Udp && self.services.is_peer_lookup(socket) {
            return Some(AccessReason::PeerLookup);
        }
        if self.services.is_scan_contact(service, target) {
            return None;
        }
        if self.services.is_target(target) {
            // A second service that a target of the scan is asked for is part of the scan, unless the
            // target's answer led to it, as when a worm connects to the shell that its exploit opened.
            return self.answered_at.get(&target).is_some_and(is_before).then_some(AccessReason::Answered);
        }
        Some(if flow.answered_at.is_some() { AccessReason::Service } else { AccessReason::FewTargets })
    }
}

/// Returns whether a packet is a TCP segment with ACK as its only flag. Such a segment belongs to an old
/// connection or to a scan for packet filters.
fn is_bare_acknowledgement(packet: &Packet) -> bool {
    packet.flags() == Some(TcpFlags::ACK)
}

/// Returns the service that the first packet of a contact asks for: its destination port, or the type of an
/// ICMP request.
fn service_of(packet: &Packet) -> ContactedService {
    let port = packet.destination_port().or_else(|| packet.icmp().map(|icmp| u16::from(icmp.kind)));
    ContactedService { protocol: packet.protocol(), port, acknowledges: false }
}

fn flow_of(packet: &Packet) -> FlowKey {
    (
        packet.source(),
        packet.destination(),
        packet.protocol(),
        packet.source_port(),
        packet.destination_port(),
    )
}

fn reverse((source, destination, protocol, source_port, destination_port): FlowKey) -> FlowKey {
    (destination, source, protocol, destination_port, source_port)
}
