//! The pages of a port, protocol, type, shape, pattern or label, and of a prefix of hosts.

use askama::Template;
use ipnet::IpNet;

use crate::app::behavior_view::{BehaviorAtSensor, BehaviorQuery, BehaviorView, ReadingDepth, behavior_view};
use crate::app::filter_notation::{check_label, filter_name, parse_filter};
use crate::app::history_source::Readable;
use crate::app::now;
use crate::app::overview::sensor_states;
use crate::app::series::TrafficFilter;
use crate::app::tile::{TileWindow, example};
use crate::history::{BehaviorFilter, Granularity};
use crate::render::answer::Answer;
use crate::render::hypothesis_pictures::example_tile;
use crate::render::spans::{PlotOptions, SeriesAnswer, SpanSeries, Value};
use crate::render::svg::{Theme, without_style};
use crate::render::tile::{Tile, tile_svg};

use crate::web::behavior_words::sentence;
use crate::web::format::{counted, day, expected, listed};
use crate::web::layout::{Crumb, Layout, PageSection, html};
use crate::web::reply::{PageError, Reply};
use crate::web::request::{PageRequest, QueryPairs, Server, segment};
use crate::web::span::SpanChips;
use crate::web::table::{Table, export};

use super::behavior_tables::{days, hosts, samples, types};

