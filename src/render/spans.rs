//! Counts over spans of time, as a table, CSV, JSON and plots.

use std::io::{self, Write};

use serde::Serialize;

use crate::history::{Coverage, SpanCount};

use super::answer::{Answer, Format};
use super::plot::{Band, DateMark, PlotLine, SeriesPlot, TimePosition};
use super::series::panels_svg;
use super::svg::Theme;
use super::text::table;
use crate::escape::{escape_hidden, no_formula};

/// The counts of one behavior at one sensor.
#[derive(Clone, Debug)]
pub struct SpanSeries<'a> {
    /// Name of the sensor.
    pub sensor: &'a str,
    /// Name of the counted behavior; `all` for all windows.
    pub behavior: String,
    /// Counts of all spans, ascending.
    pub spans: &'a [SpanCount],
    /// Coverage of the sensor.
    pub coverage: &'a Coverage,
}

/// The value of a span that a line of a plot shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Value {
    /// Packets
    Packets,
    /// Unique hosts
    Hosts,
    /// Windows
    Windows,
    /// Distinct behavior types
    Types,
    /// Packets per unique host; a low value indicates a stealthy scan
    PacketsPerHost,
}

impl Value {
    /// Returns the unit of the value.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Value::Packets => "packets",
            Value::Hosts => "unique hosts",
            Value::Windows => "windows",
            Value::Types => "kinds of type",
            Value::PacketsPerHost => "packets per host",
        }
    }

    /// Returns the value of a span; `None` for a span without recorded time, and for packets per host if
    /// there is no host.
    #[expect(clippy::cast_precision_loss, reason = "counts to be drawn, far below 2^52")]
    #[must_use]
    pub fn in_span(self, span: &SpanCount) -> Option<f64> {
        if span.observed_days == 0 {
            return None;
        }
        match self {
            Value::Packets => Some(span.packets as f64),
            Value::Hosts => Some(span.hosts as f64),
            Value::Windows => Some(span.windows as f64),
            Value::Types => Some(span.types as f64),
            Value::PacketsPerHost => (span.hosts > 0).then(|| span.packets as f64 / span.hosts as f64),
        }
    }
}

/// Returns the start of a span: its hour with the offset of the sensor's clock from UTC, or else its first
/// day.
fn span_start(span: &SpanCount) -> String {
    span.hour.map_or_else(|| span.first.to_string(), |hour| hour.to_string())
}

/// Returns the names of the columns. The column of recorded time counts days, or hours if the spans are
/// hours.
fn columns(all: &[SpanSeries<'_>]) -> [&'static str; 11] {
    let hourly = all.iter().flat_map(|counted| counted.spans).any(|span| span.hour.is_some());
    let observed = if hourly { "observed_hours" } else { "observed_days" };
    let counts = ["packets", "hosts", "windows", "types", "packets_per_host", "lost", "lost_share"];
    let [packets, hosts, windows, types, rate, lost, share] = counts;
    ["sensor", "of", "first", observed, packets, hosts, windows, types, rate, lost, share]
}

/// Number of columns about capture loss, which are the last ones.
const LOSS_COLUMNS: usize = 2;

/// Series of counts, and how a plot shows them.
pub struct SeriesAnswer<'a> {
    /// One series per sensor and behavior.
    pub series: Vec<SpanSeries<'a>>,
    /// Options of the plot.
    pub plot: PlotOptions,
}

impl Answer for SeriesAnswer<'_> {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Csv, Format::Json, Format::Svg, Format::Png];

    /// Writes a table for people. A span without a value has `-` for every count. If packets were lost in any
    /// span, the last columns show the number of lost packets to any address, and their share of all packets.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = vec![columns(&self.series).map(|column| column.replace('_', " ")).to_vec()];
        rows.extend(cells(&self.series, "-").map(|row| row.iter().map(|cell| escape_hidden(cell)).collect()));
        let mut spans = self.series.iter().flat_map(|counted| counted.spans);
        if !spans.any(|span| span.loss.dropped > 0) {
            rows.iter_mut().for_each(|row| row.truncate(row.len() - LOSS_COLUMNS));
        }
        table(out, &rows)
    }

    /// Writes CSV (RFC 4180). A span without a value has empty counts.
    fn csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        csv.write_record(columns(&self.series))?;
        for row in cells(&self.series, "") {
            csv.write_record(row.iter().map(|cell| no_formula(escape_hidden(cell))))?;
        }
        csv.flush()
    }

    /// Writes one line of JSON per span. A span without a value has `null` for every count.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for counted in &self.series {
            for span in counted.spans {
                let count = |value: u64| (span.observed_days > 0).then_some(value);
                let line = JsonSpan {
                    sensor: counted.sensor,
                    of: &counted.behavior,
                    first: span_start(span),
                    observed_days: span.hour.is_none().then_some(span.observed_days),
                    observed_hours: span.hour.map(|_| span.observed_days),
                    packets: count(span.packets),
                    hosts: count(span.hosts),
                    windows: count(span.windows),
                    types: count(span.types),
                    packets_per_host: Value::PacketsPerHost.in_span(span),
                    lost: JsonLoss { packets: span.loss.dropped, share: span.loss.share() },
                };
                crate::escape::json_line(out, &line)?;
            }
        }
        Ok(())
    }

    fn svg(&self, theme: Theme) -> io::Result<String> {
        Ok(panels_svg(&plots(&self.series, &self.plot), theme))
    }
}

