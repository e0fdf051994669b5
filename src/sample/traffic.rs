//! Decides which packets of a victim host are scan events and which are service accesses, and why.
//!
//! A darknet answers nothing, so it receives from a sample only what the sample sends unasked and before any
//! answer. A packet is a scan event if two conditions hold: a silent address would have received it as well,
//! and the service that it asks for is asked for on many addresses. A single address that is contacted again
//! and again, whether it answers or not (a dead command server), is no scan.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::event::{Packet, Protocol, TcpFlags, is_group};

use super::conversation::{Announcements, Origin, Port, is_icmp, is_icmp_request};
use super::fan_out::{Service, Services};

/// Minimum number of addresses that a host asks for by ARP in a sweep of its subnet. A host that does not
/// scan asks for a gateway and a few peers.
const ARP_SWEEP_MIN: usize = 10;

/// The class of a packet that the victim sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "class", content = "reason", rename_all = "lowercase")]
pub enum Class {
    /// A scan event.
    Scan,
    /// A service access, with the reason why the packet is no scan event.
    Access(Reason),
}

/// The reason why a packet is no scan event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
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
    Plumbing(String),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Reason::Answer => "answer",
            Reason::Answered => "answered",
            Reason::Service => "service",
            Reason::FewTargets => "few-targets",
            Reason::Earlier => "earlier",
            Reason::Named => "named",
            Reason::DummyServer => "dummy-server",
            Reason::Arp => "arp",
            Reason::Ping => "ping",
            Reason::PeerLookup => "peer-lookup",
            Reason::Plumbing(rule) => rule,
        })
    }
}

/// Addresses to which names were resolved in the run.
pub type Names = HashSet<IpAddr>;

/// Returns the id of the infrastructure rule that a packet matches.
pub type Plumbing<'a> = dyn Fn(&Packet) -> Option<String> + 'a;

/// A conversation from the victim's side: victim, peer, protocol, victim's port, peer's port.
type Flow = (IpAddr, IpAddr, Protocol, Port, Port);

/// The conversations of the victims in a whole capture, and the services that the victims scan.
pub struct Traffic<'a> {
    victims: &'a [IpAddr],
    dummy_servers: &'a [IpAddr],
    names: &'a Names,
    plumbing: &'a Plumbing<'a>,
    flows: HashMap<Flow, FlowState>,
    services: Services,
    /// Index of the first packet by which each peer answered a victim.
    answered_at: HashMap<IpAddr, usize>,
    announcements: Announcements,
    arp_targets: HashSet<IpAddr>,
}

#[derive(Clone, Copy)]
struct FlowState {
    /// Which end began the conversation; `Sender` means the victim.
    origin: Origin,
    /// Index of the first packet of the conversation. Earlier packets of the victim belong to an older
    /// connection.
    begun_at: usize,
    /// Index of the first packet that answers the victim.
    answered_at: Option<usize>,
}

impl FlowState {
    fn new(origin: Origin, begun_at: usize) -> FlowState {
        FlowState { origin, begun_at, answered_at: None }
    }
}

