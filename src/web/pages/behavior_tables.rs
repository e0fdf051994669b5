//! The tables of a behavior: its hosts, types, days and samples.

use crate::app::behavior_view::BehaviorView;
use crate::sample::FamilyMember;

use crate::web::format::count;
use crate::web::reply::PageError;
use crate::web::request::{PageRequest, segment};
use crate::web::table::{Cell, Table, TableColumn, TableRow};

const HOSTS: &[TableColumn] = &[
    TableColumn::text("host", "Host", 1),
    TableColumn::text("sensor", "Sensor", 2),
    TableColumn::number("packets", "Packets", 1),
    TableColumn::number("windows", "Windows", 3),
    TableColumn::number("days", "Days", 1),
    TableColumn::text("first", "First seen", 2),
    TableColumn::text("last", "Last seen", 2),
    TableColumn::text("marks", "Marks", 3),
];

const TYPES: &[TableColumn] = &[
    TableColumn::text("type", "Type", 1),
    TableColumn::text("sensor", "Sensor", 2),
    TableColumn::number("hosts", "Hosts on its busiest day", 1),
    TableColumn::number("windows", "Windows", 2),
    TableColumn::number("packets", "Packets", 1),
];

const SERIES: &[TableColumn] = &[
    TableColumn::text("day", "Day", 1),
    TableColumn::text("sensor", "Sensor", 2),
    TableColumn::number("hosts", "Hosts", 1),
    TableColumn::number("packets", "Packets", 1),
    TableColumn::number("types", "Kinds of type", 2),
];

const SAMPLES: &[TableColumn] = &[
    TableColumn::text("sample", "Sample", 1),
    TableColumn::text("family", "Family", 1),
    TableColumn::number("windows", "Windows that show it", 1),
    TableColumn::text("date", "Date", 2),
];
/// Returns the hosts of all sensors as a table; `None` if those of a sensor were too many to be read at once.
pub(in crate::web) fn hosts(request: &PageRequest, view: &BehaviorView) -> Result<Option<Table>, PageError> {
    let (mut own_rows, mut rows) = (Vec::new(), Vec::new());
    for one in view.seen_at() {
        let zone = one.sensor.zone().map_err(crate::app::AppError::from)?;
        let Some(hosts) = &one.hosts else { return Ok(None) };
        for host in &hosts.hosts {
            let marks = host.marks.join(" ");
            let own = request.server.own_network(host.host);
            let shown = Cell::text(host.host.to_string()).link(format!("/hosts/{}", host.host));
            let cells = vec![
                match own {
                    Some(name) => shown.hover(format!("in your network {name}")),
                    None => shown,
                },
                Cell::text(one.sensor.name.clone()),
                Cell::count(host.packets),
                Cell::count(host.windows),
                Cell::count(host.days),
                Cell::time(host.first, &zone).class("nowrap"),
                Cell::time(host.last, &zone).class("nowrap"),
                if marks.is_empty() { Cell::none("no known tool or payload") } else { Cell::text(marks) },
            ];
            let row = TableRow { cells, class: if own.is_some() { "own" } else { "" } };
            // Own networks come first.
            if own.is_some() { own_rows.push(row) } else { rows.push(row) }
        }
    }
    own_rows.extend(rows);
    let caption = "Hosts, those with the most windows first";
    let empty = "No host was seen in this span of time.";
    Ok(Some(Table::new(request, "hosts", caption, HOSTS, own_rows, empty)))
}

/// Returns the types of all sensors as a table.
pub(in crate::web) fn types(request: &PageRequest, view: &BehaviorView) -> Table {
    let mut rows = Vec::new();
    for one in view.seen_at() {
        for total in &one.types {
            let behavior = &total.record.behavior;
            rows.push(TableRow::from(vec![
                Cell::text(behavior.canonical.clone()).link(format!("/types/{}", behavior.id)).class("mono"),
                Cell::text(one.sensor.name.clone()),
                Cell::count(total.peak_hosts),
                Cell::count(total.windows),
                Cell::count(total.packets),
            ]));
        }
    }
    Table::new(request, "types", "Types, those with the most windows first", TYPES, rows, "No type was seen.")
}

/// Returns the counts by day as a table.
pub(in crate::web) fn days(request: &PageRequest, view: &BehaviorView) -> Table {
    let mut rows = Vec::new();
    for one in view.seen_at() {
        for span in one.series.spans.iter().rev() {
            let value = |value: u64| match span.observed_days {
                0 => Cell::none("not recorded"),
                _ => Cell::count(value),
            };
            rows.push(TableRow::from(vec![
                Cell::day(span.first).class("nowrap"),
                Cell::text(one.sensor.name.clone()),
                value(span.hosts),
                value(span.packets),
                value(span.types),
            ]));
        }
    }
    Table::new(request, "days", "Counts by day, the newest first", SERIES, rows, "No day has a value.")
}

/// Returns the samples that show a behavior as a table.
pub(in crate::web) fn samples(request: &PageRequest, view: &BehaviorView) -> Table {
    let row = |(member, windows): &(FamilyMember, usize)| {
        TableRow::from(vec![
            Cell::text(member.title.clone()).link(format!("/samples/{}", segment(&member.id))),
            Cell::text(member.family.name.clone())
                .link(format!("/families/{}", segment(&member.family.name))),
            Cell::number(
                f64::from(u32::try_from(*windows).unwrap_or(u32::MAX)),
                format!("{} of {}", count(*windows as u64), count(member.windows as u64)),
            ),
            member.date.map_or_else(|| Cell::none("no date is known"), |date| Cell::text(date.to_string())),
        ])
    };
    let rows = view.samples.iter().map(row).collect();
    let empty = "No kept sample shows this behavior. A sample of it would name the malware.";
    Table::new(request, "samples", "Samples that show it", SAMPLES, rows, empty)
}
