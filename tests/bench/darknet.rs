//! Makes darknet captures of any size: what a sensor sees, seeded, the same bytes for the same seed.
//!
//! Sources are heavy-tailed: a host's rank is the cube of a uniform number, so that few send most. Most hosts do the
//! same thing whenever they are met. The commonest is a knock at one address (the seed's types 1 to 4); the rest are
//! ports derived from the destination, sweeps in order and at random, vertical scans, backscatter, pings, single UDP
//! packets, some of it in VLANs and some of it IPv6. Sessions follow the day: a third more at six o'clock, a third less
//! at eighteen.
//!
//! The shares below are set so that 10 million packets at 96 a second look like a day of a /16: 81 bytes a packet, 2.4
//! packets a window, some 140,000 behavior types, 2.7 million pairs of host and type, 1.1 million hosts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};
use std::net::Ipv4Addr;

/// What to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Packets.
    pub(crate) packets: u64,
    /// Sources that there are; few of them send most.
    pub(crate) sources: u32,
    /// Packets a second, about.
    pub(crate) rate: u64,
    /// Length of the sensor's IPv4 prefix, 8 to 32; its IPv6 addresses are as many.
    pub(crate) prefix: u8,
    /// Seed.
    pub(crate) seed: u64,
}

/// The sensor's prefixes. RFC 2544's benchmark network as far as it reaches, private addresses beyond; no source has
/// an address of either.
pub(crate) fn sensor(prefix: u8) -> [String; 2] {
    [format!("{}/{prefix}", base(prefix)), "2001:db8::/64".to_owned()]
}

fn base(prefix: u8) -> Ipv4Addr {
    if prefix < 15 { Ipv4Addr::new(10, 0, 0, 0) } else { Ipv4Addr::new(198, 18, 0, 0) }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn between(&mut self, least: u64, most: u64) -> u32 {
        narrow(least + self.below(most - least + 1))
    }

    fn one_of<T: Copy, const N: usize>(&mut self, all: [T; N]) -> T {
        all[usize::try_from(self.below(N as u64)).unwrap_or(0)]
    }
}

fn mixed(number: u64) -> u64 {
    let z = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number that is small enough by how it was made.
fn narrow<T: TryFrom<u64> + Default>(number: u64) -> T {
    T::try_from(number).unwrap_or_default()
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// TCP with these flags.
    Tcp(u8),
    /// UDP with so many bytes.
    Udp(u16),
    Ping,
}

/// Where a session's next packet goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Move {
    Random,
    Ahead,
    /// To the next port of the same address.
    Port,
}

/// A host at work: what it sends next, and how often yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Session {
    kind: Kind,
    source: u32,
    source_port: u16,
    port: u16,
    /// Counted from the sensor's first address.
    destination: u32,
    moves: Move,
    /// Destinations or ports to come after this one.
    left: u32,
    /// Packets that this one got beside the first, and gets.
    sent: u8,
    retries: u8,
    pause_micros: u32,
    six: bool,
    vlan: bool,
}

/// 2020-01-01 00:00:00 UTC.
const START: u64 = 1_577_836_800_000_000;
const DAY: u64 = 86_400_000_000;
/// A session's packets on average, in thousandths.
const SESSION_PACKETS_MILLI: u64 = 2_430;
/// Hosts that never stop are scanners: what they mix in a window would have a type for each window otherwise.
const SCANNERS: u32 = 400;
/// How far the rate swings over a day, in thousandths.
const SWING_MILLI: u64 = 350;
/// Of a hundred sessions of a host so many are its usual ones.
const CONSTANT_PERCENT: u64 = 79;
/// Ports that backscatter comes back to.
const ANSWERED_PORTS: u64 = 1_400;
const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const RST_ACK: u8 = 0x14;

/// Writes a pcap. Memory is that of the sessions at work.
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
    let mut frame = Vec::with_capacity(1024);
    for _ in 0..plan.packets {
        while due.peek().is_none_or(|Reverse((time, ..))| *time > clock) {
            number += 1;
            due.push(Reverse((clock, number, session(&mut random, plan))));
            clock += pause_before_next_session(&mut random, clock, plan.rate);
        }
        let Some(Reverse((time, order, mut session))) = due.pop() else { break };
        frame.clear();
        record(time, &session, plan.prefix, &mut random, &mut frame);
        out.write_all(&frame)?;
        if let Some(pause) = next(&mut session, plan.prefix, &mut random) {
            due.push(Reverse((time + pause, order, session)));
        }
    }
    Ok(())
}

