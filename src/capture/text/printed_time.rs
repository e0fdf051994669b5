//! Parses times as tcpdump prints them, with six options whose formats differ between versions.
//!
//! | option | prints | known since |
//! |---|---|---|
//! | (none) | `19:36:38.895530` | all versions |
//! | `-tt` | `1505072198.895530` | all versions |
//! | `-ttt` | `000000`, `5. 123456`, `-384. 460957` (seconds and microseconds since the line before) | 3.x |
//! | `-ttt` | `00:00:05.123456`; since 4.99 after a space, and with a minus if time runs backwards | 4.0 |
//! | `-tttt` | `09/10/2017 19:36:38.895530`, `2017-09-10 19:36:38.895530` | 3.7, 3.8 |
//! | `-ttttt` | as `-ttt` of 4.x, since the first packet | 4.0 |
//!
//! OpenBSD prints `Sep 10 19:36:38.895530`.

/// Nanoseconds of a second and of a day.
pub(super) const SECOND: i64 = 1_000_000_000;
pub(super) const DAY: i64 = 86_400 * SECOND;

/// The time of a line, as printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrintedTime {
    /// Nanoseconds since midnight.
    TimeOfDay(i64),
    /// Nanoseconds since 1970.
    Epoch(i64),
    /// Year (0 if it was not printed), month, day, and nanoseconds since midnight.
    Dated(i16, i8, i8, i64),
    /// Nanoseconds since the line before, as 3.x prints them.
    SinceLast(i64),
    /// Nanoseconds since the line before or since the first packet. 4.99 prints a space before both.
    Difference(i64),
    /// A text in the format of a time that is not a valid time.
    Unreadable,
}

/// Splits a time off the beginning of a line. A time ends with a space.
pub(super) fn split_time(line: &[u8]) -> (Option<PrintedTime>, &[u8]) {
    let text = line.trim_ascii_start();
    let indented = text.len() < line.len();
    if !text.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
        return (None, line);
    }
    // Only one format begins with a letter.
    let found = match text {
        [b'A'..=b'Z' | b'a'..=b'z', ..] => parse_month_day(text),
        _ => parse_date_time(text).or_else(|| parse_clock(text, indented)).or_else(|| parse_seconds(text)),
    };
    match found {
        Some((stamp, rest)) => (Some(stamp), rest),
        None => (None, line),
    }
}

/// Splits a text at its first space.
fn split_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| *byte == b' ')?;
    Some((&text[..end], &text[end + 1..]))
}

/// Parses a decimal number of at most 18 digits.
fn number(digits: &[u8]) -> Option<i64> {
    let plain = !digits.is_empty() && digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

/// Converts the digits of a fraction to nanoseconds.
fn fraction(digits: &[u8]) -> Option<i64> {
    let value = number(digits).filter(|_| digits.len() <= 9)?;
    Some(value * 10i64.pow(9 - u32::try_from(digits.len()).ok()?))
}

/// Parses `19:36:38.895530` as nanoseconds. The fraction is optional. Each part may be negative, because 4.0
/// prints differences like this.
pub(super) fn parse_time_of_day(text: &[u8]) -> Option<i64> {
    let (clock, digits) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (&text[..point], Some(&text[point + 1..])),
        None => (text, None),
    };
    let mut parts = clock.split(|byte| *byte == b':');
    let mut signed = || {
        let part = parts.next()?;
        match part.strip_prefix(b"-") {
            Some(digits) => number(digits).map(|value| -value),
            None => number(part).filter(|_| part.len() >= 2),
        }
    };
    let (hours, minutes, seconds) = (signed()?, signed()?, signed()?);
    if parts.next().is_some() || hours.abs() > 1_000_000 || minutes.abs() > 59 || seconds.abs() > 60 {
        return None;
    }
    let fraction = match digits {
        Some(digits) => fraction(digits)?,
        None => 0,
    };
    Some(((hours * 60 + minutes) * 60 + seconds) * SECOND + fraction)
}

/// Parses a time of day or a difference.
fn parse_clock(text: &[u8], indented: bool) -> Option<(PrintedTime, &[u8])> {
    let (time, rest) = split_word(text)?;
    // 4.99 prints one minus before the whole difference, 4.0 one before each part of it.
    if let Some(value) =
        time.strip_prefix(b"-").filter(|time| !time.contains(&b'-')).and_then(parse_time_of_day)
    {
        return Some((PrintedTime::Difference(-value), rest));
    }
    let value = parse_time_of_day(time)?;
    let difference = indented || !(0..DAY).contains(&value);
    Some((if difference { PrintedTime::Difference(value) } else { PrintedTime::TimeOfDay(value) }, rest))
}

/// Parses `2017-09-10 19:36:38.895530` and `09/10/2017 19:36:38.895530`.
fn parse_date_time(text: &[u8]) -> Option<(PrintedTime, &[u8])> {
    let (date, rest) = split_word(text)?;
    let parts = |separator: u8| -> Option<[i64; 3]> {
        let parts: Vec<i64> = date.split(|byte| *byte == separator).map(number).collect::<Option<_>>()?;
        parts.try_into().ok()
    };
    let (year, month, day) = match (parts(b'-'), parts(b'/')) {
        (Some([year, month, day]), _) => (year, month, day),
        (None, Some([month, day, year])) => (year, month, day),
        (None, None) => return None,
    };
    let (time, rest) = split_word(rest)?;
    let small = |value: i64| i8::try_from(value).ok();
    let stamp = match (i16::try_from(year), small(month), small(day), parse_time_of_day(time)) {
        (Ok(year), Some(month), Some(day), Some(time)) => PrintedTime::Dated(year, month, day, time),
        _ => PrintedTime::Unreadable,
    };
    Some((stamp, rest))
}

/// Parses `Sep 10 19:36:38.895530`.
fn parse_month_day(text: &[u8]) -> Option<(PrintedTime, &[u8])> {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let (name, rest) = split_word(text)?;
    let month = MONTHS.iter().position(|month| month.as_slice() == name)? + 1;
    let (day, rest) = split_word(rest.trim_ascii_start())?;
    let (time, rest) = split_word(rest)?;
    let stamp = PrintedTime::Dated(
        0,
        i8::try_from(month).ok()?,
        i8::try_from(number(day)?).ok()?,
        parse_time_of_day(time)?,
    );
    Some((stamp, rest))
}

/// Parses `1505072198.895530`, `000000` and `-384. 460957`.
fn parse_seconds(text: &[u8]) -> Option<(PrintedTime, &[u8])> {
    let (first, rest) = split_word(text)?;
    if let Some(whole) = first.strip_suffix(b".") {
        let (micros, rest) = split_word(rest)?;
        let micros = fraction(micros).filter(|_| micros.len() == 6)?;
        let whole = match whole.strip_prefix(b"-") {
            Some(digits) => -number(digits)?,
            None => number(whole)?,
        };
        return Some((PrintedTime::SinceLast(whole.checked_mul(SECOND)?.checked_add(micros)?), rest));
    }
    match first.iter().position(|byte| *byte == b'.') {
        Some(point) => {
            let (whole, digits) = (number(&first[..point])?, fraction(&first[point + 1..])?);
            Some((PrintedTime::Epoch(whole.checked_mul(SECOND)?.checked_add(digits)?), rest))
        }
        None if first.len() == 6 => Some((PrintedTime::SinceLast(fraction(first)?), rest)),
        None => None,
    }
}
