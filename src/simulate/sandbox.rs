//! Simulates the run of a sample in a sandbox: all targets of the sample for a time, and the other packets of
//! the victim host.

use std::net::{IpAddr, Ipv4Addr};

use rand::RngExt;

use crate::packet::{Packet, Protocol, TcpFlags, Timestamp};

use super::actor::{to_count, to_f64};
use super::dark_space::low_32_bits;
use super::family_plan::{FamilyPlan, HitList, SequentialScan, SweepStart, Targets};
use super::hit::Hit;
use super::internet_scan::unpermute;
use super::probe_generator::{
    ProbeGenerator, SimulatedPacket, address_number, low_16_bits, microsecond_timestamp,
};
use super::random::{Seed, SeededRng};
use super::sample_plan::SamplePlan;
use super::targets::{is_below, own_network};

/// Address of the victim host. Its network is that of the sandbox.
pub(super) const VICTIM: Ipv4Addr = Ipv4Addr::new(192, 168, 20, 21);
/// Address of the sandbox's DNS server.
pub(super) const DNS: Ipv4Addr = Ipv4Addr::new(192, 168, 20, 1);
/// Address of the sandbox's IRC server.
pub(super) const IRC: Ipv4Addr = Ipv4Addr::new(192, 168, 20, 2);

/// A packet of a run, with its payload and whether a SYN has options.
#[derive(Clone, Debug)]
pub(super) struct SandboxPacket {
    pub(super) packet: Packet,
    pub(super) payload: Vec<u8>,
    pub(super) has_options: bool,
}

/// Maximum number of targets of a run. A longer scan is cut.
const TARGETS_MAX: u64 = 100_000;

/// Returns the packets of a run in time order. The run begins at 09:00 UTC of the given day. Memory: about
/// 150 bytes per packet, for at most 100,000 targets.
pub(super) fn run(family: &FamilyPlan, plan: &SamplePlan, seed: Seed, day: Timestamp) -> Vec<SandboxPacket> {
    let start = day.plus_nanoseconds(9 * 3_600_000_000_000);
    let mut sent = Vec::new();
    let mut random = seed.generator();
    if plan.sandbox.dummy_servers {
        contact_servers(start, &mut random, &mut sent);
    }
    if plan.sandbox.chatter {
        infrastructure_traffic(start, plan.sandbox.seconds, &mut random, &mut sent);
    }
    scan(family, plan, seed, start, &mut sent);
    let loss = plan.sandbox.loss;
    sent.retain(|_| loss <= 0.0 || random.random::<f64>() >= loss);
    sent.sort_by_key(|sent| sent.packet.time());
    sent
}

fn scan(family: &FamilyPlan, plan: &SamplePlan, seed: Seed, start: Timestamp, sent: &mut Vec<SandboxPacket>) {
    let probing = ProbeGenerator::new(&family.probes, family.together, family.header);
    let targets = to_count(plan.sandbox.seconds * family.rate).min(TARGETS_MAX);
    let end = start.plus_nanoseconds(to_nanoseconds(plan.sandbox.seconds));
    let listed = family.targets.hit_list.as_ref().map(HitList::expanded_addresses).unwrap_or_default();
    for ordinal in 0..targets {
        let Some(destination) = target(&family.targets, &listed, ordinal, seed) else { return };
        let jitter = 0.9 * seed.named("jitter").numbered(ordinal).fraction();
        let at = start.plus_nanoseconds(to_nanoseconds((to_f64(ordinal) + jitter) / family.rate));
        let source = IpAddr::V4(VICTIM);
        let (key, at) = (seed.to_u64(), microsecond_timestamp(at.0));
        let hit = Hit { at, source, destination, ordinal, key, actor: 0, host: 0 };
        let mut answered = false;
        probing.send(&hit, &mut |shot| {
            let retry = shot.packet.time() > Some(at);
            if shot.packet.time() >= Some(end) || answered && retry {
                return;
            }
            let mut shot = shot;
            // The packet has not passed any router yet.
            shot.packet = shot.packet.with_ttl(Some(family.header.initial_ttl()));
            let payload = probing.payload(shot.probe).to_vec();
            let opens = shot.packet.flags().is_some_and(TcpFlags::opens);
            sent.push(SandboxPacket { packet: shot.packet, payload, has_options: shot.has_options });
            if plan.sandbox.answers {
                answered = true;
                push_answer(&shot, opens, sent);
            }
        });
    }
}

