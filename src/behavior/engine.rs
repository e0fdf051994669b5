//! The engine that gathers packets into windows and passes on the windows that close.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use foldhash::fast::RandomState;

use crate::packet::{Packet, Timestamp};

use super::{Arrival, Marks, OpenWindow, Profile};

/// Gathers packets into windows per source host.
///
/// A window is `[t0, t0 + window)` from the host's first packet; the next one begins with the host's first
/// packet at or after the end. All windows have the same length, so they end in the order in which they
/// opened, and the next window to close is always the oldest one.
///
/// Packets must come in time order (captures with times out of order are sorted first). A packet that is
/// nevertheless older than the latest time seen joins its host's open window, or opens one, and is counted in
/// [`backwards`](Engine::backwards).
#[derive(Clone)]
pub struct Engine {
    profile: Profile,
    /// The open windows, in the order in which they opened.
    open: VecDeque<OpenWindow>,
    /// The number of each host's open window. Windows are numbered in the order in which they open. The hash
    /// is seeded at random, because the senders choose the addresses.
    numbers: HashMap<IpAddr, usize, RandomState>,
    /// Number of windows that have closed, which is also the number of the oldest open window.
    closed: usize,
    clock: Option<Timestamp>,
    backwards: u64,
    closed_early: u64,
}

/// Receives closed windows, oldest first. It may take windows out of the slice.
pub type Closed<'a> = &'a mut dyn FnMut(&mut [OpenWindow]);

impl Engine {
    /// Number of packets that [`push_all`](Engine::push_all) processes before it passes on closed windows.
    pub const BATCH: usize = 256;

    /// Creates an engine without open windows.
    #[must_use]
    pub fn new(profile: Profile) -> Engine {
        Engine::resume(profile, Vec::new(), None)
    }

    /// Creates an engine that continues where another one stopped at `clock` with these windows open.
    #[must_use]
    pub fn resume(profile: Profile, mut windows: Vec<OpenWindow>, clock: Option<Timestamp>) -> Engine {
        windows.sort_by_key(|window| (window.start, window.source));
        let hosts = windows.iter().map(|window| window.source);
        Engine {
            profile,
            numbers: hosts.zip(0..).collect(),
            open: windows.into(),
            closed: 0,
            clock,
            backwards: 0,
            closed_early: 0,
        }
    }

    /// Returns the latest packet time seen.
    #[must_use]
    pub fn clock(&self) -> Option<Timestamp> {
        self.clock
    }

    /// Returns the number of packets that were older than a packet before them.
    #[must_use]
    pub fn backwards(&self) -> u64 {
        self.backwards
    }

    /// Returns the number of windows that closed before their end because [`Profile::open_windows_max`] was
    /// reached.
    #[must_use]
    pub fn closed_early(&self) -> u64 {
        self.closed_early
    }

    /// Processes one packet with its marks, and passes on the windows that have ended by the time of the
    /// packet.
    pub fn push(&mut self, packet: &Packet, marks: Marks, closed: Closed<'_>) {
        self.push_all(&[Arrival::of(packet, marks)], closed);
    }

    /// Processes packets in order, as [`push`](Engine::push) does. Closed windows are passed on in larger
    /// slices, but they are the same windows in the same order.
    pub fn push_all(&mut self, arrivals: &[Arrival], closed: Closed<'_>) {
        for batch in arrivals.chunks(Self::BATCH) {
            for arrival in batch {
                self.take(arrival, closed);
            }
            self.close_ended(closed);
        }
    }

    /// Processes one packet. Closes ended windows only if the window of the packet's host is one of them, or
    /// if the limit of open windows is reached.
    #[inline]
    fn take(&mut self, arrival: &Arrival, closed: Closed<'_>) {
        if let Some(time) = arrival.time {
            self.advance(time);
        }
        let time = arrival.time.or(self.clock);
        if let Some(&number) = self.numbers.get(&arrival.source) {
            if has_ended(&self.open[number - self.closed], self.clock, &self.profile) {
                self.close_ended(closed);
            }
            // A window that a packet from the past opened stays open until all older windows have ended.
            if let Some(place) = number.checked_sub(self.closed) {
                return self.open[place].add(arrival, time, &self.profile);
            }
        }
        if self.open.len() >= self.profile.open_windows_max {
            self.close_early(closed);
        }
        self.numbers.insert(arrival.source, self.closed + self.open.len());
        let mut window = OpenWindow::new(arrival.source);
        window.add(arrival, time, &self.profile);
        self.open.push_back(window);
    }

