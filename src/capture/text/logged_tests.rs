//! Tests of logs that other programs passed on: with a time before each line, with a byte order mark, in
//! UTF-16.

use proptest::prelude::*;

use super::tests::read_log;
use super::*;
use crate::packet::Timestamp;

/// Prefixes that programs put before a line that they pass on at the time of day `{}`, each with the hours by
/// which its clock is ahead of UTC.
const PREFIXES: [(&str, i64); 9] = [
    ("2009-03-02T{}.123456789Z ", 0),
    ("2009-03-02T{}+09:00 sensor1 tcpdump[99]: ", 9),
    ("2009-03-02T{}.5-0800 sensor1 tcpdump: ", -8),
    ("sensor-1  | 2009-03-02T{}.123456789Z ", 0),
    ("[pod/sensor-7f/tcpdump] 2009-03-02T{}.123456789Z ", 0),
    ("2009-03-02T{}.000000001Z stdout F ", 0),
    ("<30>1 2009-03-02T{}Z sensor1 tcpdump 99 - - ", 0),
    ("2009-03-02T{},250+00:00 sensor1 tcpdump[99]: ", 0),
    ("\u{feff}2009-03-02T{}Z ", 0),
];

/// Returns the time that tcpdump prints for the n-th packet. The styles correspond to tcpdump's options.
fn own_time(style: usize, at: usize) -> String {
    match style {
        0 => String::new(),
        1 => format!("12:{:02}:{:02}.000000 ", at / 60, at % 60),
        2 => format!("{}.500000 ", 1_235_995_200 + at),
        3 => format!("2009-03-02 12:{:02}:{:02}.000000 ", at / 60, at % 60),
        _ => format!(" 00:00:{:02}.250000 ", usize::from(at > 0)),
    }
}

const BODIES: [&str; 9] = [
    "IP 192.0.2.7.1061 > 198.51.100.9.445: Flags [S], seq 1, win 8192, length 0\n",
    "192.0.2.7.1061 > 198.51.100.9.445: S 1:1(0) win 8192 <mss 1460> (DF)\n",
    "IP6 2001:db8::7.1061 > 2001:db8::9.53: 2+ A? example.org. (29)\n",
    "IP 192.0.2.7 > 198.51.100.9: ICMP echo request, id 1, seq 0, length 8\n",
    "ARP, Request who-has 198.51.100.9 tell 192.0.2.7, length 28\n",
    "02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype IPv4 (0x0800), length 60: 192.0.2.7.5 > 198.51.100.9.80: Flags [R], seq 1, win 0, length 0\n",
    "IP (tos 0x0, ttl 117, id 9, offset 0, flags [DF], proto TCP (6), length 52)\n    192.0.2.7.5 > 198.51.100.9.80: Flags [S], seq 1, win 9, length 0\n",
    "IP 192.0.2.7.5 > 198.51.100.9.80: Flags [P.], seq 1:9, ack 1, win 9, length 8\n\t0x0000:  4500 0028 0000 4000\n",
    "rule 22/0(match): block in on em0: 192.0.2.7.2559 > 198.51.100.9.139: [|tcp]\n",
];

fn log(style: usize, bodies: &[usize]) -> String {
    bodies.iter().enumerate().map(|(at, body)| own_time(style, at) + BODIES[*body]).collect()
}

/// Returns the same log with a prefix before each line. Lines are passed on in blocks of several seconds.
fn passed_on(log: &str, prefix: &str) -> String {
    let moment = |at: usize| format!("12:00:{:02}", at / 8 * 8 % 60);
    log.lines().enumerate().map(|(at, line)| prefix.replace("{}", &moment(at)) + line + "\n").collect()
}

fn bare(packets: &[Packet]) -> Vec<Packet> {
    packets.iter().map(|packet| packet.with_time(None)).collect()
}

proptest! {
    #[test]
    fn every_style_behind_every_time_gives_the_same_packets(
        style in 0usize..5,
        bodies in prop::collection::vec(0usize..BODIES.len(), 1..40),
        (prefix, _) in prop::sample::select(&PREFIXES[..]),
    ) {
        let plain = log(style, &bodies);
        let (expected, clock, problems) = read_log(&plain, Some("2009-03-02"));
        prop_assert_eq!(expected.len(), bodies.len());
        let (packets, logged_clock, logged_problems) = read_log(&passed_on(&plain, prefix), Some("2009-03-02"));
        prop_assert_eq!(bare(&packets), bare(&expected));
        prop_assert_eq!(logged_problems.is_empty(), problems.is_empty());
        // If tcpdump printed a time, that time takes precedence.
        if style == 0 {
            prop_assert_eq!((clock, logged_clock), (Clock::None, Clock::Absolute));
            prop_assert!(packets.iter().all(|packet| packet.time().is_some()));
        } else {
            prop_assert_eq!(packets, expected);
        }
    }

    #[test]
    fn a_text_in_utf_16_gives_what_it_gives_in_utf_8(
        style in 0usize..5,
        bodies in prop::collection::vec(0usize..BODIES.len(), 0..40),
        noise in ".{0,40}",
        little: bool,
    ) {
        // Noise must not begin with a byte order mark, because only one mark is removed from UTF-8 text.
        let noise = noise.trim_start_matches('\u{feff}');
        let text = log(style, &bodies) + noise + "\n" + &log(style, &bodies);
        let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        let wide: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(bytes).collect();
        prop_assert_eq!(of_bytes(&wide), of_bytes(text.as_bytes()));
        let marked = [UTF8_MARK, text.as_bytes()].concat();
        prop_assert_eq!(of_bytes(&marked), of_bytes(text.as_bytes()));
    }
}

