//! The fingerprint of a closed window: type, shape and pattern, for the whole window and for each facet.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::packet::{AddressSpace, Timestamp};

use super::facets;
use super::known_names::KnownNames;
use super::reduction::Reducer;
use super::{Names, OpenWindow, Parameters, ProbeSignature, Profile};

/// Parameters and names of a window, or of one (protocol, destination port) pair of it. A pair is treated as
/// a window of its own because a small sensor may see only one port of a bot that scans 23 and 2323.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facet {
    /// The parameters of the packets.
    pub parameters: Parameters,
    /// Type, shape and pattern of the parameters.
    pub names: Names,
    /// How the host built these probes; `None` if no packet begins a contact, or nothing of it is known.
    #[serde(default)]
    pub signature: Option<ProbeSignature>,
}

/// The result of reducing one window of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The source host.
    pub source: IpAddr,
    /// Time of the first packet; `None` in a log without times.
    pub start: Option<Timestamp>,
    /// Time of the last packet; `None` in a log without times.
    pub end: Option<Timestamp>,
    /// Parameters and names of the whole window.
    pub whole: Facet,
    /// The window's (protocol, port) pairs, those with the most packets first; empty if there is only one
    /// pair.
    pub facets: Vec<Facet>,
    /// Whether the window is saturated, so that its distinct counts are lower bounds.
    pub saturated: bool,
}

/// Returns the fingerprint of one closed window. Destinations are ranked in `space`. Where the number of the
/// type suffices, [`Types`](super::Types) is faster.
#[must_use]
pub fn fingerprint(window: &OpenWindow, space: &AddressSpace, profile: &Profile) -> Fingerprint {
    Fingerprinter::default().of(window, space, profile)
}

/// Computes the fingerprints of closed windows, all by the same profile. Names that were computed before
/// are looked up.
#[derive(Default)]
pub struct Fingerprinter {
    reducer: Reducer,
    known: KnownNames,
}

impl Fingerprinter {
    /// Returns the fingerprint of a window; see [`fingerprint`].
    pub fn of(&mut self, window: &OpenWindow, space: &AddressSpace, profile: &Profile) -> Fingerprint {
        let Fingerprinter { reducer, known } = self;
        let mut facet = |parameters: Parameters, signature| Facet {
            names: known.of(&parameters, profile),
            parameters,
            signature,
        };
        let whole =
            facet(reducer.reduce(window.probes.iter(), window.packets, space, profile), window.signature());
        let facets = facets::split(&window.probes, profile.facets_max)
            .into_iter()
            .map(|part| {
                let probes = part.probes.iter().map(|(probe, packets)| (probe, *packets));
                let signature = part.probes.first().and_then(|(first, _)| window.service_signature(first));
                facet(reducer.reduce(probes, part.packets, space, profile), signature)
            })
            .collect();
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
