//! Observations of a month as bytes, in the order of their types: some three bytes each.
//!
//! A row holds what there is of [`TYPES`] numbers that follow each other. It begins with a directory: how many types, the
//! place of each among these numbers (a byte), how many bytes its cells take (LEB128). Who asks for one type reads its
//! cells alone.
//!
//! A type's cells come by scope and day. A cell begins with a byte for its day, its scope, whether it has as many
//! packets as windows, and whether it is *plain*: one host in one part with one window. Unless it is plain, hosts follow,
//! parts beyond one a host, and windows; then packets, where they are not as many; and, where it has many parts, how many
//! bits these take.

use crate::history::Scope;
use crate::history::leb128::{Reader, varint};
use crate::history::packed::Damaged;

/// Numbers of types of a row.
pub const TYPES: u64 = 128;

/// From so many parts on a cell tells how many bits they take, so that they can be passed over.
pub(super) const MANY: u64 = 32;

const DAY: u8 = (1 << 5) - 1;
/// As many packets as windows.
const SINGLE: u8 = 1 << 5;
const PLAIN: u8 = 1 << 6;
const FACET: u8 = 1 << 7;

/// The row that a type's cells are in.
#[must_use]
pub fn row_of(number: u64) -> u64 {
    number / TYPES
}

/// What a sensor observed of a type on a day of a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The type's number.
    pub number: u64,
    /// Of whole windows or of facets.
    pub scope: Scope,
    /// Days since the month's first.
    pub day: u8,
    /// Windows.
    pub windows: u64,
    /// Packets.
    pub packets: u64,
    /// Unique hosts.
    pub hosts: u64,
    /// Parts of sightings: one a host and hour.
    pub parts: u64,
    /// Bits that its parts' hosts and details take, where it has many.
    pub(super) bits: Option<(u64, u64)>,
}

impl Cell {
    /// Nothing, to read into.
    pub const NONE: Cell = Cell {
        number: 0,
        scope: Scope::Whole,
        day: 0,
        windows: 0,
        packets: 0,
        hosts: 0,
        parts: 0,
        bits: None,
    };
}

/// Packs the cells of a row.
#[derive(Debug, Default)]
pub struct CellsWriter {
    /// Places of types, and where their cells begin.
    types: Vec<(u8, usize)>,
    bytes: Vec<u8>,
}

impl CellsWriter {
    /// Adds a cell; cells are all of one row and come ascending by type, scope and day.
    pub fn push(&mut self, cell: &Cell) {
        let place = u8::try_from(cell.number % TYPES).unwrap_or(u8::MAX);
        if self.types.last().is_none_or(|(last, _)| *last != place) {
            self.types.push((place, self.bytes.len()));
        }
        let plain = (cell.hosts, cell.parts, cell.windows) == (1, 1, 1);
        let single = cell.packets == cell.windows;
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let facet = flag(cell.scope == Scope::Facet, FACET);
        self.bytes.push(cell.day & DAY | flag(single, SINGLE) | flag(plain, PLAIN) | facet);
        if !plain {
            varint(&mut self.bytes, cell.hosts);
            varint(&mut self.bytes, cell.parts - cell.hosts);
            varint(&mut self.bytes, cell.windows);
        }
        if !single {
            varint(&mut self.bytes, cell.packets);
        }
        if cell.parts >= MANY {
            let (hosts, details) = cell.bits.unwrap_or_default();
            varint(&mut self.bytes, hosts);
            varint(&mut self.bytes, details);
        }
    }

    /// Whether there is no cell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The row.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut row = Vec::with_capacity(1 + 2 * self.types.len() + self.bytes.len());
        varint(&mut row, self.types.len() as u64);
        row.extend(self.types.iter().map(|(place, _)| place));
        let ends = self.types.iter().skip(1).map(|(_, start)| *start).chain([self.bytes.len()]);
        for ((_, start), end) in self.types.iter().zip(ends) {
            varint(&mut row, (end - start) as u64);
        }
        row.extend_from_slice(&self.bytes);
        row
    }
}

/// A row of cells.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    /// The number of the row's first type, whether it has cells or not.
    first: u64,
    places: &'a [u8],
    lengths: &'a [u8],
    cells: &'a [u8],
}

