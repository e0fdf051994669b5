//! Makes darknet captures of any size: what a /16 sees, seeded, the same bytes for the same seed.
//!
//! Sources are heavy-tailed. Most sessions knock at one address (the seed's types 1 to 4); the rest are ports derived
//! from the destination, sweeps in order and at random, vertical scans, backscatter, pings, single UDP packets, some
//! of it in VLANs and some of it IPv6. All of it goes to 198.18.0.0/16 (RFC 2544's benchmark network) and 2001:db8::/48.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

/// What to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Packets.
    pub(crate) packets: u64,
    /// Sources that there are; few of them send most.
    pub(crate) sources: u32,
    /// Packets a second, about.
    pub(crate) rate: u64,
    /// Seed.
    pub(crate) seed: u64,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// TCP with these flags.
    Tcp(u8),
    Udp,
    Ping,
}

/// A host at work: what it sends next, and how often yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Session {
    kind: Kind,
    source: u32,
    source_port: u16,
    port: u16,
    destination: u16,
    /// Destinations to come after this one; 0 for a session at one address.
    left: u32,
    /// How far the next destination is, 0 for one at random.
    step: u16,
    /// Packets that this destination got, and gets.
    sent: u8,
    retries: u8,
    /// Whether the next packet goes to another port of the same address.
    vertical: bool,
    pause_micros: u32,
    six: bool,
    vlan: bool,
}

/// 2020-01-01 00:00:00 UTC.
const START: u64 = 1_577_836_800_000_000;
const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;

/// Writes a pcap.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        out.write_all(&word.to_le_bytes())?;
    }
    let mut random = Random(plan.seed);
    let mut due: BinaryHeap<Reverse<(u64, u64, Session)>> = BinaryHeap::new();
    let (mut clock, mut number) = (START, 0u64);
    let mut frame = Vec::with_capacity(128);
    for _ in 0..plan.packets {
        // New sessions begin so often that the rate holds: a session has two and a half packets on average.
        while due.peek().is_none_or(|Reverse((time, ..))| *time > clock) {
            number += 1;
            due.push(Reverse((clock, number, session(&mut random, plan.sources))));
            clock += random.below(2 * 5_000_000 / (2 * plan.rate).max(1));
        }
        let Some(Reverse((time, order, mut session))) = due.pop() else { break };
        record(out, time, &session, &mut random, &mut frame)?;
        if let Some(pause) = next(&mut session, &mut random) {
            due.push(Reverse((time + pause, order, session)));
        }
    }
    Ok(())
}

fn session(random: &mut Random, sources: u32) -> Session {
    // The cube of a uniform number: few sources send most.
    let uniform = random.below(1 << 20);
    let share = uniform * uniform / (1 << 20) * uniform / (1 << 20);
    let source = u32::try_from(share * u64::from(sources) / (1 << 20)).unwrap_or(0);
    let destination = u16::try_from(random.below(65_536)).unwrap_or(0);
    let derived = 1024 + (destination.wrapping_mul(40_503) >> 1);
    let blank = Session {
        kind: Kind::Tcp(SYN),
        source,
        source_port: 1024 + u16::try_from(random.below(60_000)).unwrap_or(0),
        port: 445,
        destination,
        left: 0,
        step: 0,
        sent: 0,
        retries: 0,
        vertical: false,
        pause_micros: 100_000,
        six: random.below(100) == 0,
        vlan: random.below(20) == 0,
    };
    let some = |random: &mut Random, least: u32, most: u32| {
        least + u32::try_from(random.below(u64::from(most - least))).unwrap_or(0)
    };
    match random.below(100) {
        0..=47 => {
            Session { retries: [0, 1, 1, 2, 2, 3][usize::try_from(random.below(6)).unwrap_or(0)], ..blank }
        }
        48..=61 => Session { kind: Kind::Udp, port: derived, ..blank },
        62..=69 => Session { retries: 1, port: derived, ..blank },
        70 => Session { left: some(random, 20, 60), step: 1, ..blank },
        71..=72 => Session { left: some(random, 8, 40), port: 23, pause_micros: 300_000, ..blank },
        73 => Session { left: some(random, 10, 40), vertical: true, port: 20, pause_micros: 20_000, ..blank },
        74..=81 => Session { kind: Kind::Tcp(SYN_ACK), left: some(random, 0, 3), source_port: 80, ..blank },
        82..=84 => Session { kind: Kind::Tcp(0x14), source_port: 22, ..blank },
        85..=89 => Session { kind: Kind::Ping, left: some(random, 0, 3), step: 1, ..blank },
        _ => Session {
            kind: Kind::Udp,
            port: [53, 123, 161, 1434, 1900, 5060][usize::from(destination) % 6],
            ..blank
        },
    }
}

