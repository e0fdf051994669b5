//! Decides which silences of a capture are gaps, in which nothing was recorded.
//!
//! The rule: a silence is a gap if it lasts longer than ten minutes and longer than a hundred mean
//! inter-arrival times of the capture. Inter-arrival times are measured between seconds that have a packet,
//! so that a flood of some minutes does not make the rest of a quiet day look silent. Silences of more than a
//! day and silences that are already known to be gaps do not enter the mean.
//!
//! Error rates: one scanner sends about ten packets in a burst, so that a hundred mean inter-arrival times of
//! packets are ten of bursts. If bursts are independent, one silence in e^10 = 22,000 is as long by chance. A
//! sensor with a packet a minute has one false gap, of less than two hours, in 150 days. A sensor with a
//! packet a second or more has none, since ten minutes are then the larger bound. A sensor with fewer than a
//! hundred packets a day keeps its silent days as zeros. Conversely, an interruption counts as recorded time
//! if it lasts up to ten minutes, or up to a hundred mean inter-arrival times where packets are rare.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::history::TimeSpan;
use crate::packet::Timestamp;

use super::{DAY, SECOND};

/// Maximum length of a silence that is not a gap, in mean inter-arrival times.
const MEANS_MAX: i64 = 100;
/// Silences up to this length, in nanoseconds, are never gaps: recorders restart, and disks and clocks stall.
const GAP_MIN: i64 = 600 * SECOND;
/// Maximum number of silences of a capture that are remembered (the longest), which bounds the number of its
/// spans.
const SILENCES_MAX: usize = 4096;

/// The times of the packets of a capture that count, in time order.
#[derive(Default)]
pub(super) struct PacketTimes {
    span: Option<TimeSpan>,
    /// Number of seconds that have a packet.
    seconds: i64,
    /// When the next such second begins at the earliest.
    next_second: i64,
    /// Silences longer than [`GAP_MIN`]: their length in nanoseconds and the time of the packet before. The
    /// heap's top is the shortest, which is dropped first.
    silences: BinaryHeap<Reverse<(i64, Timestamp)>>,
}

impl PacketTimes {
    #[inline]
    pub(super) fn add(&mut self, time: Timestamp) {
        let (first, last) = self.span.unwrap_or((time, time));
        let silence = time.0.saturating_sub(last.0);
        if silence > GAP_MIN {
            self.silences.push(Reverse((silence, last)));
            if self.silences.len() > SILENCES_MAX {
                self.silences.pop();
            }
        }
        if self.span.is_none() || time.0 >= self.next_second {
            self.seconds += 1;
            self.next_second = time.0.div_euclid(SECOND).saturating_add(1).saturating_mul(SECOND);
        }
        self.span = Some((first.min(time), last.max(time)));
    }

    /// Returns the times of the first and the last packet.
    pub(super) fn span(&self) -> Option<TimeSpan> {
        self.span
    }

    /// Returns the spans between the gaps, ascending.
    pub(super) fn spans(&self) -> Vec<TimeSpan> {
        let Some((first, last)) = self.span else { return Vec::new() };
        let mut gaps: Vec<(Timestamp, i64)> =
            self.gaps(first, last).into_iter().map(|(silence, before)| (before, silence)).collect();
        gaps.sort_unstable();
        let mut spans = Vec::with_capacity(gaps.len() + 1);
        let mut from = first;
        for (before, silence) in gaps {
            spans.push((from, before));
            from = before.plus_nanoseconds(silence);
        }
        spans.push((from, last));
        spans
    }

