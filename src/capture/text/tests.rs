//! Tests of the reader, line by line.

use super::*;
use crate::packet::{Protocol, TcpFlags};

/// Returns all packets of a log, the kind of its times, and its problems.
pub(super) fn read_log(log: &str, date: Option<&str>) -> (Vec<Packet>, Clock, Problems) {
    let options = TextOptions { date: date.map(|date| date.parse().unwrap()), zone: TimeZone::UTC };
    let mut problems = Problems::default();
    let mut packets = Vec::new();
    let summary =
        read(&mut log.as_bytes(), &options, &mut problems, &mut |packet, _| packets.push(*packet)).unwrap();
    assert_eq!(summary.packets, packets.len() as u64);
    (packets, summary.clock, problems)
}

fn shown(packet: &Packet) -> String {
    let port = |port: Option<u16>| port.map_or_else(String::new, |port| format!(":{port}"));
    let flags = packet.flags().map_or_else(String::new, |flags| format!(" {flags}"));
    let icmp = packet.icmp().map_or_else(String::new, |icmp| format!(" {}", icmp.kind));
    let (source, destination) = (port(packet.source_port()), port(packet.destination_port()));
    format!(
        "{} {}{source} {}{destination}{flags}{icmp}",
        packet.protocol(),
        packet.source(),
        packet.destination()
    )
}

fn check(line: &str, expected: &str) {
    let (packets, _, problems) = read_log(&format!("{line}\n"), None);
    let got: Vec<String> = packets.iter().map(shown).collect();
    assert_eq!(got, [expected], "{line}\n{problems:?}");
}

#[test]
fn every_style_of_tcp() {
    check("IP 192.168.20.21.1061 > 192.0.0.14.445: S", "TCP 192.168.20.21:1061 192.0.0.14:445 S");
    check("IP 10.0.0.1.80 > 10.0.0.2.5: .", "TCP 10.0.0.1:80 10.0.0.2:5");
    check("1.2.3.4.5 > 6.7.8.9.445: S 1:1(0) win 8192 <mss 1460> (DF)", "TCP 1.2.3.4:5 6.7.8.9:445 S");
    check("12:00:01.5 1.2.3.4.5 > 6.7.8.9.80: S 1:1(0) ack 7 win 5 <ack 1>", "TCP 1.2.3.4:5 6.7.8.9:80 SA");
    check("IP 1.2.3.4.5 > 6.7.8.9.80: FP 1:9(8) win 5", "TCP 1.2.3.4:5 6.7.8.9:80 FP");
    check("IP 1.2.3.4.5 > 6.7.8.9.80: Flags [SEW], seq 7, win 9, length 0", "TCP 1.2.3.4:5 6.7.8.9:80 SEC");
    check("IP 1.2.3.4.5 > 6.7.8.9.80: Flags [none], win 9, length 0", "TCP 1.2.3.4:5 6.7.8.9:80 -");
    check("IP 1.2.3.4.5 > 6.7.8.9.445: tcp 0", "TCP 1.2.3.4:5 6.7.8.9:445");
    check("IP6 fe80::1.5 > ff02::2.445: Flags [R.], length 0", "TCP fe80::1:5 ff02::2:445 RA");
}

#[test]
fn link_headers_and_filters_of_every_kind() {
    for before in [
        "23:11:12 rule 14/(match) block in on em0: ",
        "19:36:38.895530 802.1Q vlan#105 P0 ",
        "19:36:38.895530 3c:94:d5:e7:d0:1 40:a6:77:50:cf:17 8100 70: 802.1Q vlan#105 P0 ",
        "19:36:38.8 3c:94:d5:e7:d0:01 > 40:a6:77:50:cf:17, ethertype 802.1Q (0x8100), length 70: vlan 105, p 0, ethertype IPv4 (0x0800), ",
        "19:36:38.8 eth0  In  IP ",
        "    7  2005-07-06 03:57:35.938066 IP ",
        "19:36:38.8 IP (tos 0x0, ttl 117, id 23454, offset 0, flags [DF], proto TCP (6), length 52) ",
    ] {
        check(&format!("{before}1.2.3.4.5 > 6.7.8.9.445: S 1:1(0) win 1024"), "TCP 1.2.3.4:5 6.7.8.9:445 S");
    }
}

