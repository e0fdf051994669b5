//! Lines over days or hours (nicter report 2009, figures 3, 4, 5 and 11): outages as gaps with a band, dates as marks.

use std::fmt::Write;

use jiff::civil::Date;

use super::calendar::{Calendar, Place};
use super::legend::Legend;
use super::svg::{self, COLOURS, LETTER, number, ticks};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 684.0;
const BOTTOM_ROOM: f64 = 52.0;
const PLOT_HEIGHT: f64 = 210.0;
/// Height of one row of marks' labels.
const MARK_ROW: f64 = 16.0;

/// One line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// For the legend.
    pub name: String,
    /// Whether its values belong to the axis on the right.
    pub second_axis: bool,
    /// Every span, ascending; `None` is no value: a gap.
    pub values: Vec<(Place, Option<f64>)>,
}

/// Days without data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// The first such day.
    pub first: Date,
    /// The last.
    pub last: Date,
    /// Why.
    pub label: String,
}

/// A date worth noting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The date.
    pub day: Date,
    /// What happened.
    pub label: String,
}

/// A plot's contents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesPlot {
    /// What it shows.
    pub title: String,
    /// What the values count.
    pub unit: String,
    /// What those of the second axis count.
    pub second_unit: Option<String>,
    /// The lines.
    pub lines: Vec<Line>,
    /// Outages.
    pub bands: Vec<Band>,
    /// Dates.
    pub marks: Vec<Mark>,
    /// Whether the axes are logarithmic (of 1 + value).
    pub log: bool,
}

/// Draws a plot.
#[must_use]
pub fn series_svg(plot: &SeriesPlot) -> String {
    let mut out = String::new();
    let days = plot.lines.iter().flat_map(|line| line.values.iter().map(|(place, _)| place.day));
    let marked = plot.marks.iter().map(|mark| mark.day);
    let span = days.clone().min().zip(days.clone().max());
    // A mark outside the days stretches the axis, so that it can be seen.
    let span =
        span.map(|(first, last)| (marked.clone().fold(first, Date::min), marked.fold(last, Date::max)));
    let days = span.map(|(first, last)| Calendar { first, last, ends: (LEFT, RIGHT) });
    let placed = days.as_ref().map_or_else(Vec::new, |days| place_marks(&plot.marks, days));
    let rows = placed.iter().map(|(row, _)| row + 1).max().unwrap_or(0);
    let legend = Legend::of(&plot.lines, LEFT, WIDTH);
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    let top = 38.0 + legend.height() + MARK_ROW * rows as f64;
    let frame = Frame { top, bottom: top + PLOT_HEIGHT };
    let description = format!("{} over time, {} lines", plot.unit, plot.lines.len());
    svg::open(&mut out, WIDTH, frame.bottom + BOTTOM_ROOM, &plot.title, &description);
    svg::text(&mut out, LEFT, 20.0, "start", "title", &plot.title);
    match &days {
        None => svg::text(
            &mut out,
            WIDTH / 2.0,
            f64::midpoint(frame.top, frame.bottom),
            "middle",
            "soft",
            "no data",
        ),
        Some(days) => {
            draw(&mut out, plot, &frame, days, &placed);
            legend.draw(&mut out);
        }
    }
    out.push_str("</svg>\n");
    out
}

struct Frame {
    top: f64,
    bottom: f64,
}

/// A scale of values: its top and how they are spaced.
struct Scale {
    ticks: Vec<f64>,
    log: bool,
}

impl Scale {
    fn of(plot: &SeriesPlot, second: bool) -> Scale {
        let lines = plot.lines.iter().filter(|line| line.second_axis == second);
        let max =
            lines.flat_map(|line| line.values.iter().filter_map(|(_, value)| *value)).fold(0.0, f64::max);
        let ticks = if plot.log { powers(max) } else { ticks(max, 5) };
        Scale { ticks, log: plot.log }
    }

    fn spaced(&self, value: f64) -> f64 {
        if self.log { value.max(0.0).ln_1p() } else { value.max(0.0) }
    }

