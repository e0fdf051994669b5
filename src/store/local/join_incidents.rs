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
    let mut taken: BTreeMap<u64, Incident> = BTreeMap::new();
    let mut alerts: BTreeMap<String, Alert> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for store in stores {
        used.extend(store.incidents()?.iter().map(|incident| incident.number));
    }
    for store in stores {
        let mut renumbered = BTreeMap::new();
        for mut incident in store.incidents()? {
            let from = incident.number;
            match taken.get_mut(&from) {
                None => drop(taken.insert(from, incident)),
                Some(known) if is_continued(known, &incident) => *known = incident,
                Some(known) if is_continued(&incident, known) => {}
                Some(_) => {
                    let number = used.last().map_or(1, |last| last.saturating_add(1));
                    used.insert(number);
                    renumbered.insert(from, number);
                    let history = crate::escape::path(&store.folder);
                    let note = format!("this is incident {from} of the history {history}");
                    let what = ChangeKind::Note(note);
                    incident.changes.push(IncidentChange { at, by: AUTHOR.to_owned(), what });
                    incident.number = number;
                    taken.insert(number, incident);
                    joined.renumbered_incidents.push(RenumberedIncident { history, from, to: number });
                }
            }
        }
        for alert in json_values::<Alert>(&store.connection, "alert", "SELECT alert FROM alert ORDER BY key")?
        {
            let alert = renumbered_alert(alert, &renumbered);
            alerts.entry(alert.key.clone()).or_insert(alert);
        }
    }
    for incident in taken.values() {
        let [number, revision] = [incident.number, incident.revision].map(column_of_count);
        put_row(into, "incident", &[&number, &revision, &to_json(incident)?])?;
    }
    for (key, alert) in &alerts {
        put_row(into, "alert", &[key, &alert.at.0, &to_json(alert)?])?;
    }
    joined.incidents = taken.len() as u64;
    Ok(())
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
