//! The engine that gathers packets into windows and passes on the windows that close.

use crate::packet::{Packet, Timestamp};

use super::probes::Spare;
use super::ring::Ring;
use super::{Arrival, Marks, OpenWindow, Profile};

/// Gathers packets into windows per source host.
///
/// A window is `[t0, t0 + window)` from the host's first packet; the next one begins with the host's first
/// packet at or after the end. All windows have the same length, so they expire in the order in which they
/// opened, and a ring buffer finds the next one to close without a search.
///
/// Packets must come in time order (captures with times out of order are sorted first). A packet that is
/// nevertheless older than the latest time seen joins its host's open window, or opens one, and is counted in
/// [`backwards`](Engine::backwards).
#[derive(Clone)]
pub struct Engine {
    pub(super) profile: Profile,
    pub(super) open: Ring,
    pub(super) spare: Spare,
    clock: Option<Timestamp>,
    /// Windows that began at or before this time have ended. [`Timestamp::BEFORE_ALL`] while there is no
    /// clock.
    horizon: Timestamp,
    backwards: u64,
    closed_early: u64,
}

/// Receives closed windows, oldest first. It may take windows out of the slice; the engine reuses the memory
/// of whatever the slice then holds.
pub type Closed<'a> = &'a mut dyn FnMut(&mut [OpenWindow]);

impl Engine {
    /// Creates an engine without open windows.
    #[must_use]
    pub fn new(profile: Profile) -> Engine {
        Engine {
            profile,
            open: Ring::default(),
            spare: Spare::default(),
            clock: None,
            horizon: Timestamp::BEFORE_ALL,
            backwards: 0,
            closed_early: 0,
        }
    }

    /// Creates an engine that continues where another one stopped at `clock` with these windows open.
    #[must_use]
    pub fn resume(profile: Profile, mut windows: Vec<OpenWindow>, clock: Option<Timestamp>) -> Engine {
        windows.sort_by_key(|window| (window.start, window.source));
        let mut engine = Engine::new(profile);
        if let Some(clock) = clock {
            engine.set_clock(clock);
        }
        for window in windows {
            let host = window.source.into();
            *engine.open.open(host) = window;
        }
        engine
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
        self.take(&Arrival::of(packet, marks), closed);
        self.close_ended(closed);
    }

    /// Processes one packet. Closes ended windows only if the window of the packet's host is one of them, or
    /// if the limit of open windows is reached.
    #[inline]
    pub(super) fn take(&mut self, arrival: &Arrival, closed: Closed<'_>) {
        let time = match arrival.time() {
            Some(time) => {
                self.advance(time);
                Some(time)
            }
            None => self.clock,
        };
        if let Some(number) = self.open.find(arrival.source) {
            if has_ended(self.open.get_mut(number), self.horizon) {
                self.close_ended(closed);
            }
            if self.open.has(number) {
                return self.open.get_mut(number).add(arrival, time, &self.profile, &mut self.spare);
            }
        }
        self.begin(arrival, time, closed);
    }

    /// Closes all open windows, oldest first.
    pub fn finish(mut self, closed: Closed<'_>) {
        self.open.close_while(|_| true, closed);
    }

    /// Removes and returns the open windows, oldest first, for [`resume`](Engine::resume).
    pub fn take_open(&mut self) -> Vec<OpenWindow> {
        let mut open = Vec::with_capacity(self.open.len());
        self.open.close_while(|_| true, &mut |windows| open.extend(windows.iter_mut().map(std::mem::take)));
        open
    }

    /// Sets the clock to the time of a packet if it is later than the clock. A packet whose time is earlier
    /// than the clock is counted in `backwards` and does not change the clock.
    #[inline]
    fn advance(&mut self, time: Timestamp) {
        match self.clock {
            Some(clock) if time < clock => self.backwards += 1,
            Some(_) => self.set_clock(time),
            None => {
                self.start_waiting(time);
                self.set_clock(time);
            }
        }
    }

    #[inline]
    pub(super) fn set_clock(&mut self, clock: Timestamp) {
        self.clock = Some(clock);
        self.horizon = horizon(clock, &self.profile);
    }

    /// Assigns the first known time to the open windows, whose packets had no time.
    #[cold]
    fn start_waiting(&mut self, first: Timestamp) {
        self.open.each(|window| {
            window.start = Some(first);
            window.end = Some(first);
        });
    }

    /// Opens a window for the first packet of a host that has no open window.
    #[inline]
    fn begin(&mut self, arrival: &Arrival, time: Option<Timestamp>, closed: Closed<'_>) {
        if self.open.len() >= self.profile.open_windows_max {
            self.close_early(closed);
        }
        self.open.open(arrival.source).begin(arrival, time, &mut self.spare);
    }

    /// Closes the ended windows, and as many of the oldest other windows as the limit requires for one more.
    #[cold]
    fn close_early(&mut self, closed: Closed<'_>) {
        self.close_ended(closed);
        let mut beyond =
            (self.open.len() + 1).saturating_sub(self.profile.open_windows_max).min(self.open.len());
        self.closed_early += beyond as u64;
        let is_beyond = |_: &OpenWindow| {
            let closes = beyond > 0;
            beyond -= usize::from(closes);
            closes
        };
        self.open.close_while(is_beyond, closed);
    }

    /// Closes the windows that have ended.
    #[inline]
    pub(super) fn close_ended(&mut self, closed: Closed<'_>) {
        let horizon = self.horizon;
        self.open.close_while(|window| has_ended(window, horizon), closed);
    }
}

/// Returns the latest start of a window that has ended by `time`.
#[inline]
pub(super) fn horizon(time: Timestamp, profile: &Profile) -> Timestamp {
    Timestamp(time.0.saturating_sub(profile.window_nanoseconds()))
}

/// Returns whether a window began at or before `horizon`. A window without a time never ends.
#[inline]
pub(super) fn has_ended(window: &OpenWindow, horizon: Timestamp) -> bool {
    window.start.is_some_and(|start| start <= horizon)
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::IpAddr;

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
}
