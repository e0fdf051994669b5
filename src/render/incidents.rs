//! Incidents as text and JSON. The JSON field names are stable.

use std::io::{self, Write};

use jiff::civil::Date;
use serde::Serialize;

use crate::behavior::{Parameters, Transition};
use crate::escape::{escape_hidden, escape_hidden_lines, json_line};
use crate::history::SurgeBehavior;
use crate::incident::{ChangeKind, Incident, IncidentCause, IncidentChange, IncidentEnd, IncidentSensor};

use super::answer::Answer;
use super::text::table;

/// Returns the title of an incident in words, such as `445/tcp, sequential sweep`.
#[must_use]
pub fn incident_title(incident: &Incident) -> String {
    let title = &incident.title;
    let target = match title.service {
        Some((protocol, port)) => SurgeBehavior::Service(protocol, port).notation(),
        None => ports_in_words(&title.parameters),
    };
    let order = match title.parameters.transition {
        Transition::Single => "single targets",
        Transition::Sequential => "sequential sweep",
        Transition::Random => "random targets",
    };
    // A service is more than one behavior, so nothing is said of its order.
    match title.behavior {
        SurgeBehavior::Service(..) => target,
        SurgeBehavior::Named(..) => format!("{target}, {order}"),
    }
}

fn ports_in_words(parameters: &Parameters) -> String {
    let protocol = parameters.protocol.to_string();
    match parameters.ports.listed() {
        [] if parameters.ports_follow_destinations => format!("{protocol} to a port per target"),
        [] => protocol,
        _ => format!("{protocol} to ports {}", parameters.ports),
    }
}

/// Returns the most probable cause in words: its verdict, family and probability.
#[must_use]
pub fn main_cause(incident: &Incident) -> String {
    let unknown = incident.unknown.unwrap_or(0.0);
    match incident.causes.first() {
        Some(cause) if cause.probability >= unknown => cause_in_words(cause),
        _ if incident.unknown.is_none() => "not weighed yet".to_owned(),
        _ => format!("unknown scanner {}", percent(unknown)),
    }
}

fn cause_in_words(IncidentCause { family, probability, verdict, .. }: &IncidentCause) -> String {
    format!("{} {} {}", escape_hidden(verdict), escape_hidden(family), percent(*probability))
}

/// Writes a probability in whole per cent. Only a certain one is written as 0 or 100.
fn percent(probability: f64) -> String {
    match 100.0 * probability {
        small if small > 0.0 && small < 1.0 => "<1 %".to_owned(),
        large if large < 100.0 && large > 99.0 => ">99 %".to_owned(),
        other => format!("{other:.0} %"),
    }
}

fn end_in_words(end: Option<IncidentEnd>) -> String {
    end.map_or_else(|| "lasts".to_owned(), |end| format!("{} ({})", end.day, end.reason.word()))
}

fn day(day: Option<Date>) -> String {
    day.map_or_else(|| "-".to_owned(), |day| day.to_string())
}

/// Returns a change in words.
#[must_use]
pub fn change_in_words(what: &ChangeKind) -> String {
    match what {
        ChangeKind::Opened => "opened".to_owned(),
        ChangeKind::State(state) => format!("marked as {}", state.word()),
        ChangeKind::Owner(None) => "has no owner any more".to_owned(),
        ChangeKind::Owner(Some(owner)) => format!("owner is {}", escape_hidden(owner)),
        ChangeKind::Note(text) => format!("note: {}", escape_hidden_lines(text)),
        ChangeKind::Sample(id) => format!("sample {} linked", escape_hidden(id)),
        ChangeKind::Cause { family, probability, verdict } => format!(
            "{} is a cause: {} ({})",
            escape_hidden(family),
            escape_hidden(verdict),
            percent(*probability)
        ),
        ChangeKind::Ended(IncidentEnd { day, reason }) => match reason {
            crate::incident::EndReason::Calm => format!("ended on {day}"),
            crate::incident::EndReason::NewLevel => {
                format!("became the background; the last day that stood out was {day}")
            }
        },
        ChangeKind::Reopened(day) => format!("resumed, last on {day}"),
    }
}

impl Answer for [Incident] {
    /// Writes incidents as a table.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let header =
            ["incident", "since", "last", "ended", "hosts", "sensors", "state", "owner", "cause", "title"];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        for one in self {
            let sensors: Vec<String> = one.sensors.iter().map(|row| escape_hidden(&row.sensor)).collect();
            rows.push(vec![
                one.number.to_string(),
                day(one.first()),
                day(one.last()),
                end_in_words(one.ended),
                one.hosts().to_string(),
                sensors.join(" "),
                one.state.word().to_owned(),
                escape_hidden(one.owner.as_deref().unwrap_or("-")),
                main_cause(one),
                incident_title(one),
            ]);
        }
        table(out, &rows)
    }

    /// Writes one line of JSON per incident.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        self.iter().try_for_each(|one| json_line(out, &IncidentJson::new(one)))
    }
}

