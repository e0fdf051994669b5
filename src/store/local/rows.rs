//! Conversion of sightings to columns and back, and helpers that the other tables share.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::tz::TimeZone;
use parquet::data_type::FixedLenByteArray;

use crate::history::{Scope, Sighting, SightingCounts};
use crate::packet::Timestamp;
use crate::store::StoreError;

use super::day_numbers::{DayNumbers, SECOND};
use super::table::{Column, ColumnSpec, ColumnType, OptionalValues, SegmentTable, Values};

/// The table of sightings: one row for each type, scope, host, day and signature of a segment. `FORMAT.md`
/// describes the columns.
pub(super) static SIGHTINGS: SegmentTable = SegmentTable {
    name: "sightings",
    columns: &[
        ColumnSpec::new("day", ColumnType::Date),
        ColumnSpec::new("type", ColumnType::I64).differences(),
        ColumnSpec::new("facet", ColumnType::Bool),
        ColumnSpec::new("host4", ColumnType::U32).optional().differences().bloom(),
        ColumnSpec::new("host6", ColumnType::Address).optional().differences().bloom(),
        ColumnSpec::new("signature", ColumnType::I64).optional().dictionary(),
        ColumnSpec::new("hours", ColumnType::U32),
        ColumnSpec::new("windows", ColumnType::U64),
        ColumnSpec::new("packets", ColumnType::U64),
        ColumnSpec::new("first", ColumnType::U32),
        ColumnSpec::new("duration", ColumnType::U32),
        ColumnSpec::new("marks", ColumnType::U64),
    ],
};

/// Column indices of the table of sightings.
pub(super) const TYPE: usize = 1;
pub(super) const HOST4: usize = 3;
pub(super) const HOST6: usize = 4;

/// Converts seconds to an unsigned 32-bit column value; values out of range are clamped.
fn seconds(value: i64) -> i32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX).cast_signed()
}

/// Returns an IPv4 address as a number, and `None` for IPv6.
pub(super) fn ipv4_bits(host: IpAddr) -> Option<u32> {
    match host {
        IpAddr::V4(four) => Some(four.to_bits()),
        IpAddr::V6(_) => None,
    }
}

/// Returns an IPv6 address as a number, and `None` for IPv4.
pub(super) fn ipv6_bits(host: IpAddr) -> Option<u128> {
    match host {
        IpAddr::V4(_) => None,
        IpAddr::V6(six) => Some(six.to_bits()),
    }
}

/// Converts a count to the signed integer of a column or of SQLite; counts saturate at 2^63 - 1.
pub(super) fn column_of_count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn is_facet(scope: Scope) -> bool {
    scope == Scope::Facet
}

pub(super) fn scope_of_column(facet: bool) -> Scope {
    if facet { Scope::Facet } else { Scope::Whole }
}

/// Converts a column value to a type number; negative values are damage.
pub(super) fn type_number(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Damaged(format!("type {value} of a segment is negative")))
}

/// The columns of sightings that are to be written.
pub(super) struct SightingColumns {
    numbers: DayNumbers,
    days: Vec<i32>,
    types: Vec<i64>,
    facets: Vec<bool>,
    fours: OptionalValues<i32>,
    sixes: OptionalValues<FixedLenByteArray>,
    signatures: OptionalValues<i64>,
    hours: Vec<i32>,
    windows: Vec<i64>,
    packets: Vec<i64>,
    first: Vec<i32>,
    duration: Vec<i32>,
    marks: Vec<i64>,
}

impl SightingColumns {
    /// Creates columns without rows. The time zone is the sensor's.
    pub(super) fn new(zone: TimeZone) -> SightingColumns {
        SightingColumns {
            numbers: DayNumbers::new(zone),
            days: Vec::new(),
            types: Vec::new(),
            facets: Vec::new(),
            fours: OptionalValues::default(),
            sixes: OptionalValues::default(),
            signatures: OptionalValues::default(),
            hours: Vec::new(),
            windows: Vec::new(),
            packets: Vec::new(),
            first: Vec::new(),
            duration: Vec::new(),
            marks: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.days.len()
    }

    pub(super) fn push(&mut self, row: &Sighting) {
        let second = |time: Timestamp| time.0.div_euclid(SECOND);
        let Sighting { day, number, scope, host, signature, counts } = row;
        let (number_of_day, start) = self.numbers.of_date(*day);
        self.days.push(number_of_day);
        self.types.push(number.cast_signed());
        self.facets.push(is_facet(*scope));
        self.fours.push(ipv4_bits(*host).map(u32::cast_signed));
        self.sixes.push(ipv6_bits(*host).map(|six| FixedLenByteArray::from(six.to_be_bytes().to_vec())));
        self.signatures.push(signature.map(u64::cast_signed));
        self.hours.push(counts.hours.cast_signed());
        self.windows.push(column_of_count(counts.windows));
        self.packets.push(column_of_count(counts.packets));
        self.first.push(seconds(second(counts.first) - start));
        self.duration.push(seconds(second(counts.last) - second(counts.first)));
        self.marks.push(counts.marks.cast_signed());
    }

    /// Returns the columns and leaves none.
    pub(super) fn take(&mut self) -> Vec<Column> {
        use std::mem::take;
        vec![
            Column::int32(take(&mut self.days)),
            Column::int64(take(&mut self.types)),
            Column::bool(take(&mut self.facets)),
            take(&mut self.fours).column(Values::Int32),
            take(&mut self.sixes).column(Values::Address),
            take(&mut self.signatures).column(Values::Int64),
            Column::int32(take(&mut self.hours)),
            Column::int64(take(&mut self.windows)),
            Column::int64(take(&mut self.packets)),
            Column::int32(take(&mut self.first)),
            Column::int32(take(&mut self.duration)),
            Column::int64(take(&mut self.marks)),
        ]
    }
}

/// Returns the values of a column as a slice, or fails if the column is not of the given kind.
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

/// Iterates over the rows of an optional column.
pub(super) struct OptionalColumn<'c, T> {
    defined: std::slice::Iter<'c, i16>,
    values: std::slice::Iter<'c, T>,
}

