//! Rows of segments: sightings, counts and examples as columns, and back.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::event::Timestamp;
use crate::history::{DailyCount, Day, HourlyCount, Scope, Sighting, SightingCounts};
use crate::store::StoreError;

use super::table::{Column, ColumnSpec, Kind, Table, Values};

const SECOND: i64 = 1_000_000_000;

/// Sightings: one row for each type, scope, host, day and signature of a run. The page on the format describes the columns.
pub(super) static SIGHTINGS: Table = Table {
    name: "sightings",
    columns: &[
        ColumnSpec::new("day", Kind::Date),
        ColumnSpec::new("type", Kind::I64),
        ColumnSpec::new("facet", Kind::Bool),
        ColumnSpec::new("host4", Kind::U32).optional().differences().bloom(),
        ColumnSpec::new("host6", Kind::Address).optional().differences().bloom(),
        ColumnSpec::new("signature", Kind::U32).optional(),
        ColumnSpec::new("hours", Kind::U32),
        ColumnSpec::new("windows", Kind::U64),
        ColumnSpec::new("packets", Kind::U64),
        ColumnSpec::new("first", Kind::U32).differences(),
        ColumnSpec::new("duration", Kind::U32),
        ColumnSpec::new("marks", Kind::U64),
    ],
};

/// Places of columns of sightings.
pub(super) const TYPE: usize = 1;
pub(super) const HOST4: usize = 3;
pub(super) const HOST6: usize = 4;

/// Counts of types by day, and by hour where `hour` has a value. A row group has either days or hours.
pub(super) static COUNTS: Table = Table {
    name: "counts",
    columns: &[
        ColumnSpec::new("day", Kind::Date),
        ColumnSpec::new("type", Kind::I64),
        ColumnSpec::new("facet", Kind::Bool),
        ColumnSpec::new("hour", Kind::U32).optional(),
        ColumnSpec::new("windows", Kind::U64),
        ColumnSpec::new("packets", Kind::U64),
        ColumnSpec::new("hosts", Kind::U64),
    ],
};

/// The place of the hour among the columns of counts.
pub(super) const HOUR: usize = 3;

/// When the days of a sensor begin, each worked out once.
#[derive(Debug)]
pub(super) struct DayStarts {
    zone: TimeZone,
    known: HashMap<Date, i64>,
    last: Option<(Date, i64)>,
}

impl DayStarts {
    pub(super) fn new(zone: TimeZone) -> DayStarts {
        DayStarts { zone, known: HashMap::new(), last: None }
    }

    /// The second since 1970 at which a day begins.
    fn second(&mut self, date: Date) -> i64 {
        if let Some((_, start)) = self.last.filter(|(last, _)| *last == date) {
            return start;
        }
        let DayStarts { zone, known, last } = self;
        let start = *known.entry(date).or_insert_with(|| Day::on(date, zone).start.0.div_euclid(SECOND));
        *last = Some((date, start));
        start
    }
}

/// Days since 1970-01-01.
fn day_number(date: Date) -> i32 {
    const EPOCH: Date = jiff::civil::date(1970, 1, 1);
    i32::try_from(EPOCH.duration_until(date).as_hours() / 24).unwrap_or(0)
}

fn date_of(day: i32) -> Result<Date, StoreError> {
    const EPOCH: Date = jiff::civil::date(1970, 1, 1);
    let span = jiff::Span::new().try_days(i64::from(day));
    let date = span.and_then(|span| EPOCH.checked_add(span));
    date.map_err(|_| StoreError::Damaged(format!("day {day} of a segment is no date")))
}

fn seconds(value: i64) -> i32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX).cast_signed()
}

pub(super) fn four(host: IpAddr) -> Option<u32> {
    match host {
        IpAddr::V4(four) => Some(four.to_bits()),
        IpAddr::V6(_) => None,
    }
}

pub(super) fn six(host: IpAddr) -> Option<u128> {
    match host {
        IpAddr::V4(_) => None,
        IpAddr::V6(six) => Some(six.to_bits()),
    }
}

/// A count as it is stored; counts stop at 2^63 - 1.
fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn facet(scope: Scope) -> bool {
    scope == Scope::Facet
}

