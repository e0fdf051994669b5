//! Property tests of the fast paths: whenever they return a result, it is that of the complete parsers.

use proptest::prelude::*;

use super::line::{self, ParsedLine};
use super::printed_header::PrintedHeader;
use super::time_cache::TimeCache;
use super::{printed_time, quick};

/// Generates one of the texts, with a number in place of each `{}`.
fn words(choices: &'static [&'static str]) -> impl Strategy<Value = String> {
    (prop::sample::select(choices), prop::collection::vec(number(), 6)).prop_map(|(words, numbers)| {
        numbers.iter().fold(words.to_owned(), |words, number| words.replacen("{}", number, 1))
    })
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (0u32..70_000).prop_map(|number| number.to_string()),
        2 => any::<u32>().prop_map(|number| number.to_string()),
        1 => prop::sample::select(&["", "0", "007", "4294967296", "99999999999", "18446744073709551616", "x"][..])
            .prop_map(str::to_owned),
    ]
}

fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => any::<std::net::Ipv4Addr>().prop_map(|address| address.to_string()),
        2 => any::<std::net::Ipv6Addr>().prop_map(|address| address.to_string()),
        1 => prop::sample::select(&["::ffff:1.2.3.4", "::", "1.2.3.256", "1.2.3.0004", "1.2.3", "host", "fe80::1"][..])
            .prop_map(str::to_owned),
    ]
}

fn endpoint() -> impl Strategy<Value = String> {
    (address(), words(&[".{}", ".{}", ".{}", "", "", ".http", ".no-such", ".5x", "."]))
        .prop_map(|(address, port)| address + &port)
}

const BEFORE: &[&str] = &[
    "IP ",
    "IP ",
    "IP6 ",
    "",
    "IP  ",
    "eth0  In  IP ",
    "02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype IPv4 (0x0800), length {}: ",
    "02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype IPv6 (0x86dd), length {}: ",
    "02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype 802.1Q (0x8100), length {}: vlan {}, p 0, ethertype IPv4 (0x0800), ",
    "02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype ARP (0x0806), length {}: ",
    "IP6 (hlim {}, next-header TCP (6) payload length: {}) ",
];

const BODIES: &[&str] = &[
    ": Flags [S], seq {}, win {}, options [mss {},nop,nop,sackOK], length {}",
    ": Flags [S.], seq {}, ack {}, win {}, length {}",
    ": Flags [SEW], seq {}:{}, ack {}, win {}, urg {}, length {}",
    ": Flags [R.], cksum 0x0000 (incorrect -> 0x4732), seq {}, ack {}, win {}, length {}",
    ": Flags [FP], cksum 0xbf93 (correct), ack {}, win {}, length {}: HTTP (ttl {}, id {})",
    ": Flags [none], win {}, length 0 (frag {}:{}@{})",
    ": Flags [S], win {}, seq {}, length 0",
    ": Flags [S]",
    ": UDP, length {}",
    ": [udp sum ok] UDP, length {}",
    ": [bad udp cksum 0x0000 -> 0x1234!] UDP, length {} (ttl {}, id {}, len {})",
    ": {}+ A? example.org. ({})",
    ": ICMP echo request, id {}, seq {}, length {}",
    ": ICMP echo request, id {}, seq {}, length {} (wrong icmp cksum 0 (->d493)!)",
    ": ICMP echo reply, id {}, seq {}, length {}",
    ": ICMP 1.2.3.4 udp port {} unreachable, length {}",
    ": ICMP6, echo request, id {}, seq {}, length {}",
    ": [icmp6 sum ok] ICMP6, echo request, id {}, seq {}",
    ": S {}:{}({}) win {} <mss {}> (DF)",
    ": S",
    ": tcp 0 (ttl {}, id {}, len {})",
    ":",
    ", length {}",
    "",
];

const HEADERS: &[&str] = &[
    "(tos 0x0, ttl {}, id {}, offset {}, flags [DF], proto TCP (6), length {})",
    "(tos 0x10, ttl {}, id {}, offset {}, flags [none], proto UDP (17), length {}, bad cksum 0 (->99f5)!)",
    "(tos 0x0, ttl {}, id {}, offset {}, flags [+], proto ICMP ({}), length {})",
    "(tos 0x2,ECT(0), ttl {}, id {}, offset {}, flags [DF], proto TCP (6), length {}, options (RR))",
    "(tos 0x0, ttl {}, id {}, offset {}, flags [DF], proto TCP (6), length {}) 1.2.3.4.5 > 6.7.8.9.80: Flags [S]",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (words(BEFORE), endpoint(), endpoint(), words(BODIES))
            .prop_map(|(before, source, destination, body)| format!("{before}{source} > {destination}{body}")),
        1 => (words(BEFORE), words(HEADERS)).prop_map(|(before, header)| before + &header),
    ]
}

