//! What sensors observed of a host, as text, JSON and a picture: one row per sensor and type. The picture
//! shows the days on which the host was seen and the days without data. The JSON field names are stable.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;

use jiff::civil::Date;
use serde::Serialize;

use crate::behavior::{BehaviorId, ProbeSignature};
use crate::escape::escape_hidden;
use crate::history::HostBehavior;
use crate::packet::Timestamp;

use super::answer::{Answer, Format};
use super::signature::SignatureJson;
use super::svg::{self, Theme, cut};
use super::text::table;
use super::time_axis::TimeAxis;

const WIDTH: f64 = 760.0;
const ENDS: (f64, f64) = (46.0, 714.0);
const ROW: f64 = 34.0;
const TRACK: f64 = 12.0;
const HEAD: f64 = 62.0;

/// Maximum number of rows in a picture. A host that scans a different port per target has thousands of types.
const ROWS_MAX: usize = 40;

/// What sensors observed of a host: one row per sensor and type.
pub struct HostAnswer<'a> {
    /// Address of the host.
    pub host: IpAddr,
    /// The rows.
    pub rows: &'a [HostBehavior],
}

impl Answer for HostAnswer<'_> {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json, Format::Svg, Format::Png];

    /// Writes a table for people, one row per sensor and type.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let head =
            ["sensor", "first", "last", "days", "gap", "windows", "packets", "labels", "type", "signature"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for HostBehavior { sensor, behavior, labels, counts: seen, days, gap, signatures, .. } in self.rows {
            rows.push(vec![
                escape_hidden(sensor),
                seen.first.to_string(),
                seen.last.to_string(),
                days.len().to_string(),
                gap.to_string(),
                seen.windows.to_string(),
                seen.packets.to_string(),
                escape_hidden(&labels.join(" ")),
                behavior.canonical.clone(),
                signature_text(signatures),
            ]);
        }
        table(out, &rows)
    }

    /// Writes one line of JSON per sensor and type.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for HostBehavior { sensor, behavior, labels, counts: seen, days, gap, signatures, .. } in self.rows {
            let line = JsonHostBehavior {
                host: self.host,
                sensor,
                behavior: behavior.id,
                canonical: &behavior.canonical,
                labels,
                first: seen.first,
                last: seen.last,
                days: days.len() as u64,
                longest_gap_days: *gap,
                windows: seen.windows,
                packets: seen.packets,
                signatures: signatures
                    .iter()
                    .map(|(signature, windows)| HostSignatureJson {
                        signature: signature.into(),
                        windows: *windows,
                    })
                    .collect(),
            };
            crate::escape::json_line(out, &line)?;
        }
        Ok(())
    }

    fn svg(&self, theme: Theme) -> io::Result<String> {
        Ok(host_svg(self.host, self.rows, theme))
    }
}

#[derive(Serialize)]
struct JsonHostBehavior<'a> {
    host: IpAddr,
    sensor: &'a str,
    #[serde(rename = "type")]
    behavior: BehaviorId,
    canonical: &'a str,
    labels: &'a [String],
    first: Timestamp,
    last: Timestamp,
    days: u64,
    longest_gap_days: u64,
    windows: u64,
    packets: u64,
    signatures: Vec<HostSignatureJson<'a>>,
}

#[derive(Serialize)]
struct HostSignatureJson<'a> {
    #[serde(flatten)]
    signature: SignatureJson<'a>,
    windows: u64,
}

/// Returns the most frequent signature, and how many others there are.
fn signature_text(signatures: &[(ProbeSignature, u64)]) -> String {
    match signatures {
        [] => "-".to_owned(),
        [(only, _)] => only.to_string(),
        [(first, _), others @ ..] => format!("{first} and {} more", others.len()),
    }
}

/// Draws the rows of a host, at most [`ROWS_MAX`] of them, and states how many are left out.
fn host_svg(host: IpAddr, rows: &[HostBehavior], theme: Theme) -> String {
    let shown = &rows[..rows.len().min(ROWS_MAX)];
    let spans = || shown.iter().filter_map(|row| row.coverage.span());
    let span = spans().map(|span| span.0).min().zip(spans().map(|span| span.1).max());
    #[expect(clippy::cast_precision_loss, reason = "at most forty rows")]
    let bottom = HEAD + ROW * shown.len().max(1) as f64 + 6.0;
    let mut out = String::new();
    let title = format!("{host}: days on which it was seen, by sensor and type");
    svg::open(&mut out, (WIDTH, bottom + 34.0), &title, "a row a sensor and type, over days", theme);
    svg::text(&mut out, ENDS.0, 20.0, "start", "title", &cut(&title, ENDS.1 - ENDS.0 - 80.0));
    let left_out = match rows.len() - shown.len() {
        0 => String::new(),
        more => format!("; {more} more are left out"),
    };
    let note = format!("{} rows{left_out}; shaded: the sensor has no data", shown.len());
    svg::text(&mut out, ENDS.0, 38.0, "start", "soft", &note);
    let Some((first, last)) = span else {
        svg::text(&mut out, WIDTH / 2.0, HEAD + ROW / 2.0, "middle", "soft", "it was not seen");
        out.push_str("</svg>\n");
        return out;
    };
    let calendar = TimeAxis::of_days(first, last, ENDS);
    let mut top = HEAD;
    for row in shown {
        svg::text(&mut out, ENDS.0, top, "start", "", &cut(&row_label(row), ENDS.1 - ENDS.0));
        track(&mut out, row, &calendar, top + 5.0);
        top += ROW;
    }
    calendar.draw(&mut out, bottom, &[]);
    out.push_str("</svg>\n");
    out
}

/// Returns the label of a row: sensor, labels and type.
fn row_label(row: &HostBehavior) -> String {
    let parts = [row.labels.join(", "), row.behavior.canonical.clone()];
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    format!("{}: {}", row.sensor, parts.join(", "))
}

fn track(out: &mut String, row: &HostBehavior, calendar: &TimeAxis, top: f64) {
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
    use std::sync::Arc;

    use jiff::civil::date;

    use super::*;
    use crate::behavior::Behavior;
    use crate::history::{Coverage, Outage, SightingCounts};

    #[test]
    fn runs_of_days_are_bars_and_days_without_data_are_shaded() {
        let outage = Outage { first: date(2009, 3, 5), last: date(2009, 3, 6), reason: String::new() };
        let coverage = Coverage {
            recorded_days: (1..=12).map(|day| date(2009, 3, day)).collect(),
            outages: vec![outage],
            ..Coverage::default()
        };
        let days: Vec<Date> = [1, 2, 3, 9].map(|day| date(2009, 3, day)).to_vec();
        let row = HostBehavior {
            sensor: "I".into(),
            behavior: Behavior::new("445/tcp <b>".to_owned()),
            labels: Vec::new(),
            counts: SightingCounts::NONE,
            days,
            coverage: Arc::new(coverage),
            gap: 5,
            signatures: Vec::new(),
        };
        let host = IpAddr::from([192, 0, 2, 1]);
        let svg = host_svg(host, std::slice::from_ref(&row), Theme::Auto);
        roxmltree::Document::parse(&svg).unwrap();
        assert_eq!((svg.matches("class=\"band\"").count(), svg.matches("class=\"f0\"").count()), (1, 2));
        let many = host_svg(host, &vec![row; ROWS_MAX + 3], Theme::Auto);
        assert!(many.contains("40 rows; 3 more are left out"));
        assert!(host_svg(host, &[], Theme::Auto).contains("it was not seen"));
    }
}
