//! Finds the victim host of a sandbox capture: the address that is in every packet, or the host that begins
//! most contacts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;

use crate::packet::{Packet, Protocol, is_group};

use super::conversation::{Announcements, FlowPort, Initiator, is_icmp, is_icmp_request};

/// Maximum number of victims. A sandbox has one victim, sometimes two or three.
const VICTIMS_MAX: usize = 3;
/// A further victim begins at least a third as many contacts as the first victim. The sandbox's own servers
/// and a domain controller begin some contacts, but far fewer than an infected host.
const FURTHER_VICTIM_DIVISOR: usize = 3;
/// A further victim begins at least five contacts, because a host with fewer has no scan.
const FURTHER_VICTIM_CONTACTS_MIN: usize = 5;
/// Maximum number of addresses that an error names.
const ADDRESSES_SHOWN_MAX: usize = 8;

/// The reason why no victim could be determined.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VictimError {
    /// No packet begins a contact.
    #[error("no packet begins a contact, so no victim host can be named; give --victim ADDRESS")]
    NoContact,
    /// Too many hosts begin contacts.
    #[error(
        "no victim host stands out: {hosts} hosts begin contacts, {first} most of all with {count} of {total}; give --victim ADDRESS"
    )]
    NoneStandsOut {
        /// Number of hosts that begin a contact.
        hosts: usize,
        /// The host that begins most contacts.
        first: IpAddr,
        /// Number of contacts that it begins.
        count: usize,
        /// Number of contacts that all hosts begin.
        total: usize,
    },
    /// A victim that was given has no packet.
    #[error("no packet is from or to the victim {victim}; addresses with the most packets: {present}")]
    Absent {
        /// The address that was given.
        victim: IpAddr,
        /// The addresses that the capture has.
        present: AddressCounts,
    },
}

/// The addresses of a capture with their numbers of packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressCounts {
    packets: BTreeMap<IpAddr, u64>,
}

impl AddressCounts {
    /// Counts the packets from or to each address.
    #[must_use]
    pub fn from_packets(packets: &[Packet]) -> AddressCounts {
        let mut addresses = AddressCounts::default();
        for packet in packets {
            for address in [packet.source(), packet.destination()] {
                *addresses.packets.entry(address).or_default() += 1;
            }
        }
        addresses
    }

    /// Checks that every given victim has a packet.
    pub fn check(&self, victims: &[IpAddr]) -> Result<(), VictimError> {
        match victims.iter().find(|victim| !self.packets.contains_key(victim)) {
            Some(&victim) => Err(VictimError::Absent { victim, present: self.clone() }),
            None => Ok(()),
        }
    }

    /// Adds the counts of another capture.
    pub fn add(&mut self, other: AddressCounts) {
        for (address, packets) in other.packets {
            *self.packets.entry(address).or_default() += packets;
        }
    }
}

/// Writes the addresses with the most packets, and the number of those left out.
impl fmt::Display for AddressCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted: Vec<(&IpAddr, &u64)> = self.packets.iter().collect();
        sorted.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        if sorted.is_empty() {
            return f.write_str("none");
        }
        let shown: Vec<String> =
            sorted.iter().take(ADDRESSES_SHOWN_MAX).map(|(address, _)| address.to_string()).collect();
        f.write_str(&shown.join(", "))?;
        match sorted.len().saturating_sub(ADDRESSES_SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// The victims of a capture, and the reason for the choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LikelyVictims {
    /// Addresses of the victims: one, seldom two or three.
    pub addresses: Vec<IpAddr>,
    /// Why these addresses were chosen.
    pub reason: VictimReason,
}

/// The reason why an address is the victim's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VictimReason {
    /// Every packet between two hosts is from or to the victim, because the sandbox recorded with a filter on
    /// it.
    InEveryPacket,
    /// The victims begin most contacts.
    BeginsContacts {
        /// Number of contacts that the victims begin.
        begun: usize,
        /// Number of contacts that all hosts begin.
        total: usize,
    },
}