#[derive(Template)]
#[template(path = "behavior.html", config = "src/web/templates/askama.toml")]
struct BehaviorPage {
    layout: Layout,
    heading: String,
    kind: &'static str,
    finding: String,
    surges: Vec<String>,
    words: Option<String>,
    names: Vec<(&'static str, String, String)>,
    labels: Vec<String>,
    chips: SpanChips,
    picture: Option<String>,
    tile: Option<String>,
    notice: Option<(String, &'static str)>,
    hosts: Option<Table>,
    list_hosts: String,
    types: Table,
    series: Table,
    samples: Option<Table>,
}

/// Returns the address of the page of a behavior.
pub(in crate::web) fn address(filter: &TrafficFilter) -> String {
    match filter {
        TrafficFilter::All => "/".to_owned(),
        TrafficFilter::Service(protocol, port) => {
            format!("/ports/{port}/{}", protocol.to_string().to_lowercase())
        }
        TrafficFilter::Protocol(protocol) => format!("/protocols/{}", protocol.to_string().to_lowercase()),
        TrafficFilter::Label(label) => format!("/labels/{}", segment(label)),
        TrafficFilter::Signature(pattern) => format!("/signatures/{}", segment(&pattern.to_string())),
        TrafficFilter::Behavior(BehaviorFilter { granularity, id, .. }) => format!("/{granularity}s/{id}"),
    }
}

/// Answers requests for `/ports/445/tcp`.
pub(in crate::web) fn port(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    of_notation(request, store, &format!("{}/{}", request.part("port"), request.part("protocol")))
}

/// Answers requests for `/protocols/icmp`.
pub(in crate::web) fn protocol(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    of_notation(request, store, request.part("protocol"))
}

/// Answers requests for `/types/ID`.
pub(in crate::web) fn type_(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    of_notation(request, store, &format!("type:{}", request.part("id")))
}

/// Answers requests for `/shapes/ID`.
pub(in crate::web) fn shape(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    of_notation(request, store, &format!("shape:{}", request.part("id")))
}

/// Answers requests for `/patterns/ID`.
pub(in crate::web) fn pattern(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    of_notation(request, store, &format!("pattern:{}", request.part("id")))
}

/// Answers requests for `/labels/NAME`.
pub(in crate::web) fn label(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    of_notation(request, store, &format!("label:{}", request.part("label")))
}

/// Answers requests for `/signatures/ttl=64`.
pub(in crate::web) fn signature(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    of_notation(request, store, &format!("signature:{}", request.part("features")))
}

/// Answers requests for `/prefixes/192.0.2.0/24`.
pub(in crate::web) fn prefix(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let text = format!("{}/{}", request.part("address"), request.part("length"));
    let wrong = |_| PageError::Missing(format!("`{text}` is no prefix like 192.0.2.0/24."));
    let prefix: IpNet = text.parse().map_err(wrong)?;
    answer(request, store, TrafficFilter::All, Some(prefix.trunc()))
}

fn of_notation(request: &PageRequest, store: &Readable, notation: &str) -> Result<Reply, PageError> {
    let filter = parse_filter(notation).map_err(PageError::Missing)?;
    check_label(&filter, &request.server.rules)?;
    answer(request, store, filter, None)
}

fn answer(
    request: &PageRequest,
    store: &Readable,
    filter: TrafficFilter,
    sources: Option<IpNet>,
) -> Result<Reply, PageError> {
    let seen = sensor_states(store, now())?;
    let chips = SpanChips::new(request, &seen)?;
    let query = BehaviorQuery {
        filter,
        sources,
        sensors: request.query.all("sensor"),
        first: chips.first,
        last: chips.last,
        host_days: None,
        depth: depth(request),
    };
    let view = behavior_view(store, &query, &request.server.rules)?;
    let tile = tile(request, store, &view);
    let (hosts, types, series) = (hosts(request, &view)?, types(request, &view), days(request, &view));
    let samples = (sources.is_none()).then(|| samples(request, &view));
    let tables: Vec<&Table> = [&types, &series].into_iter().chain(&hosts).chain(&samples).collect();
    if let Some(reply) = export(request, &tables) {
        return reply;
    }
    let name = filter_name(&query.filter, None);
    let (kind, heading) = heading(&query, &view, &name);
    let json = api_address("series", &query, &name);
    let layout =
        Layout::with_overview(request, PageSection::None, heading.clone(), crumbs(&query, &view), &seen);
    let page = BehaviorPage {
        finding: finding(&heading, &query, &view),
        surges: surges(&view),
        words: view
            .main_type
            .as_ref()
            .map(|record| sentence(&record.parameters))
            .filter(|_| sources.is_none()),
        names: names(&query, &view),
        labels: view.labels.clone(),
        picture: picture(&view, &name, query.sources),
        series: series.with_json(json),
        notice: notice(&view),
        list_hosts: list_hosts(request),
        layout,
        heading,
        kind,
        chips,
        tile,
        hosts,
        types,
        samples,
    };
    html(&page)
}

/// Returns how much is read for the page: everything, if the address says so or the hosts are exported.
pub(in crate::web) fn depth(request: &PageRequest) -> ReadingDepth {
    match (request.query.get("hosts"), request.query.get("export")) {
        (Some("all"), _) | (_, Some("hosts")) => ReadingDepth::Exact,
        _ => ReadingDepth::Bounded,
    }
}

/// Returns the address of this page with all hosts.
pub(in crate::web) fn list_hosts(request: &PageRequest) -> String {
    format!("{}#hosts", request.address_with("hosts", "all"))
}

/// Says what the page does not count exactly, to be read at once, and how the link that counts it is named.
fn notice(view: &BehaviorView) -> Option<(String, &'static str)> {
    if let Some(read) = view.sensors.iter().filter_map(|one| one.narrowed_to).max() {
        return Some((format!("Only the days from {} were read.", day(read)), "Read all days"));
    }
    let uncounted: Vec<String> =
        view.seen_at().filter(|one| one.host_total.is_none()).map(|one| one.sensor.name.clone()).collect();
    if uncounted.is_empty() {
        return None;
    }
    let at = listed(&uncounted);
    let what = format!(
        "At {at}, there are too many hosts to count each once at first: a host counts once a day for each type."
    );
    Some((what, "Count each host once"))
}

/// Returns the address of JSON about a behavior.
fn api_address(what: &str, query: &BehaviorQuery, name: &str) -> String {
    let mut pairs = Vec::new();
    if query.filter != TrafficFilter::All {
        pairs.push(("filter".to_owned(), name.to_owned()));
    }
    pairs.extend(query.sources.map(|prefix| ("source".to_owned(), prefix.to_string())));
    pairs.extend(query.sensors.iter().map(|sensor| ("sensor".to_owned(), sensor.clone())));
    pairs.extend(query.first.map(|day| ("from".to_owned(), day.to_string())));
    pairs.extend(query.last.map(|day| ("to".to_owned(), day.to_string())));
    QueryPairs(pairs).address(&format!("/api/v1/{what}"))
}

fn heading(query: &BehaviorQuery, view: &BehaviorView, name: &str) -> (&'static str, String) {
    let canonical = |granularity: Granularity| {
        let record = view.main_type.as_ref()?;
        Some(match granularity {
            Granularity::Type => record.behavior.canonical.clone(),
            Granularity::Shape => record.shape.canonical.clone(),
            Granularity::Pattern => record.pattern.canonical.clone(),
        })
    };
    match (&query.filter, query.sources) {
        (_, Some(prefix)) => ("prefix", prefix.to_string()),
        (TrafficFilter::Behavior(BehaviorFilter { granularity, id, .. }), _) => {
            let kind = match granularity {
                Granularity::Type => "type",
                Granularity::Shape => "shape",
                Granularity::Pattern => "pattern",
            };
            (kind, canonical(*granularity).unwrap_or_else(|| id.to_string()))
        }
        (TrafficFilter::Label(label), _) => ("label", label.clone()),
        (TrafficFilter::Signature(pattern), _) => ("probe signature", pattern.to_string()),
        (TrafficFilter::Protocol(_), _) => ("protocol", name.to_uppercase()),
        _ => ("service", name.to_owned()),
    }
}

fn crumbs(query: &BehaviorQuery, view: &BehaviorView) -> Vec<Crumb> {
    let mut crumbs = vec![Crumb::new("Overview", "/")];
    let TrafficFilter::Behavior(BehaviorFilter { granularity, .. }) = query.filter else { return crumbs };
    if let (Some(record), true) = (&view.main_type, granularity != Granularity::Pattern) {
        crumbs.push(Crumb::new("pattern", format!("/patterns/{}", record.pattern.id)));
        if granularity == Granularity::Type {
            crumbs.push(Crumb::new("shape", format!("/shapes/{}", record.shape.id)));
        }
    }
    crumbs
}

/// Says how many hosts were seen, where and when.
fn finding(heading: &str, query: &BehaviorQuery, view: &BehaviorView) -> String {
    let sensors: Vec<&BehaviorAtSensor> = view.seen_at().collect();
    if sensors.is_empty() {
        let names: Vec<String> = view.sensors.iter().map(|one| one.sensor.name.clone()).collect();
        return match names.len() {
            0 => "This history has no sensor.".to_owned(),
            _ => format!("{} did not see it in this span of time.", listed(&names)),
        };
    }
    let packets: u64 = sensors.iter().flat_map(|one| &one.series.spans).map(|span| span.packets).sum();
    let part = |one: &&BehaviorAtSensor| match one.host_total {
        Some(total) => format!("{} at {}", counted(total, "host", "hosts"), one.sensor.name),
        None => {
            let most = one.series.spans.iter().map(|span| span.hosts).max().unwrap_or(0);
            format!("up to {} a day at {}", counted(most, "host", "hosts"), one.sensor.name)
        }
    };
    let parts: Vec<String> = sensors.iter().map(part).collect();
    let days: Vec<_> = sensors.iter().filter_map(|one| one.days()).collect();
    let ends = days.iter().map(|days| days.0).min().zip(days.iter().map(|days| days.1).max());
    let span =
        ends.map(|(first, last)| format!(", from {} to {}", day(first), day(last))).unwrap_or_default();
    let what = match query.sources {
        Some(_) => format!("Of {heading}, the darknet saw {}", listed(&parts)),
        None => format!("It was seen from {}", listed(&parts)),
    };
    let types: usize = sensors.iter().map(|one| one.type_count).max().unwrap_or(0);
    let packets = counted(packets, "packet", "packets");
    format!("{what}{span}: {packets}, {}.", counted(types as u64, "type", "types"))
}

/// Says when the behavior departed from its past, a sentence for each sensor.
fn surges(view: &BehaviorView) -> Vec<String> {
    let mut sentences = Vec::new();
    for one in view.seen_at() {
        for surge in one.surges.iter().rev().take(2) {
            let expected = expected(surge.peak.expected);
            sentences.push(format!(
                "At {} it departed from its past on {}: at most {} on {}, where {expected} were expected.",
                one.sensor.name,
                day(surge.first),
                counted(surge.peak.count, "host", "hosts"),
                day(surge.peak.day),
            ));
        }
    }
    sentences
}

/// Returns the names at the other granularities, with their addresses.
fn names(query: &BehaviorQuery, view: &BehaviorView) -> Vec<(&'static str, String, String)> {
    let Some(record) = &view.main_type else { return Vec::new() };
    let TrafficFilter::Behavior(BehaviorFilter { granularity, .. }) = query.filter else { return Vec::new() };
    let all = [
        (Granularity::Pattern, "Pattern", &record.pattern),
        (Granularity::Shape, "Shape", &record.shape),
        (
            Granularity::Type,
            if granularity == Granularity::Type { "Type" } else { "Commonest type" },
            &record.behavior,
        ),
    ];
    let name = |(of, title, behavior): (Granularity, &'static str, &crate::behavior::Behavior)| {
        (title, behavior.canonical.clone(), format!("/{of}s/{}", behavior.id))
    };
    all.into_iter().filter(|(of, ..)| *of >= granularity || *of == Granularity::Type).map(name).collect()
}

/// Draws the hosts per day at each sensor that saw the behavior.
pub(in crate::web) fn picture(view: &BehaviorView, name: &str, sources: Option<IpNet>) -> Option<String> {
    let named = |one: &'_ BehaviorAtSensor| match sources {
        Some(prefix) => format!("{name} from {prefix} at {}", one.sensor.name),
        None if one.host_total.is_none() => "hosts of each type, added up".to_owned(),
        // A type's id says nothing to a reader of the picture.
        None if name.len() > 40 => "this behavior".to_owned(),
        None => name.to_owned(),
    };
    let series: Vec<SpanSeries<'_>> = view
        .seen_at()
        .map(|one| SpanSeries {
            sensor: &one.sensor.name,
            behavior: named(one),
            spans: &one.series.spans,
            coverage: &one.series.coverage,
        })
        .collect();
    if series.is_empty() {
        return None;
    }
    let plot = PlotOptions { values: vec![Value::Hosts], ..PlotOptions::default() };
    SeriesAnswer { series, plot }.svg(Theme::Auto).ok().map(|picture| without_style(&picture))
}

/// Draws the example window of the type with the most windows.
fn tile(request: &PageRequest, store: &Readable, view: &BehaviorView) -> Option<String> {
    let record = view.main_type.as_ref()?;
    let names: Vec<String> = view.seen_at().map(|one| one.sensor.name.clone()).collect();
    let tile = example_of(&request.server, store, record.behavior.id, &names)?;
    Some(without_style(&tile_svg(&tile, Theme::Auto)))
}

/// Returns the tile of the earliest example window of a type; `None` if no sensor kept one.
pub(in crate::web) fn example_of(
    server: &Server,
    store: &Readable,
    id: crate::behavior::BehaviorId,
    sensors: &[String],
) -> Option<Tile> {
    let found = example(store, id, sensors, &server.rules).ok()?;
    let TileWindow::Example { sensor, example, record, labels } = found else { return None };
    let seconds = server.rules.profile.window_seconds;
    Some(example_tile(&sensor, &example, &record.behavior.canonical, &labels.join(", "), seconds))
}
