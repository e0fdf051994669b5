//! The folder for files that the catalog does not list yet, and the deletion of files that it does not list.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use crate::store::StoreError;

use super::catalog;
use super::count_rows::COUNTS;
use super::example_rows::EXAMPLES;
use super::readers_lock::delete_unless_read;
use super::rows::SIGHTINGS;

/// The name of the folder within a history.
const INCOMING: &str = "incoming";
/// A folder for the new files of one process, which holds a lock on it. The folder is deleted when this value
/// is dropped, or after a crash by the next process that writes.
#[derive(Debug)]
pub(super) struct IncomingFolder {
    folder: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl IncomingFolder {
    /// Creates a folder within a history.
    pub(super) fn new(history: &Path) -> Result<IncomingFolder, StoreError> {
        let parent = history.join(INCOMING);
        for number in 0u32.. {
            fs::create_dir_all(&parent)?;
            let name = format!("{}-{number}", std::process::id());
            let lock_path = parent.join(format!("{name}.lock"));
            let lock = match OpenOptions::new().write(true).create_new(true).open(&lock_path) {
                Ok(lock) => lock,
                // The name is taken, or another process that ended has just deleted the empty parent folder.
                Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            // Between creation and locking, another process may have found the file unlocked and deleted it.
            if lock.try_lock().is_err() || !lock_path.exists() {
                continue;
            }
            let folder = parent.join(name);
            fs::create_dir_all(&folder)?;
            return Ok(IncomingFolder { folder, lock_path, _lock: lock });
        }
        Err(StoreError::Backend("no name is left for incoming files".to_owned()))
    }

    /// Returns the path of the folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for IncomingFolder {
    fn drop(&mut self) {
        // Files that cannot be deleted now are deleted by the next process that writes.
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.lock_path);
        let _ = self.folder.parent().map(fs::remove_dir);
    }
}

/// Deletes the folders of processes that no longer run.
pub(super) fn delete_abandoned(history: &Path) -> Result<(), StoreError> {
    let parent = history.join(INCOMING);
    let Ok(entries) = fs::read_dir(&parent) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        let Ok(lock) = OpenOptions::new().write(true).open(&path) else { continue };
        if lock.try_lock().is_ok() {
            let _ = fs::remove_dir_all(path.with_extension(""));
            let _ = fs::remove_file(&path);
        }
    }
    let _ = fs::remove_dir(&parent);
    Ok(())
}

/// Deletes those of `paths` that the catalog does not list, unless a reader holds the lock. Another process
/// may have listed some of them again, because files of the same content have the same name.
pub(super) fn delete_unlisted(
    folder: &Path,
    connection: &mut Connection,
    mut paths: Vec<String>,
) -> Result<(), StoreError> {
    // No other process can move a file into the history during this transaction.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let listed: BTreeSet<String> =
        catalog::segments(&transaction, None)?.into_iter().map(|segment| segment.path).collect();
    paths.retain(|path| !listed.contains(path));
    if !paths.is_empty() {
        delete_unless_read(folder, &paths);
    }
    Ok(transaction.commit()?)
}

/// Deletes all files that a crash left behind.
pub(super) fn delete_leftover_files(folder: &Path, connection: &mut Connection) -> Result<(), StoreError> {
    delete_abandoned(folder)?;
    let mut paths = Vec::new();
    for kind in [SIGHTINGS.name, COUNTS.name, EXAMPLES.name] {
        for entry in walkdir::WalkDir::new(folder.join(kind)).follow_links(false).into_iter().flatten() {
            let path = entry.path().strip_prefix(folder).ok().and_then(Path::to_str);
            paths.extend(path.filter(|_| entry.file_type().is_file()).map(str::to_owned));
        }
    }
    delete_unlisted(folder, connection, paths)
}
