//! Sorted rows of segments, and merging them.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::rc::Rc;

use jiff::tz::TimeZone;

use crate::history::{DailyCount, HourlyCount, Sighting};
use crate::store::StoreError;

use super::rows::{COUNTS, DayStarts, HOUR, SIGHTINGS, each_count, each_sighting};
use super::segment::{GroupReader, Segment};
use super::table::Column;

/// Sorted rows that come one by one.
pub(super) type Sorted<'a, T> = Box<dyn Iterator<Item = Result<T, StoreError>> + 'a>;

/// Rows that are decoded at once of a run.
const ROWS_AT_ONCE: usize = 1 << 10;

/// Merges sorted rows; of equal ones those of earlier sources come first.
pub(super) fn merged<'a, T: Copy + 'a>(
    mut sources: Vec<Sorted<'a, T>>,
    order: impl Fn(&T, &T) -> Ordering + Copy + 'a,
) -> Result<Sorted<'a, T>, StoreError> {
    if sources.len() == 1 {
        return Ok(sources.remove(0));
    }
    let mut heads = BinaryHeap::new();
    for (at, source) in sources.iter_mut().enumerate() {
        if let Some(row) = source.next() {
            heads.push(Reverse(Head { row: row?, at, order }));
        }
    }
    Ok(Box::new(std::iter::from_fn(move || {
        let mut head = heads.peek_mut()?;
        let Reverse(Head { row, at, .. }) = &mut *head;
        let least = *row;
        match sources.get_mut(*at).and_then(Iterator::next) {
            Some(Ok(next)) => *row = next,
            Some(Err(error)) => {
                std::collections::binary_heap::PeekMut::pop(head);
                heads.clear();
                return Some(Err(error));
            }
            None => {
                std::collections::binary_heap::PeekMut::pop(head);
            }
        }
        Some(Ok(least))
    })))
}

/// The next row of a source.
struct Head<T, O> {
    row: T,
    at: usize,
    order: O,
}

impl<T, O: Fn(&T, &T) -> Ordering> Ord for Head<T, O> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.order)(&self.row, &other.row).then(self.at.cmp(&other.at))
    }
}

impl<T, O: Fn(&T, &T) -> Ordering> PartialOrd for Head<T, O> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T, O: Fn(&T, &T) -> Ordering> PartialEq for Head<T, O> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T, O: Fn(&T, &T) -> Ordering> Eq for Head<T, O> {}

/// The rows of a run, decoded some at a time.
struct Run<T> {
    segment: Rc<Segment>,
    groups: std::vec::IntoIter<usize>,
    columns: Vec<usize>,
    reader: Option<GroupReader>,
    rows: std::vec::IntoIter<T>,
    decode: Decode<T>,
}

type Decode<T> = Box<dyn FnMut(usize, &[Column], &mut Vec<T>) -> Result<(), StoreError>>;

impl<T> Run<T> {
    fn more(&mut self) -> Result<bool, StoreError> {
        loop {
            if let Some(reader) = &mut self.reader {
                let (count, columns) = reader.next(ROWS_AT_ONCE)?;
                if count > 0 {
                    let mut rows = Vec::with_capacity(count);
                    (self.decode)(count, &columns, &mut rows)?;
                    self.rows = rows.into_iter();
                    return Ok(true);
                }
            }
            let Some(group) = self.groups.next() else { return Ok(false) };
            self.reader = Some(self.segment.read(group, &self.columns)?);
        }
    }
}

impl<T> Iterator for Run<T> {
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            match self.more() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.groups = Vec::new().into_iter();
                    self.reader = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// The sorted runs of sightings in a segment.
pub(super) fn sighting_runs(segment: &Rc<Segment>, zone: &TimeZone) -> Vec<Sorted<'static, Sighting>> {
    let run = |groups: std::ops::Range<usize>| {
        let mut days = DayStarts::new(zone.clone());
        let decode: Decode<Sighting> = Box::new(move |count, columns, rows| {
            each_sighting(count, columns, &mut days, &mut |sighting| {
                rows.push(sighting);
                Ok(())
            })
        });
        let groups: Vec<usize> = groups.collect();
        let columns = (0..SIGHTINGS.columns.len()).collect();
        let rows = Vec::new().into_iter();
        Box::new(Run {
            segment: Rc::clone(segment),
            groups: groups.into_iter(),
            columns,
            reader: None,
            rows,
            decode,
        }) as Sorted<'static, Sighting>
    };
    segment.runs().map(run).collect()
}

/// The sorted runs of hourly counts in a segment.
pub(super) fn hourly_runs(segment: &Rc<Segment>) -> Vec<Sorted<'static, HourlyCount>> {
    let run = |groups: std::ops::Range<usize>| {
        let decode: Decode<HourlyCount> = Box::new(|count, columns, rows| {
            each_count(count, columns, &mut |count, hour| {
                let hour =
                    hour.ok_or_else(|| StoreError::Damaged("a row of hourly counts has no hour".to_owned()))?;
                let DailyCount { number, scope, day, windows, packets, hosts } = count;
                rows.push(HourlyCount { number, scope, day, hour, windows, packets, hosts });
                Ok(())
            })
        });
        let groups: Vec<usize> = groups.filter(|group| segment.range(*group, HOUR).is_some()).collect();
        let columns = (0..COUNTS.columns.len()).collect();
        let rows = Vec::new().into_iter();
        Box::new(Run {
            segment: Rc::clone(segment),
            groups: groups.into_iter(),
            columns,
            reader: None,
            rows,
            decode,
        }) as Sorted<'static, HourlyCount>
    };
    segment.runs().map(run).collect()
}

/// The rows of some row groups of counts, one after the other. Memory: one row group.
pub(super) struct CountRows {
    segment: Rc<Segment>,
    groups: std::vec::IntoIter<usize>,
    rows: std::vec::IntoIter<(DailyCount, Option<u8>)>,
}

impl CountRows {
    pub(super) fn new(segment: Rc<Segment>, groups: Vec<usize>) -> CountRows {
        CountRows { segment, groups: groups.into_iter(), rows: Vec::new().into_iter() }
    }

    fn next_group(&mut self, group: usize) -> Result<(), StoreError> {
        let every: Vec<usize> = (0..COUNTS.columns.len()).collect();
        let (count, columns) = self.segment.read(group, &every)?.rest()?;
        let mut rows = Vec::with_capacity(count);
        each_count(count, &columns, &mut |count, hour| {
            rows.push((count, hour));
            Ok(())
        })?;
        self.rows = rows.into_iter();
        Ok(())
    }
}

impl Iterator for CountRows {
    type Item = Result<(DailyCount, Option<u8>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            let group = self.groups.next()?;
            if let Err(error) = self.next_group(group) {
                self.groups = Vec::new().into_iter();
                return Some(Err(error));
            }
        }
    }
}
