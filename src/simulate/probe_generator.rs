//! Generates the packets that a target receives.

use std::net::IpAddr;

use crate::packet::{
    IcmpKind, Packet, PayloadDigest, ProbeHeader, ProbeKind, Protocol, TcpFlags, TcpOptions, Timestamp,
    UnusedFields,
};
use rand::RngExt;

use super::conficker_ports::derived_ports;
use super::hit::Hit;
use super::probe_plan::{
    HeaderPlan, NetworkStack, PortPlan, ProbePlan, RandomPort, SourcePortRule, WeightedPort,
};
use super::random::{Seed, SeededRng, draw_by_weight};
use super::wire::{ICMP_ID, SYN_OPTIONS};

/// A packet, with what is needed to write it and to count it in the ground truth.
#[derive(Clone, Copy, Debug)]
pub struct SimulatedPacket {
    /// Header of the packet.
    pub packet: Packet,
    /// Index of the actor that sent the packet.
    pub actor: u16,
    /// Index of the infection in the actor's population; `u32::MAX` in the background.
    pub host: u32,
    /// Index of the probe, which determines the payload.
    pub(super) probe: u8,
    /// Whether the TCP header has the options of a SYN.
    pub(super) has_options: bool,
}

impl SimulatedPacket {
    /// Returns whether the TCP header has the options of an operating system's SYN.
    #[must_use]
    pub fn has_options(&self) -> bool {
        self.has_options
    }
}

/// The way in which an actor builds its packets.
#[derive(Clone, Debug)]
pub(super) struct ProbeGenerator {
    probes: Vec<ProbePlan>,
    payloads: Vec<Vec<u8>>,
    sends_all_probes: bool,
    header: HeaderPlan,
    /// TCP flags of each probe.
    flags: Vec<TcpFlags>,
}

impl ProbeGenerator {
    pub(super) fn new(probes: &[ProbePlan], together: bool, header: HeaderPlan) -> ProbeGenerator {
        let flags = |probe: &ProbePlan| {
            let letters = probe.flags.chars().filter_map(TcpFlags::from_letter);
            letters.fold(TcpFlags::default(), TcpFlags::with)
        };
        ProbeGenerator {
            payloads: probes.iter().map(ProbePlan::payload_bytes).collect(),
            flags: probes.iter().map(flags).collect(),
            probes: probes.to_vec(),
            sends_all_probes: together,
            header,
        }
    }

    /// Returns the payload of a probe; empty if there is no such probe.
    pub(super) fn payload(&self, probe: u8) -> &[u8] {
        self.payloads.get(usize::from(probe)).map_or(&[], Vec::as_slice)
    }

    /// Passes on the packets that a target receives, not sorted by time.
    pub(super) fn send(&self, hit: &Hit, sink: &mut dyn FnMut(SimulatedPacket)) {
        let mut random =
            Seed::root(hit.key).numbered(hit.ordinal).numbered(address_number(hit.destination)).generator();
        if self.sends_all_probes {
            for at in 0..self.probes.len() {
                self.send_probe(at, hit, &mut random, sink);
            }
        } else {
            let places: Vec<usize> = (0..self.probes.len()).collect();
            if let Some(at) = draw_by_weight(&mut random, &places, |at| self.probes[*at].share) {
                self.send_probe(*at, hit, &mut random, sink);
            }
        }
    }