impl<'a> Cells<'a> {
    /// A row as it was packed.
    ///
    /// # Errors
    /// When its directory is damaged.
    pub fn of(bytes: &'a [u8], row: u64) -> Result<Cells<'a>, Damaged> {
        let mut reader = Reader(bytes);
        let count = usize::try_from(reader.number()?).map_err(|_| Damaged)?;
        let (places, rest) = reader.0.split_at_checked(count).ok_or(Damaged)?;
        let mut reader = Reader(rest);
        let length = sum_of(&mut reader, count)?;
        let (lengths, cells) = rest.split_at(rest.len() - reader.0.len());
        let ascend =
            places.is_sorted_by(|a, b| a < b) && places.last().is_none_or(|last| u64::from(*last) < TYPES);
        if !ascend || length != cells.len() as u64 {
            return Err(Damaged);
        }
        let first =
            row.checked_mul(TYPES).filter(|first| first.checked_add(TYPES).is_some()).ok_or(Damaged)?;
        Ok(Cells { first, places, lengths, cells })
    }

    /// The cells of one type.
    ///
    /// # Errors
    /// When the directory is damaged.
    pub fn of_type(&self, number: u64) -> Result<Run<'a>, Damaged> {
        let place = number.checked_sub(self.first).and_then(|place| u8::try_from(place).ok());
        let at = place.and_then(|place| self.places.binary_search(&place).ok());
        let Some(at) = at else { return Ok(Run { number, reader: Reader(&[]) }) };
        let mut lengths = Reader(self.lengths);
        let start = usize::try_from(sum_of(&mut lengths, at)?).map_err(|_| Damaged)?;
        let length = usize::try_from(lengths.number()?).map_err(|_| Damaged)?;
        let run = self.cells.get(start..).and_then(|cells| cells.get(..length)).ok_or(Damaged)?;
        Ok(Run { number, reader: Reader(run) })
    }

    /// All cells.
    #[must_use]
    pub fn all(&self) -> All<'a> {
        let Cells { first, places, lengths, cells } = *self;
        All { first, places, lengths: Reader(lengths), cells, number: first, run: Reader(&[]) }
    }
}

/// All cells of a row.
#[derive(Clone, Debug)]
pub struct All<'a> {
    first: u64,
    places: &'a [u8],
    lengths: Reader<'a>,
    cells: &'a [u8],
    /// The type that is read, and what is left of its cells.
    number: u64,
    run: Reader<'a>,
}

impl All<'_> {
    /// Reads the next cell into one that is there, which is quicker than handing it on; `false` when there is none.
    ///
    /// # Errors
    /// When it is damaged; then there are no more.
    #[inline]
    pub fn read(&mut self, into: &mut Cell) -> Result<bool, Damaged> {
        while self.run.0.is_empty() {
            let Some((place, places)) = self.places.split_first() else { return Ok(false) };
            // The directory was checked: the lengths add up to what there is.
            let length = self.lengths.number().ok().and_then(|length| usize::try_from(length).ok());
            let (run, cells) = self.cells.split_at_checked(length.unwrap_or(0)).unwrap_or_default();
            self.number = self.first + u64::from(*place);
            (self.places, self.cells, self.run.0) = (places, cells, run);
        }
        let read = next(&mut self.run, self.number, into);
        if read.is_err() {
            (self.places, self.run.0) = (&[], &[]);
        }
        read.map(|()| true)
    }
}

impl Iterator for All<'_> {
    type Item = Result<Cell, Damaged>;

    #[inline]
    fn next(&mut self) -> Option<Result<Cell, Damaged>> {
        let mut cell = Cell::NONE;
        match self.read(&mut cell) {
            Ok(read) => read.then_some(Ok(cell)),
            Err(damaged) => Some(Err(damaged)),
        }
    }
}

/// The sum of some numbers.
fn sum_of(reader: &mut Reader<'_>, count: usize) -> Result<u64, Damaged> {
    // One byte each is what nearly all rows have.
    if let Some((short, rest)) = reader.0.split_at_checked(count)
        && short.iter().fold(0, |all, byte| all | byte) & 0x80 == 0
    {
        reader.0 = rest;
        return Ok(short.iter().map(|byte| u64::from(*byte)).sum());
    }
    (0..count).try_fold(0u64, |sum, _| sum.checked_add(reader.number()?).ok_or(Damaged))
}

