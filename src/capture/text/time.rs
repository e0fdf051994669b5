//! Converts the times that tcpdump printed to timestamps.
//!
//! A log whose first packet is at `00:00:00.000000` prints differences. Whether these count since the line
//! before or since the first packet follows from the next packets, because differences since the first packet
//! never fall. Up to [`UNDECIDED_MAX`] packets wait for this decision. If no difference falls before the log
//! ends, at least four rises in a row are taken for differences since the first packet, and fewer for `-ttt`.
//! In a log of five packets that was printed with `-ttt`, differences rise like this by chance in one of 24
//! cases; in longer logs they do so more rarely.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::packet::{Clock, Packet, Timestamp};

use super::TextOptions;
use super::prefix::LoggedTime;
use super::printed_time::{DAY, PrintedTime};

/// Maximum number of packets that wait until the log shows to what its differences refer.
const UNDECIDED_MAX: usize = 64;
/// Minimum number of rises in a row, the first of them from zero, that are not attributed to chance.
const RISES_MIN: usize = 4;

/// Converts printed times to timestamps, in the order of the lines.
pub(super) struct TimeConverter<'a> {
    options: &'a TextOptions,
    /// The kind of the times; `None` until the first time is converted.
    clock: Option<Clock>,
    /// The time at which another program passed on the current line, if the line has such a prefix.
    logged: Option<LoggedTime>,
    /// The time at which the first line was passed on. The origin of times if no date is known.
    origin: Option<Timestamp>,
    /// In a log of differences, the sum of the differences so far; in a log of times of day, the whole days
    /// that have passed since the first line. In nanoseconds.
    elapsed: i64,
    last_of_day: Option<i64>,
    /// The reference of the log's differences.
    differences: DifferenceReference,
    /// Packets that wait for the decision about this reference, with their differences in nanoseconds.
    waiting: Vec<(Packet, i64)>,
    /// The last date whose midnight was computed, with its midnight, because time zone rules are slow.
    last_midnight: Option<(Date, Timestamp)>,
}

/// The reference of the differences that a log prints.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DifferenceReference {
    /// The log does not print differences, or no packet has been read.
    None,
    /// The log prints differences, but their reference is not known yet.
    Undecided,
    /// Differences are since the line before.
    SinceLast,
    /// Differences are since the first packet.
    SinceFirst,
}

