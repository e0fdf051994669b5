//! Removes the prefix that other programs put before each line of tcpdump when they pass it on: a time and
//! the sender.
//!
//! | written by | looks like |
//! |---|---|
//! | `docker logs -t`, `kubectl logs --timestamps` | `2009-03-02T12:00:00.123456789Z ` |
//! | `docker compose logs -t` | `sensor-1  \| 2009-03-02T12:00:00.123456789Z ` |
//! | `kubectl logs --timestamps --prefix` | `[pod/sensor/tcpdump] 2009-03-02T12:00:00.123456789Z ` |
//! | container runtimes' own files | `2009-03-02T12:00:00.123456789Z stdout F ` |
//! | rsyslog, `journalctl -o short-iso` | `2009-03-02T12:00:00.123456+09:00 host tcpdump[99]: ` |
//! | RFC 5424 | `<30>1 2009-03-02T12:00:00Z host tcpdump 99 - - ` |
//! | RFC 3164, the older syslog | `Mar  2 12:00:00 host tcpdump[99]: ` |
//! | `ts` and similar programs | a date and a time, before tcpdump's own |
//!
//! The time in a prefix is the time at which the line was passed on. tcpdump writes in blocks of several
//! kilobytes unless it runs with `-l`, so many packets may share one such time, and on a quiet sensor it may
//! be hours late. The time that tcpdump prints is that of the packet, and is used wherever it is complete. If
//! it is only a time of day, the time in the prefix gives the date.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::printed_time::{self, PrintedTime};

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;

/// The time at which a line was passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoggedTime {
    /// Year (0 if it was not written), month and day.
    date: (i16, i8, i8),
    /// Nanoseconds since midnight.
    time: i64,
    /// Nanoseconds by which the clock of this time is ahead of UTC, if the line states the offset.
    offset: Option<i64>,
}

impl LoggedTime {
    /// Returns this time as that of a packet whose line has no time printed by tcpdump.
    pub(super) fn to_packet_time(self) -> Option<PrintedTime> {
        let (year, month, day) = self.date;
        match self.offset {
            None => Some(PrintedTime::Dated(year, month, day, self.time)),
            Some(offset) => {
                let date = Date::new(year, month, day).ok()?;
                let midnight = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_nanosecond();
                let midnight = i64::try_from(midnight).ok()?;
                Some(PrintedTime::Epoch(midnight.checked_add(self.time)?.checked_sub(offset)?))
            }
        }
    }

    /// Returns the time of a packet whose line has a time of day. The date is the one of this time, or the
    /// day before or after, whichever is nearest. `in_zone` says that the user named the time zone of
    /// tcpdump's times, so that the offset of this time does not apply.
    pub(super) fn with_time_of_day(self, of_day: i64, in_zone: bool) -> Option<PrintedTime> {
        let (year, month, day) = self.date;
        let date = Date::new(year, month, day).ok()?;
        let date = match of_day - self.time {
            later if later > DAY / 2 => date.yesterday().ok()?,
            earlier if earlier < -DAY / 2 => date.tomorrow().ok()?,
            _ => date,
        };
        let year = if year == 0 { 0 } else { date.year() };
        let offset = self.offset.filter(|_| !in_zone);
        LoggedTime { date: (year, date.month(), date.day()), time: of_day, offset }.to_packet_time()
    }
}

/// Splits a prefix off a line. Returns `None` for a line without one.
pub(super) fn strip(line: &[u8]) -> Option<(LoggedTime, &[u8])> {
    let text = without_priority(without_column(line));
    if let Some((logged, rest)) = rfc3339(text) {
        return Some((logged, without_source(rest)));
    }
    // tcpdump prints times of this format as well. The time is another program's if a sender or a second time
    // follows.
    let (Some(PrintedTime::Dated(year, month, day, time)), rest) = printed_time::split_time(text) else {
        return None;
    };
    let logged = LoggedTime { date: (year, month, day), time, offset: None };
    match without_tag(rest) {
        Some(rest) => Some((logged, rest)),
        None => printed_time::split_time(rest).0.map(|_| (logged, rest)),
    }
}

