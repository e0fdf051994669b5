//! The types of a behavior: an index by shape, pattern, service and protocol, which grows with the history.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::behavior::{Behavior, BehaviorId, Parameters, Profile};
use crate::history::{BehaviorFilter, Filter, Granularity, TypeFilter};
use crate::packet::Protocol;
use crate::store::StoreError;

use super::catalog::{self, SegmentEntry};
use super::count_rows::{COUNTS, types_of_segment};
use super::open_segments::OpenSegments;
use super::{LocalStore, type_rows};

/// An index of the types of a history, which several stores that are opened to read can share.
#[derive(Clone, Debug, Default)]
pub struct TypeIndex(Arc<Mutex<IndexedTypes>>);

/// The types of each shape, pattern, service and protocol. The types of segments of counts are added when a state of the
/// history is first asked that has them. A type with several services or protocols is missing from that index. Types are
/// never removed, so an index may have types of a later state of the history, which earlier segments lack. Memory: at most
/// 88 bytes per type.
#[derive(Debug, Default)]
struct IndexedTypes {
    shapes: TypesByKey<BehaviorId>,
    patterns: TypesByKey<BehaviorId>,
    services: TypesByKey<(Protocol, u16)>,
    protocols: TypesByKey<Protocol>,
    /// The numbers of the types in these indexes, ascending.
    numbers: Vec<u64>,
    /// The paths of the segments of counts whose types are in these indexes.
    segments: HashSet<String>,
}

/// Keys with the numbers of their types, ascending.
#[derive(Debug)]
struct TypesByKey<K>(Vec<(K, u64)>);

impl<K> Default for TypesByKey<K> {
    fn default() -> TypesByKey<K> {
        TypesByKey(Vec::new())
    }
}

impl<K: Copy + Ord> TypesByKey<K> {
    /// Adds keys. The sort finds the two ascending runs and merges them.
    fn add(&mut self, mut new: Vec<(K, u64)>) {
        new.sort_unstable();
        self.0.extend(new);
        self.0.sort();
        self.0.dedup();
    }

    fn types(&self, key: K) -> Vec<u64> {
        let first = self.0.partition_point(|(known, _)| *known < key);
        self.0[first..].iter().take_while(|(known, _)| *known == key).map(|(_, number)| *number).collect()
    }
}

/// A state of the catalog: SQLite's counters of changes by other connections and by this one.
pub(super) type CatalogVersion = (i64, u64);

/// Returns the current state of the catalog.
fn catalog_version(connection: &Connection) -> Result<CatalogVersion, StoreError> {
    let others = connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
    Ok((others, connection.total_changes()))
}

impl IndexedTypes {
    /// Adds the types of segments that are new since the last call. The first call adds all types of the catalog, which is
    /// faster than to read all segments.
    fn add_new(
        &mut self,
        connection: &Connection,
        profile: &Profile,
        (folder, open): (&Path, &OpenSegments),
    ) -> Result<(), StoreError> {
        let listed = counts_segments(connection)?;
        let mut new: Vec<(u64, Parameters)> = Vec::new();
        if self.segments.is_empty() {
            type_rows::each_type(connection, &mut |number, parameters| {
                new.push((number, parameters));
                Ok(())
            })?;
        } else {
            let mut numbers: BTreeSet<u64> = BTreeSet::new();
            for segment in listed.iter().filter(|segment| !self.segments.contains(&segment.path)) {
                numbers.extend(types_of_segment(&*open.get(folder, segment, &COUNTS)?)?);
            }
            numbers.retain(|number| self.numbers.binary_search(number).is_err());
            let numbers: Vec<u64> = numbers.into_iter().collect();
            type_rows::each_parameters(connection, &numbers, &mut |number, parameters| {
                new.push((number, parameters));
            })?;
        }
        self.shapes.add(keys_of(&new, |parameters| Some(Behavior::of_shape(parameters, profile).id)));
        self.patterns.add(keys_of(&new, |parameters| Some(Behavior::of_pattern(parameters, profile).id)));
        self.services.add(keys_of(&new, Parameters::service));
        self.protocols.add(keys_of(&new, Parameters::only_protocol));
        self.numbers.extend(new.iter().map(|(number, _)| *number));
        self.numbers.sort_unstable();
        self.numbers.dedup();
        // A store that reads an earlier state does not know the segments of a later one, whose types are here already.
        self.segments.extend(listed.into_iter().map(|segment| segment.path));
        Ok(())
    }
}

fn counts_segments(connection: &Connection) -> Result<Vec<SegmentEntry>, StoreError> {
    let mut listed = catalog::segments(connection, None)?;
    listed.retain(|segment| segment.kind == COUNTS.name);
    Ok(listed)
}

fn keys_of<K>(types: &[(u64, Parameters)], key_of: impl Fn(&Parameters) -> Option<K>) -> Vec<(K, u64)> {
    types.iter().filter_map(|(number, parameters)| Some((key_of(parameters)?, *number))).collect()
}

impl LocalStore {
    /// Returns the indexes, with the types of the state that this store reads.
    fn indexed_types(&self) -> Result<MutexGuard<'_, IndexedTypes>, StoreError> {
        // An index that a thread left half changed has too few segments noted, and is completed.
        let mut types = self.types.0.lock().unwrap_or_else(PoisonError::into_inner);
        let version = catalog_version(&self.connection)?;
        if self.indexed_version.get() != Some(version) {
            types.add_new(&self.connection, &self.profile, (&self.folder, &self.open))?;
            self.indexed_version.set(Some(version));
        }
        Ok(types)
    }

    /// Returns the numbers of the types of a selection, ascending.
    pub(super) fn types_of_behavior(&self, selection: &BehaviorFilter) -> Result<Vec<u64>, StoreError> {
        match selection.granularity {
            Granularity::Type => existing_type(&self.connection, &self.profile, selection.id),
            Granularity::Shape => Ok(self.indexed_types()?.shapes.types(selection.id)),
            Granularity::Pattern => Ok(self.indexed_types()?.patterns.types(selection.id)),
        }
    }

    /// Returns the numbers of the types of a filter, ascending; `None` for all types.
    pub(super) fn types_of_filter(&self, filter: &Filter<'_>) -> Result<Option<Vec<u64>>, StoreError> {
        match &filter.types {
            TypeFilter::All => Ok(None),
            TypeFilter::Behavior(selection) => self.types_of_behavior(selection).map(Some),
            TypeFilter::Numbers(numbers) => Ok(Some(numbers.to_vec())),
            TypeFilter::Service(protocol, port) => {
                Ok(Some(self.indexed_types()?.services.types((*protocol, *port))))
            }
            TypeFilter::Protocol(protocol) => Ok(Some(self.indexed_types()?.protocols.types(*protocol))),
            TypeFilter::Predicate(passes, _) => {
                let mut numbers = Vec::new();
                type_rows::each_type(&self.connection, &mut |number, parameters| {
                    numbers.extend(passes(&parameters).then_some(number));
                    Ok(())
                })?;
                Ok(Some(numbers))
            }
        }
    }
}

/// Returns the number of a type, or nothing if the history does not have the type.
fn existing_type(connection: &Connection, profile: &Profile, id: BehaviorId) -> Result<Vec<u64>, StoreError> {
    let number = id.number();
    let sql = "SELECT EXISTS (SELECT 1 FROM type WHERE number = ?1)";
    let known: bool = connection.prepare_cached(sql)?.query_row([number.cast_signed()], |row| row.get(0))?;
    if !known || type_rows::type_record(connection, profile, number)?.behavior.id != id {
        return Ok(Vec::new());
    }
    Ok(vec![number])
}
