//! Time that a capture and stored captures of the same sensor both recorded: packets in it may be counted twice.

use crate::history::{CaptureRecord, OVERLAP_MAX, RecordedTime};

/// What becomes of packets in time that another capture of the sensor recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// The capture is refused, if it is more than a few seconds.
    #[default]
    Refuse,
    /// They are left out and counted.
    Skip,
    /// They count: two recorders shared the work.
    Add,
}

/// Overlapping time that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// The stored capture that has most of it.
    pub(super) name: String,
    /// In nanoseconds, with all stored captures together.
    pub(super) time: i64,
    /// How many other stored captures recorded some of this time.
    pub(super) others: usize,
}

/// Returns the time that stored captures with packets recorded.
pub(super) fn recorded(stored: &[CaptureRecord]) -> RecordedTime {
    RecordedTime::union(with_packets(stored).flat_map(|capture| capture.spans.iter().copied()))
}

/// Time that was given with `--covers` has no packets that could be counted twice.
fn with_packets(stored: &[CaptureRecord]) -> impl Iterator<Item = &CaptureRecord> {
    stored.iter().filter(|capture| capture.recorded > 0)
}

/// Returns the overlap of a capture's time with stored captures, if it is refused: more than [`OVERLAP_MAX`] in all, or
/// more than half of the capture or of a stored one, since a capture can be shorter than that.
pub(super) fn refused(time: &RecordedTime, stored: &[CaptureRecord]) -> Option<Refused> {
    let total = recorded(stored).common_of(time.spans());
    let is_most = |part: i64, whole: i64| part > whole / 2;
    let mut refused = total > OVERLAP_MAX || is_most(total, time.total());
    let mut shared: Vec<(i64, &str)> = Vec::new();
    for capture in with_packets(stored) {
        let part = time.common_of(&capture.spans);
        if part > 0 {
            refused |= is_most(part, RecordedTime::union(capture.spans.iter().copied()).total());
            shared.push((part, &capture.name));
        }
    }
    let (_, name) = shared.iter().max_by_key(|(part, _)| *part).filter(|_| refused && total > 0)?;
    Some(Refused { name: (*name).to_owned(), time: total, others: shared.len() - 1 })
}

#[cfg(test)]
mod tests {
    use super::super::SECOND;
    use super::*;
    use crate::event::Timestamp;
    use crate::history::TimeSpan;

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
            |first: i64, last: i64| refused(&RecordedTime::union([span(first, last)]), &captures);
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
        assert!(refused(&RecordedTime::union([span(0, 3600)]), &short).is_some());
    }
}
