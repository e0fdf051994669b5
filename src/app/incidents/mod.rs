//! Use case: opens incidents from the surges of a history, and lets them live: their days, sensors, hosts and
//! causes are brought up to date, they end and resume; and the changes that operators make.
//!
//! Running it again on the same history changes nothing. Memory: as `surges` and `correlate`, one after the other.

mod causes;
mod course;
mod edit;
mod observed;

use std::path::Path;

use crate::analysis::behavior_surges::{RankedSurge, SurgeKind};
use crate::incident::{ChangeKind, FoundSurge, Incident, IncidentState, SurgeGroup, assign_surges};
use crate::packet::Timestamp;
use crate::rules::Rules;
use crate::store::{HistoryStore, LocalStore, StoreError};

use super::history_source::HistorySource;
use super::surges::{SurgeQuery, describe_surges, ranked_surges};
use super::{AppError, CaptureOptions, Notices};
pub use causes::has_unweighed_samples;
use course::Course;
pub use edit::{change_incident, find_sample_id};

/// Largest q-value of a surge that opens an incident. It equals the default of `inga surges --q-max`.
pub const SURGE_Q_MAX: f64 = 0.01;
/// The account under which detection changes incidents.
pub const DETECTION: &str = "inga";
/// Maximum number of attempts to store changed incidents. An attempt fails if somebody else stored one of them after it
/// had been read.
const ATTEMPTS_MAX: usize = 5;

/// An incident that an update opened or changed.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdatedIncident {
    /// The incident after the update.
    pub incident: Incident,
    /// Number of its changes before the update; those after it are new.
    pub changes_before: usize,
}

impl UpdatedIncident {
    /// Returns the changes that the update made.
    pub fn new_changes(&self) -> impl Iterator<Item = &ChangeKind> {
        self.incident.changes.iter().skip(self.changes_before).map(|change| &change.what)
    }
}

/// Brings the incidents of a history up to date: finds surges at all sensors, opens an incident for each new
/// thing, and updates days, hosts, causes and ends of the others. Returns the incidents that changed, ascending
/// by number.
///
/// # Errors
/// When the history cannot be read or written to, or operators keep changing the same incidents.
pub fn update_incidents(
    store: &mut dyn HistoryStore,
    rules: &Rules,
    at: Timestamp,
) -> Result<Vec<UpdatedIncident>, AppError> {
    store_changed(store, &|store| {
        let updated = updated_incidents(store, rules, at)?;
        let changed = updated.iter().map(|one| one.incident.clone()).collect();
        Ok((updated, changed))
    })
}

/// A value with the incidents that have to be stored.
type WithChanges<T> = Result<(T, Vec<Incident>), AppError>;

/// Stores the incidents that `change` returns, and returns the other value of `change`. If another process stored one of
/// these incidents in the meantime, `change` is called again with the new state of the store.
fn store_changed<T>(
    store: &mut dyn HistoryStore,
    change: &dyn Fn(&dyn HistoryStore) -> WithChanges<T>,
) -> Result<T, AppError> {
    let mut attempts = 1;
    loop {
        let (made, changed) = change(store)?;
        if changed.is_empty() {
            return Ok(made);
        }
        match store.put_incidents(&changed) {
            Ok(()) => return Ok(made),
            Err(StoreError::ConcurrentChange) if attempts < ATTEMPTS_MAX => attempts += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Brings the incidents of a history in a folder up to date; see [`update_incidents`].
///
/// # Errors
/// As [`update_incidents`], and when the folder has no history.
pub fn update_history(
    history: &Path,
    rules: &Rules,
    at: Timestamp,
) -> Result<Vec<UpdatedIncident>, AppError> {
    update_incidents(&mut LocalStore::open_to_write(history, &rules.profile)?, rules, at)
}

/// Returns the incidents that an update changes, without storing them.
fn updated_incidents(
    store: &dyn HistoryStore,
    rules: &Rules,
    at: Timestamp,
) -> Result<Vec<UpdatedIncident>, AppError> {
    let before = store.incidents()?;
    let query = SurgeQuery { sensors: Vec::new(), level: SURGE_Q_MAX };
    let ranked = ranked_surges(store, &query, &rules.profile)?;
    let found = observed::found_surges(store, &ranked, rules)?;
    let course = Course::load(store)?;
    let mut incidents = before.clone();
    let mut next = before.iter().map(|incident| incident.number).max().unwrap_or(0) + 1;
    for group in assign_surges(&before, &found) {
        let surges = GroupedSurges { group: &group, found: &found, ranked: &ranked };
        match group.incident {
            Some(place) => {
                if course.goes_on(&incidents[place], &surges) {
                    observed::observe_again(store, rules, &mut incidents[place], &surges)?;
                    course.resume(&mut incidents[place], at)?;
                }
            }
            None if is_backscatter(store, rules, &surges)? => {}
            None => {
                let mut incident = observed::open(store, rules, next, &surges, at)?;
                incident.apply(ChangeKind::Opened, at, DETECTION)?;
                next += 1;
                incidents.push(incident);
            }
        }
    }
    for incident in &mut incidents {
        course.end(incident, &ranked, at)?;
    }
    causes::weigh_causes(store, rules, &before, &mut incidents, at)?;
    let changed = |(place, mut incident): (usize, Incident)| {
        let known = before.get(place);
        if known == Some(&incident) {
            return None;
        }
        incident.updated = at;
        let changes_before = known.map_or(0, |known| known.changes.len());
        Some(UpdatedIncident { incident, changes_before })
    };
    Ok(incidents.into_iter().enumerate().filter_map(changed).collect())
}

/// Returns whether the strongest surge of a group consists of answers to spoofed packets. Its hosts do not scan,
/// so that no malware explains it, and no incident is opened.
fn is_backscatter(
    store: &dyn HistoryStore,
    rules: &Rules,
    surges: &GroupedSurges<'_>,
) -> Result<bool, AppError> {
    let Some(strongest) = surges.ranked().next() else { return Ok(true) };
    let described = describe_surges(store, rules, vec![strongest.clone()])?;
    Ok(described.iter().all(|one| one.kind == SurgeKind::Backscatter))
}

/// The surges of one thing, as detection found them.
struct GroupedSurges<'a> {
    group: &'a SurgeGroup,
    found: &'a [FoundSurge],
    ranked: &'a [RankedSurge],
}

impl<'a> GroupedSurges<'a> {
    /// Returns the surges, the one with the largest excess first.
    fn ranked(&self) -> impl Iterator<Item = &'a RankedSurge> + use<'a, '_> {
        self.group.surges.iter().map(|place| &self.ranked[*place])
    }

    fn found(&self) -> Vec<&'a FoundSurge> {
        self.group.surges.iter().map(|place| &self.found[*place]).collect()
    }
}

/// Which incidents are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentSelection {
    /// Those that are not closed.
    Open,
    /// All.
    All,
    /// Those in this state.
    InState(IncidentState),
}

/// Returns incidents of a history: those that last before those that ended, then those with the most hosts
/// first.
///
/// # Errors
/// When the history cannot be read.
pub fn list_incidents(
    source: &HistorySource,
    selection: IncidentSelection,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<Vec<Incident>, AppError> {
    let mut incidents = source.open(&CaptureOptions::default(), rules, notices)?.incidents()?;
    incidents.retain(|incident| match selection {
        IncidentSelection::Open => incident.is_open(),
        IncidentSelection::All => true,
        IncidentSelection::InState(state) => incident.state == state,
    });
    incidents.sort_by_key(|one| (one.ended.is_some(), std::cmp::Reverse(one.hosts()), one.number));
    Ok(incidents)
}
