//! Every shipped rule on made traffic that it must name and on traffic that only resembles it, and on real captures.
//!
//! A rule that ships without a row in the table fails the test.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use inga::behavior::{Engine, OpenWindow, fingerprint};
use inga::capture::{ReadOptions, read_source};
use inga::packet::{AddressSpace, Timestamp};
use inga::rules::{Rules, conficker_d_ports, conficker_d_week};

use crate::make::packets::{End, Pcap, RAW_IP, arp_request, ping, tcp, udp};

mod captures;
mod rows;

/// The host that sends, a scanner for example.
const FROM: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// A dark address.
const DARK: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

/// Made traffic of one host.
struct Traffic {
    /// Its description in messages.
    what: &'static str,
    /// The time of its first packet; `None` for a log without times.
    start: Option<&'static str>,
    /// IP packets, or Ethernet frames of ARP, a second apart.
    packets: Vec<Vec<u8>>,
}

/// A rule with what it must name and what it must not.
struct Row {
    rule: &'static str,
    named: Vec<Traffic>,
    not_named: Vec<Traffic>,
}

/// Traffic of 2024.
fn now(what: &'static str, packets: Vec<Vec<u8>>) -> Traffic {
    Traffic { what, start: Some("2024-06-20T12:00:00Z"), packets }
}

fn at(what: &'static str, start: &'static str, packets: Vec<Vec<u8>>) -> Traffic {
    Traffic { what, start: Some(start), packets }
}

/// Returns all names that rules give to traffic: labels, marks, and the rules by which packets are infrastructure
/// traffic.
fn names(rules: &Rules, traffic: &Traffic) -> BTreeSet<String> {
    let start = traffic.start.map(|start| start.parse::<Timestamp>().unwrap());
    let is_frame = |packet: &Vec<u8>| packet[0] >> 4 == 0;
    let link = if traffic.packets.iter().any(is_frame) { crate::make::packets::ETHERNET } else { RAW_IP };
    let mut pcap = Pcap::new(link);
    for (second, packet) in traffic.packets.iter().enumerate() {
        let micros = start.map_or(0, |start| u64::try_from(start.0 / 1000).unwrap());
        pcap.add_frame(micros + second as u64 * 1_000_000, packet.clone());
    }
    let mut names = BTreeSet::new();
    let mut engine = Engine::new(rules.profile.clone());
    let mut windows: Vec<OpenWindow> = Vec::new();
    let report =
        read_source(&pcap.bytes()[..], traffic.what, &ReadOptions::default(), &mut |packet, payload| {
            let packet = packet.with_time(packet.time().filter(|_| start.is_some()));
            names.extend(rules.infrastructure_rule(&packet).map(str::to_owned));
            engine.push(&packet, rules.marks(&packet, payload), &mut |closed| {
                windows.extend_from_slice(closed)
            });
        })
        .unwrap();
    assert_eq!(report.packets, traffic.packets.len() as u64, "{}", traffic.what);
    engine.finish(&mut |closed| windows.extend_from_slice(closed));
    windows.iter().for_each(|window| names_of_window(rules, window, &mut names));
    names
}

#[test]
fn every_rule_names_its_traffic_and_not_what_resembles_it() {
    let rules = Rules::shipped().unwrap();
    let rows = rows::all();
    for Row { rule, named, not_named } in &rows {
        for traffic in named {
            let names = names(&rules, traffic);
            assert!(names.contains(*rule), "{rule} must name {}: {names:?}", traffic.what);
        }
        for traffic in not_named {
            let names = names(&rules, traffic);
            assert!(!names.contains(*rule), "{rule} must not name {}: {names:?}", traffic.what);
        }
        assert!(!named.is_empty() && not_named.len() >= 2, "{rule} needs a positive and two negatives");
    }
    let of_rows: BTreeSet<&str> = rows.iter().map(|row| row.rule).collect();
    let shipped = shipped_ids();
    let shipped: BTreeSet<&str> = shipped.iter().map(String::as_str).collect();
    assert_eq!(of_rows, shipped, "each shipped rule has its row, and each row its rule");
}

/// The ids of the rule files.
fn shipped_ids() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let files = walkdir::WalkDir::new(folder).min_depth(2).into_iter().map(Result::unwrap);
    // The lists of malware families are no rules.
    let texts = files
        .filter(|entry| entry.file_type().is_file() && !entry.path().parent().unwrap().ends_with("families"));
    let texts = texts.map(|entry| std::fs::read_to_string(entry.path()).unwrap());
    texts.map(|text| text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned()).collect()
}

/// No name of a malware or tool for traffic that has other causes.
#[test]
fn traffic_of_other_causes_has_no_name_of_malware_or_tool() {
    let rules = Rules::shipped().unwrap();
    let claims = ["conficker", "mirai", "zmap", "masscan"];
    for traffic in rows::others() {
        let names = names(&rules, &traffic);
        let claimed = names.iter().find(|name| claims.iter().any(|claim| name.contains(claim)));
        assert_eq!(claimed, None, "{}", traffic.what);
    }
}