impl<'a> Traffic<'a> {
    /// Reads the packets of a capture, in time order, and finds the services that its victims scan.
    #[must_use]
    pub fn of(
        packets: &[Packet],
        victims: &'a [IpAddr],
        dummy_servers: &'a [IpAddr],
        names: &'a Names,
        plumbing: &'a Plumbing<'a>,
    ) -> Traffic<'a> {
        let mut traffic = Traffic {
            victims,
            dummy_servers,
            names,
            plumbing,
            flows: HashMap::new(),
            services: Services::default(),
            answered_at: HashMap::new(),
            announcements: Announcements::default(),
            arp_targets: HashSet::new(),
        };
        for (index, packet) in packets.iter().enumerate() {
            traffic.see(index, packet);
        }
        traffic.services.decide();
        traffic
    }

    /// Returns the class of the `index`-th packet; `None` when no victim sent it.
    #[must_use]
    pub fn class(&self, index: usize, packet: &Packet) -> Option<Class> {
        if !self.is_victim(packet.source()) {
            return None;
        }
        Some(match self.access(index, packet) {
            Some(reason) => Class::Access(reason),
            None => Class::Scan,
        })
    }

    fn is_victim(&self, address: IpAddr) -> bool {
        self.victims.contains(&address)
    }

    fn see(&mut self, index: usize, packet: &Packet) {
        let from_victim = self.is_victim(packet.source());
        if packet.protocol() == Protocol::Arp {
            if from_victim && packet.destination() != packet.source() {
                self.arp_targets.insert(packet.destination());
            }
        } else if from_victim {
            self.announcements.see(packet);
            if self.answers_victim(packet) {
                self.flows.insert(flow_of(packet), FlowState::new(Origin::Receiver, index));
                self.see_received(index, packet);
            } else {
                self.see_sent(index, packet);
            }
        } else if self.is_victim(packet.destination()) {
            self.see_received(index, packet);
        }
    }

    /// Returns whether a victim's packet is the first answer to a conversation that another victim began.
    fn answers_victim(&self, packet: &Packet) -> bool {
        let flow = flow_of(packet);
        !is_icmp(packet) && !self.flows.contains_key(&flow) && self.flows.contains_key(&reverse(flow))
    }

    fn see_sent(&mut self, index: usize, packet: &Packet) {
        if is_icmp(packet) {
            if is_icmp_request(packet) {
                self.count_contact(packet, service_of(packet));
            }
            return;
        }
        let (announcements, flow) = (&self.announcements, flow_of(packet));
        let is_first = !self.flows.contains_key(&flow);
        let state =
            self.flows.entry(flow).or_insert_with(|| FlowState::new(announcements.origin(packet), index));
        // A new connection may reuse the ports of one that was opened before the capture began.
        let reopens = state.origin == Origin::Earlier && packet.flags().is_some_and(TcpFlags::opens);
        if reopens {
            *state = FlowState::new(Origin::Sender, index);
        }
        let acknowledges = state.origin == Origin::Earlier && is_bare_acknowledgement(packet);
        let asks = state.origin == Origin::Sender || acknowledges;
        if asks && (is_first || reopens) {
            self.count_contact(packet, Service { acknowledges, ..service_of(packet) });
        }
    }

    fn see_received(&mut self, index: usize, packet: &Packet) {
        if is_icmp(packet) {
            return;
        }
        let flow = reverse(flow_of(packet));
        // If the peer sent the first captured packet of a conversation, the victim did not ask for it by a
        // packet to that peer.
        let state = self.flows.entry(flow).or_insert_with(|| FlowState::new(Origin::Receiver, index));
        let refuses = packet.flags().is_some_and(|flags| flags.contains(TcpFlags::RST));
        if refuses || state.answered_at.is_some() {
            return;
        }
        state.answered_at = Some(index);
        if state.origin == Origin::Sender {
            self.answered_at.entry(packet.source()).or_insert(index);
            let service =
                Service { protocol: packet.protocol(), port: packet.source_port(), acknowledges: false };
            self.services.answer(service, packet.source());
        }
    }

    /// Counts the destination of a packet that begins a contact. Destinations that the sandbox chose (a group
    /// address, a dummy server) or that came from a name are left out.
    fn count_contact(&mut self, packet: &Packet, service: Service) {
        let target = packet.destination();
        if is_group(target) || self.dummy_servers.contains(&target) || self.names.contains(&target) {
            return;
        }
        let is_infrastructure = (self.plumbing)(packet).is_some();
        let socket = (packet.source(), packet.source_port());
        self.services.ask(service, target, socket, is_infrastructure);
    }

    fn access(&self, index: usize, packet: &Packet) -> Option<Reason> {
        let target = packet.destination();
        if let Some(rule) = (self.plumbing)(packet)
            && (is_group(target) || !self.services.is_scanned(service_of(packet)))
        {
            return Some(Reason::Plumbing(rule));
        }
        if self.dummy_servers.contains(&target) {
            return Some(Reason::DummyServer);
        }
        if packet.protocol() == Protocol::Arp {
            let is_sweep = self.arp_targets.len() >= ARP_SWEEP_MIN && target != packet.source();
            return (!is_sweep).then_some(Reason::Arp);
        }
        if is_icmp(packet) {
            return self.icmp_access(packet);
        }
        self.access_in_flow(index, packet)
    }

    fn icmp_access(&self, packet: &Packet) -> Option<Reason> {
        if !is_icmp_request(packet) {
            Some(Reason::Answer)
        } else if self.names.contains(&packet.destination()) {
            Some(Reason::Named)
        } else {
            (!self.services.is_scanned(service_of(packet))).then_some(Reason::Ping)
        }
    }

    fn access_in_flow(&self, index: usize, packet: &Packet) -> Option<Reason> {
        let flow = self.flows.get(&flow_of(packet))?;
        let acknowledges = flow.origin == Origin::Earlier && is_bare_acknowledgement(packet);
        let service = Service { acknowledges, ..service_of(packet) };
        let answers = packet.flags().is_some_and(TcpFlags::answers);
        match flow.origin {
            Origin::Receiver => return Some(Reason::Answer),
            _ if answers => return Some(Reason::Answer),
            // Only its fan-out distinguishes a scan with bare acknowledgements from the remains of many old
            // connections.
            Origin::Earlier if service.acknowledges && self.services.is_scanned(service) => {}
            Origin::Earlier => return Some(Reason::Earlier),
            Origin::Sender if index < flow.begun_at => return Some(Reason::Earlier),
            Origin::Sender => {}
        }
        let target = packet.destination();
        let is_before = |answer: &usize| *answer < index;
        if flow.answered_at.as_ref().is_some_and(is_before) {
            return Some(Reason::Answered);
        }
        if self.names.contains(&target) {
            return Some(Reason::Named);
        }
        let socket = (packet.source(), packet.source_port());
        if packet.protocol() == Protocol::Udp && self.services.is_peer_lookup(socket) {
            return Some(Reason::PeerLookup);
        }
        if self.services.is_scan_of(service, target) {
            return None;
        }
        if self.services.is_target(target) {
            // A second service that a target of the scan is asked for is part of the scan, unless the
            // target's answer led to it, as when a worm connects to the shell that its exploit opened.
            return self.answered_at.get(&target).is_some_and(is_before).then_some(Reason::Answered);
        }
        Some(if flow.answered_at.is_some() { Reason::Service } else { Reason::FewTargets })
    }
}

/// Returns whether a packet is a TCP segment with ACK as its only flag. Such a segment belongs to an old
/// connection or to a scan for packet filters.
fn is_bare_acknowledgement(packet: &Packet) -> bool {
    packet.flags() == Some(TcpFlags::ACK)
}

/// Returns the service that the first packet of a contact asks for: its destination port, or the type of an
/// ICMP request.
fn service_of(packet: &Packet) -> Service {
    let port = packet.destination_port().or_else(|| packet.icmp().map(|icmp| u16::from(icmp.kind)));
    Service { protocol: packet.protocol(), port, acknowledges: false }
}

fn flow_of(packet: &Packet) -> Flow {
    (
        packet.source(),
        packet.destination(),
        packet.protocol(),
        packet.source_port(),
        packet.destination_port(),
    )
}

fn reverse((source, destination, protocol, source_port, destination_port): Flow) -> Flow {
    (destination, source, protocol, destination_port, source_port)
}
