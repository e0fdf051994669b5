//! Decides which packets of a victim host are scan events and which are service accesses, and why.
//!
//! A darknet answers nothing, so it sees of a sample only what the sample sends unasked and before any answer.
//! Two conditions make a packet a scan event: a silent address would have received it, too, and the service that it
//! asks for is asked on many addresses. A single address that is contacted again and again, whether it answers or
//! not (a dead command server), is no scan.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::event::{Packet, Protocol, TcpFlags, is_group};

use super::conversation::{Announcements, Origin, Port, is_icmp, is_icmp_request};
use super::fan_out::{Service, Services};

/// Addresses that a host must ask for by ARP to sweep its subnet; a quiet host asks for a gateway and a few peers.
const ARP_SWEEP_MIN: usize = 10;

/// The class of a packet that the victim sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "class", content = "reason", rename_all = "lowercase")]
pub enum Class {
    /// A scan event.
    Scan,
    /// A service access, and why it is one.
    Access(Reason),
}

/// Why a packet is no scan event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It answers a conversation that another host began, or a ping.
    Answer,
    /// It follows an answer: no silent address would ever have received it.
    Answered,
    /// It asks for a service on one of a few addresses, and the address answers.
    Service,
    /// It asks for a service on one of a few addresses, and the address is silent or refuses: a dead server.
    FewTargets,
    /// It belongs to a TCP connection that was opened before the capture began.
    Earlier,
    /// It goes to an address whose name was looked up.
    Named,
    /// It goes to a dummy server of the sandbox.
    DummyServer,
    /// It asks for the hardware address of one of a few neighbours.
    Arp,
    /// It pings one of a few hosts.
    Ping,
    /// It looks for peers: one UDP socket, to each host another port, beside a scan of fixed ports. Kept apart,
    /// since a darknet sees the two apart as well.
    PeerLookup,
    /// It is infrastructure traffic by the rule of this id.
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

/// Addresses that names were resolved to.
pub type Names = HashSet<IpAddr>;

/// Returns the id of the infrastructure rule that a packet matches.
pub type Plumbing<'a> = dyn Fn(&Packet) -> Option<String> + 'a;

/// Victim, peer, protocol, victim's port, peer's port.
type Flow = (IpAddr, IpAddr, Protocol, Port, Port);

/// What a whole capture says about its victims' conversations.
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
    /// `Sender` means the victim.
    origin: Origin,
    /// Index of the first packet of the conversation; the victim's packets before it are of an earlier connection.
    begun_at: usize,
    /// Index of the first packet that answers.
    answered_at: Option<usize>,
}

impl FlowState {
    fn new(origin: Origin, begun_at: usize) -> FlowState {
        FlowState { origin, begun_at, answered_at: None }
    }
}

impl<'a> Traffic<'a> {
    /// Reads the packets of a capture, in time order, and finds what its victims scan.
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

    /// Whether a victim's packet is the first answer to a conversation that another victim began.
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
        // A new connection may have the ports of one that was opened before the capture began.
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
        // The first captured packet of a conversation comes from the peer: the victim did not ask for it by a packet
        // to the peer.
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

    /// Counts the destination of a packet that begins a contact, unless its address was chosen by the sandbox (a
    /// group, a dummy server) or by a name.
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
            // A scan with bare acknowledgements looks like the rest of many old connections, but for its fan-out.
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
            // A second service that is asked of a target of the scan is part of the scan, unless the target's answer
            // led to it, as when a worm connects to the shell that its exploit opened.
            return self.answered_at.get(&target).is_some_and(is_before).then_some(Reason::Answered);
        }
        Some(if flow.answered_at.is_some() { Reason::Service } else { Reason::FewTargets })
    }
}

/// Whether a packet is a TCP segment with an ACK and nothing else: of an old connection, or of a scan for packet
/// filters.
fn is_bare_acknowledgement(packet: &Packet) -> bool {
    packet.flags() == Some(TcpFlags::ACK)
}

/// Returns the service that the first packet of a contact asks for: its destination port, or the type of an ICMP
/// request.
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
