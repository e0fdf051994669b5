//! tcpdump's text of all ages and options, what is put in front of it, and what only looks like it.

use super::{Seeds, texts};

const PAIR: &str = "198.51.100.41.53656 > 203.0.113.7.23";

/// A log of the same packet behind each of some beginnings.
fn lines(beginnings: &[&str], body: &str) -> Vec<u8> {
    beginnings.iter().map(|beginning| format!("{beginning}{PAIR}{body}\n")).collect::<String>().into_bytes()
}

const SYN: &str = ": Flags [S], seq 1, win 14600, length 0";
const CLOCK: [&str; 3] = ["12:00:00.000000 IP ", "12:00:10.000001 IP ", "12:00:20.000002 IP "];

/// The log of [`CLOCK`] with something in front of each line.
fn behind(front: &str) -> Vec<u8> {
    let beginnings: Vec<String> = CLOCK.iter().map(|clock| format!("{front}{clock}")).collect();
    lines(&beginnings.iter().map(String::as_str).collect::<Vec<_>>(), SYN)
}

fn utf16(text: &[u8], big_endian: bool) -> Vec<u8> {
    let mark: &[u8] = if big_endian { &[0xfe, 0xff] } else { &[0xff, 0xfe] };
    let unit = |byte: &u8| if big_endian { [0, *byte] } else { [*byte, 0] };
    [mark, &text.iter().flat_map(unit).collect::<Vec<u8>>()].concat()
}

pub(crate) fn logs() -> Seeds {
    let plain = behind("");
    let mut all = vec![
        ("a clock", plain.clone()),
        (
            "lines that end as on Windows",
            plain.iter().flat_map(|byte| if *byte == b'\n' { vec![13, 10] } else { vec![*byte] }).collect(),
        ),
        ("a byte order mark", [b"\xef\xbb\xbf", &plain[..]].concat()),
        ("UTF-16", utf16(&plain, false)),
        ("UTF-16, big endian", utf16(&plain, true)),
        ("docker logs -t", behind("2009-03-02T12:00:00.123456789Z ")),
        ("rsyslog", behind("2009-03-02T12:00:00.123456+09:00 sensor1 tcpdump[99]: ")),
        ("compose", behind("sensor-1  | ")),
        ("compose with times", behind("sensor-1  | 2009-03-02T12:00:00.123456789Z ")),
        ("kubectl with times and streams", behind("2009-03-02T12:00:00.123456789Z stdout F ")),
        ("syslog of BSD", behind("Mar  2 12:00:00 sensor1 tcpdump[99]: ")),
        ("numbers of packets", behind("    7  ")),
        ("no time", lines(&["IP ", "IP ", "IP "], ": S 1:1(0) win 8192 <mss 1460> (DF)")),
        (
            "one day of every kind",
            lines(
                &["2009-03-02 12:00:00.000001 IP ", "03/02/2009 12:00:01.000001 IP ", "1235995202.5 IP "],
                SYN,
            ),
        ),
        ("cut bodies", lines(&CLOCK, ": [|tcp] (DF)")),
        ("cut bodies of ICMP", lines(&["12:00:00.000001 IP "], ": [|icmp]")),
        ("UDP", lines(&CLOCK, ": UDP, length 376")),
        ("pf", lines(&["Feb 16 16:43:20 gateway pf: rule 0/(match) block in on ep0: "], ": [|tcp] (DF)")),
        (
            "a link header",
            lines(
                &["12:00:00.1 02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype IPv4 (0x0800), length 74: "],
                SYN,
            ),
        ),
        (
            "a VLAN",
            lines(
                &[
                    "12:00:00.1 02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype 802.1Q (0x8100), length 78: vlan 5, p 0, ethertype IPv4 (0x0800), ",
                ],
                SYN,
            ),
        ),
        ("an interface", lines(&["12:00:00.1 eth0  In  IP "], SYN)),
        ("a long line", lines(&["12:00:00.1 IP "], &format!("{SYN}{}", "x".repeat(3_000)))),
        ("payload", [&plain[..], b"\t0x0000:  4500 0034\n\tE..4\nIP 9.9.9.9.1 > 8.8.8.8.445: S\n"].concat()),
        ("a log without an end of its last line", plain[..plain.len() - 1].to_vec()),
    ];
    all.extend(texts(&[
        ("Red Hat's directions", "01:31:21.885931 > 192.0.2.2 > 192.0.2.3: icmp: echo request\n01:31:21.886300 < 192.0.2.3 > 192.0.2.2: icmp: echo reply\n01:31:23.245699 B arp who-has 192.0.2.2 tell 192.0.2.4\n"),
        ("two lines a packet", "12:00:00.1 IP (tos 0x0, ttl 117, id 23454, offset 0, flags [DF], proto TCP (6), length 52)\n    198.51.100.1.5 > 203.0.113.9.445: Flags [S], cksum 0xbf93 (correct), seq 4000000000, win 8192, length 0\n\t0x0000:  4500\n"),
        ("half a packet", "12:00:00.1 IP (tos 0x0, ttl 117, id 23454, offset 0, flags [DF], proto TCP (6), length 52)\n12:00:00.2 IP 198.51.100.1.5 > 203.0.113.9.445: Flags [S], seq 1, win 1\n"),
        ("IPv6", "12:00:00.1 IP6 2001:db8::1.5 > 2001:db8::2.445: Flags [S], seq 7, win 9, length 0\n12:00:00.2 IP6 (hlim 255, next-header ICMPv6 (58) payload length: 8) fe80::1 > ff02::2: ICMP6, router solicitation, length 8\n"),
        ("ICMP", "IP 192.0.2.1 > 192.0.2.2: ICMP echo request, id 1, seq 0, length 8\nIP 192.0.2.1 > 192.0.2.2: ICMP 192.0.2.9 udp port 53 unreachable, length 36\n"),
        ("ARP", "12:00:00.1 ARP, Request who-has 10.0.0.9 (ff:ff:ff:ff:ff:ff) tell 10.0.0.1, length 28\n12:00:00.2 ARP, Reply 10.2.1.2 is-at d6:06:3c:4a:35:7a, length 28\n"),
        ("DNS, fragments, GRE", "IP 192.0.2.1.5 > 192.0.2.9.53: 2+ A? example.org. (29)\nIP 192.0.2.1 > 192.0.2.2: tcp (frag 242:8@16)\nIP 192.0.2.1 > 192.0.2.2: GREv0, length 88: IP 10.0.0.1 > 10.0.0.2: ICMP echo request\n"),
        ("names of hosts", "12:00:00.1 IP localhost.5 > sensor.example.http: Flags [S], seq 1\n12:00:00.2 IP 192.0.2.1.5 > 192.0.2.2.microsoft-ds: Flags [S], seq 1, win 1, length 0\n"),
        ("tcpdump's own talk", "tcpdump: verbose output suppressed\nlistening on eth0, link-type EN10MB\n12:00:00.1 IP 192.0.2.1.5 > 192.0.2.2.23: S\n1 packet captured\n0 packets dropped by kernel\n"),
        ("tshark", "    1   0.000000    192.0.2.1 → 192.0.2.2    ICMP 98 Echo (ping) request  id=0xd01d, seq=0/0, ttl=64\n"),
        ("iptables", "Mar  2 12:00:00 host kernel: IN=eth0 OUT= SRC=192.0.2.1 DST=192.0.2.2 LEN=60 PROTO=TCP SPT=5 DPT=23 SYN\n"),
        ("a firewall of Windows", "#Fields: date time action protocol src-ip dst-ip src-port dst-port\n2009-03-02 12:00:00 DROP TCP 192.0.2.1 192.0.2.2 5 23\n"),
        ("control characters", "12:00:00.1 IP 192.0.2.1.5 > 192.0.2.2.23: S\n\u{1b}[31m\u{202e}\u{0}\n12:00:00.2 IP 192.0.2.1.5 > 192.0.2.2.23: S\n"),
    ]));
    all
}

