//! Incidents and alerts of histories that are joined.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use crate::history::{JoinSummary, RenumberedIncident};
use crate::incident::{Alert, ChangeKind, Incident, IncidentChange};
use crate::packet::Timestamp;
use crate::store::{IncidentStore, StoreError};

use super::LocalStore;
use super::catalog::{json_values, to_json};
use super::rows::column_of_count;
use super::schema::put_row;

/// The account under which the number that an incident had before is noted.
const AUTHOR: &str = "inga";

/// Copies the incidents and alerts of histories into one. An incident keeps its number, or gets a free one if another
/// history has used it; then a note says which it had. An incident that two histories have, because one is a copy of
/// the other, is taken once, with all that happened to it.
///
/// Health, followed captures and unsent alerts are those of a process that watches one of the histories, and are not
/// copied.
pub(super) fn copy_incidents(
    stores: &[LocalStore],
    into: &Connection,
    at: Timestamp,
    joined: &mut JoinSummary,
) -> Result<(), StoreError> {
    let mut copied = CopiedIncidents::default();
    let mut alerts: BTreeMap<String, Alert> = BTreeMap::new();
    for store in stores {
        copied.used.extend(store.incidents()?.iter().map(|incident| incident.number));
    }
    for store in stores {
        let mut renumbered = BTreeMap::new();
        for incident in store.incidents()? {
            let (from, history) = (incident.number, crate::escape::path(&store.folder));
            let (to, is_new) = copied.add(incident, &history);
            if to != from {
                renumbered.insert(from, to);
            }
            if to != from && is_new {
                joined.renumbered_incidents.push(RenumberedIncident { history, from, to });
            }
        }
        for alert in json_values::<Alert>(&store.connection, "alert", "SELECT alert FROM alert ORDER BY key")?
        {
            let alert = renumbered_alert(alert, &renumbered);
            alerts.entry(alert.key.clone()).or_insert(alert);
        }
    }
    let incidents = copied.into_incidents(at);
    for incident in &incidents {
        let [number, revision] = [incident.number, incident.revision].map(column_of_count);
        put_row(into, "incident", &[&number, &revision, &to_json(incident)?])?;
    }
    for (key, alert) in &alerts {
        put_row(into, "alert", &[key, &alert.at.0, &to_json(alert)?])?;
    }
    joined.incidents = incidents.len() as u64;
    Ok(())
}

/// The incidents of several histories that are put together.
#[derive(Default)]
struct CopiedIncidents {
    /// By the number that they had: the incidents as they were read, which differ from each other.
    by_number: BTreeMap<u64, Vec<CopiedIncident>>,
    /// The numbers that any history has used, and those that were given.
    used: BTreeSet<u64>,
}

struct CopiedIncident {
    incident: Incident,
    /// Its new number.
    number: u64,
    /// The history in which it had its old one.
    history: String,
}

impl CopiedIncidents {
    /// Adds an incident, unless it is a copy of one that was added; of two copies, the one with more changes is kept.
    /// Returns its new number, and whether it was no copy.
    fn add(&mut self, incident: Incident, history: &str) -> (u64, bool) {
        let from = incident.number;
        let same = self.by_number.entry(from).or_default();
        for known in same.iter_mut() {
            if is_continued(&known.incident, &incident) {
                known.incident = incident;
                return (known.number, false);
            }
            if is_continued(&incident, &known.incident) {
                return (known.number, false);
            }
        }
        let number = match same.is_empty() {
            true => from,
            false => self.used.last().map_or(1, |last| last.saturating_add(1)),
        };
        self.used.insert(number);
        same.push(CopiedIncident { incident, number, history: history.to_owned() });
        (number, true)
    }

    /// Returns the incidents with their new numbers. A note says which number one had before.
    fn into_incidents(self, at: Timestamp) -> Vec<Incident> {
        let numbered = |CopiedIncident { mut incident, number, history }| {
            if number != incident.number {
                let note = format!("this is incident {} of the history {history}", incident.number);
                let what = ChangeKind::Note(note);
                incident.changes.push(IncidentChange { at, by: AUTHOR.to_owned(), what });
                incident.number = number;
            }
            incident
        };
        self.by_number.into_values().flatten().map(numbered).collect()
    }
}

/// Returns whether `later` is `earlier` after further changes, or without any.
fn is_continued(earlier: &Incident, later: &Incident) -> bool {
    earlier.title.behavior == later.title.behavior
        && earlier.onset == later.onset
        && later.changes.starts_with(&earlier.changes)
}

/// Returns an alert whose incident has another number now. Its key begins with the number, so that the same is not
/// raised again of the renumbered incident.
fn renumbered_alert(alert: Alert, renumbered: &BTreeMap<u64, u64>) -> Alert {
    let Some((from, to)) = alert.incident.and_then(|from| Some((from, *renumbered.get(&from)?))) else {
        return alert;
    };
    let key = match alert.key.strip_prefix(&format!("incident/{from}/")) {
        Some(rest) => format!("incident/{to}/{rest}"),
        None => alert.key.clone(),
    };
    Alert { key, incident: Some(to), ..alert }
}
