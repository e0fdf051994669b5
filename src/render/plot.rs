//! The contents of plots.

use jiff::civil::{Date, Time};

use crate::history::SpanCount;

/// The place of a value on the time axis: a day or an hour in the sensor's time zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimePosition {
    /// The day.
    pub day: Date,
    /// Start and end of the counted part of the day, as fractions of the day from 0 to 1. All days are
    /// equally wide; an hour of a day with 23 or 25 hours is wider or narrower instead.
    pub part: (f64, f64),
    /// Clock time at which the hour begins; `None` for a whole day.
    pub clock: Option<Time>,
}

impl TimePosition {
    /// Returns the place of a whole day.
    #[must_use]
    pub fn day(day: Date) -> TimePosition {
        TimePosition { day, part: (0.0, 1.0), clock: None }
    }

    /// Returns the place of a span: its hour, or else its first day.
    #[must_use]
    pub fn from_span(span: &SpanCount) -> TimePosition {
        match span.hour {
            None => TimePosition::day(span.first),
            Some(hour) => {
                TimePosition { day: span.first, part: hour.part_of_day(), clock: Some(hour.clock.time()) }
            }
        }
    }
}

/// One line of a plot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlotLine {
    /// Name in the legend.
    pub name: String,
    /// Whether the line uses the second axis, on the right.
    pub second_axis: bool,
    /// Values of all days or hours, ascending; `None` is no value and makes a gap.
    pub values: Vec<(TimePosition, Option<f64>)>,
    /// Capture loss of the days or hours with a value: the lost share of all packets, from 0 to 1.
    pub lost: Vec<(TimePosition, f64)>,
}

/// A range of days without data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// First day.
    pub first: Date,
    /// Last day.
    pub last: Date,
    /// Reason; empty if none is known.
    pub label: String,
}

/// A date that a plot marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateMark {
    /// The date.
    pub day: Date,
    /// Label of the mark.
    pub label: String,
}

/// The contents of a plot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesPlot {
    /// Title.
    pub title: String,
    /// Unit of the values.
    pub unit: String,
    /// Unit of the values on the second axis; `None` if it is the same.
    pub second_unit: Option<String>,
    /// Lines.
    pub lines: Vec<PlotLine>,
    /// Outages.
    pub bands: Vec<Band>,
    /// Marked dates.
    pub marks: Vec<DateMark>,
    /// Whether the axes are logarithmic (they show the logarithm of 1 + value, so that 0 has a place).
    pub log: bool,
}
