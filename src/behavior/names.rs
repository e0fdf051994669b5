//! Names that are worked out once: millions of windows have some hundred thousand types.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use crate::event::{AddressSpace, Protocol, TcpFlags};

use super::canonical::binned;
use super::fingerprint::facets;
use super::{Behavior, Facet, Fingerprint, OpenWindow, Parameters, Profile};

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

/// Packets of a one-probe window up to which windows like it are told by their probe alone.
const PACKETS_MAX: u64 = 64;
/// Names remembered. At the limit all are forgotten, and worked out again as they come.
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
    /// By parameters with their counts binned: those of one bin share their names.
    names: HashMap<Parameters, Arc<Names>, FixedState>,
}

impl Namer {
    /// A namer that remembers nothing yet. Destinations are ranked in `space`.
    #[must_use]
    pub fn new(profile: Profile, space: AddressSpace) -> Namer {
        Namer { profile, space, names: HashMap::default() }
    }

    /// Reduces a closed window.
    pub fn fingerprint(&mut self, window: &OpenWindow) -> Fingerprint {
        let whole = Parameters::of(window.probes.iter(), window.packets, &self.space, &self.profile);
        let facets = facets(window.probes.iter(), &self.space, &self.profile);
        Fingerprint {
            source: window.source,
            start: window.start,
            end: window.end,
            whole: self.facet(whole),
            facets: facets.into_iter().map(|parameters| self.facet(parameters)).collect(),
            saturated: window.saturated,
        }
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
