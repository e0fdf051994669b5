//! The table: for each shipped rule made traffic that it names, and traffic that resembles it and has other causes.

use super::*;

const CONFICKER_DAY: &str = "2009-03-18T12:00:00Z";

/// Addresses of the dark /24.
fn dark(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, last)
}

fn syn(source_port: u16, to: End, sequence: u32) -> Vec<u8> {
    tcp((FROM, source_port), to, "S", sequence, b"")
}

fn datagram(source_port: u16, to: End, payload: &[u8]) -> Vec<u8> {
    udp((FROM, source_port), to, payload)
}

/// The same IP packet with another identification.
fn with_id(mut packet: Vec<u8>, id: u16) -> Vec<u8> {
    packet[4..6].copy_from_slice(&id.to_be_bytes());
    packet
}

/// An ICMP message of a kind; its checksum is not right, which no reader here asks for.
fn icmp(kind: u8, to: Ipv4Addr) -> Vec<u8> {
    let mut packet = ping(FROM, to, 1);
    packet[20] = kind;
    packet
}

/// An ICMPv6 message of a kind between link-local addresses.
fn icmpv6(kind: u8) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 8, 58, 255];
    for last in [1, 2] {
        packet.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    packet.extend([kind, 0, 0, 0, 0, 0, 0, 0]);
    packet
}

/// A packet of another IP protocol.
fn of_protocol(number: u8) -> Vec<u8> {
    let mut packet = datagram(1, (Ipv4Addr::new(224, 0, 0, 22), 1), b"");
    packet[9] = number;
    packet
}

/// One packet to each of the addresses 1 to `count`, in order.
fn sweep(count: u8, packet: impl Fn(Ipv4Addr) -> Vec<u8>) -> Vec<Vec<u8>> {
    (1..=count).map(|last| packet(dark(last))).collect()
}

/// Five addresses in no order.
fn scattered(packet: impl Fn(Ipv4Addr) -> Vec<u8>) -> Vec<Vec<u8>> {
    [9, 200, 30, 77, 140].map(|last| packet(dark(last))).to_vec()
}

/// The ports on which Conficker.D seeks an address on the day of the rows.
fn peer(to: Ipv4Addr) -> [u16; 4] {
    conficker_d_ports(to, conficker_d_week(CONFICKER_DAY.parse().unwrap()))
}

/// A port of 1024 or above on which Conficker.D does not seek an address.
const HIGH: u16 = 41_235;

fn slammer(source_port: u16, to: Ipv4Addr) -> Vec<u8> {
    datagram(source_port, (to, 1434), &[b"\x04".as_slice(), &[1; 96], b"\xdc\xc9\xb0\x42"].concat())
}

/// IKE: the first message of an initiator, or with `answer` a responder's.
fn ike(answer: bool) -> Vec<u8> {
    let mut payload = vec![0x5a; 8];
    payload.extend(if answer { [0x77; 8] } else { [0; 8] });
    payload.extend([1, 0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 28]);
    payload
}

const DNS_ANSWER: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01";
const DNS_QUESTION: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01";
const BACNET_ANSWER: &[u8] = b"\x81\x0a\x00\x17\x01\x00\x30\x01\x0c\x0c\x02\x3f\xff\xff\x19\x4b";

