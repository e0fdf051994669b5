//! The changes of an incident, and which of them are allowed when.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::packet::Timestamp;

use super::state::{IncidentEnd, IncidentState};

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