impl fmt::Display for VictimReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VictimReason::InEveryPacket => f.write_str("has a part in every packet"),
            VictimReason::BeginsContacts { begun, total } => {
                write!(f, "begins {begun} of {total} contacts")
            }
        }
    }
}

/// Determines the victims of a sandbox capture.
///
/// A sandbox usually records with a filter on its victim, so that the victim's address is in every packet. If
/// no address is in every packet, the victims are the hosts that begin most contacts. A contact is a
/// destination with protocol and port, for any number of connections. A packet that answers, refuses or
/// continues a connection begins no contact. Infrastructure traffic (`is_infrastructure`) and ARP count only
/// if there is no other traffic.
///
/// # Errors
/// Returns an error if no host begins a contact, or if no host or group of up to three hosts begins most
/// contacts.
pub fn likely_victims(
    packets: &[Packet],
    is_infrastructure: &dyn Fn(&Packet) -> bool,
) -> Result<LikelyVictims, VictimError> {
    let tally = HostTraffic::from_packets(packets, is_infrastructure);
    let addresses = tally.in_every_packet();
    match addresses.is_empty() {
        false => Ok(LikelyVictims { addresses, reason: VictimReason::InEveryPacket }),
        true => tally.most_contacts(),
    }
}

/// A contact: destination, protocol and destination port.
type ContactKey = (IpAddr, Protocol, FlowPort);
/// The contacts that each host begins.
type BegunContacts = BTreeMap<IpAddr, HashSet<ContactKey>>;

/// Counts of the packets between single hosts.
#[derive(Default)]
struct HostTraffic {
    /// Number of IPv4 and of IPv6 packets between two hosts, without ARP and packets to groups.
    packets: [usize; 2],
    /// Number of these packets from or to each address.
    packets_of: HashMap<IpAddr, usize>,
    /// Addresses that send any of these packets.
    senders: HashSet<IpAddr>,
    begun: BegunContacts,
    begun_infrastructure: BegunContacts,
    begun_arp: BegunContacts,
}

impl HostTraffic {
    fn from_packets(packets: &[Packet], is_infrastructure: &dyn Fn(&Packet) -> bool) -> HostTraffic {
        let mut tally = HostTraffic::default();
        let mut announcements = Announcements::default();
        let mut known = HashSet::new();
        for packet in packets {
            announcements.record(packet);
            if is_between_hosts(packet) {
                tally.count(packet);
                if begins_conversation(packet, &announcements, &mut known) {
                    let contact = (packet.destination(), packet.protocol(), packet.destination_port());
                    let begun = match packet.protocol() {
                        Protocol::Arp => &mut tally.begun_arp,
                        _ if is_infrastructure(packet) => &mut tally.begun_infrastructure,
                        _ => &mut tally.begun,
                    };
                    begun.entry(packet.source()).or_default().insert(contact);
                }
            }
        }
        tally
    }

    fn count(&mut self, packet: &Packet) {
        if packet.protocol() == Protocol::Arp {
            return;
        }
        self.packets[usize::from(packet.source().is_ipv6())] += 1;
        self.senders.insert(packet.source());
        *self.packets_of.entry(packet.source()).or_default() += 1;
        *self.packets_of.entry(packet.destination()).or_default() += 1;
    }

    /// Returns the victim's IPv4 address if every IPv4 packet between two hosts has it. An IPv6 address is
    /// added if every IPv6 packet has it and it begins at least a third as many contacts.
    fn in_every_packet(&self) -> Vec<IpAddr> {
        let [v4, v6] = [false, true].map(|is_ipv6| self.in_every_packet_of(is_ipv6));
        match (v4, v6) {
            (Some(v4), Some(v6)) => {
                let is_further = is_further_victim(self.contacts(v6), self.contacts(v4));
                std::iter::once(v4).chain(is_further.then_some(v6)).collect()
            }
            (Some(v4), None) => vec![v4],
            (None, Some(v6)) if self.packets[0] == 0 => vec![v6],
            (None, _) => Vec::new(),
        }
    }