/// Traffic whose sender is none of the malware and tools that rules name.
pub(super) fn others() -> Vec<Traffic> {
    let flood = |day| at("a SYN of a flood with spoofed sources", day, vec![syn(4321, (DARK, HIGH), 99)]);
    vec![
        now("Slammer", sweep(9, |to| slammer(3001, to))),
        now("one datagram of Slammer", vec![slammer(3001, DARK)]),
        at("one datagram of Slammer in March 2009", CONFICKER_DAY, vec![slammer(3001, DARK)]),
        at("Witty", "2004-03-20T05:00:00Z", vec![datagram(4000, (DARK, 51_515), &[5; 700])]),
        now("an answer of IKE", vec![datagram(500, (DARK, HIGH), &ike(true))]),
        now(
            "an answer of IKE through NAT",
            vec![datagram(4500, (DARK, HIGH), &[&[0; 4][..], &ike(true)].concat())],
        ),
        now("an answer of BACnet", vec![datagram(47_808, (DARK, HIGH), BACNET_ANSWER)]),
        flood("2024-06-20T12:00:00Z"),
        flood(CONFICKER_DAY),
        at("two SYNs to any high port", CONFICKER_DAY, vec![syn(4321, (DARK, HIGH), 99); 2]),
        at("one datagram to any high port", CONFICKER_DAY, vec![datagram(4321, (DARK, HIGH), b"x")]),
        at(
            "Conficker.D's port before it was found",
            "2009-03-03T12:00:00Z",
            vec![datagram(4321, (DARK, peer(DARK)[1]), b"x")],
        ),
        Traffic {
            what: "Conficker.D's port without a time",
            start: None,
            packets: vec![datagram(4321, (DARK, peer(DARK)[1]), b"x")],
        },
        now(
            "a host whose identification counts past ZMap's",
            (54_318..54_324).map(|id| with_id(syn(40_000, (DARK, 22), 77), id)).collect(),
        ),
        at(
            "ZMap's identification before ZMap",
            CONFICKER_DAY,
            vec![with_id(syn(40_000, (DARK, 22), 77), 54_321)],
        ),
        at(
            "Mirai's sequence number before Mirai",
            CONFICKER_DAY,
            vec![syn(40_000, (DARK, 23), u32::from(DARK))],
        ),
    ]
}

pub(super) fn all() -> Vec<Row> {
    [malware(), tools(), answers(), scans(), payloads(), infrastructure()].into_iter().flatten().collect()
}

fn row(rule: &'static str, named: Vec<Traffic>, not_named: Vec<Traffic>) -> Row {
    Row { rule, named, not_named }
}

fn malware() -> Vec<Row> {
    let [tcp_port, udp_port, tcp_of_week, udp_of_week] = peer(DARK);
    let march = |what, packets| at(what, CONFICKER_DAY, packets);
    let late = "2009-03-02T12:00:00Z";
    let timeless = |what, packets| Traffic { what, start: None, packets };
    let search = |ports: &dyn Fn(Ipv4Addr) -> u16| sweep(4, |to| datagram(5000, (to, ports(to)), b"x"));
    let udp_peer = |port| vec![datagram(5000, (DARK, port), b"x")];
    vec![
        row(
            "conficker-d-udp",
            vec![
                march("the address's port", udp_peer(udp_port)),
                march("the week's port", udp_peer(udp_of_week)),
            ],
            vec![
                march("another high port", udp_peer(HIGH)),
                at("a time before it", late, udp_peer(udp_port)),
                timeless("a log without times", udp_peer(udp_port)),
                march("its TCP port", udp_peer(tcp_port)),
                at("the week's port in another week", "2009-04-18T12:00:00Z", udp_peer(udp_of_week)),
            ],
        ),
        row(
            "conficker-d-tcp",
            vec![
                march("the address's port", vec![syn(5000, (DARK, tcp_port), 1); 2]),
                march("the week's port", vec![syn(5000, (DARK, tcp_of_week), 1); 2]),
            ],
            vec![
                march("another high port", vec![syn(5000, (DARK, HIGH), 1); 2]),
                at("a time before it", late, vec![syn(5000, (DARK, tcp_port), 1); 2]),
                timeless("a log without times", vec![syn(5000, (DARK, tcp_port), 1); 2]),
            ],
        ),
        row(
            "conficker-d-search",
            vec![
                march("four peers", search(&|to| peer(to)[1])),
                now("four peers in 2024", search(&|to| conficker_d_ports(to, 0)[1])),
            ],
            vec![
                march("one of four by chance", search(&|to| if to == dark(2) { peer(to)[1] } else { HIGH })),
                march("one port of four addresses", search(&|_| udp_port)),
                march("one peer", udp_peer(udp_port)),
                at("a time before it", late, search(&|to| peer(to)[1])),
            ],
        ),
        row(
            "conficker-d-port",
            vec![
                march("one datagram", udp_peer(udp_port)),
                march("one SYN", vec![syn(5000, (DARK, tcp_port), 1)]),
            ],
            vec![
                march("a SYN-ACK", vec![tcp((FROM, 80), (DARK, tcp_port), "SA", 1, b"")]),
                march("another port", udp_peer(HIGH)),
                at("a time before it", late, udp_peer(udp_port)),
                timeless("a log without times", udp_peer(udp_port)),
            ],
        ),
        row(
            "mirai",
            vec![
                now("a SYN", vec![syn(40_000, (DARK, 23), u32::from(DARK))]),
                now("a sweep", sweep(5, |to| syn(40_000, (to, 23), u32::from(to)))),
            ],
            vec![
                now("another sequence number", vec![syn(40_000, (DARK, 23), 5)]),
                now("a SYN-ACK", vec![tcp((FROM, 23), (DARK, 40_000), "SA", u32::from(DARK), b"")]),
                now("one SYN of three", sweep(3, |to| syn(40_000, (to, 23), u32::from(dark(2))))),
                at(
                    "a time before it",
                    "2016-07-01T00:00:00Z",
                    vec![syn(40_000, (DARK, 23), u32::from(DARK))],
                ),
            ],
        ),
    ]
}