/// What a session does next, and in how many microseconds; `None` when it is over.
fn next(session: &mut Session, random: &mut Random) -> Option<u64> {
    if session.sent < session.retries {
        session.sent += 1;
        return Some(3_000_000 << (session.sent - 1));
    }
    session.left = session.left.checked_sub(1)?;
    session.sent = 0;
    if session.vertical {
        session.port += 1;
    } else if session.step > 0 {
        session.destination = session.destination.wrapping_add(session.step);
        session.source_port = session.source_port.wrapping_add(1).max(1024);
    } else {
        session.destination = u16::try_from(random.below(65_536)).unwrap_or(0);
    }
    Some(u64::from(session.pause_micros))
}

fn record(
    out: &mut dyn Write,
    time: u64,
    session: &Session,
    random: &mut Random,
    frame: &mut Vec<u8>,
) -> io::Result<()> {
    frame.clear();
    frame.extend([0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2]);
    if session.vlan {
        frame.extend([0x81, 0, 0, 105]);
    }
    let transport = transport(session, random);
    let length = u16::try_from(transport.len()).unwrap_or(0);
    let protocol = match (session.kind, session.six) {
        (Kind::Tcp(_), _) => 6,
        (Kind::Udp, _) => 17,
        (Kind::Ping, false) => 1,
        (Kind::Ping, true) => 58,
    };
    if session.six {
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        frame.extend(length.to_be_bytes());
        frame.extend([protocol, 55]);
        frame.extend([0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, 0, 0, 0, 0, 0, 0]);
        frame.extend(session.source.to_be_bytes());
        frame.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        frame.extend(session.destination.to_be_bytes());
    } else {
        let id = u16::try_from(random.below(65_536)).unwrap_or(0);
        frame.extend([0x08, 0x00, 0x45, 0]);
        frame.extend((20 + length).to_be_bytes());
        frame.extend(id.to_be_bytes());
        frame.extend([0x40, 0, 113, protocol, 0, 0]);
        // Anywhere but in the sensor: 1.0.0.0 and up.
        frame.extend((0x0100_0000 + session.source.wrapping_mul(2_654_435_761) % 0xc000_0000).to_be_bytes());
        frame.extend([198, 18]);
        frame.extend(session.destination.to_be_bytes());
    }
    frame.extend(&transport);
    let length = u32::try_from(frame.len()).unwrap_or(0).to_le_bytes();
    let (seconds, micros) = (time / 1_000_000, time % 1_000_000);
    out.write_all(&u32::try_from(seconds).unwrap_or(0).to_le_bytes())?;
    out.write_all(&u32::try_from(micros).unwrap_or(0).to_le_bytes())?;
    out.write_all(&length)?;
    out.write_all(&length)?;
    out.write_all(frame)
}

fn transport(session: &Session, random: &mut Random) -> Vec<u8> {
    let ports = [session.source_port.to_be_bytes(), session.port.to_be_bytes()].concat();
    let sequence = random.next().to_be_bytes();
    match session.kind {
        Kind::Tcp(flags) => {
            let answer =
                [session.source_port.to_be_bytes(), (session.destination | 1024).to_be_bytes()].concat();
            let ports = if flags == SYN { ports } else { answer };
            // Windows' options: segment size, selective acknowledgements.
            let head = [&ports[..], &sequence[..4], &[0; 4], &[0x70, flags, 0xff, 0xff, 0, 0, 0, 0]].concat();
            [&head[..], &[2, 4, 5, 180, 1, 1, 4, 2]].concat()
        }
        Kind::Udp => [&ports[..], &[0, 28, 0, 0], &sequence, &sequence, &[0; 4]].concat(),
        Kind::Ping => {
            let kind = if session.six { 128 } else { 8 };
            [&[kind, 0, 0, 0, 2, 0, 0, 1][..], &sequence, &sequence].concat()
        }
    }
}
