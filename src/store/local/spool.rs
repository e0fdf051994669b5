//! Sorting the sightings of a day on disk: sorted runs are written to a temporary file, and merged when all
//! are written.
//!
//! The file has no name and is never part of a history. Its rows have a fixed length, so that writing and
//! reading them is cheap compared with writing the segment.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;

use crate::history::{Batch, Scope, Sighting, SightingCounts};
use crate::packet::Timestamp;
use crate::store::StoreError;

use super::day_numbers::SECOND;
use super::sorted::{SortedRows, merge_sorted};

/// Bytes per row.
const ROW: usize = 69;
/// Number of rows of a run that are read or written at once: 65 KB.
const ROWS_AT_ONCE: usize = 1 << 10;
/// Maximum number of runs that are merged at once; more are merged in several passes. Memory:
/// [`ROWS_AT_ONCE`] encoded and decoded rows of each run, 11 MB in all.
const RUNS_AT_ONCE: usize = 64;

/// Sorted runs of a day's sightings in a temporary file.
#[derive(Debug)]
pub(super) struct SightingSpool {
    file: Arc<File>,
    day: Date,
    runs: Vec<Range<u64>>,
    /// The end offset of the last run.
    end: u64,
}

impl SightingSpool {
    /// Creates a spool with a temporary file in a folder.
    pub(super) fn new(folder: &Path, day: Date) -> io::Result<SightingSpool> {
        Ok(SightingSpool { file: Arc::new(tempfile::tempfile_in(folder)?), day, runs: Vec::new(), end: 0 })
    }

    /// Adds a batch of the spool's day as a sorted run.
    pub(super) fn add(&mut self, batch: Batch) -> Result<(), StoreError> {
        self.write_run(&mut batch.sightings.into_iter().map(Ok))
    }

    /// Returns all rows, sorted by [`Sighting::order`]. Rows with equal keys follow each other; they are not
    /// added up.
    pub(super) fn into_sorted(mut self) -> Result<SortedRows<'static, Sighting>, StoreError> {
        while self.runs.len() > RUNS_AT_ONCE {
            let some = self.runs.drain(..RUNS_AT_ONCE).collect::<Vec<_>>();
            let mut rows = self.merge_runs(some)?;
            self.write_run(&mut rows)?;
        }
        let all = std::mem::take(&mut self.runs);
        self.merge_runs(all)
    }

    fn merge_runs(&self, runs: Vec<Range<u64>>) -> Result<SortedRows<'static, Sighting>, StoreError> {
        let reader =
            |run| Box::new(RunReader::new(Arc::clone(&self.file), self.day, run)) as SortedRows<'static, _>;
        merge_sorted(runs.into_iter().map(reader).collect(), Sighting::order)
    }

    fn write_run(
        &mut self,
        rows: &mut dyn Iterator<Item = Result<Sighting, StoreError>>,
    ) -> Result<(), StoreError> {
        let start = self.end;
        let mut bytes = Vec::with_capacity(ROWS_AT_ONCE * ROW);
        for row in rows {
            encode(&row?, &mut bytes);
            if bytes.len() >= ROWS_AT_ONCE * ROW {
                self.write(&bytes)?;
                bytes.clear();
            }
        }
        self.write(&bytes)?;
        self.runs.push(start..self.end);
        Ok(())
    }

    /// Appends bytes. The position is set first, because readers of the same file move it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.end))?;
        file.write_all(bytes)?;
        self.end += bytes.len() as u64;
        Ok(())
    }
}

/// Reads the rows of a run.
struct RunReader {
    file: Arc<File>,
    day: Date,
    left: Range<u64>,
    rows: std::vec::IntoIter<Sighting>,
}

impl RunReader {
    fn new(file: Arc<File>, day: Date, run: Range<u64>) -> RunReader {
        RunReader { file, day, left: run, rows: Vec::new().into_iter() }
    }

    fn read_some(&mut self) -> io::Result<()> {
        let most = (ROWS_AT_ONCE * ROW) as u64;
        let length = usize::try_from(most.min(self.left.end - self.left.start)).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.left.start))?;
        file.read_exact(&mut bytes)?;
        self.left.start += length as u64;
        let rows: Vec<Sighting> = bytes.chunks_exact(ROW).map(|row| decode(row, self.day)).collect();
        self.rows = rows.into_iter();
        Ok(())
    }
}

impl Iterator for RunReader {
    type Item = Result<Sighting, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rows.len() == 0
            && !self.left.is_empty()
            && let Err(error) = self.read_some()
        {
            self.left = 0..0;
            return Some(Err(error.into()));
        }
        self.rows.next().map(Ok)
    }
}

/// Bits of the last byte of a row. The hour is stored above them.
const IS_SIX: u8 = 1;
const IS_FACET: u8 = 2;
const HAS_SIGNATURE: u8 = 4;
const HOUR_SHIFT: u8 = 3;