fn cells<'a>(all: &'a [SpanSeries<'_>], none: &'a str) -> impl Iterator<Item = Vec<String>> + 'a {
    let row = move |counted: &SpanSeries<'_>, span: &SpanCount| {
        let count = |value: u64| if span.observed_days == 0 { none.to_owned() } else { value.to_string() };
        let rate =
            Value::PacketsPerHost.in_span(span).map_or_else(|| none.to_owned(), |rate| format!("{rate:.2}"));
        vec![
            counted.sensor.to_owned(),
            counted.behavior.clone(),
            span_start(span),
            span.observed_days.to_string(),
            count(span.packets),
            count(span.hosts),
            count(span.windows),
            count(span.types),
            rate,
            span.loss.dropped.to_string(),
            format!("{:.4}", span.loss.share()),
        ]
    };
    all.iter().flat_map(move |counted| counted.spans.iter().map(move |span| row(counted, span)))
}

#[derive(Serialize)]
struct JsonSpan<'a> {
    sensor: &'a str,
    of: &'a str,
    first: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_days: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_hours: Option<u64>,
    packets: Option<u64>,
    hosts: Option<u64>,
    windows: Option<u64>,
    types: Option<u64>,
    packets_per_host: Option<f64>,
    lost: JsonLoss,
}

/// Number of lost packets to any address, and their share of all packets, from 0 to 1. Both are 0 if no loss
/// is known.
#[derive(Serialize)]
struct JsonLoss {
    packets: u64,
    share: f64,
}

/// Options of plots.
#[derive(Clone, Debug, Default)]
pub struct PlotOptions {
    /// Values that lines show. One panel has at most two; the second uses the axis on the right.
    pub values: Vec<Value>,
    /// What each panel shows; with `None`, there is one plot of everything.
    pub panels: Option<Panels>,
    /// Dates that are marked in each panel.
    pub marks: Vec<DateMark>,
    /// Whether the axes are logarithmic.
    pub log: bool,
    /// Whether lines with much smaller values stay on the axis of the other lines.
    pub one_axis: bool,
}

/// What each panel shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Panels {
    /// One panel per sensor
    Sensor,
    /// One panel per behavior that `--filter` selects
    #[value(name = "filter", alias = "of")]
    Behavior,
    /// One panel per value
    Value,
}

