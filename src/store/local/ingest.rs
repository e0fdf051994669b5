//! Storing a capture: its segments become part of the history in one transaction of the catalog.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;

use jiff::civil::Date;
use rusqlite::{Connection, TransactionBehavior};

use crate::event::Timestamp;
use crate::history::{Contribution, Examples, Gathered, PackedExample, Sensor, packets_of};
use crate::store::StoreError;

use super::catalog::{self, Listed};
use super::example_rows::{EXAMPLES, ExampleRow, example_columns};
use super::incoming::{self, Incoming};
use super::rows::{COUNTS, SIGHTINGS};
use super::segment_writer::{SegmentWriter, WrittenSegment, hex};
use super::write::{Pending, WrittenPair};
use super::{LocalStore, query};

/// Packets of examples from which on a row group ends. A window traces a few hundred at most.
const EXAMPLE_ROWS: usize = 1 << 14;

/// Files that are to be listed.
struct NewSegments {
    segments: Vec<(Listed, WrittenSegment)>,
    /// Totals of days of which the new segment has a single sorted run.
    totals: BTreeMap<Date, crate::history::DayTotal>,
}

impl LocalStore {
    /// Stores all of a capture or nothing; returns `false` for one that is there already.
    pub(super) fn store_capture(
        &mut self,
        name: &str,
        mut contribution: Contribution,
    ) -> Result<bool, StoreError> {
        let (id, sensor) = catalog::sensor(&self.connection, name)?;
        let mut closed =
            self.pending_of(name, &sensor, &mut contribution.closed, &contribution.mark_names)?;
        let mut open = self.pending(&sensor, &contribution.mark_names)?;
        for batch in std::mem::take(&mut contribution.open.batches) {
            open.add(batch)?;
        }
        closed.finish()?;
        open.finish()?;
        let content = contribution.capture.content;
        let mut new = NewSegments { segments: Vec::new(), totals: BTreeMap::new() };
        for (pending, is_open) in [(&mut *closed, false), (&mut open, true)] {
            for (day, pair) in std::mem::take(&mut pending.done) {
                new.add_pair((id, &sensor), (day, day), pair, is_open, Some(content));
            }
        }
        let folder = self.folder.clone();
        let durable = self.durable;
        let profile = self.profile.clone();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if catalog::has_capture(&transaction, id, &content)? {
            return Ok(false);
        }
        if catalog::capture_count(&transaction, id)? != contribution.captures_before {
            return Err(StoreError::FedMeanwhile);
        }
        let before = catalog::segments(&transaction, Some(id))?;
        let replaced: Vec<&Listed> = before.iter().filter(|segment| segment.open).collect();
        let mut changed: BTreeSet<Date> = replaced.iter().map(|segment| segment.days.0).collect();
        changed.extend(new.segments.iter().map(|(listed, _)| listed.days.0));
        refuse_dropped(&transaction, id, &changed)?;
        for Listed { path, .. } in &replaced {
            transaction.execute("DELETE FROM segment WHERE path = ?1", [path])?;
        }
        put_types(&transaction, &contribution, &profile)?;
        let known = query::example_starts(&folder, &transaction, id)?;
        for (gathered, is_open) in [(&contribution.closed, false), (&contribution.open, true)] {
            let mut examples = new_examples(&gathered.examples, &contribution.type_numbers, &known);
            if let Some((first, written)) = write_examples(closed.folder(), &mut examples, durable)? {
                let day = first.day(&sensor.zone().map_err(|fault| StoreError::Damaged(fault.to_string()))?);
                new.add((id, &sensor), EXAMPLES.name, (day, day), written, is_open, Some(content));
            }
        }
        // What a day comes to is worked out again if its segments changed, and for new days.
        let known_days = catalog::days(&transaction, id)?;
        changed.extend(contribution.days.iter().filter(|day| !known_days.contains_key(day)));
        catalog::put_capture(&transaction, id, &contribution.capture)?;
        catalog::put_resume(&transaction, id, &contribution.resume)?;
        let totals = std::mem::take(&mut new.totals);
        let moved = new.list(&folder, &transaction, &before, durable)?;
        // The same content has the same name, so that a file can be listed before and afterwards.
        let gone = |path: &&String| !moved.contains(path);
        let replaced: Vec<String> = replaced.iter().map(|one| &one.path).filter(gone).cloned().collect();
        let done = keep_totals(&folder, &transaction, id, &changed, &totals)
            .and_then(|()| Ok(transaction.commit()?));
        if let Err(error) = done {
            delete_unlisted(&folder, &moved, &before);
            return Err(error);
        }
        self.forget(&replaced);
        let clock = contribution.resume.clock;
        drop((closed, open));
        if let Some(clock) = clock {
            self.merge_what_is_over(name, clock)?;
        }
        Ok(true)
    }

