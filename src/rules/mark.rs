//! Marks: features of a packet's header or payload that tool and payload rules recognize.

use std::net::IpAddr;

use regex::bytes::Regex;

use crate::packet::{Packet, Protocol, TcpFlags, Timestamp, is_group};

use super::conficker;
use super::schema::{PayloadFile, Relation, RuleInfo, ToolClass, ToolFile};

/// What a mark indicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MarkClass {
    Tool,
    Malware,
    Answer,
    Probe,
    Payload,
}

/// A compiled tool or payload rule.
#[derive(Clone, Debug)]
pub(super) struct MarkRule {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) class: MarkClass,
    about: RuleInfo,
    /// Minimum share of a window's packets that must have the mark; 0 if one packet suffices.
    share: f64,
    /// Probability that a packet has the mark by chance; `None` if the rule file does not state it.
    pub(super) chance: Option<f64>,
    protocol: Option<Protocol>,
    ports: Vec<u16>,
    test: MarkTest,
}

#[derive(Clone, Debug)]
enum MarkTest {
    Header(Relation),
    /// The packet is an answer of a service, as the compiled services decide.
    Answer,
    Payload(Regex),
}

impl MarkRule {
    pub(super) fn header(file: &ToolFile) -> MarkRule {
        let about = file.about();
        MarkRule {
            id: about.id.clone(),
            title: about.title.clone(),
            class: match file.class {
                ToolClass::Tool => MarkClass::Tool,
                ToolClass::Malware => MarkClass::Malware,
                ToolClass::Answer => MarkClass::Answer,
                ToolClass::Probe => MarkClass::Probe,
            },
            about,
            share: file.share,
            chance: file.chance,
            protocol: file.when.protocol,
            ports: Vec::new(),
            test: match file.when.relation {
                Relation::UdpFromService => MarkTest::Answer,
                relation => MarkTest::Header(relation),
            },
        }
    }

    pub(super) fn payload(file: &PayloadFile, regex: Regex) -> MarkRule {
        let about = file.about();
        MarkRule {
            id: about.id.clone(),
            title: about.title.clone(),
            class: MarkClass::Payload,
            about,
            share: 0.0,
            chance: None,
            protocol: Some(file.when.protocol),
            ports: file.when.destination_ports.clone(),
            test: MarkTest::Payload(regex),
        }
    }

    /// Returns the protocol to which the rule applies; `None` for any protocol.
    pub(super) fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// Returns the destination ports to which a payload rule applies; empty for any port.
    pub(super) fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Returns the header relation of the rule, if it has one.
    pub(super) fn relation(&self) -> Option<Relation> {
        match self.test {
            MarkTest::Header(relation) => Some(relation),
            MarkTest::Answer | MarkTest::Payload(_) => None,
        }
    }

    /// Returns whether the rule recognizes answers of UDP services.
    pub(super) fn recognizes_answers(&self) -> bool {
        matches!(self.test, MarkTest::Answer)
    }

    /// Returns whether the mark is evidence of malware.
    pub(super) fn indicates_malware(&self) -> bool {
        self.class == MarkClass::Malware
    }

    /// Returns the rule's id, title and dates.
    pub(super) fn about(&self) -> &RuleInfo {
        &self.about
    }

    /// Returns whether a payload matches the rule. Protocol and ports are not tested.
    pub(super) fn matches_payload(&self, payload: &[u8]) -> bool {
        matches!(&self.test, MarkTest::Payload(regex) if regex.is_match(payload))
    }

    /// Returns whether the rule applies to packets of a protocol, or, if `None`, to protocols that no rule
    /// names.
    pub(super) fn applies_to(&self, protocol: Option<Protocol>) -> bool {
        // A rule for ICMP also applies to ICMPv6; the relations distinguish the two.
        self.protocol.is_none_or(|wanted| {
            Some(wanted) == protocol || (wanted == Protocol::Icmp && protocol == Some(Protocol::Icmpv6))
        })
    }

    /// Returns whether a window has the mark, given how many of its packets have it and the time of the
    /// window.
    #[expect(clippy::cast_precision_loss, reason = "a share of the packets of one window")]
    pub(super) fn holds(&self, marked: u64, packets: u64, at: Option<Timestamp>) -> bool {
        marked > 0 && marked as f64 >= self.share * packets as f64 && self.about.is_valid(at)
    }
}

/// traceroute counts its destination ports up from 33434, by one per probe: three probes for each of at most
/// 85 hops.
const TRACEROUTE_PORTS: std::ops::RangeInclusive<u16> = 33_434..=33_689;

impl Relation {
    #[inline]
    pub(super) fn holds(self, packet: &Packet) -> bool {
        match self {
            Relation::IpId54321 => packet.ip_id() == Some(54_321),
            Relation::IpIdMasscan => ip_id_masscan(packet),
            Relation::SequenceIsDestination => sequence_is_destination(packet),
            Relation::IcmpAnswer => packet.icmp().is_some_and(|icmp| match packet.protocol() {
                Protocol::Icmpv6 => matches!(icmp.kind, 1..=4 | 129),
                _ => matches!(icmp.kind, 0 | 3 | 4 | 5 | 11 | 12 | 14 | 16 | 18),
            }),
            Relation::IcmpEchoRequest => packet.icmp().is_some_and(|icmp| match packet.protocol() {
                Protocol::Icmpv6 => icmp.kind == 128,
                _ => icmp.kind == 8,
            }),
            // The compiled services decide; see `MarkTest::Answer`.
            Relation::UdpFromService => false,
            Relation::ToGroup => is_group(packet.destination()),
            Relation::UdpToTraceroutePort => {
                packet.protocol() == Protocol::Udp
                    && packet.destination_port().is_some_and(|port| TRACEROUTE_PORTS.contains(&port))
            }
            Relation::PortOfConfickerD => conficker::is_peer_probe(packet),
        }
    }
}

fn destination_number(packet: &Packet) -> Option<u32> {
    match packet.destination() {
        IpAddr::V4(address) => Some(u32::from(address)),
        IpAddr::V6(_) => None,
    }
}

fn opens(packet: &Packet) -> bool {
    packet.flags().is_some_and(TcpFlags::opens)
}

#[expect(clippy::cast_possible_truncation, reason = "the relation is of the lower 16 bits")]
fn ip_id_masscan(packet: &Packet) -> bool {
    let (Some(address), Some(port), Some(sequence), Some(ip_id)) =
        (destination_number(packet), packet.destination_port(), packet.sequence(), packet.ip_id())
    else {
        return false;
    };
    opens(packet) && (address ^ u32::from(port) ^ sequence) as u16 == ip_id
}

fn sequence_is_destination(packet: &Packet) -> bool {
    opens(packet) && packet.sequence().is_some() && packet.sequence() == destination_number(packet)
}