/// Returns the line without the column that names a container.
fn without_column(line: &[u8]) -> &[u8] {
    /// Length of the longest name that is recognized, in bytes.
    const NAME: usize = 256;
    let head = &line[..line.len().min(NAME)];
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(byte);
    if head.first() == Some(&b'[') {
        let end = head.iter().position(|byte| *byte == b']');
        let named = end.filter(|end| head[1..*end].iter().all(is_name));
        return named.and_then(|end| line[end + 1..].strip_prefix(b" ")).unwrap_or(line);
    }
    let name = head.iter().take_while(|byte| is_name(byte)).count();
    let spaces = head[name..].iter().take_while(|byte| **byte == b' ').count();
    match line[name + spaces..].strip_prefix(b"| ") {
        Some(rest) if name > 0 => rest,
        _ => line,
    }
}

/// Returns the text after the priority (`<30>`) and the version of RFC 5424.
fn without_priority(text: &[u8]) -> &[u8] {
    let Some(inner) = text.strip_prefix(b"<") else { return text };
    let digits = inner.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    match inner[digits..].strip_prefix(b">") {
        Some(rest) if digits > 0 => rest.strip_prefix(b"1 ").unwrap_or(rest),
        _ => text,
    }
}

/// Parses `2009-03-02T12:00:00.123456+09:00`, with or without fraction and offset, and a space after it.
fn rfc3339(text: &[u8]) -> Option<(LoggedTime, &[u8])> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T' | b't', clock @ ..] = text else { return None };
    let number = |digits: &[u8]| -> Option<i16> {
        let plain = digits.iter().all(u8::is_ascii_digit);
        plain.then(|| digits.iter().fold(0, |value, digit| value * 10 + i16::from(digit - b'0')))
    };
    let small = |digits: &[u8]| number(digits).and_then(|number| i8::try_from(number).ok());
    let date = (number(&[*y0, *y1, *y2, *y3])?, small(&[*m0, *m1])?, small(&[*d0, *d1])?);
    Date::new(date.0, date.1, date.2).ok()?;
    let end = clock.iter().take(40).position(|byte| *byte == b' ')?;
    let (clock, rest) = (&clock[..end], &clock[end + 1..]);
    let zone = clock.iter().position(|byte| b"Zz+-".contains(byte)).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(zone);
    // `journalctl` and other programs write a comma before the fraction.
    let comma = clock.iter().position(|byte| *byte == b',');
    let time = match comma {
        Some(at) => printed_time::parse_time_of_day(&[&clock[..at], b".", &clock[at + 1..]].concat())?,
        None => printed_time::parse_time_of_day(clock)?,
    };
    let offset = match zone {
        [] => None,
        [b'Z' | b'z'] => Some(0),
        [sign, h0, h1, n0, n1] | [sign, h0, h1, b':', n0, n1] => {
            let minutes = i64::from(number(&[*h0, *h1])?) * 60 + i64::from(number(&[*n0, *n1])?);
            Some(if *sign == b'-' { -minutes } else { minutes } * 60 * SECOND)
        }
        _ => return None,
    };
    (0..DAY + SECOND).contains(&time).then_some((LoggedTime { date, time, offset }, rest))
}

/// Returns the text after the sender of a line, in any of the formats that follow an RFC 3339 time.
fn without_source(rest: &[u8]) -> &[u8] {
    let container = [b"stdout F ".as_slice(), b"stderr F ", b"stdout P ", b"stderr P "];
    let container = container.iter().find_map(|stream| rest.strip_prefix(*stream));
    container.or_else(|| without_tag(rest)).or_else(|| without_fields(rest)).unwrap_or(rest)
}

/// Returns the text after `host tcpdump[99]: `.
fn without_tag(rest: &[u8]) -> Option<&[u8]> {
    let (host, behind) = split_word(rest)?;
    let (tag, behind) = split_word(behind)?;
    let tag = tag.strip_suffix(b":")?;
    let tag = match tag.iter().position(|byte| *byte == b'[') {
        Some(open) => {
            let number = tag[open + 1..].strip_suffix(b"]")?;
            if !number.iter().all(u8::is_ascii_digit) {
                return None;
            }
            &tag[..open]
        }
        None => tag,
    };
    // In tcpdump's own `IP6 :: > ff02::1: …`, the second word is not a program.
    let is_program = tag.iter().all(|byte| *byte != b':') && tag.first().is_some_and(u8::is_ascii_alphabetic);
    (is_name(host) && is_name(tag) && is_program).then_some(behind)
}

