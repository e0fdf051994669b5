//! The pages of all incidents and of one, and what operators do about one.

use askama::Template;

use crate::app::behavior_view::{BehaviorQuery, BehaviorView, behavior_view};
use crate::app::explain::surge_filter;
use crate::app::history::kept_samples;
use crate::app::history_source::Readable;
use crate::app::overview::sensor_states;
use crate::app::{AppError, now};
use crate::incident::{ChangeKind, Incident, IncidentState};
use crate::render::incidents::{change_in_words, incident_title};

use crate::web::format::{ShownTime, counted, day, expected, listed, percent};
use crate::web::incident_rows::{self, SampleNames, family_name, is_hash, sample_names};
use crate::web::layout::{Crumb, Layout, PageSection, html};
use crate::web::reply::{PageError, Reply};
use crate::web::request::{PageRequest, segment};
use crate::web::table::{Cell, Table, TableColumn, TableRow, export};

use super::behavior::{address, depth, list_hosts};
use super::behavior_tables::hosts;
use super::incident_forms::number;
use super::incident_pictures::{picture, tile};

/// Days before an incident that its series shows.
const DAYS_BEFORE: i64 = 60;
/// Days after an incident that its series shows, if they were recorded.
const DAYS_AFTER: i64 = 14;

const SENSORS: &[TableColumn] = &[
    TableColumn::text("sensor", "Sensor", 1),
    TableColumn::text("first", "Since", 1),
    TableColumn::text("last", "Last day above", 2),
    TableColumn::number("hosts", "Hosts", 1),
    TableColumn::text("peak", "Peak", 3),
    TableColumn::number("peak-hosts", "Hosts at the peak", 2),
    TableColumn::number("expected", "Expected then", 2),
    TableColumn::number("q", "q-value", 3),
];

