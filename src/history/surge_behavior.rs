//! A behavior whose daily hosts can depart from their past.

use serde::{Deserialize, Serialize};

use crate::behavior::BehaviorId;
use crate::packet::Protocol;

use super::Granularity;

/// A behavior that can surge.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SurgeBehavior {
    /// Whole windows with this protocol and no other, and this destination port and no other.
    Service(Protocol, u16),
    /// A type, shape or pattern, with its id and canonical string.
    Named(Granularity, BehaviorId, String),
}

impl SurgeBehavior {
    /// Returns the name of the granularity: `service`, `pattern`, `shape` or `type`.
    #[must_use]
    pub fn granularity(&self) -> String {
        match self {
            SurgeBehavior::Service(..) => "service".to_owned(),
            SurgeBehavior::Named(granularity, ..) => granularity.to_string(),
        }
    }

    /// Returns the rank of the granularity, 0 for the finest (a type) and 3 for a service.
    #[must_use]
    pub fn coarseness(&self) -> usize {
        match self {
            SurgeBehavior::Named(Granularity::Type, ..) => 0,
            SurgeBehavior::Named(Granularity::Shape, ..) => 1,
            SurgeBehavior::Named(Granularity::Pattern, ..) => 2,
            SurgeBehavior::Service(..) => 3,
        }
    }

    /// Returns the notation of the behavior: `445/tcp` for a service, the canonical string for the others.
    #[must_use]
    pub fn notation(&self) -> String {
        match self {
            SurgeBehavior::Service(protocol, port) => {
                format!("{port}/{}", protocol.to_string().to_lowercase())
            }
            SurgeBehavior::Named(_, _, canonical) => canonical.clone(),
        }
    }
}
