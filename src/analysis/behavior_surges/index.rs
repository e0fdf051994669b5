//! The behaviors that the types of a history belong to.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::behavior::{Behavior as Name, BehaviorId, Parameters, Profile};
use crate::history::Granularity;
use crate::packet::Protocol;

use super::SurgeBehavior;

type Map<K, V> = HashMap<K, V, FixedState>;

/// Number of granularities.
pub(super) const GRANULARITY_COUNT: usize = 4;

/// Identifies a behavior.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum SeriesKey {
    /// A type, by its number in the history.
    Type(u64),
    Shape(BehaviorId),
    Pattern(BehaviorId),
    Service(Protocol, u16),
}

impl SeriesKey {
    /// Returns the rank of the granularity, 0 for the finest.
    fn coarseness(self) -> usize {
        match self {
            SeriesKey::Type(_) => 0,
            SeriesKey::Shape(_) => 1,
            SeriesKey::Pattern(_) => 2,
            SeriesKey::Service(..) => 3,
        }
    }

    /// Returns the behavior of this granularity that windows with these parameters have.
    fn behavior(self, parameters: &Parameters, profile: &Profile) -> SurgeBehavior {
        let (granularity, name) = match self {
            SeriesKey::Service(protocol, port) => return SurgeBehavior::Service(protocol, port),
            SeriesKey::Type(_) => (Granularity::Type, Name::of_type(parameters, profile)),
            SeriesKey::Shape(_) => (Granularity::Shape, Name::of_shape(parameters, profile)),
            SeriesKey::Pattern(_) => (Granularity::Pattern, Name::of_pattern(parameters, profile)),
        };
        SurgeBehavior::Named(granularity, name.id, name.canonical)
    }
}

/// The behaviors that types belong to, each with its index. It is built once for all sensors.
#[derive(Default)]
pub struct BehaviorIndex {
    /// Each behavior with the number of one of its types.
    behaviors: Vec<(SeriesKey, u64)>,
    places: Map<SeriesKey, usize>,
    /// For each type number, the indices of its shape, pattern and service; a type with several services has
    /// no service here.
    coarser: Map<u64, [Option<usize>; 3]>,
}

impl BehaviorIndex {
    /// Returns whether the type with a number was added.
    #[must_use]
    pub fn has_type(&self, number: u64) -> bool {
        self.coarser.contains_key(&number)
    }

    /// Adds a type by its number and parameters.
    pub fn add_type(&mut self, number: u64, parameters: &Parameters, profile: &Profile) {
        let shape = SeriesKey::Shape(Name::of_shape(parameters, profile).id);
        let pattern = SeriesKey::Pattern(Name::of_pattern(parameters, profile).id);
        let service = parameters.service().map(|(protocol, port)| SeriesKey::Service(protocol, port));
        let coarser = [Some(shape), Some(pattern), service];
        let places = coarser.map(|key| key.map(|key| self.index_of(key, number)));
        self.coarser.insert(number, places);
    }

    /// Returns the number of one of the types of the behavior at an index.
    #[must_use]
    pub fn member(&self, place: usize) -> u64 {
        self.behaviors[place].1
    }

    /// Returns the behavior at an index with its name, which follows from the parameters of any of its types.
    #[must_use]
    pub fn behavior(&self, place: usize, parameters: &Parameters, profile: &Profile) -> SurgeBehavior {
        self.behaviors[place].0.behavior(parameters, profile)
    }

    /// Returns the indices of the shape, pattern and service of a known type.
    pub(super) fn coarser(&self, number: u64) -> impl Iterator<Item = usize> + use<> {
        self.coarser.get(&number).copied().into_iter().flatten().flatten()
    }

    pub(super) fn index_of(&mut self, key: SeriesKey, number: u64) -> usize {
        *self.places.entry(key).or_insert_with(|| {
            self.behaviors.push((key, number));
            self.behaviors.len() - 1
        })
    }

    pub(super) fn coarseness(&self, place: usize) -> usize {
        self.behaviors[place].0.coarseness()
    }
}