#[derive(Template)]
#[template(path = "incidents.html", config = "src/web/templates/askama.toml")]
struct IncidentsPage {
    layout: Layout,
    finding: String,
    chips: Vec<(&'static str, String, bool)>,
    incidents: Table,
}

/// Answers requests for `/incidents`.
pub(in crate::web) fn list(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let all = store.incidents().map_err(AppError::from)?;
    let state = request.query.get("state").unwrap_or("open");
    let shown: Vec<&Incident> = all
        .iter()
        .filter(|incident| match state {
            "open" => incident.is_open(),
            "all" => true,
            word => incident.state.word() == word,
        })
        .collect();
    let names = sample_names(&kept_samples(store)?);
    let incidents = incident_rows::table(request, "incidents", &shown, &names).with_json("/api/v1/incidents");
    if let Some(reply) = export(request, &[&incidents]) {
        return reply;
    }
    let open: Vec<&Incident> = all.iter().filter(|incident| incident.is_open()).collect();
    let chip =
        |word: &'static str| (word, request.query.with("state", word).address(&request.path), word == state);
    let page = IncidentsPage {
        layout: Layout::new(request, store, PageSection::Incidents, "Incidents", Vec::new())?,
        finding: incident_rows::finding(&open),
        chips: ["open", "new", "seen", "explained", "closed", "all"].map(chip).to_vec(),
        incidents,
    };
    html(&page)
}

/// A cause with its probability, as a bar.
struct CauseBar {
    name: String,
    href: Option<String>,
    width: String,
    class: &'static str,
    percent: String,
    verdict: String,
    /// The address of the reasons.
    why: Option<String>,
}

/// A change of the incident.
struct LogLine {
    at: ShownTime,
    by: String,
    words: String,
    note: Option<String>,
}

#[derive(Template)]
#[template(path = "incident.html", config = "src/web/templates/askama.toml")]
struct IncidentPage {
    layout: Layout,
    number: u64,
    title: String,
    state: &'static str,
    finding: String,
    facts: Vec<(&'static str, String)>,
    behavior: (String, String),
    can: Vec<(&'static str, &'static str)>,
    samples: Vec<(String, String)>,
    linked: Vec<(String, String)>,
    causes: Vec<CauseBar>,
    left: String,
    picture: Option<String>,
    tile: Option<String>,
    sensors: Table,
    hosts: Option<Table>,
    list_hosts: String,
    suspects: String,
    log: Vec<LogLine>,
    json: String,
}

/// Answers requests for `/incidents/12`.
pub(in crate::web) fn page(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let number = number(request)?;
    let missing = |_| PageError::Missing(format!("This history has no incident {number}."));
    let incident = store.incident(number).map_err(missing)?;
    let seen = sensor_states(store, now())?;
    let kept = kept_samples(store)?;
    let names = sample_names(&kept);
    let view = view(request, store, &incident)?;
    let (hosts, sensors) = (hosts(request, &view)?, sensors(request, &incident));
    let tables: Vec<&Table> = hosts.iter().chain([&sensors]).collect();
    if let Some(reply) = export(request, &tables) {
        return reply;
    }
    let title = incident_title(&incident);
    let crumbs = vec![Crumb::new("Incidents", "/incidents")];
    let filter = surge_filter(&incident.title.behavior);
    let named = |id: &String| {
        let title = kept.iter().find(|sample| sample.profile.id == *id).map(|sample| sample.report.title());
        (id.clone(), title.unwrap_or_else(|| id.clone()))
    };
    let suspected = incident.causes.iter().flat_map(|cause| &cause.samples);
    let others = kept.iter().map(|sample| &sample.profile.id);
    let mut choices: Vec<&String> = Vec::new();
    for id in suspected.chain(others) {
        if !choices.contains(&id) {
            choices.push(id);
        }
    }
    let page = IncidentPage {
        layout: Layout::with_overview(request, PageSection::Incidents, title.clone(), crumbs, &seen),
        number,
        state: incident.state.word(),
        finding: finding(&incident, &names),
        facts: facts(&incident),
        behavior: (incident.title.behavior.notation(), address(&filter)),
        can: possible_states(incident.state),
        samples: choices.into_iter().map(&named).collect(),
        linked: incident.samples.iter().map(&named).collect(),
        causes: causes(&incident, &names),
        left: left(&incident),
        picture: picture(&incident, &view, &kept, &names),
        tile: tile(request, store, &incident, &view, &kept),
        suspects: counted(incident.suspects, "host", "hosts"),
        log: incident.changes.iter().rev().map(log_line).collect(),
        json: format!("/api/v1/incidents?number={number}"),
        list_hosts: list_hosts(request),
        title,
        sensors,
        hosts,
    };
    html(&page)
}

fn possible_states(state: IncidentState) -> Vec<(&'static str, &'static str)> {
    let all = [(IncidentState::Seen, "seen", "Mark as seen"), (IncidentState::Closed, "closed", "Close")];
    let again = |words| if state == IncidentState::Closed { "Take up again" } else { words };
    all.into_iter()
        .filter(|(next, ..)| state.allows(*next))
        .map(|(next, word, words)| (word, if next == IncidentState::Seen { again(words) } else { words }))
        .collect()
}

/// Asks for the behavior of an incident: its series about the incident, and its hosts within it.
fn view(request: &PageRequest, store: &Readable, incident: &Incident) -> Result<BehaviorView, PageError> {
    let days = incident.first().zip(incident.last());
    let away = |day: jiff::civil::Date, days: i64| day.saturating_add(jiff::Span::new().days(days));
    let query = BehaviorQuery {
        filter: surge_filter(&incident.title.behavior),
        sources: None,
        sensors: incident.sensors.iter().map(|one| one.sensor.clone()).collect(),
        first: days.map(|(first, _)| away(first, -DAYS_BEFORE)),
        last: days.map(|(_, last)| away(last, DAYS_AFTER)),
        host_days: days,
        depth: depth(request),
    };
    Ok(behavior_view(store, &query, &request.server.rules)?)
}

/// Answers what happened, since when, and which malware may be the cause.
fn finding(incident: &Incident, names: &SampleNames) -> String {
    let cause = match incident.causes.first() {
        Some(cause) if cause.verdict == "likely" => {
            format!(
                "{} is the likely cause ({}).",
                family_name(&cause.family, names),
                percent(cause.probability)
            )
        }
        Some(cause) if cause.verdict == "possible" => {
            format!(
                "{} is a possible cause ({}).",
                family_name(&cause.family, names),
                percent(cause.probability)
            )
        }
        Some(cause) if cause.verdict == "indistinguishable" => {
            format!("{} and other families explain it equally well.", family_name(&cause.family, names))
        }
        _ if incident.unknown.is_some_and(|unknown| unknown >= 0.5) => {
            "No kept sample explains it: a scanner of which there is no sample is the most probable cause."
                .to_owned()
        }
        _ if incident.unknown.is_none() => "Its causes were not weighed yet.".to_owned(),
        _ => "It cannot be told which malware is the cause.".to_owned(),
    };
    let began: Vec<String> =
        incident.sensors.iter().map(|one| format!("at {} on {}", one.sensor, day(one.first))).collect();
    let peak = incident.sensors.iter().max_by_key(|one| one.peak_hosts);
    let peak = peak.map(|one| {
        format!(
            " At its peak, {} were seen at {} where {} were expected.",
            counted(one.peak_hosts, "host", "hosts"),
            one.sensor,
            expected(one.expected)
        )
    });
    let ended = match incident.ended {
        None => " It lasts.".to_owned(),
        Some(end) if end.reason == crate::incident::EndReason::NewLevel => {
            format!(" It lasted so long that it is the new level since {}.", day(end.day))
        }
        Some(end) => format!(" It was over on {}.", day(end.day)),
    };
    format!("{cause} The surge began {}.{}{ended}", listed(&began), peak.unwrap_or_default())
}

fn facts(incident: &Incident) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Owner", incident.owner.clone().unwrap_or_else(|| "nobody yet".to_owned())),
        ("Types", counted(incident.title.types, "type", "types")),
    ];
    if !incident.title.labels.is_empty() {
        facts.push(("Labels", incident.title.labels.join(", ")));
    }
    facts
}

