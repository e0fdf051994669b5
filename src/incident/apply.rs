//! Applies changes to an incident.

use crate::packet::Timestamp;

use super::change::{ChangeKind, IncidentChange, IncidentError, NOTE_BYTES_MAX, OWNER_BYTES_MAX};
use super::model::Incident;
use super::state::IncidentState;

impl Incident {
    /// Applies a change and records it, and returns whether it changed anything: a state, owner or sample that
    /// the incident has already changes nothing.
    ///
    /// # Errors
    /// Fails if the change is not allowed now, or a text in it is empty or too long. The incident then stays as
    /// it was.
    pub fn apply(&mut self, what: ChangeKind, at: Timestamp, by: &str) -> Result<bool, IncidentError> {
        if !self.take(&what)? {
            return Ok(false);
        }
        self.updated = at;
        self.changes.push(IncidentChange { at, by: by.to_owned(), what });
        Ok(true)
    }

    /// Changes the fields that a change is about, and returns whether it is to be recorded.
    fn take(&mut self, what: &ChangeKind) -> Result<bool, IncidentError> {
        match what {
            ChangeKind::Opened => match self.changes.is_empty() {
                true => Ok(true),
                false => Err(self.contradiction("was opened before")),
            },
            ChangeKind::State(next) => self.set_state(*next),
            ChangeKind::Owner(owner) => {
                if let Some(name) = owner {
                    check_length("the name of an owner", name, OWNER_BYTES_MAX)?;
                }
                let changed = self.owner != *owner;
                self.owner.clone_from(owner);
                Ok(changed)
            }
            ChangeKind::Note(text) => check_length("a note", text, NOTE_BYTES_MAX).map(|()| true),
            ChangeKind::Sample(id) => {
                let place = self.samples.binary_search(id);
                if let Err(place) = place {
                    self.samples.insert(place, id.clone());
                }
                Ok(place.is_err())
            }
            ChangeKind::Cause { .. } => Ok(true),
            ChangeKind::Ended(end) => match self.ended.replace(*end) {
                None => Ok(true),
                before => {
                    self.ended = before;
                    Err(self.contradiction("has ended before"))
                }
            },
            ChangeKind::Reopened(_) => match self.ended.take() {
                // What was closed because it had ended has to be looked at again.
                Some(_) => {
                    if self.state == IncidentState::Closed {
                        self.state = IncidentState::New;
                    }
                    Ok(true)
                }
                None => Err(self.contradiction("has not ended, so it cannot resume")),
            },
        }
    }

    fn set_state(&mut self, next: IncidentState) -> Result<bool, IncidentError> {
        if self.state == next {
            return Ok(false);
        }
        if !self.state.allows(next) {
            let (from, to) = (self.state.word(), next.word());
            return Err(IncidentError::State { number: self.number, from, to });
        }
        if next == IncidentState::Explained && self.samples.is_empty() {
            return Err(IncidentError::NoSample(self.number));
        }
        self.state = next;
        Ok(true)
    }

    fn contradiction(&self, reason: &'static str) -> IncidentError {
        IncidentError::Course { number: self.number, reason }
    }
}

fn check_length(what: &'static str, text: &str, max: usize) -> Result<(), IncidentError> {
    let bytes = text.len();
    let fits = !text.trim().is_empty() && bytes <= max;
    if fits { Ok(()) } else { Err(IncidentError::Length { what, max, bytes }) }
}
