//! Replaces segments of a sensor by others in one transaction of the catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::Path;

use jiff::civil::Date;
use rusqlite::{Connection, Transaction};

use crate::history::{DayCount, DayTotal, Sensor};
use crate::store::StoreError;

use super::catalog::{self, SegmentEntry};
use super::count_rows::COUNTS;
use super::query;
use super::rows::SIGHTINGS;
use super::segment_writer::{WrittenSegment, hex};
use super::write::WrittenPair;

/// The replacement of some segments of a sensor by others.
pub(super) struct SegmentReplacement<'a> {
    pub(super) folder: &'a Path,
    pub(super) sensor: i64,
    /// All segments of the sensor before the replacement.
    pub(super) before: &'a [SegmentEntry],
    /// The segments that are removed.
    pub(super) old: Vec<SegmentEntry>,
    pub(super) new: Vec<(SegmentEntry, WrittenSegment)>,
    /// The days whose totals may change.
    pub(super) days: BTreeSet<Date>,
    /// The known totals of such days. The others are counted, or left out while a day lies in several
    /// segments.
    pub(super) totals: BTreeMap<Date, DayTotal>,
    pub(super) durable: bool,
}

impl SegmentReplacement<'_> {
    /// Moves the new files to their places, replaces the old segments by the new ones in the catalog, and
    /// commits. Returns the paths of the old files, which can be deleted. If this fails, the history has not
    /// changed.
    pub(super) fn commit(mut self, transaction: Transaction<'_>) -> Result<Vec<String>, StoreError> {
        let mut moved = Vec::new();
        let done = self.apply(&transaction, &mut moved).and_then(|()| Ok(transaction.commit()?));
        if let Err(error) = done {
            self.delete_moved(&moved);
            return Err(error);
        }
        // Files of the same content have the same name, so a path can be listed both before and afterwards.
        let gone = self.old.into_iter().map(|one| one.path).filter(|path| !moved.contains(path));
        Ok(gone.collect())
    }

    fn apply(&mut self, connection: &Connection, moved: &mut Vec<String>) -> Result<(), StoreError> {
        self.old.iter().try_for_each(|one| catalog::unlist_segment(connection, one))?;
        for (listed, written) in std::mem::take(&mut self.new) {
            move_into(self.folder, &listed.path, written, self.durable)?;
            moved.push(listed.path.clone());
            catalog::put_segment(connection, &listed)?;
        }
        store_totals(self.folder, connection, self.sensor, &self.days, &self.totals)
    }

    /// Deletes the files that were moved to their places before the failure, except those that were listed
    /// before.
    fn delete_moved(&self, moved: &[String]) {
        for path in moved.iter().filter(|path| !self.before.iter().any(|one| one.path == **path)) {
            // Files that cannot be deleted now are deleted by the next process that writes.
            let _ = fs::remove_file(self.folder.join(path));
        }
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
