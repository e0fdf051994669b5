//! Scanning sightings: row groups are decoded on several threads, and what is wanted of them is handed on by one.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use ipnet::IpNet;
use jiff::tz::TimeZone;

use crate::history::Sighting;
use crate::store::StoreError;

use super::day_numbers::Days;
use super::rows::{HOST4, HOST6, any_host, each_sighting};
use super::segment::{RowGroup, Segment};
use super::sorted::rows_of_types;
use super::wanted::Wanted;

/// Threads that decode, at most: beyond a few, the one that the sightings are handed to is the slowest.
const THREADS_MAX: usize = 4;

/// Rows that are decoded and handed on at once. Memory: a thread holds 0.4 MB of columns and 0.4 MB of sightings beside its row
/// group as it lies in the file, less than a megabyte; as many sightings again wait for each thread.
const ROWS_AT_ONCE: usize = 1 << 12;

/// A row group of a segment.
pub(super) type Place = (Arc<Segment>, usize);

/// Hands on a batch of sightings; an error ends the scan.
type BatchSink<'a> = &'a mut dyn FnMut(Vec<Sighting>) -> Result<(), StoreError>;

/// Hands on the sightings of some row groups that are wanted, in no order that means anything.
///
/// # Errors
/// When a row group is damaged, and as `sink` fails.
pub(super) fn scan(
    places: &[Place],
    wanted: &Wanted<'_>,
    zone: &TimeZone,
    sink: &mut dyn FnMut(&Sighting) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = cores.min(THREADS_MAX).min(places.len());
    let mut hand_on = |batch: Vec<Sighting>| batch.iter().try_for_each(&mut *sink);
    if threads < 2 {
        let mut days = Days::new(zone.clone());
        return places.iter().try_for_each(|place| read_group(place, wanted, &mut days, &mut hand_on));
    }
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, batches) = sync_channel(threads);
        for _ in 0..threads {
            let sender = sender.clone();
            let next = &next;
            scope.spawn(move || read_places(places, next, wanted, zone, &sender));
        }
        drop(sender);
        // Once this fails nothing is received any more, and the threads end with their next batch.
        batches.into_iter().try_for_each(|batch| hand_on(batch?))
    })
}

/// Reads those row groups that no other thread took, and sends their sightings, or the error that ends it.
fn read_places(
    places: &[Place],
    next: &AtomicUsize,
    wanted: &Wanted<'_>,
    zone: &TimeZone,
    sender: &SyncSender<Result<Vec<Sighting>, StoreError>>,
) {
    let mut days = Days::new(zone.clone());
    let mut is_awaited = true;
    while is_awaited && let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
        let read = read_group(place, wanted, &mut days, &mut |batch| {
            is_awaited &= sender.send(Ok(batch)).is_ok();
            Ok(())
        });
        if let Err(error) = read {
            // Nobody receives it where another error came first.
            let _ = sender.send(Err(error));
            return;
        }
    }
}

/// Hands on the sightings of a row group that are wanted. Other columns than those of types and hosts are decoded only if these
/// have one that is wanted.
fn read_group(
    (segment, group): &Place,
    wanted: &Wanted<'_>,
    days: &mut Days,
    sink: BatchSink<'_>,
) -> Result<(), StoreError> {
    let group = segment.row_group(*group)?;
    let mut range = 0..group.row_count();
    if let Some(types) = wanted.types {
        range = rows_of_types(&group, types)?;
    }
    if let Some(sources) = wanted.sources
        && !range.is_empty()
        && !has_source(&group, sources)?
    {
        return Ok(());
    }
    // Types come one after the other, so that each is looked up once.
    let mut last: Option<(u64, bool)> = None;
    let mut rows = group.rows(range)?;
    loop {
        let (count, columns) = rows.next(ROWS_AT_ONCE)?;
        if count == 0 {
            return Ok(());
        }
        let mut batch = Vec::new();
        each_sighting(count, &columns, days, &mut |sighting| {
            let type_is_wanted = match last {
                Some((number, is_wanted)) if number == sighting.number => is_wanted,
                _ => wanted.has_type(sighting.number),
            };
            last = Some((sighting.number, type_is_wanted));
            let wants = type_is_wanted
                && wanted.has_scope(sighting.scope)
                && wanted.has_day(sighting.day)
                && wanted.sources.is_none_or(|sources| sources.contains(&sighting.host));
            batch.extend(wants.then_some(sighting));
            Ok(())
        })?;
        if !batch.is_empty() {
            sink(batch)?;
        }
    }
}

/// Returns whether a row group has a host of a prefix; two of its columns tell.
fn has_source(group: &RowGroup<'_>, sources: IpNet) -> Result<bool, StoreError> {
    let (count, columns) = group.columns(&[HOST4, HOST6])?;
    any_host(count, &columns, &mut |host| sources.contains(&host))
}
