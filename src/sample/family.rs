//! The malware family of a sample, and how it is known.

use std::fmt;

use serde::Serialize;

use super::PartialDate;

/// The malware family of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleFamily {
    /// Its usual name. A family without a name is called after one of its samples: `unnamed-a2eaf57c47a1`.
    pub name: String,
    /// Whether the name is that of a malware family.
    pub is_named: bool,
    /// How it is known.
    pub basis: FamilyBasis,
    /// Other families that sandboxes, vendors or similar samples name.
    pub disagreeing: Vec<String>,
}

/// How the family of a sample is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FamilyBasis {
    /// The sample's report states it.
    Report,
    /// A sandbox detected it; its name, and its reason where it states one.
    Sandbox(String),
    /// Vendors name it.
    Vendors {
        /// Number of engines that name it.
        votes: usize,
        /// Number of engines that name any family.
        voters: usize,
    },
    /// It is the family of a sample that is statically alike.
    Likeness(StaticNeighbour),
    /// The user named it.
    User,
    /// Nothing names it: the sample is the first, or the only one, of its family.
    Own,
}

impl fmt::Display for FamilyBasis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FamilyBasis::Report => f.write_str("stated in the report"),
            FamilyBasis::Sandbox(source) => f.write_str(source),
            FamilyBasis::Vendors { votes, voters } => write!(f, "{votes} of {voters} vendors"),
            FamilyBasis::Likeness(StaticNeighbour { sample, reasons, .. }) => {
                write!(f, "static likeness to {sample} ({})", reasons.join("; "))
            }
            FamilyBasis::User => f.write_str("named by the user"),
            FamilyBasis::Own => f.write_str("nothing names a family"),
        }
    }
}

impl SampleFamily {
    /// Returns the family of a sample that nothing names.
    #[must_use]
    pub fn unnamed(sample: &str) -> SampleFamily {
        /// Number of digits of the sample's hash in the name.
        const DIGITS: usize = 12;
        let name = format!("unnamed-{}", sample.get(..DIGITS).unwrap_or(sample));
        SampleFamily { name, is_named: false, basis: FamilyBasis::Own, disagreeing: Vec::new() }
    }
}

/// A sample that is statically like another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StaticNeighbour {
    /// Identifier of the sample.
    pub sample: String,
    /// Its family.
    pub family: String,
    /// Why the two are alike, such as `same imphash` or `TLSH distance 12`.
    pub reasons: Vec<String>,
}

/// A sample as a member of its family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyMember {
    /// Identifier of the sample.
    pub id: String,
    /// Its title, as [`SampleReport::title`](super::SampleReport::title).
    pub title: String,
    /// Number of windows of its runs.
    pub windows: usize,
    /// Its date of discovery or acquisition.
    pub date: Option<PartialDate>,
    /// Its family.
    pub family: SampleFamily,
    /// The samples that are statically like it.
    pub neighbours: Vec<StaticNeighbour>,
}

/// A malware family with its samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalwareFamily {
    /// Its name.
    pub name: String,
    /// Whether the name is that of a malware family, and not made of a sample's hash.
    pub is_named: bool,
    /// Its samples, ascending by identifier.
    pub members: Vec<FamilyMember>,
    /// The scan of its runs; several scans, if runs differ significantly. Empty if no run shows a scan.
    pub scans: Vec<FamilyScan>,
}

/// Runs of a family whose scans do not differ significantly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FamilyScan {
    /// Identifiers of the samples whose runs these are, ascending.
    pub samples: Vec<String>,
    /// Number of runs.
    pub runs: usize,
    /// Number of targets of all runs.
    pub targets: u64,
    /// What distinguishes it from the family's first scan, a phrase for each difference.
    pub differences: Vec<String>,
}