fn tools() -> Vec<Row> {
    #[expect(clippy::cast_possible_truncation, reason = "the relation is of the lower 16 bits")]
    let masscan = |to: Ipv4Addr, flags| {
        let id = (u32::from(to) ^ 445 ^ 0x1234_5678) as u16;
        with_id(tcp((FROM, 40_000), (to, 445), flags, 0x1234_5678, b""), id)
    };
    let zmap = |to| with_id(syn(40_000, (to, 443), 77), 54_321);
    vec![
        row(
            "masscan",
            vec![now("one SYN", vec![masscan(DARK, "S")]), now("a sweep", sweep(5, |to| masscan(to, "S")))],
            vec![
                now("a SYN-ACK", vec![masscan(DARK, "SA")]),
                now("another SYN", vec![syn(40_000, (DARK, 445), 5)]),
                now("one of two packets", vec![masscan(DARK, "S"), syn(40_000, (DARK, 445), 5)]),
                at("a time before it", CONFICKER_DAY, vec![masscan(DARK, "S")]),
            ],
        ),
        row(
            "zmap",
            vec![
                now("one SYN", vec![zmap(DARK)]),
                now("a sweep", sweep(5, zmap)),
                now("a datagram", vec![with_id(datagram(40_000, (DARK, 53), DNS_QUESTION), 54_321)]),
            ],
            vec![
                now(
                    "identifications that count",
                    (54_318..54_324).map(|id| with_id(zmap(DARK), id)).collect(),
                ),
                at("a time before it", CONFICKER_DAY, vec![zmap(DARK)]),
                Traffic { what: "a log without times", start: None, packets: vec![zmap(DARK)] },
            ],
        ),
    ]
}

