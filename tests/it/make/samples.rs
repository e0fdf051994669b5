//! The captures of the samples that ship beside the seed's: one of each kind of scan, and none at all.
//!
//! No malware was run for them. The seed's sample has figure 8 as its log, as the report prints it.

use std::fmt::Write;
use std::net::Ipv4Addr;

use super::packets::{ETHERNET, End, Pcap, arp_request, dns, ping, tcp, udp};
use super::{Made, Random};

const VICTIM: Ipv4Addr = Ipv4Addr::new(192, 168, 20, 21);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 20, 1);
/// 2009-03-02 01:00:00 UTC in microseconds.
const START: u64 = 1_235_955_600_000_000;
const SECOND: u64 = 1_000_000;
const MILLISECOND: u64 = 1_000;

pub(crate) fn all() -> Vec<Made> {
    let made = |name: &str, file: &str, bytes: Vec<u8>| Made { path: format!("{name}/{file}"), bytes };
    vec![
        made("a2eaf57c47a118e91a5edf694685eee7", "fig8.txt", figure_8().into_bytes()),
        made("random-scan-with-retries", "run.pcap", random_with_retries().bytes()),
        made("two-ports-at-once", "run.pcap", two_ports().bytes()),
        made("udp-worm", "run.txt", udp_worm().into_bytes()),
        made("ping-sweep", "run.pcap", ping_sweep().bytes()),
        made("arp-sweep", "run.pcap", arp_sweep().bytes()),
        made("no-scan", "run.pcap", no_scan().bytes()),
        made("scan-among-service-traffic", "run.pcap", hidden_scan().bytes()),
    ]
}

/// What figure 8 shows: 18 SYNs to neighbouring addresses, each from the next port.
fn figure_8() -> String {
    (0..18).fold(String::new(), |mut log, at| {
        writeln!(log, "IP {VICTIM}.{} > 192.0.0.{}.445: S", 1061 + at, 14 + at).unwrap();
        log
    })
}

fn any_address(random: &mut Random) -> Ipv4Addr {
    loop {
        let [_, _, _, _, a, b, c, d] = random.next().to_be_bytes();
        if (1..=223).contains(&a) && ![10, 127, 169, 172, 192].contains(&a) && d != 0 && d != 255 {
            return Ipv4Addr::new(a, b, c, d);
        }
    }
}

/// SYNs to 23/TCP anywhere, four new addresses a second, each tried at 0, 3 and 9 s from its own port.
fn random_with_retries() -> Pcap {
    let (mut random, mut pcap) = (Random(1), Pcap::new(ETHERNET));
    for at in 0..360u64 {
        let (to, port) = ((any_address(&mut random), 23), u16::try_from(1100 + at).unwrap());
        let sequence = u32::try_from(random.below(1 << 32)).unwrap();
        let first = START + at * 250 * MILLISECOND + random.below(50 * MILLISECOND);
        for retry in [0, 3, 9] {
            pcap.add(first + retry * SECOND, tcp((VICTIM, port), to, "S", sequence, b""));
        }
    }
    pcap
}

/// Two threads over the own /16 at random: 139 and 445/TCP of the same host at once.
fn two_ports() -> Pcap {
    let (mut random, mut pcap) = (Random(2), Pcap::new(ETHERNET));
    for at in 0..120u64 {
        let [_, _, _, _, _, _, c, d] = random.next().to_be_bytes();
        let to = Ipv4Addr::new(192, 168, c, d);
        let port = u16::try_from(1200 + 2 * at).unwrap();
        let time = START + at * 500 * MILLISECOND + random.below(20 * MILLISECOND);
        for (thread, service) in [(0u16, 139u16), (1, 445)] {
            let sequence = u32::try_from(random.below(1 << 32)).unwrap();
            let packet = tcp((VICTIM, port + thread), (to, service), "S", sequence, b"");
            pcap.add(time + u64::from(thread) * MILLISECOND, packet);
        }
    }
    pcap
}

/// One socket, one packet an address, as fast as the line goes; a log as tcpdump 4 prints it with `-n -tttt`.
fn udp_worm() -> String {
    let mut random = Random(3);
    (0..300u32).fold(String::new(), |mut log, at| {
        let (to, micros) = (any_address(&mut random), at * 3_700);
        let (second, rest) = (micros / 1_000_000, micros % 1_000_000);
        writeln!(log, "2009-03-02 01:00:{second:02}.{rest:06} IP {VICTIM}.1434 > {to}.1434: UDP, length 376")
            .unwrap();
        log
    })
}

