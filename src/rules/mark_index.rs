//! Index of the rules that can apply to a packet, by protocol and port, so that only these are tested.

use crate::packet::{Packet, Protocol};

use super::mark::MarkRule;
use super::schema::Relation;

/// Candidate marks by protocol, as bits numbered like [`Marks`](crate::behavior::Marks).
#[derive(Clone, Debug, Default)]
pub(super) struct MarkIndex {
    /// Candidates for the most frequent protocols and for all protocols that a rule names.
    by_protocol: Vec<(Protocol, ProtocolMarks)>,
    /// Candidates for all other protocols.
    others: ProtocolMarks,
}

/// Candidate marks for packets of one protocol.
#[derive(Clone, Debug, Default)]
pub(super) struct ProtocolMarks {
    /// The distinct header relations to test, each with the marks that it sets.
    relations: Vec<(Relation, u64)>,
    /// Marks of packets that are answers of a UDP service.
    pub(super) answers: u64,
    /// Marks of payload rules for any destination port.
    any_port: u64,
    /// Marks of payload rules by destination port, ascending.
    ports: Vec<(u16, u64)>,
}

impl MarkIndex {
    pub(super) fn from_marks(marks: &[MarkRule]) -> MarkIndex {
        let mut protocols = vec![Protocol::Tcp, Protocol::Udp, Protocol::Icmp, Protocol::Icmpv6];
        for protocol in marks.iter().filter_map(MarkRule::protocol) {
            if !protocols.contains(&protocol) {
                protocols.push(protocol);
            }
        }
        let of = |protocol| ProtocolMarks::from_marks(marks, protocol);
        MarkIndex {
            by_protocol: protocols.into_iter().map(|protocol| (protocol, of(Some(protocol)))).collect(),
            others: of(None),
        }
    }

    /// Returns the candidates for packets of a protocol.
    #[inline]
    pub(super) fn for_protocol(&self, protocol: Protocol) -> &ProtocolMarks {
        let known = self.by_protocol.iter().find(|(known, _)| *known == protocol);
        known.map_or(&self.others, |(_, bits)| bits)
    }
}

impl ProtocolMarks {
    /// Collects the candidates for a protocol, or for protocols that no rule names (`None`).
    fn from_marks(marks: &[MarkRule], protocol: Option<Protocol>) -> ProtocolMarks {
        let mut bits = ProtocolMarks::default();
        for (at, mark) in marks.iter().enumerate().filter(|(_, mark)| mark.applies_to(protocol)) {
            let bit = 1 << at;
            if mark.recognizes_answers() {
                bits.answers |= bit;
                continue;
            }
            match (mark.relation(), mark.ports()) {
                (Some(relation), _) => {
                    match bits.relations.iter_mut().find(|(known, _)| *known == relation) {
                        Some((_, marks)) => *marks |= bit,
                        None => bits.relations.push((relation, bit)),
                    }
                }
                (None, []) => bits.any_port |= bit,
                (None, ports) => ports.iter().for_each(|port| bits.add_port(*port, bit)),
            }
        }
        bits
    }

    fn add_port(&mut self, port: u16, bit: u64) {
        match self.ports.binary_search_by_key(&port, |(known, _)| *known) {
            Ok(at) => self.ports[at].1 |= bit,
            Err(at) => self.ports.insert(at, (port, bit)),
        }
    }

    /// Returns the marks whose header relation holds for a packet.
    #[inline]
    pub(super) fn header_marks(&self, packet: &Packet) -> u64 {
        let holds = self.relations.iter().filter(|(relation, _)| relation.holds(packet));
        holds.fold(0, |bits, (_, marks)| bits | marks)
    }

    /// Returns the marks whose payload rules apply to a destination port; the payload is still to be tested.
    #[inline]
    pub(super) fn payload_candidates(&self, port: Option<u16>) -> u64 {
        let of_port = port
            .and_then(|port| self.ports.binary_search_by_key(&port, |(known, _)| *known).ok())
            .map_or(0, |at| self.ports[at].1);
        self.any_port | of_port
    }
}
