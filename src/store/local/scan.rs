//! Scanning sightings: several threads decode row groups and filter them, and the calling thread receives the
//! sightings.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use ipnet::IpNet;
use jiff::tz::TimeZone;

use crate::history::Sighting;
use crate::store::StoreError;

use super::day_numbers::DayNumbers;
use super::row_filter::{RowFilter, type_matcher};
use super::rows::{HOST4, HOST6, any_host, each_sighting};
use super::segment::{RowGroup, Segment};
use super::sorted::rows_of_types;

/// Maximum number of threads that decode. With more, the receiving thread is the bottleneck.
const THREADS_MAX: usize = 4;

/// Number of rows that are decoded and sent at once. Memory: a thread holds 0.4 MB of columns, 0.4 MB of
/// sightings and its encoded row group (less than 1 MB); as many sightings again may wait in the channel for
/// each thread.
const BATCH_ROWS: usize = 1 << 12;

/// A segment and the index of a row group in it.
pub(super) type RowGroupRef = (Arc<Segment>, usize);

/// Receives a batch of sightings. An error ends the scan.
type BatchSink<'a> = &'a mut dyn FnMut(Vec<Sighting>) -> Result<(), StoreError>;

/// Calls `sink` with the wanted sightings of some row groups, in no particular order.
///
/// # Errors
/// Fails if a row group is damaged, or if `sink` fails.
pub(super) fn scan(
    places: &[RowGroupRef],
    wanted: &RowFilter<'_>,
    zone: &TimeZone,
    sink: &mut dyn FnMut(&Sighting) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = cores.min(THREADS_MAX).min(places.len());
    let mut hand_on = |batch: Vec<Sighting>| batch.iter().try_for_each(&mut *sink);
    if threads < 2 {
        let mut days = DayNumbers::new(zone.clone());
        return places.iter().try_for_each(|place| read_group(place, wanted, &mut days, &mut hand_on));
    }
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, batches) = sync_channel(threads);
        for _ in 0..threads {
            let sender = sender.clone();
            let next = &next;
            scope.spawn(move || read_row_groups(places, next, wanted, zone, &sender));
        }
        drop(sender);
        // If this fails, the channel is closed, and each thread ends when it sends its next batch.
        batches.into_iter().try_for_each(|batch| hand_on(batch?))
    })
}

/// Reads row groups that no other thread has taken, and sends their sightings, or the error that ends the
/// thread.
fn read_row_groups(
    places: &[RowGroupRef],
    next: &AtomicUsize,
    wanted: &RowFilter<'_>,
    zone: &TimeZone,
    sender: &SyncSender<Result<Vec<Sighting>, StoreError>>,
) {
    let mut days = DayNumbers::new(zone.clone());
    let mut send = |batch| {
        sender.send(Ok(batch)).map_err(|_| StoreError::Backend("another thread ended the scan".to_owned()))
    };
    while let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
        if let Err(error) = read_group(place, wanted, &mut days, &mut send) {
            // If the channel is closed, the calling thread has ended the scan and needs no error.
            let _ = sender.send(Err(error));
            return;
        }
    }
}

/// Calls `sink` with the wanted sightings of a row group. The columns of types and hosts are decoded first;
/// the others only if these have a wanted value.
fn read_group(
    (segment, group): &RowGroupRef,
    wanted: &RowFilter<'_>,
    days: &mut DayNumbers,
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
    let mut is_among = wanted.types.map(type_matcher);
    let mut rows = group.rows(range)?;
    loop {
        let (count, columns) = rows.next(BATCH_ROWS)?;
        if count == 0 {
            return Ok(());
        }
        let mut batch = Vec::new();
        each_sighting(count, &columns, days, &mut |sighting| {
            let wants = is_among.as_mut().is_none_or(|is_among| is_among(sighting.number))
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

/// Returns whether a row group has a host within a prefix. It decodes the two host columns only.
fn has_source(group: &RowGroup<'_>, sources: IpNet) -> Result<bool, StoreError> {
    let (count, columns) = group.columns(&[HOST4, HOST6])?;
    any_host(count, &columns, &mut |host| sources.contains(&host))
}
