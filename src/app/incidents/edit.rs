//! Changes that operators make to incidents.

use std::path::Path;

use crate::app::history_source::HistorySource;
use crate::app::{AppError, CaptureOptions, Notices, now};
use crate::incident::{ChangeKind, Incident};
use crate::rules::Rules;
use crate::store::{IncidentStore, LocalStore};

use super::store_changed;

/// Applies changes to an incident, all or none, and returns it. `by` is the account of the operator. Changes that other
/// operators make at the same time are kept.
///
/// # Errors
/// When there is no such incident, a change is not allowed, or the history cannot be written to.
pub fn change_incident(
    history: &Path,
    number: u64,
    changes: &[ChangeKind],
    by: &str,
    rules: &Rules,
) -> Result<Incident, AppError> {
    let mut store = LocalStore::open_to_write(history, &rules.profile)?;
    store_changed(&mut store, &|store| {
        let mut incident = store.incident(number)?;
        let mut changed = false;
        for change in changes {
            changed |= incident.apply(change.clone(), now(), by)?;
        }
        Ok(((), changed.then_some(incident).into_iter().collect()))
    })?;
    Ok(store.incident(number)?)
}

/// Returns the id of the only sample of a history whose id begins with `start`.
///
/// # Errors
/// When there is no such sample or several, or the history cannot be read.
pub fn find_sample_id(
    source: &HistorySource,
    start: &str,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<String, AppError> {
    let store = source.open(&CaptureOptions::default(), rules, notices)?;
    let mut found = store.samples()?.into_iter().map(|sample| sample.profile.id);
    let begins = |id: &String| !start.is_empty() && id.starts_with(&start.to_ascii_lowercase());
    let shown = crate::escape::escape_hidden(start);
    match (found.find(begins), found.find(begins)) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => Err(AppError::Usage(format!(
            "several samples of this history have an id that begins with `{shown}`; give more of its digits"
        ))),
        (None, _) => Err(AppError::Usage(format!(
            "no sample `{shown}` in this history; `inga sample list` shows those there are"
        ))),
    }
}
