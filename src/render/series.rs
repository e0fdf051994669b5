//! Plots of values over days or hours (nicter report 2009, figures 3, 4, 5 and 11). Outages are gaps with a
//! band, and dates are marks. Several plots can be panels of one picture.

use std::fmt::Write;

use super::legend::Legend;
use super::plot::{Band, DateMark, PlotLine, SeriesPlot};
use super::scale::{Frame, ValueScale};
use super::svg::{self, COLOURS, Theme, axis_number, cut, dash, text_width};
use super::time_axis::TimeAxis;

const WIDTH: f64 = 640.0;
const LEFT: f64 = 76.0;
/// Space on the right: for the labels of a second axis, or without one for half of the last date label.
const RIGHT_ROOM: (f64, f64) = (76.0, 28.0);
const BOTTOM_ROOM: f64 = 48.0;
const PLOT_HEIGHT: f64 = 210.0;
/// Height of one row of labels of marks.
const MARK_ROW: f64 = 17.0;

/// Draws plots, one below the other, as panels of one picture.
#[must_use]
pub(super) fn panels_svg(plots: &[SeriesPlot], theme: Theme) -> String {
    let (mut panels, mut height) = (String::new(), 0.0);
    // All panels share one time axis, so that the same day has the same place in each of them.
    let lines = plots.iter().flat_map(|plot| &plot.lines);
    // A mark before the first or after the last value extends the axis, so that it is visible.
    let dates = plots.iter().flat_map(|plot| &plot.marks).map(|mark| mark.day);
    let second = plots.iter().any(|plot| plot.lines.iter().any(|line| line.second_axis));
    let right = WIDTH - if second { RIGHT_ROOM.0 } else { RIGHT_ROOM.1 };
    let calendar = TimeAxis::for_lines(lines, dates, (LEFT, right));
    for plot in plots {
        let _ = writeln!(panels, "<g transform=\"translate(0 {height:.1})\">");
        height += panel(&mut panels, plot, calendar.as_ref());
        panels.push_str("</g>\n");
    }
    let titles: Vec<&str> = plots.iter().map(|plot| plot.title.as_str()).collect();
    let facts: Vec<String> = plots
        .iter()
        .map(|plot| {
            let names: Vec<&str> = plot.lines.iter().map(|line| line.name.as_str()).collect();
            format!("{} over time: {}.", plot.unit, names.join("; "))
        })
        .collect();
    let mut out = String::new();
    svg::open(&mut out, (WIDTH, height), &titles.join("; "), &facts.join(" "), theme);
    out.push_str(&panels);
    out.push_str("</svg>\n");
    out
}

/// Draws a panel and returns its height.
fn panel(out: &mut String, plot: &SeriesPlot, calendar: Option<&TimeAxis>) -> f64 {
    svg::text(out, LEFT, 20.0, "start", "title", &cut(&plot.title, (WIDTH - LEFT) / 1.25));
    let Some(calendar) = calendar else {
        svg::text(out, WIDTH / 2.0, 60.0, "middle", "soft", "no data");
        return 90.0;
    };
    let marks = place_marks(&plot.marks, calendar);
    let rows = marks.iter().map(|mark| mark.row + 1).max().unwrap_or(0);
    let legend = Legend::for_lines(&plot.lines, LEFT, WIDTH - 8.0);
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    let top = 40.0 + legend.height() + MARK_ROW * rows as f64;
    let frame = Frame { top, bottom: top + PLOT_HEIGHT };
    draw(out, plot, &frame, calendar, &marks);
    legend.draw(out);
    frame.bottom + BOTTOM_ROOM
}

/// The place of a mark's line and label.
struct PlacedMark {
    x: f64,
    /// Row of the label, counted upwards from the plot.
    row: usize,
    /// Left end of the label.
    start: f64,
    label: String,
}

/// Places the labels of marks so that none lies over another. Marks are taken from the last to the first.
/// Each label is right of its line if there is room, and in the lowest free row, so that the lines of earlier
/// marks pass beside it.
fn place_marks(marks: &[DateMark], calendar: &TimeAxis) -> Vec<PlacedMark> {
    let mut rows: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut order: Vec<&DateMark> = marks.iter().collect();
    order.sort_by_key(|mark| std::cmp::Reverse(mark.day));
    let place = |mark: &DateMark| {
        let label = cut(&mark.label, calendar.ends.1 - calendar.ends.0);
        let (x, width) = (calendar.mark_x(mark.day), text_width(&label));
        let right = x + 4.0;
        let start = if right + width <= WIDTH - 8.0 { right } else { (x - 4.0 - width).max(LEFT) };
        let end = start + width;
        let free =
            |row: &Vec<(f64, f64)>| row.iter().all(|(from, to)| end + 8.0 < *from || *to + 8.0 < start);
        let row = rows.iter().position(free).unwrap_or(rows.len());
        if row == rows.len() {
            rows.push(Vec::new());
        }
        rows[row].push((start, end));
        PlacedMark { x, row, start, label }
    };
    order.into_iter().map(place).collect()
}