    fn send_probe(
        &self,
        at: usize,
        hit: &Hit,
        random: &mut SeededRng,
        sink: &mut dyn FnMut(SimulatedPacket),
    ) {
        let probe = &self.probes[at];
        let destination_port = probe.destination_port(at, hit, random);
        let sequence: u32 = random.random();
        let mut source_port = probe.source_port(at, self.probes.len(), hit, destination_port, random);
        let sends = draw_by_weight(random, &probe.sends, |sends| sends.share);
        let times: &[f64] = sends.map_or(&[0.0], |sends| &sends.at);
        for (retry, seconds) in (0u16..).zip(times) {
            if probe.retry_from_new_port && retry > 0 {
                source_port = client_port(u64::from(source_port) + u64::from(retry));
            }
            let mut packet = Packet::new(hit.source, hit.destination, probe.protocol)
                .with_time(Some(hit.at.plus_nanoseconds(jittered_nanoseconds(*seconds, random))))
                .with_ttl(Some(self.ttl(hit)));
            match probe.protocol {
                Protocol::Icmp | Protocol::Icmpv6 => packet = icmp_request(packet, probe.icmp_type),
                _ => {
                    packet = packet
                        .with_source_port(Some(source_port))
                        .with_destination_port(Some(destination_port));
                }
            }
            if probe.protocol == Protocol::Tcp {
                packet = packet.with_flags(Some(self.flags[at]));
                self.set_tcp_fields(&mut packet, sequence, random);
            }
            packet =
                packet.with_ip_id(hit.destination.is_ipv4().then(|| self.ip_id(&packet, hit, retry, random)));
            let options = self.header.system.has_options() && self.flags[at].opens();
            packet = self.with_probe_header(packet, at, options);
            let probe = u8::try_from(at).unwrap_or(u8::MAX);
            sink(SimulatedPacket { packet, actor: hit.actor, host: hit.host, probe, has_options: options });
        }
    }

    /// Sets the fields of a probe, as they are read from a capture with this packet.
    fn with_probe_header(&self, packet: Packet, at: usize, has_options: bool) -> Packet {
        let options = if has_options { TcpOptions::parse(&SYN_OPTIONS) } else { TcpOptions::NONE };
        let payload = || PayloadDigest::of(self.payloads.get(at).map_or(&[], Vec::as_slice));
        let kind = packet.icmp().and_then(|icmp| ProbeKind::of_icmp(icmp.kind));
        let numbers = u32::from(ICMP_ID) << 16 | u32::from(packet.ip_id().unwrap_or(ICMP_ID));
        let (packet, probe) = match (packet.protocol(), kind) {
            (Protocol::Tcp, _) if packet.flags().is_some_and(TcpFlags::opens) => {
                (packet, ProbeHeader::syn(options, UnusedFields::Empty))
            }
            (Protocol::Udp, _) => (packet, ProbeHeader::new(ProbeKind::Datagram).with_payload(payload())),
            (_, Some(kind)) => {
                (packet.with_sequence(Some(numbers)), ProbeHeader::new(kind).with_payload(payload()))
            }
            _ => return packet,
        };
        packet.with_probe(probe.with_dont_fragment(packet.destination().is_ipv4().then_some(true)))
    }

    fn set_tcp_fields(&self, packet: &mut Packet, sequence: u32, random: &mut SeededRng) {
        let (window, sequence) = match self.header.system {
            NetworkStack::Windows | NetworkStack::Zmap => (65_535, sequence),
            NetworkStack::Linux => (5_840, sequence),
            NetworkStack::Masscan => (1_024, sequence),
            NetworkStack::Mirai => {
                (random.random(), super::dark_space::low_32_bits(address_number(packet.destination())))
            }
        };
        let window = self.header.window.unwrap_or(window);
        *packet = packet.with_tcp_window(Some(window)).with_sequence(Some(sequence));
    }

    /// Returns the TTL at the sensor, 6 to 21 routers away from the host.
    fn ttl(&self, hit: &Hit) -> u8 {
        let hops = u8::try_from(Seed::root(hit.key).named("hops").to_u64() % 16).unwrap_or(0) + 6;
        self.header.initial_ttl().saturating_sub(hops).max(1)
    }

    /// Returns the IP identification by the rule of the operating system or tool.
    fn ip_id(&self, packet: &Packet, hit: &Hit, retry: u16, random: &mut SeededRng) -> u16 {
        let counted = || {
            let first = Seed::root(hit.key).named("ip id").to_u64();
            low_16_bits(first.wrapping_add(hit.ordinal.wrapping_mul(3)).wrapping_add(u64::from(retry)))
        };
        self.header.ip_id.unwrap_or_else(|| match self.header.system {
            NetworkStack::Windows => counted(),
            NetworkStack::Linux | NetworkStack::Mirai => random.random(),
            NetworkStack::Zmap => 54_321,
            NetworkStack::Masscan => {
                let port = u64::from(packet.destination_port().unwrap_or(0));
                low_16_bits(
                    address_number(packet.destination()) ^ port ^ u64::from(packet.sequence().unwrap_or(0)),
                )
            }
        })
    }
}