fn scope(facet: bool) -> Scope {
    if facet { Scope::Facet } else { Scope::Whole }
}

/// A type's number out of its column.
pub(super) fn number(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Damaged(format!("type {value} of a segment is negative")))
}

/// Sightings as columns.
pub(super) fn sighting_columns(rows: &[Sighting], days: &mut DayStarts) -> Vec<Column> {
    let second = |time: Timestamp| time.0.div_euclid(SECOND);
    let first = |row: &Sighting| seconds(second(row.counts.first) - days.second(row.day));
    vec![
        Column::int32(rows.iter().map(|row| day_number(row.day)).collect()),
        Column::int64(rows.iter().map(|row| row.number.cast_signed()).collect()),
        Column::bool(rows.iter().map(|row| facet(row.scope)).collect()),
        Column::optional_int32(rows.iter().map(|row| four(row.host))),
        Column::optional_addresses(rows.iter().map(|row| six(row.host))),
        Column::optional_int32(rows.iter().map(|row| row.signature)),
        Column::int32(rows.iter().map(|row| row.counts.hours.cast_signed()).collect()),
        Column::int64(rows.iter().map(|row| count(row.counts.windows)).collect()),
        Column::int64(rows.iter().map(|row| count(row.counts.packets)).collect()),
        Column::int32(rows.iter().map(first).collect()),
        Column::int32(
            rows.iter().map(|row| seconds(second(row.counts.last) - second(row.counts.first))).collect(),
        ),
        Column::int64(rows.iter().map(|row| row.counts.marks.cast_signed()).collect()),
    ]
}

/// The values of a column, which the schema has of this kind.
macro_rules! values {
    ($columns:expr, $at:expr, $kind:ident) => {
        match &$columns[$at].values {
            Values::$kind(values) => values.as_slice(),
            _ => return Err(wrong_kind()),
        }
    };
}

pub(super) fn wrong_kind() -> StoreError {
    StoreError::Damaged("a column of a segment is of another kind".to_owned())
}

/// Reads the values of an optional column row by row.
pub(super) struct Optional<'c, T> {
    defined: std::slice::Iter<'c, i16>,
    values: std::slice::Iter<'c, T>,
}

impl<'c, T> Optional<'c, T> {
    pub(super) fn new(column: &'c Column, values: &'c [T]) -> Optional<'c, T> {
        Optional { defined: column.defined.iter(), values: values.iter() }
    }

    pub(super) fn next(&mut self) -> Option<&'c T> {
        let defined = self.defined.next().is_some_and(|defined| *defined > 0);
        if defined { self.values.next() } else { None }
    }
}

pub(super) use values;

fn address(bytes: &parquet::data_type::FixedLenByteArray) -> Option<IpAddr> {
    let bytes: [u8; 16] = bytes.data().try_into().ok()?;
    Some(Ipv6Addr::from(bytes).into())
}

/// Takes the host of a row out of its two columns.
pub(super) fn host(
    fours: &mut Optional<'_, i32>,
    sixes: &mut Optional<'_, parquet::data_type::FixedLenByteArray>,
) -> Result<IpAddr, StoreError> {
    match (fours.next(), sixes.next()) {
        (Some(four), None) => Ok(Ipv4Addr::from_bits(four.cast_unsigned()).into()),
        (None, Some(six)) => address(six).ok_or_else(wrong_kind),
        _ => Err(StoreError::Damaged("a row of a segment has no host, or two".to_owned())),
    }
}

