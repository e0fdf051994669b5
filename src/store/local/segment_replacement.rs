//! Replaces segments of a sensor by others in one transaction of the catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::Path;

use jiff::civil::Date;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::escape::hex;
use crate::history::{DayCount, DayTotal, Sensor};
use crate::store::StoreError;

use super::LocalStore;
use super::catalog::{self, SegmentEntry};
use super::count_rows::COUNTS;
use super::query;
use super::rows::SIGHTINGS;
use super::segment_writer::WrittenSegment;
use super::write::WrittenPair;

/// The segments of a sensor that a transaction replaces by others.
pub(super) struct SegmentChange {
    /// The segments that are removed.
    pub(super) old: Vec<SegmentEntry>,
    pub(super) new: Vec<(SegmentEntry, WrittenSegment)>,
    /// The days whose totals may change.
    pub(super) days: BTreeSet<Date>,
    /// The known totals of such days. The others are counted, or left out while a day lies in several
    /// segments.
    pub(super) totals: BTreeMap<Date, DayTotal>,
}

impl LocalStore {
    /// Replaces segments of a sensor in one transaction. `prepare` gets the transaction and all segments of
    /// the sensor; it makes all other changes of the transaction and returns the segments to replace, or
    /// `None` to leave the history as it is. Returns whether the history changed. If this fails, it has not
    /// changed.
    pub(super) fn replace_segments(
        &mut self,
        sensor: i64,
        prepare: impl FnOnce(&Transaction<'_>, &[SegmentEntry]) -> Result<Option<SegmentChange>, StoreError>,
    ) -> Result<bool, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before = catalog::segments(&transaction, Some(sensor))?;
        let Some(mut change) = prepare(&transaction, &before)? else { return Ok(false) };
        let mut moved = Vec::new();
        let done = change
            .apply(&self.folder, &transaction, sensor, self.durable, &mut moved)
            .and_then(|()| Ok(transaction.commit()?));
        if let Err(error) = done {
            for path in moved.iter().filter(|path| !before.iter().any(|one| one.path == **path)) {
                // Files that cannot be deleted now are deleted by the next process that writes.
                let _ = fs::remove_file(self.folder.join(path));
            }
            return Err(error);
        }
        // Files of the same content have the same name, so a path can be listed both before and afterwards.
        let gone = change.old.into_iter().map(|one| one.path).filter(|path| !moved.contains(path));
        self.delete_files(&gone.collect::<Vec<_>>());
        Ok(true)
    }
}

impl SegmentChange {
    /// Moves the new files to their places, and replaces the old segments by the new ones in the catalog. The
    /// paths of the moved files are added to `moved`.
    fn apply(
        &mut self,
        folder: &Path,
        connection: &Connection,
        sensor: i64,
        durable: bool,
        moved: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        self.old.iter().try_for_each(|one| catalog::unlist_segment(connection, one))?;
        for (listed, written) in std::mem::take(&mut self.new) {
            move_into(folder, &listed.path, written, durable)?;
            moved.push(listed.path.clone());
            catalog::put_segment(connection, &listed)?;
        }
        store_totals(folder, connection, sensor, &self.days, &self.totals)
    }
}

/// Returns the catalog's entry for a written segment. The path contains a part of the segment's hash, so that
/// equal histories have equal paths, and a part of the capture's hash, because two captures can have the same
/// counts.
pub(super) fn segment_entry(
    (id, sensor): (i64, &Sensor),
    kind: &str,
    days: (Date, Date),
    written: &WrittenSegment,
    open: bool,
    capture: Option<[u8; 32]>,
) -> SegmentEntry {
    let month = days.0.strftime("%Y-%m").to_string();
    let period = if days.0 == days.1 { days.0.to_string() } else { month.clone() };
    let tag = if open { "-open" } else { "" };
    let capture_hash = capture.map(|content| hex(&content[..6]) + "-").unwrap_or_default();
    let hash = hex(&written.facts.hash[..6]);
    let path =
        format!("{kind}/sensor={}/month={month}/{period}{tag}-{capture_hash}{hash}.parquet", sensor.name);
    SegmentEntry {
        path,
        sensor: id,
        kind: kind.to_owned(),
        days,
        open,
        facts: written.facts.clone(),
        capture,
    }
}

/// Returns the catalog's entries for a written segment of sightings and its segment of counts.
pub(super) fn segment_entry_pair(
    sensor: (i64, &Sensor),
    days: (Date, Date),
    pair: WrittenPair,
    open: bool,
    capture: Option<[u8; 32]>,
) -> [(SegmentEntry, WrittenSegment); 2] {
    [(SIGHTINGS.name, pair.sightings), (COUNTS.name, pair.counts)]
        .map(|(kind, written)| (segment_entry(sensor, kind, days, &written, open, capture), written))
}

/// Moves a written file to its place in the history.
pub(super) fn move_into(
    folder: &Path,
    path: &str,
    written: WrittenSegment,
    durable: bool,
) -> Result<(), StoreError> {
    put_file(folder, path, durable, |place| written.path.persist(place).map_err(|error| error.error))
}

/// Creates the folders of a segment's path and lets `put` create the file there. If `durable`, all new
/// directory entries are synced to the disk.
pub(super) fn put_file(
    folder: &Path,
    path: &str,
    durable: bool,
    put: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), StoreError> {
    let place = folder.join(path);
    let parent = place.parent().unwrap_or(folder).to_owned();
    let new_folders: Vec<&Path> =
        parent.ancestors().take_while(|part| *part != folder && !part.exists()).collect();
    fs::create_dir_all(&parent)?;
    put(&place)?;
    if durable {
        for part in new_folders.iter().filter_map(|part| part.parent()).chain([parent.as_path()]) {
            File::open(part)?.sync_all()?;
        }
    }
    Ok(())
}

/// Stores the totals of days that lie in at most one segment of sightings. Days that lie in several are
/// entered without totals, and counted when a query needs them.
pub(super) fn store_totals(
    folder: &Path,
    connection: &Connection,
    sensor: i64,
    days: &BTreeSet<Date>,
    totals: &BTreeMap<Date, DayTotal>,
) -> Result<(), StoreError> {
    let segments = catalog::segments(connection, Some(sensor))?;
    for day in days.iter().copied() {
        let mut holding = segments.iter().filter(|one| one.kind == SIGHTINGS.name && one.holds(day));
        match (holding.next(), holding.next()) {
            (Some(_), None) => {
                let total = match totals.get(&day) {
                    Some(total) => *total,
                    None => query::count_day(folder, connection, sensor, day)?,
                };
                catalog::put_total(connection, sensor, &total)?;
            }
            (None, _) => {
                let none = DayCount { day, windows: 0, packets: 0, hosts: 0 };
                catalog::put_total(connection, sensor, &DayTotal { count: none, types: 0 })?;
            }
            _ => catalog::put_day(connection, sensor, day)?,
        }
    }
    Ok(())
}
