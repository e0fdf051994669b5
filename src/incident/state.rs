//! The states of an incident, and the end of its surge.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// What the operators have done about an incident. Whether the surge itself lasts is said by
/// `Incident::ended`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    /// Nobody has looked at it.
    New,
    /// Somebody has looked at it.
    Seen,
    /// A sample that explains it is linked.
    Explained,
    /// Nothing is left to do.
    Closed,
}

impl IncidentState {
    /// Returns the word of the state, as it is shown and stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            IncidentState::New => "new",
            IncidentState::Seen => "seen",
            IncidentState::Explained => "explained",
            IncidentState::Closed => "closed",
        }
    }
}

/// Why an incident's surge is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// Days that do not stand out followed at every sensor.
    Calm,
    /// It lasted so long (four weeks) that its level became the background.
    NewLevel,
}

/// The end of an incident's surge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentEnd {
    /// The last day that stood out.
    pub day: Date,
    /// Why it is over.
    pub reason: EndReason,
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
