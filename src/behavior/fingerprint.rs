//! A closed window with its names: type, shape, family, and its facets.

use std::net::IpAddr;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::event::{AddressSpace, Protocol, Timestamp};

use super::{Names, OpenWindow, Parameters, Probe, Profile};

/// What one (protocol, destination port) pair of a window would be as a window of its own: a small sensor sees
/// of a bot that scans 23 and 2323 only one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facet {
    /// The parameters of the pair's packets alone.
    pub parameters: Parameters,
    /// What they are called.
    pub names: Arc<Names>,
}

/// A window of one host, reduced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The host.
    pub source: IpAddr,
    /// Time of its first packet; `None` in a log without times.
    pub start: Option<Timestamp>,
    /// Time of its last packet.
    pub end: Option<Timestamp>,
    /// The whole window.
    pub whole: Facet,
    /// Its (protocol, port) pairs, those of most packets first; empty where there is only one pair.
    pub facets: Vec<Facet>,
    /// Whether distinct counts are lower bounds.
    pub saturated: bool,
}

/// Reduces one closed window; for many, a [`Namer`](super::Namer) remembers names. Destinations are ranked in `space`.
#[must_use]
pub fn fingerprint(window: &OpenWindow, space: &AddressSpace, profile: &Profile) -> Fingerprint {
    let facet =
        |parameters: Parameters| Facet { names: Arc::new(Names::of(&parameters, profile)), parameters };
    let whole = Parameters::of(window.probes.iter(), window.packets, space, profile);
    Fingerprint {
        source: window.source,
        start: window.start,
        end: window.end,
        whole: facet(whole),
        facets: facets(window.probes.iter(), space, profile).into_iter().map(facet).collect(),
        saturated: window.saturated,
    }
}

/// The parameters of each (protocol, port) pair, those of most packets first; none where there is only one pair.
pub(super) fn facets<'a>(
    probes: impl Iterator<Item = (&'a Probe, u64)>,
    space: &AddressSpace,
    profile: &Profile,
) -> Vec<Parameters> {
    type Pair = (Protocol, Option<u16>);
    type Counted<'a> = Vec<(&'a Probe, u64)>;
    let mut pairs: IndexMap<Pair, Counted<'_>, foldhash::fast::FixedState> = IndexMap::default();
    for (probe, count) in probes {
        pairs.entry((probe.protocol, probe.destination_port)).or_default().push((probe, count));
    }
    if pairs.len() < 2 {
        return Vec::new();
    }
    let mut counted: Vec<(u64, Pair, Counted<'_>)> = pairs
        .into_iter()
        .map(|(pair, probes)| (probes.iter().map(|(_, count)| count).sum(), pair, probes))
        .collect();
    counted.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    counted.truncate(profile.facets_max);
    counted
        .into_iter()
        .map(|(packets, _, probes)| Parameters::of(probes.into_iter(), packets, space, profile))
        .collect()
}
