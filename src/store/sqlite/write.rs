//! Writing: a capture's contribution in one transaction.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::thread;

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::history::{Contribution, Outage, Sensor};
use crate::sample::KeptSample;
use crate::store::{StoreError, check_marks};

use super::days::{self, Days};
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

/// Stores all of a capture or nothing; `false` for one that is there already. With several threads, hosts are counted on
/// one of their own.
pub(super) fn ingest(
    connection: &mut Connection,
    sensor: i64,
    contribution: &Contribution,
    threads: usize,
) -> Result<bool, StoreError> {
    /// What is held of the file meanwhile: types come in the order of their names, so that each page of their index is
    /// met once, and more would be held for nothing.
    const CACHE_KIB: i64 = 8 * 1024;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let captures = read::captures(&transaction, sensor)?;
    if !capture(&transaction, sensor, contribution)? {
        return Ok(false);
    }
    if captures != contribution.captures_before {
        return Err(StoreError::FedMeanwhile);
    }
    let open = open_days(&transaction, sensor)?;
    transaction.execute("DELETE FROM chunk WHERE sensor = ?1 AND open = 1", [sensor])?;
    transaction.execute("DELETE FROM example WHERE sensor = ?1 AND open = 1", [sensor])?;
    let mut changed = Days::kept(&transaction, sensor, open, contribution)?;
    let hosts = changed.take_hosts();
    let (counted, ids) = both(
        threads > 1,
        || days::gathered(contribution, hosts),
        || gathered(&transaction, sensor, contribution, threads),
    );
    observed(&transaction, sensor, &contribution.days)?;
    changed.write(&transaction, sensor, counted?, &ids?)?;
    resume(&transaction, sensor, contribution)?;
    transaction.commit()?;
    Ok(true)
}

/// Does two things, at once if it is to.
fn both<A: Send, B>(at_once: bool, aside: impl FnOnce() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    if !at_once {
        return (aside(), here());
    }
    thread::scope(|scope| {
        let aside = scope.spawn(aside);
        let here = here();
        (aside.join().unwrap_or_else(|panic| resume_unwind(panic)), here)
    })
}

/// Writes types, sightings and examples; answers the store's numbers of the types.
fn gathered(
    transaction: &Transaction<'_>,
    sensor: i64,
    contribution: &Contribution,
    threads: usize,
) -> Result<Vec<i64>, StoreError> {
    let marks = marks(transaction, &contribution.mark_names)?;
    let ids = types::write(transaction, &contribution.types, threads)?;
    for (gathered, open) in [(&contribution.closed, false), (&contribution.open, true)] {
        chunk::Rows::new(sensor, &marks, open)?.write_runs(transaction, &gathered.runs, &ids, threads)?;
        example::write(transaction, sensor, &gathered.examples, &ids, open, threads)?;
    }
    Ok(ids)
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
    Ok(true)
}

/// Enters days, where they are not.
fn observed(transaction: &Transaction<'_>, sensor: i64, days: &BTreeSet<Date>) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO observed (sensor, day) VALUES (?1, ?2)";
    let mut statement = transaction.prepare_cached(sql)?;
    for day in days {
        statement.execute((sensor, codec::day(*day)))?;
    }
    Ok(())
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
