//! Marks: what one packet tells by its header or payload.

use std::net::IpAddr;

use regex::bytes::Regex;

use crate::event::{Packet, Protocol, TcpFlags, Timestamp, is_group};

use super::conficker;
use super::schema::{About, PayloadFile, Relation, ToolClass, ToolFile};

/// What a mark tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MarkClass {
    Tool,
    Malware,
    Answer,
    Probe,
    Payload,
}

/// A compiled mark.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) class: MarkClass,
    about: About,
    /// Share of a window's packets that must have it; 0 for any packet.
    share: f64,
    /// Probability that a packet has the mark by chance; `None` where the rule file does not state it.
    pub(super) chance: Option<f64>,
    protocol: Option<Protocol>,
    ports: Vec<u16>,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Header(Relation),
    /// The packet is the answer of a service; the compiled services decide that.
    Answer,
    Payload(Regex),
}

impl Mark {
    pub(super) fn header(file: &ToolFile) -> Mark {
        let about = file.about();
        Mark {
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
                Relation::UdpFromService => Test::Answer,
                relation => Test::Header(relation),
            },
        }
    }

    pub(super) fn payload(file: &PayloadFile, regex: Regex) -> Mark {
        let about = file.about();
        Mark {
            id: about.id.clone(),
            title: about.title.clone(),
            class: MarkClass::Payload,
            about,
            share: 0.0,
            chance: None,
            protocol: Some(file.when.protocol),
            ports: file.when.destination_ports.clone(),
            test: Test::Payload(regex),
        }
    }

    /// The protocol that it is about; `None` for any.
    pub(super) fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// The destination ports that a payload rule is about; none for any.
    pub(super) fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// What it asks of headers, if it does.
    pub(super) fn relation(&self) -> Option<Relation> {
        match self.test {
            Test::Header(relation) => Some(relation),
            Test::Answer | Test::Payload(_) => None,
        }
    }

    /// Whether it needs an answer of a UDP service.
    pub(super) fn asks_for_answers(&self) -> bool {
        matches!(self.test, Test::Answer)
    }

    /// Whether it is evidence of a malware.
    pub(super) fn is_of_malware(&self) -> bool {
        self.class == MarkClass::Malware
    }

    /// Returns what the rule says about itself, with the dates within which it is applied.
    pub(super) fn about(&self) -> &About {
        &self.about
    }

    /// Whether a payload of its protocol and ports has it.
    pub(super) fn is_in(&self, payload: &[u8]) -> bool {
        matches!(&self.test, Test::Payload(regex) if regex.is_match(payload))
    }

    /// Whether it is about packets of a protocol, or of one that no rule names.
    pub(super) fn is_about(&self, protocol: Option<Protocol>) -> bool {
        // A rule of ICMP is one of ICMPv6, too: the relations know the difference.
        self.protocol.is_none_or(|wanted| {
            Some(wanted) == protocol || (wanted == Protocol::Icmp && protocol == Some(Protocol::Icmpv6))
        })
    }

    /// Whether it holds for a window of which this number of packets have it.
    #[expect(clippy::cast_precision_loss, reason = "a share of the packets of one window")]
    pub(super) fn holds(&self, marked: u64, packets: u64, at: Option<Timestamp>) -> bool {
        marked > 0 && marked as f64 >= self.share * packets as f64 && self.about.is_valid(at)
    }
}

/// traceroute begins at port 33434 and counts up by one for each probe: three probes for each of at most 85 hops.
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
            // The compiled services decide; see `Test::Answer`.
            Relation::UdpFromService => false,
            Relation::ToGroup => is_group(packet.destination()),
            Relation::UdpToTraceroutePort => {
                packet.protocol() == Protocol::Udp
                    && packet.destination_port().is_some_and(|port| TRACEROUTE_PORTS.contains(&port))
            }
            Relation::PortOfConfickerD => conficker::asks_for_peer(packet),
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