/// Echo requests to one address after another.
fn ping_sweep() -> Pcap {
    let mut pcap = Pcap::new(ETHERNET);
    for at in 0..64u8 {
        let to = Ipv4Addr::new(192, 168, 40, 1 + at);
        pcap.add(START + u64::from(at) * 300 * MILLISECOND, ping(VICTIM, to, u16::from(at) * 256));
    }
    pcap
}

/// Who has which address of the own /24.
fn arp_sweep() -> Pcap {
    let mut pcap = Pcap::new(ETHERNET);
    for at in 1..=254u8 {
        let whom = Ipv4Addr::new(192, 168, 20, at);
        if whom != VICTIM {
            pcap.add_frame(START + u64::from(at) * 20 * MILLISECOND, arp_request(VICTIM, whom));
        }
    }
    pcap
}

/// A conversation that a server answers: the handshake, a request and its answer, the end.
fn conversation(pcap: &mut Pcap, time: u64, from: End, to: End, request: &[u8], answer: &[u8]) {
    let steps: [(bool, &str, &[u8]); 7] = [
        (true, "S", b""),
        (false, "SA", b""),
        (true, "A", b""),
        (true, "PA", request),
        (false, "PA", answer),
        (true, "FA", b""),
        (false, "FA", b""),
    ];
    for (step, (from_victim, flags, payload)) in (0u32..).zip(steps) {
        let (a, b) = if from_victim { (from, to) } else { (to, from) };
        pcap.add(time + u64::from(step) * 8 * MILLISECOND, tcp(a, b, flags, 1000 + step, payload));
    }
}

fn resolve(pcap: &mut Pcap, time: u64, port: u16, name: &str, address: Ipv4Addr) {
    pcap.add(time, udp((VICTIM, port), (GATEWAY, 53), &dns(port, name, None)));
    let answer = dns(port, name, Some(address));
    pcap.add(time + 5 * MILLISECOND, udp((GATEWAY, 53), (VICTIM, port), &answer));
}

/// What a sandboxed host does besides: names, clocks, a dummy web and an IRC server, neighbours.
fn services(pcap: &mut Pcap) {
    let (web, irc) = (Ipv4Addr::new(192, 168, 20, 2), Ipv4Addr::new(198, 51, 100, 7));
    resolve(pcap, START, 1025, "www.example.com", web);
    let request = b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n";
    conversation(pcap, START + SECOND, (VICTIM, 1026), (web, 80), request, b"HTTP/1.1 200 OK\r\n\r\n");
    resolve(pcap, START + 2 * SECOND, 1027, "irc.example.net", irc);
    let request = b"NICK guest\r\nUSER guest 0 * :guest\r\n";
    conversation(
        pcap,
        START + 3 * SECOND,
        (VICTIM, 1028),
        (irc, 6667),
        request,
        b":irc 001 guest :hello\r\n",
    );
    pcap.add(START + 4 * SECOND, udp((VICTIM, 123), (Ipv4Addr::new(192, 168, 20, 3), 123), &[0x1b; 48]));
    let everyone = Ipv4Addr::new(192, 168, 20, 255);
    pcap.add(START + 5 * SECOND, udp((VICTIM, 137), (everyone, 137), &[0; 50]));
    let search = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n";
    pcap.add(START + 6 * SECOND, udp((VICTIM, 1029), (Ipv4Addr::new(239, 255, 255, 250), 1900), search));
    pcap.add_frame(START + 7 * SECOND, arp_request(VICTIM, GATEWAY));
}

fn no_scan() -> Pcap {
    let mut pcap = Pcap::new(ETHERNET);
    services(&mut pcap);
    pcap
}

/// A sequential scan of 445/TCP that goes on between the services; a few of the hosts refuse.
fn hidden_scan() -> Pcap {
    let (mut random, mut pcap) = (Random(8), Pcap::new(ETHERNET));
    services(&mut pcap);
    for at in 0..100u8 {
        let (to, port) = ((Ipv4Addr::new(10, 7, 3, 1 + at), 445), 1100 + u16::from(at));
        let sequence = u32::try_from(random.below(1 << 32)).unwrap();
        let time = START + u64::from(at) * 90 * MILLISECOND;
        pcap.add(time, tcp((VICTIM, port), to, "S", sequence, b""));
        if at % 25 == 24 {
            pcap.add(time + 2 * MILLISECOND, tcp(to, (VICTIM, port), "RA", 0, b""));
        }
    }
    pcap
}
