//! The overview: is every sensor recording, what departed from its past, and what is new.

use askama::Template;
use jiff::civil::Date;

use crate::app::AppError;
use crate::app::family_members::families;
use crate::app::history::kept_samples;
use crate::app::history_source::Readable;
use crate::app::now;
use crate::app::overview::{ComparedCount, Overview, SensorOverview, SensorState, overview};
use crate::app::own_hosts::{OwnHost, own_hosts};
use crate::history::{DayState, Outage};
use crate::incident::HealthCondition;

use crate::web::behavior_words::sentence;
use crate::web::format::{NONE, count, counted, day, lag, listed, percent};
use crate::web::incident_rows::{self, sample_names};
use crate::web::layout::{Layout, PageSection, html, state_class};
use crate::web::reply::{PageError, Reply};
use crate::web::request::{PageRequest, segment};
use crate::web::sparkline::sparkline;
use crate::web::table::{Cell, Table, TableColumn, TableRow, export};

/// Number of days of a sparkline.
const SPARK_DAYS: i64 = 60;
/// Maximum number of samples that the overview names.
const SAMPLES_MAX: usize = 10;

const SENSORS: &[TableColumn] = &[
    TableColumn::text("sensor", "Sensor", 1),
    TableColumn::text("state", "State", 1),
    TableColumn::text("last-packet", "Last packet", 2),
    TableColumn::number("loss", "Loss", 2),
    TableColumn::number("packets", "Packets (expected)", 2),
    TableColumn::number("hosts", "Hosts (expected)", 1),
    TableColumn::text("days", "Hosts a day, 60 days", 3),
];

/// Number of recorded days in which own networks are looked for.
const OWN_DAYS: usize = 30;

const OWN: &[TableColumn] = &[
    TableColumn::text("host", "Host", 1),
    TableColumn::text("network", "Network", 1),
    TableColumn::text("sensor", "Sensor", 2),
    TableColumn::text("behavior", "Behavior", 1),
    TableColumn::text("last", "Last seen", 2),
    TableColumn::number("packets", "Packets", 2),
];

const SAMPLES: &[TableColumn] = &[
    TableColumn::text("sample", "Sample", 1),
    TableColumn::text("family", "Family", 1),
    TableColumn::text("date", "Date", 1),
];

#[derive(Template)]
#[template(path = "overview.html", config = "src/web/templates/askama.toml")]
struct OverviewPage {
    layout: Layout,
    finding: String,
    span: String,
    until: Option<String>,
    sensors: Table,
    compared: String,
    incidents: Table,
    incidents_finding: String,
    own: Option<Table>,
    own_finding: String,
    samples: Table,
    samples_finding: String,
}

/// Answers requests for the overview.
pub(in crate::web) fn page(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let until = request.date("to")?;
    let seen = overview(store, now(), until)?;
    let sensors = sensor_table(request, &seen)?;
    let incidents = store.incidents().map_err(crate::app::AppError::from)?;
    let open: Vec<_> = incidents.iter().filter(|incident| incident.is_open()).collect();
    let names = sample_names(&kept_samples(store)?);
    let incidents = incident_rows::table(request, "incidents", &open, &names);
    let families = families(store, &request.server.rules)?;
    let mut members: Vec<_> = families.iter().flat_map(|family| &family.members).collect();
    let total = members.len();
    members.sort_by_key(|member| std::cmp::Reverse(member.date));
    let rows = members.iter().take(SAMPLES_MAX).map(|member| {
        TableRow::from(vec![
            Cell::text(member.title.clone()).link(format!("/samples/{}", segment(&member.id))),
            Cell::text(member.family.name.clone())
                .link(format!("/families/{}", segment(&member.family.name))),
            member.date.map_or_else(|| Cell::none("no date is known"), |date| Cell::text(date.to_string())),
        ])
    });
    let samples = Table::new(
        request,
        "samples",
        "The newest samples",
        SAMPLES,
        rows.collect(),
        "No sample is kept yet. Add one with inga sample import or inga sample add.",
    );
    let networks = &request.server.own_networks;
    let own = own_hosts(store, networks, OWN_DAYS, until)?;
    let own_finding = match own.len() {
        0 => format!("No host of your networks was seen in the last {OWN_DAYS} recorded days."),
        some => format!(
            "{} of your networks sent packets to dark addresses in the last {OWN_DAYS} recorded days. Look at them first.",
            counted(some as u64, "host", "hosts")
        ),
    };
    let own = (!networks.is_empty()).then(|| own_table(request, &seen, &own)).transpose()?;
    let tables: Vec<&Table> = [&sensors, &incidents, &samples].into_iter().chain(&own).collect();
    if let Some(reply) = export(request, &tables) {
        return reply;
    }
    let page = OverviewPage {
        layout: Layout::with_overview(request, PageSection::Overview, "Overview", Vec::new(), &seen),
        finding: finding(&seen),
        span: span(&seen),
        until: until.map(day),
        compared: compared_days(&seen),
        sensors: sensors.with_json("/api/v1/sensors"),
        incidents_finding: incident_rows::finding(&open),
        incidents: incidents.with_json("/api/v1/incidents"),
        own,
        own_finding,
        samples: samples.with_json("/api/v1/families"),
        samples_finding: match (total, families.len()) {
            (0, _) => String::new(),
            (total, families) => format!(
                "{} of {} {}.",
                counted(total as u64, "sample", "samples"),
                families,
                if families == 1 { "family" } else { "families" }
            ),
        },
    };
    html(&page)
}

