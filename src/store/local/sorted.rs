//! Sorted rows of segments, and merging them.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::history::{DailyCount, HourlyCount, Sighting};
use crate::store::StoreError;

use super::count_rows::{CountRow, DAILY, each_count};
use super::day_numbers::DayNumbers;
use super::row_filter::{RowFilter, type_matcher};
use super::rows::{TYPE, each_sighting};
use super::segment::{GroupReader, RowGroup, Segment};
use super::table::{Column, Values};

/// An iterator over sorted rows.
pub(super) type SortedRows<'a, T> = Box<dyn Iterator<Item = Result<T, StoreError>> + 'a>;

/// Number of rows of a row group that are decoded at once.
const ROWS_AT_ONCE: usize = 1 << 10;

/// Merges sorted rows. Equal rows keep the order of their sources.
pub(super) fn merge_sorted<'a, T: Copy + 'a>(
    mut sources: Vec<SortedRows<'a, T>>,
    order: impl Fn(&T, &T) -> Ordering + 'a,
) -> Result<SortedRows<'a, T>, StoreError> {
    if sources.len() == 1 {
        return Ok(sources.remove(0));
    }
    Ok(Box::new(Merge::new(sources, order)?))
}

/// A tournament tree (loser tree) over the sources. Each inner node holds the source that lost there, so the
/// next row of the winner is compared with one row per level. Rows are never moved, unlike in a heap of rows.
struct Merge<'a, T, O> {
    sources: Vec<SortedRows<'a, T>>,
    /// The next row of each source; `None` at its end, which loses to every row.
    heads: Vec<Option<T>>,
    /// The losing source of each inner node; node 0 holds the overall winner. The children of node n are 2n
    /// and 2n + 1; source s is leaf `sources.len()` + s.
    nodes: Vec<usize>,
    order: O,
}

impl<'a, T: Copy, O: Fn(&T, &T) -> Ordering> Merge<'a, T, O> {
    fn new(mut sources: Vec<SortedRows<'a, T>>, order: O) -> Result<Merge<'a, T, O>, StoreError> {
        let heads: Vec<Option<T>> =
            sources.iter_mut().map(|source| source.next().transpose()).collect::<Result<_, _>>()?;
        let count = sources.len();
        let mut merge = Merge { sources, heads, nodes: vec![0; count], order };
        // The winning source of each subtree; the leaves come last.
        let mut winners: Vec<usize> = (0..count).chain(0..count).collect();
        for node in (1..count).rev() {
            let (one, other) = (winners[2 * node], winners[2 * node + 1]);
            let one_wins = merge.is_before(one, other);
            (winners[node], merge.nodes[node]) = if one_wins { (one, other) } else { (other, one) };
        }
        if count > 0 {
            merge.nodes[0] = winners[1];
        }
        Ok(merge)
    }

    /// Returns whether the next row of one source comes before that of another.
    fn is_before(&self, one: usize, other: usize) -> bool {
        match (&self.heads[one], &self.heads[other]) {
            (Some(a), Some(b)) => (self.order)(a, b).then(one.cmp(&other)).is_lt(),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

impl<T: Copy, O: Fn(&T, &T) -> Ordering> Iterator for Merge<'_, T, O> {
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut winner = *self.nodes.first()?;
        let row = self.heads[winner]?;
        match self.sources[winner].next().transpose() {
            Ok(next) => self.heads[winner] = next,
            Err(error) => {
                self.heads.fill(None);
                return Some(Err(error));
            }
        }
        let mut node = (self.sources.len() + winner) / 2;
        while node > 0 {
            let loser = self.nodes[node];
            if self.is_before(loser, winner) {
                self.nodes[node] = winner;
                winner = loser;
            }
            node /= 2;
        }
        self.nodes[0] = winner;
        Some(Ok(row))
    }
}

/// The rows of some row groups, one group after another. Memory: an encoded row group (less than 1 MB) and
/// [`ROWS_AT_ONCE`] decoded rows.
struct Rows<'w, T, D> {
    segment: Arc<Segment>,
    /// The wanted types, ascending; `None` for all. Rows of other types between them are decoded, too.
    types: Option<&'w [u64]>,
    groups: std::vec::IntoIter<usize>,
    reader: Option<GroupReader>,
    decoded: std::vec::IntoIter<T>,
    decode: D,
}

impl<'w, T, D> Rows<'w, T, D>
where
    D: FnMut(usize, &[Column], &mut Vec<T>) -> Result<(), StoreError>,
{
    fn new(
        segment: &Arc<Segment>,
        groups: Vec<usize>,
        types: Option<&'w [u64]>,
        decode: D,
    ) -> Rows<'w, T, D> {
        let (segment, groups) = (Arc::clone(segment), groups.into_iter());
        Rows { segment, types, groups, reader: None, decoded: Vec::new().into_iter(), decode }
    }

