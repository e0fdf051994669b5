//! A history in a folder: a catalog (SQLite) and segments (Parquet). `FORMAT.md` beside this file describes
//! both.

mod alert_rows;
mod capture_rows;
mod catalog;
mod count_rows;
mod counting;
mod day_numbers;
mod example_rows;
mod history_store;
mod incident_rows;
mod incoming;
mod ingest;
mod join;
mod join_incidents;
mod join_sensor;
mod merge;
mod open_segments;
mod query;
mod readers_lock;
mod recent;
mod refresh;
mod remove;
mod retain;
mod row_filter;
mod rows;
mod scan;
mod schema;
mod segment;
mod segment_replacement;
mod segment_writer;
mod sensors;
mod signature_rows;
mod sorted;
mod spool;
mod table;
mod type_index;
mod type_rows;
mod types;
mod verify;
mod write;

use std::cell::Cell;
use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::behavior::Profile;

use super::StoreError;
use open_segments::OpenSegments;
use schema::AccessMode;
use type_index::CatalogVersion;
pub use type_index::TypeIndex;

/// A history in a folder.
#[derive(Debug)]
pub struct LocalStore {
    folder: PathBuf,
    connection: Connection,
    access: AccessMode,
    profile: Profile,
    types: TypeIndex,
    /// The state of the catalog whose types are in the index.
    indexed_version: Cell<Option<CatalogVersion>>,
    open: OpenSegments,
    /// Whether written data is synced to the disk. Temporary histories are not synced.
    durable: bool,
    /// The temporary folder of [`LocalStore::temporary`], deleted together with the store.
    temporary: Option<tempfile::TempDir>,
    /// A shared lock, held by a store opened to read, which keeps other processes from deleting segment
    /// files.
    files: Option<File>,
    /// The file of the catalog, by which a history that took the place of another is recognized; `None` if the connection
    /// does not see what other processes change.
    identity: Option<refresh::FileIdentity>,
}

impl LocalStore {
    /// Opens a history to read. Nothing is changed or created. All queries see the state at the time of
    /// opening, even if another process writes meanwhile.
    ///
    /// # Errors
    /// Fails if the folder has no history, a history of a newer inga or one of another behavior profile, or
    /// if the history cannot be read.
    pub fn open_to_read(folder: &Path, profile: &Profile) -> Result<LocalStore, StoreError> {
        LocalStore::open_with(folder, profile, AccessMode::Read, TypeIndex::default())
    }

    /// Opens a history to read as [`LocalStore::open_to_read`] does, with an index of types that other stores of the same
    /// history have filled.
    ///
    /// # Errors
    /// Fails as [`LocalStore::open_to_read`] does.
    pub fn open_to_read_with(
        folder: &Path,
        profile: &Profile,
        types: &TypeIndex,
    ) -> Result<LocalStore, StoreError> {
        LocalStore::open_with(folder, profile, AccessMode::Read, types.clone())
    }

    /// Opens an existing history to write.
    ///
    /// # Errors
    /// Fails as [`LocalStore::open_to_read`] does.
    pub fn open_to_write(folder: &Path, profile: &Profile) -> Result<LocalStore, StoreError> {
        LocalStore::open_with(folder, profile, AccessMode::Write, TypeIndex::default())
    }

    /// Opens a history to write, and creates it if it does not exist.
    ///
    /// # Errors
    /// Fails as [`LocalStore::open_to_read`] does, and if the folder cannot be created.
    pub fn create(folder: &Path, profile: &Profile) -> Result<LocalStore, StoreError> {
        LocalStore::open_with(folder, profile, AccessMode::Create, TypeIndex::default())
    }

    /// Creates a history in a temporary folder (within `TMPDIR`), which is deleted together with the store.
    ///
    /// # Errors
    /// Fails if no temporary folder can be created.
    pub fn temporary(profile: &Profile) -> Result<LocalStore, StoreError> {
        let temporary = tempfile::Builder::new().prefix("inga-").tempdir()?;
        let mut store = LocalStore::create(temporary.path(), profile)?;
        store.connection.pragma_update(None, "synchronous", "OFF")?;
        (store.durable, store.temporary) = (false, Some(temporary));
        Ok(store)
    }

    fn open_with(
        folder: &Path,
        profile: &Profile,
        access: AccessMode,
        types: TypeIndex,
    ) -> Result<LocalStore, StoreError> {
        // The files are locked before the state of the catalog is fixed, so that no file that it lists is
        // deleted in between.
        let files = if access == AccessMode::Read { readers_lock::lock_files(folder) } else { None };
        let (connection, sees_changes) = schema::open(folder, access, &profile.identity())?;
        let mut store = LocalStore {
            folder: folder.to_owned(),
            connection,
            access,
            profile: profile.clone(),
            types,
            indexed_version: Cell::new(None),
            open: OpenSegments::default(),
            durable: true,
            temporary: None,
            files,
            identity: refresh::catalog_identity(folder).filter(|_| sees_changes),
        };
        store.check_profile()?;
        if access != AccessMode::Read {
            readers_lock::create_readers_lock(folder)?;
            incoming::delete_leftover_files(folder, &mut store.connection)?;
        }
        Ok(store)
    }

    fn check_profile(&self) -> Result<(), StoreError> {
        let wanted = self.profile.identity();
        match catalog::setting(&self.connection, "profile")? {
            Some(found) if found != wanted => Err(StoreError::ProfileMismatch { found, wanted }),
            Some(_) => Ok(()),
            None => Err(StoreError::Damaged("the catalog does not name its behavior profile".to_owned())),
        }
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        match self.access {
            AccessMode::Read => Err(StoreError::Backend("the history was opened to read".to_owned())),
            AccessMode::Write | AccessMode::Create => Ok(()),
        }
    }

    /// Deletes the files of segments that the catalog no longer lists. Files that cannot be deleted now, for
    /// example because a reader holds the lock, are deleted by the next process that writes.
    fn delete_files(&mut self, paths: &[String]) {
        if !paths.is_empty() {
            paths.iter().for_each(|path| self.open.close(path));
            let _ = incoming::delete_unlisted(&self.folder, &mut self.connection, paths.to_vec());
        }
    }

    fn sensor_id(&self, name: &str) -> Result<i64, StoreError> {
        Ok(catalog::sensor(&self.connection, name)?.0)
    }
}
