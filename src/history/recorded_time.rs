//! Recorded time: the union of a sensor's capture spans.

use crate::packet::Timestamp;

use super::{CaptureRecord, TimeSpan};

/// Maximum silence between two captures that is not a gap, in mean inter-arrival times. If packets are
/// independent, one silence in e^10 = 22,000 is longer.
const SILENCE_MEANS_MAX: i64 = 10;

/// Maximum overlap of recorded time that is accepted, in nanoseconds. The spans of two clocks, or of two
/// files of a recorder that restarts every hour, overlap by a second or two at each end. A scan of five
/// seconds adds at most one window to a host.
pub const OVERLAP_MAX: i64 = 5_000_000_000;

/// A set of time spans in which a sensor recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedTime {
    /// The spans, ascending and disjoint.
    spans: Vec<TimeSpan>,
}

impl RecordedTime {
    /// Returns the recorded time of a sensor with these captures. Captures separated by a short silence are
    /// joined: where packets are rare, the last packet of one capture and the first packet of the next are
    /// hours apart.
    #[must_use]
    pub fn from_captures(captures: &[CaptureRecord]) -> RecordedTime {
        let mut spans: Vec<(TimeSpan, i64)> = Vec::new();
        for capture in captures {
            let silence = silence_max(capture);
            spans.extend(capture.spans.iter().map(|span| (*span, silence)));
        }
        spans.sort_unstable();
        let mut joined: Vec<TimeSpan> = Vec::new();
        let mut silence_before = 0;
        for ((first, last), silence) in spans {
            match joined.last_mut() {
                Some((_, end)) if first.0.saturating_sub(end.0) <= silence.max(silence_before).max(1) => {
                    *end = last.max(*end);
                }
                _ => joined.push((first, last)),
            }
            silence_before = silence;
        }
        RecordedTime { spans: joined }
    }

    /// Returns the union of spans, which may be unordered and overlap. Adjacent spans are joined.
    #[must_use]
    pub fn union(spans: impl IntoIterator<Item = TimeSpan>) -> RecordedTime {
        RecordedTime::bridged(spans, 1)
    }

    /// Returns the union of spans, as [`RecordedTime::union`] does, with the silences between them that last at most
    /// `silence_max` nanoseconds.
    pub(super) fn bridged(spans: impl IntoIterator<Item = TimeSpan>, silence_max: i64) -> RecordedTime {
        let mut all: Vec<TimeSpan> = spans.into_iter().collect();
        all.sort_unstable();
        let mut joined: Vec<TimeSpan> = Vec::new();
        for (first, last) in all {
            match joined.last_mut() {
                Some((_, end)) if first.0 <= end.0.saturating_add(silence_max) => *end = last.max(*end),
                _ => joined.push((first, last)),
            }
        }
        RecordedTime { spans: joined }
    }

    /// Returns the spans, ascending and disjoint.
    #[must_use]
    pub fn spans(&self) -> &[TimeSpan] {
        &self.spans
    }

    /// Returns whether no time was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Returns whether a moment was recorded.
    #[must_use]
    pub fn contains(&self, time: Timestamp) -> bool {
        let at = self.spans.partition_point(|(_, last)| *last < time);
        self.spans.get(at).is_some_and(|(first, _)| *first <= time)
    }

    /// Returns the recorded nanoseconds between two moments, the second one excluded. A span with a single
    /// packet has one nanosecond.
    #[must_use]
    pub fn nanoseconds_between(&self, from: Timestamp, to: Timestamp) -> i64 {
        let before = Timestamp(to.0.saturating_sub(1));
        if before < from { 0 } else { self.nanoseconds_in_span((from, before)) }
    }

    /// Returns how many nanoseconds of a span were recorded.
    #[must_use]
    pub fn nanoseconds_in_span(&self, (from, to): TimeSpan) -> i64 {
        let begin = self.spans.partition_point(|(_, last)| *last < from);
        let mut sum = 0i64;
        for (first, last) in self.spans.iter().skip(begin).take_while(|(first, _)| *first <= to) {
            sum = sum.saturating_add(span_nanoseconds(((*first).max(from), (*last).min(to))));
        }
        sum
    }

    /// Returns how many nanoseconds of several spans were recorded in total.
    #[must_use]
    pub fn nanoseconds_in_spans(&self, spans: &[TimeSpan]) -> i64 {
        spans.iter().fold(0, |sum, span| sum.saturating_add(self.nanoseconds_in_span(*span)))
    }

    /// Returns the total recorded nanoseconds.
    #[must_use]
    pub fn total_nanoseconds(&self) -> i64 {
        self.spans.iter().fold(0, |sum, span| sum.saturating_add(span_nanoseconds(*span)))
    }

