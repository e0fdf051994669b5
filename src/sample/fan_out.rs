//! Finds the services that a victim scans: those that it asks for on many addresses.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use indexmap::IndexMap;

use crate::packet::Protocol;

use super::conversation::FlowPort;

/// Minimum number of addresses for a service to count as scanned. A sample has a few command servers and a
/// few more to fall back on.
const FAN_OUT_MIN: usize = 5;
/// Minimum number of successive addresses, asked in their order, that make a sweep even if the run ended
/// before the fifth address. Unrelated servers do not have successive addresses.
const SWEEP_MIN: usize = 3;
/// Maximum number of infrastructure servers, such as resolvers, that a system may be configured with. DNS has
/// 13 root servers.
const INFRASTRUCTURE_SERVERS_MAX: usize = 16;
/// Maximum number of TCP connections to one service that a restored snapshot of a machine may have had open.
const OLD_CONNECTIONS_MAX: usize = 32;
/// Minimum number of silent targets that count as a scan although none of their services is scanned by
/// itself. A sample does not have so many servers.
const VARYING_PORTS_MIN: usize = 20;
/// Minimum number of silent or refused ports of one address for the address to count as scanned for open
/// ports.
const PORT_SCAN_MIN: usize = 10;

/// A service as a victim asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ContactedService {
    pub(super) protocol: Protocol,
    /// The destination port, or the type of an ICMP request.
    pub(super) port: FlowPort,
    /// Whether the service is asked for with bare TCP acknowledgements, as in a scan for packet filters.
    pub(super) acknowledges: bool,
}

/// A victim's address and port.
pub(super) type Socket = (IpAddr, FlowPort);

/// The contacts with one service. The targets are bare addresses: neither a name nor the sandbox's
/// configuration gave them to the sample or its system.
#[derive(Default)]
struct ServiceContacts {
    /// The targets in the order of the first contact, each with whether it answered. A refusal is no answer.
    targets: IndexMap<IpAddr, bool>,
    is_infrastructure: bool,
}

/// The services that victims ask for. `record_contact` and `record_answer` record the packets. Then `find_scans` finds the services
/// that are scanned.
#[derive(Default)]
pub(super) struct ContactedServices {
    contacts: BTreeMap<ContactedService, ServiceContacts>,
    /// The peers that each UDP socket contacts, with the ports.
    sockets: HashMap<Socket, HashMap<IpAddr, HashSet<FlowPort>>>,
    scanned: HashSet<ContactedService>,
    /// Contacts that are part of a scan although few addresses were asked for their service.
    scanned_contacts: HashSet<(ContactedService, IpAddr)>,
    /// All targets of scanned services.
    targets: HashSet<IpAddr>,
    peer_lookups: HashSet<Socket>,
}

impl ContactedServices {
    /// Records the first packet of a conversation with a bare address.
    pub(super) fn record_contact(
        &mut self,
        service: ContactedService,
        target: IpAddr,
        socket: Socket,
        is_infrastructure: bool,
    ) {
        let asked = self.contacts.entry(service).or_default();
        asked.targets.entry(target).or_default();
        asked.is_infrastructure |= is_infrastructure;
        if service.protocol == Protocol::Udp && !is_infrastructure {
            self.sockets.entry(socket).or_default().entry(target).or_default().insert(service.port);
        }
    }

    /// Records that a target answered.
    pub(super) fn record_answer(&mut self, service: ContactedService, target: IpAddr) {
        if let Some(answered) =
            self.contacts.get_mut(&service).and_then(|asked| asked.targets.get_mut(&target))
        {
            *answered = true;
        }
    }

