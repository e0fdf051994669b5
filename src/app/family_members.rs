//! Use case: the samples that a history keeps, by malware family.

use std::collections::{BTreeMap, BTreeSet};

use crate::rules::Rules;
use crate::sample::{
    FamilyBasis, FamilyMember, FamilyRenames, FamilyScan, LikenessGraph, MalwareFamily, PooledScan,
    SampleFamily, Scan, StaticFeatures, StaticNeighbour, pool_scans,
};
use crate::store::HistoryStore;

use super::AppError;
use super::history::kept_samples;
use super::sample_family::family_of_report;
use super::sandbox::LoadedSample;

/// Returns the families of the samples that a history keeps, by name. Families without a name come last.
///
/// # Errors
/// When the history cannot be read, or a report no longer fits the schema.
pub fn families(store: &dyn HistoryStore, rules: &Rules) -> Result<Vec<MalwareFamily>, AppError> {
    let (samples, renames) = (kept_samples(store)?, store.family_renames()?);
    let mut by_name: BTreeMap<(bool, String), MalwareFamily> = BTreeMap::new();
    for member in members(&samples, &renames, rules) {
        let SampleFamily { name, is_named, .. } = member.family.clone();
        let family = by_name.entry((!is_named, name.to_lowercase()));
        let family = family.or_insert_with(|| MalwareFamily {
            name,
            is_named,
            members: Vec::new(),
            scans: Vec::new(),
        });
        family.members.push(member);
    }
    let mut families: Vec<MalwareFamily> = by_name.into_values().collect();
    for family in &mut families {
        family.scans = family_scans(family, &samples);
    }
    Ok(families)
}

/// Returns the scans of all runs of a family's samples, pooled where they do not differ.
fn family_scans(family: &MalwareFamily, samples: &[LoadedSample]) -> Vec<FamilyScan> {
    let (mut ids, mut scans) = (Vec::new(), Vec::new());
    for member in &family.members {
        let sample = samples.iter().find(|sample| sample.profile.id == member.id);
        for run in sample.into_iter().flat_map(|sample| sample.profile.each_run()) {
            if let Some(scan) = Scan::infer(run) {
                ids.push(member.id.as_str());
                scans.push(scan);
            }
        }
    }
    let mut all = Vec::new();
    for PooledScan { runs, scan, differences } in pool_scans(&scans) {
        let samples: BTreeSet<&str> = runs.iter().map(|run| ids[*run]).collect();
        let samples = samples.into_iter().map(str::to_owned).collect();
        all.push(FamilyScan { samples, runs: runs.len(), targets: scan.targets, differences });
    }
    all
}

/// Returns each sample with its family, in the order of the samples. Where nothing names the family of a sample, a
/// sample that is statically alike gives it; without such a sample, the sample is a family of its own.
#[must_use]
pub fn members(samples: &[LoadedSample], renames: &FamilyRenames, rules: &Rules) -> Vec<FamilyMember> {
    let own_family =
        |sample: &LoadedSample| renamed(family_of_report(&sample.report, rules), sample, renames);
    let mut families: Vec<Option<SampleFamily>> = samples.iter().map(own_family).collect();
    let names: Vec<Option<String>> =
        families.iter().map(|family| family.as_ref().map(|family| family.name.clone())).collect();
    let features: Vec<(&StaticFeatures, Option<&str>)> =
        samples.iter().zip(&names).map(|(sample, name)| (&sample.report.features, name.as_deref())).collect();
    let graph = LikenessGraph::of(&features);
    name_by_likeness(samples, &graph, &names, &mut families);
    let neighbours = |sample| neighbours(sample, samples, &graph, &families);
    let mut members = Vec::new();
    for (at, (sample, family)) in samples.iter().zip(&families).enumerate() {
        let mut family = family.clone().unwrap_or_else(|| SampleFamily::unnamed(&sample.profile.id));
        let neighbours: Vec<StaticNeighbour> = neighbours(at);
        for neighbour in &neighbours {
            let is_new = |known: &String| !known.eq_ignore_ascii_case(&neighbour.family);
            let is_named = !neighbour.family.starts_with("unnamed-");
            if is_named && is_new(&family.name) && family.disagreeing.iter().all(is_new) {
                family.disagreeing.push(neighbour.family.clone());
            }
        }
        members.push(FamilyMember {
            id: sample.profile.id.clone(),
            title: sample.report.title(),
            windows: sample.profile.windows.len(),
            date: sample.report.reference_date().map(|(date, _)| date),
            family,
            neighbours,
        });
    }
    members
}

