//! Storing a capture: its segments enter the history in one transaction of the catalog.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::Path;

use jiff::civil::Date;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::behavior::Profile;
use crate::history::{
    BatchWriter, Contribution, DayCount, DayTotal, Examples, PackedExample, RollbackPoint, Sensor,
    decode_packets,
};
use crate::packet::Timestamp;
use crate::store::{StoreError, zone_of};

use super::capture_rows;
use super::catalog::{self, SegmentEntry};
use super::count_rows::COUNTS;
use super::example_rows::{EXAMPLES, ExampleRow, example_columns};
use super::incoming::IncomingFolder;
use super::rows::SIGHTINGS;
use super::segment_writer::{SegmentWriter, WrittenSegment, hex};
use super::type_rows;
use super::write::{CaptureWriter, WrittenPair};
use super::{LocalStore, query};

/// Number of rows from which a row group of examples ends. An example has a few hundred rows (packets) at
/// most.
const EXAMPLE_ROWS: usize = 1 << 14;

/// The new segments of a capture.
struct NewSegments<'s> {
    sensor: (i64, &'s Sensor),
    capture: [u8; 32],
    segments: Vec<(SegmentEntry, WrittenSegment)>,
    /// The totals of the days of these segments.
    totals: BTreeMap<Date, DayTotal>,
}

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

impl LocalStore {
    /// Stores the contribution of a capture, completely or not at all. Returns `false` if the sensor has the
    /// capture already.
    pub(super) fn store_capture(
        &mut self,
        name: &str,
        mut contribution: Contribution,
    ) -> Result<bool, StoreError> {
        let (id, sensor) = catalog::sensor(&self.connection, name)?;
        let content = contribution.capture.content;
        let mut pending = self.resume_capture_writer(
            name,
            &sensor,
            contribution.closed.writer.take(),
            &contribution.mark_names,
        )?;
        let mut new = NewSegments {
            sensor: (id, &sensor),
            capture: content,
            segments: Vec::new(),
            totals: BTreeMap::new(),
        };
        for (gathered, is_open) in [(&mut contribution.closed, false), (&mut contribution.open, true)] {
            for batch in std::mem::take(&mut gathered.batches) {
                pending.add(batch)?;
            }
            for (day, pair) in pending.finish()? {
                new.add_pair(day, pair, is_open);
            }
        }
        let folder = self.folder.clone();
        let durable = self.durable;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if capture_rows::has_capture(&transaction, id, &content)? {
            return Ok(false);
        }
        if capture_rows::capture_count(&transaction, id)? != contribution.captures_before {
            return Err(StoreError::ConcurrentChange);
        }
        let before = catalog::segments(&transaction, Some(id))?;
        let replaced: Vec<SegmentEntry> = before.iter().filter(|segment| segment.open).cloned().collect();
        let new_days = new.segments.iter().map(|(listed, _)| listed);
        let mut changed: BTreeSet<Date> = replaced.iter().chain(new_days).map(|one| one.days.0).collect();
        check_not_dropped(&transaction, id, &changed)?;
        put_types(&transaction, &contribution, &self.profile)?;
        let known = query::example_starts(&folder, &transaction, id, &|_| false)?;
        for (gathered, is_open) in [(&contribution.closed, false), (&contribution.open, true)] {
            let mut examples = new_examples(&gathered.examples, &contribution.type_numbers, &known);
            if let Some((first, written)) = write_examples(pending.folder(), &mut examples, durable)? {
                new.add(EXAMPLES.name, first.day(&zone_of(&sensor)?), written, is_open);
            }
        }
        // Totals are computed for days whose segments changed, and for new days.
        let known_days = catalog::days(&transaction, id)?;
        changed.extend(contribution.days.iter().filter(|day| !known_days.contains_key(day)));
        capture_rows::put_capture(&transaction, id, &contribution.capture, false)?;
        if durable {
            // Temporary histories never remove a capture.
            let resume = catalog::engine_state(&transaction, id)?;
            capture_rows::put_rollback_point(
                &transaction,
                id,
                &RollbackPoint { content, engine_state: resume },
            )?;
        }
        catalog::put_engine_state(&transaction, id, &contribution.engine_state)?;
        let NewSegments { segments, totals, .. } = new;
        let exchange = SegmentReplacement {
            folder: &folder,
            sensor: id,
            before: &before,
            old: replaced,
            new: segments,
            days: changed,
            totals,
            durable,
        };
        let gone = exchange.commit(transaction)?;
        self.delete_files(&gone);
        drop(pending);
        if let Some(clock) = contribution.engine_state.clock {
            self.merge_past_periods(name, clock)?;
        }
        Ok(true)
    }

    /// Creates a writer for the segments of a capture.
    pub(super) fn capture_writer(
        &mut self,
        sensor: &Sensor,
        mark_names: &[String],
    ) -> Result<CaptureWriter, StoreError> {
        self.check_writable()?;
        let zone = zone_of(sensor)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let marks = catalog::number_marks(&transaction, mark_names)?;
        transaction.commit()?;
        Ok(CaptureWriter::new(IncomingFolder::new(&self.folder)?, zone, marks, self.durable))
    }

