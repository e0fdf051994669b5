//! A closed window with its names: type, shape, family, and its facets.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::event::{AddressSpace, Timestamp};

use super::facets::Facets;
use super::known_names::KnownNames;
use super::reduction::Reduction;
use super::{Names, OpenWindow, Parameters, Profile};

/// What one (protocol, destination port) pair of a window would be as a window of its own: a small sensor sees
/// of a bot that scans 23 and 2323 only one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facet {
    /// The parameters of the pair's packets alone.
    pub parameters: Parameters,
    /// What they are called.
    pub names: Names,
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

/// Reduces one closed window; where numbers will do, [`Types`](super::Types) is quicker. Destinations are ranked in
/// `space`.
#[must_use]
pub fn fingerprint(window: &OpenWindow, space: &AddressSpace, profile: &Profile) -> Fingerprint {
    Fingerprinter::default().of(window, space, profile)
}

/// Reduces closed windows by one profile, one after the other: its memory serves again, and it knows the names of parameters
/// that it met.
#[derive(Default)]
pub struct Fingerprinter {
    reduction: Reduction,
    facets: Facets,
    known: KnownNames,
}

impl Fingerprinter {
    /// See [`fingerprint`].
    pub fn of(&mut self, window: &OpenWindow, space: &AddressSpace, profile: &Profile) -> Fingerprint {
        let Fingerprinter { reduction, facets: parts, known } = self;
        let mut facet = |parameters: Parameters| Facet { names: known.of(&parameters, profile), parameters };
        let whole = facet(reduction.of(window.probes.iter(), window.packets, space, profile));
        let mut facets = Vec::new();
        parts.each(&window.probes, profile.facets_max, &mut |probes, packets| {
            let probes = probes.iter().map(|(probe, count)| (probe, *count));
            facets.push(facet(reduction.of(probes, packets, space, profile)));
        });
        Fingerprint {
            source: window.source,
            start: window.start,
            end: window.end,
            whole,
            facets,
            saturated: window.saturated,
        }
    }
}