    /// Decodes the next rows; returns `false` at the end.
    fn decode_next(&mut self) -> Result<bool, StoreError> {
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
            let group = self.segment.row_group(group)?;
            let range = match self.types {
                Some(types) => rows_of_types(&group, types)?,
                None => 0..group.row_count(),
            };
            self.reader = Some(group.rows(range)?);
        }
    }
}

impl<T, D> Iterator for Rows<'_, T, D>
where
    D: FnMut(usize, &[Column], &mut Vec<T>) -> Result<(), StoreError>,
{
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.decoded.next() {
                return Some(Ok(row));
            }
            match self.decode_next() {
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

/// Returns all sightings of a segment.
pub(super) fn all_sightings(segment: &Arc<Segment>, zone: &TimeZone) -> SortedRows<'static, Sighting> {
    let mut days = DayNumbers::new(zone.clone());
    let groups = (0..segment.groups()).collect();
    Box::new(Rows::new(segment, groups, None, move |count, columns, rows: &mut Vec<_>| {
        each_sighting(count, columns, &mut days, &mut |sighting| {
            rows.push(sighting);
            Ok(())
        })
    }))
}

/// Returns the daily counts of a segment: those of the wanted types, and possibly others.
pub(super) fn daily_counts<'w>(segment: &Arc<Segment>, wanted: &RowFilter<'w>) -> SortedRows<'w, DailyCount> {
    let mut days = DayNumbers::new(TimeZone::UTC);
    let groups = count_groups(segment, wanted, true);
    Box::new(Rows::new(segment, groups, wanted.types, move |count, columns, rows: &mut Vec<_>| {
        each_count(count, columns, &mut days, &mut |counted| {
            rows.extend(counted.daily.then_some(counted.count));
            Ok(())
        })
    }))
}

/// Returns the hourly counts of the row groups with daily rows (`of_days`) or of those with hourly rows:
/// those of the wanted types, and possibly others.
fn hourly_counts<'w>(
    segment: &Arc<Segment>,
    wanted: &RowFilter<'w>,
    of_days: bool,
) -> SortedRows<'w, HourlyCount> {
    let mut days = DayNumbers::new(TimeZone::UTC);
    let groups = count_groups(segment, wanted, of_days);
    Box::new(Rows::new(segment, groups, wanted.types, move |count, columns, rows: &mut Vec<_>| {
        each_count(count, columns, &mut days, &mut |CountRow { count, daily, hour }| {
            match hour {
                Some(hour) => {
                    let DailyCount { number, scope, day, windows, packets, hosts } = count;
                    rows.push(HourlyCount { number, scope, day, hour, windows, packets, hosts });
                }
                None if daily => {}
                None => {
                    let number = count.number;
                    return Err(StoreError::Damaged(format!("an hourly count of type {number} has no hour")));
                }
            }
            Ok(())
        })
    }))
}

/// Returns the hourly counts of a segment in two sorted parts: those of days with a single hour, and the
/// others. Both have the counts of the wanted types, and possibly others.
pub(super) fn hourly_counts_of_segment<'w>(
    segment: &Arc<Segment>,
    wanted: &RowFilter<'w>,
) -> [SortedRows<'w, HourlyCount>; 2] {
    [true, false].map(|of_days| hourly_counts(segment, wanted, of_days))
}

/// Returns the row groups with daily rows (`of_days`) or with hourly rows that may have a wanted type.
fn count_groups(segment: &Segment, wanted: &RowFilter<'_>, of_days: bool) -> Vec<usize> {
    let has_days = |group: usize| segment.range(group, DAILY).is_some_and(|(_, greatest)| greatest > 0);
    let may_have = |group: &usize| has_days(*group) == of_days && wanted.may_have_type(segment, *group, TYPE);
    (0..segment.groups()).filter(may_have).collect()
}

/// Returns the range of rows of a row group, which is sorted by type, from the first row of a wanted type to
/// the last. `types` must ascend.
pub(super) fn rows_of_types(group: &RowGroup<'_>, types: &[u64]) -> Result<Range<usize>, StoreError> {
    let (count, columns) = group.columns(&[TYPE])?;
    let Some(Column { values: Values::Int64(numbers), .. }) = columns.first() else { return Ok(0..count) };
    let mut is_among = type_matcher(types);
    let mut is_wanted = |number: &i64| is_among(number.cast_unsigned());
    let Some(first) = numbers.iter().position(&mut is_wanted) else { return Ok(0..0) };
    let end = numbers.iter().rposition(&mut is_wanted).map_or(first, |last| last + 1);
    Ok(first..end)
}
