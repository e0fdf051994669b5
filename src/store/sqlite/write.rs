//! Writing: a capture's contribution in one transaction.

use std::collections::BTreeSet;

use fixedbitset::FixedBitSet;
use rusqlite::{Connection, OptionalExtension, Transaction};

use jiff::civil::Date;

use crate::history::{Contribution, Hosts, Outage, Scope, Sensor};
use crate::sample::KeptSample;
use crate::store::{StoreError, check_marks};

use super::select::{Source, TypeIds, Wanted};
use super::{chunk, codec, example, read, types};

pub(super) fn sensor(connection: &Connection, sensor: &Sensor) -> Result<(), StoreError> {
    let settings = codec::json(sensor)?;
    connection.execute("INSERT INTO sensor (name, settings) VALUES (?1, ?2)", (&sensor.name, settings))?;
    Ok(())
}

pub(super) fn sample(connection: &Connection, sample: &KeptSample) -> Result<(), StoreError> {
    let sql = "INSERT INTO sample (id, path, report, profile) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (id) DO UPDATE SET
                   path = excluded.path, report = excluded.report, profile = excluded.profile";
    let profile = codec::json(&sample.profile)?;
    connection.execute(sql, (&sample.profile.id, &sample.path, &sample.report, profile))?;
    Ok(())
}

pub(super) fn outage(connection: &Connection, sensor: i64, outage: &Outage) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO outage (sensor, first_day, last_day, reason) VALUES (?1, ?2, ?3, ?4)";
    let days = (codec::day(outage.first), codec::day(outage.last));
    connection.execute(sql, (sensor, days.0, days.1, &outage.reason))?;
    Ok(())
}

/// Stores all of a capture or nothing; `false` for one that is there already.
pub(super) fn ingest(
    connection: &mut Connection,
    sensor: i64,
    contribution: &Contribution,
) -> Result<bool, StoreError> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let captures = read::captures(&transaction, sensor)?;
    if !capture(&transaction, sensor, contribution)? {
        return Ok(false);
    }
    if captures != contribution.captures_before {
        return Err(StoreError::FedMeanwhile);
    }
    let mut days = open_days(&transaction, sensor)?;
    transaction.execute("DELETE FROM chunk WHERE sensor = ?1 AND open = 1", [sensor])?;
    transaction.execute("DELETE FROM example WHERE sensor = ?1 AND open = 1", [sensor])?;
    let marks = marks(&transaction, &contribution.mark_names)?;
    let ids = types::write(&transaction, &contribution.types)?;
    for (gathered, open) in [(&contribution.closed, false), (&contribution.open, true)] {
        for run in &gathered.runs {
            chunk::write(&transaction, sensor, run, &ids, &marks, open)?;
        }
        example::write(&transaction, sensor, &gathered.examples, &ids, open)?;
    }
    let runs = contribution.closed.runs.iter().chain(&contribution.open.runs);
    days.extend(runs.map(|run| codec::day(run.day.date)));
    let source = Source::new(&transaction, sensor)?;
    for day in days {
        source.keeps(codec::date(day)?)?;
        total(&transaction, sensor, day)?;
    }
    drop(source);
    resume(&transaction, sensor, contribution)?;
    transaction.commit()?;
    Ok(true)
}

fn capture(
    transaction: &Transaction<'_>,
    sensor: i64,
    contribution: &Contribution,
) -> Result<bool, StoreError> {
    let capture = &contribution.capture;
    let sql = "INSERT OR IGNORE INTO capture (sensor, content, name, packets, first, last)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let span = (capture.first.map(|time| time.0), capture.last.map(|time| time.0));
    let packets = codec::count(capture.packets);
    if transaction.execute(sql, (sensor, capture.content, &capture.name, packets, span.0, span.1))? == 0 {
        return Ok(false);
    }
    let mut statement =
        transaction.prepare_cached("INSERT OR IGNORE INTO observed (sensor, day) VALUES (?1, ?2)")?;
    for day in &contribution.days {
        statement.execute((sensor, codec::day(*day)))?;
    }
    Ok(true)
}