    fn y(&self, frame: &Frame, value: f64) -> f64 {
        let top = self.spaced(self.ticks.last().copied().unwrap_or(1.0)).max(f64::MIN_POSITIVE);
        frame.bottom - self.spaced(value) / top * (frame.bottom - frame.top)
    }
}

/// 0, 1, 10, 100 and so on, up to the first power that `max` does not pass.
fn powers(max: f64) -> Vec<f64> {
    let mut ticks = vec![0.0, 1.0];
    while ticks.last().is_some_and(|last| *last < max) && ticks.len() < 20 {
        ticks.push(ticks[ticks.len() - 1] * 10.0);
    }
    ticks
}

/// Rows for marks' labels, so that none lies over another: row and place from which a label runs.
fn place_marks(marks: &[Mark], days: &Calendar) -> Vec<(usize, f64)> {
    let mut ends: Vec<f64> = Vec::new();
    let mut order: Vec<usize> = (0..marks.len()).collect();
    order.sort_by_key(|at| marks[*at].day);
    let mut placed = vec![(0, 0.0); marks.len()];
    for at in order {
        #[expect(clippy::cast_precision_loss, reason = "letters of a label")]
        let width = marks[at].label.chars().count() as f64 * LETTER;
        let start = (days.x(marks[at].day) + 4.0).min(RIGHT - width).max(LEFT);
        let row = ends.iter().position(|end| *end + 8.0 < start).unwrap_or(ends.len());
        if row == ends.len() {
            ends.push(0.0);
        }
        ends[row] = start + width;
        placed[at] = (row, start);
    }
    placed
}

fn draw(out: &mut String, plot: &SeriesPlot, frame: &Frame, days: &Calendar, placed: &[(usize, f64)]) {
    let first = Scale::of(plot, false);
    let second = plot.lines.iter().any(|line| line.second_axis).then(|| Scale::of(plot, true));
    let bands: Vec<(f64, &str)> =
        plot.bands.iter().filter_map(|band| draw_band(out, band, &plot.marks, frame, days)).collect();
    axis(out, frame, &first, LEFT, "end", -6.0);
    svg::upright(out, 16.0, f64::midpoint(frame.top, frame.bottom), &plot.unit);
    if let Some(second) = &second {
        axis(out, frame, second, RIGHT, "start", 6.0);
        let unit = plot.second_unit.as_deref().unwrap_or(&plot.unit);
        svg::upright(out, WIDTH - 6.0, f64::midpoint(frame.top, frame.bottom), unit);
    }
    days.draw(out, frame.bottom, &plot.lines);
    for (mark, (row, start)) in plot.marks.iter().zip(placed) {
        let x = days.x(mark.day);
        #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
        let y = frame.top - 6.0 - MARK_ROW * *row as f64;
        svg::line(out, "mark", (x, y - 8.0), (x, frame.bottom));
        svg::text(out, *start, y, "start", "soft", &mark.label);
    }
    for (place, line) in plot.lines.iter().enumerate() {
        let scale = if line.second_axis { second.as_ref().unwrap_or(&first) } else { &first };
        draw_line(out, line, place, frame, days, scale);
    }
    // Above the lines: other sensors may have looked while this one did not.
    for (x, label) in bands {
        svg::upright(out, x, f64::midpoint(frame.top, frame.bottom), label);
    }
}

/// Shades a band; answers where its label goes, and the label.
fn draw_band<'a>(
    out: &mut String,
    band: &'a Band,
    marks: &[Mark],
    frame: &Frame,
    days: &Calendar,
) -> Option<(f64, &'a str)> {
    let (from, to) = (band.first.max(days.first), band.last.min(days.last));
    if from > to {
        return None;
    }
    let (left, right) = (days.edge(from, 0.0), days.edge(to, 1.0));
    let _ = writeln!(
        out,
        "<rect class=\"band\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
        frame.top,
        right - left,
        frame.bottom - frame.top
    );
    let label = if band.label.is_empty() { "no data" } else { band.label.as_str() };
    // Where it is farthest from any mark's line: in the middle, or at an edge.
    let nearest =
        |x: &f64| marks.iter().map(|mark| (days.x(mark.day) - (x - 4.0)).abs()).fold(f64::INFINITY, f64::min);
    let places = [f64::midpoint(left, right) + 4.0, left + 12.0, right - 3.0];
    let x = places.into_iter().max_by(|a, b| nearest(a).total_cmp(&nearest(b)).then(b.total_cmp(a)));
    Some((x.unwrap_or(left), label))
}

