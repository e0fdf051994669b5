//! Sorted rows of segments, and merging them.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::rc::Rc;

use jiff::tz::TimeZone;

use crate::history::{DailyCount, HourlyCount, Sighting};
use crate::store::StoreError;

use super::rows::{DayStarts, HOUR, each_count, each_sighting};
use super::segment::{GroupReader, Segment};
use super::table::Column;

/// Sorted rows that come one by one.
pub(super) type Sorted<'a, T> = Box<dyn Iterator<Item = Result<T, StoreError>> + 'a>;

/// Rows that are decoded at once of a row group.
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

/// The rows of some row groups, one group after the other. Memory: a row group as it lies in the file, less than a
/// megabyte, and [`ROWS_AT_ONCE`] decoded rows.
struct Rows<T, D> {
    segment: Rc<Segment>,
    groups: std::vec::IntoIter<usize>,
    reader: Option<GroupReader>,
    decoded: std::vec::IntoIter<T>,
    decode: D,
}

impl<T, D> Rows<T, D>
where
    D: FnMut(usize, &[Column], &mut Vec<T>) -> Result<(), StoreError>,
{
    fn new(segment: Rc<Segment>, groups: Vec<usize>, decode: D) -> Rows<T, D> {
        Rows { segment, groups: groups.into_iter(), reader: None, decoded: Vec::new().into_iter(), decode }
    }

    /// Decodes the next rows; `false` where there are none.
    fn more(&mut self) -> Result<bool, StoreError> {
        loop {
            if let Some(reader) = &mut self.reader {
                let (count, columns) = reader.next(ROWS_AT_ONCE)?;
                if count > 0 {
                    let mut rows = Vec::with_capacity(count);
                    (self.decode)(count, &columns, &mut rows)?;
                    self.decoded = rows.into_iter();
                    return Ok(true);
                }
            }
            let Some(group) = self.groups.next() else { return Ok(false) };
            self.reader = Some(self.segment.row_group(group)?.rows()?);
        }
    }
}

impl<T, D> Iterator for Rows<T, D>
where
    D: FnMut(usize, &[Column], &mut Vec<T>) -> Result<(), StoreError>,
{
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.decoded.next() {
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

/// The sightings of some row groups of a segment.
fn sightings(segment: &Rc<Segment>, groups: Vec<usize>, zone: &TimeZone) -> Sorted<'static, Sighting> {
    let mut days = DayStarts::new(zone.clone());
    Box::new(Rows::new(Rc::clone(segment), groups, move |count, columns, rows: &mut Vec<_>| {
        each_sighting(count, columns, &mut days, &mut |sighting| {
            rows.push(sighting);
            Ok(())
        })
    }))
}

/// The daily counts of some row groups of a segment, which have no hours.
pub(super) fn daily_counts(segment: &Rc<Segment>, groups: Vec<usize>) -> Sorted<'static, DailyCount> {
    Box::new(Rows::new(Rc::clone(segment), groups, |count, columns, rows: &mut Vec<_>| {
        each_count(count, columns, &mut |count, _| {
            rows.push(count);
            Ok(())
        })
    }))
}

/// The hourly counts of some row groups of a segment.
pub(super) fn hourly_counts(segment: &Rc<Segment>, groups: Vec<usize>) -> Sorted<'static, HourlyCount> {
    Box::new(Rows::new(Rc::clone(segment), groups, |count, columns, rows: &mut Vec<_>| {
        each_count(count, columns, &mut |count, hour| {
            let hour =
                hour.ok_or_else(|| StoreError::Damaged("a row of hourly counts has no hour".to_owned()))?;
            let DailyCount { number, scope, day, windows, packets, hosts } = count;
            rows.push(HourlyCount { number, scope, day, hour, windows, packets, hosts });
            Ok(())
        })
    }))
}

/// The sorted runs of sightings in a segment.
pub(super) fn sighting_runs(segment: &Rc<Segment>, zone: &TimeZone) -> Vec<Sorted<'static, Sighting>> {
    segment.runs().map(|run| sightings(segment, run.collect(), zone)).collect()
}

/// The sorted runs of hourly counts in a segment.
pub(super) fn hourly_runs(segment: &Rc<Segment>) -> Vec<Sorted<'static, HourlyCount>> {
    let is_of_hours = |group: &usize| segment.range(*group, HOUR).is_some();
    segment.runs().map(|run| hourly_counts(segment, run.filter(is_of_hours).collect())).collect()
}
