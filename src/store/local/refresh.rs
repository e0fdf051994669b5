//! Stores opened to read that are kept between queries, so that the next query finds segments open and types indexed.

use std::collections::HashSet;
use std::path::Path;

use crate::store::StoreError;

use super::schema::{AccessMode, CATALOG};
use super::{LocalStore, catalog, readers_lock};

/// The number of a file and of its file system.
pub(super) type FileIdentity = (u64, u64);

/// Returns the identity of a history's catalog, or `None` if there is none.
pub(super) fn catalog_identity(folder: &Path) -> Option<FileIdentity> {
    let metadata = folder.join(CATALOG).metadata().ok()?;
    #[cfg(unix)]
    return Some((
        std::os::unix::fs::MetadataExt::dev(&metadata),
        std::os::unix::fs::MetadataExt::ino(&metadata),
    ));
    #[cfg(not(unix))]
    return None;
}

impl LocalStore {
    /// Gives up the state of the history that a store opened to read holds. Until [`LocalStore::refresh`], it must not
    /// be asked anything, and other processes may delete files that the catalog no longer lists.
    ///
    /// # Errors
    /// Fails if the catalog cannot be read.
    pub fn release(&mut self) -> Result<(), StoreError> {
        if self.access == AccessMode::Read {
            self.connection.execute_batch("ROLLBACK")?;
            self.files = None;
        }
        Ok(())
    }

    /// Takes up the newest state of the history after [`LocalStore::release`]. Returns `false` if the folder has
    /// another catalog than the one that was opened; the store must then be dropped.
    ///
    /// # Errors
    /// Fails if the catalog cannot be read.
    pub fn refresh(&mut self) -> Result<bool, StoreError> {
        if self.access != AccessMode::Read {
            return Ok(true);
        }
        if self.identity.is_none() || catalog_identity(&self.folder) != self.identity {
            return Ok(false);
        }
        // The files are locked first, as when a store is opened.
        self.files = readers_lock::lock_files(&self.folder);
        self.connection.execute_batch("BEGIN")?;
        let listed: HashSet<String> =
            catalog::segments(&self.connection, None)?.into_iter().map(|segment| segment.path).collect();
        self.open.retain(|path| listed.contains(path));
        Ok(true)
    }
}
