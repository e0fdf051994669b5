//! The tables, their versions, and what makes a file a history.

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

use crate::store::StoreError;

/// Marks a file as inga's (`PRAGMA application_id`): "inga" in ASCII.
const APPLICATION: i64 = 0x696e_6761;

/// What a connection may hold of the file in memory.
const CACHE_KIB: i64 = 16 * 1024;

/// Versions up to which files are drafts, which are refused: nothing of them was released.
const DRAFTS: i64 = 1;

/// Each a step that is never changed once released.
const STEPS: [&str; 2] = ["", "
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE sensor (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, settings TEXT NOT NULL) STRICT;
CREATE TABLE outage (
    sensor INTEGER NOT NULL REFERENCES sensor, first_day INTEGER NOT NULL, last_day INTEGER NOT NULL,
    reason TEXT NOT NULL, PRIMARY KEY (sensor, first_day, last_day, reason)) STRICT, WITHOUT ROWID;
CREATE TABLE capture (
    sensor INTEGER NOT NULL REFERENCES sensor, content BLOB NOT NULL, name TEXT NOT NULL,
    packets INTEGER NOT NULL, first INTEGER, last INTEGER, PRIMARY KEY (sensor, content)) STRICT, WITHOUT ROWID;
CREATE TABLE observed (
    sensor INTEGER NOT NULL REFERENCES sensor, day INTEGER NOT NULL,
    windows INTEGER NOT NULL DEFAULT 0, packets INTEGER NOT NULL DEFAULT 0,
    hosts INTEGER NOT NULL DEFAULT 0, types INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (sensor, day)) STRICT, WITHOUT ROWID;
CREATE TABLE mark (bit INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
-- key: the first half of md5. No index of shapes and families: see types.rs.
CREATE TABLE type (
    id INTEGER PRIMARY KEY, key INTEGER NOT NULL, md5 BLOB NOT NULL, shape BLOB NOT NULL, family BLOB NOT NULL,
    protocol TEXT NOT NULL, ports TEXT NOT NULL, parameters BLOB NOT NULL) STRICT;
CREATE INDEX type_key ON type (key);
-- The types to some ports, by id, as far as the setting `listed types` tells.
CREATE TABLE service (
    ports TEXT PRIMARY KEY, types BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT;
-- Packed sightings (history::packed), with a checksum of the row. open: 1 what the last capture's end left open, replaced by the next.
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY, sensor INTEGER NOT NULL REFERENCES sensor, day INTEGER NOT NULL,
    open INTEGER NOT NULL, first_type INTEGER NOT NULL, last_type INTEGER NOT NULL, marks TEXT NOT NULL,
    groups BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT;
CREATE INDEX chunk_types ON chunk (sensor, first_type, last_type);
CREATE INDEX chunk_day ON chunk (sensor, day);
CREATE INDEX chunk_open ON chunk (sensor) WHERE open = 1;
-- Months that are put together (history::month). starts: when the days begin. dropped: 1 its sightings are no more.
CREATE TABLE month (
    id INTEGER PRIMARY KEY, sensor INTEGER NOT NULL REFERENCES sensor, month INTEGER NOT NULL,
    hosts INTEGER NOT NULL, dropped INTEGER NOT NULL, starts BLOB NOT NULL, checksum INTEGER NOT NULL,
    UNIQUE (sensor, month)) STRICT;
-- Observations of some types (history::month::Cells), which the id tells (sqlite::month). seen: the row with their
-- sightings, which begin at these bits.
CREATE TABLE cell (
    id INTEGER PRIMARY KEY, month INTEGER NOT NULL REFERENCES month, seen INTEGER NOT NULL,
    hosts_at INTEGER NOT NULL, details_at INTEGER NOT NULL, cells BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT;
-- Sightings: hosts by number, and apart from them when and how much.
CREATE TABLE seen (
    id INTEGER PRIMARY KEY, month INTEGER NOT NULL REFERENCES month, hosts BLOB NOT NULL, details BLOB NOT NULL,
    checksum INTEGER NOT NULL) STRICT;
CREATE INDEX seen_month ON seen (month);
-- The hosts of a month in blocks: the number of the first, the first one as bytes that sort as hosts do.
CREATE TABLE host (
    month INTEGER NOT NULL REFERENCES month, host BLOB NOT NULL, first INTEGER NOT NULL, hosts BLOB NOT NULL,
    checksum INTEGER NOT NULL, PRIMARY KEY (month, host)) STRICT;
-- Packed examples (sqlite::example); open as above. exampled: which types a month had one of, as bits, and when the last begins.
CREATE TABLE example (
    id INTEGER PRIMARY KEY, sensor INTEGER NOT NULL REFERENCES sensor, month INTEGER NOT NULL,
    open INTEGER NOT NULL, first_type INTEGER NOT NULL, last_type INTEGER NOT NULL, examples BLOB NOT NULL,
    checksum INTEGER NOT NULL) STRICT;
CREATE INDEX example_types ON example (sensor, first_type, last_type);
CREATE TABLE exampled (
    sensor INTEGER NOT NULL REFERENCES sensor, month INTEGER NOT NULL, last INTEGER NOT NULL,
    types BLOB NOT NULL, PRIMARY KEY (sensor, month)) STRICT, WITHOUT ROWID;
CREATE TABLE resume (
    sensor INTEGER PRIMARY KEY REFERENCES sensor, clock INTEGER, windows BLOB NOT NULL,
    mark_names TEXT NOT NULL) STRICT;
CREATE TABLE sample (
    id TEXT PRIMARY KEY, path TEXT NOT NULL, report TEXT NOT NULL, profile TEXT NOT NULL) STRICT;
"];

/// Makes a new file a history, brings an older one up to date, refuses anything else.
pub(super) fn prepare(connection: &mut Connection, path: &str) -> Result<(), StoreError> {
    let not_a_history = |reason: String| StoreError::NotAHistory { path: path.to_owned(), reason };
    let number = |connection: &Connection, pragma: &str| -> Result<i64, StoreError> {
        let value = connection.pragma_query_value(None, pragma, |row| row.get(0));
        value.map_err(|error| not_a_history(error.to_string()))
    };
    let application = number(connection, "application_id")?;
    let version = number(connection, "user_version")?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| not_a_history(error.to_string()))?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    match (application, tables) {
        (APPLICATION, _) if version > known => {
            return Err(StoreError::NewerSchema { path: path.to_owned(), found: version, known });
        }
        (APPLICATION, _) if (1..=DRAFTS).contains(&version) => {
            return Err(not_a_history("it is of a draft of inga; its captures make it anew".to_owned()));
        }
        (APPLICATION, _) | (0, 0) => {}
        _ => return Err(not_a_history("it is the SQLite database of another program".to_owned())),
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // What SQLite copies aside while one statement runs is small, and many statements run.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    if application != APPLICATION {
        connection.pragma_update(None, "application_id", APPLICATION)?;
    }
    let migrations = Migrations::new(STEPS.iter().map(|step| M::up(step)).collect());
    migrations.to_latest(connection).map_err(|error| not_a_history(error.to_string()))
}