impl<'a> TimeConverter<'a> {
    pub(super) fn new(options: &'a TextOptions) -> TimeConverter<'a> {
        TimeConverter {
            options,
            clock: None,
            logged: None,
            origin: None,
            elapsed: 0,
            last_of_day: None,
            differences: DifferenceReference::None,
            waiting: Vec::new(),
            last_midnight: None,
        }
    }

    /// Sets the time at which another program passed on the next line.
    pub(super) fn set_logged(&mut self, logged: Option<LoggedTime>) {
        self.logged = logged;
    }

    /// Returns the time printed by tcpdump, or, if there is none, the time at which the line was passed on.
    pub(super) fn or_logged(&self, own: Option<PrintedTime>) -> Option<PrintedTime> {
        own.or_else(|| self.logged.and_then(LoggedTime::to_packet_time))
    }

    /// Accepts a packet with its printed time. Passes it on now, or when the reference is decided.
    pub(super) fn accept_packet(
        &mut self,
        packet: Packet,
        stamp: Option<PrintedTime>,
        hand_on: &mut impl FnMut(Packet),
    ) {
        match self.as_difference(stamp) {
            Some(difference) => {
                self.waiting.push((packet, difference));
                self.decide_reference(hand_on, false);
            }
            None => {
                let time = self.timestamp(stamp);
                hand_on(packet.with_time(time));
            }
        }
    }

    /// Accepts the time of a line that gives no packet, because later differences may refer to it.
    pub(super) fn accept_time(&mut self, stamp: Option<PrintedTime>) {
        match self.as_difference(stamp) {
            // A line without a packet cannot wait for the decision, so its difference is added at once.
            Some(difference) if self.differences != DifferenceReference::SinceFirst => {
                self.elapsed += difference
            }
            Some(_) => {}
            None => {
                self.timestamp(stamp);
            }
        }
    }

    /// Passes on the packets that still wait. Returns the kind of the log's times.
    pub(super) fn finish(mut self, hand_on: &mut impl FnMut(Packet)) -> Clock {
        self.decide_reference(hand_on, true);
        self.clock.unwrap_or(Clock::None)
    }

    /// Returns the difference that a printed time stands for, or `None` if it is not a difference.
    fn as_difference(&mut self, stamp: Option<PrintedTime>) -> Option<i64> {
        let begins = self.clock.is_none() && self.differences == DifferenceReference::None;
        if begins
            && let Some(PrintedTime::Epoch(nanoseconds)) = self.logged.and_then(LoggedTime::to_packet_time)
        {
            self.origin = Some(Timestamp(nanoseconds));
        }
        match stamp {
            Some(PrintedTime::Difference(value)) => {
                if begins {
                    self.differences = DifferenceReference::Undecided;
                }
                Some(value)
            }
            Some(PrintedTime::TimeOfDay(0)) if begins => {
                self.differences = DifferenceReference::Undecided;
                Some(0)
            }
            Some(PrintedTime::TimeOfDay(value)) if self.differences != DifferenceReference::None => {
                Some(value)
            }
            _ => None,
        }
    }

    /// Decides to what differences refer, if that is possible or the log has ended, and passes on the packets
    /// that waited for the decision.
    fn decide_reference(&mut self, hand_on: &mut impl FnMut(Packet), ended: bool) {
        if self.differences == DifferenceReference::Undecided {
            let fell = self.waiting.windows(2).any(|pair| pair[1].1 < pair[0].1);
            if fell || self.waiting.iter().any(|(_, difference)| *difference < 0) {
                self.differences = DifferenceReference::SinceLast;
            } else if self.waiting.len() >= UNDECIDED_MAX || (ended && self.waiting.len() > RISES_MIN) {
                self.differences = DifferenceReference::SinceFirst;
            } else if ended {
                self.differences = DifferenceReference::SinceLast;
            } else {
                return;
            }
        }
        for (packet, difference) in std::mem::take(&mut self.waiting) {
            let since_midnight = match self.differences {
                DifferenceReference::SinceFirst => difference,
                _ => {
                    self.elapsed = self.elapsed.saturating_add(difference);
                    self.elapsed
                }
            };
            let time = self.after_midnight(since_midnight);
            hand_on(packet.with_time(Some(time)));
        }
    }

    /// Converts a printed time to a timestamp.
    fn timestamp(&mut self, stamp: Option<PrintedTime>) -> Option<Timestamp> {
        match stamp? {
            PrintedTime::Epoch(nanoseconds) => {
                self.clock = Some(Clock::Absolute);
                Some(Timestamp(nanoseconds))
            }
            PrintedTime::Dated(0, month, day, time) => {
                let year = self.options.date.map_or(1970, Date::year);
                let midnight = self.midnight(Date::new(year, month, day).ok()?)?;
                self.note_clock(self.options.date.is_some());
                Some(midnight.plus_nanoseconds(time))
            }
            PrintedTime::Dated(year, month, day, time) => {
                let midnight = self.midnight(Date::new(year, month, day).ok()?)?;
                self.clock = Some(Clock::Absolute);
                Some(midnight.plus_nanoseconds(time))
            }
            PrintedTime::SinceLast(difference) | PrintedTime::Difference(difference) => {
                self.elapsed = self.elapsed.saturating_add(difference);
                Some(self.after_midnight(self.elapsed))
            }
            PrintedTime::TimeOfDay(time) => match self.on_logged_day(time) {
                Some(stamp) => self.timestamp(Some(stamp)),
                None => Some(self.across_midnight(time)),
            },
            PrintedTime::Unreadable => None,
        }
    }

    /// Puts a time of day on the date on which its line was passed on, unless the user named a date.
    fn on_logged_day(&self, time: i64) -> Option<PrintedTime> {
        let logged = self.logged.filter(|_| self.options.date.is_none())?;
        logged.with_time_of_day(time, self.options.zone != TimeZone::UTC)
    }

    /// Converts a time of day. A time that falls by more than half a day belongs to the next day, and one
    /// that rises by more than half a day belongs to the day before.
    fn across_midnight(&mut self, time: i64) -> Timestamp {
        if let Some(last) = self.last_of_day.replace(time) {
            if last - time > DAY / 2 {
                self.elapsed += DAY;
            } else if time - last > DAY / 2 {
                self.elapsed -= DAY;
            }
        }
        self.after_midnight(self.elapsed.saturating_add(time))
    }

    /// Converts nanoseconds since the beginning of the log's day, or since its first packet.
    fn after_midnight(&mut self, nanoseconds: i64) -> Timestamp {
        let midnight = self.options.date.and_then(|date| self.midnight(date)).or(self.origin);
        self.note_clock(midnight.is_some());
        midnight.unwrap_or(Timestamp(0)).plus_nanoseconds(nanoseconds)
    }

    fn note_clock(&mut self, dated: bool) {
        self.clock = Some(if dated { Clock::Absolute } else { Clock::Relative });
    }

    /// Returns the beginning of a day in the time zone of the log.
    fn midnight(&mut self, date: Date) -> Option<Timestamp> {
        if let Some((_, midnight)) = self.last_midnight.filter(|(day, _)| *day == date) {
            return Some(midnight);
        }
        let instant = date.to_zoned(self.options.zone.clone()).ok()?.timestamp();
        let midnight = i64::try_from(instant.as_nanosecond()).ok().map(Timestamp)?;
        self.last_midnight = Some((date, midnight));
        Some(midnight)
    }
}
