//! F1: the behavior engine, one for the darknet and for the sandbox.
//!
//! The design's five steps, each a file: packets of a host gather in a [`window`](self::OpenWindow); a closed
//! window is reduced to [`Parameters`]; their [`Transition`] is judged; the
//! [`canonical`](Behavior::canonical) string of the binned parameters is hashed to a behavior type; and from
//! the same parameters follow shape and family. Nothing here knows where packets come from or where
//! fingerprints go.

mod canonical;
mod engine;
mod fingerprint;
mod names;
mod parameters;
mod probes;
mod profile;
mod transition;
mod window;

pub use canonical::{Behavior, BehaviorId, ParseIdError};
pub use engine::Engine;
pub use fingerprint::{Facet, Fingerprint, fingerprint};
pub use names::{Namer, Names, Single};
pub use parameters::{PacketsPerDestination, Parameters, Ports, ProtocolSet, ProtocolToken, SourcePortUse};
pub use probes::Probes;
pub use profile::Profile;
pub use transition::{Transition, transition};
pub use window::{Marks, OpenWindow, Probe, TracePoint};
