//! Incidents in words and as rows of tables.

use std::collections::BTreeMap;

use crate::app::sandbox::LoadedSample;
use crate::escape::xml;
use crate::incident::{Incident, IncidentCause};
use crate::render::incidents::incident_title;

use super::format::{counted, percent};
use super::request::PageRequest;
use super::table::{Cell, Table, TableColumn, TableRow};

const COLUMNS: &[TableColumn] = &[
    TableColumn::text("incident", "Incident", 1),
    TableColumn::text("since", "Since", 2),
    TableColumn::number("hosts", "Hosts", 1),
    TableColumn::text("sensors", "Sensors", 2),
    TableColumn::text("cause", "Cause", 1),
    TableColumn::text("state", "State", 2),
    TableColumn::text("owner", "Owner", 3),
];

/// The names of samples by their ids, for families that nothing names.
pub(super) type SampleNames = BTreeMap<String, String>;

/// Returns the names of the samples that a history keeps.
pub(super) fn sample_names(samples: &[LoadedSample]) -> SampleNames {
    let named = |sample: &LoadedSample| {
        let title = sample.report.title();
        let name = title.split(" (").next().unwrap_or(&title).to_owned();
        (sample.profile.id.clone(), name)
    };
    samples.iter().map(named).collect()
}

/// Returns a table of incidents, those with the most hosts first.
pub(super) fn table(
    request: &PageRequest,
    id: &'static str,
    incidents: &[&Incident],
    names: &SampleNames,
) -> Table {
    let mut sorted: Vec<&Incident> = incidents.to_vec();
    sorted.sort_by_key(|incident| (std::cmp::Reverse(incident.hosts()), incident.number));
    let rows = sorted.into_iter().map(|incident| row(incident, names)).collect();
    let empty = "No incident is open. inga watch opens one when a behavior departs from its past.";
    Table::new(request, id, "Incidents, those with the most hosts first", COLUMNS, rows, empty)
}

/// Says how many incidents are open, and how many of them nobody has looked at.
pub(super) fn finding(open: &[&Incident]) -> String {
    let new = open.iter().filter(|one| one.state == crate::incident::IncidentState::New).count();
    match (open.len(), new) {
        (0, _) => String::new(),
        (all, 0) => format!("{}, all looked at.", counted(all as u64, "open incident", "open incidents")),
        (all, new) if all == new => {
            format!("{}, none looked at yet.", counted(all as u64, "open incident", "open incidents"))
        }
        (all, new) => format!(
            "{}, {new} of them not looked at yet.",
            counted(all as u64, "open incident", "open incidents")
        ),
    }
}

fn row(incident: &Incident, names: &SampleNames) -> TableRow {
    let sensors: Vec<&str> = incident.sensors.iter().map(|one| one.sensor.as_str()).collect();
    let ended = if incident.ended.is_some() { ", over" } else { "" };
    let cause = cause(incident, names);
    let state = incident.state.word();
    TableRow::from(vec![
        Cell::text(incident_title(incident)).link(format!("/incidents/{}", incident.number)),
        incident.first().map_or_else(|| Cell::none(""), Cell::day).class("nowrap"),
        Cell::count(incident.hosts()),
        Cell::text(sensors.join(" ")),
        Cell::markup(verdict_markup(&cause), cause.words),
        Cell::markup(
            format!("<span class=\"state {state}\">{state}{ended}</span>"),
            format!("{state}{ended}"),
        ),
        match &incident.owner {
            Some(owner) => Cell::text(owner.clone()),
            None => Cell::none("nobody takes care of it yet"),
        },
    ])
}

/// A verdict: its shape, its class of colors and its words.
pub(super) struct ShownVerdict {
    /// A letter whose shape stands for the verdict.
    pub(super) shape: &'static str,
    /// The class of its colors.
    pub(super) class: &'static str,
    /// The words.
    pub(super) words: String,
}

/// Returns a verdict as markup.
pub(super) fn verdict_markup(verdict: &ShownVerdict) -> String {
    let ShownVerdict { shape, class, words } = verdict;
    format!("<span class=\"verdict {class}\"><i aria-hidden=\"true\">{shape}</i>{}</span>", xml(words))
}

/// Returns the shape and the class of a verdict's stable word.
pub(super) fn verdict_look(word: &str) -> (&'static str, &'static str) {
    match word {
        "likely" => ("\u{25CF}", "likely"),
        "possible" => ("\u{25D0}", "possible"),
        "indistinguishable" => ("\u{2248}", "alike"),
        "not seen" => ("\u{2013}", "unseen"),
        _ => ("\u{25CB}", "unknown"),
    }
}

/// Returns whether a family is named after a sample's hash, because nothing names it.
pub(super) fn is_hash(family: &str) -> bool {
    family.len() >= 32 && family.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Returns the name of a family; of one without a name, that of its sample, or the first digits of it.
pub(super) fn family_name(family: &str, names: &SampleNames) -> String {
    match names.get(family) {
        Some(name) => name.clone(),
        None if is_hash(family) => format!("sample {}", &family[..12]),
        None => family.to_owned(),
    }
}

/// Returns the most probable cause of an incident, as a verdict.
pub(super) fn cause(incident: &Incident, names: &SampleNames) -> ShownVerdict {
    let best = incident.causes.first();
    let unknown = incident.unknown.unwrap_or(0.0);
    match best {
        Some(IncidentCause { family, probability, verdict, .. })
            if *probability >= unknown || matches!(verdict.as_str(), "likely" | "possible") =>
        {
            let (shape, class) = verdict_look(verdict);
            let words = match verdict.as_str() {
                "indistinguishable" => {
                    format!("alike: {} and others {}", family_name(family, names), percent(*probability))
                }
                word => format!("{word} {} {}", family_name(family, names), percent(*probability)),
            };
            ShownVerdict { shape, class, words }
        }
        _ if incident.unknown.is_some() => ShownVerdict {
            shape: "\u{25CB}",
            class: "unknown",
            words: format!("unknown scanner {}", percent(unknown)),
        },
        _ => ShownVerdict { shape: "\u{25CB}", class: "unknown", words: "not judged yet".to_owned() },
    }
}
