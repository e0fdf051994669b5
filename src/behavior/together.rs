//! Processes packets in batches, which is faster and yields the same windows as processing them one by one.

use super::bits::Bits;
use super::engine::{has_ended, horizon};
use super::{Arrival, Closed, Engine};

/// Number of packets in a batch.
const FEW: usize = Bits::MOST;

impl Engine {
    /// Number of packets after which closed windows are passed on. It is large enough that the types of
    /// windows that close at about the same time are looked up together, and that these windows are few
    /// compared to the open ones. It is small enough that the packets stay in the processor's first-level
    /// cache (64 bytes each).
    pub const AT_ONCE: usize = 256;

    /// Processes packets in order, as [`push`](Engine::push) does. Closed windows are passed on in larger
    /// slices, but they are the same windows in the same order.
    pub fn push_all(&mut self, arrivals: &[Arrival], closed: Closed<'_>) {
        for some in arrivals.chunks(Self::AT_ONCE) {
            for few in some.chunks(FEW) {
                if self.are_plain(few) {
                    self.take_together(few, closed);
                } else {
                    few.iter().for_each(|arrival| self.take(arrival, closed));
                }
            }
            self.close_ended(closed);
        }
    }

    /// Returns whether packets come in time order and none of them can make a window close early.
    fn are_plain(&self, few: &[Arrival]) -> bool {
        let Some(mut clock) = self.clock() else { return false };
        let mut ascend = true;
        for arrival in few {
            ascend &= clock <= arrival.time;
            clock = arrival.time;
        }
        ascend && self.open.len() + few.len() <= self.profile.open_windows_max
    }

    /// Processes packets for which `are_plain` holds, grouped by the code path that they need. A processor
    /// that takes one path for several packets waits for memory once for all of them, and mispredicts fewer
    /// branches.
    ///
    /// Packets of hosts with an open window come first. This changes no window: a packet joins a window only
    /// if the window has not ended by the packet's own time, so no earlier packet can have closed it, and
    /// windows open in the order of their first packets.
    fn take_together(&mut self, few: &[Arrival], closed: Closed<'_>) {
        let found = self.find_all(few);
        let known = Bits::which(found.iter().map(|number| *number != 0));
        let mut others = Bits::which(found.iter().zip(few).map(|(number, _)| *number == 0));
        let (mut first, mut rest) = (Bits::default(), Bits::default());
        let tells_all = self.profile.trace_packets_max > 0;
        for at in known {
            let (arrival, window) = (&few[at], self.open.get_mut(found[at]));
            if has_ended(window, horizon(arrival.time, &self.profile)) {
                others.add(at, true);
                continue;
            }
            let is_first = window.count(arrival, Some(arrival.time));
            first.add(at, is_first);
            rest.add(at, !is_first | tells_all);
        }
        for at in rest {
            let (arrival, window) = (&few[at], self.open.get_mut(found[at]));
            window.tell(arrival, Some(arrival.time), first.has(at), &self.profile, &mut self.spare);
        }
        others.for_each(|at| self.take(&few[at], closed));
        few.last().into_iter().for_each(|arrival| self.set_clock(arrival.time));
    }

    /// Returns the number of the window of each packet's host, or 0 if the first bucket of the index does not
    /// have it. Prefetches these windows.
    #[inline]
    fn find_all(&self, few: &[Arrival]) -> [u32; FEW] {
        let (mut found, mut sum) = ([0; FEW], 0);
        for (found, arrival) in found.iter_mut().zip(few) {
            let (number, packets) = self.open.glance(arrival.source);
            *found = number;
            sum ^= packets;
        }
        std::hint::black_box(sum);
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::engine::tests::packet;
    use super::super::{Marks, OpenWindow, Profile};
    use super::*;
    use crate::packet::Timestamp;

    /// Returns the windows and counters of an engine that takes `at_once` packets at a time, or one by one.
    fn run(profile: &Profile, arrivals: &[Arrival], at_once: Option<usize>) -> (Vec<OpenWindow>, [u64; 2]) {
        let mut engine = Engine::new(profile.clone());
        let mut windows = Vec::new();
        let mut keep = |closed: &mut [OpenWindow]| windows.extend_from_slice(closed);
        match at_once {
            Some(many) => arrivals.chunks(many).for_each(|some| engine.push_all(some, &mut keep)),
            None => arrivals.iter().for_each(|arrival| engine.take(arrival, &mut keep)),
        }
        let counts = [engine.backwards(), engine.closed_early()];
        engine.finish(&mut keep);
        (windows, counts)
    }

    proptest! {
        #[test]
        fn packets_taken_together_give_the_windows_that_packets_taken_in_turn_give(
            packets in prop::collection::vec((0..40u8, steps(), 0..6u16, 0..3u64), 0..600),
            (open_windows_max, trace_packets_max) in (1..80usize, 0..3usize),
            at_once in 1..600usize,
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
            prop_assert_eq!(run(&profile, &arrivals, Some(at_once)), run(&profile, &arrivals, None));
        }
    }

    /// Seconds from one packet to the next: mostly 0, seldom negative, and sometimes `None` for a packet
    /// without a time.
    fn steps() -> impl Strategy<Value = Option<i64>> {
        prop_oneof![300 => Just(Some(0)), 60 => (1..4i64).prop_map(Some), 2 => Just(Some(-1)), 1 => Just(None)]
    }

    #[test]
    fn more_hosts_than_fit_a_cache_are_told_apart_and_closed_early() {
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
        let at_once = run(&profile, &arrivals, Some(arrivals.len()));
        assert!(at_once.1[1] > 0);
        assert!(at_once == run(&profile, &arrivals, None));
    }
}
