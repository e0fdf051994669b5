//! Writing: a capture's contribution in one transaction.

use std::collections::HashMap;
use std::net::IpAddr;

use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::behavior::BehaviorId;
use crate::history::{Contribution, Gathering, Outage, Scope, Sensor, TypeRecord};
use crate::sample::KeptSample;
use crate::store::{StoreError, check_marks, renumbered};

use super::{codec, read};

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
    transaction.execute("DELETE FROM sighting WHERE sensor = ?1 AND open = 1", [sensor])?;
    transaction.execute("DELETE FROM example WHERE sensor = ?1 AND open = 1", [sensor])?;
    let mut writer = Writer {
        transaction: &transaction,
        sensor,
        marks: marks(&transaction, &contribution.mark_names)?,
        hosts: HashMap::new(),
    };
    writer.gathering(&contribution.closed, false)?;
    writer.gathering(&contribution.open, true)?;
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

struct Writer<'a> {
    transaction: &'a Transaction<'a>,
    sensor: i64,
    marks: Vec<usize>,
    hosts: HashMap<IpAddr, i64>,
}

impl Writer<'_> {
    fn gathering(&mut self, gathering: &Gathering, open: bool) -> Result<(), StoreError> {
        let mut types: HashMap<BehaviorId, i64> = HashMap::new();
        for (id, record) in &gathering.types {
            types.insert(*id, self.type_id(record)?);
        }
        let of = |id: &BehaviorId| {
            types
                .get(id)
                .copied()
                .ok_or_else(|| StoreError::Backend(format!("a sighting of the unknown type {id}")))
        };
        let sql = "INSERT INTO sighting
                       (sensor, type, day, facet, host, open, windows, packets, first, last, marks)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                   ON CONFLICT DO UPDATE SET windows = windows + excluded.windows,
                       packets = packets + excluded.packets, first = min(first, excluded.first),
                       last = max(last, excluded.last), marks = marks | excluded.marks";
        let transaction = self.transaction;
        let mut statement = transaction.prepare_cached(sql)?;
        for (key, sighting) in &gathering.sightings {
            let host = self.host_id(key.host)?;
            statement.execute((
                self.sensor,
                of(&key.behavior)?,
                codec::day(key.day),
                key.scope == Scope::Facet,
                host,
                open,
                codec::count(sighting.windows),
                codec::count(sighting.packets),
                sighting.first.0,
                sighting.last.0,
                codec::bits(renumbered(sighting.marks, &self.marks)),
            ))?;
        }
        // An example that began earlier, or together with the old one at a lower address, takes its place.
        let sql = "INSERT INTO example (sensor, type, month, open, start, host, packets)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                   ON CONFLICT DO UPDATE SET start = excluded.start, host = excluded.host,
                       packets = excluded.packets WHERE excluded.start < start";
        let mut statement = transaction.prepare_cached(sql)?;
        for (id, example) in &gathering.examples {
            let (start, host) = (example.start.0, example.host.to_string());
            let month = codec::month(example.start);
            let packets = codec::json(&example.packets)?;
            statement.execute((self.sensor, of(id)?, month, open, start, host, packets))?;
        }
        Ok(())
    }

    fn type_id(&self, record: &TypeRecord) -> Result<i64, StoreError> {
        let mut find = self.transaction.prepare_cached("SELECT id FROM type WHERE md5 = ?1")?;
        if let Some(id) = find.query_row([record.behavior.id.0], |row| row.get(0)).optional()? {
            return Ok(id);
        }
        let sql =
            "INSERT INTO type (md5, canonical, shape, shape_canonical, family, family_canonical, protocol,
                       ports, parameters) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id";
        let mut insert = self.transaction.prepare_cached(sql)?;
        let values = (
            record.behavior.id.0,
            &record.behavior.canonical,
            record.shape.id.0,
            &record.shape.canonical,
            record.family.id.0,
            &record.family.canonical,
            record.parameters.protocol.to_string(),
            record.parameters.ports.to_string(),
            codec::json(&record.parameters)?,
        );
        Ok(insert.query_row(values, |row| row.get(0))?)
    }

    fn host_id(&mut self, host: IpAddr) -> Result<i64, StoreError> {
        if let Some(id) = self.hosts.get(&host) {
            return Ok(*id);
        }
        let address = host.to_string();
        let mut find = self.transaction.prepare_cached("SELECT id FROM host WHERE address = ?1")?;
        let known = find.query_row([&address], |row| row.get(0)).optional()?;
        let id = match known {
            Some(id) => id,
            None => {
                let sql = "INSERT INTO host (address) VALUES (?1) RETURNING id";
                self.transaction.prepare_cached(sql)?.query_row([&address], |row| row.get(0))?
            }
        };
        self.hosts.insert(host, id);
        Ok(id)
    }
}

fn resume(transaction: &Transaction<'_>, sensor: i64, contribution: &Contribution) -> Result<(), StoreError> {
    let resume = &contribution.resume;
    let sql = "INSERT INTO resume (sensor, clock, windows, mark_names) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (sensor) DO UPDATE SET clock = excluded.clock, windows = excluded.windows,
                   mark_names = excluded.mark_names";
    let clock = resume.clock.map(|time| time.0);
    transaction
        .execute(sql, (sensor, clock, codec::json(&resume.windows)?, codec::json(&resume.mark_names)?))?;
    Ok(())
}
