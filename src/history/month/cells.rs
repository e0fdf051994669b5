//! Observations of a month as bytes, in the order of their types: some four bytes each.
//!
//! A type is a number (LEB128: by how much it is above the one before) and then its cells, by scope and day. A cell
//! begins with a byte for its day, its scope, whether it is its type's last, and whether it is *plain*: one host in one
//! part with one window. Of a plain one packets follow; else hosts, parts beyond one a host, windows and packets, and,
//! where it has many parts, how many bits these take.

use crate::history::Scope;
use crate::history::leb128::{Reader, varint};
use crate::history::packed::Damaged;

/// From so many parts on a cell tells how many bits they take, so that they can be passed over.
const MANY: u64 = 32;

const LAST: u8 = 1 << 5;
const PLAIN: u8 = 1 << 6;
const FACET: u8 = 1 << 7;

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

/// Appends cells to a row.
#[derive(Debug, Default)]
pub struct CellsWriter {
    bytes: Vec<u8>,
    /// The number that the first one is told from, then the last one's.
    before: u64,
    /// Where the last cell begins.
    last: Option<(usize, u64)>,
}

impl CellsWriter {
    /// An empty row of types from this number on.
    #[must_use]
    pub fn new(first: u64) -> CellsWriter {
        CellsWriter { before: first, ..CellsWriter::default() }
    }

    /// Adds a cell; cells come ascending by type, scope and day.
    pub fn push(&mut self, cell: &Cell) {
        match self.last {
            Some((at, number)) if number == cell.number => self.bytes[at] &= !LAST,
            _ => {
                varint(&mut self.bytes, cell.number - self.before);
                self.before = cell.number;
            }
        }
        self.last = Some((self.bytes.len(), cell.number));
        let plain = (cell.hosts, cell.parts, cell.windows) == (1, 1, 1);
        let facet = if cell.scope == Scope::Facet { FACET } else { 0 };
        self.bytes.push(cell.day & (LAST - 1) | LAST | facet | if plain { PLAIN } else { 0 });
        if !plain {
            varint(&mut self.bytes, cell.hosts);
            varint(&mut self.bytes, cell.parts - cell.hosts);
            varint(&mut self.bytes, cell.windows);
        }
        varint(&mut self.bytes, cell.packets);
        if cell.parts >= MANY {
            let (hosts, details) = cell.bits.unwrap_or_default();
            varint(&mut self.bytes, hosts);
            varint(&mut self.bytes, details);
        }
    }

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is no cell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The row.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// The cells of a row that was begun with this number.
pub fn cells(bytes: &[u8], first: u64) -> impl Iterator<Item = Result<Cell, Damaged>> + '_ {
    let mut reader = Reader(bytes);
    let mut number = first;
    let mut begins = true;
    std::iter::from_fn(move || {
        if reader.0.is_empty() {
            return None;
        }
        let cell = next(&mut reader, &mut number, &mut begins);
        if cell.is_err() {
            reader.0 = &[];
        }
        Some(cell)
    })
}

fn next(reader: &mut Reader<'_>, number: &mut u64, begins: &mut bool) -> Result<Cell, Damaged> {
    if *begins {
        *number = number.checked_add(reader.number()?).ok_or(Damaged)?;
    }
    let head = reader.byte()?;
    *begins = head & LAST != 0;
    let [hosts, more, windows] = match head & PLAIN {
        0 => [reader.number()?, reader.number()?, reader.number()?],
        _ => [1, 0, 1],
    };
    let parts = hosts.checked_add(more).ok_or(Damaged)?;
    let packets = reader.number()?;
    let bits = if parts < MANY { None } else { Some((reader.number()?, reader.number()?)) };
    let scope = if head & FACET == 0 { Scope::Whole } else { Scope::Facet };
    Ok(Cell { number: *number, scope, day: head & (LAST - 1), windows, packets, hosts, parts, bits })
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
        fn what_is_packed_reads_back(
            packed in prop::collection::btree_map((0..9u64, any::<bool>(), 0..31u8), counts(), 0..80),
            first in 0..1000u64,
        ) {
            let cells_of: Vec<Cell> = packed
                .into_iter()
                .map(|((number, facet, day), [hosts, more, windows, packets])| {
                    let scope = if facet { Scope::Facet } else { Scope::Whole };
                    let parts = hosts + more;
                    let bits = (parts >= MANY).then_some((packets, windows));
                    Cell { number: first + number * 100, scope, day, windows, packets, hosts, parts, bits }
                })
                .collect();
            let mut writer = CellsWriter::new(first);
            cells_of.iter().for_each(|cell| writer.push(cell));
            let bytes = writer.finish();
            let read: Vec<Cell> = cells(&bytes, first).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(read, cells_of);
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(cells(&bytes, u64::MAX - 9).count() <= bytes.len());
        }
    }
}