fn own_table(request: &PageRequest, seen: &Overview, own: &[OwnHost]) -> Result<Table, PageError> {
    let mut rows = Vec::new();
    for one in own {
        let sensor = seen.sensors.iter().find(|known| known.sensor.name == one.sensor);
        let zone = sensor.map(|known| known.sensor.zone()).transpose().map_err(AppError::from)?;
        let zone = zone.unwrap_or(jiff::tz::TimeZone::UTC);
        let pattern = &one.main_type.pattern;
        let cells = vec![
            Cell::text(one.host.to_string()).link(format!("/hosts/{}", one.host)),
            Cell::text(one.network.clone()),
            Cell::text(one.sensor.clone()),
            Cell::text(sentence(&one.main_type.parameters)).link(format!("/patterns/{}", pattern.id)),
            Cell::time(one.counts.last, &zone).class("nowrap"),
            Cell::count(one.counts.packets),
        ];
        rows.push(TableRow { cells, class: "own" });
    }
    let caption = "Hosts of your networks that sensors saw, the latest first";
    Ok(Table::new(request, "own", caption, OWN, rows, "None was seen."))
}

/// Says which sensors are recording, and which saw unusually much or little.
fn finding(seen: &Overview) -> String {
    let names = |is_named: &dyn Fn(&&SensorOverview) -> bool| {
        seen.sensors.iter().filter(is_named).map(|one| one.sensor.name.clone()).collect::<Vec<_>>()
    };
    let total = seen.sensors.len();
    if total == 0 {
        return "This history has no sensor yet. Add one with inga sensor add, and feed it with inga observe."
            .to_owned();
    }
    let well = names(&|one| one.state == SensorState::Recording).len();
    let mut text = match (seen.is_live, well == total) {
        (true, true) => "Every sensor is recording.".to_owned(),
        (true, false) => format!("{well} of {total} sensors are recording as they should."),
        (false, true) => "Every sensor recorded to the end of the data.".to_owned(),
        (false, false) => format!("{well} of {total} sensors recorded to the end of the data."),
    };
    let departed = |sign: i8| names(&|one| one.last_day.is_some_and(|day| day.hosts.departure() == sign));
    for (sign, word) in [(1, "more"), (-1, "fewer")] {
        let names = departed(sign);
        if !names.is_empty() {
            let verb = if names.len() == 1 { "saw" } else { "each saw" };
            text.push_str(&format!(
                " {} {verb} far {word} hosts on its last day than its past lets expect.",
                listed(&names)
            ));
        }
    }
    text
}

fn span(seen: &Overview) -> String {
    match (seen.first_day(), seen.last_day()) {
        (Some(first), Some(last)) => format!("{} – {}", day(first), day(last)),
        _ => "no data".to_owned(),
    }
}

/// Says which days the counts of the table are of.
fn compared_days(seen: &Overview) -> String {
    let mut days: Vec<Date> = seen.sensors.iter().filter_map(|one| one.last_day).map(|one| one.day).collect();
    days.sort_unstable();
    days.dedup();
    match days.as_slice() {
        [] => "No day was recorded as a whole yet, so nothing is compared.".to_owned(),
        [one] => format!(
            "Packets and hosts are those of {}, the last whole day. \u{25B2} and \u{25BC} mark counts more than three standard \
             deviations from what the days before let expect.",
            day(*one)
        ),
        _ => "Packets and hosts are those of each sensor's last whole day (on hover). \u{25B2} and \u{25BC} mark counts more than \
              three standard deviations from what the days before let expect."
            .to_owned(),
    }
}

fn sensor_table(request: &PageRequest, seen: &Overview) -> Result<Table, PageError> {
    let end = seen.last_day();
    let rows = seen.sensors.iter().map(|one| sensor_row(seen, one, end)).collect::<Result<Vec<_>, _>>()?;
    let empty = "No sensor yet. Add one with inga sensor add NAME --history DIR --prefix PREFIX.";
    Ok(Table::new(request, "sensors", "The sensors and their last day", SENSORS, rows, empty))
}

