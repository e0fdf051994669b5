//! The pages of all sensors and of one: its prefixes, what it recorded, its losses and its captures.

use askama::Template;
use jiff::civil::Date;

use crate::app::history_source::Readable;
use crate::app::overview::{SensorOverview, SensorState, sensor_states};
use crate::app::{AppError, now, removal};
use crate::history::{DatedPrefix, DayState, nanoseconds_by_day};

use crate::web::format::{NONE, count, counted, day, lag, percent};
use crate::web::layout::{Crumb, Layout, PageSection, html};
use crate::web::reply::{PageError, Reply};
use crate::web::request::{PageRequest, segment};
use crate::web::table::{Cell, Table, TableColumn, TableRow, export};

/// Share of a day below which it counts as recorded in part.
const WHOLE_SHARE: f64 = 0.95;
/// Share of lost packets from which on a day is marked as lossy.
const LOSSY_SHARE: f64 = 0.01;
const DAY_NANOSECONDS: f64 = 86_400e9;

const SENSORS: &[TableColumn] = &[
    TableColumn::text("sensor", "Sensor", 1),
    TableColumn::text("kind", "Surroundings", 3),
    TableColumn::text("prefixes", "Dark prefixes", 1),
    TableColumn::text("zone", "Time zone", 3),
    TableColumn::text("first", "First day", 2),
    TableColumn::text("last", "Last day", 1),
    TableColumn::number("days", "Recorded days", 2),
    TableColumn::number("loss", "Packets lost", 2),
];

const CAPTURES: &[TableColumn] = &[
    TableColumn::text("capture", "Capture", 1),
    TableColumn::text("first", "First packet", 2),
    TableColumn::text("last", "Last packet", 1),
    TableColumn::number("packets", "Packets to dark addresses", 1),
    TableColumn::number("recorded", "Packets in all", 3),
    TableColumn::number("lost", "Lost", 2),
    TableColumn::text("fed", "Fed at", 3),
];

#[derive(Template)]
#[template(path = "sensors.html", config = "src/web/templates/askama.toml")]
struct SensorsPage {
    layout: Layout,
    finding: String,
    sensors: Table,
}

/// Answers requests for `/sensors`.
pub(in crate::web) fn list(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let seen = sensor_states(store, now())?;
    let rows = seen.sensors.iter().map(|one| {
        let span = one.coverage.span();
        let on = |date: Option<Date>| {
            date.map_or_else(|| Cell::none("nothing recorded"), Cell::day).class("nowrap")
        };
        let loss = total_loss(one);
        TableRow::from(vec![
            Cell::text(one.sensor.name.clone()).link(format!("/sensors/{}", segment(&one.sensor.name))),
            Cell::text(one.sensor.kind.to_string()),
            Cell::text(prefixes(&one.sensor.prefixes)),
            Cell::text(one.sensor.time_zone.clone()),
            on(span.map(|span| span.0)),
            on(span.map(|span| span.1)),
            Cell::count(one.coverage.observed_days().count() as u64),
            Cell::number(loss.1, percent(loss.1)).hover(counted(loss.0, "packet lost", "packets lost")),
        ])
    });
    let empty = "No sensor yet. Add one with inga sensor add NAME --history DIR --prefix PREFIX.";
    let sensors = Table::new(request, "sensors", "The sensors", SENSORS, rows.collect(), empty)
        .with_json("/api/v1/sensors");
    if let Some(reply) = export(request, &[&sensors]) {
        return reply;
    }
    let days: usize = seen.sensors.iter().map(|one| one.coverage.observed_days().count()).sum();
    let finding = match (seen.sensors.len(), seen.first_day(), seen.last_day()) {
        (sensors, Some(first), Some(last)) => format!(
            "{} recorded {} between {} and {}.",
            counted(sensors as u64, "sensor", "sensors"),
            counted(days as u64, "day", "days"),
            day(first),
            day(last)
        ),
        _ => "Nothing was recorded yet.".to_owned(),
    };
    html(&SensorsPage {
        layout: Layout::with_overview(request, PageSection::Sensors, "Sensors", Vec::new(), &seen),
        finding,
        sensors,
    })
}

