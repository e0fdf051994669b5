//! Use case: the malware family of a sample, and how it is known.

use std::collections::BTreeMap;

use crate::rules::{FamilyVote, Rules};
use crate::sample::{DraftReport, FamilyBasis, FamilyDetection, SampleFamily, SampleReport};

/// Returns the family of a sample: the one that its report states, else the one that sandboxes detected most
/// often, else the one that most vendors name. `None` if nothing names a family.
#[must_use]
pub fn family_of_report(report: &SampleReport, rules: &Rules) -> Option<SampleFamily> {
    family(report.family.as_deref(), &report.detections, &report.names, rules)
}

/// As [`family_of_report`], for a report that is being put together.
#[must_use]
pub fn family_of_draft(draft: &DraftReport, rules: &Rules) -> Option<SampleFamily> {
    family(None, &draft.detections, &draft.names, rules)
}

fn family(
    stated: Option<&str>,
    detections: &[FamilyDetection],
    names: &BTreeMap<String, String>,
    rules: &Rules,
) -> Option<SampleFamily> {
    let families = &rules.families;
    let vote = families.vote(names);
    // Number of detections by family, in the order of their first detection.
    let mut detected: Vec<(String, usize, &str)> = Vec::new();
    for FamilyDetection { family, source } in detections {
        let Some(name) = families.canonical_name(family) else { continue };
        match detected.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, count, _)) => *count += 1,
            None => detected.push((name, 1, source)),
        }
    }
    // The sort is stable: of families that were detected equally often, the first one comes first.
    detected.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
    let (name, basis) = match (stated, detected.first(), &vote) {
        (Some(stated), ..) => {
            (families.canonical_name(stated).unwrap_or_else(|| stated.to_owned()), FamilyBasis::Report)
        }
        (None, Some((name, _, source)), _) => (name.clone(), FamilyBasis::Sandbox((*source).to_owned())),
        (None, None, Some(FamilyVote { family, votes, voters })) => {
            (family.clone(), FamilyBasis::Vendors { votes: *votes, voters: *voters })
        }
        (None, None, None) => return None,
    };
    let mut disagreeing: Vec<String> = detected.into_iter().map(|(name, ..)| name).collect();
    disagreeing.extend(vote.map(|vote| vote.family));
    disagreeing.retain(|other| !other.eq_ignore_ascii_case(&name));
    disagreeing.dedup();
    Some(SampleFamily { name, is_named: true, basis, disagreeing })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        stated: Option<&str>,
        detections: &[&str],
        names: &[(&str, &str)],
    ) -> Option<(String, String, Vec<String>)> {
        let rules = Rules::shipped().unwrap();
        let of_cape =
            |family: &&str| FamilyDetection { family: (*family).to_owned(), source: "CAPE".to_owned() };
        let detections: Vec<FamilyDetection> = detections.iter().map(of_cape).collect();
        let names = names.iter().map(|(vendor, name)| ((*vendor).to_owned(), (*name).to_owned())).collect();
        let found = family(stated, &detections, &names, &rules)?;
        Some((found.name, found.basis.to_string(), found.disagreeing))
    }

    #[test]
    fn a_stated_family_comes_before_detections_and_these_before_vendors() {
        let names = [("A", "Linux.Bashlite"), ("B", "ELF/Gafgyt.1"), ("C", "Trojan.Generic")];
        let text = str::to_owned;
        assert_eq!(check(None, &[], &names), Some((text("Gafgyt"), text("2 of 2 vendors"), vec![])));
        assert_eq!(
            check(None, &["Generic", "mirai", "Heodo", "Mirai"], &names),
            Some((text("Mirai"), text("CAPE"), vec![text("Emotet"), text("Gafgyt")]))
        );
        assert_eq!(
            check(Some("Kido"), &["mirai"], &[]),
            Some((text("Conficker"), text("stated in the report"), vec![text("Mirai")]))
        );
        assert_eq!(check(None, &["unknown"], &[("A", "Trojan.Agent.b")]), None);
    }
}
