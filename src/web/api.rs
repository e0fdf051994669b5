//! JSON, CSV and pictures under `/api/v1`: the answers of the command line, in its formats.

use jiff::civil::Date;

use crate::app::correlate::correlate_reports;
use crate::app::family_members::families;
use crate::app::filter_notation::{check_label, filter_name, parse_filter};
use crate::app::history_source::Readable;
use crate::app::host::host_in_store;
use crate::app::sample_details::details;
use crate::app::series::{SeriesQuery, TrafficFilter, series};
use crate::app::surges::{SurgeQuery, surges};
use crate::app::types::type_counts;
use crate::app::{AppError, CaptureOptions, Notices, history, removal};
use crate::history::SpanLength;
use crate::render::answer::{Answer, Format};
use crate::render::host::HostAnswer;
use crate::render::hypotheses::CorrelationAnswer;
use crate::render::metrics::Metrics;
use crate::render::spans::{PlotOptions, SeriesAnswer, SpanSeries, Value};
use crate::render::surges::SurgesAnswer;
use crate::render::svg::Theme;

use super::reply::{PageError, Reply};
use super::request::PageRequest;

/// Probabilities as on the command line.
const SURGE_Q_MAX: f64 = 0.01;
const TYPE_COUNT_LEVEL: f64 = 0.01;

/// The answers: their names, and what can be asked behind `?`.
const ANSWERS: [(&str, &str); 10] = [
    ("captures", "sensor"),
    ("correlate", ""),
    ("families", ""),
    ("host", "address, sensor"),
    ("incidents", "number"),
    ("sample", "id"),
    ("sensors", ""),
    ("series", "filter, source, sensor, by (hour, day, week, month, all), from, to"),
    ("surges", "sensor"),
    ("types", "sensor"),
];

/// Answers requests for `/api/v1`: lists what can be asked.
pub(super) fn index(_request: &PageRequest, _store: &Readable) -> Result<Reply, PageError> {
    let mut text = String::from(
        "The answers of the command line, as lines of JSON; format=csv or format=svg where there is one.\n\
         /api/v1/openapi.json describes them.\n\n",
    );
    for (name, asked) in ANSWERS {
        let asked = if asked.is_empty() { String::new() } else { format!("  ? {asked}") };
        text.push_str(&format!("/api/v1/{name}{asked}\n"));
    }
    Ok(Reply::Content("text/plain; charset=utf-8", None, text.into_bytes()))
}

/// The description of all answers in OpenAPI's format, which `tests/it/page_api.rs` compares with what is answered.
const OPENAPI: &str = include_str!("assets/openapi.json");

/// Answers requests for `/api/v1/openapi.json`.
pub(super) fn openapi(_request: &PageRequest, _store: &Readable) -> Result<Reply, PageError> {
    Ok(Reply::Content("application/json", None, OPENAPI.as_bytes().to_vec()))
}

/// Answers requests for `/api/v1/NAME`.
pub(super) fn answer(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let rules = &request.server.rules;
    let source = request.server.source();
    let sensors = request.query.all("sensor");
    match request.part("answer") {
        "sensors" => write(request, history::sensors_in_store(store)?.as_slice()),
        "captures" => write(request, removal::captures_in_store(store, &sensors)?.as_slice()),
        "families" => write(request, families(store, rules)?.as_slice()),
        "sample" => write(request, &details(store, needed(request, "id")?, rules)?),
        "incidents" => {
            let mut all = store.incidents().map_err(AppError::from)?;
            if let Some(number) = request.query.get("number") {
                all.retain(|incident| incident.number.to_string() == number);
            }
            write(request, all.as_slice())
        }
        "host" => {
            let text = needed(request, "address")?;
            let address = text.parse().map_err(|_| PageError::Wrong(format!("`{text}` is no address.")))?;
            let rows = host_in_store(store, address, &sensors, rules)?;
            write(request, &HostAnswer { host: address, rows: &rows })
        }
        "surges" => {
            let found = surges(store, &SurgeQuery { sensors, level: SURGE_Q_MAX }, rules)?;
            write(request, &SurgesAnswer { surges: &found, all: true })
        }
        "types" => write(request, type_counts(store, &sensors, TYPE_COUNT_LEVEL, rules)?.as_slice()),
        "series" => write_series(request, store, sensors),
        "correlate" => {
            let options = CaptureOptions::default();
            let found = correlate_reports(&[], &source, &options, rules, &mut Notices::default())?;
            write(
                request,
                &CorrelationAnswer {
                    hypotheses: &found.hypotheses,
                    samples: found.samples.iter().map(|sample| &sample.profile).collect(),
                    coverage: &found.coverage,
                    window_seconds: rules.profile.window_seconds,
                    graph: found.graph(),
                    host: None,
                },
            )
        }
        other => {
            let other = crate::escape::escape_hidden(other);
            Err(PageError::Missing(format!("There is no answer `{other}`; /api/v1 lists those there are.")))
        }
    }
}

