//! Packets in, closed windows out.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::event::{Packet, Timestamp};

use super::distinct::address_number;
use super::{Marks, OpenWindow, Profile};

/// Gathers packets into windows per source host.
///
/// A window is `[t0, t0 + window)` from the host's first packet; the next begins with the host's first packet at
/// or after its end. All windows are equally long, so they expire in the order in which they opened: a queue
/// finds them without a search. A window's memory serves the next one that opens, so the windows of a quiet
/// sensor stay in the processor's cache.
///
/// Packets must come in time order (a capture that runs backwards is sorted first). A packet that is older than
/// its predecessors all the same joins its host's open window and is counted in
/// [`backwards`](Engine::backwards).
#[derive(Clone)]
pub struct Engine {
    profile: Profile,
    /// Open windows, and closed ones whose memory waits to be used again.
    slots: Vec<OpenWindow>,
    /// The slots of closed windows.
    free: Vec<u32>,
    /// The slots of open windows, by their host.
    index: HashTable<u32>,
    hasher: RandomState,
    /// The slots of open windows in the order of opening.
    order: VecDeque<u32>,
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
        Engine {
            profile,
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher: RandomState::default(),
            order: VecDeque::new(),
            next_end: NEVER,
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
            let slot = engine.open(window.source);
            engine.slots[at(slot)] = window;
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
        let time = match packet.time {
            Some(time) => {
                let clock = self.advance(time);
                while self.next_end <= clock && !self.order.is_empty() {
                    self.close_oldest(closed);
                }
                Some(time)
            }
            None => self.clock,
        };
        let slot = match self.find(packet.source) {
            Some(slot) => slot,
            None => {
                while self.order.len() >= self.profile.open_windows_max {
                    self.closed_early += 1;
                    self.close_oldest(closed);
                }
                self.open(packet.source)
            }
        };
        self.slots[at(slot)].add(packet, marks, time, &self.profile);
        if self.order.len() == 1 {
            self.note_next_end();
        }
    }

    /// Closes what is still open, oldest first.
    pub fn finish(mut self, closed: Closed<'_>) {
        while !self.order.is_empty() {
            self.close_oldest(closed);
        }
    }

    /// Takes out what is still open, oldest first, to be [resumed](Engine::resume) later.
    pub fn take_open(&mut self) -> Vec<OpenWindow> {
        let mut open = Vec::with_capacity(self.order.len());
        while !self.order.is_empty() {
            self.close_oldest(&mut |window| open.push(std::mem::take(window)));
        }
        open
    }

    /// Sets the clock, which never goes back, and answers it.
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
    fn start_waiting(&mut self, first: Timestamp) {
        for slot in &self.order {
            let window = &mut self.slots[at(*slot)];
            window.start = Some(first);
            window.end = Some(first);
        }
        self.note_next_end();
    }

    fn find(&self, source: IpAddr) -> Option<u32> {
        let same = |slot: &u32| self.slots[at(*slot)].source == source;
        self.index.find(self.hash(source), same).copied()
    }

    fn hash(&self, source: IpAddr) -> u64 {
        self.hasher.hash_one(address_number(source))
    }

    /// Opens an empty window of a host that has none, behind all others.
    fn open(&mut self, source: IpAddr) -> u32 {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[at(slot)].reset(source);
                slot
            }
            None => {
                self.slots.push(OpenWindow::new(source));
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            }
        };
        let Engine { slots, index, hasher, .. } = self;
        let hash = |source| hasher.hash_one(address_number(source));
        index.insert_unique(hash(source), slot, |slot| hash(slots[at(*slot)].source));
        self.order.push_back(slot);
        slot
    }

    fn close_oldest(&mut self, closed: Closed<'_>) {
        let Some(slot) = self.order.pop_front() else { return };
        let hash = self.hash(self.slots[at(slot)].source);
        if let Ok(entry) = self.index.find_entry(hash, |known| *known == slot) {
            entry.remove();
        }
        closed(&mut self.slots[at(slot)]);
        self.free.push(slot);
        self.note_next_end();
    }

    fn note_next_end(&mut self) {
        let first = self.order.front().and_then(|slot| self.slots[at(*slot)].start);
        let length = self.profile.window_nanoseconds();
        self.next_end = first.map_or(NEVER, |start| start.plus_nanoseconds(length));
    }
}

/// A slot's place. [`Profile::fault`] sees to it that 32 bits tell all of them.
fn at(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
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
        engine.finish(&mut |window| windows.push(window.clone()));
        assert!(windows[0].saturated);
        assert_eq!((windows[0].packets, windows[0].probes.len()), (100, 10));
    }
}
