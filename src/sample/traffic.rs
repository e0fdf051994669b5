//! A victim host's packets: which are scan events, which are server accesses, and why.
//!
//! A darknet answers nothing, so it sees of a sample only what the sample sends unasked and before any answer.
//! That is the rule here: a packet is a scan event when a silent address would have received it, too, and when
//! it goes to a bare address rather than to a service that the sample (or its system) uses.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::event::{Packet, Protocol};

/// Destinations on one port from which on answered use of that port is a scan that finds open ports, unless
/// their names were looked up. Fewer are servers with fixed addresses.
const ANSWERED_SCAN_MIN: usize = 5;
/// Addresses that a host must ask for by ARP to sweep its subnet; a quiet host asks for a gateway and a few peers.
const ARP_SWEEP_MIN: usize = 10;
/// Destinations of a ping sweep; fewer are tests of the connection.
const PING_SWEEP_MIN: usize = 3;
/// Destinations that a port-following lookup, or a scan of one port, must have to be told as such.
const FAN_OUT_MIN: usize = 3;

/// What a packet of the victim is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "class", content = "reason", rename_all = "lowercase")]
pub enum Class {
    /// A scan event.
    Scan,
    /// A server access, and why it is one.
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
    /// It opens the use of a service that answers.
    Service,
    /// It goes to an address whose name was looked up.
    Named,
    /// It goes to a dummy server of the sandbox.
    DummyServer,
    /// It asks for the hardware address of one of a few neighbours.
    Arp,
    /// It pings one or two hosts.
    Ping,
    /// It looks for peers: one UDP socket, to each host another port, beside a scan of fixed ports. Kept apart,
    /// since a darknet sees the two apart as well.
    PeerLookup,
    /// It uses the sandbox's plumbing, by the rule of this id.
    #[serde(untagged)]
    Plumbing(String),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Reason::Answer => "answer",
            Reason::Answered => "answered",
            Reason::Service => "service",
            Reason::Named => "named",
            Reason::DummyServer => "dummy-server",
            Reason::Arp => "arp",
            Reason::Ping => "ping",
            Reason::PeerLookup => "peer-lookup",
            Reason::Plumbing(rule) => rule,
        })
    }
}

/// Addresses that names were resolved to, in the order of the answers.
pub type Names = HashSet<IpAddr>;

/// Tells sandbox plumbing: the id of the rule that a packet answers to.
pub type Plumbing<'a> = dyn Fn(&Packet) -> Option<String> + 'a;

type Port = Option<u16>;
/// Victim, peer, protocol, victim's port, peer's port.
type Flow = (IpAddr, IpAddr, Protocol, Port, Port);

/// What a whole capture says about its victims' conversations.
pub struct Traffic<'a> {
    victims: &'a [IpAddr],
    dummy_servers: &'a [IpAddr],
    names: &'a Names,
    plumbing: &'a Plumbing<'a>,
    /// Whether the victim began the flow.
    flows: HashMap<Flow, FlowState>,
    /// By protocol and port: the destinations that victims began to talk to.
    asked: BTreeMap<(Protocol, Port), Asked>,
    arp_targets: HashSet<IpAddr>,
    ping_targets: HashSet<IpAddr>,
    /// UDP sockets (victim and port) that look for peers.
    lookups: HashSet<(IpAddr, Port)>,
}

#[derive(Clone, Copy)]
struct FlowState {
    begun_by_victim: bool,
    /// Whether it is plumbing's by rule: such flows are neither service nor scan.
    is_plumbing: bool,
    /// Index of the first packet that answers.
    answered_at: Option<usize>,
}

#[derive(Default)]
struct Asked {
    destinations: HashSet<IpAddr>,
    /// Those that answered.
    answering: HashSet<IpAddr>,
}