fn answers() -> Vec<Row> {
    let not_answers = || {
        vec![
            now("a scan of SNMP from port 53", sweep(9, |to| datagram(53, (to, 161), b""))),
            now("a question from port 53 to a high port", vec![datagram(53, (DARK, HIGH), DNS_QUESTION)]),
            now("a client of NTP that uses port 123", vec![datagram(123, (DARK, 123), &[0x23; 48])]),
            now("a scan of IKE from port 500", vec![datagram(500, (DARK, 500), &ike(false))]),
            now(
                "a scan of SIP from port 5060",
                vec![datagram(5060, (DARK, 5060), b"OPTIONS sip:nm SIP/2.0\r\n")],
            ),
            now("Slammer from port 1900", vec![slammer(1900, DARK)]),
            now("any other port", vec![datagram(9999, (DARK, HIGH), DNS_ANSWER)]),
            now("a peer of BitTorrent", vec![datagram(6881, (DARK, HIGH), b"d1:ad2:id20:")]),
            now(
                "an announcement to a group",
                vec![datagram(5353, (Ipv4Addr::new(224, 0, 0, 251), 5353), DNS_ANSWER)],
            ),
            now(
                "an answer among scans",
                [vec![datagram(53, (DARK, HIGH), DNS_ANSWER)], sweep(3, |to| datagram(777, (to, 161), b""))]
                    .concat(),
            ),
        ]
    };
    let are_answers = || {
        vec![
            now("DNS", vec![datagram(53, (DARK, HIGH), DNS_ANSWER)]),
            now("DNS for port 80", vec![datagram(53, (DARK, 80), DNS_ANSWER)]),
            now("a DNS server's headers", vec![datagram(53, (DARK, HIGH), b"")]),
            now("NTP", sweep(9, |to| datagram(123, (to, 123), b"\xd7\x00\x03\x2a\x00\x06\x00\x48"))),
            now("IKE", vec![datagram(500, (DARK, 500), &ike(true))]),
            now("BACnet", vec![datagram(47_808, (DARK, HIGH), BACNET_ANSWER)]),
            now("SSDP", vec![datagram(1900, (DARK, 80), b"HTTP/1.1 200 OK\r\n")]),
            now("memcached", vec![datagram(11_211, (DARK, HIGH), b"\0\0\0\0\0\x01\0\0STAT pid 1\r\n")]),
            now("SIP", vec![datagram(5060, (DARK, 5060), b"SIP/2.0 404 Not Found\r\n")]),
            now(
                "SNMP",
                vec![datagram(161, (DARK, 80), b"\x30\x26\x02\x01\x01\x04\x06public\xa2\x19\x02\x04")],
            ),
            now("a peer of BitTorrent", vec![datagram(6881, (DARK, HIGH), b"d1:rd2:id20:")]),
        ]
    };
    let flags = |flags: &'static str| sweep(9, |to| tcp((FROM, 80), (to, HIGH), flags, 7, b""));
    vec![
        row(
            "to-group",
            vec![
                now("an announcement", vec![datagram(5353, (Ipv4Addr::new(224, 0, 0, 251), 5353), b"")]),
                now("a broadcast", vec![datagram(17_500, (Ipv4Addr::BROADCAST, 17_500), b"")]),
            ],
            vec![
                now("a dark address", vec![datagram(5353, (DARK, 5353), b"")]),
                now("a SYN of a random scan", vec![syn(9, (Ipv4Addr::new(228, 9, 8, 7), 23), 9)]),
            ],
        ),
        row(
            "traceroute",
            vec![now(
                "a trace",
                (33_434..33_444).map(|port| datagram(4000, (DARK, port), &[0x40; 12])).collect(),
            )],
            vec![
                now("other ports", (33_400..33_410).map(|port| datagram(4000, (DARK, port), b"")).collect()),
                now("SYNs", vec![syn(4000, (DARK, 33_434), 9)]),
                now(
                    "a scan of ports about it",
                    (33_425..33_445).map(|port| datagram(4000, (DARK, port), b"")).collect(),
                ),
            ],
        ),
        row("udp-answer", are_answers(), not_answers()),
        row("backscatter-udp", are_answers(), not_answers()),
        row(
            "icmp-answer",
            vec![
                now("unreachable", sweep(5, |to| icmp(3, to))),
                now("echo replies", sweep(5, |to| icmp(0, to))),
            ],
            vec![
                now("pings", sweep(5, |to| icmp(8, to))),
                now("a time question", vec![icmp(13, DARK)]),
                now("one answer of two", vec![icmp(8, DARK), icmp(0, DARK)]),
            ],
        ),
        row(
            "backscatter-icmp",
            vec![now("unreachable", sweep(5, |to| icmp(3, to)))],
            vec![now("pings", sweep(5, |to| icmp(8, to))), now("a mask question", vec![icmp(17, DARK)])],
        ),
        row(
            "echo-request",
            vec![now("pings", sweep(5, |to| icmp(8, to)))],
            vec![now("replies", sweep(5, |to| icmp(0, to))), now("unreachable", vec![icmp(3, DARK)])],
        ),
        row(
            "backscatter-syn-ack",
            vec![now("SYN-ACKs", flags("SA"))],
            vec![
                now("SYNs", flags("S")),
                now("a conversation", [flags("SA"), flags("PA")].concat()),
                now("resets", flags("RA")),
            ],
        ),
        row(
            "backscatter-rst",
            vec![now("resets", flags("RA")), now("bare resets", flags("R"))],
            vec![now("SYNs", flags("S")), now("SYN-ACKs", flags("SA")), now("an end", flags("FA"))],
        ),
    ]
}