#[test]
fn headers_that_were_cut_keep_their_protocol() {
    let pair = "1.2.3.4.5 > 6.7.8.9.139: ";
    for before in [
        "IP ",
        "",
        "16:43:20.000001 IP ",
        "Feb 16 16:43:20 gateway pf: rule 0/(match) block in on ep0: ",
        "Mar 28 09:00:01 gateway pf: rule 22/0(match): block in on vlan2: ",
    ] {
        for (body, expected) in [
            ("[|tcp]", "TCP 1.2.3.4:5 6.7.8.9:139"),
            ("[|tcp] (DF)", "TCP 1.2.3.4:5 6.7.8.9:139"),
            ("Flags [S], [|tcp]", "TCP 1.2.3.4:5 6.7.8.9:139 S"),
            ("[|udp]", "UDP 1.2.3.4:5 6.7.8.9:139"),
            ("[|domain]", "UDP 1.2.3.4:5 6.7.8.9:139"),
            ("[|sctp]", "SCTP 1.2.3.4:5 6.7.8.9:139"),
        ] {
            check(&format!("{before}{pair}{body}"), expected);
        }
        let hosts = "1.2.3.4 > 6.7.8.9: ";
        check(&format!("{before}{hosts}[|icmp]"), "ICMP 1.2.3.4 6.7.8.9");
        check(&format!("{before}{hosts}[|tcp]"), "TCP 1.2.3.4 6.7.8.9");
        check(&format!("{before}{hosts}[|igmp]"), "IGMP 1.2.3.4 6.7.8.9");
    }
    check("IP6 fe80::1 > ff02::2: [|icmp6]", "ICMPv6 fe80::1 ff02::2");
}

#[test]
fn red_hats_directions_stand_before_the_addresses() {
    for before in ["> ", "< ", "B ", "M ", "P ", "eth0 > ", "eth0 < ", "lo P "] {
        let line = |rest: &str| format!("01:31:21.885931 {before}{rest}");
        check(&line("1.2.3.4.5 > 6.7.8.9.445: S 1:1(0) win 16384 (DF)"), "TCP 1.2.3.4:5 6.7.8.9:445 S");
        check(&line("1.2.3.4 > 6.7.8.9: icmp: echo request"), "ICMP 1.2.3.4 6.7.8.9 8");
        check(&line("arp who-has 6.7.8.9 tell 1.2.3.4"), "ARP 1.2.3.4 6.7.8.9");
        check(&line("arp reply 1.2.3.4 (0:90:27:13:cb:52) is-at 0:90:27:13:cb:52"), "ARP 1.2.3.4 0.0.0.0");
    }
}

#[test]
fn other_protocols() {
    check("IP 1.2.3.4.5 > 6.7.8.9.53: 2+ A? example.org. (29)", "UDP 1.2.3.4:5 6.7.8.9:53");
    check("IP 1.2.3.4 > 6.7.8.9: ICMP echo request, id 1, seq 0, length 8", "ICMP 1.2.3.4 6.7.8.9 8");
    check("1.2.3.4 > 6.7.8.9: icmp: 9.9.9.9 udp port 53 unreachable", "ICMP 1.2.3.4 6.7.8.9 3");
    check(
        "IP6 (hlim 255, next-header ICMPv6 (58) payload length: 8) fe80::1 > ff02::2: [icmp6 sum ok] ICMP6, router solicitation, length 8",
        "ICMPv6 fe80::1 ff02::2 133",
    );
    check(
        "IP 1.2.3.4 > 6.7.8.9: GREv0, length 88: IP 10.0.0.1 > 10.0.0.2: ICMP echo request",
        "GRE 1.2.3.4 6.7.8.9",
    );
    check(
        "ARP, Request who-has 10.0.0.9 (ff:ff:ff:ff:ff:ff) tell 10.0.0.1, length 28",
        "ARP 10.0.0.1 10.0.0.9",
    );
    check("arp who-has 10.0.0.9 tell 10.0.0.1", "ARP 10.0.0.1 10.0.0.9");
    check("ARP, Reply 10.2.1.2 is-at d6:06:3c:4a:35:7a, length 28", "ARP 10.2.1.2 0.0.0.0");
}

#[test]
fn a_packet_on_two_lines_has_its_header() {
    let log = "19:36:38.895530 IP (tos 0x0, ttl 117, id 23454, offset 0, flags [DF], proto TCP (6), length 52)\n    1.2.3.4.5 > 6.7.8.9.445: Flags [S], cksum 0xbf93 (correct), seq 4000000000, win 8192, length 0\n\t0x0000:  4500\n";
    let (packets, clock, problems) = read_log(log, Some("2017-09-10"));
    assert_eq!(shown(&packets[0]), "TCP 1.2.3.4:5 6.7.8.9:445 S");
    assert_eq!((packets[0].ttl(), packets[0].ip_id()), (Some(117), Some(23454)));
    assert_eq!((packets[0].sequence(), packets[0].tcp_window()), (Some(4_000_000_000), Some(8192)));
    assert_eq!(packets[0].time().unwrap().to_string(), "2017-09-10T19:36:38.895530000Z");
    assert!(clock == Clock::Absolute && problems.is_empty());
    let old = "1.2.3.4.5 > 6.7.8.9.445: S [tcp sum ok] 77:77(0) win 9 (DF) (ttl 117, id 23454, len 52)\n";
    let (packets, _, _) = read_log(old, None);
    assert_eq!(
        (packets[0].ttl(), packets[0].ip_id(), packets[0].sequence()),
        (Some(117), Some(23454), Some(77))
    );
}

