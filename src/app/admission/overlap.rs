//! Recorded time that a capture shares with stored captures of the same sensor, in which packets may be
//! counted twice.

use crate::history::{CaptureRecord, OVERLAP_MAX, RecordedTime};

/// How packets are treated whose time another capture of the same sensor has already recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// The capture is refused if the overlap exceeds a few seconds.
    #[default]
    Refuse,
    /// The packets are left out, and their number is reported.
    Skip,
    /// The packets count, because two recorders shared the work.
    Add,
}

/// An overlap for which a capture is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RefusedOverlap {
    /// The name of the stored capture that shares most of the time.
    pub(super) name: String,
    /// The overlap with all stored captures together, in nanoseconds.
    pub(super) time: i64,
    /// Number of further stored captures that recorded some of this time.
    pub(super) others: usize,
}

/// Returns the time that stored captures with packets recorded.
pub(super) fn recorded_time(stored: &[CaptureRecord]) -> RecordedTime {
    RecordedTime::union(with_packets(stored).flat_map(|capture| capture.spans.iter().copied()))
}

/// Returns the captures that have packets. Those stored by `--covers` have none, so that nothing in their
/// time can be counted twice.
fn with_packets(stored: &[CaptureRecord]) -> impl Iterator<Item = &CaptureRecord> {
    stored.iter().filter(|capture| capture.recorded > 0)
}

/// Returns the overlap of a capture's recorded time with the stored captures if it must be refused: if it
/// exceeds [`OVERLAP_MAX`] in all, or covers more than half of the new or of a stored capture, since a
/// capture can be shorter than [`OVERLAP_MAX`].
pub(super) fn refused_overlap(time: &RecordedTime, stored: &[CaptureRecord]) -> Option<RefusedOverlap> {
    let total = recorded_time(stored).nanoseconds_in_spans(time.spans());
    let is_most = |part: i64, whole: i64| part > whole / 2;
    let mut refused = total > OVERLAP_MAX || is_most(total, time.total_nanoseconds());
    let mut shared: Vec<(i64, &str)> = Vec::new();
    for capture in with_packets(stored) {
        let part = time.nanoseconds_in_spans(&capture.spans);
        if part > 0 {
            refused |= is_most(part, RecordedTime::union(capture.spans.iter().copied()).total_nanoseconds());
            shared.push((part, &capture.name));
        }
    }
    let (_, name) = shared.iter().max_by_key(|(part, _)| *part).filter(|_| refused && total > 0)?;
    Some(RefusedOverlap { name: (*name).to_owned(), time: total, others: shared.len() - 1 })
}

#[cfg(test)]
mod tests {
    use super::super::SECOND;
    use super::*;
    use crate::history::TimeSpan;
    use crate::packet::Timestamp;

    fn span(first: i64, last: i64) -> TimeSpan {
        (Timestamp(first * SECOND), Timestamp(last * SECOND))
    }

    #[test]
    fn a_few_seconds_at_the_edges_are_accepted() {
        let stored = |name: &str, first, last, recorded| CaptureRecord {
            name: name.to_owned(),
            spans: vec![span(first, last)],
            recorded,
            ..CaptureRecord::default()
        };
        let captures = [
            stored("nine", 9 * 3600, 10 * 3600, 50),
            stored("eleven", 11 * 3600, 12 * 3600, 50),
            stored("given", 0, 24 * 3600, 0),
        ];
        let refused_at =
            |first: i64, last: i64| refused_overlap(&RecordedTime::union([span(first, last)]), &captures);
        assert_eq!(refused_at(10 * 3600 - 2, 11 * 3600 + 2), None, "the hour between");
        assert_eq!(refused_at(10 * 3600, 11 * 3600), None);
        let more = refused_at(10 * 3600 - 4, 11 * 3600 + 3).unwrap();
        assert_eq!((more.name.as_str(), more.time / SECOND, more.others), ("nine", 7, 1));
        let day = refused_at(0, 86_400).unwrap();
        assert_eq!((day.time / SECOND, day.others), (7200, 1));
        // A capture of three seconds, and a lone packet.
        assert!(refused_at(11 * 3600 + 10, 11 * 3600 + 13).is_some());
        assert!(refused_at(11 * 3600 + 10, 11 * 3600 + 10).is_some());
        assert_eq!(refused_at(10 * 3600 + 10, 10 * 3600 + 10), None);
        let short = [stored("short", 100, 103, 3)];
        assert!(refused_overlap(&RecordedTime::union([span(0, 3600)]), &short).is_some());
    }
}
