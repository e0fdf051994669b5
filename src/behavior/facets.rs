//! Splits the probes of a window into facets, one per protocol and destination port.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::packet::Protocol;

use super::{Probe, Probes};

/// The probes of a window that share protocol and destination port.
#[derive(Default)]
pub(super) struct FacetProbes {
    /// The probes in order of first appearance, each with its packet count.
    pub(super) probes: Vec<(Probe, u64)>,
    /// The packet count of all probes.
    pub(super) packets: u64,
}

/// Returns the facets of a window, those with the most packets first, and at most `most` of them. A window
/// with a single protocol and destination port has no facets.
pub(super) fn split(probes: &Probes, most: usize) -> Vec<FacetProbes> {
    let service = |probe: &Probe| (probe.protocol(), probe.destination_port());
    let first = probes.get(0).map(service);
    if probes.iter().all(|(probe, _)| Some(service(probe)) == first) {
        return Vec::new();
    }
    let mut by_service: BTreeMap<(Protocol, Option<u16>), FacetProbes> = BTreeMap::new();
    for (probe, packets) in probes.iter() {
        let facet = by_service.entry(service(probe)).or_default();
        facet.probes.push((*probe, packets));
        facet.packets = facet.packets.saturating_add(packets);
    }
    let mut facets: Vec<FacetProbes> = by_service.into_values().collect();
    // The sort is stable, so that facets with equally many packets stay in the order of their services.
    facets.sort_by_key(|facet| Reverse(facet.packets));
    facets.truncate(most);
    facets
}