fn axis(out: &mut String, frame: &Frame, scale: &Scale, x: f64, anchor: &str, aside: f64) {
    for tick in &scale.ticks {
        let y = scale.y(frame, *tick);
        if anchor == "end" {
            svg::line(out, "rule", (LEFT, y), (RIGHT, y));
        }
        svg::text(out, x + aside, y + 4.0, anchor, "", &number(*tick));
    }
    svg::line(out, "axis", (x, frame.top), (x, frame.bottom));
}

/// A line with a piece for each run of spans with a value; one alone is a dot.
fn draw_line(out: &mut String, line: &Line, place: usize, frame: &Frame, days: &Calendar, scale: &Scale) {
    for run in line.values.split(|(_, value)| value.is_none()) {
        let points = run.iter().filter_map(|(place, value)| Some((days.middle(*place), (*value)?)));
        let points: Vec<(f64, f64)> = points.map(|(x, value)| (x, scale.y(frame, value))).collect();
        draw_run(out, &points, place);
    }
}

/// How the line of a place is broken. Where colours come again, with other gaps: six times six lines differ.
pub(super) fn dash(place: usize) -> &'static str {
    ["", "6 2", "2 2", "8 2 2 2", "4 4", "1 3"][(place + place / COLOURS) % COLOURS]
}

fn draw_run(out: &mut String, run: &[(f64, f64)], place: usize) {
    match run {
        [] => {}
        [(x, y)] => {
            let colour = place % COLOURS;
            let _ = writeln!(
                out,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" style=\"fill: var(--c{colour})\"/>"
            );
        }
        run => {
            let points: Vec<String> = run.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let dash = dash(place);
            let colour = place % COLOURS;
            let _ = writeln!(
                out,
                "<polyline class=\"line\" style=\"stroke: var(--c{colour})\" stroke-dasharray=\"{dash}\" points=\"{}\"/>",
                points.join(" ")
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn plot(values: Vec<(Date, Option<f64>)>) -> SeriesPlot {
        let values = values.into_iter().map(|(day, value)| (Place::day(day), value)).collect();
        SeriesPlot {
            title: "t<t".to_owned(),
            unit: "hosts".to_owned(),
            lines: vec![Line { name: "a".to_owned(), second_axis: false, values }],
            ..SeriesPlot::default()
        }
    }

    fn count(svg: &str, name: &str) -> usize {
        let document = roxmltree::Document::parse(svg).unwrap();
        document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", name))).count()
    }

    #[test]
    fn an_outage_breaks_the_line_and_shades_the_days() {
        let day = |day| date(2009, 3, day);
        let value = |at: i8| (day(at), (!(3..=5).contains(&at)).then_some(f64::from(at)));
        let mut plot = plot((1..=9).map(value).collect());
        plot.bands.push(Band { first: day(3), last: day(5), label: "data loss".to_owned() });
        let svg = series_svg(&plot);
        assert_eq!(count(&svg, "polyline"), 2);
        assert!(svg.contains("class=\"band\"") && svg.contains("data loss"));
    }

    #[test]
    fn one_day_is_a_dot_and_no_day_says_so() {
        assert_eq!(count(&series_svg(&plot(vec![(date(2009, 3, 1), Some(0.0))])), "circle"), 1);
        assert!(series_svg(&plot(vec![])).contains("no data"));
    }

    #[test]
    fn labels_of_marks_do_not_lie_over_each_other() {
        let days = Calendar { first: date(2009, 1, 1), last: date(2009, 4, 30), ends: (LEFT, RIGHT) };
        let mark = |day| Mark { day, label: "a long label of a mark".to_owned() };
        let placed =
            place_marks(&[mark(date(2009, 3, 2)), mark(date(2009, 3, 4)), mark(date(2009, 1, 1))], &days);
        assert_ne!(placed[0].0, placed[1].0);
        assert_eq!(placed[2].0, 0);
    }
}
