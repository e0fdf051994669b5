//! The schema of the catalog, its versions, and the checks that a folder is a history.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, ToSql};
use rusqlite_migration::{M, Migrations};

use crate::store::StoreError;

/// The file name of the catalog in a history's folder.
pub(super) const CATALOG: &str = "catalog.sqlite";
/// The `PRAGMA application_id` that marks an SQLite file as inga's: "inga" in ASCII.
const APPLICATION: i64 = 0x696e_6761;
/// Maximum time to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(30);
/// Maximum size of SQLite's page cache for one connection, in KiB.
const CACHE_KIB: i64 = 8 * 1024;

/// The migrations of the schema, one for each version. A migration is never changed once it is released.
const MIGRATIONS: [&str; 2] = ["
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT;
    CREATE TABLE sensor (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, settings TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT;
    CREATE TABLE outage (
        sensor INTEGER NOT NULL REFERENCES sensor, first_day TEXT NOT NULL, last_day TEXT NOT NULL,
        reason TEXT NOT NULL, checksum INTEGER NOT NULL,
        PRIMARY KEY (sensor, first_day, last_day, reason)) STRICT, WITHOUT ROWID;
    CREATE TABLE capture (
        sensor INTEGER NOT NULL REFERENCES sensor, content BLOB NOT NULL, record TEXT NOT NULL,
        -- 1 once a segment of it was merged with others, or its record was cut.
        merged INTEGER NOT NULL, checksum INTEGER NOT NULL, PRIMARY KEY (sensor, content)) STRICT, WITHOUT ROWID;
    -- Days on which the sensor recorded. Totals are NULL while they have to be counted from several segments.
    CREATE TABLE day (
        sensor INTEGER NOT NULL REFERENCES sensor, day TEXT NOT NULL, windows INTEGER, packets INTEGER,
        hosts INTEGER, types INTEGER, checksum INTEGER NOT NULL, PRIMARY KEY (sensor, day)) STRICT, WITHOUT ROWID;
    CREATE TABLE mark (bit INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, checksum INTEGER NOT NULL) STRICT;
    -- number: the first 63 bits of the MD5 of the type's canonical string.
    CREATE TABLE type (number INTEGER PRIMARY KEY, parameters BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT;
    CREATE TABLE signature (
        number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, checksum INTEGER NOT NULL) STRICT;
    -- kind: sightings, counts or examples. open: 1 for windows that the last capture's end left open; the next capture
    -- replaces them. path: within the folder. tail, hash: where its metadata begin, and their hash (see the page on the
    -- format). capture: the content of the one capture that it holds, or NULL when it was merged.
    CREATE TABLE segment (
        path TEXT PRIMARY KEY, sensor INTEGER NOT NULL REFERENCES sensor, kind TEXT NOT NULL,
        first_day TEXT NOT NULL, last_day TEXT NOT NULL, open INTEGER NOT NULL, rows INTEGER NOT NULL,
        bytes INTEGER NOT NULL, tail INTEGER NOT NULL, hash BLOB NOT NULL, capture BLOB,
        checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX segment_sensor ON segment (sensor, kind);
    CREATE TABLE resume (
        sensor INTEGER PRIMARY KEY REFERENCES sensor, clock INTEGER, windows BLOB NOT NULL,
        mark_names TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT;
    -- content: the newest capture; the rest is what resume was before it was fed.
    CREATE TABLE before_newest (
        sensor INTEGER PRIMARY KEY REFERENCES sensor, content BLOB NOT NULL, clock INTEGER, windows BLOB NOT NULL,
        mark_names TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT;
    CREATE TABLE sample (
        id TEXT PRIMARY KEY, path TEXT NOT NULL, report TEXT NOT NULL, profile TEXT NOT NULL,
        checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;
", "
    -- revision: how often it was stored. incident: JSON with all its changes.
    CREATE TABLE incident (
        number INTEGER PRIMARY KEY, revision INTEGER NOT NULL, incident TEXT NOT NULL,
        checksum INTEGER NOT NULL) STRICT;
    -- sensor: its name. health: JSON, as it was determined last.
    CREATE TABLE health (
        sensor TEXT PRIMARY KEY, health TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    -- How far captures were followed. key: identifies the capture by its beginning, or by its path.
    CREATE TABLE followed (
        sensor TEXT NOT NULL, key TEXT NOT NULL, followed TEXT NOT NULL, checksum INTEGER NOT NULL,
        PRIMARY KEY (sensor, key)) STRICT, WITHOUT ROWID;
    -- key: the one thing that the alert is about, for which no other alert is raised.
    CREATE TABLE alert (
        key TEXT PRIMARY KEY, raised INTEGER NOT NULL, alert TEXT NOT NULL,
        checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    -- What is still to be sent to a receiver. next: when it is tried again.
    CREATE TABLE delivery (
        id INTEGER PRIMARY KEY, receiver TEXT NOT NULL, attempts INTEGER NOT NULL, next INTEGER NOT NULL,
        alerts TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT;
"];

/// The names of all tables, for the verification of every row.
pub(super) const TABLES: [&str; 17] = [
    "setting",
    "sensor",
    "outage",
    "capture",
    "day",
    "mark",
    "type",
    "signature",
    "segment",
    "resume",
    "before_newest",
    "sample",
    "incident",
    "health",
    "followed",
    "alert",
    "delivery",
];

/// The kind of access for which a catalog is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AccessMode {
    /// Reading. Nothing is changed or created.
    Read,
    /// Writing to an existing history.
    Write,
    /// Writing; the history is created if it does not exist.
    Create,
}

/// Opens the catalog of a history's folder.
///
/// A new history is built in a temporary folder, which is renamed when it is complete. So no other process
/// sees a part of a history.
///
/// Also returns whether the connection sees what other processes change later. One to a catalog that may be read but not
/// locked does not.
pub(super) fn open(
    folder: &Path,
    access: AccessMode,
    profile: &str,
) -> Result<(Connection, bool), StoreError> {
    let path = folder.join(CATALOG);
    check_is_history(folder, &path, access)?;
    if access == AccessMode::Create && !path.exists() {
        create(folder, profile)?;
    }
    let refused = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy) => StoreError::from(error),
        _ => not_a_history(folder, &format!("catalog.sqlite: {error}")),
    };
    let (mut connection, sees_changes) = match access {
        AccessMode::Read => open_to_read(&path)?,
        AccessMode::Write | AccessMode::Create => {
            (connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(refused)?, true)
        }
    };
    let new = check_version(&connection, folder)?;
    if access == AccessMode::Read {
        connection.pragma_update(None, "query_only", "ON")?;
        if new {
            return Err(not_a_history(
                folder,
                "its catalog is empty; delete the folder and feed the captures again",
            ));
        }
        // A single transaction for all queries: they see one state, and files are locked once.
        connection.execute_batch("BEGIN")?;
        return Ok((connection, sees_changes));
    }
    if new {
        return Err(not_a_history(folder, "its catalog.sqlite has no tables; delete that file first"));
    }
    prepare_to_write(&mut connection, folder)?;
    Ok((connection, sees_changes))
}

/// Sets up a connection for writing, and migrates the tables to the newest version.
fn prepare_to_write(connection: &mut Connection, folder: &Path) -> Result<(), StoreError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    let migrations = Migrations::new(MIGRATIONS.iter().map(|step| M::up(step)).collect());
    migrations.to_latest(connection).map_err(|error| not_a_history(folder, &error.to_string()))
}

/// Creates a history without sensors.
fn create(folder: &Path, profile: &str) -> Result<(), StoreError> {
    // If the path is a symbolic link to an empty folder, the history replaces the folder and not the link.
    let folder = &folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".inga-new-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let new = builder.tempdir_in(parent)?;
    super::readers_lock::create_readers_lock(new.path())?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = connect(&new.path().join(CATALOG), flags)?;
    connection.pragma_update(None, "application_id", APPLICATION)?;
    prepare_to_write(&mut connection, folder)?;
    put_row(&connection, "setting", &[&"profile", &profile])?;
    connection.close().map_err(|(_, error)| StoreError::from(error))?;
    // The rename replaces an empty folder of that name.
    match std::fs::rename(new.path(), folder) {
        Ok(()) => _ = new.keep(),
        // Another process created the history meanwhile.
        Err(_) if folder.join(CATALOG).exists() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(std::fs::File::open(parent)?.sync_all()?)
}

/// Fails if the path holds something other than a history, with a remedy in the error. With
/// [`AccessMode::Create`] an empty or missing folder is accepted.
fn check_is_history(folder: &Path, catalog: &Path, access: AccessMode) -> Result<(), StoreError> {
    if folder.is_file() {
        let remedy = match is_sqlite(folder) {
            true => {
                "it is a file; histories of inga 0.1 were SQLite files, which this version does not read: feed the \
                 captures again into a new folder"
            }
            false => "it is a file, and a history is a folder with catalog.sqlite",
        };
        return Err(not_a_history(folder, remedy));
    }
    let found = catalog.metadata().ok();
    match (found, access) {
        (Some(found), _) if found.len() == 0 => Err(not_a_history(
            folder,
            "its catalog.sqlite is empty; delete the folder and feed the captures again",
        )),
        (Some(_), _) => Ok(()),
        (None, AccessMode::Create) if folder.join("sensors.yaml").exists() => {
            Err(not_a_history(folder, "it is a folder of captures with sensors.yaml; give it with --darknet"))
        }
        (None, AccessMode::Create) => {
            let first = std::fs::read_dir(folder).ok().and_then(|mut entries| entries.next());
            match first {
                Some(_) => {
                    Err(not_a_history(folder, "the folder holds other files; give a new or an empty one"))
                }
                None => Ok(()),
            }
        }
        (None, _) if folder.join("sensors.yaml").exists() => {
            Err(not_a_history(folder, "it is a folder of captures with sensors.yaml; give it with --darknet"))
        }
        (None, _) if folder.is_dir() => {
            Err(not_a_history(folder, "the folder has no catalog.sqlite; `inga sensor add` makes a history"))
        }
        (None, _) => Err(not_a_history(folder, "there is no such folder; `inga sensor add` makes a history")),
    }
}

fn is_sqlite(path: &Path) -> bool {
    use std::io::Read;
    let mut start = [0; 15];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && &start == b"SQLite format 3"
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}

/// Opens a catalog without leaving files behind. If the folder is writable, SQLite creates its files for the
/// write-ahead log during the query and removes them afterwards, which requires a connection that may write.
/// If it is not (read-only media, another owner's history), a read-only connection is used. If that fails as
/// well and no log with content exists, the file is opened as immutable.
///
/// Also returns whether the connection sees later changes by other processes; one to an immutable file does not.
fn open_to_read(path: &Path) -> Result<(Connection, bool), StoreError> {
    let readable = |connection: &Connection| -> rusqlite::Result<i64> {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
    };
    let flags = [OpenFlags::SQLITE_OPEN_READ_WRITE, OpenFlags::SQLITE_OPEN_READ_ONLY];
    for flags in flags {
        if let Ok(connection) = connect(path, flags)
            && readable(&connection).is_ok()
        {
            return Ok((connection, true));
        }
    }
    let log = path.with_extension("sqlite-wal");
    let log_is_empty = log.metadata().map_or(true, |log| log.len() == 0);
    let encoded = encoded(path);
    if let Some(uri) = encoded.filter(|_| log_is_empty) {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let folder = path.parent().unwrap_or(path);
        let refused = |error: rusqlite::Error| not_a_history(folder, &format!("catalog.sqlite: {error}"));
        let connection =
            connect(&PathBuf::from(format!("file:{uri}?immutable=1")), flags).map_err(refused)?;
        readable(&connection).map_err(refused)?;
        return Ok((connection, false));
    }
    Err(StoreError::Backend(format!(
        "{} was not closed by the process that wrote it, and cannot be repaired where it is; ask it once from an \
         account that may write there",
        crate::escape::path(path)
    )))
}

/// Percent-encodes a path for an SQLite URI; `None` if the path is not UTF-8.
fn encoded(path: &Path) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    Some(path.to_str()?.bytes().map(encode).collect())
}

/// Checks that the database is inga's and its version is known. Returns whether it has no tables yet.
fn check_version(connection: &Connection, folder: &Path) -> Result<bool, StoreError> {
    let number = |sql: &str| -> Result<i64, StoreError> {
        let value = connection.query_row(sql, [], |row| row.get(0));
        value.map_err(|error| not_a_history(folder, &error.to_string()))
    };
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    match (application, tables) {
        (APPLICATION, _) if version > known => {
            Err(StoreError::NewerSchema { path: crate::escape::path(folder), found: version, known })
        }
        (APPLICATION, tables) => Ok(tables == 0),
        (0, 0) => Ok(true),
        _ => Err(not_a_history(folder, "its catalog.sqlite is the database of another program")),
    }
}

/// Returns whether the catalog has a table. A catalog of an earlier version that is opened to read is not
/// migrated, and lacks the newer ones.
pub(super) fn has_table(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let count: i64 = connection.prepare_cached(sql)?.query_row([name], |row| row.get(0))?;
    Ok(count > 0)
}

fn not_a_history(folder: &Path, reason: &str) -> StoreError {
    StoreError::NotAHistory { path: crate::escape::path(folder), reason: reason.to_owned() }
}

/// Inserts a row, or replaces the row with the same key. The checksum is appended as the last column.
pub(super) fn put_row(connection: &Connection, table: &str, values: &[&dyn ToSql]) -> Result<(), StoreError> {
    let places: Vec<String> = (1..=values.len() + 1).map(|place| format!("?{place}")).collect();
    let sql = format!("INSERT OR REPLACE INTO {table} VALUES ({})", places.join(", "));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut hash = Checksum::of_table(table);
    for (place, value) in (1..).zip(values) {
        let value = value.to_sql()?;
        statement.raw_bind_parameter(place, &value)?;
        hash.add(match &value {
            rusqlite::types::ToSqlOutput::Borrowed(value) => *value,
            rusqlite::types::ToSqlOutput::Owned(value) => ValueRef::from(value),
            _ => return Err(StoreError::Backend("a value of an unknown kind".to_owned())),
        });
    }
    statement.raw_bind_parameter(values.len() + 1, hash.finish())?;
    statement.raw_execute()?;
    Ok(())
}

/// The checksum of a row: 32 bits of the BLAKE3 hash of its table's name and its values. The chance that a
/// changed row goes unnoticed is 1 in 4 billion (2^32).
pub(super) struct Checksum(blake3::Hasher);

impl Checksum {
    pub(super) fn of_table(table: &str) -> Checksum {
        let mut hash = blake3::Hasher::new();
        hash.update(table.as_bytes());
        Checksum(hash)
    }

    pub(super) fn add(&mut self, value: ValueRef<'_>) {
        let (kind, bytes): (u8, &[u8]) = match &value {
            ValueRef::Null => (0, &[]),
            ValueRef::Integer(number) => (1, &number.to_le_bytes()),
            ValueRef::Real(number) => (2, &number.to_le_bytes()),
            ValueRef::Text(text) => (3, text),
            ValueRef::Blob(bytes) => (4, bytes),
        };
        self.0.update(&[kind]).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }

    pub(super) fn finish(self) -> i64 {
        let [a, b, c, d, ..] = *self.0.finalize().as_bytes();
        i64::from(i32::from_le_bytes([a, b, c, d]))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error {
            rusqlite::Error::FromSqlConversionFailure(_, _, error) => StoreError::Damaged(error.to_string()),
            rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::IntegralValueOutOfRange(..) => {
                StoreError::Damaged(error.to_string())
            }
            rusqlite::Error::SqliteFailure(code, _) if code.code == rusqlite::ErrorCode::DatabaseCorrupt => {
                StoreError::Damaged(error.to_string())
            }
            other => StoreError::Backend(other.to_string()),
        }
    }
}
