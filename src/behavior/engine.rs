//! Packets in, closed windows out.

use crate::event::{Packet, Timestamp};

use super::ring::Ring;
use super::{Arrival, Marks, OpenWindow, Profile};

/// Gathers packets into windows per source host.
///
/// A window is `[t0, t0 + window)` from the host's first packet; the next begins with the host's first packet at
/// or after its end. All windows are equally long, so they expire in the order in which they opened: a ring of them
/// finds the next one without a search.
///
/// Packets must come in time order (a capture that runs backwards is sorted first). A packet that is older than
/// its predecessors all the same joins its host's open window and is counted in
/// [`backwards`](Engine::backwards).
#[derive(Clone)]
pub struct Engine {
    profile: Profile,
    open: Ring,
    /// When the first of them ends; never, where it has no time or there is none.
    next_end: Timestamp,
    clock: Option<Timestamp>,
    backwards: u64,
    closed_early: u64,
}

/// Later than any packet.
const NEVER: Timestamp = Timestamp(i64::MAX);

/// Takes a closed window. It may keep it and leave any other: what stays is only used again as memory.
pub type Closed<'a> = &'a mut dyn FnMut(&mut OpenWindow);

impl Engine {
    /// An engine without any open window.
    #[must_use]
    pub fn new(profile: Profile) -> Engine {
        Engine { profile, open: Ring::default(), next_end: NEVER, clock: None, backwards: 0, closed_early: 0 }
    }

    /// An engine that goes on where another one stopped at `clock` with these windows open.
    #[must_use]
    pub fn resume(profile: Profile, mut windows: Vec<OpenWindow>, clock: Option<Timestamp>) -> Engine {
        windows.sort_by_key(|window| (window.start, window.source));
        let mut engine = Engine::new(profile);
        engine.clock = clock;
        for window in windows {
            let number = engine.open.open(window.source.into());
            *engine.open.get_mut(number) = window;
        }
        engine.note_next_end();
        engine
    }

    /// The latest time seen.
    #[must_use]
    pub fn clock(&self) -> Option<Timestamp> {
        self.clock
    }

    /// Packets that were older than one before them.
    #[must_use]
    pub fn backwards(&self) -> u64 {
        self.backwards
    }

    /// Windows closed before their end because [`Profile::open_windows_max`] was reached.
    #[must_use]
    pub fn closed_early(&self) -> u64 {
        self.closed_early
    }

    /// Takes one packet with its marks; hands on each window that it closes, oldest first.
    pub fn push(&mut self, packet: &Packet, marks: Marks, closed: Closed<'_>) {
        self.take(&Arrival::of(packet, marks), None, closed);
    }

    /// Takes packets in turn, as [`push`](Engine::push) does. Where so many windows are open that they are not in the
    /// processor's cache, it is quicker: what several packets need is fetched at once.
    pub fn push_all(&mut self, arrivals: &[Arrival], closed: Closed<'_>) {
        /// Windows that the second cache of a processor of our days holds; with as many, looking ahead costs more than
        /// it spares.
        const CACHED: usize = 8192;
        /// So many that what is fetched is still in the nearest cache when its turn comes.
        const AHEAD: usize = 64;
        let mut known = [None; AHEAD];
        for some in arrivals.chunks(AHEAD) {
            if self.open.len() > CACHED {
                self.look_ahead(some, &mut known);
            }
            for (arrival, known) in some.iter().zip(&mut known) {
                self.take(arrival, known.take(), closed);
            }
        }
    }

    /// Finds the windows of some packets, and has the processor fetch them and those that will close.
    fn look_ahead(&mut self, arrivals: &[Arrival], known: &mut [Option<u32>]) {
        for (known, arrival) in known.iter_mut().zip(arrivals) {
            *known = self.open.find(arrival.source);
        }
        self.open.fetch(known.iter().flatten().copied());
        if let Some(last) = arrivals.last().and_then(|arrival| arrival.time) {
            let length = self.profile.window_nanoseconds();
            self.open.fetch_first(arrivals.len(), Timestamp(last.0.saturating_sub(length)));
        }
    }

    /// `known` is the number of the host's window, if it had one a moment ago.
    #[inline]
    fn take(&mut self, arrival: &Arrival, known: Option<u32>, closed: Closed<'_>) {
        let time = match arrival.time {
            Some(time) => {
                let clock = self.advance(time);
                while self.next_end <= clock && self.close_oldest(closed) {}
                Some(time)
            }
            None => self.clock,
        };
        let number = match known {
            Some(number) if self.open.has(number) => Some(number),
            _ => self.open.find(arrival.source),
        };
        match number {
            Some(number) => self.open.get_mut(number).add(arrival, time, &self.profile),
            None => self.begin(arrival, time, closed),
        }
    }

    /// Closes what is still open, oldest first.
    pub fn finish(mut self, closed: Closed<'_>) {
        while self.close_oldest(closed) {}
    }

    /// Takes out what is still open, oldest first, to be [resumed](Engine::resume) later.
    pub fn take_open(&mut self) -> Vec<OpenWindow> {
        let mut open = Vec::with_capacity(self.open.len());
        while self.close_oldest(&mut |window| open.push(std::mem::take(window))) {}
        open
    }

