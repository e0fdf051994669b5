//! The page of a host: what it did, where and when.

use std::collections::BTreeSet;
use std::net::IpAddr;

use askama::Template;
use ipnet::IpNet;

use crate::app::history_source::Readable;
use crate::app::host::host_in_store;
use crate::app::overview::sensor_states;
use crate::app::{AppError, now};
use crate::history::HostBehavior;
use crate::render::answer::Answer;
use crate::render::host::HostAnswer;
use crate::render::svg::{Theme, without_style};

use crate::web::format::{counted, day, listed};
use crate::web::layout::{Crumb, Layout, PageSection, html};
use crate::web::reply::{PageError, Reply};
use crate::web::request::PageRequest;
use crate::web::table::{Cell, Table, TableColumn, TableRow, export};

const ROWS: &[TableColumn] = &[
    TableColumn::text("type", "Type", 1),
    TableColumn::text("labels", "Labels", 2),
    TableColumn::text("sensor", "Sensor", 1),
    TableColumn::text("first", "First seen", 2),
    TableColumn::text("last", "Last seen", 2),
    TableColumn::number("days", "Days", 3),
    TableColumn::number("gap", "Longest gap, days", 3),
    TableColumn::number("windows", "Windows", 3),
    TableColumn::number("packets", "Packets", 1),
];

#[derive(Template)]
#[template(path = "host.html", config = "src/web/templates/askama.toml")]
struct HostPage {
    layout: Layout,
    address: String,
    finding: String,
    prefix: Option<(String, String)>,
    picture: Option<String>,
    rows: Table,
}

/// Answers requests for `/hosts/192.0.2.1`.
pub(in crate::web) fn page(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let text = request.part("address");
    let wrong = |_| PageError::Missing(format!("`{text}` is no address."));
    let address: IpAddr = text.parse().map_err(wrong)?;
    let seen = sensor_states(store, now())?;
    let found = host_in_store(store, address, &[], &request.server.rules)?;
    let zone =
        |name: &str| seen.sensors.iter().find(|one| one.sensor.name == name).map(|one| one.sensor.zone());
    let mut rows = Vec::new();
    for one in &found {
        let zone = zone(&one.sensor).transpose().map_err(AppError::from)?.unwrap_or(jiff::tz::TimeZone::UTC);
        rows.push(TableRow::from(vec![
            Cell::text(one.behavior.canonical.clone())
                .link(format!("/types/{}", one.behavior.id))
                .class("mono"),
            if one.labels.is_empty() {
                Cell::none("no rule names it")
            } else {
                Cell::text(one.labels.join(" "))
            },
            Cell::text(one.sensor.to_string()),
            Cell::time(one.counts.first, &zone).class("nowrap"),
            Cell::time(one.counts.last, &zone).class("nowrap"),
            Cell::count(one.days.len() as u64),
            Cell::count(one.gap),
            Cell::count(one.counts.windows),
            Cell::count(one.counts.packets),
        ]));
    }
    let empty = "No sensor saw this host.";
    let rows = Table::new(request, "types", "What the host did, by sensor and type", ROWS, rows, empty)
        .with_json(format!("/api/v1/host?address={address}"));
    if let Some(reply) = export(request, &[&rows]) {
        return reply;
    }
    let answer = HostAnswer { host: address, rows: &found };
    let picture = (!found.is_empty()).then(|| answer.svg(Theme::Auto)).transpose()?;
    let layout = Layout::with_overview(
        request,
        PageSection::None,
        address.to_string(),
        vec![Crumb::new("Overview", "/")],
        &seen,
    );
    let page = HostPage {
        layout,
        address: address.to_string(),
        finding: finding(&found),
        prefix: prefix(address),
        picture: picture.map(|picture| without_style(&picture)),
        rows,
    };
    html(&page)
}

/// Returns the surrounding /24 or /64, with the address of its page.
fn prefix(address: IpAddr) -> Option<(String, String)> {
    let length = if address.is_ipv4() { 24 } else { 64 };
    let prefix = IpNet::new(address, length).ok()?.trunc();
    Some((prefix.to_string(), format!("/prefixes/{prefix}")))
}

fn finding(found: &[HostBehavior]) -> String {
    if found.is_empty() {
        return "No sensor saw this host in recorded time.".to_owned();
    }
    let sensors: BTreeSet<String> = found.iter().map(|one| one.sensor.to_string()).collect();
    let sensors: Vec<String> = sensors.into_iter().collect();
    let days: BTreeSet<_> = found.iter().flat_map(|one| &one.days).collect();
    let packets: u64 = found.iter().map(|one| one.counts.packets).sum();
    let span = match (days.first(), days.last()) {
        (Some(first), Some(last)) if first == last => format!("on {}", day(**first)),
        (Some(first), Some(last)) => {
            format!(
                "on {} between {} and {}",
                counted(days.len() as u64, "day", "days"),
                day(**first),
                day(**last)
            )
        }
        _ => String::new(),
    };
    let types: BTreeSet<_> = found.iter().map(|one| one.behavior.id).collect();
    let labels: BTreeSet<&str> = found.iter().flat_map(|one| &one.labels).map(String::as_str).collect();
    let labels: Vec<String> = labels.into_iter().take(5).map(str::to_owned).collect();
    let labels = if labels.is_empty() { String::new() } else { format!(" Labels: {}.", listed(&labels)) };
    format!(
        "{} saw {} of {} from it {span}.{labels}",
        listed(&sensors),
        counted(packets, "packet", "packets"),
        counted(types.len() as u64, "type", "types"),
    )
}