    /// A folder for the segments of a capture.
    pub(super) fn pending(&mut self, sensor: &Sensor, mark_names: &[String]) -> Result<Pending, StoreError> {
        self.writable()?;
        let zone = sensor.zone().map_err(|fault| StoreError::Damaged(fault.to_string()))?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let marks = catalog::number_marks(&transaction, mark_names)?;
        transaction.commit()?;
        Ok(Pending::new(Incoming::new(&self.folder)?, zone, marks, self.durable))
    }

    /// What was written of a capture while it was read, and what was not, too.
    fn pending_of(
        &mut self,
        name: &str,
        sensor: &Sensor,
        gathered: &mut Gathered,
        mark_names: &[String],
    ) -> Result<Box<Pending>, StoreError> {
        let mut pending = match gathered.writer.take() {
            None => Box::new(self.pending(sensor, mark_names)?),
            Some(writer) => (writer as Box<dyn Any>).downcast::<Pending>().map_err(|_| {
                StoreError::Backend(format!("the batches of sensor {name} were written for another store"))
            })?,
        };
        for batch in std::mem::take(&mut gathered.batches) {
            pending.add(batch)?;
        }
        Ok(pending)
    }
}

impl NewSegments {
    fn add_pair(
        &mut self,
        sensor: (i64, &Sensor),
        days: (Date, Date),
        pair: WrittenPair,
        open: bool,
        capture: Option<[u8; 32]>,
    ) {
        let single_run = pair.sightings.facts.runs == 1;
        for total in pair.totals.into_iter().filter(|_| single_run) {
            self.totals.insert(total.count.day, total);
        }
        self.add(sensor, SIGHTINGS.name, days, pair.sightings, open, capture);
        self.add(sensor, COUNTS.name, days, pair.counts, open, capture);
    }

    fn add(
        &mut self,
        (id, sensor): (i64, &Sensor),
        kind: &str,
        days: (Date, Date),
        written: WrittenSegment,
        open: bool,
        capture: Option<[u8; 32]>,
    ) {
        let mut listed = listed((id, sensor), kind, days, &written, open, capture);
        // A capture can bring the same counts of a day twice, when a day is opened again.
        let mut number = 2;
        while self.segments.iter().any(|(other, _)| other.path == listed.path) {
            listed.path = listed.path.replace(".parquet", &format!("-{number}.parquet"));
            number += 1;
        }
        self.segments.push((listed, written));
    }

    /// Moves the files to their places and lists them; returns their paths.
    fn list(
        self,
        folder: &Path,
        connection: &Connection,
        before: &[Listed],
        durable: bool,
    ) -> Result<Vec<String>, StoreError> {
        let mut moved = Vec::new();
        let done = self.segments.into_iter().try_for_each(|(listed, written)| {
            move_into(folder, &listed.path, written, durable)?;
            moved.push(listed.path.clone());
            catalog::put_segment(connection, &listed)
        });
        if let Err(error) = done {
            delete_unlisted(folder, &moved, before);
            return Err(error);
        }
        Ok(moved)
    }
}

/// Deletes files that were moved to their places for nothing, but for those that the catalog lists anyway.
fn delete_unlisted(folder: &Path, moved: &[String], listed: &[Listed]) {
    for path in moved.iter().filter(|path| !listed.iter().any(|one| one.path == **path)) {
        // What cannot be deleted now is deleted by the next process that writes.
        let _ = fs::remove_file(folder.join(path));
    }
}

/// A written segment as the catalog will list it. Its name has a part of its hash, and of the capture's, since two captures can
/// bring the same counts. So the same history has the same names.
pub(super) fn listed(
    (id, sensor): (i64, &Sensor),
    kind: &str,
    days: (Date, Date),
    written: &WrittenSegment,
    open: bool,
    capture: Option<[u8; 32]>,
) -> Listed {
    let month = days.0.strftime("%Y-%m").to_string();
    let period = if days.0 == days.1 { days.0.to_string() } else { month.clone() };
    let tag = if open { "-open" } else { "" };
    let capture_hash = capture.map(|content| hex(&content[..6]) + "-").unwrap_or_default();
    let hash = hex(&written.facts.hash[..6]);
    let path =
        format!("{kind}/sensor={}/month={month}/{period}{tag}-{capture_hash}{hash}.parquet", sensor.name);
    Listed { path, sensor: id, kind: kind.to_owned(), days, open, facts: written.facts.clone(), capture }
}

