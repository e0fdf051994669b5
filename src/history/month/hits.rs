//! Reading sightings of a month: hosts first, and of the others only where these were met.

use std::ops::Range;

use crate::event::Timestamp;
use crate::history::SightingCounts;
use crate::history::packed::Damaged;

use super::bits::BitReader;
use super::cells::Cell;
use super::parts::{Codes, FULL, Part, SECOND, SPAN, TIME, kind};

/// A part that is wanted: which cell of some, which of its parts, and the host's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The cell's place among those that are read.
    pub cell: usize,
    /// The part's place in the cell.
    pub at: u64,
    /// The host.
    pub host: u64,
}

/// Reads the hosts of cells, which must be asked for in their order.
#[derive(Clone, Copy, Debug)]
pub struct HostsReader<'a> {
    bits: BitReader<'a>,
    codes: &'a Codes,
}

impl<'a> HostsReader<'a> {
    /// From a place on.
    #[must_use]
    pub fn new(hosts: &'a [u8], at: u64, codes: &'a Codes) -> HostsReader<'a> {
        HostsReader { bits: BitReader::new(hosts, at), codes }
    }

    /// Whether the row ends here: the next cell's parts begin another one.
    #[must_use]
    #[inline]
    pub fn is_full(&self) -> bool {
        self.bits.at() >= FULL
    }

    /// Adds those parts of the next cell whose hosts are wanted; `cell` is its place among the cells.
    ///
    /// # Errors
    /// When the bytes are damaged.
    #[inline]
    pub fn find(
        &mut self,
        (place, cell): (usize, &Cell),
        wanted: &Range<u64>,
        hits: &mut Vec<Hit>,
    ) -> Result<(), Damaged> {
        let (low, step) = self.codes.of(cell);
        let begins = self.bits.at();
        let mut next = 0u64;
        for at in 0..cell.parts {
            let host = self.bits.rice(low)?.checked_add(next).filter(|host| *host < self.codes.directory);
            let host = host.ok_or(Damaged)?;
            if wanted.contains(&host) {
                hits.push(Hit { cell: place, at, host });
            } else if let (true, Some((hosts, _))) = (host >= wanted.end, cell.bits) {
                // Hosts ascend: none of the others is wanted.
                self.bits.skip(begins.saturating_add(hosts).saturating_sub(self.bits.at()));
                break;
            }
            next = host + step;
        }
        Ok(())
    }

    /// Passes over the next cell.
    ///
    /// # Errors
    /// When the bytes are damaged.
    #[inline]
    pub fn pass(&mut self, cell: &Cell) -> Result<(), Damaged> {
        match cell.bits {
            Some((hosts, _)) => self.bits.skip(hosts),
            None => {
                let (low, _) = self.codes.of(cell);
                for _ in 0..cell.parts {
                    self.bits.rice(low)?;
                }
            }
        }
        Ok(())
    }
}

/// Reads when and how much, of cells that must be asked for in their order.
#[derive(Clone, Copy, Debug)]
pub struct DetailsReader<'a> {
    bits: BitReader<'a>,
}

impl<'a> DetailsReader<'a> {
    /// From a place on.
    #[must_use]
    pub fn new(details: &'a [u8], at: u64) -> DetailsReader<'a> {
        DetailsReader { bits: BitReader::new(details, at) }
    }

    /// Hands on what is told of the hits of the next cell, of a day that begins at `start`.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn read(
        &mut self,
        cell: &Cell,
        start: Timestamp,
        hits: &[Hit],
        sink: &mut dyn FnMut(Part),
    ) -> Result<(), Damaged> {
        let begins = self.bits.at();
        let (mut marks, mut next) = (0, 0);
        for hit in hits {
            for _ in next..hit.at {
                self.pass_one(&mut marks)?;
            }
            next = hit.at + 1;
            sink(Part { host: hit.host, seen: self.one(start, &mut marks)? });
        }
        match cell.bits {
            Some((_, details)) => {
                self.bits.skip((begins.saturating_add(details)).saturating_sub(self.bits.at()))
            }
            None => {
                for _ in next..cell.parts {
                    self.pass_one(&mut marks)?;
                }
            }
        }
        Ok(())
    }

    /// Passes over the next cell.
    ///
    /// # Errors
    /// When the bytes are damaged.
    #[inline]
    pub fn pass(&mut self, cell: &Cell) -> Result<(), Damaged> {
        if let Some((_, details)) = cell.bits {
            self.bits.skip(details);
            return Ok(());
        }
        let mut marks = 0;
        for _ in 0..cell.parts {
            self.pass_one(&mut marks)?;
        }
        Ok(())
    }