    /// Returns the recorded time that is not part of another recorded time.
    #[must_use]
    pub fn without(&self, other: &RecordedTime) -> RecordedTime {
        let mut left = Vec::new();
        for (first, last) in &self.spans {
            let mut from = *first;
            let begin = other.spans.partition_point(|(_, end)| end < first);
            for (cut_first, cut_last) in other.spans.iter().skip(begin).take_while(|(cut, _)| cut <= last) {
                if from < *cut_first {
                    left.push((from, Timestamp(cut_first.0 - 1)));
                }
                from = cut_last.plus_nanoseconds(1);
            }
            if from <= *last && !other.contains(*last) {
                left.push((from, *last));
            }
        }
        RecordedTime { spans: left }
    }
}

/// Returns the length of a span in nanoseconds; its end is included.
pub(super) fn span_nanoseconds((first, last): TimeSpan) -> i64 {
    last.0.saturating_sub(first.0).saturating_add(1)
}

/// Returns the maximum silence before or after a capture that is not a gap, in nanoseconds. It is 0 if the
/// capture has fewer than two packets and thus no rate.
pub(super) fn silence_max(capture: &CaptureRecord) -> i64 {
    let distances = i64::try_from(capture.recorded).unwrap_or(i64::MAX).saturating_sub(1);
    let time = capture
        .spans
        .iter()
        .fold(0i64, |sum, (first, last)| sum.saturating_add(last.0.saturating_sub(first.0)));
    if distances < 1 { 0 } else { (time / distances).saturating_mul(SILENCE_MEANS_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    fn span(first: i64, last: i64) -> TimeSpan {
        (Timestamp(first * MINUTE), Timestamp(last * MINUTE))
    }

    fn capture(first: i64, last: i64, recorded: u64) -> CaptureRecord {
        CaptureRecord { spans: vec![span(first, last)], recorded, ..CaptureRecord::default() }
    }

    #[test]
    fn time_between_captures_was_not_recorded() {
        // One packet per second: files for 10:00 to 11:00 and 11:00 to 12:00, nothing from 12:00 to 14:00,
        // and one for 14:00 to 15:00.
        let captures = [capture(840, 900, 3600), capture(600, 660, 3600), capture(660, 720, 3600)];
        let recorded = RecordedTime::from_captures(&captures);
        let within = |from: i64, to: i64| {
            recorded.nanoseconds_between(Timestamp(from * MINUTE), Timestamp(to * MINUTE))
        };
        assert_eq!([within(540, 600), within(600, 660)], [0, 60 * MINUTE]);
        assert_eq!([within(690, 750), within(721, 840)], [30 * MINUTE + 1, 0]);
        assert_eq!([within(720, 780), within(600, 900)], [1, 180 * MINUTE + 1]);
        assert_eq!(RecordedTime::default().nanoseconds_between(Timestamp(0), Timestamp(MINUTE)), 0);
    }

    #[test]
    fn rare_packets_leave_silences_that_are_no_gaps() {
        // Twelve packets per day are two hours apart; four hours lie between the two captures.
        let quiet = RecordedTime::from_captures(&[capture(60, 1380, 12), capture(1620, 2820, 11)]);
        assert_eq!(
            quiet.nanoseconds_between(Timestamp(1380 * MINUTE), Timestamp(1620 * MINUTE)),
            240 * MINUTE
        );
        // A span given by --covers has no packets and thus no rate, so it is not joined with another.
        let given = RecordedTime::from_captures(&[capture(0, 60, 0), capture(90, 120, 0)]);
        assert_eq!(given.total_nanoseconds(), 90 * MINUTE + 2);
    }

    #[test]
    fn spans_are_joined_and_cut_to_the_nanosecond() {
        let all = RecordedTime::union([span(10, 20), span(0, 5), span(15, 30)]);
        assert_eq!(all.spans(), [span(0, 5), span(10, 30)]);
        let left = all.without(&RecordedTime::union([span(2, 12), span(14, 16), span(30, 40)]));
        let nano = |first: i64, plus: i64, last: i64, minus: i64| {
            (Timestamp(first * MINUTE + plus), Timestamp(last * MINUTE - minus))
        };
        assert_eq!(left.spans(), [nano(0, 0, 2, 1), nano(12, 1, 14, 1), nano(16, 1, 30, 1)]);
        assert_eq!(all.without(&all), RecordedTime::default());
        assert_eq!(all.without(&RecordedTime::default()), all);
        assert!(all.contains(Timestamp(5 * MINUTE)) && !all.contains(Timestamp(5 * MINUTE + 1)));
        assert_eq!(all.nanoseconds_in_span(span(4, 11)), 2 * MINUTE + 2);
        let extremes = (Timestamp(i64::MIN), Timestamp(i64::MAX));
        assert_eq!(RecordedTime::union([extremes]).total_nanoseconds(), i64::MAX);
        assert!(RecordedTime::union([extremes]).without(&RecordedTime::union([extremes])).is_empty());
    }
}