/// Moves a written file to its place, and makes sure that its name is on the disk, too.
pub(super) fn move_into(
    folder: &Path,
    path: &str,
    written: WrittenSegment,
    durable: bool,
) -> Result<(), StoreError> {
    let place = folder.join(path);
    let parent = place.parent().unwrap_or(folder).to_owned();
    let new_folders: Vec<&Path> =
        parent.ancestors().take_while(|part| *part != folder && !part.exists()).collect();
    fs::create_dir_all(&parent)?;
    written.path.persist(&place).map_err(|error| error.error)?;
    if durable {
        for part in new_folders.iter().filter_map(|part| part.parent()).chain([parent.as_path()]) {
            File::open(part)?.sync_all()?;
        }
    }
    Ok(())
}

/// Refuses days whose sightings were dropped: nothing can be added to what is not there.
fn refuse_dropped(connection: &Connection, sensor: i64, days: &BTreeSet<Date>) -> Result<(), StoreError> {
    match catalog::kept_from(connection, sensor)? {
        Some(from) if days.first().is_some_and(|day| *day < from) => Err(StoreError::Dropped { from }),
        _ => Ok(()),
    }
}

fn put_types(
    connection: &Connection,
    contribution: &Contribution,
    profile: &crate::behavior::Profile,
) -> Result<(), StoreError> {
    // In the order of the table, which so is written from its one end to the other.
    let mut order: Vec<(u64, usize)> = contribution.type_numbers.iter().copied().zip(0..).collect();
    order.sort_unstable();
    let mut types =
        order.into_iter().filter_map(|(number, place)| Some((number, contribution.types.get(place)?)));
    catalog::put_types(connection, &mut types, profile)
}

/// Enters the totals of days that lie in one sorted run; others have to be counted when they are asked for.
pub(super) fn keep_totals(
    folder: &Path,
    connection: &Connection,
    sensor: i64,
    days: &BTreeSet<Date>,
    totals: &BTreeMap<Date, crate::history::DayTotal>,
) -> Result<(), StoreError> {
    let segments = catalog::segments(connection, Some(sensor))?;
    for day in days.iter().copied() {
        let mut holding = segments.iter().filter(|one| one.kind == SIGHTINGS.name && one.holds(day));
        match (holding.next(), holding.next()) {
            (Some(only), None) if only.facts.runs == 1 => {
                let total = match totals.get(&day) {
                    Some(total) => *total,
                    None => query::count_day(folder, connection, sensor, day)?,
                };
                catalog::put_total(connection, sensor, &total)?;
            }
            (None, _) => {
                let none = crate::history::DayCount { day, windows: 0, packets: 0, hosts: 0 };
                let total = crate::history::DayTotal { count: none, types: 0 };
                catalog::put_total(connection, sensor, &total)?;
            }
            _ => catalog::put_day(connection, sensor, day)?,
        }
    }
    Ok(())
}

/// The examples of a capture that are of types without an example so far, or earlier than it; by type. Only one is unpacked
/// at a time.
fn new_examples<'e>(
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
        let packets = packets_of(packets).map_err(|error| StoreError::Backend(error.to_string()));
        Some(packets.map(|packets| ExampleRow { number, start, host, packets }))
    })
}

/// Writes examples, which come by type; returns when the first begins.
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

/// Deletes whatever a crash left behind. Nobody else writes meanwhile.
pub(super) fn sweep(folder: &Path, connection: &mut Connection) -> Result<(), StoreError> {
    incoming::delete_abandoned(folder)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let listed: BTreeSet<String> =
        catalog::segments(&transaction, None)?.into_iter().map(|segment| segment.path).collect();
    let mut unlisted = Vec::new();
    for kind in [SIGHTINGS.name, COUNTS.name, EXAMPLES.name] {
        for entry in walkdir::WalkDir::new(folder.join(kind)).follow_links(false).into_iter().flatten() {
            let path = entry.path().strip_prefix(folder).ok().and_then(Path::to_str);
            if let Some(path) = path.filter(|path| entry.file_type().is_file() && !listed.contains(*path)) {
                unlisted.push(path.to_owned());
            }
        }
    }
    if !unlisted.is_empty() {
        incoming::delete_unless_read(folder, &unlisted);
    }
    Ok(transaction.commit()?)
}
