//! F2: malware samples: the sample report, the scan and the service accesses of the sandbox run, and the
//! projection of the scan onto a sensor.

mod anew;
mod contacts;
mod conversation;
mod expectation;
mod fan_out;
mod profile;
mod projected;
mod projection;
mod random;
mod report;
mod scan;
mod targets;
mod thinning;
mod traffic;
mod victim;

pub use anew::AnewPorts;
pub use expectation::{Checked, DarknetExpectation, Difference, Expectation};
pub use profile::{Access, KeptSample, SampleProfile, ScanWindow};
pub use projected::{Origin, ProjectedBehavior, projected, services};
pub use projection::{Predicted, Projection, Variant};
pub use random::Random;
pub use report::{Captured, Discovery, Identity, ReportError, SampleReport, Span};
pub use scan::{Answered, Attempts, Cue, Port, Scan, Script, Service, SourcePorts};
pub use targets::{Order, Reach, Step, Targeting};
pub use traffic::{Class, Names, Plumbing, Reason, Traffic};
pub use victim::{Addresses, LikelyVictims, VictimError, VictimReason, likely_victims};