fn of_bytes(mut bytes: &[u8]) -> (Vec<Packet>, Problems, TextSummary) {
    let (mut packets, mut problems) = (Vec::new(), Problems::default());
    let mut sink = |packet: &Packet, _: &[u8]| packets.push(*packet);
    let summary = read(&mut bytes, &TextOptions::default(), &mut problems, &mut sink).unwrap();
    (packets, problems, summary)
}

fn first_time(line: &str) -> Option<Timestamp> {
    read_log(line, None).0[0].time()
}

#[test]
fn a_time_before_the_line_tells_the_day_or_the_whole_time() {
    let packet = "IP 192.0.2.7.1061 > 198.51.100.9.445: Flags [S], seq 1, win 8192, length 0\n";
    for (prefix, hours) in PREFIXES {
        let prefix = prefix.replace("{}", "12:00:00");
        let time = first_time(&format!("{prefix}{packet}")).unwrap();
        let noon = Timestamp::from_parts(1_235_995_200 - hours * 3_600, 0).unwrap();
        assert_eq!(time.whole_seconds(), noon, "{prefix}");
        // The packet was captured 1.75 seconds before the line was passed on, which was at noon by the clock
        // of the line.
        let time = first_time(&format!("{prefix}11:59:58.250000 {packet}"));
        assert_eq!(time, Some(noon.plus_nanoseconds(-1_750_000_000)), "{prefix}");
        let time = first_time(&format!("{prefix}1235952000.500000 {packet}"));
        assert_eq!(time, Timestamp::from_parts(1_235_952_000, 500_000_000), "{prefix}");
    }
    // RFC 3164 times have no year.
    let time = first_time(&format!("Mar  2 12:00:00 sensor tcpdump[99]: 11:59:58.250000 {packet}"));
    assert_eq!(time.unwrap().to_string(), "1970-03-02T11:59:58.250000000Z");
}

#[test]
fn differences_behind_a_time_are_added_to_the_first() {
    let packet = "IP 192.0.2.7.1061 > 198.51.100.9.445: Flags [S], seq 1, win 8192, length 0\n";
    let log = format!(
        "2009-03-02T12:00:00Z  00:00:00.000000 {packet}2009-03-02T12:00:09Z  00:00:01.500000 {packet}"
    );
    let (packets, clock, _) = read_log(&log, None);
    assert_eq!(clock, Clock::Absolute);
    let noon = Timestamp::from_parts(1_235_995_200, 0);
    assert_eq!(packets[0].time(), noon);
    assert_eq!(packets[1].time(), noon.map(|noon| noon.plus_nanoseconds(1_500_000_000)));
}

#[test]
fn the_zone_of_the_options_is_that_of_tcpdumps_own_time() {
    let zone = TimeZone::get("Asia/Tokyo").unwrap_or(TimeZone::fixed(jiff::tz::offset(9)));
    let options = TextOptions { date: None, zone };
    let log = "2009-03-02T12:00:03Z 21:00:00.000000 IP 192.0.2.7.1061 > 198.51.100.9.445: S\n";
    let mut times = Vec::new();
    let mut sink = |packet: &Packet, _: &[u8]| times.push(packet.time());
    read(&mut log.as_bytes(), &options, &mut Problems::default(), &mut sink).unwrap();
    assert_eq!(times, [Timestamp::from_parts(1_235_995_200, 0)]);
}

#[test]
fn what_looks_like_a_packet_in_a_payload_behind_a_time_is_no_packet() {
    let log = "2009-03-02T12:00:00Z 12:00:00.1 IP 1.2.3.4.5 > 6.7.8.9.80: Flags [P.], length 50\n\
               2009-03-02T12:00:00Z E..x\n\
               2009-03-02T12:00:00Z IP 9.9.9.9.1 > 8.8.8.8.445: S\n\
               IP 9.9.9.9.1 > 8.8.8.8.445: S\n";
    let (packets, _, problems) = read_log(log, None);
    assert_eq!(packets.len(), 1);
    let counts: Vec<(Problem, u64)> =
        problems.iter().map(|(problem, tally)| (problem, tally.count)).collect();
    assert_eq!(counts, [(Problem::PayloadLine, 3)]);
}