#[test]
fn names_are_ports_or_are_counted() {
    check(
        "IP 1.2.3.4.5 > 6.7.8.9.microsoft-ds: Flags [S], seq 1, win 1, length 0",
        "TCP 1.2.3.4:5 6.7.8.9:445 S",
    );
    let (packets, _, problems) = read_log("\nIP localhost.5 > localhost.http: Flags [S], seq 1\n", None);
    assert!(packets.is_empty());
    let tallies: Vec<_> = problems.iter().collect();
    assert_eq!((tallies[0].0, tallies[0].1.first), (Problem::HostName, CapturePosition::Line(2)));
}

/// Returns the times of all packets, in seconds.
fn times(stamps: &[&str]) -> Vec<f64> {
    let log: String = stamps.iter().map(|stamp| format!("{stamp}IP 1.2.3.4.5 > 6.7.8.9.445: S\n")).collect();
    let (packets, _, _) = read_log(&log, None);
    packets.iter().map(|packet| packet.time().unwrap().seconds_since(Timestamp(0))).collect()
}

use crate::packet::Timestamp;

#[test]
fn differences_add_up_in_every_version() {
    assert_eq!(times(&["000000 ", "1. 500000 ", "-384. 460957 "]), [0.0, 1.5, -382.039_043]);
    assert_eq!(
        times(&["00:00:00.000000 ", "00:00:01.500000 ", "00:-6:-24.460957 "]),
        [0.0, 1.5, -382.039_043]
    );
    assert_eq!(
        times(&[" 00:00:00.000000 ", " 00:00:01.500000 ", "-00:06:23.539043 "]),
        [0.0, 1.5, -382.039_043]
    );
    let since_first =
        [" 00:00:00.000000 ", " 00:00:01.0 ", " 00:00:02.0 ", " 00:00:03.5 ", " 00:00:04.0 ", " 00:00:04.0 "];
    assert_eq!(times(&since_first), [0.0, 1.0, 2.0, 3.5, 4.0, 4.0]);
}

#[test]
fn a_day_passes_at_midnight() {
    assert_eq!(times(&["23:59:59.0 ", "00:00:01.0 "]), [86_399.0, 86_401.0]);
    assert_eq!(times(&["12:00:00 ", "11:59:58 "]), [43_200.0, 43_198.0]);
}

#[test]
fn what_looks_like_a_packet_in_a_payload_is_no_packet() {
    let log =
        "12:00:00.1 IP 1.2.3.4.5 > 6.7.8.9.80: Flags [P.], length 50\nE..x\nIP 9.9.9.9.1 > 8.8.8.8.445: S\n";
    let (packets, _, problems) = read_log(log, None);
    assert_eq!(packets.len(), 1);
    assert_eq!(
        problems.iter().map(|(problem, tally)| (problem, tally.count)).collect::<Vec<_>>(),
        [(Problem::PayloadLine, 2)]
    );
}

#[test]
fn only_tcpdump_looks_like_tcpdump() {
    assert!(looks_like_tcpdump(b"IP 192.168.20.21.1061 > 192.0.0.14.445: S\n"));
    assert!(looks_like_tcpdump(
        b"reading from file x, link-type EN10MB\n12:00:00.1 IP 1.1.1.1 > 2.2.2.2: ICMP echo request\n"
    ));
    for wrong in [
        "",
        "hello > world: x\n",
        "{\"a\": 1}\n",
        "a,b,c\n1,2,3\n",
        "1.2.3.4 - - [10/Oct/2000:13:55:36] \"GET /\"\n",
    ] {
        assert!(!looks_like_tcpdump(wrong.as_bytes()), "{wrong}");
    }
}

#[test]
fn long_lines_and_wild_bytes_are_survived() {
    let mut log = vec![b'x'; 3 * LINE_MAX];
    log.extend_from_slice(b"\nIP 1.2.3.4.5 > 6.7.8.9.445: S\r\n\xff\xfe\x1b[31m\n");
    let mut packets = Vec::new();
    let mut problems = Problems::default();
    let mut sink = |packet: &Packet, _: &[u8]| packets.push(*packet);
    read(&mut log.as_slice(), &TextOptions::default(), &mut problems, &mut sink).unwrap();
    assert_eq!(packets.len(), 1);
    assert_eq!((packets[0].protocol(), packets[0].flags()), (Protocol::Tcp, Some(TcpFlags::SYN)));
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, digits in "[0-9:. >IP()a-z-]{0,200}") {
        for log in [bytes.as_slice(), digits.as_bytes()] {
            let mut problems = Problems::default();
            let _ = looks_like_tcpdump(log);
            read(&mut &*log, &TextOptions::default(), &mut problems, &mut |_, _| {}).unwrap();
        }
    }
}
