//! Verification that a history is as it was written: the pages and rows of the catalog, every byte of every
//! segment, and the agreement between them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::civil::Date;
use rusqlite::Connection;

use crate::behavior::Behavior;
use crate::history::{DayTotal, Sensor, Sighting, VerificationSummary};
use crate::store::{HistoryStore, StoreError};

use super::LocalStore;
use super::capture_rows;
use super::catalog::{self, SegmentEntry};
use super::count_rows::COUNTS;
use super::example_rows::EXAMPLES;
use super::open_segments::OpenSegments;
use super::query::SensorReader;
use super::row_filter::RowFilter;
use super::rows::SIGHTINGS;
use super::schema::{Checksum, TABLES, has_table};
use super::{signature_rows, type_rows};

/// The numbers that sightings may have.
struct KnownNumbers {
    types: HashSet<u64>,
    signatures: HashSet<u64>,
}

/// A callback that receives the description of a fault.
type FaultSink<'a> = &'a mut dyn FnMut(String);

impl LocalStore {
    /// Verifies the whole history, and calls `faults` for everything that is not as it was written.
    ///
    /// # Errors
    /// Fails if the catalog cannot be read at all.
    pub fn verify(&self, faults: FaultSink<'_>) -> Result<VerificationSummary, StoreError> {
        let _held = self.read_guard()?;
        let mut checked = VerificationSummary::default();
        check_structure(&self.connection, faults)?;
        for table in TABLES {
            if has_table(&self.connection, table)? {
                checked.rows += check_rows(&self.connection, table, faults)?;
            }
        }
        let numbers = self.check_types(faults)?;
        checked.types = numbers.len() as u64;
        let signatures = match signature_rows::signatures(&self.connection) {
            Ok(signatures) => signatures.into_iter().map(|(number, _)| number).collect(),
            Err(error) => {
                faults(format!("probe signatures: {error}"));
                HashSet::new()
            }
        };
        let names = KnownNumbers { types: numbers, signatures };
        let segments = catalog::segments(&self.connection, None)?;
        checked.segments = segments.len() as u64;
        let mut whole = true;
        for listed in &segments {
            if let Err(error) = self.check_segment(listed) {
                whole = false;
                faults(error.to_string());
            }
        }
        for (id, sensor) in catalog::sensors(&self.connection)? {
            if let Err(error) = capture_rows::engine_state(&self.connection, id)
                .map(drop)
                .and_then(|()| capture_rows::captures(&self.connection, id).map(drop))
            {
                faults(format!("sensor {}: {error}", sensor.name));
            }
            // With a damaged segment, a recount would only report the damage again.
            if whole {
                checked.days += self.check_sensor(id, &sensor, &names, faults)?;
            }
        }
        Ok(checked)
    }

    fn check_segment(&self, listed: &SegmentEntry) -> Result<(), StoreError> {
        let table = [&SIGHTINGS, &COUNTS, &EXAMPLES].into_iter().find(|table| table.name == listed.kind);
        let table = table.ok_or_else(|| {
            StoreError::Damaged(format!("a segment of the kind `{}`", listed.kind.escape_default()))
        })?;
        OpenSegments::default().get(&self.folder, listed, table)?.verify()
    }

    /// Computes the number of every type again.
    fn check_types(&self, faults: FaultSink<'_>) -> Result<HashSet<u64>, StoreError> {
        let mut numbers = HashSet::new();
        let read = type_rows::each_type(&self.connection, &mut |number, parameters| {
            let behavior = Behavior::of_type(&parameters, &self.profile);
            if let Err(error) = type_rows::check_number(number, &behavior) {
                faults(error.to_string());
            }
            numbers.insert(number);
            Ok(())
        });
        if let Err(error) = read {
            faults(format!("types: {error}"));
        }
        Ok(numbers)
    }

