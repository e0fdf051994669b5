//! What the report of a sandbox states, in one form for all sandboxes.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use crate::sample::{FamilyDetection, Identity, RunConditions, StaticFeatures};

use super::fields::ReportFields;

/// A sandbox whose reports can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sandbox {
    /// CAPE (<https://github.com/kevoreilly/CAPEv2>).
    Cape,
    /// Cuckoo 1 and 2 (<https://github.com/cuckoosandbox/cuckoo>).
    Cuckoo,
    /// Cuckoo 3 (<https://github.com/cert-ee/cuckoo3>).
    Cuckoo3,
    /// Triage (<https://tria.ge/docs>).
    Triage,
    /// Joe Sandbox.
    Joe,
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sandbox::Cape => "CAPE",
            Sandbox::Cuckoo => "Cuckoo",
            Sandbox::Cuckoo3 => "Cuckoo 3",
            Sandbox::Triage => "Triage",
            Sandbox::Joe => "Joe Sandbox",
        })
    }
}

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportPart {
    /// An analysis with one run.
    Whole,
    /// An analysis with one or more runs, called tasks, which have folders of their own.
    Analysis,
    /// One task of an analysis.
    Task,
}

/// What a sandbox's report states about a sample and its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxReport {
    /// The sandbox.
    pub sandbox: Sandbox,
    /// What the report is about.
    pub part: ReportPart,
    /// Hashes of the sample.
    pub identity: Identity,
    /// Static features of the sample.
    pub features: StaticFeatures,
    /// Malware families that the sandbox names, with its reasons.
    pub detections: Vec<FamilyDetection>,
    /// Names that antivirus products give the sample, by vendor.
    pub names: BTreeMap<String, String>,
    /// The conditions of the run. For an analysis of several runs, those that are common to all.
    pub run: RunConditions,
    /// The conditions of the tasks of an analysis, by task.
    pub tasks: BTreeMap<String, RunConditions>,
    /// The address of the victim, if the listed network flows show it.
    pub victim: Option<IpAddr>,
    /// The services that the victim contacted, as far as the report lists them. Sandboxes do not list
    /// contacts without payload that were answered, nor most that were not.
    pub contacts: Vec<ListedContact>,
    /// SHA-256 of the capture of the run, in lower case.
    pub capture_sha256: Option<String>,
    /// Problems in the report, each a message that names the field.
    pub problems: Vec<String>,
}

impl SandboxReport {
    pub(super) fn new(sandbox: Sandbox, part: ReportPart) -> SandboxReport {
        SandboxReport {
            sandbox,
            part,
            identity: Identity::default(),
            features: StaticFeatures::default(),
            detections: Vec::new(),
            names: BTreeMap::new(),
            run: RunConditions::default(),
            tasks: BTreeMap::new(),
            victim: None,
            contacts: Vec::new(),
            capture_sha256: None,
            problems: Vec::new(),
        }
    }

    /// Returns whether the report has a hash of the sample.
    #[must_use]
    pub fn is_identified(&self) -> bool {
        self.identity.md5.is_some() || self.identity.sha1.is_some() || self.identity.sha256.is_some()
    }

    /// Adds what the report of a task states about its run.
    pub fn add_task(&mut self, task: SandboxReport) {
        for detection in task.detections {
            self.add_detection(detection.family, detection.source);
        }
        self.run.add(task.run);
        self.victim = self.victim.or(task.victim);
        self.contacts.extend(task.contacts);
        self.capture_sha256 = self.capture_sha256.take().or(task.capture_sha256);
        self.problems.extend(task.problems);
    }

    /// Adds a family, unless it is there already with the same source, or is a placeholder.
    pub(super) fn add_detection(&mut self, family: String, source: String) {
        /// Maximum number of detections that are kept.
        const DETECTIONS_MAX: usize = 50;
        let is_placeholder = ["", "none", "unknown", "n/a"].contains(&family.to_ascii_lowercase().as_str());
        let detection = FamilyDetection { family, source };
        if !is_placeholder && self.detections.len() < DETECTIONS_MAX && !self.detections.contains(&detection)
        {
            self.detections.push(detection);
        }
    }

    pub(super) fn add_name(&mut self, vendor: String, name: String) {
        /// Maximum number of vendors; VirusTotal has about 75.
        const VENDORS_MAX: usize = 200;
        if self.names.len() < VENDORS_MAX {
            self.names.entry(vendor).or_insert(name);
        }
    }

    /// Reads MD5, SHA-1 and SHA-256 below a path.
    pub(super) fn read_identity(&mut self, fields: &mut ReportFields<'_>, path: &str) {
        let mut hash = |name: &str, digits| fields.hash(&format!("{path}.{name}"), digits);
        self.identity = Identity { md5: hash("md5", 32), sha1: hash("sha1", 40), sha256: hash("sha256", 64) };
    }
}

/// A service that the victim contacted, according to a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedContact {
    /// `tcp`, `udp` or `icmp`.
    pub protocol: &'static str,
    /// Destination port; `None` for ICMP.
    pub port: Option<u16>,
    /// Number of different addresses.
    pub hosts: u64,
}
