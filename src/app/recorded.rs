//! Which of a capture's packets count, and on which days its sensor recorded, as far as the packets' times show it.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::event::{AddressSpace, Packet, Timestamp};
use crate::history::CaptureSpan;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 24 * 3600 * SECOND;
/// 1990-01-01 UTC. No telescope recorded before; a recorder without a battery boots in 1970 or 1980.
const EARLIEST: Timestamp = Timestamp(631_152_000 * SECOND);
/// Mean distances of a capture's packets that a silence may last. Were packets independent, one silence in e^10 = 22,000
/// would last ten mean distances; but they come in bursts of some ten from one scanner, so bursts are ten times as far
/// apart. Sensors with fewer than 100 packets a day keep their silent days as zeros.
const SILENCE_MEANS_MAX: i64 = 100;

/// The times that a recorder's clock can have shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlausibleTimes {
    from: Timestamp,
    until: Timestamp,
}

impl PlausibleTimes {
    /// From 1990 to a day after `now`, since the clocks of recorders and of this machine may differ.
    pub(super) fn until_tomorrow(now: Timestamp) -> PlausibleTimes {
        PlausibleTimes { from: EARLIEST, until: Timestamp(now.0.saturating_add(DAY)) }
    }

    /// All times, as laboratories may simulate them.
    pub(super) fn all() -> PlausibleTimes {
        PlausibleTimes { from: Timestamp(i64::MIN), until: Timestamp(i64::MAX) }
    }

    fn contains(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.until
    }
}

/// What a capture's packets, taken in time order, show of its sensor.
pub(super) struct Recorded {
    plausible: PlausibleTimes,
    /// Packets up to this time were counted with an earlier state of the same file.
    counted_before: Option<Timestamp>,
    /// The times of the first and last packet that counts, to whatever address.
    pub(super) span: Option<(Timestamp, Timestamp)>,
    /// Packets to dark addresses.
    pub(super) dark: u64,
    /// Packets to whatever address.
    packets: u64,
    /// Silences of more than a day: the packets before and after.
    silences: Vec<(Timestamp, Timestamp)>,
    /// Packets whose time cannot be right.
    implausible: u64,
    /// The time of the first of these.
    first_implausible: Option<Timestamp>,
    growth: Growth,
}

impl Recorded {
    /// Begins a capture of a sensor of which `captures` are stored.
    pub(super) fn new(plausible: PlausibleTimes, captures: &[CaptureSpan]) -> Recorded {
        Recorded {
            plausible,
            counted_before: None,
            span: None,
            dark: 0,
            packets: 0,
            silences: Vec::new(),
            implausible: 0,
            first_implausible: None,
            growth: Growth::new(captures),
        }
    }

    /// Begins another reading that leaves out what was counted before.
    pub(super) fn again(&self, counted_before: Option<Timestamp>) -> Recorded {
        Recorded { counted_before, ..Recorded::new(self.plausible, &[]) }
    }

    /// Notes a packet, and returns whether it counts.
    pub(super) fn takes(&mut self, packet: &Packet, space: &AddressSpace) -> bool {
        let dark = space.contains(packet.destination());
        if let Some(time) = packet.time() {
            if !self.plausible.contains(time) {
                self.implausible += 1;
                self.first_implausible.get_or_insert(time);
                return false;
            }
            if self.counted_before.is_some_and(|before| time <= before) {
                return false;
            }
            self.growth.see(time, dark);
            self.see(time);
        }
        self.packets += 1;
        self.dark += u64::from(dark);
        dark
    }

    fn see(&mut self, time: Timestamp) {
        let (first, last) = self.span.unwrap_or((time, time));
        if time.0.saturating_sub(last.0) > DAY {
            self.silences.push((last, time));
        }
        self.span = Some((first.min(time), last.max(time)));
    }

    /// The time up to which stored captures have this capture's packets, because they were fed when the file was
    /// shorter.
    pub(super) fn continues_at(&self) -> Option<Timestamp> {
        self.growth.continues_at()
    }

    /// The time up to which packets are left out of this reading.
    pub(super) fn counted_before(&self) -> Option<Timestamp> {
        self.counted_before
    }

    /// Says how many packets were left out for their times, if any.
    pub(super) fn notice(&self) -> Option<String> {
        let first = self.first_implausible?;
        Some(format!(
            "{} × time before 1990 or after tomorrow, left out, first {first}; the recorder's clock was wrong, or give \
             --accept-times",
            self.implausible
        ))
    }

    /// The days on which the sensor recorded, in its own time zone. A day without a packet is one of them only where
    /// packets are so rare that a silence of this length may come by chance.
    pub(super) fn days(&self, zone: &TimeZone) -> BTreeSet<Date> {
        let Some((first, last)) = self.span else { return BTreeSet::new() };
        let longest = self.longest_silence(first, last);
        let mut days = BTreeSet::new();
        let mut from = first;
        let gaps = self.silences.iter().filter(|(before, after)| after.0.saturating_sub(before.0) > longest);
        for (before, after) in gaps {
            add_days(&mut days, (from, *before), zone);
            from = *after;
        }
        add_days(&mut days, (from, last), zone);
        days
    }

    /// The longest silence, in nanoseconds, in which the sensor may still have recorded. Silences of more than a day
    /// are no part of the mean: they may be gaps.
    fn longest_silence(&self, first: Timestamp, last: Timestamp) -> i64 {
        let silent: i64 = self.silences.iter().map(|(before, after)| after.0.saturating_sub(before.0)).sum();
        let distances = i64::try_from(self.packets).unwrap_or(i64::MAX) - 1;
        let short = distances.saturating_sub(i64::try_from(self.silences.len()).unwrap_or(i64::MAX)).max(1);
        let mean = last.0.saturating_sub(first.0).saturating_sub(silent) / short;
        mean.saturating_mul(SILENCE_MEANS_MAX)
    }
}

