//! F2: a malware sample: its report, what its sandbox run shows, what a darknet would see of it.

mod expectation;
mod profile;
mod projection;
mod report;
mod traffic;
mod victim;

pub use expectation::{Checked, DarknetExpectation, Difference, Expectation};
pub use profile::{Access, KeptSample, SampleProfile, ScanWindow};
pub use projection::{Origin, ProjectedBehavior, projected, services};
pub use report::{Captured, Discovery, Identity, ReportError, SampleReport, Span};
pub use traffic::{Class, Names, Plumbing, Reason, Traffic};
pub use victim::{VictimError, likely_victims};
