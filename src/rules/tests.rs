//! Tests of the shipped rules and of rules that must be rejected.

use std::path::Path;

use super::*;
use crate::behavior::{Engine, fingerprint};
use crate::packet::{AddressSpace, IcmpKind, Protocol, TcpFlags};

fn shipped() -> Rules {
    Rules::shipped().unwrap()
}

/// Returns the labels and the shown marks of the first window of one host's packets.
fn labels_of(packets: &[Packet]) -> Vec<String> {
    let rules = shipped();
    let mut engine = Engine::new(rules.profile.clone());
    let mut windows = Vec::new();
    for packet in packets {
        engine.push(packet, rules.marks(packet, b""), &mut |closed| windows.extend_from_slice(closed));
    }
    engine.finish(&mut |closed| windows.extend_from_slice(closed));
    let marks = rules.window_marks_at(&windows[0], windows[0].start);
    let print = fingerprint(&windows[0], &AddressSpace::whole(), &rules.profile);
    let shown = marks.iter().filter(|mark| rules.is_shown(mark));
    let labels = rules.labels(&print.whole.parameters, &marks, print.start);
    labels.iter().chain(shown).map(|label| (*label).to_owned()).collect()
}

/// A time within the dates of all rules.
const TIME: &str = "2024-06-20T12:00:00Z";

fn packet(protocol: Protocol, last: u8, port: u16, flags: u8) -> Packet {
    let mut packet = Packet::new([10, 0, 0, 1].into(), [192, 0, 2, last].into(), protocol);
    packet = packet.with_time(Some(TIME.parse().unwrap()));
    if protocol.has_ports() {
        packet = packet.with_source_port(Some(4000)).with_destination_port(Some(port));
    }
    packet = packet.with_flags((protocol == Protocol::Tcp).then_some(TcpFlags(flags)));
    packet
}

#[test]
fn the_list_of_shipped_files_is_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut found: Vec<String> = walkdir::WalkDir::new(&folder)
        .into_iter()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(&folder).unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    let listed: Vec<&str> = shipped::FILES.iter().map(|(path, _)| *path).collect();
    assert_eq!(listed, found);
}

#[test]
fn the_shipped_profile_is_the_engines_own() {
    assert_eq!(shipped().profile, Profile::default());
}

#[test]
fn every_label_has_traffic_that_it_names() {
    use Protocol::{Arp, Icmp, Tcp, Udp};
    const SYN: u8 = 2;
    let many = |protocol, count: u8, flags| {
        (1..=count).map(|last| packet(protocol, last, 445, flags)).collect::<Vec<_>>()
    };
    let icmp = |kind| {
        many(Icmp, 5, 0)
            .into_iter()
            .map(|p| p.with_icmp(Some(IcmpKind { kind, code: None })))
            .collect::<Vec<_>>()
    };
    let scattered: Vec<Packet> =
        [9u8, 200, 30, 77, 140].iter().map(|last| packet(Tcp, *last, 23, SYN)).collect();
    let peer = conficker_d_ports([192, 0, 2, 1].into(), 0);
    let peers = (1..=3).map(|last| packet(Udp, last, conficker_d_ports([192, 0, 2, last].into(), 0)[1], 0));
    let dns = packet(Udp, 1, 40_000, 0).with_source_port(Some(53));
    let cases: Vec<(Vec<Packet>, &[&str])> = vec![
        (vec![packet(Tcp, 1, 445, SYN); 2], &["seed-type-1"]),
        (vec![packet(Tcp, 1, 445, SYN); 3], &["seed-type-2"]),
        (vec![packet(Tcp, 1, 445, SYN); 1], &["seed-type-3"]),
        (vec![packet(Tcp, 1, 445, SYN); 4], &["seed-type-4"]),
        (vec![packet(Tcp, 1, 445, SYN); 5], &[]),
        (vec![packet(Tcp, 1, 41_234, SYN); 2], &["high-port-probe-tcp"]),
        (vec![packet(Udp, 1, 41_234, 0)], &["high-port-probe-udp"]),
        (
            vec![packet(Tcp, 1, peer[0], SYN); 2],
            &["conficker-d-tcp", "high-port-probe-tcp", "conficker-d-port"],
        ),
        (vec![packet(Udp, 1, peer[1], 0)], &["conficker-d-udp", "high-port-probe-udp", "conficker-d-port"]),
        (peers.collect(), &["conficker-d-search", "sequential-scan", "conficker-d-port"]),
        (many(Tcp, 9, SYN), &["sequential-scan"]),
        (scattered, &["random-scan"]),
        ((20..40).map(|port| packet(Tcp, 1, port, SYN)).collect(), &["port-scan"]),
        (icmp(8), &["ping-sweep"]),
        (icmp(3), &["backscatter-icmp"]),
        (many(Arp, 12, 0), &["arp-sweep"]),
        (many(Arp, 3, 0), &[]),
        (many(Tcp, 9, 0x12), &["backscatter-syn-ack"]),
        (many(Tcp, 9, 0x04), &["backscatter-rst"]),
        (vec![dns], &["backscatter-udp"]),
    ];
    for (packets, expected) in cases {
        assert_eq!(labels_of(&packets), expected, "{:?}", packets[0]);
    }
}