    /// Closes all open windows, oldest first.
    pub fn finish(mut self, closed: Closed<'_>) {
        self.close_oldest(self.open.len(), closed);
    }

    /// Removes and returns the open windows, oldest first, for [`resume`](Engine::resume).
    pub fn take_open(&mut self) -> Vec<OpenWindow> {
        self.numbers.clear();
        self.closed += self.open.len();
        std::mem::take(&mut self.open).into()
    }

    /// Sets the clock to the time of a packet if it is later than the clock. A packet whose time is earlier
    /// than the clock is counted in `backwards` and does not change the clock.
    #[inline]
    fn advance(&mut self, time: Timestamp) {
        match self.clock {
            Some(clock) if time < clock => self.backwards += 1,
            Some(_) => self.clock = Some(time),
            None => {
                // The packets of the windows that are open had no time. The first known time applies to them.
                for window in &mut self.open {
                    window.start = Some(time);
                    window.end = Some(time);
                }
                self.clock = Some(time);
            }
        }
    }

    /// Closes the ended windows, and as many of the oldest other windows as the limit requires for one more.
    #[cold]
    fn close_early(&mut self, closed: Closed<'_>) {
        self.close_ended(closed);
        let open = self.open.len();
        let excess = (open + 1).saturating_sub(self.profile.open_windows_max).min(open);
        self.closed_early += excess as u64;
        self.close_oldest(excess, closed);
    }

    /// Closes the windows that have ended.
    #[inline]
    fn close_ended(&mut self, closed: Closed<'_>) {
        let (clock, profile) = (self.clock, &self.profile);
        let ended = self.open.iter().take_while(|window| has_ended(window, clock, profile)).count();
        self.close_oldest(ended, closed);
    }

    /// Closes the `count` oldest windows and passes them to `closed`, oldest first.
    fn close_oldest(&mut self, count: usize, closed: Closed<'_>) {
        for window in self.open.range(..count) {
            self.numbers.remove(&window.source);
        }
        self.closed += count;
        let (front, back) = self.open.as_mut_slices();
        let in_front = count.min(front.len());
        for windows in [&mut front[..in_front], &mut back[..count - in_front]] {
            if !windows.is_empty() {
                closed(windows);
            }
        }
        self.open.drain(..count);
    }
}

