//! Packets in, closed windows out.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use crate::event::{Packet, Timestamp};

use super::{Marks, OpenWindow, Profile};

/// Gathers packets into windows per source host.
///
/// A window is `[t0, t0 + window)` from the host's first packet; the next begins with the host's first packet at
/// or after its end. All windows are equally long, so they expire in the order in which they opened: a queue
/// finds them without a search.
///
/// Packets must come in time order (a capture that runs backwards is sorted first). A packet that is older than
/// its predecessors all the same joins its host's open window and is counted in
/// [`backwards`](Engine::backwards).
#[derive(Clone)]
pub struct Engine {
    profile: Profile,
    open: HashMap<IpAddr, OpenWindow, foldhash::fast::RandomState>,
    /// Windows in the order of opening.
    order: VecDeque<(Option<Timestamp>, IpAddr)>,
    clock: Option<Timestamp>,
    backwards: u64,
    closed_early: u64,
}

impl Engine {
    /// An engine without any open window.
    #[must_use]
    pub fn new(profile: Profile) -> Engine {
        Engine {
            profile,
            open: HashMap::default(),
            order: VecDeque::new(),
            clock: None,
            backwards: 0,
            closed_early: 0,
        }
    }

    /// An engine that goes on where another one stopped at `clock` with these windows open.
    #[must_use]
    pub fn resume(profile: Profile, mut windows: Vec<OpenWindow>, clock: Option<Timestamp>) -> Engine {
        windows.sort_by_key(|window| (window.start, window.source));
        let mut engine = Engine::new(profile);
        engine.clock = clock;
        for window in windows {
            engine.order.push_back((window.start, window.source));
            engine.open.insert(window.source, window);
        }
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
    pub fn push(&mut self, packet: &Packet, marks: Marks, closed: &mut dyn FnMut(OpenWindow)) {
        let time = packet.time.or(self.clock);
        if time < self.clock {
            self.backwards += 1;
        }
        if let (None, Some(first)) = (self.clock, time) {
            self.start_waiting(first);
        }
        self.clock = self.clock.max(time);
        self.expire(closed);
        if let Some(window) = self.open.get_mut(&packet.source) {
            window.add(packet, marks, time, &self.profile);
            return;
        }
        self.make_room(closed);
        self.order.push_back((time, packet.source));
        let mut window = OpenWindow::new(packet.source);
        window.add(packet, marks, time, &self.profile);
        self.open.insert(packet.source, window);
    }

    /// Closes what is still open, oldest first.
    pub fn finish(mut self, closed: &mut dyn FnMut(OpenWindow)) {
        for window in self.take_open() {
            closed(window);
        }
    }

    /// Takes out what is still open, oldest first, to be [resumed](Engine::resume) later.
    pub fn take_open(&mut self) -> Vec<OpenWindow> {
        let order = std::mem::take(&mut self.order);
        order.into_iter().filter_map(|(_, source)| self.open.remove(&source)).collect()
    }

    /// Packets without a time that came before the first time belong to it.
    fn start_waiting(&mut self, first: Timestamp) {
        for (start, source) in &mut self.order {
            *start = Some(first);
            if let Some(window) = self.open.get_mut(source) {
                window.start = Some(first);
                window.end = Some(first);
            }
        }
    }

    fn expire(&mut self, closed: &mut dyn FnMut(OpenWindow)) {
        let Some(now) = self.clock else { return };
        while let Some(&(start, source)) = self.order.front() {
            let over =
                start.is_some_and(|start| start.plus_nanoseconds(self.profile.window_nanoseconds()) <= now);
            if !over {
                break;
            }
            self.order.pop_front();
            if let Some(window) = self.open.remove(&source) {
                closed(window);
            }
        }
    }

    fn make_room(&mut self, closed: &mut dyn FnMut(OpenWindow)) {
        while self.open.len() >= self.profile.open_windows_max {
            let Some((_, source)) = self.order.pop_front() else { break };
            if let Some(window) = self.open.remove(&source) {
                self.closed_early += 1;
                closed(window);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Protocol, TcpFlags};

    fn packet(host: u8, seconds: i64, port: u16) -> Packet {
        Packet {
            time: Timestamp::from_parts(seconds, 0),
            source_port: Some(port),
            destination_port: Some(445),
            flags: Some(TcpFlags::SYN),
            ..Packet::new([10, 0, 0, host].into(), [192, 0, 2, 1].into(), Protocol::Tcp)
        }
    }

    fn run(mut engine: Engine, packets: &[Packet]) -> Vec<(u64, Option<Timestamp>)> {
        let mut windows = Vec::new();
        let mut keep = |window: OpenWindow| windows.push((window.packets, window.start));
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
        let packets: Vec<Packet> = (1..50).map(|port| Packet { time: None, ..packet(1, 0, port) }).collect();
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
        engine.finish(&mut |window| windows.push(window));
        assert!(windows[0].saturated);
        assert_eq!((windows[0].packets, windows[0].probes.len()), (100, 10));
    }
}