/// Hands on sightings out of their columns.
pub(super) fn each_sighting(
    rows: usize,
    columns: &[Column],
    days: &mut DayStarts,
    sink: &mut dyn FnMut(Sighting) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let day = values!(columns, 0, Int32);
    let types = values!(columns, 1, Int64);
    let facets = values!(columns, 2, Bool);
    let mut fours = Optional::new(&columns[3], values!(columns, 3, Int32));
    let mut sixes = Optional::new(&columns[4], values!(columns, 4, Address));
    let mut signatures = Optional::new(&columns[5], values!(columns, 5, Int32));
    let hours = values!(columns, 6, Int32);
    let windows = values!(columns, 7, Int64);
    let packets = values!(columns, 8, Int64);
    let first = values!(columns, 9, Int32);
    let duration = values!(columns, 10, Int32);
    let marks = values!(columns, 11, Int64);
    let mut date = DateCache::default();
    for at in 0..rows {
        let day = date.of(day[at])?;
        let begin = days.second(day).saturating_add(i64::from(first[at].cast_unsigned()));
        let end = begin.saturating_add(i64::from(duration[at].cast_unsigned()));
        let counts = SightingCounts {
            windows: windows[at].cast_unsigned(),
            packets: packets[at].cast_unsigned(),
            first: Timestamp(begin.saturating_mul(SECOND)),
            last: Timestamp(end.saturating_mul(SECOND)),
            hours: hours[at].cast_unsigned(),
            marks: marks[at].cast_unsigned(),
        };
        let host = host(&mut fours, &mut sixes)?;
        let signature = signatures.next().map(|signature| signature.cast_unsigned());
        let (number, scope) = (number(types[at])?, scope(facets[at]));
        sink(Sighting { day, number, scope, host, signature, counts })?;
    }
    Ok(())
}

/// The date of the last day number; many rows of a day follow each other.
#[derive(Default)]
struct DateCache(Option<(i32, Date)>);

impl DateCache {
    fn of(&mut self, day: i32) -> Result<Date, StoreError> {
        match self.0 {
            Some((known, date)) if known == day => Ok(date),
            _ => {
                let date = date_of(day)?;
                self.0 = Some((day, date));
                Ok(date)
            }
        }
    }
}

/// Counts of days, or of hours, as columns.
pub(super) fn daily_columns(rows: &[DailyCount]) -> Vec<Column> {
    vec![
        Column::int32(rows.iter().map(|row| day_number(row.day)).collect()),
        Column::int64(rows.iter().map(|row| row.number.cast_signed()).collect()),
        Column::bool(rows.iter().map(|row| facet(row.scope)).collect()),
        Column::optional_int32(rows.iter().map(|_| None)),
        Column::int64(rows.iter().map(|row| count(row.windows)).collect()),
        Column::int64(rows.iter().map(|row| count(row.packets)).collect()),
        Column::int64(rows.iter().map(|row| count(row.hosts)).collect()),
    ]
}

pub(super) fn hourly_columns(rows: &[HourlyCount]) -> Vec<Column> {
    vec![
        Column::int32(rows.iter().map(|row| day_number(row.day)).collect()),
        Column::int64(rows.iter().map(|row| row.number.cast_signed()).collect()),
        Column::bool(rows.iter().map(|row| facet(row.scope)).collect()),
        Column::optional_int32(rows.iter().map(|row| Some(row.hour.into()))),
        Column::int64(rows.iter().map(|row| count(row.windows)).collect()),
        Column::int64(rows.iter().map(|row| count(row.packets)).collect()),
        Column::int64(rows.iter().map(|row| count(row.hosts)).collect()),
    ]
}

/// Hands on counts out of their columns; those of whole days have no hour.
pub(super) fn each_count(
    rows: usize,
    columns: &[Column],
    sink: &mut dyn FnMut(DailyCount, Option<u8>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let day = values!(columns, 0, Int32);
    let types = values!(columns, 1, Int64);
    let facets = values!(columns, 2, Bool);
    let mut hours = Optional::new(&columns[3], values!(columns, 3, Int32));
    let windows = values!(columns, 4, Int64);
    let packets = values!(columns, 5, Int64);
    let hosts = values!(columns, 6, Int64);
    let mut date = DateCache::default();
    for at in 0..rows {
        let hour = match hours.next() {
            None => None,
            Some(hour) => match u8::try_from(*hour) {
                Ok(hour) if hour < 32 => Some(hour),
                _ => return Err(StoreError::Damaged(format!("hour {hour} of a segment"))),
            },
        };
        let count = DailyCount {
            number: number(types[at])?,
            scope: scope(facets[at]),
            day: date.of(day[at])?,
            windows: windows[at].cast_unsigned(),
            packets: packets[at].cast_unsigned(),
            hosts: hosts[at].cast_unsigned(),
        };
        sink(count, hour)?;
    }
    Ok(())
}