/// Returns the target with a number, dark or not. `listed` holds the addresses of a hit list.
fn target(targets: &Targets, listed: &[IpAddr], ordinal: u64, seed: Seed) -> Option<IpAddr> {
    let drawn = seed.named("target").numbered(ordinal);
    let mut random = drawn.generator();
    let address = match targets {
        Targets { uniform: Some(plan), .. } => {
            let mut share: f64 = random.random();
            let own = plan.own.iter().find(|own| {
                share -= own.share;
                share < 0.0
            });
            match own.and_then(|own| own_network(VICTIM.into(), own.prefix)) {
                Some((first, last)) => random.random_range(first..=last),
                None => random_address(&mut random, plan.octets_below.unwrap_or([256; 4])),
            }
        }
        Targets { sequential: Some(plan), .. } => sequential_target(plan, ordinal, seed),
        Targets { permutation: Some(plan), .. } => {
            unpermute(low_32_bits(seed.named("start").to_u64() + ordinal), plan.key)
        }
        Targets { hit_list: Some(plan), .. } => {
            let length = listed.len() as u64;
            let done = plan.passes.is_some_and(|passes| ordinal >= passes * length);
            let at = usize::try_from(ordinal % length.max(1)).unwrap_or(0);
            return listed.get(at).copied().filter(|_| !done);
        }
        _ => return None,
    };
    Some(Ipv4Addr::from(address).into())
}

/// Draws an address outside of the networks that no host scans: 0.0.0.0/8, 127.0.0.0/8, multicast and above.
fn random_address(random: &mut SeededRng, limits: [u16; 4]) -> u32 {
    loop {
        let address: u32 = random.random();
        let [first, ..] = address.to_be_bytes();
        if is_below(address, limits) && (1..224).contains(&first) && first != 127 {
            return address;
        }
    }
}

/// Returns the target with a number of a sequential scan.
fn sequential_target(plan: &SequentialScan, ordinal: u64, seed: Seed) -> u32 {
    let threads = u64::from(plan.threads.max(1));
    let (thread, step) = (ordinal % threads, ordinal / threads);
    if plan.block == 0 {
        let place = low_32_bits(seed.named("start").numbered(thread).to_u64() + step);
        return if plan.byte_reversed { place.swap_bytes() } else { place };
    }
    let size = 1u64 << (32 - u32::from(plan.block.min(32)));
    let stride = u64::from(plan.stride.max(1));
    let pass = size.div_ceil(stride);
    let round = pass * u64::from(plan.passes.max(1));
    let block = seed.named("block").numbered(thread).numbered(step / round);
    let own =
        (block.named("own").fraction() < plan.own).then(|| own_network(VICTIM.into(), plan.block)).flatten();
    let first = match own {
        Some((first, _)) => first,
        None => random_address(&mut block.generator(), [256; 4]) & !low_32_bits(size - 1),
    };
    let offset = match plan.start {
        SweepStart::First => 0,
        SweepStart::Random => block.named("offset").to_u64() % size,
    };
    first + low_32_bits((offset + step % round % pass * stride) % size)
}

/// Adds the answer of a target and the client's further packets.
fn push_answer(shot: &SimulatedPacket, opens: bool, sent: &mut Vec<SandboxPacket>) {
    let asked = &shot.packet;
    let time = asked.time().unwrap_or_default();
    let later = |micros: i64| Some(time.plus_nanoseconds(micros * 1_000));
    let back = Packet::new(asked.destination(), asked.source(), asked.protocol())
        .with_time(later(20_000))
        .with_source_port(asked.destination_port())
        .with_destination_port(asked.source_port())
        .with_sequence(asked.sequence().map(|sequence| !sequence))
        .with_tcp_window(asked.tcp_window())
        .with_ttl(Some(64))
        .with_ip_id(Some(0));
    let mut push =
        |packet: Packet| sent.push(SandboxPacket { packet, payload: Vec::new(), has_options: false });
    match asked.protocol() {
        Protocol::Tcp if opens => {
            let ack = TcpFlags::ACK;
            push(back.with_flags(Some(TcpFlags::SYN.with(ack))));
            push(asked.with_flags(Some(ack)).with_time(later(20_200)));
            push(asked.with_flags(Some(TcpFlags::FIN.with(ack))).with_time(later(900_000)));
            push(back.with_flags(Some(TcpFlags::FIN.with(ack))).with_time(later(920_000)));
        }
        Protocol::Icmp => {
            let icmp = Some(crate::packet::IcmpKind { kind: 0, code: Some(0) });
            push(back.with_icmp(icmp));
        }
        _ => {}
    }
}