fn draw(out: &mut String, plot: &SeriesPlot, frame: &Frame, calendar: &TimeAxis, marks: &[PlacedMark]) {
    let first = ValueScale::for_axis(plot, false);
    let second = plot.lines.iter().any(|line| line.second_axis).then(|| ValueScale::for_axis(plot, true));
    let bands: Vec<(f64, String)> =
        plot.bands.iter().filter_map(|band| draw_band(out, band, marks, frame, calendar)).collect();
    for (_, tick) in first.labels(frame) {
        let y = first.y(frame, tick);
        svg::line(out, "rule", (calendar.ends.0, y), (calendar.ends.1, y));
    }
    let log = if plot.log { " (log scale)" } else { "" };
    axis(out, frame, &first, (calendar.ends.0, "end", -6.0));
    svg::vertical_text(out, 16.0, frame.middle(), &format!("{}{log}", plot.unit));
    if let Some(second) = &second {
        axis(out, frame, second, (calendar.ends.1, "start", 6.0));
        let unit = plot.second_unit.as_deref().unwrap_or(&plot.unit);
        svg::vertical_text(out, WIDTH - 6.0, frame.middle(), &format!("{unit}{log}"));
    }
    calendar.draw(out, frame.bottom, &plot.lines);
    let middle = f64::midpoint(calendar.ends.0, calendar.ends.1);
    let has_loss = plot.lines.iter().flat_map(|line| &line.lost).any(|(_, share)| *share >= LOST_MIN);
    let note = if has_loss { "; bars on the axis: packets lost by the recorder" } else { "" };
    svg::text(out, middle, frame.bottom + 38.0, "middle", "soft", &format!("{}{note}", calendar.title()));
    draw_marks(out, frame, marks);
    for (place, line) in plot.lines.iter().enumerate() {
        let scale = if line.second_axis { second.as_ref().unwrap_or(&first) } else { &first };
        draw_line(out, line, place, frame, calendar, scale);
    }
    // Labels of bands are drawn above the lines: other sensors may have values during an outage of this one.
    for (x, label) in bands {
        svg::vertical_text(out, x, frame.middle(), &label);
    }
}

/// Draws the lines of marks before their labels, so that a label covers a line that crosses it.
fn draw_marks(out: &mut String, frame: &Frame, marks: &[PlacedMark]) {
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    let y = |mark: &PlacedMark| frame.top - 6.0 - MARK_ROW * mark.row as f64;
    for mark in marks {
        svg::line(out, "mark", (mark.x, y(mark) - 8.0), (mark.x, frame.bottom));
    }
    for mark in marks {
        svg::text(out, mark.start, y(mark), "start", "soft", &mark.label);
    }
}

/// Shades a band; returns the x coordinate of its label, and the label. `None` if the band lies outside of
/// the axis.
fn draw_band(
    out: &mut String,
    band: &Band,
    marks: &[PlacedMark],
    frame: &Frame,
    calendar: &TimeAxis,
) -> Option<(f64, String)> {
    let (left, right) = calendar.edges(band.first, band.last)?;
    let (width, height) = (right - left, frame.bottom - frame.top);
    let _ = writeln!(
        out,
        "<rect class=\"band\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>",
        frame.top
    );
    let label = if band.label.is_empty() { "no data" } else { band.label.as_str() };
    // Of the middle and the two edges, the label takes the place that is farthest from all lines of marks.
    let nearest = |x: &f64| marks.iter().map(|mark| (mark.x - (x - 4.0)).abs()).fold(f64::INFINITY, f64::min);
    let places = [f64::midpoint(left, right) + 4.0, left + 12.0, right - 3.0];
    let x = places.into_iter().max_by(|a, b| nearest(a).total_cmp(&nearest(b)).then(b.total_cmp(a)));
    Some((x.unwrap_or(left), cut(label, PLOT_HEIGHT - 8.0)))
}

fn axis(out: &mut String, frame: &Frame, scale: &ValueScale, (x, anchor, aside): (f64, &str, f64)) {
    for (y, tick) in scale.labels(frame) {
        svg::text(out, x + aside, y + 4.0, anchor, "", &axis_number(tick));
    }
    svg::line(out, "axis", (x, frame.top), (x, frame.bottom));
}

/// Minimum lost share that a plot marks; a smaller loss does not change the shape of a line visibly.
const LOST_MIN: f64 = 0.01;
/// Height in pixels of a bar for a lost share near 0, so that a share of 1 % is visible.
const LOST_FOOT: f64 = 3.0;
/// Pixels by which a bar grows as the lost share grows from 0 to 1.
const LOST_HEIGHT: f64 = 24.0;

