//! Conversion of daily and hourly counts to columns and back.

use jiff::civil::Date;

use crate::history::{DailyCount, HourlyCount};
use crate::store::StoreError;

use super::day_numbers::{DayNumbers, day_number};
use super::rows::{
    OptionalColumn, column_of_count, is_facet, scope_of_column, type_number, values, wrong_kind,
};
use super::segment::Segment;
use super::table::{Column, ColumnSpec, ColumnType, OptionalValues, SegmentTable, Values};

/// The table of daily and hourly counts by type and scope. If all windows of a day began in one hour, the
/// day's row names this hour and there is no separate hourly row. A row group has either daily or hourly
/// rows.
pub(super) static COUNTS: SegmentTable = SegmentTable {
    name: "counts",
    columns: &[
        ColumnSpec::new("day", ColumnType::Date),
        ColumnSpec::new("type", ColumnType::I64).differences(),
        ColumnSpec::new("facet", ColumnType::Bool),
        ColumnSpec::new("daily", ColumnType::Bool),
        ColumnSpec::new("hour", ColumnType::U32).optional(),
        ColumnSpec::new("windows", ColumnType::U64),
        ColumnSpec::new("packets", ColumnType::U64),
        ColumnSpec::new("hosts", ColumnType::U64),
    ],
};

/// The index of the column that distinguishes daily from hourly rows.
pub(super) const DAILY: usize = 3;

/// The index of the column of types.
const COUNT_TYPE: usize = 1;

/// Returns the numbers of the types of a segment of counts, ascending within each row group and at least once each.
pub(super) fn types_of_segment(segment: &Segment) -> Result<Vec<u64>, StoreError> {
    let mut numbers: Vec<u64> = Vec::new();
    for group in 0..segment.groups() {
        let (_, columns) = segment.row_group(group)?.columns(&[COUNT_TYPE])?;
        for number in values!(columns, 0, Int64) {
            let number = type_number(*number)?;
            if numbers.last() != Some(&number) {
                numbers.push(number);
            }
        }
    }
    Ok(numbers)
}

/// The columns of counts that are to be written. All rows are daily, or all are hourly.
#[derive(Default)]
pub(super) struct CountColumns {
    days: Vec<i32>,
    types: Vec<i64>,
    facets: Vec<bool>,
    daily: Vec<bool>,
    hours: OptionalValues<i32>,
    windows: Vec<i64>,
    packets: Vec<i64>,
    hosts: Vec<i64>,
    last_day: Option<(Date, i32)>,
}

impl CountColumns {
    pub(super) fn len(&self) -> usize {
        self.days.len()
    }

    /// Adds a daily count, with the hour in which all its windows began if there is only one.
    pub(super) fn push_day(&mut self, row: &DailyCount, hour: Option<u8>) {
        self.daily.push(true);
        self.push(row, hour);
    }

    /// Adds the hourly count of a day whose windows began in several hours.
    pub(super) fn push_hour(&mut self, row: &HourlyCount) {
        let HourlyCount { number, scope, day, hour, windows, packets, hosts } = *row;
        self.daily.push(false);
        self.push(&DailyCount { number, scope, day, windows, packets, hosts }, Some(hour));
    }

    fn push(&mut self, row: &DailyCount, hour: Option<u8>) {
        let day = match self.last_day {
            Some((last, day)) if last == row.day => day,
            _ => day_number(row.day),
        };
        self.last_day = Some((row.day, day));
        self.days.push(day);
        self.types.push(row.number.cast_signed());
        self.facets.push(is_facet(row.scope));
        self.hours.push(hour.map(i32::from));
        self.windows.push(column_of_count(row.windows));
        self.packets.push(column_of_count(row.packets));
        self.hosts.push(column_of_count(row.hosts));
    }

    /// Returns the columns and leaves none.
    pub(super) fn take(&mut self) -> Vec<Column> {
        use std::mem::take;
        vec![
            Column::int32(take(&mut self.days)),
            Column::int64(take(&mut self.types)),
            Column::bool(take(&mut self.facets)),
            Column::bool(take(&mut self.daily)),
            take(&mut self.hours).column(Values::Int32),
            Column::int64(take(&mut self.windows)),
            Column::int64(take(&mut self.packets)),
            Column::int64(take(&mut self.hosts)),
        ]
    }
}

/// A decoded row of counts.
pub(super) struct CountRow {
    pub(super) count: DailyCount,
    /// Whether the row counts a whole day.
    pub(super) daily: bool,
    /// The hour in which all counted windows began; `None` if they began in several.
    pub(super) hour: Option<u8>,
}

/// Decodes rows of counts and calls `sink` with each.
pub(super) fn each_count(
    rows: usize,
    columns: &[Column],
    days: &mut DayNumbers,
    sink: &mut dyn FnMut(CountRow) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let day = values!(columns, 0, Int32);
    let types = values!(columns, 1, Int64);
    let facets = values!(columns, 2, Bool);
    let daily = values!(columns, DAILY, Bool);
    let mut hours = OptionalColumn::new(&columns[4], values!(columns, 4, Int32));
    let windows = values!(columns, 5, Int64);
    let packets = values!(columns, 6, Int64);
    let hosts = values!(columns, 7, Int64);
    for at in 0..rows {
        let hour = match hours.next() {
            None => None,
            Some(hour) => match u8::try_from(*hour) {
                Ok(hour) if hour < 32 => Some(hour),
                _ => return Err(StoreError::Damaged(format!("hour {hour} of a segment"))),
            },
        };
        let count = DailyCount {
            number: type_number(types[at])?,
            scope: scope_of_column(facets[at]),
            day: days.of_number(day[at])?.0,
            windows: windows[at].cast_unsigned(),
            packets: packets[at].cast_unsigned(),
            hosts: hosts[at].cast_unsigned(),
        };
        sink(CountRow { count, daily: daily[at], hour })?;
    }
    Ok(())
}