/// The share of random high ports that Conficker.D's ports meet is what the rule states.
#[test]
fn chance_agrees_with_conficker_as_often_as_the_rule_says() {
    let rules = Rules::shipped().unwrap();
    let day = "2024-06-20T12:00:00Z";
    let mut random = crate::make::Random(20);
    let mut marked = 0;
    for _ in 0..40 {
        let to = Ipv4Addr::from_bits(0xcb00_7100 | u32::try_from(random.below(256)).unwrap());
        let bit = rules.mark_names().iter().position(|name| name == "conficker-d-port").unwrap();
        for port in 1024..=u16::MAX {
            let packet = inga::packet::Packet::new(FROM.into(), to.into(), inga::packet::Protocol::Udp)
                .with_time(Some(day.parse().unwrap()))
                .with_source_port(Some(5000))
                .with_destination_port(Some(port));
            marked += u32::from(rules.marks(&packet, b"").0 >> bit & 1 == 1);
        }
    }
    assert_eq!(marked, 40 * 2, "2 of 64,512 ports of each address");
}

/// The services of the data file, by port.
fn service_ports() -> Vec<u16> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/answering-services.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("- port: "))
        .map(|port| port.parse().unwrap())
        .collect()
}

/// Headers alone, as a sensor that captures no payload has them.
#[test]
fn by_its_ports_a_datagram_is_an_answer_unless_it_asks_for_a_service() {
    let rules = Rules::shipped().unwrap();
    let ports = service_ports();
    assert!(ports.len() >= 40, "{ports:?}");
    let is_answer = |from, to| {
        let sent = now("a datagram", vec![udp((FROM, from), (DARK, to), b"")]);
        let names = names(&rules, &sent);
        assert_eq!(names.contains("udp-answer"), names.contains("backscatter-udp"), "{from} to {to}");
        names.contains("backscatter-udp")
    };
    for port in &ports {
        // Peers of OpenVPN and BitTorrent ask from their services' ports, so that headers alone say nothing.
        assert_eq!(is_answer(*port, 40_001), ![1194, 6881].contains(port), "{port}");
        assert!(!is_answer(*port, *port) && !is_answer(*port, 161) && !is_answer(*port, 80), "{port}");
    }
    for port in [1, 67, 1025, 4000, 33_000, 54_321] {
        assert!(!is_answer(port, 40_001), "{port}");
    }
}

/// Checks the names that rules give in real captures: a tool, a malware or a payload only where tshark shows its
/// feature, and answers only where a service answered.
#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn on_real_captures_rules_match_where_they_may() {
    let folder = crate::corpora::corpora();
    let rules = Rules::shipped().unwrap();
    let mut found: std::collections::BTreeMap<String, BTreeSet<String>> = std::collections::BTreeMap::new();
    let mut read = 0;
    for entry in walkdir::WalkDir::new(&folder).sort_by_file_name() {
        let entry = entry.unwrap();
        let name = entry.path().strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
        let is_capture = [".pcap", ".pcapng", ".cap", ".trace"].iter().any(|end| name.ends_with(end));
        // The captures of `text-vs-pcap` are parts of others.
        if !is_capture || name.starts_with("text-vs-pcap/") {
            continue;
        }
        let Some(names) = names_of_file(&rules, entry.path()) else { continue };
        read += 1;
        for rule in names {
            found.entry(rule).or_default().insert(name.clone());
        }
    }
    assert!(read > 500, "{read}");
    found.retain(|rule, _| !captures::ANYWHERE.contains(&rule.as_str()));
    let listed =
        |captures: &[&str]| captures.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let may = captures::MAY_MATCH.iter().map(|(rule, names)| ((*rule).to_owned(), listed(names)));
    let may: std::collections::BTreeMap<_, _> = may.collect();
    assert!(found == may, "{found:#?}");
}

/// The labels and marks of a capture's windows; `None` where it cannot be read.
fn names_of_file(rules: &Rules, path: &std::path::Path) -> Option<BTreeSet<String>> {
    let file = std::fs::File::open(path).unwrap();
    let mut packets = Vec::new();
    let read = read_source(file, "capture", &ReadOptions::default(), &mut |packet, payload| {
        packets.push((*packet, rules.marks(packet, payload)));
    });
    read.ok()?;
    packets.sort_by_key(|(packet, _)| packet.time());
    let mut engine = Engine::new(rules.profile.clone());
    let mut windows: Vec<OpenWindow> = Vec::new();
    for (packet, marks) in &packets {
        engine.push(packet, *marks, &mut |closed| windows.extend_from_slice(closed));
    }
    engine.finish(&mut |closed| windows.extend_from_slice(closed));
    let mut names = BTreeSet::new();
    windows.iter().for_each(|window| names_of_window(rules, window, &mut names));
    Some(names)
}

/// Adds the labels and marks of a window and of its parts.
fn names_of_window(rules: &Rules, window: &OpenWindow, names: &mut BTreeSet<String>) {
    let marks = rules.window_marks_at(window, window.start);
    let print = fingerprint(window, &AddressSpace::whole(), &rules.profile);
    let of = |parameters| rules.labels(parameters, &marks, window.start);
    names.extend(marks.iter().chain(&of(&print.whole.parameters)).map(|name| (*name).to_owned()));
    for facet in &print.facets {
        names.extend(of(&facet.parameters).into_iter().map(str::to_owned));
    }
}
