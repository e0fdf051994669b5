//! A scan thinned onto a sensor's dark addresses: packets as the sensor would get them.
//!
//! Only packets that hit dark addresses are made. A random scan hits a sensor like a Poisson process whose rate is the
//! scan's rate times the sensor's part of what is scanned; a sweep passes through it. What hits goes through the same
//! engine as a real capture.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::behavior::{Engine, Marks, OpenWindow, Profile};
use crate::event::{AddressSpace, Packet, Timestamp};

use super::random::Random;
use super::scan::{Cue, Port, Scan, SourcePorts};
use super::targets::{Order, Step};

/// A host that is quiet for so long begins a new window whatever came before: window and retries are over.
const QUIET_SECONDS: f64 = 180.0;
/// Windows simulated of each way in which a host can be near to the sensor.
const WINDOWS_ENOUGH: usize = 256;
/// Packets made of each such way, at most (a little more, since visits are made whole).
const PACKETS_ENOUGH: usize = 16_384;
/// Packets of one visit of a sweep: larger ones are cut, and the rest of them looks as what was made.
const VISIT_PACKETS_MAX: usize = 4_096;
/// Sweeps made of each such way, at most.
const TRIES_MAX: usize = 4 * WINDOWS_ENOUGH;

/// Packets lost on the way, or by the sensor.
const LOSS: f64 = 0.02;
/// When Windows does, and when Linux.
const WINDOWS_RETRIES: [f64; 2] = [3.0, 9.0];
const LINUX_RETRIES: [f64; 4] = [1.0, 3.0, 7.0, 15.0];
/// Addresses before and behind a sensor in which the order of a sweep is followed, too.
const MARGIN: i64 = 64;
/// The lowest source port that systems give to clients.
const SOURCE_PORT_MIN: u16 = 1_024;

/// What a host of a certain nearness scans, and how many hosts are so near.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mode {
    /// Share of all hosts of the Internet.
    pub(super) hosts: f64,
    /// Share of the host's targets that go to the region.
    pub(super) share: f64,
    /// Addresses of the region.
    pub(super) region: f64,
    /// Dark addresses in one such region.
    pub(super) dark: f64,
}

/// What came of simulating a mode.
#[derive(Clone, Debug, Default)]
pub(super) struct Simulated {
    /// Closed windows.
    pub(super) windows: Vec<OpenWindow>,
    /// Seconds that a host would take for them.
    pub(super) seconds: f64,
    /// Contacts with dark addresses.
    pub(super) contacts: u64,
    /// Visits: stretches of time in which a host is seen at all.
    pub(super) visits: u64,
}

/// A sensor's addresses to aim at.
pub(super) struct Aim<'a> {
    /// Its dark addresses.
    pub(super) space: &'a AddressSpace,
    /// How many of them are IPv4; a scan of IPv4 meets no others.
    pub(super) size: u64,
    /// First and last addresses of its prefixes, holes included.
    pub(super) ranges: Vec<(u32, u32)>,
}

/// Simulates hosts of a mode until there are windows enough to tell a distribution.
pub(super) fn simulate(
    scan: &Scan,
    aim: &Aim<'_>,
    mode: Mode,
    profile: &Profile,
    random: Random,
) -> Simulated {
    let mut run = Run {
        scan,
        aim,
        random,
        engine: Engine::new(profile.clone()),
        clock: 0.0,
        packets: 0,
        tries: 0,
        out: Simulated::default(),
        next_port: SOURCE_PORT_MIN,
        other_system: false,
    };
    match &scan.targeting.order {
        Order::Link => {}
        Order::Random => run.random_scan(mode),
        Order::Sequential { steps, spans, longest, threads } => {
            run.sweeps(mode, steps, spans, *longest, *threads);
        }
    }
    run.finish()
}

struct Run<'a> {
    scan: &'a Scan,
    aim: &'a Aim<'a>,
    random: Random,
    engine: Engine,
    /// The engine's time in seconds.
    clock: f64,
    packets: usize,
    /// Sweeps begun: one may pass between the dark addresses and show nothing.
    tries: usize,
    out: Simulated,
    /// The source port of the next target.
    next_port: u16,
    /// Whether the host at work has another system than the sandbox.
    other_system: bool,
}

impl<'a> Run<'a> {
    fn is_enough(&self) -> bool {
        self.out.windows.len() >= WINDOWS_ENOUGH || self.packets >= PACKETS_ENOUGH
    }

    fn rate(&self) -> f64 {
        self.scan.targets_per_second.unwrap_or(1.0)
    }

    /// Hits by chance: hosts one after the other, each until it is quiet for long.
    fn random_scan(&mut self, mode: Mode) {
        while !self.is_enough() {
            let rate = self.rate() * mode.share * mode.dark / mode.region;
            if rate <= 0.0 {
                return;
            }
            let (mut at, mut made) = (0.0, Vec::new());
            loop {
                let Some(address) = self.dark_address() else { return };
                self.contact(at, address, &mut made);
                let wait = self.random.wait(rate);
                self.out.seconds += wait;
                if wait > QUIET_SECONDS || made.len() >= VISIT_PACKETS_MAX {
                    break;
                }
                at += wait;
            }
            self.feed(made);
        }
    }