/// Sessions begin so often that the rate holds over a day, which rises and falls.
fn pause_before_next_session(random: &mut Random, clock: u64, rate: u64) -> u64 {
    const QUARTER: u64 = DAY / 4;
    let of_day = (clock - START) % DAY;
    // The rate in thousandths of the mean.
    let now = match of_day / QUARTER {
        0 => 1_000 + SWING_MILLI * of_day / QUARTER,
        1 => 1_000 + SWING_MILLI * (2 * QUARTER - of_day) / QUARTER,
        2 => 1_000 - SWING_MILLI * (of_day - 2 * QUARTER) / QUARTER,
        _ => 1_000 - SWING_MILLI * (DAY - of_day) / QUARTER,
    };
    let mean_nanos = SESSION_PACKETS_MILLI * 1_000_000_000 / now / rate.max(1);
    random.below(2 * mean_nanos) / 1_000
}

fn session(random: &mut Random, plan: &Plan) -> Session {
    let uniform = random.below(1 << 20);
    let share = uniform * uniform / (1 << 20) * uniform / (1 << 20);
    let place = (share * u64::from(plan.sources) + random.below(u64::from(plan.sources))) >> 20;
    let source: u32 = narrow(place);
    let nature = mixed(u64::from(source));
    let constant = source < SCANNERS || random.below(100) < CONSTANT_PERCENT;
    let habit = if constant { nature } else { random.next() };
    let destination = anywhere(random, plan.prefix);
    let blank = Session {
        kind: Kind::Tcp(SYN),
        source,
        source_port: narrow(1024 + random.below(64_000)),
        port: 445,
        destination,
        moves: Move::Random,
        left: 0,
        sent: 0,
        retries: 0,
        pause_micros: 100_000,
        six: nature.is_multiple_of(100),
        vlan: random.below(20) == 0,
    };
    let of_habit = narrow::<u32>(habit >> 8 & 0xffff);
    if source < SCANNERS { scanner(random, blank, of_habit) } else { bot(random, blank, of_habit) }
}

fn scanner(random: &mut Random, blank: Session, habit: u32) -> Session {
    let port = [22, 23, 80, 443, 3389, 8080][habit as usize / 8 % 6];
    match habit % 8 {
        0..=2 => Session { port, left: random.between(0, 3), ..blank },
        3 => Session { port, moves: Move::Ahead, left: random.between(6, 20), ..blank },
        4 => Session { kind: Kind::Ping, ..blank },
        5 => Session { kind: Kind::Udp(48), port: 123, ..blank },
        _ => Session { port, ..blank },
    }
}

fn bot(random: &mut Random, blank: Session, habit: u32) -> Session {
    let derived = derived_port(blank.destination);
    match habit % 1000 {
        0..=479 => Session { retries: random.one_of([0, 0, 1, 1, 1, 1, 2, 3]), ..blank },
        480..=609 => Session { kind: Kind::Udp(20), port: derived, ..blank },
        610..=709 => Session { retries: 1, port: derived, ..blank },
        710..=715 => Session { moves: Move::Ahead, left: random.between(20, 60), ..blank },
        716..=724 => {
            let port = random.one_of([23, 23, 23, 2323]);
            Session { left: random.between(8, 40), port, pause_micros: 300_000, ..blank }
        }
        725..=729 => Session {
            moves: Move::Port,
            left: random.between(4, 40),
            port: 20,
            pause_micros: 20_000,
            ..blank
        },
        730..=809 => {
            let left = random.between(0, 2);
            Session {
                kind: Kind::Tcp(SYN_ACK),
                left,
                source_port: 80,
                port: answered_port(blank.source),
                ..blank
            }
        }
        810..=839 => {
            Session { kind: Kind::Tcp(RST_ACK), source_port: 22, port: answered_port(blank.source), ..blank }
        }
        840..=889 => Session { kind: Kind::Ping, left: random.between(0, 2), moves: Move::Ahead, ..blank },
        _ => {
            let services = [(53, 30), (123, 48), (161, 43), (1434, 1), (1900, 94), (5060, 270)];
            let (port, bytes) = services[habit as usize / 1000 % services.len()];
            Session { kind: Kind::Udp(bytes), port, ..blank }
        }
    }
}