fn scans() -> Vec<Row> {
    let knocks = |count| vec![syn(4000, (DARK, 445), 9); count];
    let knock_row = |rule, count: usize| {
        row(
            rule,
            vec![now("SYNs to 445", knocks(count))],
            vec![
                now("one SYN more", knocks(count + 1)),
                now("another port", vec![syn(4000, (DARK, 139), 9); count]),
                now("SYN-ACKs", vec![tcp((FROM, 445), (DARK, 445), "SA", 9, b""); count]),
            ],
        )
    };
    let to_445 = |to| syn(4000, (to, 445), 9);
    vec![
        knock_row("seed-type-1", 2),
        knock_row("seed-type-2", 3),
        knock_row("seed-type-3", 1),
        knock_row("seed-type-4", 4),
        row(
            "high-port-probe-udp",
            vec![
                now("a datagram", vec![datagram(4321, (DARK, HIGH), b"x")]),
                now("Slammer", vec![slammer(3001, DARK)]),
                at("Witty", "2004-03-20T05:00:00Z", vec![datagram(4000, (DARK, 51_515), &[5; 700])]),
            ],
            vec![
                now("an answer", vec![datagram(53, (DARK, HIGH), DNS_ANSWER)]),
                now("two datagrams", vec![datagram(4321, (DARK, HIGH), b"x"); 2]),
                now("an announcement", vec![datagram(17_500, (Ipv4Addr::BROADCAST, 17_500), b"x")]),
                now("a low port", vec![datagram(4321, (DARK, 161), b"x")]),
                now("SYNs", vec![syn(4321, (DARK, HIGH), 9); 2]),
            ],
        ),
        row(
            "high-port-probe-tcp",
            vec![now("two SYNs", vec![syn(4321, (DARK, HIGH), 9); 2])],
            vec![
                now("one SYN", vec![syn(4321, (DARK, HIGH), 9)]),
                now("a low port", knocks(2)),
                now("SYN-ACKs", vec![tcp((FROM, 80), (DARK, HIGH), "SA", 9, b""); 2]),
            ],
        ),
        row(
            "sequential-scan",
            vec![now("a sweep", sweep(9, to_445))],
            vec![
                now("no order", scattered(to_445)),
                now("SYN-ACKs", sweep(9, |to| tcp((FROM, 80), (to, HIGH), "SA", 9, b""))),
                now("answers", sweep(9, |to| datagram(53, (to, HIGH), DNS_ANSWER))),
                now("two targets", sweep(2, to_445)),
            ],
        ),
        row(
            "random-scan",
            vec![
                now("no order", scattered(to_445)),
                now("from port 53", scattered(|to| datagram(53, (to, 161), b""))),
            ],
            vec![
                now("a sweep", sweep(9, to_445)),
                now("answers", scattered(|to| datagram(53, (to, HIGH), DNS_ANSWER))),
                now("SYN-ACKs", scattered(|to| tcp((FROM, 80), (to, HIGH), "SA", 9, b""))),
            ],
        ),
        row(
            "port-scan",
            vec![now("twenty ports", (20..40).map(|port| syn(4000, (DARK, port), 9)).collect())],
            vec![
                now("four ports", (20..24).map(|port| syn(4000, (DARK, port), 9)).collect()),
                now(
                    "answers to ten ports",
                    (0..10).map(|at| datagram(53, (DARK, HIGH + at), DNS_ANSWER)).collect(),
                ),
                now(
                    "a trace of a route",
                    (33_434..33_444).map(|port| datagram(4000, (DARK, port), &[0x40; 12])).collect(),
                ),
                now("SYN-ACKs", (0..9).map(|at| tcp((FROM, 80), (DARK, HIGH + at), "SA", 9, b"")).collect()),
            ],
        ),
        row(
            "ping-sweep",
            vec![now("pings", sweep(5, |to| icmp(8, to)))],
            vec![now("one target", vec![icmp(8, DARK); 5]), now("replies", sweep(5, |to| icmp(0, to)))],
        ),
        row(
            "arp-sweep",
            vec![now("a sweep", sweep(12, |to| arp_request(dark(250), to)))],
            vec![
                now("three neighbours", sweep(3, |to| arp_request(dark(250), to))),
                now("pings", sweep(12, |to| icmp(8, to))),
            ],
        ),
    ]
}