#[test]
fn header_habits_are_told_and_their_neighbours_are_not() {
    let rules = shipped();
    let syn = packet(Protocol::Tcp, 1, 23, 2).with_sequence(Some(0xc000_0201)).with_ip_id(Some(54_321));
    let names = |packet: &Packet| -> Vec<&str> {
        rules.marks(packet, b"").iter().map(|at| rules.mark_names()[at].as_str()).collect()
    };
    assert_eq!(names(&syn), ["mirai", "zmap"]);
    assert!(names(&syn.with_sequence(Some(1)).with_ip_id(Some(1))).is_empty());
    let address: u32 = 0xc000_0201;
    let masscan = syn.with_sequence(Some(77)).with_ip_id(Some(((address ^ 23 ^ 77) & 0xffff) as u16));
    assert_eq!(names(&masscan), ["masscan"]);
    assert!(names(&masscan.with_flags(Some(TcpFlags(0x12)))).is_empty());
}

#[test]
fn payloads_are_told_on_their_ports_only() {
    let rules = shipped();
    let payload_labels = |protocol, port, payload: &[u8]| -> Vec<String> {
        let marks = rules.marks(&packet(protocol, 1, port, 0x18), payload);
        marks.iter().map(|at| rules.mark_names()[at].clone()).collect()
    };
    use Protocol::{Tcp, Udp};
    let cases: [(Protocol, u16, &[u8], &str); 10] = [
        (Tcp, 445, b"\0\0\0\x85\xffSMBr\0", "smb1-negotiate"),
        (Tcp, 23, b"/bin/busybox MIRAI\r\n", "telnet-busybox"),
        (Udp, 1900, b"M-SEARCH * HTTP/1.1\r\n", "ssdp-search"),
        (Udp, 427, b"\x02\x09\0\0", "slp-request"),
        (Udp, 123, b"\x17\0\x03\x2a", "ntp-monlist"),
        (Udp, 53, b"\0\0\x07version\x04bind\0", "dns-version-bind"),
        (Udp, 5060, b"OPTIONS sip:nm SIP/2.0", "sip-options"),
        (Udp, 11_211, b"\0\0\0\0\0\x01\0\0stats\r\n", "memcached-stats"),
        (Tcp, 8080, b"GET /?x=${jndi:ldap://a}", "jndi-lookup"),
        (Tcp, 5555, b"CNXN\0\0\0\x01\0", "adb-connect"),
    ];
    for (protocol, port, payload, expected) in cases {
        assert_eq!(payload_labels(protocol, port, payload), [expected]);
        assert!(payload_labels(protocol, port, b"something else").is_empty());
    }
    assert!(payload_labels(Tcp, 80, b"/bin/busybox MIRAI").is_empty());
}

#[test]
fn plumbing_is_told_from_scans() {
    let rules = shipped();
    let to = |protocol, address: &str, port| {
        let mut packet = packet(protocol, 1, port, 2);
        packet = packet.with_destination(address.parse().unwrap());
        rules.infrastructure_rule(&packet).map(str::to_owned)
    };
    assert_eq!(to(Protocol::Udp, "8.8.8.8", 53).as_deref(), Some("dns"));
    assert_eq!(to(Protocol::Udp, "224.0.0.251", 5353).as_deref(), Some("mdns"));
    assert_eq!(to(Protocol::Udp, "239.1.2.3", 9999).as_deref(), Some("group"));
    assert_eq!(to(Protocol::Udp, "10.0.0.9", 137).as_deref(), Some("netbios"));
    assert_eq!(to(Protocol::Udp, "203.0.113.9", 137), None, "NetBIOS to the Internet is a scan");
    assert_eq!(to(Protocol::Tcp, "228.9.8.7", 23), None, "a random scan draws groups, too");
    assert_eq!(to(Protocol::Tcp, "192.0.2.1", 445), None);
}

/// Replaces the text of one shipped file and returns the errors of compilation.
fn refused(path: &str, change: impl Fn(&str) -> String) -> Vec<String> {
    let mut files: Vec<(String, String)> =
        shipped::FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    for (known, text) in &mut files {
        if known == path {
            *text = change(text);
        }
    }
    Rules::compile(&files).unwrap_err().0.iter().map(RuleError::to_string).collect()
}

