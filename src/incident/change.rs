//! The changes of an incident, and which of them are allowed when.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::packet::Timestamp;

use super::{EndReason, Incident, IncidentEnd, IncidentState};

/// Maximum length of a note in bytes.
pub const NOTE_BYTES_MAX: usize = 10_000;
/// Maximum length of an owner's name in bytes.
pub const OWNER_BYTES_MAX: usize = 200;

/// What happened to an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It was opened.
    Opened,
    /// An operator set its state.
    State(IncidentState),
    /// An operator said who takes care of it; `None` for nobody.
    Owner(Option<String>),
    /// An operator wrote a note.
    Note(String),
    /// A sample, given by its id, was linked.
    Sample(String),
    /// The verdict on a malware family changed, or its probability changed much.
    Cause {
        /// The family.
        family: String,
        /// The probability that it is the cause, from then on.
        probability: f64,
        /// The verdict's stable word, from then on.
        verdict: String,
    },
    /// Its surge was over.
    Ended(IncidentEnd),
    /// The surge resumed, and this was its last day then.
    Reopened(Date),
}

/// A change of an incident: what, when and by whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentChange {
    /// When.
    pub at: Timestamp,
    /// The account of the operator, or `inga`.
    pub by: String,
    /// What.
    pub what: ChangeKind,
}

/// The reason why a change of an incident is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IncidentError {
    /// The state cannot follow the present one.
    #[error("incident {number} is {from} and cannot become {to}{}", remedy(to))]
    State {
        /// The incident.
        number: u64,
        /// Its state.
        from: &'static str,
        /// The state that was asked for.
        to: &'static str,
    },
    /// Nothing explains the incident yet.
    #[error(
        "incident {0} has no linked sample; say which sample explains it (`inga incident explain {0} --sample ID`)"
    )]
    NoSample(u64),
    /// A text is empty or too long.
    #[error("{what} must have 1 to {max} bytes; this one has {bytes}")]
    Length {
        /// The kind of text.
        what: &'static str,
        /// Its maximum length.
        max: usize,
        /// Its length.
        bytes: usize,
    },
    /// Detection reported something that contradicts the incident's course.
    #[error("incident {number} {reason}")]
    Course {
        /// The incident.
        number: u64,
        /// The contradiction.
        reason: &'static str,
    },
}

/// What to do about a state that cannot follow.
fn remedy(to: &str) -> &'static str {
    match to {
        "new" => ": it was seen already",
        "explained" => "; mark it as seen first",
        _ => "",
    }
}

impl IncidentState {
    /// Returns whether an operator may set `next` while the state is this one.
    ///
    /// New incidents can be seen, explained or closed. What was seen can be explained or closed. An explanation
    /// can be taken back (seen). What was closed can only be taken up again (seen).
    #[must_use]
    pub fn allows(self, next: IncidentState) -> bool {
        use IncidentState::{Closed, Explained, New, Seen};
        matches!(
            (self, next),
            (New | Explained | Closed, Seen) | (New | Seen, Explained) | (New | Seen | Explained, Closed)
        )
    }
}

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

impl EndReason {
    /// Returns the word of the reason, as it is shown and stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            EndReason::Calm => "calm",
            EndReason::NewLevel => "new-level",
        }
    }
}