fn causes(incident: &Incident, names: &SampleNames) -> Vec<CauseBar> {
    let bar = |name: String, href, probability: f64, class, verdict| CauseBar {
        name,
        href,
        width: format!("{:.1}", 100.0 * probability.clamp(0.0, 1.0)),
        class,
        percent: percent(probability),
        verdict,
        why: None,
    };
    let mut bars = Vec::new();
    for cause in &incident.causes {
        let (shape, class) = incident_rows::verdict_look(&cause.verdict);
        let at = format!("{} at {}", cause.verdict, cause.sensors.join(" "));
        let words = if cause.sensors.is_empty() { cause.verdict.clone() } else { at };
        let verdict = incident_rows::verdict_markup(&incident_rows::ShownVerdict { shape, class, words });
        let href = match is_hash(&cause.family) {
            true => Some(format!("/samples/{}", segment(&cause.family))),
            false => Some(format!("/families/{}", segment(&cause.family))),
        };
        let why = cause.samples.first().map(|id| format!("/verdicts?sample={}", segment(id)));
        bars.push(CauseBar {
            why,
            ..bar(family_name(&cause.family, names), href, cause.probability, "bar-fill", verdict)
        });
    }
    let others = [("unknown scanner", incident.unknown), ("nothing began", incident.nothing)];
    for (name, probability) in others {
        bars.extend(probability.map(|value| bar(name.to_owned(), None, value, "weak", String::new())));
    }
    bars
}

/// Says what no sample explains, and what to do about it.
fn left(incident: &Incident) -> String {
    let likely = incident.causes.iter().any(|cause| cause.verdict == "likely");
    match incident.unknown {
        None => "Nothing was weighed yet. inga watch and inga incident update do it.".to_owned(),
        Some(unknown) if likely || unknown < 0.1 => {
            format!("Little is left: a scanner without a sample has a probability of {}.", percent(unknown))
        }
        Some(unknown) => format!(
            "A scanner without a sample has a probability of {}. Collect a sample that scans as the tile of the sensor \
             shows, and import it: it is compared with all of the history.",
            percent(unknown)
        ),
    }
}

fn sensors(request: &PageRequest, incident: &Incident) -> Table {
    let row = |one: &crate::incident::IncidentSensor| {
        TableRow::from(vec![
            Cell::text(one.sensor.clone()).link(format!("/sensors/{}", segment(&one.sensor))),
            Cell::day(one.first).class("nowrap"),
            Cell::day(one.last).class("nowrap"),
            Cell::count(one.hosts),
            Cell::day(one.peak).class("nowrap"),
            Cell::count(one.peak_hosts),
            Cell::number(one.expected, crate::render::svg::number(one.expected)),
            Cell::number(one.q, format!("{:.1e}", one.q)),
        ])
    };
    let rows = incident.sensors.iter().map(row).collect();
    Table::new(request, "sensors", "The incident at each sensor", SENSORS, rows, "No sensor saw it.")
}

fn log_line(change: &crate::incident::IncidentChange) -> LogLine {
    let note = match &change.what {
        ChangeKind::Note(text) => Some(text.clone()),
        _ => None,
    };
    LogLine {
        at: ShownTime::new(change.at, &jiff::tz::TimeZone::system()),
        by: change.by.clone(),
        words: if note.is_some() { "note".to_owned() } else { change_in_words(&change.what) },
        note,
    }
}