/// Encodes a sighting whose windows all began in one hour.
fn encode(row: &Sighting, to: &mut Vec<u8>) {
    let Sighting { number, scope, host, signature, counts, .. } = row;
    let (address, six) = match host {
        IpAddr::V4(four) => (u128::from(four.to_bits()), 0),
        IpAddr::V6(six) => (six.to_bits(), IS_SIX),
    };
    let facet = if *scope == Scope::Facet { IS_FACET } else { 0 };
    let signed = if signature.is_some() { HAS_SIGNATURE } else { 0 };
    let hour = u8::try_from(counts.hours.trailing_zeros().min(31)).unwrap_or(31);
    to.extend_from_slice(&number.to_le_bytes());
    to.extend_from_slice(&address.to_le_bytes());
    to.extend_from_slice(&signature.unwrap_or(0).to_le_bytes());
    to.extend_from_slice(&counts.windows.to_le_bytes());
    to.extend_from_slice(&counts.packets.to_le_bytes());
    to.extend_from_slice(&counts.first.0.div_euclid(SECOND).to_le_bytes());
    to.extend_from_slice(&counts.marks.to_le_bytes());
    let duration = counts.last.0.div_euclid(SECOND) - counts.first.0.div_euclid(SECOND);
    to.extend_from_slice(&u32::try_from(duration).unwrap_or(0).to_le_bytes());
    to.push(hour << HOUR_SHIFT | signed | facet | six);
}

/// Decodes a row of [`ROW`] bytes.
fn decode(row: &[u8], day: Date) -> Sighting {
    let mut left = row;
    let number = u64::from_le_bytes(take(&mut left));
    let address = u128::from_le_bytes(take(&mut left));
    let signature = u64::from_le_bytes(take(&mut left));
    let windows = u64::from_le_bytes(take(&mut left));
    let packets = u64::from_le_bytes(take(&mut left));
    let first = i64::from_le_bytes(take(&mut left));
    let marks = u64::from_le_bytes(take(&mut left));
    let duration = u32::from_le_bytes(take(&mut left));
    let [flags] = take(&mut left);
    let host = match u32::try_from(address) {
        Ok(four) if flags & IS_SIX == 0 => Ipv4Addr::from_bits(four).into(),
        _ => Ipv6Addr::from_bits(address).into(),
    };
    let scope = if flags & IS_FACET == 0 { Scope::Whole } else { Scope::Facet };
    let counts = SightingCounts {
        windows,
        packets,
        first: Timestamp(first * SECOND),
        last: Timestamp((first + i64::from(duration)) * SECOND),
        hours: 1 << (flags >> HOUR_SHIFT),
        marks,
    };
    let signature = (flags & HAS_SIGNATURE != 0).then_some(signature);
    Sighting { day, number, scope, host, signature, counts }
}

/// Removes the first `N` bytes from a slice, which must have as many, and returns them.
fn take<const N: usize>(left: &mut &[u8]) -> [u8; N] {
    let (first, rest) = left.split_first_chunk().unwrap_or((&[0; N], &[]));
    *left = rest;
    *first
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    const DAY: Date = date(2009, 3, 2);

    fn sightings() -> impl Strategy<Value = Sighting> {
        let host = prop_oneof![
            any::<u32>().prop_map(|four| IpAddr::from(Ipv4Addr::from_bits(four % 8))),
            any::<u128>().prop_map(|six| IpAddr::from(Ipv6Addr::from_bits(six % 8))),
        ];
        let key = (0u64..8, any::<bool>(), host, proptest::option::of(0u64..2));
        let counts = (1u64..9, 1u64..9, 0i64..86_400, 0u32..86_400, 0u32..25, any::<u64>());
        (key, counts).prop_map(|((number, facet, host, signature), counts)| {
            let (windows, packets, first, duration, hour, marks) = counts;
            let first = 1_235_952_000 + first;
            let last = first + i64::from(duration);
            let times = (Timestamp(first * SECOND), Timestamp(last * SECOND));
            let counts =
                SightingCounts { windows, packets, first: times.0, last: times.1, hours: 1 << hour, marks };
            let scope = if facet { Scope::Facet } else { Scope::Whole };
            Sighting { day: DAY, number, scope, host, signature, counts }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn rows_come_back_sorted(
            batches in proptest::collection::vec(proptest::collection::vec(sightings(), 0..40), 0..200)
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut spool = SightingSpool::new(folder.path(), DAY).unwrap();
            let mut all = batches.concat();
            for mut sightings in batches {
                sightings.sort_by(Sighting::order);
                spool.add(Batch { day: DAY, hour: 0, sightings }).unwrap();
            }
            let sorted: Vec<Sighting> = spool.into_sorted().unwrap().map(Result::unwrap).collect();
            prop_assert!(sorted.is_sorted_by(|a, b| a.order(b).is_le()));
            let by_content = |a: &Sighting, b: &Sighting| a.order(b).then(a.counts.cmp(&b.counts));
            let mut again = sorted;
            again.sort_by(by_content);
            all.sort_by(by_content);
            prop_assert_eq!(again, all);
        }
    }
}