/// A month of the calendar: its name and its days.
struct CalendarMonth {
    name: String,
    days: Vec<CalendarDay>,
}

/// A day of the calendar: its class of colors and its words; both are empty for days that the month does not have.
struct CalendarDay {
    class: &'static str,
    words: String,
}

#[derive(Template)]
#[template(path = "sensor.html", config = "src/web/templates/askama.toml")]
struct SensorPage {
    layout: Layout,
    name: String,
    finding: String,
    facts: Vec<(&'static str, String)>,
    months: Vec<CalendarMonth>,
    outages: Vec<String>,
    loss: String,
    captures: Table,
}

/// Answers requests for `/sensors/NAME`.
pub(in crate::web) fn page(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let name = request.part("name").to_owned();
    let seen = sensor_states(store, now())?;
    let Some(one) = seen.sensors.iter().find(|one| one.sensor.name == name) else {
        return Err(PageError::Missing(format!("This history has no sensor `{}`.", name.escape_default())));
    };
    let zone = one.sensor.zone().map_err(AppError::from)?;
    let listed = removal::captures_in_store(store, std::slice::from_ref(&name))?;
    let packets = listed.iter().map(|capture| capture.record.packets).sum();
    let time = |time: Option<crate::packet::Timestamp>| {
        time.map_or_else(|| Cell::none("no packet"), |time| Cell::time(time, &zone)).class("nowrap")
    };
    let rows = listed.iter().rev().map(|capture| {
        let record = &capture.record;
        TableRow::from(vec![
            Cell::text(record.name.clone()),
            time(record.first()),
            time(record.last()),
            Cell::count(record.packets),
            Cell::count(record.recorded),
            record.dropped.map_or_else(|| Cell::none("the capture does not say"), Cell::count),
            time(Some(record.fed_at)),
        ])
    });
    let empty = "No capture was fed yet. Feed some with inga observe.";
    let captures =
        Table::new(request, "captures", "Captures, the newest first", CAPTURES, rows.collect(), empty)
            .with_json(format!("/api/v1/captures?sensor={}", segment(&name)));
    if let Some(reply) = export(request, &[&captures]) {
        return reply;
    }
    let spans: Vec<_> = listed.iter().flat_map(|capture| capture.record.spans.iter().copied()).collect();
    let crumbs = vec![Crumb::new("Sensors", "/sensors")];
    let page = SensorPage {
        layout: Layout::with_overview(request, PageSection::Sensors, name.clone(), crumbs, &seen),
        finding: finding(one, seen.is_live),
        facts: facts(one, seen.is_live, packets),
        months: months(one, &nanoseconds_by_day(&spans, &zone)),
        outages: one.coverage.outages.iter().map(outage_in_words).collect(),
        loss: one.coverage.loss_notice().unwrap_or_default(),
        name,
        captures,
    };
    html(&page)
}

fn prefixes(all: &[DatedPrefix]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Returns the number of lost packets, and their share of the packets of the days that lost any.
fn total_loss(one: &SensorOverview) -> (u64, f64) {
    let Some((first, last)) = one.coverage.span() else { return (0, 0.0) };
    let loss = one.coverage.loss_between(first, last);
    (loss.dropped, loss.share())
}

fn finding(one: &SensorOverview, is_live: bool) -> String {
    let Some((first, last)) = one.coverage.span() else { return "It recorded nothing yet.".to_owned() };
    let days = one.coverage.observed_days().count() as u64;
    let whole = last.since(first).map_or(0, |span| i64::from(span.get_days())) + 1;
    let missing = u64::try_from(whole).unwrap_or(0).saturating_sub(days);
    let gaps = match missing {
        0 => "without a gap".to_owned(),
        missing => format!("{} of this span have no value", counted(missing, "day", "days")),
    };
    let now = match one.lag_seconds {
        Some(seconds) if is_live => format!(" Its newest packet is {} old.", lag(seconds)),
        Some(seconds) if seconds >= 86_400.0 => {
            format!(" It ended {} before the end of the data.", lag(seconds))
        }
        _ => String::new(),
    };
    format!("It recorded {} from {} to {}; {gaps}.{now}", counted(days, "day", "days"), day(first), day(last))
}

fn facts(one: &SensorOverview, is_live: bool, packets: u64) -> Vec<(&'static str, String)> {
    let sensor = &one.sensor;
    let periods = sensor.dark_periods();
    let size =
        periods.all().iter().filter_map(|period| period.space.size()).rfind(|size| *size > 0).unwrap_or(0);
    let live = if sensor.live.is_empty() { NONE.to_owned() } else { prefixes(&sensor.live) };
    vec![
        ("State", if is_live { one.state.word().to_owned() } else { finished_word(one.state).to_owned() }),
        ("Dark prefixes", prefixes(&sensor.prefixes)),
        ("Live prefixes cut out", live),
        ("Dark addresses", count(u64::try_from(size).unwrap_or(u64::MAX))),
        ("Surroundings", sensor.kind.to_string()),
        ("Time zone", sensor.time_zone.clone()),
        ("Packets", count(packets)),
    ]
}

/// Returns the word of a state in a history that nothing is fed to any more.
fn finished_word(state: SensorState) -> &'static str {
    match state {
        SensorState::Recording => "recorded to the end of the data",
        other => other.word(),
    }
}

fn outage_in_words(outage: &crate::history::Outage) -> String {
    let why = if outage.reason.is_empty() { String::new() } else { format!(": {}", outage.reason) };
    format!("not recorded {} – {}{why}", day(outage.first), day(outage.last))
}

/// Returns the calendar of all months from the first to the last recorded day.
fn months(one: &SensorOverview, time: &std::collections::BTreeMap<Date, i64>) -> Vec<CalendarMonth> {
    let Some((first, last)) = one.coverage.span() else { return Vec::new() };
    let mut months = Vec::new();
    let mut month = first.first_of_month();
    while month <= last {
        let in_month = month.days_in_month();
        let of_day = |number: i8| match (1..=in_month).contains(&number) {
            true => calendar_day(one, time, month.with().day(number).build().unwrap_or(month), (first, last)),
            false => CalendarDay { class: "", words: String::new() },
        };
        months.push(CalendarMonth {
            name: month.strftime("%b\u{a0}%Y").to_string(),
            days: (1..=31).map(of_day).collect(),
        });
        let Ok(next) = month.last_of_month().tomorrow() else { break };
        month = next;
    }
    months
}

fn calendar_day(
    one: &SensorOverview,
    time: &std::collections::BTreeMap<Date, i64>,
    date: Date,
    (first, last): (Date, Date),
) -> CalendarDay {
    if date < first || date > last {
        return CalendarDay { class: "", words: String::new() };
    }
    let (shown, coverage) = (day(date), &one.coverage);
    let outage = coverage.outages.iter().find(|outage| outage.contains(date));
    #[expect(clippy::cast_precision_loss, reason = "a share of a day")]
    let share = time.get(&date).map_or(0.0, |time| *time as f64 / DAY_NANOSECONDS);
    let loss = coverage.loss.get(&date).copied().unwrap_or_default();
    let (class, words) = match (coverage.state(date), outage) {
        (DayState::Outage, Some(outage)) if !outage.reason.is_empty() => {
            ("out", format!("outage: {}", outage.reason))
        }
        (DayState::Outage, _) => ("out", "outage".to_owned()),
        (DayState::NotObserved, _) => ("not", "not recorded".to_owned()),
        (DayState::Observed, _) if loss.share() >= LOSSY_SHARE => {
            ("lossy", format!("{} of the packets lost", percent(loss.share())))
        }
        (DayState::Observed, _) if share < WHOLE_SHARE => {
            ("part", format!("{} of the day recorded", percent(share)))
        }
        (DayState::Observed, _) => ("full", "recorded".to_owned()),
    };
    CalendarDay { class, words: format!("{shown}: {words}") }
}
