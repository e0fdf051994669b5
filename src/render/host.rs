//! A picture of a host's history: one row per sensor and type, with the days on which the host was seen and
//! the days without data.

use std::fmt::Write;

use jiff::civil::Date;

use crate::history::Coverage;

use super::svg::{self, cut};
use super::time_axis::TimeAxis;

const WIDTH: f64 = 760.0;
const ENDS: (f64, f64) = (46.0, 714.0);
const ROW: f64 = 34.0;
const TRACK: f64 = 12.0;
const HEAD: f64 = 62.0;

/// Maximum number of rows in a picture. A host that scans a different port per target has thousands of types.
pub const ROWS_MAX: usize = 40;

/// The days on which a host showed one type at one sensor.
#[derive(Clone, Debug)]
pub struct HostRow<'a> {
    /// Label of the row: sensor, labels and type.
    pub label: String,
    /// Days on which the host showed the type, ascending.
    pub days: Vec<Date>,
    /// Coverage of the sensor.
    pub coverage: &'a Coverage,
}

/// Draws the rows of a host, at most [`ROWS_MAX`] of them, and states how many are left out.
#[must_use]
pub fn host_svg(host: &str, rows: &[HostRow<'_>]) -> String {
    let shown = &rows[..rows.len().min(ROWS_MAX)];
    let spans = || shown.iter().filter_map(|row| row.coverage.span());
    let span = spans().map(|span| span.0).min().zip(spans().map(|span| span.1).max());
    #[expect(clippy::cast_precision_loss, reason = "at most forty rows")]
    let bottom = HEAD + ROW * shown.len().max(1) as f64 + 6.0;
    let mut out = String::new();
    let title = format!("{host}: days on which it was seen, by sensor and type");
    svg::open(&mut out, WIDTH, bottom + 34.0, &title, "a row a sensor and type, over days");
    svg::text(&mut out, ENDS.0, 20.0, "start", "title", &cut(&title, ENDS.1 - ENDS.0 - 80.0));
    let left_out = match rows.len() - shown.len() {
        0 => String::new(),
        more => format!("; {more} more are left out"),
    };
    let told = format!("{} rows{left_out}; shaded: the sensor has no data", shown.len());
    svg::text(&mut out, ENDS.0, 38.0, "start", "soft", &told);
    let Some((first, last)) = span else {
        svg::text(&mut out, WIDTH / 2.0, HEAD + ROW / 2.0, "middle", "soft", "it was not seen");
        out.push_str("</svg>\n");
        return out;
    };
    let calendar = TimeAxis::of_days(first, last, ENDS);
    let mut top = HEAD;
    for row in shown {
        svg::text(&mut out, ENDS.0, top, "start", "", &cut(&row.label, ENDS.1 - ENDS.0));
        track(&mut out, row, &calendar, top + 5.0);
        top += ROW;
    }
    calendar.draw(&mut out, bottom, &[]);
    out.push_str("</svg>\n");
    out
}

fn track(out: &mut String, row: &HostRow<'_>, calendar: &TimeAxis, top: f64) {
    let mut bar = |from: Date, to: Date, look: &str| {
        let (left, right) = (calendar.edge(from, 0.0), calendar.edge(to, 1.0));
        let width = (right - left).max(1.5);
        let _ = writeln!(
            out,
            "<rect {look} x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{TRACK:.1}\"/>"
        );
    };
    let looked: Vec<Date> = row.coverage.observed_days().collect();
    let axis = calendar.first.series(jiff::Span::new().days(1)).take_while(|day| *day <= calendar.last);
    let blind: Vec<Date> = axis.filter(|day| looked.binary_search(day).is_err()).collect();
    for (from, to) in runs(&blind) {
        bar(from, to, "class=\"band\"");
    }
    for (from, to) in runs(&row.days) {
        bar(from, to, "class=\"f0\"");
    }
    svg::line(out, "rule", (ENDS.0, top + TRACK), (ENDS.1, top + TRACK));
}

/// Returns the first and last day of each run of consecutive days.
fn runs(days: &[Date]) -> Vec<(Date, Date)> {
    let mut runs: Vec<(Date, Date)> = Vec::new();
    for day in days {
        match runs.last_mut() {
            Some((_, last)) if last.tomorrow().is_ok_and(|next| next == *day) => *last = *day,
            _ => runs.push((*day, *day)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::history::Outage;

    #[test]
    fn runs_of_days_are_bars_and_days_without_data_are_shaded() {
        let outage = Outage { first: date(2009, 3, 5), last: date(2009, 3, 6), reason: String::new() };
        let coverage = Coverage {
            recorded_days: (1..=12).map(|day| date(2009, 3, day)).collect(),
            outages: vec![outage],
            ..Coverage::default()
        };
        let days: Vec<Date> = [1, 2, 3, 9].map(|day| date(2009, 3, day)).to_vec();
        let row = HostRow { label: "I: 445/tcp <b>".to_owned(), days, coverage: &coverage };
        let svg = host_svg("192.0.2.1", std::slice::from_ref(&row));
        roxmltree::Document::parse(&svg).unwrap();
        assert_eq!((svg.matches("class=\"band\"").count(), svg.matches("class=\"f0\"").count()), (1, 2));
        let many = host_svg("192.0.2.1", &vec![row; ROWS_MAX + 3]);
        assert!(many.contains("40 rows; 3 more are left out"));
        assert!(host_svg("192.0.2.1", &[]).contains("it was not seen"));
    }
}
