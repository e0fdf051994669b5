//! Behavior types as numbers. Millions of windows have some hundred thousand types, and comparing, storing
//! and sorting numbers costs a fraction of what names cost. Names are computed on demand.

use std::sync::Arc;

use foldhash::fast::FixedState;
use indexmap::IndexMap;
use smallvec::SmallVec;

use crate::packet::AddressSpace;

use super::canonical::upper_end;
use super::facets;
use super::reduction::Reducer;
use super::single_probe::SingleProbes;
use super::{
    Behavior, Names, OpenWindow, PacketsPerDestination, Parameters, Ports, Probe, Profile, ProtocolSet,
    SourcePortUse, Transition,
};

/// Numbers behavior types in the order in which they first occur. Memory: about 80 bytes per type, and at
/// most 4 MiB for the types of windows with one probe.
pub struct Types {
    space: Arc<AddressSpace>,
    reducer: Reducer,
    singles: SingleProbes,
    list: TypeList,
    /// Buffer for a key of `list`.
    key: Vec<u8>,
}

/// The numbered types. Each has the parameters beyond the type that its first window had.
#[derive(Clone, Debug)]
pub struct TypeList {
    profile: Profile,
    /// Two keys of one profile are equal if and only if the canonical strings are.
    types: IndexMap<KeyBytes, ShapeFields, FixedState>,
}

/// The parameters that determine a type: the upper ends of the bins of source ports, packets, destination
/// ports and destinations; transition, ports and protocol.
type TypeKey = ([u64; 4], Transition, Ports, ProtocolSet);

/// A [`TypeKey`] encoded by postcard, which takes a third of the memory. Nearly all keys fit 16 bytes.
type KeyBytes = SmallVec<[u8; 16]>;

/// The parameters that shape and pattern need and the type does not contain. Windows of one type can differ
/// in them.
#[derive(Clone, Copy, Debug)]
struct ShapeFields {
    packets_per_destination: PacketsPerDestination,
    source_port_use: SourcePortUse,
    ports_follow_destinations: bool,
    ports_ephemeral: bool,
}

impl Types {
    /// Creates an empty numbering. Destinations are ranked in `space`.
    #[must_use]
    pub fn new(profile: Profile, space: AddressSpace) -> Types {
        Types {
            space: Arc::new(space),
            reducer: Reducer::default(),
            singles: SingleProbes::default(),
            list: TypeList { profile, types: IndexMap::default() },
            key: Vec::new(),
        }
    }

    /// Ranks the destinations of all further windows in another space.
    pub fn rank_in(&mut self, space: &Arc<AddressSpace>) {
        self.space = Arc::clone(space);
    }

    /// Returns the types that were numbered.
    #[must_use]
    pub fn into_list(self) -> TypeList {
        self.list
    }

    /// Returns the number by which histories identify the type at a place of the list
    /// ([`BehaviorId::number`]).
    ///
    /// [`BehaviorId::number`]: super::BehaviorId::number
    #[must_use]
    pub fn history_number(&self, place: usize) -> u64 {
        let parameters = self.list.get(place);
        parameters.map_or(0, |parameters| self.list.behavior(&parameters).id.number())
    }

    /// Returns the number of the type of a closed window.
    #[inline]
    pub fn of_window(&mut self, window: &OpenWindow) -> u32 {
        match window.probes.single() {
            Some((probe, count)) if count == window.packets => self.of_single(probe, count),
            _ => self.of_probes(window.probes.iter(), window.packets),
        }
    }

    /// Calls `sink` for each facet of a window, with the number of its type, its packet count and its first probe.
    /// Facets with the most packets come first.
    pub fn of_facets(&mut self, window: &OpenWindow, sink: &mut dyn FnMut(u32, u64, &Probe)) {
        for facet in facets::split(&window.probes, self.list.profile.facets_max) {
            let number = match facet.probes.as_slice() {
                [(probe, packets)] => self.of_single(probe, *packets),
                probes => {
                    self.of_probes(probes.iter().map(|(probe, packets)| (probe, *packets)), facet.packets)
                }
            };
            if let Some((first, _)) = facet.probes.first() {
                sink(number, facet.packets, first);
            }
        }
    }