    /// Counts the days of a sensor again, and looks for types, signatures and marks that the catalog does not have.
    fn check_sensor(
        &self,
        id: i64,
        sensor: &Sensor,
        known: &KnownNumbers,
        faults: FaultSink<'_>,
    ) -> Result<u64, StoreError> {
        let name = &sensor.name;
        let days = catalog::days(&self.connection, id)?;
        let (_, source) = self.sensor_reader(name)?;
        let marks = self.mark_names()?.len();
        let mut unknown: BTreeSet<u64> = BTreeSet::new();
        let mut unknown_signatures: BTreeSet<u64> = BTreeSet::new();
        let mut bad_marks = 0u64;
        let mut unrecorded: BTreeSet<Date> = BTreeSet::new();
        let mut months: BTreeMap<Date, MonthSums> = BTreeMap::new();
        source.each_sighting(&RowFilter::ALL, &mut |sighting| {
            if !days.contains_key(&sighting.day) {
                unrecorded.insert(sighting.day);
            }
            if !known.types.contains(&sighting.number) {
                unknown.insert(sighting.number);
            }
            unknown_signatures.extend(sighting.signature.filter(|number| !known.signatures.contains(number)));
            bad_marks += u64::from(
                u32::try_from(marks).is_ok_and(|marks| marks < 64 && sighting.counts.marks >> marks != 0),
            );
            let Sighting { day, counts, .. } = sighting;
            months.entry(day.first_of_month()).or_default().add(counts.windows, counts.packets);
            Ok(())
        })?;
        for number in unknown {
            faults(format!("sensor {name}: sightings of type {number}, which the catalog does not have"));
        }
        for number in unknown_signatures {
            faults(format!(
                "sensor {name}: sightings of signature {number}, which the catalog does not have"
            ));
        }
        if bad_marks > 0 {
            faults(format!("sensor {name}: {bad_marks} sightings have marks that the catalog does not have"));
        }
        for day in unrecorded {
            faults(format!("sensor {name}: sightings of {day}, which is no recorded day"));
        }
        let kept: BTreeSet<_> =
            days.keys().filter(|day| source.kept_from.is_none_or(|from| **day >= from)).copied().collect();
        let counted = source.count_totals(&kept)?;
        for (day, total) in days.iter().filter_map(|(day, total)| Some((day, (*total)?))) {
            if let Some(again) = counted.get(day).filter(|again| **again != total) {
                faults(total_mismatch(name, &total, again));
            }
        }
        check_hours(name, &source, &months, faults)?;
        Ok(days.len() as u64)
    }
}

/// Compares the stored hourly counts with the sums of the sightings of each month.
fn check_hours(
    name: &str,
    source: &SensorReader<'_>,
    months: &BTreeMap<Date, MonthSums>,
    faults: FaultSink<'_>,
) -> Result<(), StoreError> {
    let mut hourly: BTreeMap<Date, MonthSums> = BTreeMap::new();
    source.each_hourly_count(&RowFilter::ALL, &mut |count| {
        hourly.entry(count.day.first_of_month()).or_default().add(count.windows, count.packets);
        Ok(())
    })?;
    for (month, recount) in months {
        let kept = hourly.remove(month).unwrap_or_default();
        if kept != *recount {
            faults(format!(
                "sensor {name}, {}: hourly counts have {} windows and {} packets, sightings {} and {}",
                month.strftime("%Y-%m"),
                kept.windows,
                kept.packets,
                recount.windows,
                recount.packets
            ));
        }
    }
    Ok(())
}

/// The sums of a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct MonthSums {
    windows: u64,
    packets: u64,
}

impl MonthSums {
    fn add(&mut self, windows: u64, packets: u64) {
        self.windows = self.windows.saturating_add(windows);
        self.packets = self.packets.saturating_add(packets);
    }
}

fn total_mismatch(name: &str, kept: &DayTotal, counted: &DayTotal) -> String {
    format!("sensor {name} on {}: the totals kept are {kept:?}, those counted {counted:?}", kept.count.day)
}

/// Runs SQLite's check of pages, indexes and constraints.
fn check_structure(connection: &Connection, faults: FaultSink<'_>) -> Result<(), StoreError> {
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let said: String = row.get(0)?;
        if said != "ok" {
            faults(format!("SQLite: {said}"));
        }
    }
    Ok(())
}

/// Computes the checksum of every row of a table again, and returns the number of rows.
fn check_rows(connection: &Connection, table: &str, faults: FaultSink<'_>) -> Result<u64, StoreError> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {table}"))?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        let mut checksum = Checksum::of_table(table);
        for at in 0..columns.saturating_sub(1) {
            checksum.add(row.get_ref(at)?);
        }
        if row.get_ref(columns.saturating_sub(1))?.as_i64() != Ok(checksum.finish()) {
            faults(format!("row {count} of table {table} is not as it was written"));
        }
    }
    Ok(count)
}