    fn one(&mut self, start: Timestamp, marks: &mut u64) -> Result<SightingCounts, Damaged> {
        let from = &mut self.bits;
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
        Ok(SightingCounts { windows, packets, first: Timestamp(first), last: Timestamp(last), marks: *marks })
    }

    fn pass_one(&mut self, marks: &mut u64) -> Result<(), Damaged> {
        let from = &mut self.bits;
        match from.get(2)? {
            kind::ANY => from.skip(4 * 64),
            kind => {
                from.skip(TIME.into());
                match kind {
                    kind::MOMENT => {}
                    kind::WINDOW => from.skip(SPAN.into()),
                    _ => {
                        from.gamma()?;
                        from.gamma()?;
                    }
                }
                from.gamma()?;
            }
        }
        if from.get(1)? == 1 {
            *marks = from.whole()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::cells::MANY;
    use super::super::parts::PartsWriter;
    use super::*;
    use crate::history::Scope;

    fn sighting() -> impl Strategy<Value = SightingCounts> {
        let count = || prop_oneof![Just(1u64), 0..90u64, any::<u64>()];
        let seconds = || prop_oneof![0..90_000i64, -9..0i64];
        let time =
            (seconds(), prop_oneof![Just(0i64), 0..100i64, -3..0i64], prop_oneof![Just(0i64), Just(7)]);
        let marks = prop_oneof![Just(0u64), Just(1 << 40), any::<u64>()];
        (count(), count(), time, marks).prop_map(|(windows, packets, (first, span, odd), marks)| {
            SightingCounts {
                windows,
                packets,
                first: Timestamp(first * SECOND + odd),
                last: Timestamp((first + span) * SECOND),
                marks,
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_packed_reads_back_and_what_is_not_wanted_is_passed_over(
            packed in prop::collection::vec(prop::collection::vec((0..500u64, sighting()), 1..70), 1..6),
            wanted in (0..6usize, 0..500u64, 0..500u64),
        ) {
            let mut writer = PartsWriter::default();
            let (start, codes) = (Timestamp(0), Codes::new(500));
            let mut kept = Vec::new();
            for parts in packed {
                let mut parts: Vec<Part> = parts.into_iter().map(|(host, seen)| Part { host, seen }).collect();
                parts.sort_by_key(|part| part.host);
                let mut cell = writer.push((1, Scope::Whole, 0), &codes, start, &parts);
                cell.bits = cell.bits.filter(|_| cell.parts >= MANY);
                kept.push((cell, parts));
            }
            let (hosts, details) = writer.finish();
            let (from, low, high) = wanted;
            for hosts_of in [0..500, low..high.max(low)] {
                let mut hits = Vec::new();
                let mut reader = HostsReader::new(&hosts, 0, &codes);
                for (at, (cell, _)) in kept.iter().enumerate() {
                    if at < from { reader.pass(cell).unwrap() } else { reader.find((at, cell), &hosts_of, &mut hits).unwrap() }
                }
                let mut reader = DetailsReader::new(&details, 0);
                for (at, (cell, parts)) in kept.iter().enumerate() {
                    if !hits.iter().any(|hit| hit.cell == at) {
                        reader.pass(cell).unwrap();
                        continue;
                    }
                    let mut read = Vec::new();
                    let of_cell: Vec<Hit> = hits.iter().filter(|hit| hit.cell == at).copied().collect();
                    reader.read(cell, start, &of_cell, &mut |part| read.push(part)).unwrap();
                    let wanted = |part: &&Part| at >= from && hosts_of.contains(&part.host);
                    prop_assert_eq!(read, parts.iter().filter(wanted).copied().collect::<Vec<_>>());
                }
            }
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(
            hosts in prop::collection::vec(any::<u8>(), 0..100),
            details in prop::collection::vec(any::<u8>(), 0..100),
            parts in any::<u64>(),
            bits in prop::option::of(any::<(u64, u64)>()),
            at in any::<(u64, u64)>(),
        ) {
            let cell = Cell {
                number: 1, scope: Scope::Whole, day: 0, windows: 1, packets: 1, hosts: parts / 2, parts, bits,
            };
            let codes = Codes::new(u64::MAX);
            let mut hits = Vec::new();
            let mut reader = HostsReader::new(&hosts, at.0 % 900, &codes);
            let _ = reader.find((0, &cell), &(0..u64::MAX), &mut hits);
            prop_assert!(hits.len() <= 900);
            let _ = reader.pass(&cell);
            let mut read = 0;
            let mut reader = DetailsReader::new(&details, at.1 % 900);
            let _ = reader.read(&cell, Timestamp(i64::MAX), &hits, &mut |_| read += 1);
            prop_assert!(read <= 900);
            let _ = reader.pass(&cell);
        }
    }
}
