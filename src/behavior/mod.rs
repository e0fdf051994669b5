//! F1: the behavior engine, one for the darknet and for the sandbox.
//!
//! The design's five steps, each a file: packets of a host gather in a [`window`](self::OpenWindow); a closed
//! window is reduced to [`Parameters`]; their [`Transition`] is judged; the
//! [`canonical`](Behavior::canonical) string of the binned parameters is hashed to a behavior type; and from
//! the same parameters follow shape and family. Nothing here knows where packets come from or where
//! fingerprints go.

mod arrival;
mod bits;
mod canonical;
mod distinct;
mod engine;
mod facets;
mod fingerprint;
mod hosts;
mod key;
mod known_names;
mod parameters;
mod place;
mod port_set;
mod probe;
mod probes;
mod profile;
mod reduction;
mod ring;
mod singles;
mod thin;
mod together;
mod transition;
mod types;
mod window;

pub use arrival::Arrival;
pub use canonical::{Behavior, BehaviorId, Names, ParseIdError, bin};
pub use engine::{Closed, Engine};
pub use fingerprint::{Facet, Fingerprint, Fingerprinter, fingerprint};
pub use parameters::{PacketsPerDestination, Parameters, Ports, ProtocolSet, ProtocolToken, SourcePortUse};
pub use probe::Probe;
pub use probes::Probes;
pub use profile::Profile;
pub use thin::Thin;
pub use transition::{Transition, transition};
pub use types::{TypeList, Types};
pub use window::{Marks, OpenWindow, TracePoint};
