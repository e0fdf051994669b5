//! Names that are worked out once: millions of windows have some hundred thousand types.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use crate::event::{AddressSpace, Protocol, TcpFlags};

use super::canonical::binned;
use super::fingerprint::facets;
use super::{Behavior, Facet, Fingerprint, OpenWindow, Parameters, Probe, Profile};

/// What parameters are called at each granularity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// The behavior type.
    pub behavior: Behavior,
    /// The shape.
    pub shape: Behavior,
    /// The family.
    pub family: Behavior,
}

impl Names {
    /// The names of parameters.
    #[must_use]
    pub fn of(parameters: &Parameters, profile: &Profile) -> Names {
        Names {
            behavior: Behavior::of_type(parameters, profile),
            shape: Behavior::of_shape(parameters, profile),
            family: Behavior::of_family(parameters, profile),
        }
    }
}

/// Packets of a one-probe window up to which its names are remembered by themselves.
const PACKETS_MAX: u64 = 64;
/// Names remembered of each kind. At the limit all are forgotten, and worked out again as they come.
const REMEMBERED_MAX: usize = 1 << 20;

/// All that the parameters of a window with one probe depend on: equal ones have equal parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Single {
    protocol: Protocol,
    flags: Option<TcpFlags>,
    has_source_port: bool,
    destination_port: Option<u16>,
    packets: u8,
}

impl Single {
    /// Of a window with one probe and no more than a few packets; `None` for any other.
    #[must_use]
    pub fn of(window: &OpenWindow) -> Option<Single> {
        let (probe, count) = window.probes.single()?;
        Some(Single {
            protocol: probe.protocol,
            flags: probe.flags,
            has_source_port: probe.source_port.is_some(),
            destination_port: probe.destination_port,
            packets: u8::try_from(count).ok().filter(|_| count == window.packets && count <= PACKETS_MAX)?,
        })
    }
}

/// Fingerprints windows and remembers names. It answers what [`fingerprint`](super::fingerprint()) does.
pub struct Namer {
    profile: Profile,
    space: AddressSpace,
    singles: HashMap<Single, Arc<Facet>, FixedState>,
    /// By parameters with their counts binned: those of one bin share their names.
    names: HashMap<Parameters, Arc<Names>, FixedState>,
}

impl Namer {
    /// A namer that remembers nothing yet. Destinations are ranked in `space`.
    #[must_use]
    pub fn new(profile: Profile, space: AddressSpace) -> Namer {
        Namer { profile, space, singles: HashMap::default(), names: HashMap::default() }
    }

    /// Reduces a closed window.
    pub fn fingerprint(&mut self, window: &OpenWindow) -> Fingerprint {
        let (whole, facets) = match (Single::of(window), window.probes.single()) {
            (Some(key), Some((probe, count))) => (self.single(key, probe, count), Vec::new()),
            _ => {
                let parameters =
                    Parameters::of(window.probes.iter(), window.packets, &self.space, &self.profile);
                let facets = facets(window.probes.iter(), &self.space, &self.profile);
                (
                    Arc::new(self.facet(parameters)),
                    facets.into_iter().map(|parameters| self.facet(parameters)).collect(),
                )
            }
        };
        Fingerprint {
            source: window.source,
            start: window.start,
            end: window.end,
            whole,
            facets,
            saturated: window.saturated,
        }
    }

    fn single(&mut self, key: Single, probe: &Probe, packets: u64) -> Arc<Facet> {
        if let Some(known) = self.singles.get(&key) {
            return Arc::clone(known);
        }
        let parameters =
            Parameters::of(std::iter::once((probe, packets)), packets, &self.space, &self.profile);
        let facet = Arc::new(self.facet(parameters));
        if self.singles.len() >= REMEMBERED_MAX {
            self.singles.clear();
        }
        self.singles.insert(key, Arc::clone(&facet));
        facet
    }

    fn facet(&mut self, parameters: Parameters) -> Facet {
        let binned = binned(&parameters, &self.profile);
        if let Some(names) = self.names.get(&binned) {
            return Facet { parameters, names: Arc::clone(names) };
        }
        let names = Arc::new(Names::of(&parameters, &self.profile));
        if self.names.len() >= REMEMBERED_MAX {
            self.names.clear();
        }
        self.names.insert(binned, Arc::clone(&names));
        Facet { parameters, names }
    }
}
