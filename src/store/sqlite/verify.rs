//! Whether a history is as it was written: SQLite's own check, a checksum of every packed row, every type's name, and
//! every day's sums counted again.

use rusqlite::Connection;

use crate::store::StoreError;

use super::days::DaySums;
use super::{SqliteStore, codec, read, types};

/// What was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Rows of packed sightings and examples.
    pub rows: u64,
    /// Types.
    pub types: u64,
    /// Days of sensors.
    pub days: u64,
}

/// Takes what is not as it was written, in words.
type Faults<'a> = &'a mut dyn FnMut(String);

impl SqliteStore {
    /// Checks all of the history; `faults` hears of whatever is not as it was written.
    ///
    /// # Errors
    /// When the history cannot be read at all.
    pub fn verify(&self, faults: Faults<'_>) -> Result<Checked, StoreError> {
        structure(&self.connection, faults)?;
        let sightings = "SELECT id, sensor, day, open, first_type, last_type, marks, groups, checksum
             FROM chunk ORDER BY id";
        let examples = "SELECT id, sensor, month, open, first_type, last_type, '', examples, checksum
             FROM example ORDER BY id";
        let mut rows = 0;
        for (what, sql) in [("sightings", sightings), ("examples", examples)] {
            rows += checksums::<5>(&self.connection, sql, what, faults)?;
        }
        let services = "SELECT rowid, ports, types, checksum FROM service";
        rows += checksums::<0>(&self.connection, services, "types by port", faults)?;
        let months = "SELECT id, sensor, month, hosts, starts, x'', checksum FROM month";
        rows += checksums::<3>(&self.connection, months, "months", faults)?;
        let cells = "SELECT id, id, month, seen, hosts_at, details_at, cells, x'', checksum FROM cell";
        rows += checksums::<5>(&self.connection, cells, "observations", faults)?;
        let seen = "SELECT id, id, month, hosts, details, checksum FROM seen";
        rows += checksums::<2>(&self.connection, seen, "sightings of months", faults)?;
        let hosts = "SELECT rowid, month, first, host, hosts, checksum FROM host";
        rows += checksums::<2>(&self.connection, hosts, "hosts of months", faults)?;
        let types = self.names(faults)?;
        let days = days(&self.connection, faults)?;
        for sensor in read::sensors(&self.connection)? {
            let id = self.sensor_id(&sensor.name)?;
            if let Err(error) = read::resume(&self.connection, id) {
                faults(format!("open windows of sensor {}: {error}", sensor.name));
            }
        }
        Ok(Checked { rows, types, days })
    }

    /// Every type's names against its parameters.
    fn names(&self, faults: Faults<'_>) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare("SELECT id, key, shape, family FROM type ORDER BY id")?;
        let mut rows = statement.query([])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            count += 1;
            let (id, key): (i64, i64) = (row.get(0)?, row.get(1)?);
            let (shape, family): (Vec<u8>, Vec<u8>) = (row.get(2)?, row.get(3)?);
            match types::read(&self.connection, &self.profile, id) {
                Err(error) => faults(error.to_string()),
                Ok(record) => {
                    let named = (types::key(record.behavior.id), record.shape.id.0, record.family.id.0);
                    if (key, &shape[..], &family[..]) != (named.0, &named.1[..], &named.2[..]) {
                        faults(format!("type {id} has other names than its parameters give"));
                    }
                }
            }
        }
        Ok(count)
    }
}

/// SQLite's check of pages, indexes and constraints.
fn structure(connection: &Connection, faults: Faults<'_>) -> Result<(), StoreError> {
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

/// `sql` gives a row's id, the numbers and the two texts that its checksum is of, and the checksum.
fn checksums<const NUMBERS: usize>(
    connection: &Connection,
    sql: &str,
    what: &str,
    faults: Faults<'_>,
) -> Result<u64, StoreError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        let id: i64 = row.get(0)?;
        let mut numbers = [0; NUMBERS];
        for (at, number) in (1..).zip(&mut numbers) {
            *number = row.get(at)?;
        }
        let texts = [row.get_ref(NUMBERS + 1)?.as_bytes()?, row.get_ref(NUMBERS + 2)?.as_bytes()?];
        if row.get::<_, i64>(NUMBERS + 3)? != codec::checksum(&numbers, texts) {
            faults(format!("row {id} of {what} is not as it was written"));
        }
    }
    Ok(count)
}

/// Every day's sums, counted again.
fn days(connection: &Connection, faults: Faults<'_>) -> Result<u64, StoreError> {
    let sql = "SELECT sensor, day, windows, packets, hosts, types, sensor.name
               FROM observed JOIN sensor ON sensor.id = observed.sensor ORDER BY sensor, day";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        let (sensor, day): (i64, i64) = (row.get(0)?, row.get(1)?);
        let kept: [i64; 4] = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
        let name: String = row.get(6)?;
        let place = format!("sensor {name} on {}", codec::date(day)?);
        match DaySums::kept(connection, sensor, day).map(DaySums::counts) {
            // Hosts that were dropped cannot be counted again.
            Err(StoreError::Dropped { .. }) => {}
            Err(error) => faults(format!("{place}: {error}")),
            Ok(counted) if counted != kept => {
                faults(format!("{place}: the sums kept are {kept:?}, those counted {counted:?}"));
            }
            Ok(_) => {}
        }
    }
    Ok(count)
}