    /// Decides which services and contacts are scans, after all packets are recorded.
    pub(super) fn find_scans(&mut self) {
        self.scanned = self
            .contacts
            .iter()
            .filter(|(service, asked)| asked.is_scanned(**service))
            .map(|(service, _)| *service)
            .collect();
        for service in &self.scanned {
            self.targets.extend(self.contacts[service].targets.keys());
        }
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let silent = self.silent_contacts(protocol);
            if has_per_target_ports(&silent) {
                self.scanned_contacts.extend(contacts(&silent, 1));
            } else {
                self.scanned_contacts.extend(contacts(&silent, PORT_SCAN_MIN));
            }
        }
        self.find_peer_lookups();
    }

    /// Returns whether a service is scanned by itself.
    pub(super) fn is_scanned(&self, service: ContactedService) -> bool {
        self.scanned.contains(&service)
    }

    /// Returns whether a contact of a target for a service is part of a scan.
    pub(super) fn is_scan_contact(&self, service: ContactedService, target: IpAddr) -> bool {
        self.is_scanned(service) || self.scanned_contacts.contains(&(service, target))
    }

    /// Returns whether an address is a target of any scanned service.
    pub(super) fn is_target(&self, address: IpAddr) -> bool {
        self.targets.contains(&address)
    }

    /// Returns whether a UDP socket looks for peers.
    pub(super) fn is_peer_lookup(&self, socket: Socket) -> bool {
        self.peer_lookups.contains(&socket)
    }

    /// Returns the silent targets of services that are not scanned by themselves, with the services that each
    /// is asked for.
    fn silent_contacts(&self, protocol: Protocol) -> BTreeMap<IpAddr, Vec<ContactedService>> {
        let mut silent: BTreeMap<IpAddr, Vec<ContactedService>> = BTreeMap::new();
        let asked = self.contacts.iter().filter(|(service, asked)| {
            service.protocol == protocol
                && !service.acknowledges
                && !asked.is_infrastructure
                && !self.is_scanned(**service)
        });
        for (service, asked) in asked {
            for (target, _) in asked.targets.iter().filter(|(_, answered)| !**answered) {
                silent.entry(*target).or_default().push(*service);
            }
        }
        silent
    }

    /// Finds UDP sockets that contact each peer on another port, if some fixed port is scanned as well.
    /// Without such a scan, the peer lookups are all that the sample does, and they are its scan
    /// (Conficker.D).
    fn find_peer_lookups(&mut self) {
        let scans_a_port = self.scanned.iter().any(|service| service.protocol.has_ports());
        if scans_a_port {
            let lookups = self.sockets.iter().filter(|(_, peers)| is_peer_lookup(peers));
            self.peer_lookups = lookups.map(|(socket, _)| *socket).collect();
        }
    }
}

impl ServiceContacts {
    fn is_scanned(&self, service: ContactedService) -> bool {
        let targets = self.targets.len();
        let silent = self.targets.values().filter(|answered| !**answered).count();
        if self.is_infrastructure {
            return silent >= FAN_OUT_MIN || targets > INFRASTRUCTURE_SERVERS_MAX;
        }
        if service.acknowledges {
            return targets > OLD_CONNECTIONS_MAX;
        }
        targets >= FAN_OUT_MIN || self.is_swept()
    }

    /// Returns whether successive addresses were asked one after the other, in either direction.
    fn is_swept(&self) -> bool {
        let numbers: Vec<u128> = self.targets.keys().map(|target| address_number(*target)).collect();
        let steps = |up: bool| {
            numbers.windows(SWEEP_MIN).any(|run| {
                run.windows(2).all(|pair| {
                    let (first, second) = if up { (pair[0], pair[1]) } else { (pair[1], pair[0]) };
                    first.checked_add(1) == Some(second)
                })
            })
        };
        steps(true) || steps(false)
    }
}

fn address_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// Returns whether silent targets belong to a scan with per-target ports: there are many targets, or most of
/// those that are asked on a single port have a port of their own.
fn has_per_target_ports(silent: &BTreeMap<IpAddr, Vec<ContactedService>>) -> bool {
    let single: Vec<FlowPort> =
        silent.values().filter(|services| services.len() == 1).map(|services| services[0].port).collect();
    silent.len() >= VARYING_PORTS_MIN || are_mostly_distinct(&single)
}

/// Returns the contacts with targets that are asked for at least `services_min` services.
fn contacts(
    silent: &BTreeMap<IpAddr, Vec<ContactedService>>,
    services_min: usize,
) -> impl Iterator<Item = (ContactedService, IpAddr)> + '_ {
    silent
        .iter()
        .filter(move |(_, services)| services.len() >= services_min)
        .flat_map(|(target, services)| services.iter().map(|service| (*service, *target)))
}

fn is_peer_lookup(peers: &HashMap<IpAddr, HashSet<FlowPort>>) -> bool {
    let ports: Vec<FlowPort> = peers.values().flatten().copied().collect();
    ports.len() == peers.len() && are_mostly_distinct(&ports)
}

/// Returns whether there are five ports or more, one for each target, and at least four in five of them are
/// different.
fn are_mostly_distinct(ports: &[FlowPort]) -> bool {
    let distinct: BTreeSet<&FlowPort> = ports.iter().collect();
    ports.len() >= FAN_OUT_MIN && distinct.len() * 5 >= ports.len() * 4
}