impl<'c, T> OptionalColumn<'c, T> {
    pub(super) fn new(column: &'c Column, values: &'c [T]) -> OptionalColumn<'c, T> {
        OptionalColumn { defined: column.defined.iter(), values: values.iter() }
    }

    /// Returns the value of the next row, or `None` if the row has none.
    pub(super) fn next(&mut self) -> Option<&'c T> {
        let defined = self.defined.next().is_some_and(|defined| *defined > 0);
        if defined { self.values.next() } else { None }
    }
}

pub(super) use values;

fn address(bytes: &FixedLenByteArray) -> Option<IpAddr> {
    let bytes: [u8; 16] = bytes.data().try_into().ok()?;
    Some(Ipv6Addr::from(bytes).into())
}

/// Decodes the host of the next row from its two columns.
pub(super) fn decode_host(
    fours: &mut OptionalColumn<'_, i32>,
    sixes: &mut OptionalColumn<'_, FixedLenByteArray>,
) -> Result<IpAddr, StoreError> {
    match (fours.next(), sixes.next()) {
        (Some(four), None) => Ok(Ipv4Addr::from_bits(four.cast_unsigned()).into()),
        (None, Some(six)) => address(six).ok_or_else(wrong_kind),
        _ => Err(StoreError::Damaged("a row of a segment has no host, or two".to_owned())),
    }
}

/// Returns whether any row has a wanted host, given the two host columns.
pub(super) fn any_host(
    rows: usize,
    columns: &[Column],
    wanted: &mut dyn FnMut(IpAddr) -> bool,
) -> Result<bool, StoreError> {
    let mut fours = OptionalColumn::new(&columns[0], values!(columns, 0, Int32));
    let mut sixes = OptionalColumn::new(&columns[1], values!(columns, 1, Address));
    for _ in 0..rows {
        if wanted(decode_host(&mut fours, &mut sixes)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Decodes rows of sightings and calls `sink` with each.
pub(super) fn each_sighting(
    rows: usize,
    columns: &[Column],
    days: &mut DayNumbers,
    sink: &mut dyn FnMut(Sighting) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let day = values!(columns, 0, Int32);
    let types = values!(columns, 1, Int64);
    let facets = values!(columns, 2, Bool);
    let mut fours = OptionalColumn::new(&columns[3], values!(columns, 3, Int32));
    let mut sixes = OptionalColumn::new(&columns[4], values!(columns, 4, Address));
    let mut signatures = OptionalColumn::new(&columns[5], values!(columns, 5, Int64));
    let hours = values!(columns, 6, Int32);
    let windows = values!(columns, 7, Int64);
    let packets = values!(columns, 8, Int64);
    let first = values!(columns, 9, Int32);
    let duration = values!(columns, 10, Int32);
    let marks = values!(columns, 11, Int64);
    for at in 0..rows {
        let (day, start) = days.of_number(day[at])?;
        let begin = start.saturating_add(i64::from(first[at].cast_unsigned()));
        let end = begin.saturating_add(i64::from(duration[at].cast_unsigned()));
        let counts = SightingCounts {
            windows: windows[at].cast_unsigned(),
            packets: packets[at].cast_unsigned(),
            first: Timestamp(begin.saturating_mul(SECOND)),
            last: Timestamp(end.saturating_mul(SECOND)),
            hours: hours[at].cast_unsigned(),
            marks: marks[at].cast_unsigned(),
        };
        let host = decode_host(&mut fours, &mut sixes)?;
        let signature = signatures.next().map(|signature| signature.cast_unsigned());
        let (number, scope) = (type_number(types[at])?, scope_of_column(facets[at]));
        sink(Sighting { day, number, scope, host, signature, counts })?;
    }
    Ok(())
}
