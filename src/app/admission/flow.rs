//! Finds packets whose times depart from a capture's flow: a flipped bit, or a clock that was wrong for a
//! moment.
//!
//! The times of a capture are cut into runs wherever a packet lies more than an hour from the packet before
//! it. A run is minor if it has a single packet or at most a hundredth of the capture's packets; the other
//! runs form the flow. A minor run departs if it lies neither between the runs of the flow around it nor
//! within an hour of any other part of the flow. At the capture's beginning and end, where only one neighbor
//! exists, a distance of up to thirty days is accepted, as after a pause. A merged file has parts of
//! comparable size and keeps all of them, and so does a capture in which every run is minor.

use crate::history::{RecordedTime, TimeSpan};
use crate::packet::Timestamp;

use super::{DAY, SECOND};

/// Neighboring packets that lie further apart than this, in nanoseconds, belong to different runs.
const JUMP_MIN: i64 = 3600 * SECOND;
/// Maximum distance, in nanoseconds, of the first or last run from its only neighbor.
const PAUSE_MAX: i64 = 30 * DAY;
/// A run is minor if it has at most the number of packets of the capture divided by this.
const MINOR_SHARE: u64 = 100;
/// Maximum number of runs that are remembered: 2.5 MiB. No packet departs in a capture with more.
const RUNS_MAX: usize = 65_536;

/// Consecutive packets without a jump in time.
#[derive(Clone, Copy)]
struct TimeRun {
    /// The earliest and the latest time.
    span: TimeSpan,
    /// The times of the first and the last packet.
    ends: TimeSpan,
    packets: u64,
}

/// The runs of a capture in capture order.
#[derive(Default)]
pub(super) struct CaptureFlow {
    runs: Vec<TimeRun>,
    packets: u64,
    /// Whether, within every run, no time is earlier than the time before it.
    ordered: bool,
    overflowed: bool,
}

impl CaptureFlow {
    pub(super) fn new() -> CaptureFlow {
        CaptureFlow { ordered: true, ..CaptureFlow::default() }
    }

    #[inline]
    pub(super) fn add(&mut self, time: Timestamp) {
        self.packets += 1;
        let is_full = self.runs.len() >= RUNS_MAX;
        match self.runs.last_mut() {
            Some(run) if self.overflowed || time.0.abs_diff(run.ends.1.0) <= JUMP_MIN.unsigned_abs() => {
                self.ordered &= run.ends.1 <= time;
                run.ends.1 = time;
                run.span = (run.span.0.min(time), run.span.1.max(time));
                run.packets += 1;
            }
            _ if !is_full => {
                self.runs.push(TimeRun { span: (time, time), ends: (time, time), packets: 1 });
            }
            Some(run) => {
                self.overflowed = true;
                self.ordered &= run.ends.1 <= time;
                run.ends.1 = time;
            }
            None => {}
        }
    }

    fn is_minor(&self, run: &TimeRun) -> bool {
        run.packets <= (self.packets / MINOR_SHARE).max(1)
    }

    /// Returns the times of the runs that depart from the flow.
    pub(super) fn outlier_times(&self) -> RecordedTime {
        let flow: Vec<usize> = (0..self.runs.len()).filter(|at| !self.is_minor(&self.runs[*at])).collect();
        if self.overflowed || flow.is_empty() {
            return RecordedTime::default();
        }
        let near = |time: Timestamp, by: i64| Timestamp(time.0.saturating_add(by));
        let wide = |(first, last): TimeSpan| (near(first, -JUMP_MIN), near(last, JUMP_MIN));
        let everywhere = RecordedTime::union(flow.iter().map(|at| wide(self.runs[*at].span)));
        let mut departed = Vec::new();
        for (at, run) in self.runs.iter().enumerate().filter(|(_, run)| self.is_minor(run)) {
            let next = flow.partition_point(|flow| *flow < at);
            let before = next.checked_sub(1).map(|before| self.runs[flow[before]].ends.1);
            let after = flow.get(next).map(|after| self.runs[*after].ends.0);
            let (from, to) = match (before, after) {
                (Some(before), Some(after)) => (before.min(after), before.max(after)),
                (Some(before), None) => (before, near(before, PAUSE_MAX)),
                (None, Some(after)) => (near(after, -PAUSE_MAX), after),
                (None, None) => continue,
            };
            let (from, to) = wide((from, to));
            let between = from <= run.span.0 && run.span.1 <= to;
            if !between && everywhere.nanoseconds_in_span(run.span) == 0 {
                departed.push(run.span);
            }
        }
        RecordedTime::union(departed)
    }