#[test]
fn a_bad_rule_is_refused_with_file_place_and_remedy() {
    let check = |path: &str, from: &str, to: &str, expected: &str| {
        let errors = refused(path, |text| text.replace(from, to));
        assert!(errors.iter().any(|error| error.contains(expected)), "{errors:#?}");
    };
    check(
        "labels/arp-sweep.yaml",
        "status:",
        "statsu:",
        "labels/arp-sweep.yaml:5:1: unknown key `statsu`; did you mean `status`?",
    );
    check("labels/arp-sweep.yaml", "\"10-\"", "\"ten\"", "no range");
    check(
        "labels/ping-sweep.yaml",
        "echo-request",
        "echo-reqest",
        "no tool or payload rule has the id `echo-reqest`",
    );
    check(
        "labels/ping-sweep.yaml",
        "id: ping-sweep",
        "id: arp-sweep",
        "is that of labels/arp-sweep.yaml, too",
    );
    check("payloads/sip-options.yaml", "^OPTIONS", "^(OPTIONS", "payload is no byte regex");
    check("payloads/sip-options.yaml", "'^OPTIONS sips?:'", "'x*'", "every packet");
    check("tools/zmap.yaml", "share: 0.9", "share: 9", "between 0 and 1");
    check(
        "tools/zmap.yaml",
        "valid_from: 2013-08-16",
        "valid_from: 2030-01-01\nvalid_to: 2013-01-01",
        "exchange them",
    );
    check("tools/zmap.yaml", "chance: 0.0000153", "chance: 1", "chance 1 does not lie between 0 and 1");
    check("tools/zmap.yaml", "chance: 0.0000153\n", "", "`chance` is missing");
    check(
        "labels/conficker-d-udp.yaml",
        "marks: [conficker-d-port]",
        "marks: [zmap]",
        "class malware needs evidence",
    );
    check(
        "labels/conficker-d-udp.yaml",
        "valid_from: 2009-03-04",
        "valid_to: 2009-03-03",
        "labels/conficker-d-udp.yaml:13:1: its dates and those of `conficker-d-port` have no day in common",
    );
    check("labels/conficker-d-udp.yaml", "2009-03-04", "2009-02-30", "labels/conficker-d-udp.yaml:13:");
    let services = "answering-services.yaml";
    check(services, "port: 17", "port: 13", "port 13 is listed twice");
    check(services, "port: 7\n", "port: 70000\n", "answering-services.yaml:");
    check(services, "    sources: [\"RFC 867\"]\n", "    sources: []\n", "`sources` of port 13 is empty");
    check(services, "service: DNS", "servise: DNS", "did you mean `service`?");
    check("behavior.yaml", "window_seconds: 30", "window_seconds: 0", "between 1 and 86400");
    let files = shipped::FILES.iter().filter(|(path, _)| *path != services);
    let files: Vec<(String, String)> = files.map(|(path, text)| ((*path).into(), (*text).into())).collect();
    let missing = Rules::compile(&files).unwrap_err().to_string();
    assert!(missing.contains("tools/udp-answer.yaml: asks for answers of services"), "{missing}");
    assert!(Rules::compile(&[]).unwrap_err().to_string().contains("behavior.yaml: missing"));
    let stray = [("x/y.yaml".to_owned(), String::new())];
    assert!(Rules::compile(&stray).unwrap_err().to_string().contains("no kind of rule"));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}", key in "[a-z_]{1,12}", value in "[-0-9a-z\\[\\]{}\"' ]{0,20}") {
        for path in ["labels/a.yaml", "tools/a.yaml", "payloads/a.yaml", "plumbing/a.yaml", "behavior.yaml"] {
            let keyed = format!("{key}: {value}\n");
            let _ = Rules::compile(&[(path.to_owned(), text.clone())]);
            let _ = Rules::compile(&[(path.to_owned(), keyed)]);
        }
    }
}

#[test]
fn the_marks_asked_of_a_packet_are_all_that_it_can_have() {
    let rules = shipped();
    for number in 0..=256 {
        let mut packet = packet(Protocol::from_number(number).unwrap(), 1, 1900, 2);
        packet = packet.with_icmp(Some(IcmpKind { kind: 8, code: None }));
        for (ip_id, payload) in [(1, &b""[..]), (54_321, b"M-SEARCH * HTTP/1.1"), (54_321, b"GET / HTTP/1.1")]
        {
            packet = packet.with_ip_id(Some(ip_id));
            let has = |mark: &MarkRule| {
                let of_payload = || {
                    let ports = mark.ports();
                    (ports.is_empty() || ports.contains(&1900))
                        && !payload.is_empty()
                        && mark.matches_payload(payload)
                };
                let of_services = || {
                    if mark.recognizes_answers() {
                        rules.services.answers(&packet, payload)
                    } else {
                        of_payload()
                    }
                };
                mark.applies_to(Some(packet.protocol()))
                    && mark.relation().map_or_else(of_services, |relation| relation.holds(&packet))
            };
            let all = rules.marks.iter().enumerate().filter(|(_, mark)| has(mark));
            let all = all.fold(0, |bits, (at, _)| bits | 1u64 << at);
            assert_eq!(rules.marks(&packet, payload).0, all, "{number}");
        }
    }
}