    /// Returns the address that every packet of an IP version has. If two addresses are in all packets, the
    /// victim is the one that begins more contacts.
    fn in_every_packet_of(&self, is_ipv6: bool) -> Option<IpAddr> {
        let packets = self.packets[usize::from(is_ipv6)];
        let everywhere =
            |address: &IpAddr| address.is_ipv6() == is_ipv6 && self.packets_of.get(address) == Some(&packets);
        let mut hosts: Vec<IpAddr> = self.senders.iter().copied().filter(everywhere).collect();
        hosts.sort_by_key(|host| {
            (self.contacts(*host), contacts(&self.begun_infrastructure, *host), std::cmp::Reverse(*host))
        });
        let victim = hosts.pop()?;
        let begins = self.contacts(victim) + contacts(&self.begun_infrastructure, victim) > 0;
        (hosts.is_empty() || begins).then_some(victim)
    }

    /// Returns the number of contacts that a host begins, without infrastructure traffic.
    fn contacts(&self, host: IpAddr) -> usize {
        contacts(&self.begun, host)
    }

    fn most_contacts(&self) -> Result<LikelyVictims, VictimError> {
        let kinds = [&self.begun, &self.begun_infrastructure, &self.begun_arp];
        let begun = kinds.into_iter().find(|begun| !begun.is_empty()).ok_or(VictimError::NoContact)?;
        let mut hosts: Vec<(IpAddr, usize)> =
            begun.iter().map(|(host, contacts)| (*host, contacts.len())).collect();
        hosts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let total = hosts.iter().map(|(_, count)| count).sum();
        let Some(&(first, count)) = hosts.first() else { return Err(VictimError::NoContact) };
        let further = hosts.iter().skip(1).take_while(|(_, own)| is_further_victim(*own, count));
        let victims: Vec<&(IpAddr, usize)> = hosts.iter().take(1).chain(further).collect();
        let by_victims: usize = victims.iter().map(|(_, count)| count).sum();
        if victims.len() > VICTIMS_MAX || by_victims * 2 < total {
            return Err(VictimError::NoneStandsOut { hosts: hosts.len(), first, count, total });
        }
        Ok(LikelyVictims {
            addresses: victims.iter().map(|(host, _)| *host).collect(),
            reason: VictimReason::BeginsContacts { begun: by_victims, total },
        })
    }
}

/// Returns whether a host that begins `own` contacts is a victim beside one that begins `most`.
fn is_further_victim(own: usize, most: usize) -> bool {
    own >= FURTHER_VICTIM_CONTACTS_MIN && own * FURTHER_VICTIM_DIVISOR >= most
}

fn contacts(begun: &BegunContacts, host: IpAddr) -> usize {
    begun.get(&host).map_or(0, HashSet::len)
}

/// Returns whether a packet goes from one host to another. Neither address may be a group, unspecified, or of
/// the loopback network, whose packets are never on a wire.
fn is_between_hosts(packet: &Packet) -> bool {
    let (source, destination) = (packet.source(), packet.destination());
    let is_host = |address: IpAddr| !is_group(address) && !address.is_unspecified() && !address.is_loopback();
    is_host(source) && is_host(destination) && source != destination
}

type ConversationKey = (Protocol, (IpAddr, FlowPort), (IpAddr, FlowPort));

/// Returns whether a packet begins a conversation. `known` holds the conversations that have begun.
fn begins_conversation(
    packet: &Packet,
    announcements: &Announcements,
    known: &mut HashSet<ConversationKey>,
) -> bool {
    let there = (packet.source(), packet.source_port());
    let back = (packet.destination(), packet.destination_port());
    if is_icmp(packet) {
        return is_icmp_request(packet) && known.insert((packet.protocol(), there, back));
    }
    known.insert((packet.protocol(), there.min(back), there.max(back)))
        && announcements.initiator(packet) == Initiator::Sender
}