    /// Sweeps that cross the sensor, each from a start at which it does.
    fn sweeps(&mut self, mode: Mode, steps: &[Step], spans: &[u64], longest: u64, threads: f64) {
        let ahead: i64 = steps.iter().map(|step| step.by).sum();
        while !self.is_enough() {
            let rate = self.rate() * mode.share / threads;
            if rate <= 0.0 || self.tries >= TRIES_MAX {
                return;
            }
            self.tries += 1;
            let span = self.span(spans, longest);
            let Some((first, last)) = self.range(span) else { return };
            let aimed = u64::from(last - first) + 1;
            // A sweep that begins less than its span before the sensor ends in it or crosses it.
            let offset = as_i64(self.random.below(span + aimed - 1));
            let back = if ahead >= 0 { as_i64(span) - 1 } else { 0 };
            let made = self.sweep(i64::from(first) - back + offset, as_i64(span), steps, rate);
            let total: u64 = self.aim.ranges.iter().map(|(a, b)| u64::from(b - a) + span).sum();
            let met = total as f64 * mode.dark / self.aim.size as f64 / mode.region;
            let targets = (span as f64 / mean_step(steps)).max(1.0);
            // What a host takes, all threads together, until a sweep of this span meets the sensor.
            self.out.seconds += targets / (rate * threads) / met.min(1.0);
            self.feed(made);
        }
    }

    /// How far a sweep goes: as far as one seen whole; else as far as was seen, to the end of a /24, or of a /16.
    fn span(&mut self, spans: &[u64], longest: u64) -> u64 {
        let guesses = [longest, longest.max(1 << 8), longest.max(1 << 16)];
        self.random.one(if spans.is_empty() { &guesses } else { spans }).copied().unwrap_or(longest).max(1)
    }

    /// One of the sensor's ranges, by how many sweeps of this span would meet it.
    fn range(&mut self, span: u64) -> Option<(u32, u32)> {
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

    /// The packets of one sweep that begins at `start`.
    fn sweep(&mut self, start: i64, span: i64, steps: &[Step], rate: f64) -> Vec<(f64, Packet)> {
        let ahead = if steps.iter().map(|step| step.by).sum::<i64>() >= 0 { 1 } else { -1 };
        let timed = steps.iter().any(|step| step.after > 0.0);
        let bounds = |pick: fn(&(u32, u32)) -> u32| self.aim.ranges.iter().map(pick).map(i64::from);
        let low = bounds(|range| range.0).min().unwrap_or(0) - MARGIN;
        let high = bounds(|range| range.1).max().unwrap_or(0) + MARGIN;
        let (enter, leave) = if ahead > 0 { (low, high) } else { (high, low) };
        // What lies before the sensor is passed over at once.
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
                self.contact(at, dark, &mut made);
            }
            let Step { after, by } = steps.get(place).copied().unwrap_or(Step { after: 0.0, by: ahead });
            // Where the run has no times, the rate makes them.
            at += if timed { after } else { 1.0 / rate };
            address += if by == 0 { ahead } else { by };
            place = (place + 1) % steps.len().max(1);
        }
        made
    }

    fn dark_address(&mut self) -> Option<IpAddr> {
        let rank = self.random.below(self.aim.size);
        self.aim.space.address(rank.into())
    }

    /// Makes the packets of a contact.
    fn contact(&mut self, at: f64, target: IpAddr, made: &mut Vec<(f64, Packet)>) {
        let scan = self.scan;
        let Some(script) = self.random.one(&scan.scripts) else { return };
        self.out.contacts += 1;
        let anew = self.random.bits();
        let cues = self.cues_of_system(&script.cues);
        for cue in cues.iter() {
            if self.random.unit() < LOSS {
                continue;
            }
            let Some((service, _)) = scan.services.get(cue.service) else { continue };
            let port = match service.port {
                Port::None => None,
                Port::Is(port) => Some(port),
                Port::Anew(low, high) => {
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
        let used = script.cues.iter().map(|cue| cue.source_port).max().unwrap_or(0) + 1;
        self.next_port = self.next_port.checked_add(used).unwrap_or(SOURCE_PORT_MIN);
    }

    /// A script as the host's system plays it: another system sends a connection's first packet again at other times.
    fn cues_of_system<'b>(&self, cues: &'b [Cue]) -> Cow<'b, [Cue]> {
        let (scan, other) = (self.scan, self.other_system);
        let first = cues.first().filter(|_| other && scan.source_ports == SourcePorts::PerTarget);
        let alone = |first: &Cue| {
            cues.iter().all(|cue| (cue.service, cue.source_port) == (first.service, first.source_port))
        };
        let Some(first) = first.filter(|first| cues.len() > 1 && alone(first)) else {
            return Cow::Borrowed(cues);
        };
        let retries: &[f64] = if cues.len() > 3 { &WINDOWS_RETRIES } else { &LINUX_RETRIES };
        let again = retries.iter().map(|after| Cue { after: *after, ..*first });
        std::iter::once(*first).chain(again).collect()
    }

    /// Puts a visit's packets through the engine, as those of a host of its own.
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
        self.other_system = self.random.unit() < self.scan.other_systems;
    }

    fn finish(self) -> Simulated {
        let Run { engine, mut out, .. } = self;
        engine.finish(&mut |windows| out.windows.extend_from_slice(windows));
        out
    }
}

fn as_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Addresses that a target is ahead of the one before, on average.
fn mean_step(steps: &[Step]) -> f64 {
    let ahead: i64 = steps.iter().map(|step| step.by).sum();
    (ahead.abs() as f64 / steps.len().max(1) as f64).max(0.5)
}

#[expect(clippy::cast_possible_truncation, reason = "hours of simulated time, in nanoseconds")]
fn timestamp(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1e9) as i64)
}
