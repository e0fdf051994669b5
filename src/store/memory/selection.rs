//! Which sightings of a history in memory a question selects.

use jiff::civil::Date;

use crate::history::{BehaviorFilter, Filter, Granularity, Scope, SightingCounts, TypeFilter};

use super::sighting_maps::SightingKey;
use super::{MemoryStore, SensorData};

impl MemoryStore {
    /// Returns the sightings of a selection, from closed and open windows.
    pub(super) fn selected<'a>(
        &'a self,
        kept: &'a SensorData,
        selection: &'a BehaviorFilter,
    ) -> impl Iterator<Item = (&'a SightingKey, &'a SightingCounts)> {
        kept.sightings().filter(move |(key, _)| {
            (selection.facets || key.scope == Scope::Whole) && self.matches_behavior(key.number, selection)
        })
    }

    pub(super) fn matches_behavior(&self, number: u64, selection: &BehaviorFilter) -> bool {
        self.types.get(&number).is_some_and(|record| match selection.granularity {
            Granularity::Type => record.behavior.id == selection.id,
            Granularity::Shape => record.shape.id == selection.id,
            Granularity::Pattern => record.pattern.id == selection.id,
        })
    }

    /// Returns whether a filter selects the sightings of a type, scope and day.
    pub(super) fn matches_filter(&self, filter: &Filter<'_>, number: u64, scope: Scope, day: Date) -> bool {
        filter.has_day(day)
            && (scope == Scope::Whole || filter.types.includes_facets())
            && self.matches_types(number, &filter.types)
    }

    /// Returns whether a filter's types include a type.
    pub(super) fn matches_types(&self, number: u64, types: &TypeFilter<'_>) -> bool {
        let record = self.types.get(&number);
        match types {
            TypeFilter::All => true,
            TypeFilter::Behavior(selection) => self.matches_behavior(number, selection),
            TypeFilter::Numbers(listed) => listed.binary_search(&number).is_ok(),
            TypeFilter::Service(protocol, port) => {
                record.is_some_and(|record| record.parameters.is_service(*protocol, *port))
            }
            TypeFilter::Protocol(protocol) => {
                record.is_some_and(|record| record.parameters.only_protocol() == Some(*protocol))
            }
            TypeFilter::Predicate(passes, _) => record.is_some_and(|record| passes(&record.parameters)),
        }
    }
}