impl Answer for Incident {
    /// Writes everything of an incident.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let owner = self.owner.as_deref().map(|owner| format!(", owner {}", escape_hidden(owner)));
        writeln!(out, "incident {}: {}", self.number, incident_title(self))?;
        writeln!(
            out,
            "  {}{}, since {}, {}",
            self.state.word(),
            owner.unwrap_or_default(),
            day(self.first()),
            self.ended.map_or_else(|| "lasts".to_owned(), |end| format!("ended {}", end_in_words(Some(end))))
        )?;
        let behavior = &self.title.behavior;
        writeln!(out, "  {} {}, {} types", behavior.granularity(), behavior.notation(), self.title.types)?;
        if !self.title.labels.is_empty() {
            writeln!(out, "  labels: {}", escape_hidden(&self.title.labels.join(", ")))?;
        }
        writeln!(out, "causes:")?;
        for cause in &self.causes {
            let samples = escape_hidden(&cause.samples.join(" "));
            let sensors = escape_hidden(&cause.sensors.join(" "));
            writeln!(out, "  {}, at {sensors}, sample {samples}", cause_in_words(cause))?;
        }
        for (name, probability) in [("an unknown scanner", self.unknown), ("nothing began", self.nothing)] {
            if let Some(probability) = probability {
                writeln!(out, "  {name} {}", percent(probability))?;
            }
        }
        writeln!(out, "sensors ({} hosts in all may be suspects):", self.suspects)?;
        sensors_text(out, &self.sensors)?;
        if !self.samples.is_empty() {
            writeln!(out, "linked samples: {}", escape_hidden(&self.samples.join(" ")))?;
        }
        writeln!(out, "history:")?;
        for IncidentChange { at, by, what } in &self.changes {
            writeln!(
                out,
                "  {at}  {}  {}",
                escape_hidden(by),
                change_in_words(what).replace('\n', "\n    ")
            )?;
        }
        Ok(())
    }

    /// Writes one line of JSON.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, &IncidentJson::new(self))
    }
}

fn sensors_text(out: &mut dyn Write, sensors: &[IncidentSensor]) -> io::Result<()> {
    let header = ["  sensor", "first", "last", "hosts", "peak", "hosts then", "expected", "q"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for row in sensors {
        rows.push(vec![
            format!("  {}", escape_hidden(&row.sensor)),
            row.first.to_string(),
            row.last.to_string(),
            row.hosts.to_string(),
            row.peak.to_string(),
            row.peak_hosts.to_string(),
            format!("{:.1}", row.expected),
            format!("{:.1e}", row.q),
        ]);
    }
    table(out, &rows)
}

/// An incident as JSON.
#[derive(Serialize)]
pub struct IncidentJson<'a> {
    incident: u64,
    title: String,
    granularity: String,
    behavior: String,
    id: Option<String>,
    service: Option<String>,
    labels: &'a [String],
    types: u64,
    state: &'static str,
    owner: Option<&'a str>,
    first: Option<Date>,
    last: Option<Date>,
    ended: Option<EndJson>,
    hosts: u64,
    suspects: u64,
    sensors: &'a [IncidentSensor],
    causes: &'a [IncidentCause],
    unknown: Option<f64>,
    nothing: Option<f64>,
    samples: &'a [String],
    opened: String,
    updated: String,
    changes: Vec<ChangeJson<'a>>,
}

#[derive(Serialize)]
struct EndJson {
    day: Date,
    reason: &'static str,
}

#[derive(Serialize)]
struct ChangeJson<'a> {
    at: String,
    by: &'a str,
    what: &'a ChangeKind,
}

impl<'a> IncidentJson<'a> {
    /// Returns the JSON view of an incident.
    #[must_use]
    pub fn new(incident: &'a Incident) -> IncidentJson<'a> {
        let title = &incident.title;
        let change = |change: &'a IncidentChange| ChangeJson {
            at: change.at.to_string(),
            by: &change.by,
            what: &change.what,
        };
        IncidentJson {
            incident: incident.number,
            title: incident_title(incident),
            granularity: title.behavior.granularity(),
            behavior: title.behavior.notation(),
            id: match &title.behavior {
                SurgeBehavior::Service(..) => None,
                SurgeBehavior::Named(_, id, _) => Some(id.to_string()),
            },
            service: title.service.map(|(protocol, port)| SurgeBehavior::Service(protocol, port).notation()),
            labels: &title.labels,
            types: title.types,
            state: incident.state.word(),
            owner: incident.owner.as_deref(),
            first: incident.first(),
            last: incident.last(),
            ended: incident.ended.map(|end| EndJson { day: end.day, reason: end.reason.word() }),
            hosts: incident.hosts(),
            suspects: incident.suspects,
            sensors: &incident.sensors,
            causes: &incident.causes,
            unknown: incident.unknown,
            nothing: incident.nothing,
            samples: &incident.samples,
            opened: incident.opened.to_string(),
            updated: incident.updated.to_string(),
            changes: incident.changes.iter().map(change).collect(),
        }
    }
}