/// Answers requests for `/metrics`, in the text format of Prometheus.
pub(super) fn metrics(_request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let healths = store.sensor_healths().map_err(AppError::from)?;
    let incidents = store.incidents().map_err(AppError::from)?;
    let deliveries = store.deliveries().map_err(AppError::from)?.len() as u64;
    let text = Metrics { healths: &healths, incidents: &incidents, deliveries }.text();
    Ok(Reply::Content("text/plain; version=0.0.4; charset=utf-8", None, text.into_bytes()))
}

fn needed<'a>(request: &'a PageRequest, name: &str) -> Result<&'a str, PageError> {
    let missing = || PageError::Wrong(format!("Behind ? give {name}=…; /api/v1 lists what can be asked."));
    request.query.get(name).ok_or_else(missing)
}

fn write_series(request: &PageRequest, store: &Readable, sensors: Vec<String>) -> Result<Reply, PageError> {
    let rules = &request.server.rules;
    let mut filters = Vec::new();
    for text in request.query.all("filter") {
        let filter = parse_filter(&text).map_err(PageError::Wrong)?;
        check_label(&filter, rules)?;
        filters.push(filter);
    }
    if filters.is_empty() {
        filters.push(TrafficFilter::All);
    }
    let step = match request.query.get("by").unwrap_or("day") {
        "hour" => SpanLength::Hour,
        "day" => SpanLength::Day,
        "week" => SpanLength::Week,
        "month" => SpanLength::Month,
        "all" => SpanLength::All,
        other => {
            let other = crate::escape::escape_hidden(other);
            return Err(PageError::Wrong(format!(
                "`by` is `{other}`, and none of hour, day, week, month and all."
            )));
        }
    };
    let wrong = |_| PageError::Wrong("`source` is no prefix like 192.0.2.0/24.".to_owned());
    let sources = request.query.get("source").map(str::parse).transpose().map_err(wrong)?;
    let days: (Option<Date>, Option<Date>) = (request.date("from")?, request.date("to")?);
    let question = SeriesQuery { sensors, filters, sources, step, first: days.0, last: days.1 };
    let all = series(store, &question, rules)?;
    let counted = all.iter().map(|series| SpanSeries {
        sensor: &series.sensor,
        behavior: filter_name(&series.filter, sources),
        spans: &series.spans,
        coverage: &series.coverage,
    });
    let plot = PlotOptions { values: vec![Value::Hosts], ..PlotOptions::default() };
    write(request, &SeriesAnswer { series: counted.collect(), plot })
}

/// Writes an answer in the format that the address asks for.
fn write<A: Answer + ?Sized>(request: &PageRequest, answer: &A) -> Result<Reply, PageError> {
    let (format, kind) = match request.query.get("format").unwrap_or("json") {
        "json" => (Format::Json, "application/x-ndjson"),
        "csv" => (Format::Csv, "text/csv; charset=utf-8"),
        "svg" => (Format::Svg, "image/svg+xml"),
        other => {
            let other = crate::escape::escape_hidden(other);
            return Err(PageError::Wrong(format!("`format` is `{other}`, and none of json, csv and svg.")));
        }
    };
    if !A::FORMATS.contains(&format) {
        return Err(PageError::Wrong(format!("This answer cannot be written as {}.", format.title())));
    }
    let mut out = Vec::new();
    answer.write(&mut out, format, Theme::Auto)?;
    Ok(Reply::Content(kind, None, out))
}
