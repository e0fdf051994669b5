//! When within its days a sensor looked: the spans of its captures.

use crate::event::Timestamp;

/// Between captures of one sensor a silence of so many mean distances of its packets is no gap: by chance one is as long
/// once in e^10 = 22,000 times.
const SILENCE_MEANS_MAX: i64 = 10;

/// From a capture's first packet to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CaptureSpan {
    /// The first packet's time.
    pub first: Timestamp,
    /// The last one's.
    pub last: Timestamp,
    /// Packets to dark addresses.
    pub packets: u64,
}

impl CaptureSpan {
    /// The longest time without a packet in which the sensor may still have looked.
    fn silence(&self) -> i64 {
        let packets = i64::try_from(self.packets).unwrap_or(i64::MAX);
        let mean = self.last.0.saturating_sub(self.first.0) / packets.saturating_sub(1).max(1);
        mean.saturating_mul(SILENCE_MEANS_MAX)
    }
}

/// All times in which a sensor looked, as far as packets tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedTime {
    /// Apart from each other, ascending.
    spans: Vec<(Timestamp, Timestamp)>,
}

impl RecordedTime {
    /// Those of captures, in any order. Captures that follow each other closely are one look: where packets are rare, the
    /// last of one and the first of the next lie hours apart.
    #[must_use]
    pub fn of(mut captures: Vec<CaptureSpan>) -> RecordedTime {
        captures.sort_unstable();
        let mut spans: Vec<(Timestamp, Timestamp)> = Vec::new();
        let mut silence = 0;
        for look in captures {
            let own = look.silence();
            match spans.last_mut() {
                Some((_, last)) if look.first.0.saturating_sub(last.0) <= own.max(silence) => {
                    *last = look.last.max(*last);
                }
                _ => spans.push((look.first, look.last)),
            }
            silence = own;
        }
        RecordedTime { spans }
    }

    /// How many nanoseconds from one moment to before another it looked; a lone packet is a look of one.
    #[must_use]
    pub fn within(&self, from: Timestamp, to: Timestamp) -> i64 {
        let begin = self.spans.partition_point(|(_, last)| *last < from);
        let spans = self.spans.iter().skip(begin).take_while(|(first, _)| *first < to);
        spans.map(|(first, last)| (last.0.saturating_add(1)).min(to.0) - first.0.max(from.0)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    fn look(first: i64, last: i64, packets: u64) -> CaptureSpan {
        CaptureSpan { first: Timestamp(first * MINUTE), last: Timestamp(last * MINUTE), packets }
    }

    #[test]
    fn what_lies_between_captures_was_not_looked_at() {
        // A packet a second: the file of 10:00 to 11:00, the next from 11:00 on, none from 12:00 to 14:00.
        let looks = RecordedTime::of(vec![look(840, 900, 3600), look(600, 660, 3600), look(660, 720, 3600)]);
        let within = |from: i64, to: i64| looks.within(Timestamp(from * MINUTE), Timestamp(to * MINUTE));
        assert_eq!([within(540, 600), within(600, 660)], [0, 60 * MINUTE]);
        assert_eq!([within(690, 750), within(721, 840)], [30 * MINUTE + 1, 0]);
        assert_eq!([within(720, 780), within(600, 900)], [1, 180 * MINUTE + 1]);
        assert_eq!(RecordedTime::default().within(Timestamp(0), Timestamp(MINUTE)), 0);
    }

    #[test]
    fn rare_packets_leave_silence_that_is_no_gap() {
        // Twelve packets a day: two hours lie between them, four between these two captures.
        let quiet = RecordedTime::of(vec![look(60, 1380, 12), look(1620, 2820, 11)]);
        assert_eq!(quiet.within(Timestamp(1380 * MINUTE), Timestamp(1620 * MINUTE)), 240 * MINUTE);
        // A capture without a packet to a dark address is a look, too.
        assert_eq!(
            RecordedTime::of(vec![look(0, 60, 0)]).within(Timestamp(0), Timestamp(60 * MINUTE)),
            60 * MINUTE
        );
    }
}
