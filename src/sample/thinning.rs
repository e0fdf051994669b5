//! Simulates a scan as a sensor receives it: only packets to the sensor's dark addresses are generated.
//!
//! A random scan hits a sensor as a Poisson process. Its rate is the scan's rate times the sensor's share of
//! the scanned addresses. A sequential scan passes through the sensor's addresses. The generated packets go
//! through the same engine as a real capture.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::behavior::{Engine, Marks, OpenWindow, Profile};
use crate::packet::{AddressSpace, Packet, Timestamp};

use super::random::SplitMix64;
use super::scan::{Scan, ScriptPacket, ServicePort, SourcePorts};
use super::targets::{SweepStep, TargetOrder};

/// Time in seconds without packets after which a host's next packet always begins a new window, since the old
/// window and all retries have ended.
const QUIET_SECONDS: f64 = 180.0;
/// Number of windows to simulate per mode.
const WINDOWS_ENOUGH: usize = 256;
/// Number of packets after which the simulation of a mode ends. It may be exceeded slightly, because visits
/// are generated whole.
const PACKETS_ENOUGH: usize = 16_384;
/// Maximum number of packets of one visit. A longer visit is cut, since its rest would look like its
/// beginning.
const VISIT_PACKETS_MAX: usize = 4_096;
/// Maximum number of sweeps to simulate per mode.
const TRIES_MAX: usize = 4 * WINDOWS_ENOUGH;

/// Times in seconds after the first packet at which Windows retries a TCP connection.
const WINDOWS_RETRIES: [f64; 2] = [3.0, 9.0];
/// Times in seconds after the first packet at which Linux retries a TCP connection.
const LINUX_RETRIES: [f64; 4] = [1.0, 3.0, 7.0, 15.0];
/// Number of addresses before and behind the sensor within which the steps of a sweep are simulated as well.
const MARGIN: i64 = 64;
/// Lowest source port that operating systems give to clients.
const SOURCE_PORT_MIN: u16 = 1_024;

/// A class of hosts by their distance from the sensor: the region of addresses that they scan, and how many
/// hosts there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mode {
    /// Share of all hosts of the Internet that belong to this class, 0 to 1.
    pub(super) hosts: f64,
    /// Share of such a host's targets that lie in the region, 0 to 1.
    pub(super) share: f64,
    /// Number of addresses in the region.
    pub(super) region: f64,
    /// Mean number of dark addresses in one such region.
    pub(super) dark: f64,
}

/// The result of simulating a mode.
#[derive(Clone, Debug, Default)]
pub(super) struct SimulatedScan {
    /// The closed windows.
    pub(super) windows: Vec<OpenWindow>,
    /// Time in seconds that one host needs for these windows.
    pub(super) seconds: f64,
    /// Number of contacts with dark addresses.
    pub(super) contacts: u64,
    /// Number of visits. A visit is a stretch of time in which the sensor receives packets from a host.
    pub(super) visits: u64,
}

/// The addresses of a sensor as the target of a simulation.
pub(super) struct SensorAddresses<'a> {
    /// The sensor's dark addresses.
    pub(super) space: &'a AddressSpace,
    /// Number of dark IPv4 addresses. A scan of IPv4 reaches no others.
    pub(super) size: u64,
    /// First and last address of each IPv4 prefix of the sensor, live addresses within it included.
    pub(super) ranges: Vec<(u32, u32)>,
}

/// Simulates hosts of a mode until there are enough windows for a distribution.
pub(super) fn simulate(
    scan: &Scan,
    aim: &SensorAddresses<'_>,
    mode: Mode,
    profile: &Profile,
    random: SplitMix64,
) -> SimulatedScan {
    let mut run = ScanSimulation {
        scan,
        aim,
        random,
        engine: Engine::new(profile.clone()),
        clock: 0.0,
        packets: 0,
        sweeps_begun: 0,
        out: SimulatedScan::default(),
        next_port: SOURCE_PORT_MIN,
        other_system: false,
    };
    match &scan.targeting.order {
        TargetOrder::Link => {}
        TargetOrder::Random => run.simulate_random(mode),
        TargetOrder::Sequential { steps, spans, longest, threads } => {
            run.simulate_sweeps(mode, steps, spans, *longest, *threads);
        }
    }
    run.finish()
}

/// The state of a simulation.
struct ScanSimulation<'a> {
    scan: &'a Scan,
    aim: &'a SensorAddresses<'a>,
    random: SplitMix64,
    engine: Engine,
    /// Time of the engine in seconds.
    clock: f64,
    packets: usize,
    /// Number of sweeps begun. A sweep may pass between the dark addresses and yield no packet.
    sweeps_begun: usize,
    out: SimulatedScan,
    /// First source port of the next contact.
    next_port: u16,
    /// Whether the current host has another operating system than the sandbox.
    other_system: bool,
}

