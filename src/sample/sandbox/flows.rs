//! The network flows that a report lists: the victim's address, and the services that it contacted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

use super::fields::{ReportFields, below};
use super::report::{ListedContact, SandboxReport};

/// Maximum number of services that are kept.
const CONTACTS_MAX: usize = 50;

/// A flow that a report lists.
pub(super) struct ListedFlow {
    pub(super) protocol: &'static str,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) destination_port: Option<u16>,
}

/// The paths of CAPE and Cuckoo.
pub(super) const PATHS: &[&str] = &[
    "network.pcap_sha256",
    "network.tcp.*.src",
    "network.tcp.*.sport",
    "network.tcp.*.dst",
    "network.tcp.*.dport",
    "network.udp.*.src",
    "network.udp.*.sport",
    "network.udp.*.dst",
    "network.udp.*.dport",
    "network.icmp.*.src",
    "network.icmp.*.dst",
    "network.icmp.*.type",
    "network.dead_hosts.*.*",
];

/// Reads the flows of a CAPE or Cuckoo report.
pub(super) fn read(fields: &mut ReportFields<'_>, report: &mut SandboxReport) {
    let mut flows = Vec::new();
    for (list, protocol) in [("network.tcp", "tcp"), ("network.udp", "udp"), ("network.icmp", "icmp")] {
        for entry in fields.list(list) {
            // An echo request; the other messages are mostly errors that answer the victim.
            let is_request = protocol != "icmp" || below(entry, "type").is_none_or(|kind| *kind == 8);
            flows.extend(flow(entry, protocol, ["src", "sport", "dst", "dport"]).filter(|_| is_request));
        }
    }
    // Addresses that answered none of three equal SYNs.
    let mut dead = Vec::new();
    for pair in fields.list("network.dead_hosts") {
        let host = pair.get(0).and_then(Value::as_str).and_then(|host| host.parse().ok());
        if let (Some(host), Some(port)) = (host, pair.get(1).and_then(port_of)) {
            dead.push((host, port));
        }
    }
    add(report, &flows, &dead);
}

/// Returns the flow of an entry. `names` are the keys of source, source port, destination and destination
/// port. `None` for entries that the sandbox took from the behavior log (`src: "behavior"`, source port 0)
/// and not from the capture.
pub(super) fn flow(entry: &Value, protocol: &'static str, names: [&str; 4]) -> Option<ListedFlow> {
    let address = |name| below(entry, name)?.as_str()?.parse::<IpAddr>().ok();
    let port = |name| below(entry, name).and_then(port_of);
    let [source, source_port, destination, destination_port] = names;
    if port(source_port) == Some(0) {
        return None;
    }
    Some(ListedFlow {
        protocol,
        source: address(source)?,
        destination: address(destination)?,
        destination_port: port(destination_port),
    })
}

fn port_of(value: &Value) -> Option<u16> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|port| u16::try_from(port).ok()),
    }
}

/// Adds the victim and its contacts to a report.
pub(super) fn add(report: &mut SandboxReport, flows: &[ListedFlow], dead: &[(IpAddr, u16)]) {
    let victim = victim(flows);
    let mut hosts: BTreeMap<(&'static str, Option<u16>), BTreeSet<IpAddr>> = BTreeMap::new();
    for flow in flows.iter().filter(|flow| victim.is_none_or(|victim| flow.source == victim)) {
        hosts.entry((flow.protocol, flow.destination_port)).or_default().insert(flow.destination);
    }
    for (host, port) in dead.iter().filter(|(host, _)| Some(*host) != victim) {
        hosts.entry(("tcp", Some(*port))).or_default().insert(*host);
    }
    let mut contacts: Vec<ListedContact> = hosts
        .into_iter()
        .map(|((protocol, port), hosts)| ListedContact { protocol, port, hosts: hosts.len() as u64 })
        .collect();
    contacts.sort_by_key(|contact| std::cmp::Reverse(contact.hosts));
    contacts.truncate(CONTACTS_MAX);
    (report.victim, report.contacts) = (victim, contacts);
}

/// Returns the address that takes part in every flow, because the sandbox's sniffer filters on the victim.
/// `None` if there is none, or if the flows are all between the same two addresses.
fn victim(flows: &[ListedFlow]) -> Option<IpAddr> {
    // Before DHCP has assigned an address, hosts send from 0.0.0.0 or a link-local address.
    let is_usual = |flow: &&ListedFlow| match flow.source {
        IpAddr::V4(source) => !source.is_unspecified() && !source.is_link_local(),
        IpAddr::V6(_) => false,
    };
    let mut flows = flows.iter().filter(is_usual);
    let first = flows.next()?;
    let mut common = vec![first.source, first.destination];
    for flow in flows {
        common.retain(|address| [flow.source, flow.destination].contains(address));
    }
    match common.as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}