impl ProbePlan {
    /// Returns the payload: the text, followed by the bytes in hexadecimal digits.
    fn payload_bytes(&self) -> Vec<u8> {
        let digits: Vec<u8> = self.payload_hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte =
            |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        self.payload.bytes().chain(digits.chunks_exact(2).filter_map(byte)).collect()
    }

    /// Draws the destination port; 0 if the probe has no ports.
    fn destination_port(&self, at: usize, hit: &Hit, random: &mut SeededRng) -> u16 {
        match draw_by_weight(random, &self.ports, PortPlan::share) {
            None => 0,
            Some(PortPlan::Port(port) | PortPlan::Weighted(WeightedPort { port, .. })) => *port,
            Some(PortPlan::Any(RandomPort { any_from, .. })) => random.random_range(*any_from..=u16::MAX),
            Some(PortPlan::Derived(_)) => {
                let ports = derived_ports(hit.destination, hit.at);
                let pair = if self.protocol == Protocol::Tcp { ports.tcp } else { ports.udp };
                pair[(at + usize::from(random.random::<bool>())) % 2]
            }
        }
    }

    /// Returns the source port of a contact. `at` is the index of the probe among `all` probes; `to` is the
    /// destination port.
    fn source_port(&self, at: usize, all: usize, hit: &Hit, to: u16, random: &mut SeededRng) -> u16 {
        let first = Seed::root(hit.key).named("source port").to_u64();
        match self.source_port {
            SourcePortRule::Next => {
                let before = hit.ordinal.wrapping_mul(all as u64).wrapping_add(at as u64);
                client_port((first % 4096).wrapping_add(before))
            }
            SourcePortRule::Random => random.random_range(1024..=u16::MAX),
            SourcePortRule::Kept => client_port(first % 60_000 + at as u64),
            SourcePortRule::Same => to,
            SourcePortRule::Http => 80,
            SourcePortRule::Dns => 53,
        }
    }
}

/// Maps a number to the ports that Windows XP gives to clients: 1025 to 5000.
fn client_port(number: u64) -> u16 {
    u16::try_from(1025 + number % 3976).unwrap_or(1025)
}

/// Returns the low 16 bits of a number.
pub(super) fn low_16_bits(number: u64) -> u16 {
    u16::try_from(number & 0xffff).unwrap_or(0)
}

/// Returns a delay in nanoseconds, with a jitter of up to 20 ms unless it is zero.
#[expect(clippy::cast_possible_truncation, reason = "seconds of a probe, some hundred at most")]
fn jittered_nanoseconds(seconds: f64, random: &mut SeededRng) -> i64 {
    let jitter = if seconds > 0.0 { random.random_range(0..20_000) } else { 0 };
    (seconds * 1e6) as i64 * 1_000 + jitter * 1_000
}

/// Turns a packet into an ICMP request with the IP version of its destination: `kind`, or an echo request.
fn icmp_request(mut packet: Packet, kind: Option<u8>) -> Packet {
    let (protocol, request) =
        if packet.destination().is_ipv4() { (Protocol::Icmp, 8) } else { (Protocol::Icmpv6, 128) };
    packet = packet
        .with_protocol(protocol)
        .with_icmp(Some(IcmpKind { kind: kind.unwrap_or(request), code: Some(0) }));
    packet
}

/// Returns an address as a number. Of an IPv6 address, only the low 64 bits are used.
pub(super) fn address_number(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(four) => u64::from(u32::from(four)),
        IpAddr::V6(six) => six.octets()[8..].iter().fold(0, |all, byte| all << 8 | u64::from(*byte)),
    }
}

/// Truncates a time to whole microseconds, the precision of captures.
pub(super) fn microsecond_timestamp(nanoseconds: i64) -> Timestamp {
    Timestamp(nanoseconds.div_euclid(1_000) * 1_000)
}