/// The cells of a type of a row; after damage there are no more.
#[derive(Debug)]
pub struct Run<'a> {
    number: u64,
    reader: Reader<'a>,
}

impl Iterator for Run<'_> {
    type Item = Result<Cell, Damaged>;

    #[inline]
    fn next(&mut self) -> Option<Result<Cell, Damaged>> {
        if self.reader.0.is_empty() {
            return None;
        }
        let mut cell = Cell::NONE;
        let read = next(&mut self.reader, self.number, &mut cell);
        if read.is_err() {
            self.reader.0 = &[];
        }
        Some(read.map(|()| cell))
    }
}

#[inline(always)]
fn next(reader: &mut Reader<'_>, number: u64, into: &mut Cell) -> Result<(), Damaged> {
    let head = reader.byte()?;
    [into.hosts, into.parts, into.windows] = match head & PLAIN {
        0 => [reader.number()?, reader.number()?, reader.number()?],
        _ => [1, 0, 1],
    };
    into.parts = into.hosts.checked_add(into.parts).ok_or(Damaged)?;
    into.packets = if head & SINGLE == 0 { reader.number()? } else { into.windows };
    into.bits = if into.parts < MANY { None } else { Some((reader.number()?, reader.number()?)) };
    into.scope = if head & FACET == 0 { Scope::Whole } else { Scope::Facet };
    (into.number, into.day) = (number, head & DAY);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts() -> impl Strategy<Value = [u64; 4]> {
        let count = || prop_oneof![Just(1u64), 1..200u64, any::<u64>().prop_map(|number| number >> 2)];
        let more = prop_oneof![Just(0u64), 1..200u64];
        (count(), more, count(), count())
            .prop_map(|(hosts, more, windows, packets)| [hosts, more, windows, packets])
    }

    proptest! {
        #[test]
        fn what_is_packed_reads_back_all_of_it_and_type_by_type(
            packed in prop::collection::btree_map((0..TYPES, any::<bool>(), 0..31u8), counts(), 0..300),
            row in 0..1000u64,
        ) {
            let cells_of: Vec<Cell> = packed
                .into_iter()
                .map(|((place, facet, day), [hosts, more, windows, packets])| {
                    let scope = if facet { Scope::Facet } else { Scope::Whole };
                    let (number, parts) = (row * TYPES + place, hosts + more);
                    let bits = (parts >= MANY).then_some((packets, windows));
                    Cell { number, scope, day, windows, packets, hosts, parts, bits }
                })
                .collect();
            let mut writer = CellsWriter::default();
            cells_of.iter().for_each(|cell| writer.push(cell));
            let bytes = writer.finish();
            let cells = Cells::of(&bytes, row).unwrap();
            let read: Vec<Cell> = cells.all().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(&read, &cells_of);
            for number in row * TYPES..(row + 1) * TYPES {
                let read: Vec<Cell> = cells.of_type(number).unwrap().collect::<Result<_, _>>().unwrap();
                let expected: Vec<Cell> = cells_of.iter().filter(|cell| cell.number == number).copied().collect();
                prop_assert_eq!(read, expected);
            }
            prop_assert_eq!(cells.of_type((row + 1) * TYPES + 3).unwrap().count(), 0);
            for cut in [bytes.len().saturating_sub(1), bytes.len() / 2] {
                let read = |cells: Cells<'_>| cells.all().collect::<Result<Vec<_>, _>>();
                prop_assert!(cells_of.is_empty() || Cells::of(&bytes[..cut], row).and_then(read).is_err());
            }
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0..9u8, row in any::<u64>(), number in any::<u64>(),
        ) {
            let told = [&[count][..], &bytes].concat();
            for bytes in [&bytes, &told] {
                if let Ok(cells) = Cells::of(bytes, row) {
                    prop_assert!(cells.all().count() <= bytes.len());
                    let _ = cells.of_type(number).map(Iterator::count);
                }
            }
        }
    }
}
