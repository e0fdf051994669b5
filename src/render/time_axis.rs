//! The time axis of a plot: the places of days and hours on it, and their labels.

use jiff::civil::Date;

use super::plot::{PlotLine, TimePosition};
use super::svg;

/// A horizontal axis of days, including the first and the last.
pub(super) struct TimeAxis {
    pub(super) first: Date,
    pub(super) last: Date,
    /// Whether the values are hours.
    hourly: bool,
    /// Left and right end of the axis, in pixels of the picture.
    pub(super) ends: (f64, f64),
}

/// Returns the number of days from `first` to `last`.
#[expect(clippy::cast_precision_loss, reason = "days of a plot")]
fn days_between(first: Date, last: Date) -> f64 {
    (first.duration_until(last).as_hours() / 24) as f64
}

/// Maximum number of labels that fit side by side on the axis.
const LABELS_MAX: f64 = 6.0;

impl TimeAxis {
    /// Creates an axis of days.
    pub(super) fn of_days(first: Date, last: Date, ends: (f64, f64)) -> TimeAxis {
        TimeAxis { first, last, hourly: false, ends }
    }

    /// Creates an axis that spans all values of the lines and all of the dates; `None` if the lines have no
    /// values.
    pub(super) fn for_lines<'a>(
        lines: impl Iterator<Item = &'a PlotLine>,
        dates: impl Iterator<Item = Date>,
        ends: (f64, f64),
    ) -> Option<TimeAxis> {
        let mut places = lines.flat_map(|line| line.values.iter().map(|(place, _)| *place));
        let TimePosition { day, clock, .. } = places.next()?;
        let mut calendar = TimeAxis { first: day, last: day, hourly: clock.is_some(), ends };
        for day in places.map(|place| place.day).chain(dates) {
            calendar.first = calendar.first.min(day);
            calendar.last = calendar.last.max(day);
        }
        Some(calendar)
    }

    /// Returns the x coordinate at which a date is marked: the middle of its day, or on an hourly axis its
    /// start.
    pub(super) fn mark_x(&self, date: Date) -> f64 {
        self.edge(date, if self.hourly { 0.0 } else { 0.5 })
    }

    /// Returns the left and right edge of the days from `first` to `last`, cut at the ends of the axis;
    /// `None` if none of these days lies on the axis.
    pub(super) fn edges(&self, first: Date, last: Date) -> Option<(f64, f64)> {
        let (first, last) = (first.max(self.first), last.min(self.last));
        (first <= last).then(|| (self.edge(first, 0.0), self.edge(last, 1.0)))
    }

    /// Returns the title of the axis.
    pub(super) fn title(&self) -> &'static str {
        if self.hourly { "date and hour of the sensor" } else { "date" }
    }

    /// Returns the x coordinate of the middle of a value's span.
    pub(super) fn middle(&self, place: TimePosition) -> f64 {
        self.edge(place.day, f64::midpoint(place.part.0, place.part.1))
    }

    /// Returns the x coordinate at which a part of a day (0 to 1) has passed.
    pub(super) fn edge(&self, day: Date, part: f64) -> f64 {
        let days = days_between(self.first, self.last) + 1.0;
        self.ends.0 + (days_between(self.first, day) + part) / days * (self.ends.1 - self.ends.0)
    }

    /// Draws the axis. Its labels are hours if the axis is hourly and short enough, else days, else months.
    pub(super) fn draw(&self, out: &mut String, bottom: f64, lines: &[PlotLine]) {
        svg::line(out, "axis", (self.ends.0, bottom), (self.ends.1, bottom));
        let hours = self.hours(lines);
        let ticks = if hours.is_empty() { self.days() } else { hours };
        for (x, label) in ticks {
            svg::line(out, "axis", (x, bottom), (x, bottom + 4.0));
            svg::text(out, x, bottom + 18.0, "middle", "", &label);
        }
    }

    /// Returns the labels of hours with their x coordinates; midnights show their date. The result is empty
    /// if the values are not hours, or if even one label per day would be too many.
    fn hours(&self, lines: &[PlotLine]) -> Vec<(f64, String)> {
        let Some(line) = lines.iter().find(|line| line.values.iter().any(|(place, _)| place.clock.is_some()))
        else {
            return Vec::new();
        };
        let hours = (days_between(self.first, self.last) + 1.0) * 24.0;
        let step = [1, 2, 3, 6, 12, 24].into_iter().find(|step| hours / f64::from(*step) <= LABELS_MAX);
        let Some(step) = step else { return Vec::new() };
        let ticks = line.values.iter().filter_map(|(place, _)| {
            let clock = place.clock.filter(|clock| i32::from(clock.hour()) % step == 0)?;
            let label = match (clock.hour(), clock.minute()) {
                (0, 0) => place.day.to_string(),
                (hour, minute) => format!("{hour:02}:{minute:02}"),
            };
            Some((self.edge(place.day, place.part.0), label))
        });
        ticks.collect()
    }

    /// Returns the labels of days with their x coordinates. Long axes have labels only on the first days of
    /// months.
    fn days(&self) -> Vec<(f64, String)> {
        let count = days_between(self.first, self.last) + 1.0;
        let step = [1.0, 2.0, 7.0, 14.0].into_iter().find(|step| count / step <= LABELS_MAX);
        let wanted = |day: Date| match step {
            Some(step) => days_between(self.first, day) % step == 0.0,
            None => {
                let month = count <= 190.0
                    || count <= 540.0 && day.month() % 3 == 1
                    || count <= 2_100.0 && day.month() == 1
                    || day.month() == 1 && day.year() % 5 == 0;
                day.day() == 1 && month
            }
        };
        let days = self.first.series(jiff::Span::new().days(1)).take_while(|day| *day <= self.last);
        let label = |day: Date| match step {
            Some(_) => day.to_string(),
            None => day.strftime("%Y-%m").to_string(),
        };
        days.filter(|day| wanted(*day)).map(|day| (self.mark_x(day), label(day))).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::history::Hour;
    use crate::render::svg::text_width;

    /// Asserts that labels, which are centered on their places, are at least two pixels apart.
    fn apart(ticks: &[(f64, String)]) {
        let half = |label: &str| text_width(label) / 2.0;
        for pair in ticks.windows(2) {
            let room = (pair[1].0 - half(&pair[1].1)) - (pair[0].0 + half(&pair[0].1));
            assert!(room >= 2.0, "{pair:?}");
        }
    }

    #[test]
    fn labels_of_any_number_of_days_stay_apart() {
        for days in (1..400).chain([700, 701, 1_000, 2_900, 3_650, 7_300]) {
            let first = date(2008, 11, 1);
            let last = first.checked_add(jiff::Span::new().days(days - 1)).unwrap();
            let calendar = TimeAxis::of_days(first, last, (76.0, 612.0));
            let ticks = calendar.days();
            assert!(!ticks.is_empty(), "{days}");
            apart(&ticks);
        }
    }

    #[test]
    fn hours_are_labelled_by_the_clock_also_when_it_is_changed() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let place = |hour: Hour| TimePosition {
            day: hour.clock.date(),
            part: hour.part_of_day(),
            clock: Some(hour.clock.time()),
        };
        for (day, count) in [(date(2009, 3, 8), 23.0), (date(2009, 3, 9), 24.0), (date(2009, 11, 1), 25.0)] {
            let hours = Hour::all_of(day, &zone);
            let values = hours.into_iter().map(|hour| (place(hour), Some(1.0))).collect();
            let lines = [PlotLine { values, ..PlotLine::default() }];
            let calendar = TimeAxis::for_lines(lines.iter(), std::iter::empty(), (0.0, 600.0)).unwrap();
            let ticks = calendar.hours(&lines);
            let noon = ticks.iter().find(|(_, label)| label == "12:00").unwrap();
            // Noon is twelve hours before the end of the day on all three days.
            assert!((noon.0 - (count - 12.0) / count * 600.0).abs() < 1e-6, "{ticks:?}");
            assert_eq!(ticks[0], (0.0, day.to_string()));
            apart(&ticks);
        }
    }
}
