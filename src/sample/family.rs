//! The malware family of a sample, and how it is known.

use std::fmt;

/// The malware family of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleFamily {
    /// Its usual name.
    pub name: String,
    /// How it is known.
    pub basis: FamilyBasis,
    /// Other families that sandboxes or vendors name.
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
}

impl fmt::Display for FamilyBasis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FamilyBasis::Report => f.write_str("stated in the report"),
            FamilyBasis::Sandbox(source) => f.write_str(source),
            FamilyBasis::Vendors { votes, voters } => write!(f, "{votes} of {voters} vendors"),
        }
    }
}