impl<'a> Traffic<'a> {
    /// Reads a capture, in time order, for what its victims do.
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
            asked: BTreeMap::new(),
            arp_targets: HashSet::new(),
            ping_targets: HashSet::new(),
            lookups: HashSet::new(),
        };
        for (index, packet) in packets.iter().enumerate() {
            traffic.see(index, packet);
        }
        traffic.count_asked();
        traffic.find_lookups();
        traffic
    }

    /// What the `index`-th packet is; `None` when no victim sent it.
    #[must_use]
    pub fn class(&self, index: usize, packet: &Packet) -> Option<Class> {
        if !self.victims.contains(&packet.source()) {
            return None;
        }
        Some(match self.access(index, packet) {
            Some(reason) => Class::Access(reason),
            None => Class::Scan,
        })
    }

    fn see(&mut self, index: usize, packet: &Packet) {
        let from_victim = self.victims.contains(&packet.source());
        if packet.protocol() == Protocol::Arp {
            if from_victim && packet.destination() != packet.source() {
                self.arp_targets.insert(packet.destination());
            }
        } else if is_icmp(packet) {
            if from_victim && is_ping(packet) && (self.plumbing)(packet).is_none() {
                self.ping_targets.insert(packet.destination());
            }
        } else if from_victim {
            let plumbing = self.plumbing;
            self.flows.entry(flow_of(packet)).or_insert_with(|| FlowState {
                begun_by_victim: true,
                is_plumbing: plumbing(packet).is_some(),
                answered_at: None,
            });
        } else if self.victims.contains(&packet.destination()) {
            let begun = FlowState { begun_by_victim: false, is_plumbing: false, answered_at: None };
            let flow = self.flows.entry(reverse(flow_of(packet))).or_insert(begun);
            let refused = packet.flags().is_some_and(|flags| flags.contains(crate::event::TcpFlags::RST));
            if !refused {
                flow.answered_at = flow.answered_at.or(Some(index));
            }
        }
    }

    fn count_asked(&mut self) {
        for ((_, peer, protocol, _, port), state) in &self.flows {
            if state.begun_by_victim && !state.is_plumbing {
                let asked = self.asked.entry((*protocol, *port)).or_default();
                asked.destinations.insert(*peer);
                if state.answered_at.is_some() {
                    asked.answering.insert(*peer);
                }
            }
        }
    }

    /// UDP sockets that ask every host on another port, where some other port is scanned host by host. Without
    /// such a scan the lookups are all that the sample does, and they are its scan (Conficker.D).
    fn find_lookups(&mut self) {
        let mut sockets: HashMap<(IpAddr, Port), HashMap<IpAddr, HashSet<Port>>> = HashMap::new();
        for ((victim, peer, protocol, victim_port, port), state) in &self.flows {
            if *protocol == Protocol::Udp && state.begun_by_victim && !state.is_plumbing {
                sockets.entry((*victim, *victim_port)).or_default().entry(*peer).or_default().insert(*port);
            }
        }
        let scans_a_port = self.asked.iter().any(|((protocol, port), asked)| {
            protocol.has_ports()
                && asked.destinations.len() >= FAN_OUT_MIN
                && !self.is_service(*protocol, *port)
        });
        if scans_a_port {
            let lookups = sockets.into_iter().filter(|(_, peers)| ports_follow(peers));
            self.lookups = lookups.map(|(socket, _)| socket).collect();
        }
    }

    fn access(&self, index: usize, packet: &Packet) -> Option<Reason> {
        if let Some(rule) = (self.plumbing)(packet) {
            return Some(Reason::Plumbing(rule));
        }
        if self.dummy_servers.contains(&packet.destination()) {
            return Some(Reason::DummyServer);
        }
        if packet.protocol() == Protocol::Arp {
            return (self.arp_targets.len() < ARP_SWEEP_MIN || packet.destination() == packet.source())
                .then_some(Reason::Arp);
        }
        if is_icmp(packet) {
            return match is_ping(packet) {
                false => Some(Reason::Answer),
                true => (self.ping_targets.len() < PING_SWEEP_MIN).then_some(Reason::Ping),
            };
        }
        self.access_in_flow(index, packet)
    }

    fn access_in_flow(&self, index: usize, packet: &Packet) -> Option<Reason> {
        let flow = self.flows.get(&flow_of(packet))?;
        let answers_nobody = packet.flags().is_none_or(|flags| !flags.answers());
        if !flow.begun_by_victim || !answers_nobody {
            return Some(Reason::Answer);
        }
        if flow.answered_at.is_some_and(|answer| answer < index) {
            return Some(Reason::Answered);
        }
        if self.names.contains(&packet.destination()) {
            return Some(Reason::Named);
        }
        let answers = flow.answered_at.is_some();
        if answers && self.is_service(packet.protocol(), packet.destination_port()) {
            return Some(Reason::Service);
        }
        let socket = (packet.source(), packet.source_port());
        (packet.protocol() == Protocol::Udp && self.lookups.contains(&socket)).then_some(Reason::PeerLookup)
    }

    /// Whether a port is used rather than scanned: few bare addresses were asked, and most of them answered.
    fn is_service(&self, protocol: Protocol, port: Port) -> bool {
        self.asked.get(&(protocol, port)).is_some_and(|asked| {
            let bare = asked.destinations.iter().filter(|peer| !self.names.contains(peer)).count();
            bare < ANSWERED_SCAN_MIN && asked.answering.len() * 2 >= asked.destinations.len()
        })
    }
}

fn ports_follow(peers: &HashMap<IpAddr, HashSet<Port>>) -> bool {
    let ports: HashSet<Port> = peers.values().flatten().copied().collect();
    peers.len() >= FAN_OUT_MIN
        && peers.values().all(|ports| ports.len() == 1)
        && ports.len() * 5 >= peers.len() * 4
}

fn is_icmp(packet: &Packet) -> bool {
    matches!(packet.protocol(), Protocol::Icmp | Protocol::Icmpv6)
}

/// An echo request; a text log that does not tell the kind is believed to show one.
fn is_ping(packet: &Packet) -> bool {
    packet.icmp().is_none_or(|icmp| match packet.protocol() {
        Protocol::Icmpv6 => icmp.kind == 128,
        _ => icmp.kind == 8,
    })
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