fn anywhere(random: &mut Random, prefix: u8) -> u32 {
    narrow(random.below(1 << (32 - u32::from(prefix.min(32)))))
}

/// Every destination has its own, as long as there are ports.
fn derived_port(destination: u32) -> u16 {
    narrow(1024 + u64::from(destination) * 40_507 % 64_512)
}

/// Whoever forges the sensor's addresses uses few ports for one victim.
fn answered_port(source: u32) -> u16 {
    narrow(1024 + (mixed(u64::from(source)) >> 40) % ANSWERED_PORTS)
}

/// What a session does next, and in how many microseconds; `None` when it is over.
fn next(session: &mut Session, prefix: u8, random: &mut Random) -> Option<u64> {
    if session.sent < session.retries {
        session.sent += 1;
        return Some(3_000_000 << (session.sent - 1));
    }
    session.left = session.left.checked_sub(1)?;
    session.sent = 0;
    match session.moves {
        Move::Port => session.port += 1,
        Move::Ahead => {
            session.destination =
                narrow((u64::from(session.destination) + 1) % (1 << (32 - u32::from(prefix))));
            session.source_port = session.source_port.wrapping_add(1).max(1024);
        }
        Move::Random => session.destination = anywhere(random, prefix),
    }
    Some(u64::from(session.pause_micros))
}

/// One packet with its record head.
fn record(time: u64, session: &Session, prefix: u8, random: &mut Random, out: &mut Vec<u8>) {
    let payload = match session.kind {
        Kind::Tcp(SYN) => 28,
        Kind::Tcp(_) => 20,
        Kind::Udp(bytes) => 8 + bytes,
        Kind::Ping => 40,
    };
    let network = if session.six { 40 } else { 20 };
    let bytes = 14 + if session.vlan { 4 } else { 0 } + network + payload;
    for word in [time / 1_000_000, time % 1_000_000, u64::from(bytes), u64::from(bytes)] {
        out.extend(narrow::<u32>(word).to_le_bytes());
    }
    let end = out.len() + usize::from(bytes);
    out.extend([0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2]);
    if session.vlan {
        out.extend([0x81, 0, 0, 105]);
    }
    let protocol = match (session.kind, session.six) {
        (Kind::Tcp(_), _) => 6,
        (Kind::Udp(_), _) => 17,
        (Kind::Ping, false) => 1,
        (Kind::Ping, true) => 58,
    };
    let some = random.next().to_be_bytes();
    if session.six {
        out.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        out.extend(payload.to_be_bytes());
        out.extend([protocol, 55]);
        out.extend([0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, 0, 0, 0, 0, 0, 0]);
        out.extend(session.source.to_be_bytes());
        out.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.extend(session.destination.to_be_bytes());
    } else {
        out.extend([0x08, 0x00, 0x45, 0]);
        out.extend((20 + payload).to_be_bytes());
        out.extend(&some[..2]);
        out.extend([0x40, 0, 113, protocol, 0, 0]);
        // An odd factor mixes 31 bits and maps no two to one: 16.0.0.0 to 143.255.255.255.
        out.extend((0x1000_0000 + (session.source.wrapping_mul(2_654_435_761) & 0x7fff_ffff)).to_be_bytes());
        out.extend((u32::from(base(prefix)) | session.destination).to_be_bytes());
    }
    transport(session, &some[2..6], payload, out);
    // What a payload says is not looked at.
    out.resize(end, 0);
}

fn transport(session: &Session, sequence: &[u8], bytes: u16, out: &mut Vec<u8>) {
    if session.kind == Kind::Ping {
        out.extend([if session.six { 128 } else { 8 }, 0, 0, 0, 2, 0, 0, 1]);
        return;
    }
    out.extend(session.source_port.to_be_bytes());
    out.extend(session.port.to_be_bytes());
    match session.kind {
        Kind::Tcp(SYN) => {
            out.extend(sequence);
            // Windows' options: segment size, selective acknowledgements.
            out.extend([0, 0, 0, 0, 0x70, SYN, 0xff, 0xff, 0, 0, 0, 0, 2, 4, 5, 180, 1, 1, 4, 2]);
        }
        Kind::Tcp(flags) => {
            out.extend(sequence);
            out.extend([0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        }
        _ => {
            out.extend(bytes.to_be_bytes());
            out.extend([0, 0]);
            out.extend(sequence);
        }
    }
}