const TIMES: &[&str] = &[
    "2017-09-10 19:36:38.895530 ",
    "2017-09-10 19:36:60.895530 ",
    "2017-09-10 -1:36:38.895530 ",
    "2017-13-40 19:36:38.895530 ",
    "09/10/2017 19:36:38.895530 ",
    "Sep 10 19:36:38.895530 ",
    "19:36:38.895530 ",
    "23:59:60.000000 ",
    "00:00:-0.500000 ",
    "00:-6:-24.460957 ",
    "-00:06:23.539043 ",
    "-1:-2:-3.539043 ",
    " 00:00:01.500000 ",
    "1505072198.895530 ",
    "9223372036.854775 ",
    "5. 123456 ",
    "000000 ",
    "19:36:38 ",
    "   12  19:36:38.895530 ",
];

/// Generates the bytes of a text with some of them changed, removed or inserted.
fn mutated(text: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
    let change =
        (any::<prop::sample::Index>(), 0u8..3, prop::sample::select(&b" .:>(),[]0159afS-\t\r\xff"[..]));
    (text, prop_oneof![2 => Just(0usize), 1 => 1usize..4], prop::collection::vec(change, 4)).prop_map(
        |(text, count, changes)| {
            let mut bytes = text.into_bytes();
            for (at, how, byte) in
                changes.into_iter().take(count).filter(|_| !bytes.is_empty()).collect::<Vec<_>>()
            {
                let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
                match how {
                    0 if !bytes.is_empty() => bytes[at] = byte,
                    1 if !bytes.is_empty() => drop(bytes.remove(at)),
                    _ => bytes.insert(at, byte),
                }
            }
            bytes
        },
    )
}

fn header() -> impl Strategy<Value = Option<PrintedHeader>> {
    let protocol = prop::option::of(prop::sample::select(&[0u8, 1, 6, 17, 44, 58, 255][..]));
    prop::option::of((any::<Option<u8>>(), any::<Option<u16>>(), protocol, any::<bool>()).prop_map(
        |(ttl, ip_id, protocol, later_fragment)| PrintedHeader {
            ttl,
            ip_id,
            protocol,
            later_fragment,
            dont_fragment: ip_id.map(|id| id % 2 == 0),
        },
    ))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn the_short_cut_reads_what_the_reader_reads(text in mutated(text()), header in header(), timed: bool) {
        if let Some(quick) = quick::parse(&text, header) {
            prop_assert_eq!(quick, line::parse(&text, timed, header), "{}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn a_remembered_time_is_the_time_read(
        first in mutated(words(TIMES)),
        digits in "[0-9]{6}",
        second in mutated(words(TIMES)),
    ) {
        let mut recall = TimeCache::default();
        recall.split_and_cache(&first);
        let point = first.iter().position(|byte| *byte == b'.').unwrap_or(0);
        let alike = [first.get(..=point).unwrap_or(&[]), digits.as_bytes(), b" IP"].concat();
        for line in [alike, first, second] {
            if let Some((stamp, rest)) = recall.split_time(&line) {
                prop_assert_eq!((Some(stamp), rest), printed_time::split_time(&line), "{}", String::from_utf8_lossy(&line));
                prop_assert_eq!(super::strip_packet_number(&line, None), None);
            }
        }
    }
}

/// The fast path must accept common lines: otherwise the properties above could hold without testing
/// anything.
#[test]
fn commonplace_lines_are_taken() {
    let taken = |text: &str, header| quick::parse(text.as_bytes(), header).is_some();
    let pair = "1.2.3.4.5 > 6.7.8.9.80";
    for before in BEFORE.iter().filter(|before| before.starts_with("IP ") || before.contains("IPv4")) {
        for body in BODIES.iter().filter(|body| body.starts_with(": ")) {
            let line = format!("{before}{pair}{body}").replace("{}", "7");
            assert!(taken(&line, None) || before.ends_with("  "), "{line}");
        }
    }
    assert!(taken(&format!("{pair}: UDP, length 20"), Some(PrintedHeader::default())));
    for header in &HEADERS[..3] {
        let line = format!("IP {header}").replace("{}", "7");
        assert!(matches!(quick::parse(line.as_bytes(), None), Some(ParsedLine::Header(_))), "{line}");
    }
}