    /// Sets the clock, which never goes back, and answers it.
    #[inline]
    fn advance(&mut self, time: Timestamp) -> Timestamp {
        let clock = match self.clock {
            Some(clock) if time < clock => {
                self.backwards += 1;
                clock
            }
            Some(_) => time,
            None => {
                self.start_waiting(time);
                time
            }
        };
        self.clock = Some(clock);
        clock
    }

    /// Packets without a time that came before the first time belong to it.
    #[cold]
    fn start_waiting(&mut self, first: Timestamp) {
        self.open.each(|window| {
            window.start = Some(first);
            window.end = Some(first);
        });
        self.note_next_end();
    }

    /// Opens the window of a host that has none, behind all others, with its first packet.
    fn begin(&mut self, arrival: &Arrival, time: Option<Timestamp>, closed: Closed<'_>) {
        while self.open.len() >= self.profile.open_windows_max && self.close_oldest(closed) {
            self.closed_early += 1;
        }
        let number = self.open.open(arrival.source);
        self.open.get_mut(number).add(arrival, time, &self.profile);
        if self.open.len() == 1 {
            self.note_next_end();
        }
    }

    /// Closes the window that opened first; answers whether there was one.
    fn close_oldest(&mut self, closed: Closed<'_>) -> bool {
        let Some(window) = self.open.close() else { return false };
        closed(window);
        self.note_next_end();
        true
    }

    #[inline]
    fn note_next_end(&mut self) {
        let first = self.open.front().and_then(|window| window.start);
        let length = self.profile.window_nanoseconds();
        self.next_end = first.map_or(NEVER, |start| start.plus_nanoseconds(length));
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::event::{Protocol, TcpFlags};

    fn packet(host: u8, seconds: i64, port: u16) -> Packet {
        Packet::new([10, 0, 0, host].into(), [192, 0, 2, 1].into(), Protocol::Tcp)
            .with_time(Timestamp::from_parts(seconds, 0))
            .with_source_port(Some(port))
            .with_destination_port(Some(445))
            .with_flags(Some(TcpFlags::SYN))
    }

    fn run(mut engine: Engine, packets: &[Packet]) -> Vec<(u64, Option<Timestamp>)> {
        let mut windows = Vec::new();
        let mut keep = |window: &mut OpenWindow| windows.push((window.packets, window.start));
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
        engine.push(&packet(1, 0, 1), Marks::default(), &mut |window| closed.push(window.source));
        engine.push(&packet(2, 30, 1), Marks::default(), &mut |window| closed.push(window.source));
        assert_eq!(closed, [IpAddr::from([10, 0, 0, 1])]);
    }

    #[test]
    fn the_limit_closes_the_oldest_window_and_counts_it() {
        let profile = Profile { open_windows_max: 2, ..Profile::default() };
        let mut engine = Engine::new(profile);
        let mut closed = Vec::new();
        for host in 1..=3 {
            engine.push(&packet(host, i64::from(host), 1), Marks::default(), &mut |window| {
                closed.push(window.source)
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
    fn packets_taken_at_once_give_the_windows_that_packets_taken_in_turn_give() {
        // More hosts than windows that are taken for cached, each met again before and after its window's end.
        let hosts = 0..12_000u32;
        let packets: Vec<Packet> = (0..4i64)
            .flat_map(|round| hosts.clone().map(move |host| (round, host)))
            .map(|(round, host)| {
                let source =
                    if host % 50 == 0 { u128::from(host) } else { 0xffff_0a00_0000 + u128::from(host) };
                let source = std::net::Ipv6Addr::from(source).to_canonical();
                let nanoseconds = round * 13_000_000_000 + i64::from(host) * 1_000_000;
                packet(1, 0, 1).with_source(source).with_time(Some(Timestamp(nanoseconds)))
            })
            .collect();
        let profile = Profile { open_windows_max: 11_000, ..Profile::default() };
        let mut one_by_one = Vec::new();
        let mut engine = Engine::new(profile.clone());
        packets
            .iter()
            .for_each(|packet| engine.push(packet, Marks::default(), &mut |w| one_by_one.push(w.clone())));
        engine.finish(&mut |window| one_by_one.push(window.clone()));
        let arrivals: Vec<Arrival> =
            packets.iter().map(|packet| Arrival::of(packet, Marks::default())).collect();
        let mut at_once = Vec::new();
        let mut engine = Engine::new(profile);
        engine.push_all(&arrivals, &mut |window| at_once.push(window.clone()));
        assert!(engine.open.len() > 10_000 && engine.closed_early() > 0);
        engine.finish(&mut |window| at_once.push(window.clone()));
        assert!(at_once == one_by_one);
    }

    #[test]
    fn a_flood_of_source_ports_saturates_one_window_and_loses_no_count() {
        let profile = Profile { probes_per_window_max: 10, ..Profile::default() };
        let mut engine = Engine::new(profile);
        let mut windows = Vec::new();
        for port in 1..=100 {
            engine.push(&packet(1, 0, port), Marks::default(), &mut |_| {});
        }
        engine.finish(&mut |window| windows.push(window.clone()));
        assert!(windows[0].saturated);
        assert_eq!((windows[0].packets, windows[0].probes.len()), (100, 10));
    }
}