impl<'a> ScanSimulation<'a> {
    fn is_enough(&self) -> bool {
        self.out.windows.len() >= WINDOWS_ENOUGH || self.packets >= PACKETS_ENOUGH
    }

    fn rate(&self) -> f64 {
        self.scan.targets_per_second.unwrap_or(1.0)
    }

    /// Simulates random scans: one visit after the other, each until the host is quiet for [`QUIET_SECONDS`].
    fn simulate_random(&mut self, mode: Mode) {
        while !self.is_enough() {
            let rate = self.rate() * mode.share * mode.dark / mode.region;
            if rate <= 0.0 {
                return;
            }
            let (mut at, mut made) = (0.0, Vec::new());
            loop {
                let Some(address) = self.draw_dark_address() else { return };
                self.generate_contact(at, address, &mut made);
                let wait = self.random.waiting_time(rate);
                self.out.seconds += wait;
                if wait > QUIET_SECONDS || made.len() >= VISIT_PACKETS_MAX {
                    break;
                }
                at += wait;
            }
            self.feed(made);
        }
    }

    /// Simulates sequential scans. The start of each sweep is drawn among those from which it meets one of
    /// the sensor's ranges.
    fn simulate_sweeps(
        &mut self,
        mode: Mode,
        steps: &[SweepStep],
        spans: &[u64],
        longest: u64,
        threads: f64,
    ) {
        let ahead: i64 = steps.iter().map(|step| step.by).sum();
        while !self.is_enough() {
            let rate = self.rate() * mode.share / threads;
            if rate <= 0.0 || self.sweeps_begun >= TRIES_MAX {
                return;
            }
            self.sweeps_begun += 1;
            let span = self.draw_span(spans, longest);
            let Some((first, last)) = self.draw_range(span) else { return };
            let aimed = u64::from(last - first) + 1;
            // A sweep meets the range if it begins within it, or at a distance of less than its span before
            // it.
            let offset = as_i64(self.random.below(span + aimed - 1));
            let back = if ahead >= 0 { as_i64(span) - 1 } else { 0 };
            let made = self.generate_sweep(i64::from(first) - back + offset, as_i64(span), steps, rate);
            let total: u64 = self.aim.ranges.iter().map(|(a, b)| u64::from(b - a) + span).sum();
            let met = total as f64 * mode.dark / self.aim.size as f64 / mode.region;
            let targets = (span as f64 / mean_step(steps)).max(1.0);
            // Time that a host needs, with all threads together, until a sweep of this span meets the sensor.
            self.out.seconds += targets / (rate * threads) / met.min(1.0);
            self.feed(made);
        }
    }

    /// Draws the number of addresses that a sweep spans: that of a completed sweep of the run. If the run
    /// completed none, it is the longest span observed, or that extended to 2^8 or to 2^16 addresses, each
    /// with the same probability.
    fn draw_span(&mut self, spans: &[u64], longest: u64) -> u64 {
        let guesses = [longest, longest.max(1 << 8), longest.max(1 << 16)];
        self.random.choose(if spans.is_empty() { &guesses } else { spans }).copied().unwrap_or(longest).max(1)
    }

    /// Draws one of the sensor's ranges, in proportion to the number of starts from which a sweep of this
    /// span meets it.
    fn draw_range(&mut self, span: u64) -> Option<(u32, u32)> {
        let width = |(first, last): &(u32, u32)| u64::from(last - first) + span;
        let mut at = self.random.below(self.aim.ranges.iter().map(width).sum());
        for range in &self.aim.ranges {
            if at < width(range) {
                return Some(*range);
            }
            at -= width(range);
        }
        None
    }

    /// Generates the packets of one sweep that begins at `start`. Their times are in seconds since the sweep
    /// began or, if it began before the sensor, since it reached the sensor.
    fn generate_sweep(
        &mut self,
        start: i64,
        span: i64,
        steps: &[SweepStep],
        rate: f64,
    ) -> Vec<(f64, Packet)> {
        let ahead = if steps.iter().map(|step| step.by).sum::<i64>() >= 0 { 1 } else { -1 };
        let timed = steps.iter().any(|step| step.after > 0.0);
        let bounds = |pick: fn(&(u32, u32)) -> u32| self.aim.ranges.iter().map(pick).map(i64::from);
        let low = bounds(|range| range.0).min().unwrap_or(0) - MARGIN;
        let high = bounds(|range| range.1).max().unwrap_or(0) + MARGIN;
        let (enter, leave) = if ahead > 0 { (low, high) } else { (high, low) };
        // The addresses before the sensor are skipped in one step.
        let mut address = if ahead > 0 { start.max(enter) } else { start.min(enter) };
        let (mut made, mut at) = (Vec::new(), 0.0);
        let mut place = usize::try_from(self.random.below(steps.len() as u64)).unwrap_or(0);
        while (address - start).abs() < span
            && (leave - address) * ahead >= 0
            && made.len() < VISIT_PACKETS_MAX
        {
            let dark = u32::try_from(address).map(|four| IpAddr::from(four.to_be_bytes()));
            if let Ok(dark) = dark
                && self.aim.space.contains(dark)
            {
                self.generate_contact(at, dark, &mut made);
            }
            let SweepStep { after, by } =
                steps.get(place).copied().unwrap_or(SweepStep { after: 0.0, by: ahead });
            // If the run has no times, they follow from the rate.
            at += if timed { after } else { 1.0 / rate };
            address += if by == 0 { ahead } else { by };
            place = (place + 1) % steps.len().max(1);
        }
        made
    }