    /// Returns whether the packets outside the departed times are in time order.
    pub(super) fn is_ordered_without(&self, departed: &RecordedTime) -> bool {
        let mut kept = self.runs.iter().filter(|run| !departed.contains(run.span.0));
        let Some(first) = kept.next() else { return self.ordered };
        let mut end = first.ends.1;
        let ascending = kept.all(|run| {
            let follows = end <= run.ends.0;
            end = run.ends.1;
            follows
        });
        self.ordered && ascending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600 * SECOND;

    /// Returns the seconds of the packets that depart, and whether the others are in order.
    fn departed(times: &[i64]) -> (Vec<i64>, bool) {
        let mut flow = CaptureFlow::new();
        times.iter().for_each(|time| flow.add(Timestamp(time * SECOND)));
        let departed = flow.outlier_times();
        let gone = times.iter().copied().filter(|time| departed.contains(Timestamp(time * SECOND)));
        (gone.collect(), flow.is_ordered_without(&departed))
    }

    fn day(day: i64, packets: i64) -> Vec<i64> {
        (0..packets).map(|at| day * 86_400 + at * 86_400 / packets).collect()
    }

    #[test]
    fn one_packet_of_another_time_departs() {
        for wrong in [5, 86_400 * 4000, 86_400 * 98, 86_400 * 102] {
            let mut times = day(100, 200);
            times.insert(77, wrong);
            assert_eq!(departed(&times), (vec![wrong], true));
        }
        // Twice, one after the other and apart, at the ends too.
        let mut times = day(100, 1000);
        for (at, wrong) in [(0, 86_400 * 10), (500, 86_400 * 200), (501, 86_400 * 300), (1003, 86_400 * 9000)]
        {
            times.insert(at, wrong);
        }
        assert_eq!(departed(&times).0, [86_400 * 10, 86_400 * 200, 86_400 * 300, 86_400 * 9000]);
    }

    #[test]
    fn merged_files_and_pauses_stay() {
        let merged = [day(100, 50), day(109, 50)].concat();
        assert_eq!(departed(&merged), (vec![], true));
        let wrong_order = [day(102, 50), day(100, 50), day(103, 50)].concat();
        assert_eq!(departed(&wrong_order), (vec![], false));
        // A lone packet in a pause of ten days, and one in the week before.
        let paused = [vec![86_400 * 95], day(100, 300), vec![86_400 * 105], day(110, 300)].concat();
        assert_eq!(departed(&paused), (vec![], true));
        assert_eq!(departed(&day(100, 24)), (vec![], true), "a packet an hour");
        assert_eq!(departed(&day(100, 3)), (vec![], true), "three packets a day");
        assert!(departed(&[0, 86_400 * 4000, 86_400 * 900]).0.is_empty(), "no flow at all");
        // Packets that overtake each other by a second are no departure.
        assert_eq!(departed(&[10, 12, 11, 13]), (vec![], false));
    }

    #[test]
    fn the_number_of_runs_is_limited() {
        let mut flow = CaptureFlow::new();
        (0..200_000).for_each(|at| flow.add(Timestamp(at * 2 * HOUR)));
        assert!(flow.runs.len() == RUNS_MAX && flow.outlier_times().is_empty());
        assert!(flow.is_ordered_without(&RecordedTime::default()));
        flow.add(Timestamp(0));
        assert!(!flow.is_ordered_without(&RecordedTime::default()));
    }
}