pub(crate) fn times() -> Seeds {
    texts(&[
        ("a clock", "23:59:59.000000\n00:00:01.000000"),
        ("before 1970", "-1.000000\n-384. 460957"),
        ("seconds", "1235955600.123456\n1235955600.123457\n1235955601.0"),
        ("seconds beyond all", "9223372036.854775\n9223372036.854776\n99999999999999999.999999"),
        (
            "dates",
            "2009-03-02 12:00:00.000001\n2009-03-02 12:00:00.000002\n03/02/2009 12:00:00.000003\n2009-02-30 12:00:00.1",
        ),
        (
            "the ends of dates",
            "9999-12-31 23:59:60.999999\n0001-01-01 00:00:00.0\n1677-01-01 00:00:00.0\n2300-01-01 00:00:00.0",
        ),
        ("months by name", "Sep 10 19:36:38.895530\nFeb 29 19:36:38.895530\nFoo 10 19:36:38.895530"),
        ("differences of 3.x", "000000\n5. 123456\n-384. 460957"),
        ("differences of 4.0", "00:00:00.000000\n00:00:01.500000\n00:-6:-24.460957\n1000000:59:60.999999"),
        ("differences of 4.99", " 00:00:00.000000\n 00:00:01.500000\n-00:06:23.539043"),
        (
            "since the first packet",
            " 00:00:00.000000\n 00:00:01.0\n 00:00:02.0\n 00:00:03.5\n 00:00:04.0\n 00:00:04.0",
        ),
        (
            "long differences",
            " 00:00:00.0\n 999999:59:59.9\n 1000000:00:00.0\n 1000000:00:00.0\n 1000000:00:00.0\n 1.0",
        ),
        ("RFC 3339", "2009-03-02T12:00:00.123456789Z\n2009-03-02T12:00:00+09:00\n2009-03-02t12:00:00,5z"),
        ("numbers of packets", "    1  12:00:00.1\n    2  12:00:00.2\n18446744073709551615  12:00:00.3"),
    ])
}
