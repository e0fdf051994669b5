//! F1: the behavior engine, which darknets and sandboxes share.
//!
//! The engine works in five steps. It gathers the packets of each source host in [windows](self::OpenWindow).
//! It reduces a closed window to its [`Parameters`]. It decides their [`Transition`], sequential or random.
//! It bins the parameters, writes them as a [canonical string](Behavior) and hashes the string by MD5, which
//! gives the behavior type. It derives shape and pattern from the same parameters. The engine knows neither
//! where packets come from nor where fingerprints go.

mod arrival;
mod canonical;
mod engine;
mod facets;
mod feature;
mod fingerprint;
mod known_names;
mod parameters;
mod probe;
mod probe_fields;
mod probes;
mod profile;
mod reduction;
mod remarkable;
mod run_signature;
mod signature;
mod signature_fold;
mod signature_pattern;
mod signature_reduction;
mod signatures;
mod single_probe;
mod transition;
mod types;
mod window;
mod window_signature;

pub use arrival::{Arrival, Marks};
pub use canonical::{Behavior, BehaviorId, Names, ParseIdError, bin};
pub use engine::{Closed, Engine};
pub use feature::{Feature, FeatureValue};
pub use fingerprint::{Facet, Fingerprint, Fingerprinter, fingerprint};
pub use parameters::{PacketsPerDestination, Parameters, Ports, ProtocolSet, ProtocolToken, SourcePortUse};
pub use probe::Probe;
pub use probes::Probes;
pub use profile::Profile;
pub use run_signature::{ProbeRelation, RunSignature, run_signatures};
pub use signature::{Agreement, ParseSignatureError, ProbeSignature};
pub use signature_pattern::{ParsePatternError, SignaturePattern};
pub use signatures::Signatures;
pub use transition::{Transition, transition};
pub use types::{TypeList, Types};
pub use window::{OpenWindow, TracePoint};

#[cfg(test)]
mod signature_tests;