/// A payload rule: what it names on a port, and the same on another port and something else on its port.
fn payload_row(
    rule: &'static str,
    is_tcp: bool,
    port: u16,
    payload: &'static [u8],
    near: &'static [u8],
) -> Row {
    let sent = |port, payload: &[u8]| match is_tcp {
        true => vec![tcp((FROM, 4000), (DARK, port), "PA", 9, payload)],
        false => vec![datagram(4000, (DARK, port), payload)],
    };
    row(
        rule,
        vec![now("its payload", sent(port, payload))],
        vec![
            now("another payload", sent(port, near)),
            now("another port", sent(port + 1, near)),
            now("no payload", sent(port, b"")),
        ],
    )
}

fn payloads() -> Vec<Row> {
    vec![
        payload_row("adb-connect", true, 5555, b"CNXN\0\0\0\x01\0", b"OPEN\0\0\0\x01\0"),
        payload_row(
            "dns-version-bind",
            false,
            53,
            b"\0\0\0\x01\0\0\0\0\0\0\x07VERSION\x04BIND\0",
            DNS_QUESTION,
        ),
        payload_row(
            "jndi-lookup",
            true,
            8080,
            b"GET /?x=${${lower:j}ndi:ldap://a}",
            b"echo ${${x}:-y} ${HOME}",
        ),
        payload_row(
            "memcached-stats",
            false,
            11_211,
            b"\0\0\0\0\0\x01\0\0stats\r\n",
            b"\0\0\0\0\0\x01\0\0STAT pid 1\r\n",
        ),
        payload_row("ntp-monlist", false, 123, b"\x17\0\x03\x2a", b"\x23\0\x06\x20"),
        payload_row("sip-options", false, 5060, b"OPTIONS sip:nm SIP/2.0", b"SIP/2.0 200 OK"),
        payload_row("slp-request", false, 427, b"\x02\x09\0\0", b"\x02\x0a\0\0"),
        payload_row("smb1-negotiate", true, 445, b"\0\0\0\x85\xffSMBr\0", b"\0\0\0\x85\xfeSMB@\0"),
        payload_row("ssdp-search", false, 1900, b"M-SEARCH * HTTP/1.1\r\n", b"NOTIFY * HTTP/1.1\r\n"),
        payload_row("telnet-busybox", true, 23, b"/bin/busybox MIRAI\r\n", b"/bin/busybox wget\r\n"),
    ]
}

fn infrastructure() -> Vec<Row> {
    let public = Ipv4Addr::new(198, 18, 0, 1);
    let local = Ipv4Addr::new(192, 168, 1, 1);
    let group = Ipv4Addr::new(224, 0, 0, 251);
    let to = |to, port| now("its traffic", vec![datagram(4000, (to, port), b"")]);
    let other = |port| now("another port", vec![datagram(4000, (public, port + 1), b"")]);
    let by_tcp = |to, port| now("TCP", vec![syn(4000, (to, port), 9)]);
    let simple = |rule, port| row(rule, vec![to(public, port)], vec![other(port), by_tcp(public, port)]);
    vec![
        simple("dhcp", 547),
        simple("dns", 53),
        simple("llmnr", 5355),
        simple("mdns", 5353),
        simple("ntp", 123),
        simple("ssdp", 1900),
        simple("ws-discovery", 3702),
        row("dns-tcp", vec![by_tcp(local, 53)], vec![by_tcp(public, 53), by_tcp(local, 80)]),
        row(
            "group",
            vec![to(Ipv4Addr::new(239, 1, 2, 3), 9999)],
            vec![to(public, 9999), by_tcp(Ipv4Addr::new(228, 9, 8, 7), 23)],
        ),
        row(
            "igmp",
            vec![now("a report", vec![of_protocol(2)])],
            vec![to(group, 9999), now("another protocol", vec![of_protocol(103)])],
        ),
        row(
            "neighbour-discovery",
            vec![now("a question", vec![icmpv6(135)])],
            vec![now("a ping", vec![icmpv6(128)]), now("IPv4", vec![icmp(135, DARK)])],
        ),
        row("netbios", vec![to(local, 137)], vec![to(public, 137), to(local, 139)]),
    ]
}
