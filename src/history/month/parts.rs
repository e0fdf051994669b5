//! Sightings of a month as bits: hosts by their numbers in the month's directory, and apart from them when, how long,
//! how much. Some five bytes each; who only counts hosts reads the half of them.

use crate::event::Timestamp;
use crate::history::{Scope, SightingCounts};

use super::Cell;
use super::bits::BitWriter;

/// Bits of hosts from which on a row is full, after the cell that reaches them.
pub(super) const FULL: u64 = 40 * 1024 * 8;

/// A second in nanoseconds.
pub(super) const SECOND: i64 = 1_000_000_000;

/// Bits of a time of day in seconds: the longest day has 25 hours.
pub(super) const TIME: u32 = 17;
/// Bits of the seconds from the first to the last packet of one window.
pub(super) const SPAN: u32 = 6;

/// What a part's details begin with.
pub(super) mod kind {
    /// One window, within a second.
    pub(in super::super) const MOMENT: u64 = 0;
    /// One window of up to 64 seconds.
    pub(in super::super) const WINDOW: u64 = 1;
    /// Any number of windows, over any time of the day.
    pub(in super::super) const SEVERAL: u64 = 2;
    /// Whatever does not fit these.
    pub(in super::super) const ANY: u64 = 3;
}

/// A sighting, or an hour of it, by the host's number in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The host.
    pub host: u64,
    /// What was seen.
    pub seen: SightingCounts,
}

/// Where a row's parts begin, in bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// In the hosts.
    pub hosts: u64,
    /// In the details.
    pub details: u64,
}

/// Packs parts, cell by cell.
#[derive(Debug, Default)]
pub struct PartsWriter {
    hosts: BitWriter,
    details: BitWriter,
}

impl PartsWriter {
    /// Where the next cell's parts will begin.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { hosts: self.hosts.len(), details: self.details.len() }
    }

    /// Whether the row ends here. Told from the hosts alone: who reads these only finds its way as well.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.hosts.len() >= FULL
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.len() == 0
    }

    /// Adds the sightings of a type, scope and day of the month, ascending by host and time; the day begins at `start`.
    /// Answers what they come to.
    pub fn push(
        &mut self,
        (number, scope, day): (u64, Scope, u8),
        codes: &Codes,
        start: Timestamp,
        parts: &[Part],
    ) -> Cell {
        let mut cell = Cell {
            number,
            scope,
            day,
            windows: parts.iter().map(|part| part.seen.windows).fold(0, u64::saturating_add),
            packets: parts.iter().map(|part| part.seen.packets).fold(0, u64::saturating_add),
            hosts: parts.chunk_by(|a, b| a.host == b.host).count() as u64,
            parts: parts.len() as u64,
            bits: None,
        };
        let before = self.place();
        let (low, step) = codes.of(&cell);
        let (mut next, mut marks) = (0, 0);
        for part in parts {
            self.hosts.rice(part.host - next, low);
            next = part.host + step;
            detail(&mut self.details, start, &part.seen, &mut marks);
        }
        let after = self.place();
        cell.bits = Some((after.hosts - before.hosts, after.details - before.details));
        cell
    }

    /// The hosts, and the details.
    #[must_use]
    pub fn finish(self) -> (Vec<u8>, Vec<u8>) {
        (self.hosts.finish(), self.details.finish())
    }
}

/// Parts of nearly all cells are fewer.
const FEW: usize = 32;

/// How a cell's hosts are written: as the distances between them, in a directory of so many.
#[derive(Clone, Debug)]
pub struct Codes {
    pub(super) directory: u64,
    /// Bits of a usual distance in cells with few parts: nearly all, and worked out once.
    few: [u8; FEW],
}

impl Codes {
    /// Those of a directory.
    #[must_use]
    pub fn new(directory: u64) -> Codes {
        let mut parts = 0..;
        Codes { directory, few: [0; FEW].map(|_: u8| usual(directory, parts.next().unwrap_or(0))) }
    }

    /// Bits of a usual distance, and what the next host is ahead at least: nothing where a host can come twice.
    #[inline]
    pub(super) fn of(&self, cell: &Cell) -> (u32, u64) {
        let few = usize::try_from(cell.parts).ok().and_then(|parts| self.few.get(parts));
        let low = few.copied().unwrap_or_else(|| usual(self.directory, cell.parts));
        (low.into(), u64::from(cell.parts == cell.hosts))
    }
}

fn usual(directory: u64, parts: u64) -> u8 {
    let distance = directory / parts.saturating_add(1).max(1);
    u8::try_from(distance.max(1).ilog2().min(32)).unwrap_or(32)
}

fn detail(out: &mut BitWriter, start: Timestamp, seen: &SightingCounts, marks: &mut u64) {
    let whole = |from: i64, to: i64| {
        let nanoseconds = to.checked_sub(from).filter(|passed| passed % SECOND == 0)?;
        u64::try_from(nanoseconds / SECOND).ok()
    };
    let time = whole(start.0, seen.first.0).filter(|seconds| seconds >> TIME == 0);
    let span = whole(seen.first.0, seen.last.0);
    let one = seen.windows == 1;
    match (time, span) {
        (Some(time), Some(span)) if seen.windows > 0 && seen.packets > 0 => {
            let kind = match span {
                0 if one => kind::MOMENT,
                1..=64 if one => kind::WINDOW,
                _ => kind::SEVERAL,
            };
            out.put(kind, 2);
            out.put(time, TIME);
            if kind == kind::WINDOW {
                out.put(span - 1, SPAN);
            } else if kind == kind::SEVERAL {
                out.gamma(seen.windows);
                out.gamma(span + 1);
            }
            out.gamma(seen.packets);
        }
        _ => {
            out.put(kind::ANY, 2);
            let [first, last] = [seen.first.0.cast_unsigned(), seen.last.0.cast_unsigned()];
            [first, last, seen.windows, seen.packets].into_iter().for_each(|value| out.whole(value));
        }
    }
    out.put(u64::from(seen.marks != *marks), 1);
    if seen.marks != *marks {
        out.whole(seen.marks);
        *marks = seen.marks;
    }
}
