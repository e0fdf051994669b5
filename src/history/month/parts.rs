//! Sightings of a month as bits: hosts by their numbers in the month's directory, and apart from them when, how long,
//! how much. Some five bytes each; who only counts hosts reads the half of them.

use std::ops::Range;

use crate::event::Timestamp;
use crate::history::packed::Damaged;
use crate::history::{Scope, Sighting};

use super::Cell;
use super::bits::{BitReader, BitWriter};

/// A second in nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// Bits of a time of day in seconds: the longest day has 25 hours.
const TIME: u32 = 17;
/// Bits of the seconds from the first to the last packet of one window.
const SPAN: u32 = 6;

/// What a part's details begin with.
mod kind {
    /// One window, within a second.
    pub(super) const MOMENT: u64 = 0;
    /// One window of up to 64 seconds.
    pub(super) const WINDOW: u64 = 1;
    /// Any number of windows, over any time of the day.
    pub(super) const SEVERAL: u64 = 2;
    /// Whatever does not fit these.
    pub(super) const ANY: u64 = 3;
}

/// A sighting, or an hour of it, by the host's number in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The host.
    pub host: u64,
    /// What was seen.
    pub seen: Sighting,
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

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        (self.hosts.len() + self.details.len()) / 8
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.len() == 0
    }

    /// Adds the sightings of a type, scope and day of the month, ascending by host and time; the day begins at `start`,
    /// the directory has `directory` hosts. Answers what they come to.
    pub fn push(
        &mut self,
        (number, scope, day): (u64, Scope, u8),
        directory: u64,
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
        let code = Code::of(&cell, directory);
        let (mut next, mut marks) = (0, 0);
        for part in parts {
            self.hosts.rice(part.host - next, code.low);
            next = part.host + code.step;
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

/// How a cell's hosts are written: as the distances between them.
struct Code {
    /// Bits of a usual distance.
    low: u32,
    /// What the next host is ahead at least: none where a host can come twice.
    step: u64,
}

impl Code {
    fn of(cell: &Cell, directory: u64) -> Code {
        let distance = directory / cell.parts.saturating_add(1).max(1);
        Code { low: distance.max(1).ilog2().min(32), step: u64::from(cell.parts == cell.hosts) }
    }
}

fn detail(out: &mut BitWriter, start: Timestamp, seen: &Sighting, marks: &mut u64) {
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

/// Reads the parts of a row's cells, which must be asked for in their order.
#[derive(Clone, Copy, Debug)]
pub struct PartsReader<'a> {
    hosts: BitReader<'a>,
    details: BitReader<'a>,
    directory: u64,
}

impl<'a> PartsReader<'a> {
    /// From a place on, with a directory of so many hosts.
    #[must_use]
    pub fn new((hosts, details): (&'a [u8], &'a [u8]), place: Place, directory: u64) -> PartsReader<'a> {
        PartsReader {
            hosts: BitReader::new(hosts, place.hosts),
            details: BitReader::new(details, place.details),
            directory,
        }
    }

    /// Hands on the parts of the next cell, of a day that begins at `start`.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn read(&mut self, cell: &Cell, start: Timestamp, sink: &mut dyn FnMut(Part)) -> Result<(), Damaged> {
        let code = Code::of(cell, self.directory);
        let (mut next, mut marks) = (0u64, 0);
        for _ in 0..cell.parts {
            let host = self.host(&code, &mut next)?;
            let seen = self.detail(start, &mut marks)?;
            sink(Part { host, seen });
        }
        Ok(())
    }

    /// Whether one of the next cell's hosts is one of these; reads the hosts alone.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn has_host(&mut self, cell: &Cell, wanted: &Range<u64>) -> Result<bool, Damaged> {
        let code = Code::of(cell, self.directory);
        let (mut next, mut has) = (0u64, false);
        for _ in 0..cell.parts {
            has |= wanted.contains(&self.host(&code, &mut next)?);
        }
        Ok(has)
    }

    /// Passes over the parts of the next cell.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn skip(&mut self, cell: &Cell, start: Timestamp) -> Result<(), Damaged> {
        match cell.bits {
            Some((hosts, details)) => {
                self.hosts.skip(hosts);
                self.details.skip(details);
                Ok(())
            }
            None => self.read(cell, start, &mut |_| {}),
        }
    }

    fn host(&mut self, code: &Code, next: &mut u64) -> Result<u64, Damaged> {
        let host = self.hosts.rice(code.low)?.checked_add(*next).filter(|host| *host < self.directory);
        let host = host.ok_or(Damaged)?;
        *next = host + code.step;
        Ok(host)
    }

    fn detail(&mut self, start: Timestamp, marks: &mut u64) -> Result<Sighting, Damaged> {
        let from = &mut self.details;
        let kind = from.get(2)?;
        let (first, last, windows, packets) = match kind {
            kind::ANY => {
                let [first, last] = [from.whole()?, from.whole()?].map(u64::cast_signed);
                (first, last, from.whole()?, from.whole()?)
            }
            _ => {
                let first = i64::try_from(from.get(TIME)?).map_err(|_| Damaged)?;
                let (windows, span) = match kind {
                    kind::MOMENT => (1, 0),
                    kind::WINDOW => (1, from.get(SPAN)? + 1),
                    _ => (from.gamma()?, from.gamma()? - 1),
                };
                let after = |from: i64, seconds: i64| seconds.checked_mul(SECOND)?.checked_add(from);
                let first = after(start.0, first).ok_or(Damaged)?;
                let last = i64::try_from(span).ok().and_then(|span| after(first, span)).ok_or(Damaged)?;
                (first, last, windows, from.gamma()?)
            }
        };
        if from.get(1)? == 1 {
            *marks = from.whole()?;
        }
        Ok(Sighting { windows, packets, first: Timestamp(first), last: Timestamp(last), marks: *marks })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sighting() -> impl Strategy<Value = Sighting> {
        let count = || prop_oneof![Just(1u64), 0..90u64, any::<u64>()];
        let seconds = || prop_oneof![0..90_000i64, -9..0i64];
        let time =
            (seconds(), prop_oneof![Just(0i64), 0..100i64, -3..0i64], prop_oneof![Just(0i64), Just(7)]);
        let marks = prop_oneof![Just(0u64), Just(1 << 40), any::<u64>()];
        (count(), count(), time, marks).prop_map(|(windows, packets, (first, span, odd), marks)| Sighting {
            windows,
            packets,
            first: Timestamp(first * SECOND + odd),
            last: Timestamp((first + span) * SECOND),
            marks,
        })
    }

    proptest! {
        #[test]
        fn what_is_packed_reads_back_and_cells_can_be_passed_over(
            packed in prop::collection::vec(prop::collection::vec((0..500u64, sighting()), 1..70), 1..6),
            wanted in 0..6usize,
        ) {
            let mut writer = PartsWriter::default();
            let start = Timestamp(0);
            let mut kept = Vec::new();
            for parts in packed {
                let mut parts: Vec<Part> = parts.into_iter().map(|(host, seen)| Part { host, seen }).collect();
                parts.sort_by_key(|part| part.host);
                let mut cell = writer.push((1, Scope::Whole, 0), 500, start, &parts);
                cell.bits = cell.bits.filter(|_| cell.parts >= 32);
                kept.push((cell, parts));
            }
            let (hosts, details) = writer.finish();
            let mut reader = PartsReader::new((&hosts, &details), Place::default(), 500);
            let wanted = wanted.min(kept.len() - 1);
            for (cell, _) in &kept[..wanted] {
                reader.skip(cell, start).unwrap();
            }
            for (cell, parts) in &kept[wanted..] {
                let mut read = Vec::new();
                reader.read(cell, start, &mut |part| read.push(part)).unwrap();
                prop_assert_eq!(&read, parts);
            }
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(
            hosts in prop::collection::vec(any::<u8>(), 0..100),
            details in prop::collection::vec(any::<u8>(), 0..100),
            parts in any::<u64>(),
        ) {
            let cell = Cell {
                number: 1, scope: Scope::Whole, day: 0, windows: 1, packets: 1, hosts: parts / 2, parts, bits: None,
            };
            let mut read = 0;
            let mut reader = PartsReader::new((&hosts, &details), Place::default(), u64::MAX);
            let _ = reader.read(&cell, Timestamp(i64::MAX), &mut |_| read += 1);
            prop_assert!(read <= 900);
        }
    }
}