/// Returns whether a window has ended by the time `clock`. A window without a time never ends.
#[inline]
fn has_ended(window: &OpenWindow, clock: Option<Timestamp>, profile: &Profile) -> bool {
    match (window.start, clock) {
        (Some(start), Some(clock)) => start.0 <= clock.0.saturating_sub(profile.window_nanoseconds()),
        _ => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::{Protocol, TcpFlags};

    pub(in super::super) fn packet(host: u8, seconds: i64, port: u16) -> Packet {
        Packet::new([10, 0, 0, host].into(), [192, 0, 2, 1].into(), Protocol::Tcp)
            .with_time(Timestamp::from_parts(seconds, 0))
            .with_source_port(Some(port))
            .with_destination_port(Some(445))
            .with_flags(Some(TcpFlags::SYN))
    }

    fn run(mut engine: Engine, packets: &[Packet]) -> Vec<(u64, Option<Timestamp>)> {
        let mut windows = Vec::new();
        let mut keep = |closed: &mut [OpenWindow]| {
            windows.extend(closed.iter().map(|window| (window.packets, window.start)));
        };
        for packet in packets {
            engine.push(packet, Marks::default(), &mut keep);
        }
        engine.finish(&mut keep);
        windows
    }

    #[test]
    fn a_window_ends_thirty_seconds_after_the_hosts_first_packet() {
        let seconds = |s| Timestamp::from_parts(s, 0);
        let packets: Vec<Packet> = [0, 10, 29, 30, 59, 61].map(|at| packet(1, at, 1)).to_vec();
        let windows = run(Engine::new(Profile::default()), &packets);
        assert_eq!(windows, [(3, seconds(0)), (2, seconds(30)), (1, seconds(61))]);
    }

    #[test]
    fn an_idle_host_is_closed_by_the_others_clock() {
        let mut closed = Vec::new();
        let mut engine = Engine::new(Profile::default());
        let mut note = |windows: &mut [OpenWindow]| closed.extend(windows.iter().map(|window| window.source));
        engine.push(&packet(1, 0, 1), Marks::default(), &mut note);
        engine.push(&packet(2, 30, 1), Marks::default(), &mut note);
        assert_eq!(closed, [IpAddr::from([10, 0, 0, 1])]);
    }

    #[test]
    fn the_limit_closes_the_oldest_window_and_counts_it() {
        let profile = Profile { open_windows_max: 2, ..Profile::default() };
        let mut engine = Engine::new(profile);
        let mut closed = Vec::new();
        for host in 1..=3 {
            engine.push(&packet(host, i64::from(host), 1), Marks::default(), &mut |windows| {
                closed.extend(windows.iter().map(|window| window.source));
            });
        }
        assert_eq!(closed, [IpAddr::from([10, 0, 0, 1])]);
        assert_eq!(engine.closed_early(), 1);
    }

    #[test]
    fn without_times_a_host_has_one_window() {
        let packets: Vec<Packet> = (1..50).map(|port| packet(1, 0, port).with_time(None)).collect();
        assert_eq!(run(Engine::new(Profile::default()), &packets), [(49, None)]);
    }

    #[test]
    fn a_flood_of_source_ports_saturates_one_window_and_loses_no_count() {
        let profile = Profile { probes_per_window_max: 10, ..Profile::default() };
        let mut engine = Engine::new(profile);
        let mut windows = Vec::new();
        for port in 1..=100 {
            engine.push(&packet(1, 0, port), Marks::default(), &mut |_| {});
        }
        engine.finish(&mut |closed| windows.extend_from_slice(closed));
        assert!(windows[0].saturated);
        assert_eq!((windows[0].packets, windows[0].probes.len()), (100, 10));
    }

    /// Returns the windows and counters of an engine that takes `batch` packets at a time.
    fn run_batches(profile: &Profile, arrivals: &[Arrival], batch: usize) -> (Vec<OpenWindow>, [u64; 2]) {
        let mut engine = Engine::new(profile.clone());
        let mut windows = Vec::new();
        let mut keep = |closed: &mut [OpenWindow]| windows.extend_from_slice(closed);
        for packets in arrivals.chunks(batch) {
            engine.push_all(packets, &mut keep);
        }
        let counts = [engine.backwards(), engine.closed_early()];
        engine.finish(&mut keep);
        (windows, counts)
    }

    proptest! {
        #[test]
        fn batches_give_the_same_windows_as_single_packets(
            packets in prop::collection::vec((0..40u8, steps(), 0..6u16, 0..3u64), 0..600),
            (open_windows_max, trace_packets_max) in (1..80usize, 0..3usize),
            batch in 1..600usize,
        ) {
            let profile = Profile {
                open_windows_max,
                trace_packets_max,
                window_seconds: 9,
                probes_per_window_max: 4,
                ..Profile::default()
            };
            let mut time = 0;
            let arrivals: Vec<Arrival> = packets
                .into_iter()
                .map(|(host, step, port, marks)| {
                    time += step.unwrap_or_default();
                    let packet = packet(host, time, port);
                    Arrival::of(&packet.with_time(packet.time().filter(|_| step.is_some())), Marks(marks))
                })
                .collect();
            prop_assert_eq!(run_batches(&profile, &arrivals, batch), run_batches(&profile, &arrivals, 1));
        }
    }

    /// Seconds from one packet to the next: mostly 0, seldom negative, and sometimes `None` for a packet
    /// without a time.
    fn steps() -> impl Strategy<Value = Option<i64>> {
        prop_oneof![300 => Just(Some(0)), 60 => (1..4i64).prop_map(Some), 2 => Just(Some(-1)), 1 => Just(None)]
    }

    #[test]
    fn many_hosts_are_distinguished_and_closed_early() {
        // Each host is seen in four rounds, 13 s apart, so its packets fall before and after the end of a
        // window.
        let hosts = 0..40_000u32;
        let arrivals: Vec<Arrival> = (0..4i64)
            .flat_map(|round| hosts.clone().map(move |host| (round, host)))
            .map(|(round, host)| {
                let source =
                    if host % 50 == 0 { u128::from(host) } else { 0xffff_0a00_0000 + u128::from(host) };
                let source = std::net::Ipv6Addr::from(source).to_canonical();
                let nanoseconds = round * 13_000_000_000 + i64::from(host) * 300_000;
                let packet = packet(1, 0, 1).with_source(source).with_time(Some(Timestamp(nanoseconds)));
                Arrival::of(&packet, Marks::default())
            })
            .collect();
        let profile = Profile { open_windows_max: 36_000, ..Profile::default() };
        let whole = run_batches(&profile, &arrivals, arrivals.len());
        assert!(whole.1[1] > 0);
        assert!(whole == run_batches(&profile, &arrivals, 1));
    }
}