/// Returns the plots of counts, one per panel.
#[must_use]
pub fn plots(all: &[SpanSeries<'_>], drawing: &PlotOptions) -> Vec<SeriesPlot> {
    let values = drawing.values.as_slice();
    let by = |key: fn(&SpanSeries<'_>) -> String| {
        let mut keys: Vec<String> = Vec::new();
        for counted in all {
            if !keys.contains(&key(counted)) {
                keys.push(key(counted));
            }
        }
        let part =
            |wanted: &String| all.iter().filter(|one| key(one) == *wanted).cloned().collect::<Vec<_>>();
        keys.iter().map(|wanted| plot(&part(wanted), values, drawing)).collect()
    };
    match drawing.panels {
        None => vec![plot(all, values, drawing)],
        Some(Panels::Value) => values.iter().map(|value| plot(all, &[*value], drawing)).collect(),
        Some(Panels::Sensor) => by(|counted| counted.sensor.to_owned()),
        Some(Panels::Behavior) => by(|counted| counted.behavior.clone()),
    }
}

fn plot(all: &[SpanSeries<'_>], values: &[Value], drawing: &PlotOptions) -> SeriesPlot {
    let several_sensors = all.iter().any(|counted| counted.sensor != all[0].sensor);
    let several_things = all.iter().any(|counted| counted.behavior != all[0].behavior);
    let mut lines = Vec::new();
    for (place, value) in values.iter().take(2).enumerate() {
        for counted in all {
            let mut parts = Vec::new();
            parts.extend(several_sensors.then(|| format!("sensor {}", counted.sensor)));
            parts.extend(several_things.then(|| counted.behavior.clone()));
            parts.extend((values.len() > 1 || parts.is_empty()).then(|| value.unit().to_owned()));
            let spans = counted.spans.iter();
            let lost = spans.clone().filter(|span| span.observed_days > 0);
            let lost = lost.map(|span| (TimePosition::from_span(span), span.loss.share()));
            lines.push(PlotLine {
                name: parts.join(", "),
                second_axis: place == 1,
                lost: lost.collect(),
                values: spans.map(|span| (TimePosition::from_span(span), value.in_span(span))).collect(),
            });
        }
    }
    if values.len() < 2 && !drawing.log && !drawing.one_axis {
        use_second_axis(&mut lines);
    }
    let first = all.first();
    let mut titled: Vec<String> = values.iter().take(2).map(|value| value.unit().to_owned()).collect();
    titled.extend(
        first.filter(|one| !several_things && one.behavior != "all").map(|counted| counted.behavior.clone()),
    );
    titled.extend(first.filter(|_| !several_sensors).map(|counted| format!("sensor {}", counted.sensor)));
    SeriesPlot {
        title: titled.join(", "),
        unit: values.first().map_or("", |value| value.unit()).to_owned(),
        second_unit: values.get(1).map(|value| value.unit().to_owned()),
        lines,
        bands: bands(all, several_sensors),
        marks: drawing.marks.clone(),
        log: drawing.log,
    }
}

/// Minimum ratio between the maxima of two lines that belong on different axes.
const AXIS_RATIO_MIN: f64 = 8.0;

/// Moves lines that are much smaller than all others to the axis on the right, such as sensor III in figure 3
/// (a) of the nicter report. The maxima of the lines are sorted; lines below the largest ratio of neighbors
/// are moved if that ratio is at least [`AXIS_RATIO_MIN`], since they would otherwise lie on the time axis.
fn use_second_axis(lines: &mut [PlotLine]) {
    let largest = |line: &PlotLine| line.values.iter().filter_map(|(_, value)| *value).fold(0.0, f64::max);
    let mut heights: Vec<f64> = lines.iter().map(largest).filter(|height| *height > 0.0).collect();
    heights.sort_by(f64::total_cmp);
    let falls = heights.windows(2).map(|pair| (pair[1] / pair[0], pair[1]));
    if let Some((_, above)) =
        falls.filter(|(times, _)| *times >= AXIS_RATIO_MIN).max_by(|a, b| a.0.total_cmp(&b.0))
    {
        for line in lines {
            let height = largest(line);
            line.second_axis = height > 0.0 && height < above;
        }
    }
}

/// Returns the outages as bands. With several sensors, each label names its sensor.
fn bands(all: &[SpanSeries<'_>], several_sensors: bool) -> Vec<Band> {
    let mut bands: Vec<Band> = Vec::new();
    for counted in all {
        for outage in &counted.coverage.outages {
            let label = match several_sensors {
                true => format!("{}: {}", counted.sensor, outage.reason),
                false => outage.reason.clone(),
            };
            let band = Band { first: outage.first, last: outage.last, label };
            if !bands.contains(&band) {
                bands.push(band);
            }
        }
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::CaptureLoss;

    #[test]
    fn only_much_smaller_lines_have_the_second_axis() {
        let sides = |heights: &[f64]| {
            let line = |height: &f64| PlotLine {
                lost: Vec::new(),
                values: vec![(TimePosition::day(jiff::civil::date(2009, 3, 1)), Some(*height))],
                ..PlotLine::default()
            };
            let mut lines: Vec<PlotLine> = heights.iter().map(line).collect();
            use_second_axis(&mut lines);
            lines.into_iter().map(|line| line.second_axis).collect::<Vec<_>>()
        };
        assert_eq!(sides(&[1e6, 2e6, 1e5]), [false, false, true]);
        assert_eq!(sides(&[1e6, 2e6, 3e5]), [false, false, false]);
        assert_eq!(sides(&[0.0, 5.0]), [false, false]);
        assert_eq!(sides(&[]), [false; 0]);
    }

    #[test]
    fn csv_cells_stay_cells_and_are_no_formulas() {
        let first = jiff::civil::date(2009, 3, 1);
        let spans = [SpanCount {
            first,
            hour: None,
            observed_days: 0,
            packets: 0,
            windows: 0,
            hosts: 0,
            types: 0,
            loss: CaptureLoss::default(),
        }];
        let (coverage, behavior) = (Coverage::default(), "=1+1".to_owned());
        let series = vec![SpanSeries { sensor: "a,\"b", behavior, spans: &spans, coverage: &coverage }];
        let mut out = Vec::new();
        SeriesAnswer { series, plot: PlotOptions::default() }.csv(&mut out).unwrap();
        let expected = "\r\n\"a,\"\"b\",'=1+1,2009-03-01,0,,,,,,0,0.0000\r\n";
        assert!(String::from_utf8(out).unwrap().ends_with(expected));
    }
}