fn sensor_row(seen: &Overview, one: &SensorOverview, end: Option<Date>) -> Result<TableRow, PageError> {
    let zone = one.sensor.zone().map_err(crate::app::AppError::from)?;
    let last = match (one.last_packet, one.lag_seconds) {
        (Some(time), Some(seconds)) if seen.is_live => {
            let ago = if seconds < 86_400.0 { format!("{} ago", lag(seconds)) } else { String::new() };
            let shown = Cell::time(time, &zone);
            if ago.is_empty() { shown } else { shown.with_text(ago) }
        }
        (Some(time), _) => Cell::time(time, &zone),
        _ => Cell::none("no packet yet"),
    };
    let count_of =
        |value: Option<ComparedCount>| value.map_or_else(|| Cell::none("no whole day yet"), compared);
    let on = one.last_day.map(|last| format!(" on {}", day(last.day))).unwrap_or_default();
    Ok(TableRow::from(vec![
        Cell::text(one.sensor.name.clone()).link(format!("/sensors/{}", segment(&one.sensor.name))),
        state_cell(seen, one),
        last.class("nowrap"),
        Cell::number(one.loss.share(), percent(one.loss.share()))
            .hover(format!("{} packets lost of the last recorded day", count(one.loss.dropped))),
        count_of(one.last_day.map(|last| last.packets)).hover_more(&on),
        count_of(one.last_day.map(|last| last.hosts)).hover_more(&on),
        spark(one, end),
    ]))
}

fn state_cell(seen: &Overview, one: &SensorOverview) -> Cell {
    let reason = end_reason(one, seen.last_day());
    let words = match (one.state, reason) {
        (SensorState::Wrong(HealthCondition::Silent), Some(reason)) => reason,
        (SensorState::Recording, _) if !seen.is_live => "recorded to the end".to_owned(),
        (state, _) => state.word().to_owned(),
    };
    let dot =
        format!("<span class=\"dot {}\"></span> {}", state_class(one.state), crate::escape::xml(&words));
    Cell::markup(dot, words)
}

/// Says since when and why a sensor is silent.
fn end_reason(one: &SensorOverview, end: Option<Date>) -> Option<String> {
    let (_, last) = one.coverage.span()?;
    let outage = |day: Date| one.coverage.outages.iter().find(|outage| outage.contains(day));
    let why = end.and_then(outage).filter(|outage| !outage.reason.is_empty());
    let why = why.map(|Outage { reason, .. }| format!(" ({reason})")).unwrap_or_default();
    Some(format!("not recorded since {}{why}", day(last)))
}

fn compared(value: ComparedCount) -> Cell {
    #[expect(clippy::cast_precision_loss, reason = "a count by which rows are sorted")]
    let number = value.count as f64;
    let Some(expected) = value.expected else {
        return Cell::number(number, count(value.count)).hover("too few days before it to expect a number");
    };
    let (sign, class) = match value.departure() {
        1 => (" \u{25B2}", "up"),
        -1 => (" \u{25BC}", "down"),
        _ => ("", ""),
    };
    let mean = crate::render::svg::number(expected.mean.round());
    Cell::number(number, format!("{} ({mean}){sign}", count(value.count))).class(class).hover(format!(
        "{} counted, {mean} expected, standard deviation {}",
        count(value.count),
        crate::render::svg::number(expected.variance.sqrt().round())
    ))
}

fn spark(one: &SensorOverview, end: Option<Date>) -> Cell {
    let Some(end) = end else { return Cell::none("no data") };
    let days = (0..SPARK_DAYS).rev().map(|back| end.saturating_sub(jiff::Span::new().days(back)));
    let hosts = |day: Date| {
        let total = one.totals.iter().find(|total| total.count.day == day);
        // A day after the last whole one is not counted yet.
        let is_counted = one.last_day.is_none_or(|last| day <= last.day);
        let is_observed = is_counted && one.coverage.state(day) == DayState::Observed;
        is_observed.then(|| total.map_or(0, |total| total.count.hosts))
    };
    let values: Vec<Option<u64>> = days.map(hosts).collect();
    let least = values.iter().flatten().min().map_or_else(|| NONE.to_owned(), |least| count(*least));
    let most = values.iter().flatten().max().map_or_else(|| NONE.to_owned(), |most| count(*most));
    let missing = values.iter().filter(|value| value.is_none()).count();
    let words = format!(
        "{least} to {most} hosts a day in {SPARK_DAYS} days to {}{}",
        day(end),
        if missing == 0 { String::new() } else { format!("; {missing} days without a value are shaded") }
    );
    Cell::markup(sparkline(&values, &words), words).class("graph")
}
