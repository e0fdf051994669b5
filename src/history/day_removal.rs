//! Removal of days from a sensor's captures and open windows.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::packet::Timestamp;

use super::{CaptureRecord, Day, EngineState, TimeSpan, nanoseconds_by_day};

/// Returns the days, in a time zone, that the spans of the captures touch.
#[must_use]
pub fn recorded_days<'c>(
    captures: impl IntoIterator<Item = &'c CaptureRecord>,
    zone: &TimeZone,
) -> BTreeSet<Date> {
    captures.into_iter().flat_map(|capture| nanoseconds_by_day(&capture.spans, zone).into_keys()).collect()
}

/// Returns the engine state that follows these captures when no window is open: the clock stands at the end
/// of the latest capture.
#[must_use]
pub fn state_after_captures<'c>(captures: impl IntoIterator<Item = &'c CaptureRecord>) -> EngineState {
    let clock = captures.into_iter().filter_map(CaptureRecord::last).max();
    EngineState { clock, ..EngineState::default() }
}

/// Returns the time span from the beginning of the first day to the end of the last.
fn span_of_days((first, last): (Date, Date), zone: &TimeZone) -> TimeSpan {
    let end =
        last.tomorrow().map_or(Timestamp(i64::MAX), |next| Timestamp(Day::from_date(next, zone).start.0 - 1));
    (Day::from_date(first, zone).start, end)
}

impl CaptureRecord {
    /// Returns the record without the recorded time of a range of days (both ends included), or `None` if no
    /// recorded time is left.
    ///
    /// A record that was cut gets a new content hash and packet hash, so that the history no longer
    /// recognizes the file and accepts it again for the missing days. The packet counts are reduced in
    /// proportion to the recorded time, because a history does not know how many packets of a day came from
    /// which capture.
    #[must_use]
    pub fn without_days(&self, days: (Date, Date), zone: &TimeZone) -> Option<CaptureRecord> {
        let (from, to) = span_of_days(days, zone);
        let before = |(first, last): &TimeSpan| (*first, Timestamp(from.0.saturating_sub(1)).min(*last));
        let after = |(first, last): &TimeSpan| (Timestamp(to.0.saturating_add(1)).max(*first), *last);
        let parts = self.spans.iter().flat_map(|span| [before(span), after(span)]);
        let spans: Vec<TimeSpan> = parts.filter(|(first, last)| first <= last).collect();
        if spans == self.spans {
            return Some(self.clone());
        }
        if spans.is_empty() {
            return None;
        }
        let length = |spans: &[TimeSpan]| -> u128 {
            spans.iter().map(|(first, last)| u128::from(last.0.abs_diff(first.0)) + 1).sum()
        };
        let (left, whole) = (length(&spans), length(&self.spans));
        let part = |count: u64| u64::try_from(u128::from(count) * left / whole).unwrap_or(count);
        let again = |hash: &[u8; 32]| {
            let text = format!("inga cut {:?} {} {}", hash, days.0, days.1);
            *blake3::hash(text.as_bytes()).as_bytes()
        };
        Some(CaptureRecord {
            content: again(&self.content),
            packet_hash: again(&self.packet_hash),
            name: self.name.clone(),
            packets: part(self.packets),
            recorded: part(self.recorded),
            dropped: self.dropped.map(part),
            spans,
            fed_at: self.fed_at,
            part: None,
        })
    }
}

impl EngineState {
    /// Removes the open windows that began on days for which `gone` returns true.
    #[must_use]
    pub fn without_days(mut self, gone: &dyn Fn(Date) -> bool, zone: &TimeZone) -> EngineState {
        self.windows.retain(|window| window.start.is_none_or(|start| !gone(start.day(zone))));
        self
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    fn record(spans: &[(i64, i64)]) -> CaptureRecord {
        let span = |(from, to): &(i64, i64)| (Timestamp(from * HOUR), Timestamp(to * HOUR));
        CaptureRecord { spans: spans.iter().map(span).collect(), packets: 100, ..CaptureRecord::default() }
    }

    #[test]
    fn a_cut_record_has_two_ends_more_and_is_no_longer_known() {
        let whole = record(&[(0, 96)]);
        let second = date(1970, 1, 2);
        let cut = whole.without_days((second, second), &TimeZone::UTC).unwrap();
        assert_eq!(cut.spans.len(), 2);
        assert_eq!(cut.spans[0], (Timestamp(0), Timestamp(24 * HOUR - 1)));
        assert_eq!(cut.spans[1], (Timestamp(48 * HOUR), Timestamp(96 * HOUR)));
        assert_eq!(cut.packets, 75);
        assert_ne!(cut.content, whole.content);
        let days: Vec<i8> = recorded_days([&cut], &TimeZone::UTC).iter().map(|day| day.day()).collect();
        assert_eq!(days, [1, 3, 4, 5]);
        assert_eq!(
            whole.without_days((date(1970, 2, 1), date(1970, 2, 9)), &TimeZone::UTC),
            Some(whole.clone())
        );
        assert_eq!(whole.without_days((date(1969, 1, 1), date(1970, 1, 5)), &TimeZone::UTC), None);
    }
}
