//! Use case: the samples that a history keeps, by malware family.

use std::collections::BTreeMap;

use crate::rules::Rules;
use crate::sample::SampleFamily;
use crate::store::HistoryStore;

use super::AppError;
use super::history::kept_samples;
use super::sample_family::family_of_report;
use super::sandbox::LoadedSample;

/// A family with its samples in a history.
#[derive(Clone, Debug)]
pub struct FamilyMembers {
    /// The family; `None` for the samples whose family is not known.
    pub name: Option<String>,
    /// The samples, each with how its family is known.
    pub samples: Vec<(LoadedSample, Option<SampleFamily>)>,
}

/// Returns the samples that a history keeps, by family and then by identifier. Samples of an unknown family
/// come last.
///
/// # Errors
/// When the history cannot be read, or a report no longer fits the schema.
pub fn families(store: &dyn HistoryStore, rules: &Rules) -> Result<Vec<FamilyMembers>, AppError> {
    let mut by_name: BTreeMap<(bool, Option<String>), FamilyMembers> = BTreeMap::new();
    for sample in kept_samples(store)? {
        let family = family_of_report(&sample.report, rules);
        let name = family.as_ref().map(|family| family.name.clone());
        let key = (name.is_none(), name.as_ref().map(|name| name.to_lowercase()));
        let members = by_name.entry(key).or_insert_with(|| FamilyMembers { name, samples: Vec::new() });
        members.samples.push((sample, family));
    }
    Ok(by_name.into_values().collect())
}