    /// Draws a dark address.
    fn draw_dark_address(&mut self) -> Option<IpAddr> {
        let rank = self.random.below(self.aim.size);
        self.aim.space.address(rank.into())
    }

    /// Generates the packets of a contact that begins `at` seconds after the visit's begin.
    fn generate_contact(&mut self, at: f64, target: IpAddr, made: &mut Vec<(f64, Packet)>) {
        let scan = self.scan;
        let Some(script) = self.random.choose(&scan.scripts) else { return };
        self.out.contacts += 1;
        let anew = self.random.bits();
        let cues = self.packets_of_system(&script.packets);
        for cue in cues.iter() {
            if self.random.unit() < scan.conditions.loss {
                continue;
            }
            let Some((service, _)) = scan.services.get(cue.service) else { continue };
            let port = match service.port {
                ServicePort::None => None,
                ServicePort::Fixed(port) => Some(port),
                ServicePort::PerTarget(low, high) => {
                    let many = u64::from(high.saturating_sub(low)) + 1;
                    Some(low.saturating_add(u16::try_from(anew % many).unwrap_or(0)))
                }
            };
            let source = match scan.source_ports {
                SourcePorts::One => SOURCE_PORT_MIN,
                SourcePorts::PerTarget => self.next_port.saturating_add(cue.source_port),
            };
            let protocol = service.token.protocol;
            let packet = Packet::new(target, target, protocol)
                .with_source_port(protocol.has_ports().then_some(source))
                .with_destination_port(port)
                .with_flags(service.token.flags);
            made.push((at + cue.after, packet));
        }
        let used = script.packets.iter().map(|cue| cue.source_port).max().unwrap_or(0) + 1;
        self.next_port = self.next_port.checked_add(used).unwrap_or(SOURCE_PORT_MIN);
    }

    /// Returns the packets of a script as the host's operating system sends them. A system other than the
    /// sandbox's retries a TCP connection at other times.
    fn packets_of_system<'b>(&self, cues: &'b [ScriptPacket]) -> Cow<'b, [ScriptPacket]> {
        let (scan, other) = (self.scan, self.other_system);
        let first = cues.first().filter(|_| other && scan.source_ports == SourcePorts::PerTarget);
        let alone = |first: &ScriptPacket| {
            cues.iter().all(|cue| (cue.service, cue.source_port) == (first.service, first.source_port))
        };
        let Some(first) = first.filter(|first| cues.len() > 1 && alone(first)) else {
            return Cow::Borrowed(cues);
        };
        let retries: &[f64] = if cues.len() > 3 { &WINDOWS_RETRIES } else { &LINUX_RETRIES };
        let again = retries.iter().map(|after| ScriptPacket { after: *after, ..*first });
        std::iter::once(*first).chain(again).collect()
    }

    /// Passes the packets of a visit through the engine. Each visit has a source address of its own.
    fn feed(&mut self, mut made: Vec<(f64, Packet)>) {
        made.sort_by(|a, b| a.0.total_cmp(&b.0));
        if made.is_empty() {
            return;
        }
        self.out.visits += 1;
        let source = IpAddr::from(u32::try_from(self.out.visits).unwrap_or(u32::MAX).to_be_bytes());
        self.packets += made.len();
        let begin = self.clock;
        for (at, packet) in made {
            self.clock = begin + at;
            let packet = packet.with_time(Some(timestamp(self.clock))).with_source(source);
            self.engine
                .push(&packet, Marks::default(), &mut |windows| self.out.windows.extend_from_slice(windows));
        }
        self.clock += QUIET_SECONDS;
        self.other_system = self.random.unit() < self.scan.conditions.other_systems;
    }

    fn finish(self) -> SimulatedScan {
        let ScanSimulation { engine, mut out, .. } = self;
        engine.finish(&mut |windows| out.windows.extend_from_slice(windows));
        out
    }
}

fn as_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Returns the mean distance in addresses from one target to the next, at least 0.5.
fn mean_step(steps: &[SweepStep]) -> f64 {
    let ahead: i64 = steps.iter().map(|step| step.by).sum();
    (ahead.abs() as f64 / steps.len().max(1) as f64).max(0.5)
}

#[expect(clippy::cast_possible_truncation, reason = "hours of simulated time, in nanoseconds")]
fn timestamp(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1e9) as i64)
}