fn add_days(days: &mut BTreeSet<Date>, (first, last): (Timestamp, Timestamp), zone: &TimeZone) {
    let (first, last) = (first.day(zone), last.day(zone));
    days.extend(first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last));
}

/// Finds out whether a capture begins with packets of captures that are stored already, because its file was fed while
/// it grew. A stored capture is a beginning of this one when both begin at the same nanosecond and have the same
/// number of packets to dark addresses up to the stored one's end.
#[derive(Default)]
struct Growth {
    /// Time of the last packet, and dark packets, of stored captures by the time of their first packet.
    stored: HashMap<Timestamp, (Timestamp, u64)>,
    state: GrowthState,
    /// The end of the last stored capture that is a beginning of this one.
    counted_to: Option<Timestamp>,
}

#[derive(Default)]
enum GrowthState {
    /// The next packet may be the first of a stored capture.
    #[default]
    AtStart,
    /// Within a stored capture: its end, its dark packets, and those counted so far.
    Within(Timestamp, u64, u64),
    /// What comes was not stored before.
    Beyond,
}

impl Growth {
    fn new(captures: &[CaptureSpan]) -> Growth {
        let stored = captures.iter().map(|look| (look.first, (look.last, look.packets))).collect();
        Growth { stored, ..Growth::default() }
    }

    #[inline]
    fn see(&mut self, time: Timestamp, dark: bool) {
        match &mut self.state {
            GrowthState::Beyond => {}
            GrowthState::Within(last, _, counted) if time <= *last => *counted += u64::from(dark),
            _ => self.turn(time, dark),
        }
    }

    /// Ends a stored capture, and begins the next one that is stored, if any.
    fn turn(&mut self, time: Timestamp, dark: bool) {
        if let GrowthState::Within(last, stored, counted) = self.state {
            if counted != stored {
                self.state = GrowthState::Beyond;
                return;
            }
            self.counted_to = Some(last);
        }
        self.state = match self.stored.get(&time) {
            Some((last, stored)) => GrowthState::Within(*last, *stored, u64::from(dark)),
            None => GrowthState::Beyond,
        };
    }

    fn continues_at(&self) -> Option<Timestamp> {
        match self.state {
            GrowthState::Within(last, stored, counted) if counted == stored => Some(last),
            _ => self.counted_to,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::event::Protocol;

    const HOUR: i64 = 3600 * SECOND;
    /// 2024-06-20 UTC.
    const START: i64 = 1_718_841_600 * SECOND;

    fn recorded(captures: &[CaptureSpan], times: impl IntoIterator<Item = i64>) -> Recorded {
        let plausible = PlausibleTimes::until_tomorrow(Timestamp(START + 30 * DAY));
        let mut recorded = Recorded::new(plausible, captures);
        let address = Ipv4Addr::new(192, 0, 2, 1).into();
        for time in times {
            let packet = Packet::new(address, address, Protocol::Tcp).with_time(Some(Timestamp(time)));
            recorded.takes(&packet, &AddressSpace::whole());
        }
        recorded
    }

    fn hourly(day: i64) -> impl Iterator<Item = i64> {
        (0..24).map(move |hour| START + day * DAY + hour * HOUR)
    }

    #[test]
    fn days_within_a_long_silence_are_not_recorded() {
        let days = |times: Vec<i64>| recorded(&[], times).days(&TimeZone::UTC).len();
        assert_eq!(days(hourly(0).chain(hourly(1)).collect()), 2);
        assert_eq!(
            days(hourly(0).chain(hourly(9)).collect()),
            2,
            "eight days of silence at a packet an hour"
        );
        // Four packets a day: a silence of two days is six mean distances long.
        let rare = |day: i64| (0..4).map(move |part| START + day * DAY + part * 8 * HOUR);
        assert_eq!(days(rare(0).chain(rare(2)).collect()), 4);
        assert_eq!(days(vec![START, START + 9 * DAY]), 2, "two packets show no rate");
        assert_eq!(days(Vec::new()), 0);
    }

    #[test]
    fn times_that_cannot_be_are_left_out() {
        let wrong = [5 * SECOND, START + 40 * DAY, i64::MAX, i64::MIN + 1];
        let recorded = recorded(&[], hourly(0).chain(wrong));
        assert_eq!((recorded.packets, recorded.implausible), (24, 4));
        assert_eq!(recorded.days(&TimeZone::UTC).len(), 1);
        assert!(recorded.notice().unwrap().contains("1970-01-01"));
    }

    #[test]
    fn a_file_that_has_grown_is_continued_where_it_ended() {
        let look = |from: i64, to: i64, packets: u64| CaptureSpan {
            first: Timestamp(START + from * HOUR),
            last: Timestamp(START + to * HOUR),
            packets,
        };
        let end = |captures: &[CaptureSpan]| {
            recorded(captures, hourly(0)).continues_at().map(|end| (end.0 - START) / HOUR)
        };
        assert_eq!(end(&[]), None);
        assert_eq!(end(&[look(0, 9, 10)]), Some(9));
        // Fed three times while it grew.
        assert_eq!(end(&[look(0, 9, 10), look(10, 14, 5)]), Some(14));
        assert_eq!(end(&[look(0, 23, 24)]), Some(23), "another container of the same packets");
        for other in [look(0, 9, 9), look(1, 9, 9), look(-1, 9, 11)] {
            assert_eq!(end(&[other]), None, "{other:?}");
        }
    }
}
