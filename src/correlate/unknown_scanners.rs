//! Scanners that nobody has a sample of: which habits they may have, and how likely they come for which service.
//!
//! Malware that was not caught is drawn from what malware is: it comes for the services that what was caught comes for,
//! some of them often and most of them hardly ever. A sample on a port that many others scan competes with strangers on
//! it; one on a port of its own hardly does.

use std::collections::{BTreeMap, BTreeSet};

use crate::behavior::{BehaviorId, Ports, ProtocolSet};

use super::{Candidate, SeriesTable};

/// Before any sample is known a service is one of so many, as likely as another one.
const SERVICES: f64 = 32.0;
/// That counts for as much as so many samples.
const SERVICES_WEIGHT: f64 = 16.0;

/// A habit that a stranger may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnknownScanner<'a> {
    /// The lines of the habit.
    pub lines: &'a [usize],
    /// How likely a stranger comes for its service, 0 to 1.
    pub service: f64,
}

/// What is scanned: ports, unless they say nothing, and protocols.
type ScannedService<'a> = (Option<&'a Ports>, &'a ProtocolSet);

/// The habits that were seen, each as a stranger's.
#[must_use]
pub fn unknown_scanners<'a>(ledger: &'a SeriesTable, candidates: &[Candidate]) -> Vec<UnknownScanner<'a>> {
    // Samples that scan alike are of one kind of malware, of which one is no further evidence.
    let kinds: BTreeSet<BehaviorId> = candidates.iter().filter_map(main_habit).collect();
    let mut known: BTreeMap<ScannedService<'_>, usize> = BTreeMap::new();
    for kind in &kinds {
        if let Some(line) = ledger.series_of_habit(*kind).first() {
            *known.entry(service(ledger, *line)).or_default() += 1;
        }
    }
    let of = |lines: &'a [usize]| {
        let count = lines.first().and_then(|line| known.get(&service(ledger, *line))).copied().unwrap_or(0);
        UnknownScanner { lines, service: share(count, kinds.len()) }
    };
    ledger.habits().map(of).collect()
}

/// How likely a stranger comes for a service that so many of the kinds known scan. A sample is asked about because it
/// scans what it scans: only others tell how often that is so.
fn share(count: usize, kinds: usize) -> f64 {
    let others = |count: usize| count.saturating_sub(1) as f64;
    (others(count) + SERVICES_WEIGHT / SERVICES) / (others(kinds) + SERVICES_WEIGHT)
}

fn service(ledger: &SeriesTable, line: usize) -> ScannedService<'_> {
    let line = &ledger.series[line];
    // The line of ports that say nothing is that of all of them.
    let ports = (!line.name.is_masked()).then_some(&line.parameters.ports);
    (ports, &line.parameters.protocol)
}

/// The habit that a sample shows most.
fn main_habit(candidate: &Candidate) -> Option<BehaviorId> {
    let mut shares: BTreeMap<BehaviorId, f64> = BTreeMap::new();
    for variant in &candidate.variants {
        variant.shape_shares.iter().for_each(|(habit, share)| {
            *shares.entry(*habit).or_default() += variant.weight * share;
        });
    }
    shares.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(habit, _)| habit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_other_samples_tell_how_often_a_service_is_scanned() {
        assert!((share(1, 1) - 1.0 / SERVICES).abs() < 1e-9);
        assert!((share(0, 1) - share(1, 1)).abs() < 1e-9);
        // Ten samples, each on a port of its own: any one port is less likely than before. Five of ten on one: more.
        assert!(share(1, 10) < share(1, 1) && share(5, 10) > 4.0 * share(1, 10));
        // Of many samples only their shares count.
        assert!((share(300, 1_000) - 0.3).abs() < 0.01);
    }
}
