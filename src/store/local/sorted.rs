//! Sorted rows of segments, and merging them.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::history::{DailyCount, HourlyCount, Sighting};
use crate::store::StoreError;

use super::count_rows::{Counted, DAILY, each_count};
use super::day_numbers::Days;
use super::rows::{TYPE, each_sighting};
use super::segment::{GroupReader, RowGroup, Segment};
use super::table::{Column, Values};
use super::wanted::Wanted;

/// Sorted rows that come one by one.
pub(super) type Sorted<'a, T> = Box<dyn Iterator<Item = Result<T, StoreError>> + 'a>;

/// Rows that are decoded at once of a row group.
const ROWS_AT_ONCE: usize = 1 << 10;

/// Merges sorted rows; of equal ones those of earlier sources come first.
pub(super) fn merged<'a, T: Copy + 'a>(
    mut sources: Vec<Sorted<'a, T>>,
    order: impl Fn(&T, &T) -> Ordering + 'a,
) -> Result<Sorted<'a, T>, StoreError> {
    if sources.len() == 1 {
        return Ok(sources.remove(0));
    }
    Ok(Box::new(Merge::new(sources, order)?))
}

/// A tournament of sources. An inner node of the tree has the source that lost there, so that the next row of the winner meets
/// one other row on each level. Whole rows are never moved, which a heap of rows would do.
struct Merge<'a, T, O> {
    sources: Vec<Sorted<'a, T>>,
    /// The next row of each source; `None` at its end, which loses against all.
    heads: Vec<Option<T>>,
    /// The losers, by inner node; node 0 has the winner. The children of node n are 2n and 2n + 1, and source s is the
    /// leaf `sources.len()` + s.
    nodes: Vec<usize>,
    order: O,
}

impl<'a, T: Copy, O: Fn(&T, &T) -> Ordering> Merge<'a, T, O> {
    fn new(mut sources: Vec<Sorted<'a, T>>, order: O) -> Result<Merge<'a, T, O>, StoreError> {
        let heads: Vec<Option<T>> =
            sources.iter_mut().map(|source| source.next().transpose()).collect::<Result<_, _>>()?;
        let count = sources.len();
        let mut merge = Merge { sources, heads, nodes: vec![0; count], order };
        // Winners of subtrees, leaves last.
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

    /// Whether a source's next row comes before another one's.
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

/// The rows of some row groups, one group after the other. Memory: a row group as it lies in the file, less than a
/// megabyte, and [`ROWS_AT_ONCE`] decoded rows.
struct Rows<'w, T, D> {
    segment: Arc<Segment>,
    /// The types whose rows are decoded, ascending, and as many of others as lie between; `None` for all.
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

/// The sightings of a segment.
pub(super) fn all_sightings(segment: &Arc<Segment>, zone: &TimeZone) -> Sorted<'static, Sighting> {
    let mut days = Days::new(zone.clone());
    let groups = (0..segment.groups()).collect();
    Box::new(Rows::new(segment, groups, None, move |count, columns, rows: &mut Vec<_>| {
        each_sighting(count, columns, &mut days, &mut |sighting| {
            rows.push(sighting);
            Ok(())
        })
    }))
}

/// The daily counts of a segment: at least those of types that are wanted.
pub(super) fn daily_counts<'w>(segment: &Arc<Segment>, wanted: &Wanted<'w>) -> Sorted<'w, DailyCount> {
    let mut days = Days::new(TimeZone::UTC);
    let groups = count_groups(segment, wanted, true);
    Box::new(Rows::new(segment, groups, wanted.types, move |count, columns, rows: &mut Vec<_>| {
        each_count(count, columns, &mut days, &mut |counted| {
            rows.extend(counted.daily.then_some(counted.count));
            Ok(())
        })
    }))
}

/// The hourly counts in those row groups that have days, or in those that have hours of days: at least those of types that are
/// wanted.
fn hourly_counts<'w>(segment: &Arc<Segment>, wanted: &Wanted<'w>, of_days: bool) -> Sorted<'w, HourlyCount> {
    let mut days = Days::new(TimeZone::UTC);
    let groups = count_groups(segment, wanted, of_days);
    Box::new(Rows::new(segment, groups, wanted.types, move |count, columns, rows: &mut Vec<_>| {
        each_count(count, columns, &mut days, &mut |Counted { count, daily, hour }| {
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

/// The hourly counts of a segment, in two parts that are each sorted: those of days with a single hour, and the others; at least
/// those of types that are wanted.
pub(super) fn hours_of_segment<'w>(
    segment: &Arc<Segment>,
    wanted: &Wanted<'w>,
) -> [Sorted<'w, HourlyCount>; 2] {
    [true, false].map(|of_days| hourly_counts(segment, wanted, of_days))
}

/// The row groups of counts that have days, or hours of days, and may have a type that is wanted.
fn count_groups(segment: &Segment, wanted: &Wanted<'_>, of_days: bool) -> Vec<usize> {
    let has_days = |group: usize| segment.range(group, DAILY).is_some_and(|(_, greatest)| greatest > 0);
    let may_have = |group: &usize| has_days(*group) == of_days && wanted.may_have_type(segment, *group, TYPE);
    (0..segment.groups()).filter(may_have).collect()
}

/// The rows of a row group, sorted by type, from the first of some types to the last of them; both are ascending.
pub(super) fn rows_of_types(group: &RowGroup<'_>, types: &[u64]) -> Result<Range<usize>, StoreError> {
    let (count, columns) = group.columns(&[TYPE])?;
    let Some(Column { values: Values::Int64(numbers), .. }) = columns.first() else { return Ok(0..count) };
    let mut last: Option<(i64, bool)> = None;
    let mut is_wanted = |number: &i64| match last {
        Some((known, wanted)) if known == *number => wanted,
        _ => {
            let wanted = types.binary_search(&number.cast_unsigned()).is_ok();
            last = Some((*number, wanted));
            wanted
        }
    };
    let Some(first) = numbers.iter().position(&mut is_wanted) else { return Ok(0..0) };
    let end = numbers.iter().rposition(&mut is_wanted).map_or(first, |last| last + 1);
    Ok(first..end)
}
