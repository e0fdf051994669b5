//! Caches the last time of a log: the next time usually differs only in its last digits.

use super::time::{self, Stamp};

/// Length of the longest beginning, `2017-09-10 19:36:38.`, in bytes.
const LONGEST: usize = 20;

/// The beginning of the last time up to the decimal point, and its value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recall {
    /// The text up to the decimal point.
    beginning: [u8; LONGEST],
    /// Length of this text, in bytes.
    length: usize,
    /// The time without its fraction; `None` until a time is cached.
    whole: Option<Stamp>,
}

impl Recall {
    /// Splits a time off the beginning of a line if it differs from the cached one only in the six digits
    /// after the decimal point. Such a line has no packet number before the time.
    pub(super) fn stamp<'l>(&self, line: &'l [u8]) -> Option<(Stamp, &'l [u8])> {
        let whole = self.whole?;
        let rest = line.strip_prefix(self.beginning.get(..self.length)?)?;
        let (digits, rest) = rest.split_first_chunk::<7>()?;
        Some((plus(whole, nanoseconds(digits)?)?, rest))
    }

    /// Splits any time off the beginning of a line, and caches it if it has a suitable format.
    pub(super) fn learn<'l>(&mut self, line: &'l [u8]) -> (Option<Stamp>, &'l [u8]) {
        let (stamp, rest) = time::stamp(line);
        if let Some(recall) = stamp.and_then(|stamp| Recall::of(line, line.len() - rest.len(), stamp)) {
            *self = recall;
        }
        (stamp, rest)
    }

    /// Returns the cache entry for the time in the first `length` bytes of a line.
    fn of(line: &[u8], length: usize, stamp: Stamp) -> Option<Recall> {
        let point = line.iter().take(LONGEST).position(|byte| *byte == b'.')?;
        let (head, tail) = line.get(..length)?.split_at_checked(point + 1)?;
        let fraction = nanoseconds(tail.try_into().ok()?)?;
        let mut beginning = [0; LONGEST];
        beginning.get_mut(..head.len())?.copy_from_slice(head);
        Some(Recall { beginning, length: head.len(), whole: Some(plus(stamp, -fraction)?) })
    }
}

/// Parses six digits and the space that ends a time, as nanoseconds.
fn nanoseconds(text: &[u8; 7]) -> Option<i64> {
    let [digits @ .., b' '] = text else { return None };
    let mut value = 0;
    let mut plain = true;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        plain &= digit <= 9;
        value = value * 10 + i64::from(digit);
    }
    plain.then_some(value * 1000)
}

/// Adds nanoseconds to a time. Differences are not supported, because in some of their formats the fraction
/// counts downwards.
fn plus(stamp: Stamp, nanoseconds: i64) -> Option<Stamp> {
    match stamp {
        Stamp::OfDay(time) => Some(Stamp::OfDay(time + nanoseconds)),
        Stamp::Epoch(time) => time.checked_add(nanoseconds).map(Stamp::Epoch),
        Stamp::Dated(year, month, day, time) => Some(Stamp::Dated(year, month, day, time + nanoseconds)),
        Stamp::SinceLast(_) | Stamp::Since(_) | Stamp::Unreadable => None,
    }
}