    fn gaps(&self, first: Timestamp, last: Timestamp) -> Vec<(i64, Timestamp)> {
        let mut silences: Vec<(i64, Timestamp)> =
            self.silences.iter().map(|Reverse(silence)| *silence).collect();
        silences.sort_unstable_by(|a, b| b.cmp(a));
        let long = silences.partition_point(|(silence, _)| *silence > DAY);
        let sum =
            |silences: &[(i64, Timestamp)]| silences.iter().fold(0i64, |sum, one| sum.saturating_add(one.0));
        let count = |silences: usize| i64::try_from(silences).unwrap_or(i64::MAX);
        // The inter-arrival times without the silences of more than a day: their number and their sum.
        let mut distances = self.seconds.saturating_sub(1).saturating_sub(count(long));
        let mut time = last.0.saturating_sub(first.0).saturating_sub(sum(&silences[..long]));
        let limit =
            |time: i64, distances: i64| (time / distances.max(1)).saturating_mul(MEANS_MAX).max(GAP_MIN);
        let mut gaps = 0;
        while let Some((silence, _)) = silences.get(gaps) {
            let (rest, others) =
                if gaps < long { (time, distances) } else { (time - silence, distances - 1) };
            if *silence <= limit(rest, others) {
                break;
            }
            (time, distances) = (rest, others);
            gaps += 1;
        }
        silences.truncate(gaps);
        silences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    /// 2024-06-20 UTC.
    const START: i64 = 1_718_841_600 * SECOND;

    /// Returns the spans, in minutes since the start, of packets at some times in nanoseconds since the
    /// start.
    fn spans(times: impl IntoIterator<Item = i64>) -> Vec<(i64, i64)> {
        let mut seen = PacketTimes::default();
        times.into_iter().for_each(|time| seen.add(Timestamp(START + time)));
        let minutes = |time: Timestamp| (time.0 - START) / MINUTE;
        seen.spans().into_iter().map(|(first, last)| (minutes(first), minutes(last))).collect()
    }

    fn every(distance: i64, from: i64, to: i64) -> impl Iterator<Item = i64> {
        (0..).map(move |at| from + at * distance).take_while(move |time| *time < to)
    }

    #[test]
    fn an_hour_of_silence_is_a_gap_where_packets_come_every_second() {
        let two = every(SECOND, 0, HOUR).chain(every(SECOND, 2 * HOUR, 3 * HOUR));
        assert_eq!(spans(two), [(0, 59), (120, 179)]);
        // At a packet a minute, an hour is sixty mean inter-arrival times; three hours are more than a
        // hundred.
        let minutely =
            |gap: i64| every(MINUTE, 0, 12 * HOUR).chain(every(MINUTE, 12 * HOUR + gap, 24 * HOUR));
        assert_eq!(spans(minutely(HOUR)).len(), 1);
        assert_eq!(spans(minutely(3 * HOUR)).len(), 2);
        // A silence of nine minutes is never a gap.
        assert_eq!(spans(every(SECOND, 0, HOUR).chain(every(SECOND, HOUR + 9 * MINUTE, 2 * HOUR))).len(), 1);
    }

    #[test]
    fn rare_packets_have_long_silences() {
        let hourly = |day: i64| every(HOUR, day * DAY, (day + 1) * DAY);
        assert_eq!(spans(hourly(0).chain(hourly(9))).len(), 2, "eight days at a packet an hour");
        // Three packets a day: the silence lasts four mean inter-arrival times (32 hours).
        let rare = |day: i64| every(8 * HOUR, day * DAY, (day + 1) * DAY);
        assert_eq!(spans(rare(0).chain(rare(2))).len(), 1);
        assert_eq!(spans([0, 9 * DAY]), [(0, 0), (9 * 1440, 9 * 1440)], "two packets show no rate");
        assert_eq!(spans([0, 900 * DAY, 2000 * DAY, 5000 * DAY]).len(), 4, "nor do years");
        assert_eq!(spans([]), []);
    }

    #[test]
    fn a_flood_does_not_make_a_quiet_day_silent() {
        // 100,000 packets in ten minutes, and otherwise a packet every quarter of an hour.
        let flood = every(6_000_000, HOUR, HOUR + 10 * MINUTE);
        let day =
            every(15 * MINUTE, 0, HOUR).chain(flood).chain(every(15 * MINUTE, HOUR + 10 * MINUTE, 24 * HOUR));
        assert_eq!(spans(day).len(), 1);
    }

    #[test]
    fn gaps_are_limited_in_number_and_extremes_do_not_overflow() {
        let many = (0..10_000).flat_map(|at| every(SECOND, at * HOUR, at * HOUR + 2 * MINUTE));
        assert_eq!(spans(many).len(), SILENCES_MAX + 1);
        let mut seen = PacketTimes::default();
        [i64::MIN, 0, i64::MAX].iter().for_each(|time| seen.add(Timestamp(*time)));
        assert_eq!(seen.spans().len(), 3);
    }
}