    /// Returns the writer that received the batches of a capture while it was read, or a new one if there was
    /// none.
    fn resume_capture_writer(
        &mut self,
        name: &str,
        sensor: &Sensor,
        writer: Option<Box<dyn BatchWriter>>,
        mark_names: &[String],
    ) -> Result<Box<CaptureWriter>, StoreError> {
        match writer {
            None => Ok(Box::new(self.capture_writer(sensor, mark_names)?)),
            Some(writer) => (writer as Box<dyn Any>).downcast::<CaptureWriter>().map_err(|_| {
                StoreError::Backend(format!("the batches of sensor {name} were written for another store"))
            }),
        }
    }
}

impl NewSegments<'_> {
    fn add_pair(&mut self, day: Date, pair: WrittenPair, open: bool) {
        self.totals.extend(pair.totals.into_iter().map(|total| (total.count.day, total)));
        self.add(SIGHTINGS.name, day, pair.sightings, open);
        self.add(COUNTS.name, day, pair.counts, open);
    }

    fn add(&mut self, kind: &str, day: Date, written: WrittenSegment, open: bool) {
        let mut listed = segment_entry(self.sensor, kind, (day, day), &written, open, Some(self.capture));
        // A capture can have two segments of a day with the same counts if the day was closed and opened
        // again.
        let mut number = 2;
        while self.segments.iter().any(|(other, _)| other.path == listed.path) {
            listed.path = listed.path.replace(".parquet", &format!("-{number}.parquet"));
            number += 1;
        }
        self.segments.push((listed, written));
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

/// Fails if sightings of one of the days were dropped: the day's counts could not be computed again.
fn check_not_dropped(connection: &Connection, sensor: i64, days: &BTreeSet<Date>) -> Result<(), StoreError> {
    match catalog::kept_from(connection, sensor)? {
        Some(from) if days.first().is_some_and(|day| *day < from) => {
            Err(StoreError::SightingsDropped { from })
        }
        _ => Ok(()),
    }
}

fn put_types(
    connection: &Connection,
    contribution: &Contribution,
    profile: &Profile,
) -> Result<(), StoreError> {
    // In the order of the table's keys, so that the table is written sequentially.
    let mut order: Vec<(u64, usize)> = contribution.type_numbers.iter().copied().zip(0..).collect();
    order.sort_unstable();
    let mut types =
        order.into_iter().filter_map(|(number, place)| Some((number, contribution.types.get(place)?)));
    type_rows::put_types(connection, &mut types, profile)
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

/// Returns, ascending by type, the gathered examples that are not later than the known example of their type.
/// They are unpacked one at a time. `numbers` has the number of each type in histories, by its index in the
/// capture's type list.
pub(super) fn new_examples<'e>(
    examples: &'e Examples,
    numbers: &[u64],
    known: &BTreeMap<u64, Timestamp>,
) -> impl Iterator<Item = Result<ExampleRow, StoreError>> + 'e {
    let mut new: Vec<(u64, u32)> = Vec::new();
    for PackedExample { number: place, start, .. } in examples.iter() {
        let number = usize::try_from(place).ok().and_then(|place| numbers.get(place)).copied();
        let wanted = |number: &u64| known.get(number).is_none_or(|known| start <= *known);
        new.extend(number.filter(wanted).map(|number| (number, place)));
    }
    new.sort_unstable();
    new.into_iter().filter_map(|(number, place)| {
        let PackedExample { start, host, packets, .. } = examples.get(place)?;
        let packets = decode_packets(packets).map_err(|error| StoreError::Backend(error.to_string()));
        Some(packets.map(|packets| ExampleRow { number, start, host, packets }))
    })
}

/// Writes examples, which must ascend by type. Returns the start of the earliest with the segment, or `None`
/// if there are no examples.
pub(super) fn write_examples(
    folder: &Path,
    examples: &mut dyn Iterator<Item = Result<ExampleRow, StoreError>>,
    durable: bool,
) -> Result<Option<(Timestamp, WrittenSegment)>, StoreError> {
    let mut writer = SegmentWriter::new(folder, &EXAMPLES)?;
    let mut first = None;
    let (mut some, mut rows): (Vec<ExampleRow>, usize) = (Vec::new(), 0);
    for example in examples {
        let example = example?;
        first = first.into_iter().chain([example.start]).min();
        rows += example.packets.len();
        some.push(example);
        if rows >= EXAMPLE_ROWS {
            writer.write(rows, &example_columns(&some))?;
            some.clear();
            rows = 0;
        }
    }
    writer.write(rows, &example_columns(&some))?;
    match first {
        Some(first) => Ok(Some((first, writer.finish(durable)?))),
        None => Ok(None),
    }
}
