//! F2: malware samples: the sample report, the scan and the service accesses of the sandbox run, and the
//! projection of the scan onto a sensor.

mod contacts;
mod conversation;
mod details;
mod draft;
mod expectation;
mod family;
mod family_renames;
mod fan_out;
mod imported;
mod likeness;
mod per_target_ports;
mod pooling;
mod profile;
mod projected;
mod projection;
mod random;
mod report;
mod report_merge;
mod run;
mod sandbox;
mod scan;
mod scan_conditions;
mod scan_variants;
mod ssdeep;
mod targets;
mod thinning;
mod tlsh;
mod traffic;
mod victim;

pub use details::{RunDetails, RunObservation, SampleDetails, SampleProbes};
pub use draft::DraftReport;
pub use expectation::{DarknetExpectation, Difference, Expectation, SampleCheck};
pub use family::{FamilyBasis, FamilyMember, FamilyScan, MalwareFamily, SampleFamily, StaticNeighbour};
pub use family_renames::{FamilyRename, FamilyRenames};
pub use imported::{ImportResult, ImportedRun, ImportedSample};
pub use likeness::{LikenessGraph, LikenessReason};
pub use per_target_ports::PerTargetPorts;
pub use pooling::{PooledScan, pool_scans};
pub use profile::{KeptSample, SampleProfile, SampleRun, ScanWindow, ServiceAccess};
pub use projected::{BehaviorOrigin, ProjectedBehavior, distinct_services, projected_behaviors};
pub use projection::{PredictedBehavior, Projection, ScanVariant};
pub use random::SplitMix64;
pub use report::{Discovery, Identity, PartialDate, ReportError, SampleCapture, SampleReport};
pub use run::{FamilyDetection, RunConditions, RunTime, StaticFeatures};
pub use sandbox::{ListedContact, ReportPart, Sandbox, SandboxError, SandboxReport, read_sandbox_report};
pub use scan::{
    AnsweredContacts, Attempts, SampleService, Scan, Script, ScriptPacket, ServicePort, SourcePorts,
};
pub use scan_conditions::ScanConditions;
pub use targets::{Reach, SweepStep, TargetOrder, TargetSelection};
pub use traffic::{AccessReason, InfrastructureMatcher, PacketClass, ResolvedAddresses, Traffic};
pub use victim::{AddressCounts, LikelyVictims, VictimError, VictimReason, likely_victims};