    #[inline]
    fn of_single(&mut self, probe: &Probe, packets: u64) -> u32 {
        let exact_counts_max = self.list.profile.exact_counts_max;
        if let Some(number) = self.singles.get(probe, packets, exact_counts_max) {
            return number;
        }
        let number = self.of_probes(std::iter::once((probe, packets)), packets);
        self.singles.insert(probe, packets, exact_counts_max, number);
        number
    }

    fn of_probes<'a>(&mut self, probes: impl Iterator<Item = (&'a Probe, u64)>, packets: u64) -> u32 {
        let parameters = self.reducer.reduce(probes, packets, &self.space, &self.list.profile);
        self.list.number(&parameters, &mut self.key)
    }
}

impl TypeList {
    /// Returns the number of types.
    #[must_use]
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Returns whether there is no type.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// Returns the parameters of all types, in the order of their numbers. Counts are the upper ends of their
    /// bins; the parameters that the type does not determine are those of its first window.
    pub fn iter(&self) -> impl Iterator<Item = Parameters> + '_ {
        self.types.iter().filter_map(|(key, shape)| parameters(key, *shape))
    }

    /// Returns the parameters of the type with a number; see [`iter`](TypeList::iter).
    #[must_use]
    pub fn get(&self, number: usize) -> Option<Parameters> {
        self.types.get_index(number).and_then(|(key, shape)| parameters(key, *shape))
    }

    /// Returns the behavior type of parameters.
    #[must_use]
    pub fn behavior(&self, parameters: &Parameters) -> Behavior {
        Behavior::of_type(parameters, &self.profile)
    }

    /// Returns type, shape and pattern of parameters, by the profile of the list.
    #[must_use]
    pub fn names(&self, parameters: &Parameters) -> Names {
        Names::of(parameters, &self.profile)
    }

    /// Returns the number of the type of parameters, and adds the type if it is new. `key` is a buffer.
    fn number(&mut self, parameters: &Parameters, key: &mut Vec<u8>) -> u32 {
        write_key(parameters, &self.profile, key);
        let number = self.types.get_index_of(key.as_slice()).unwrap_or_else(|| {
            let shape = ShapeFields {
                packets_per_destination: parameters.packets_per_destination,
                source_port_use: parameters.source_port_use,
                ports_follow_destinations: parameters.ports_follow_destinations,
                ports_ephemeral: parameters.ports_ephemeral,
            };
            self.types.insert_full(key.as_slice().into(), shape).0
        });
        u32::try_from(number).unwrap_or(u32::MAX)
    }
}

/// Replaces the content of `key` by the encoded [`TypeKey`] of parameters.
fn write_key(parameters: &Parameters, profile: &Profile, key: &mut Vec<u8>) {
    let Parameters { source_ports, packets, destination_ports, destinations, .. } = parameters;
    let counts = [*source_ports, *packets, *destination_ports, *destinations]
        .map(|count| upper_end(count, profile.exact_counts_max));
    key.clear();
    let fields = (counts, parameters.transition, &parameters.ports, &parameters.protocol);
    // Writing to a vector never fails.
    *key = postcard::to_extend(&fields, std::mem::take(key)).unwrap_or_default();
}

/// Returns the parameters of a type by its key and the parameters that the key lacks.
fn parameters(key: &[u8], shape: ShapeFields) -> Option<Parameters> {
    let (counts, transition, ports, protocol): TypeKey = postcard::from_bytes(key).ok()?;
    let [source_ports, packets, destination_ports, destinations] = counts;
    let ShapeFields { packets_per_destination, source_port_use, ports_follow_destinations, ports_ephemeral } =
        shape;
    Some(Parameters {
        source_ports,
        packets,
        destination_ports,
        destinations,
        transition,
        ports,
        protocol,
        packets_per_destination,
        source_port_use,
        ports_follow_destinations,
        ports_ephemeral,
    })
}