/// Draws a bar on the time axis for each day or hour whose lost share is at least [`LOST_MIN`]. The height of
/// the bar grows with the share.
fn draw_lost(out: &mut String, line: &PlotLine, place: usize, frame: &Frame, calendar: &TimeAxis) {
    for (at, share) in line.lost.iter().filter(|(_, share)| *share >= LOST_MIN) {
        let height = LOST_FOOT + LOST_HEIGHT * share.min(1.0);
        let _ = writeln!(
            out,
            "<rect class=\"f{}\" x=\"{:.1}\" y=\"{:.1}\" width=\"3\" height=\"{height:.1}\"><title>{:.0} % of packets \
             lost</title></rect>",
            place % COLOURS,
            calendar.middle(*at) - 1.5,
            frame.bottom - height,
            100.0 * share
        );
    }
}

/// Draws a line, with a separate piece for each run of values without a gap. A run of one value is a dot.
fn draw_line(
    out: &mut String,
    line: &PlotLine,
    place: usize,
    frame: &Frame,
    calendar: &TimeAxis,
    scale: &ValueScale,
) {
    draw_lost(out, line, place, frame, calendar);
    for run in line.values.split(|(_, value)| value.is_none()) {
        let points =
            run.iter().filter_map(|(at, value)| Some((calendar.middle(*at), scale.y(frame, (*value)?))));
        draw_run(out, &points.collect::<Vec<_>>(), place);
    }
}

fn draw_run(out: &mut String, run: &[(f64, f64)], place: usize) {
    let colour = place % COLOURS;
    match run {
        [] => {}
        [(x, y)] => {
            let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" class=\"f{colour}\"/>");
        }
        run => {
            let points: Vec<String> = run.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(
                out,
                "<polyline class=\"line s{colour}\" stroke-dasharray=\"{}\" points=\"{}\"/>",
                dash(place),
                points.join(" ")
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::render::plot::TimePosition;

    fn plot(values: Vec<(TimePosition, Option<f64>)>) -> SeriesPlot {
        SeriesPlot {
            title: "t<t".to_owned(),
            unit: "hosts".to_owned(),
            lines: vec![PlotLine { name: "a".to_owned(), values, ..PlotLine::default() }],
            ..SeriesPlot::default()
        }
    }

    fn series_svg(plot: &SeriesPlot) -> String {
        panels_svg(std::slice::from_ref(plot), Theme::Auto)
    }

    fn count(svg: &str, name: &str) -> usize {
        let document = roxmltree::Document::parse(svg).unwrap();
        document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", name))).count()
    }

    #[test]
    fn an_outage_breaks_the_line_and_shades_the_days() {
        let day = |day| date(2009, 3, day);
        let value = |at: i8| (TimePosition::day(day(at)), (!(3..=5).contains(&at)).then_some(f64::from(at)));
        let mut plot = plot((1..=9).map(value).collect());
        plot.lines[0].lost = vec![(plot.lines[0].values[0].0, 0.25), (plot.lines[0].values[1].0, 0.001)];
        plot.bands.push(Band { first: day(3), last: day(5), label: "data loss".to_owned() });
        let svg = series_svg(&plot);
        assert_eq!(count(&svg, "polyline"), 2);
        assert!(svg.contains("class=\"band\"") && svg.contains("data loss"));
        assert!(svg.contains("25 % of packets lost") && svg.contains("bars on the axis: packets lost"));
        assert_eq!(svg.matches("of packets lost<").count(), 1, "a thousandth is not drawn");
    }

    #[test]
    fn one_day_is_a_dot_and_no_day_says_so() {
        assert_eq!(
            count(&series_svg(&plot(vec![(TimePosition::day(date(2009, 3, 1)), Some(0.0))])), "circle"),
            1
        );
        assert!(series_svg(&plot(vec![])).contains("no data"));
    }

    #[test]
    fn labels_of_marks_do_not_lie_over_each_other() {
        let calendar = TimeAxis::of_days(date(2009, 1, 1), date(2009, 4, 30), (LEFT, 620.0));
        let mark = |day| DateMark { day, label: "a long label of a mark".to_owned() };
        let days = [date(2009, 3, 2), date(2009, 3, 4), date(2009, 1, 1), date(2009, 4, 29)];
        let placed = place_marks(&days.map(mark), &calendar);
        // Rows are assigned from the last mark to the first; the last label has no room on the right of its
        // line.
        assert_eq!(placed.iter().map(|mark| mark.row).collect::<Vec<_>>(), [0, 1, 2, 0]);
        assert!(placed[0].start + text_width(&placed[0].label) < placed[0].x);
    }

    #[test]
    fn twelve_lines_are_told_apart_without_colours_or_by_them() {
        let looks: std::collections::BTreeSet<(usize, &str)> =
            (0..36).map(|place| (place % COLOURS, dash(place))).collect();
        assert_eq!(looks.len(), 36);
    }
}