/// Returns the text after the fields of RFC 5424, `host tcpdump 99 - - `: host, program, process, message and
/// structured data.
fn without_fields(rest: &[u8]) -> Option<&[u8]> {
    let (host, behind) = split_word(rest)?;
    let (program, behind) = split_word(behind)?;
    let (process, behind) = split_word(behind)?;
    let (message, behind) = split_word(behind)?;
    let named = [host, program, process, message].into_iter().all(is_name);
    let behind = if behind.first() == Some(&b'[') {
        let end = behind.windows(2).position(|two| two == b"] ")?;
        &behind[end + 2..]
    } else {
        behind.strip_prefix(b"- ")?
    };
    // A byte order mark may mark the message as UTF-8.
    named.then(|| behind.strip_prefix(b"\xef\xbb\xbf").unwrap_or(behind))
}

fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@".contains(byte))
}

/// Splits a text at its first space, which must be among the first 256 bytes.
fn split_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().take(256).position(|byte| *byte == b' ')?;
    Some((&text[..end], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "12:00:00.000000 IP 1.2.3.4.5 > 6.7.8.9.80: Flags [S]";

    #[test]
    fn every_program_is_taken_off() {
        for before in [
            "2009-03-02T12:00:00.123456789Z ",
            "2009-03-02t12:00:00z ",
            "2009-03-02T12:00:00,123456+0900 host tcpdump[99]: ",
            "2009-03-02T12:00:00.123456+09:00 sensor1 tcpdump: ",
            "2009-03-02T12:00:00.5-03:30 stdout F ",
            "2009-03-02T12:00:00 ",
            "sensor-1  | 2009-03-02T12:00:00.123456789Z ",
            "[pod/sensor-7f/tcpdump] 2009-03-02T12:00:00.123456789Z ",
            "<30>1 2009-03-02T12:00:00Z host tcpdump 99 - - ",
            "<30>1 2009-03-02T12:00:00Z host tcpdump 99 ID7 [x@1 a=\"b\"] ",
            "<30>Mar  2 12:00:00 host tcpdump[99]: ",
            "Mar 12 12:00:00 gateway pf: ",
            "Mar 02 12:00:00 ",
            "2009-03-02 12:00:00 ",
        ] {
            let line = format!("{before}{LINE}");
            assert_eq!(strip(line.as_bytes()).map(|(_, rest)| rest), Some(LINE.as_bytes()), "{line}");
        }
    }

    #[test]
    fn what_tcpdump_prints_itself_is_left() {
        for line in [
            LINE,
            "2009-03-02 12:00:00.000000 IP 1.2.3.4.5 > 6.7.8.9.80: Flags [S]",
            "Mar 02 12:00:00.000000 rule 14/(match) block in on em0: 1.2.3.4.5 > 6.7.8.9.80: S",
            "Mar 02 12:00:00.000000 rule 22/0(match): block in on em0: 1.2.3.4.5 > 6.7.8.9.80: S",
            "2009-03-02 12:00:00.000000 IP6 fe80::1 > ff02::1: ICMP6, echo request",
            "2009-03-02 12:00:00.000000 IP6 :: > ff02::1: ICMP6, neighbor solicitation",
            "2009-03-02 12:00:00.000000 IP6 fe80::1: 1",
            "2009-03-02T12:00:00.1 ",
            "2009-13-02T12:00:00Z IP",
            "2009-03-02T12:00:00+9 IP",
            "",
        ] {
            let stripped = strip(line.as_bytes());
            assert!(stripped.is_none_or(|(_, rest)| rest.is_empty()), "{line}: {stripped:?}");
        }
    }

    #[test]
    fn a_time_of_day_is_put_on_the_nearest_day() {
        let day = |prefix: &str, of_day: i64, in_zone| {
            let line = format!("{prefix} {LINE}");
            let (logged, _) = strip(line.as_bytes()).unwrap();
            logged.with_time_of_day(of_day * SECOND, in_zone)
        };
        let midnight = 1_235_952_000 * SECOND;
        assert_eq!(day("2009-03-02T00:00:09Z", 1, false), Some(PrintedTime::Epoch(midnight + SECOND)));
        assert_eq!(day("2009-03-02T00:00:09Z", 86_399, false), Some(PrintedTime::Epoch(midnight - SECOND)));
        assert_eq!(day("2009-03-01T23:59:58Z", 1, false), Some(PrintedTime::Epoch(midnight + SECOND)));
        assert_eq!(
            day("2009-03-02T09:00:09+09:00", 9 * 3600, false),
            Some(PrintedTime::Epoch(midnight)),
            "by the clock of the line"
        );
        assert_eq!(
            day("2009-03-02T00:00:09Z", 1, true),
            Some(PrintedTime::Dated(2009, 3, 2, SECOND)),
            "by the clock that the user names"
        );
    }
}