/// Returns a sample's family with the name that the user gave it. A family that nothing else names can be
/// named by the user as well.
fn renamed(
    family: Option<SampleFamily>,
    sample: &LoadedSample,
    renames: &FamilyRenames,
) -> Option<SampleFamily> {
    let of_name = |name: &str| renames.of(name).map(|rename| rename.to.clone());
    let Some(mut family) = family else {
        let unnamed = SampleFamily::unnamed(&sample.profile.id);
        let name = of_name(&unnamed.name)?;
        return Some(SampleFamily { name, is_named: true, basis: FamilyBasis::User, ..unnamed });
    };
    if let Some(name) = of_name(&family.name) {
        family.name = name;
    }
    for other in &mut family.disagreeing {
        *other = of_name(other).unwrap_or_else(|| other.clone());
    }
    family.disagreeing.retain(|other| !other.eq_ignore_ascii_case(&family.name));
    Some(family)
}

/// Assigns a family to each sample that nothing names. A similar sample with a name gives it; if a component of the
/// graph has no name at all, its samples form one family, which is called after the first of them.
fn name_by_likeness(
    samples: &[LoadedSample],
    graph: &LikenessGraph,
    names: &[Option<String>],
    families: &mut [Option<SampleFamily>],
) {
    let sources = graph.name_sources(names);
    let id = |sample: usize| samples[sample].profile.id.as_str();
    // A name comes from the sample at the end of the chain of sources.
    let origin = |mut sample: usize| {
        while let Some(source) = sources[sample] {
            sample = source;
        }
        sample
    };
    let is_unnamed = |sample: usize| names[origin(sample)].is_none();
    let first = graph.components(&is_unnamed);
    for sample in 0..samples.len() {
        let (source, name) = match (&names[sample], sources[sample]) {
            (Some(_), _) => continue,
            (None, Some(source)) => (source, names[origin(sample)].clone().unwrap_or_default()),
            (None, None) if first[sample] == sample => {
                families[sample] = Some(SampleFamily::unnamed(id(sample)));
                continue;
            }
            (None, None) => {
                let near = graph.neighbours(sample);
                let same = near.iter().find(|(other, _)| first[*other] == first[sample]);
                (same.map_or(sample, |(other, _)| *other), SampleFamily::unnamed(id(first[sample])).name)
            }
        };
        let near = graph.neighbours(sample);
        let reasons = near.iter().find(|(other, _)| *other == source).map(|(_, reasons)| *reasons);
        let reasons = reasons.unwrap_or_default().iter().map(ToString::to_string).collect();
        let basis = FamilyBasis::Likeness(StaticNeighbour {
            sample: id(source).to_owned(),
            family: name.clone(),
            reasons,
        });
        let is_named = !is_unnamed(sample);
        families[sample] = Some(SampleFamily { name, is_named, basis, disagreeing: Vec::new() });
    }
}

fn neighbours(
    sample: usize,
    samples: &[LoadedSample],
    graph: &LikenessGraph,
    families: &[Option<SampleFamily>],
) -> Vec<StaticNeighbour> {
    let neighbour = |(other, reasons): (usize, &[crate::sample::LikenessReason])| StaticNeighbour {
        sample: samples[other].profile.id.clone(),
        family: families[other].as_ref().map(|family| family.name.clone()).unwrap_or_default(),
        reasons: reasons.iter().map(ToString::to_string).collect(),
    };
    graph.neighbours(sample).into_iter().map(neighbour).collect()
}