/// The store's numbers of a contribution's marks.
fn marks(transaction: &Transaction<'_>, names: &[String]) -> Result<Vec<usize>, StoreError> {
    let mut numbers = Vec::new();
    for name in names {
        let find = "SELECT bit FROM mark WHERE name = ?1";
        let known: Option<i64> = transaction.query_row(find, [name], |row| row.get(0)).optional()?;
        let bit = match known {
            Some(bit) => bit,
            None => {
                let next = "INSERT INTO mark (bit, name) SELECT count(*), ?1 FROM mark RETURNING bit";
                transaction.query_row(next, [name], |row| row.get(0))?
            }
        };
        let bit = usize::try_from(bit).map_err(|_| StoreError::Damaged(format!("mark number {bit}")))?;
        check_marks(bit + 1)?;
        numbers.push(bit);
    }
    Ok(numbers)
}

/// The days of what the last capture's end left open.
fn open_days(transaction: &Transaction<'_>, sensor: i64) -> Result<BTreeSet<i64>, StoreError> {
    let mut statement =
        transaction.prepare_cached("SELECT DISTINCT day FROM chunk WHERE sensor = ?1 AND open = 1")?;
    let days = statement.query_map([sensor], |row| row.get(0))?;
    Ok(days.collect::<Result<_, _>>()?)
}

/// Adds up a day anew: its unique hosts are no sum of what captures had.
fn total(transaction: &Transaction<'_>, sensor: i64, day: i64) -> Result<(), StoreError> {
    let [windows, packets, hosts, types] = sums(transaction, sensor, day)?;
    let sql = "UPDATE observed SET windows = ?3, packets = ?4, hosts = ?5, types = ?6
               WHERE sensor = ?1 AND day = ?2";
    transaction.execute(sql, (sensor, day, windows, packets, hosts, types))?;
    Ok(())
}

/// A day's windows, packets, unique hosts and kinds of type, counted out of its sightings.
///
/// # Errors
/// [`StoreError::Dropped`] when they are no more.
pub(super) fn sums(connection: &Connection, sensor: i64, day: i64) -> Result<[i64; 4], StoreError> {
    let (mut windows, mut packets) = (0, 0);
    let (mut types, mut hosts) = (Kinds::new(connection)?, Hosts::default());
    chunk::of_day(connection, sensor, day, &mut |chunk, group| {
        if group.scope == Scope::Whole {
            windows += group.windows;
            packets += group.packets;
            types.add(group.number)?;
            hosts.add(chunk.day, &group)?;
        }
        Ok(())
    })?;
    let date = codec::date(day)?;
    let days = |day: Date| day == date;
    let wanted = Wanted { days: &days, ..Wanted::of_types(TypeIds::ALL, false) };
    Source::new(connection, sensor)?.each_of_months(&wanted, &mut |met| {
        windows += met.seen.windows;
        packets += met.seen.packets;
        types.add(met.number)?;
        hosts.insert(met.host);
        Ok(())
    })?;
    Ok([windows, packets, hosts.count(), types.count()].map(codec::count))
}

/// Types to be counted once each: a bit for each that there is.
struct Kinds(FixedBitSet);

impl Kinds {
    fn new(connection: &Connection) -> Result<Kinds, StoreError> {
        let ids = usize::try_from(types::last(connection)?).unwrap_or(0) + 1;
        Ok(Kinds(FixedBitSet::with_capacity(ids)))
    }

    fn add(&mut self, number: u64) -> Result<(), StoreError> {
        let at = usize::try_from(number).ok().filter(|at| *at < self.0.len());
        self.0.insert(at.ok_or_else(|| StoreError::Damaged(format!("a sighting of no type: {number}")))?);
        Ok(())
    }

    fn count(&self) -> u64 {
        self.0.count_ones(..) as u64
    }
}

fn resume(transaction: &Transaction<'_>, sensor: i64, contribution: &Contribution) -> Result<(), StoreError> {
    let resume = &contribution.resume;
    let sql = "INSERT INTO resume (sensor, clock, windows, mark_names) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (sensor) DO UPDATE SET clock = excluded.clock, windows = excluded.windows,
                   mark_names = excluded.mark_names";
    let clock = resume.clock.map(|time| time.0);
    transaction
        .execute(sql, (sensor, clock, codec::pack(&resume.windows)?, codec::json(&resume.mark_names)?))?;
    Ok(())
}
