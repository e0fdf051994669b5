//! The conditions under which a scan is observed: what is lost on the way, and which systems its hosts have.

/// The conditions under which a sensor observes a scan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScanConditions {
    /// The probability of these conditions.
    pub probability: f64,
    /// Share of packets that are lost on the way or by the sensor.
    pub loss: f64,
    /// Share of hosts whose operating system sends retries at other times than the sandbox's system.
    pub other_systems: f64,
}

impl ScanConditions {
    /// The conditions in a sandbox: nothing is lost, and all hosts have its operating system.
    pub const SANDBOX: ScanConditions = ScanConditions { probability: 1.0, loss: 0.0, other_systems: 0.0 };
}

/// What changes a scan between its hosts and the sensor's history. It differs between malware, networks and recorders,
/// and a run shows nothing of it. Malware for one operating system has no hosts of another one; most paths lose next to
/// nothing, and some lose much.
pub(super) const USUAL_CONDITIONS: [ScanConditions; 4] = [
    ScanConditions { probability: 0.35, loss: 0.0, other_systems: 0.0 },
    ScanConditions { probability: 0.30, loss: 0.02, other_systems: 0.0 },
    ScanConditions { probability: 0.25, loss: 0.02, other_systems: 0.15 },
    ScanConditions { probability: 0.10, loss: 0.10, other_systems: 0.15 },
];