/// Adds the packets with which the sample resolves a name and logs in to an IRC server.
fn contact_servers(start: Timestamp, random: &mut SeededRng, sent: &mut Vec<SandboxPacket>) {
    let at = |millis: i64| Some(start.plus_nanoseconds(millis * 1_000_000));
    let (id, port): (u16, u16) = (random.random(), random.random_range(1025..2000));
    let udp = |time, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), payload: Vec<u8>| SandboxPacket {
        packet: Packet::new(from.0.into(), to.0.into(), Protocol::Udp)
            .with_time(time)
            .with_source_port(Some(from.1))
            .with_destination_port(Some(to.1))
            .with_ttl(Some(128))
            .with_ip_id(Some(id)),
        payload,
        has_options: false,
    };
    sent.push(udp(at(0), (VICTIM, port), (DNS, 53), dns_message(id, None)));
    sent.push(udp(at(4), (DNS, 53), (VICTIM, port), dns_message(id, Some(IRC))));
    let push = TcpFlags::PSH.with(TcpFlags::ACK);
    let steps: [(bool, TcpFlags, &[u8]); 5] = [
        (true, TcpFlags::SYN, b""),
        (false, TcpFlags::SYN.with(TcpFlags::ACK), b""),
        (true, TcpFlags::ACK, b""),
        (true, push, b"NICK guest\r\nUSER guest 0 * :guest\r\n"),
        (false, push, b":irc 001 guest :hello\r\n"),
    ];
    let sequence: u32 = random.random();
    for (step, (ours, flags, payload)) in (0i64..).zip(steps) {
        let (from, to) =
            if ours { ((VICTIM, port + 1), (IRC, 6667)) } else { ((IRC, 6667), (VICTIM, port + 1)) };
        let mut one = udp(at(20 + step * 5), from, to, payload.to_vec());
        one.packet = one
            .packet
            .with_protocol(Protocol::Tcp)
            .with_flags(Some(flags))
            .with_sequence(Some(sequence))
            .with_tcp_window(Some(65_535));
        sent.push(one);
    }
}

/// Returns a DNS query for `irc.example.net` or, given an address, its response (RFC 1035).
fn dns_message(id: u16, answer: Option<Ipv4Addr>) -> Vec<u8> {
    let mut out = id.to_be_bytes().to_vec();
    let answers = u8::from(answer.is_some());
    out.extend([answers << 7 | 1, answers << 7, 0, 1, 0, answers, 0, 0, 0, 0]);
    for label in ["irc", "example", "net"] {
        out.push(u8::try_from(label.len()).unwrap_or(0));
        out.extend(label.bytes());
    }
    out.extend([0, 0, 1, 0, 1]);
    if let Some(address) = answer {
        out.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        out.extend(address.octets());
    }
    out
}

/// Adds the packets that a Windows host sends by itself.
fn infrastructure_traffic(
    start: Timestamp,
    seconds_in_all: f64,
    random: &mut SeededRng,
    sent: &mut Vec<SandboxPacket>,
) {
    let everyone = Ipv4Addr::new(192, 168, 20, 255);
    let ssdp = Ipv4Addr::new(239, 255, 255, 250);
    let messages: [(Ipv4Addr, u16, &[u8]); 3] = [
        (everyone, 137, &[0; 50]),
        (Ipv4Addr::new(192, 168, 20, 3), 123, &[0x1b; 48]),
        (ssdp, 1900, b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n"),
    ];
    let mut after = 1.0;
    while after < seconds_in_all {
        let (to, port, payload) = messages[random.random_range(0..messages.len())];
        let packet = Packet::new(VICTIM.into(), to.into(), Protocol::Udp)
            .with_time(Some(microsecond_timestamp(start.plus_nanoseconds(to_nanoseconds(after)).0)))
            .with_source_port(Some(if port == 1900 { 1029 } else { port }))
            .with_destination_port(Some(port))
            .with_ttl(Some(if port == 1900 { 1 } else { 128 }))
            .with_ip_id(Some(low_16_bits(address_number(to.into()))));
        sent.push(SandboxPacket { packet, payload: payload.to_vec(), has_options: false });
        after += random.random_range(2.0..15.0);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a day at most")]
fn to_nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e9) as i64
}
