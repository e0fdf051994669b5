//! A folder for files that the catalog does not list yet, and the deletion of files that it lists no longer or never did.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use crate::store::StoreError;

use super::catalog;
use super::count_rows::COUNTS;
use super::example_rows::EXAMPLES;
use super::rows::SIGHTINGS;

/// The name of the folder within a history.
const INCOMING: &str = "incoming";
/// Readers hold this file with a shared lock for the time of a question; files are only deleted under an exclusive one.
const READERS: &str = "readers.lock";

/// A folder of one process, which it holds by a lock. It is deleted when this is dropped; after a crash, by the next process
/// that writes.
#[derive(Debug)]
pub(super) struct Incoming {
    folder: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Incoming {
    pub(super) fn new(history: &Path) -> Result<Incoming, StoreError> {
        let parent = history.join(INCOMING);
        fs::create_dir_all(&parent)?;
        for number in 0u32.. {
            let name = format!("{}-{number}", std::process::id());
            let lock_path = parent.join(format!("{name}.lock"));
            let lock = match OpenOptions::new().write(true).create_new(true).open(&lock_path) {
                Ok(lock) => lock,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error.into()),
            };
            // Between the two calls another process may have found the file without a lock, and deleted it.
            if lock.try_lock().is_err() || !lock_path.exists() {
                continue;
            }
            let folder = parent.join(name);
            fs::create_dir_all(&folder)?;
            return Ok(Incoming { folder, lock_path, _lock: lock });
        }
        Err(StoreError::Backend("no name is left for incoming files".to_owned()))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Whatever stays is deleted by the next process that writes.
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.lock_path);
        let _ = self.folder.parent().map(fs::remove_dir);
    }
}

/// Deletes what processes left behind that are no more.
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

/// Makes the file that readers lock.
pub(super) fn prepare_for_readers(history: &Path) -> Result<(), StoreError> {
    OpenOptions::new().create(true).append(true).open(history.join(READERS))?;
    Ok(())
}

/// Holds all files of a history for the time of a question. Where locks cannot be had (some read-only media) nobody deletes
/// files either.
pub(super) fn hold_files(history: &Path) -> Option<File> {
    let file = File::open(history.join(READERS)).ok()?;
    file.lock_shared().ok()?;
    Some(file)
}

/// Deletes files, unless somebody reads. What cannot be deleted now is deleted by the next process that writes.
fn delete_unless_read(history: &Path, paths: &[String]) {
    let Ok(file) = OpenOptions::new().append(true).open(history.join(READERS)) else { return };
    if file.try_lock().is_err() {
        return;
    }
    for path in paths {
        let _ = fs::remove_file(history.join(path));
    }
}

/// Deletes files of segments that the catalog does not list, unless somebody reads. Of `paths`, another process can have listed
/// some again: the same content has the same name.
pub(super) fn delete_unlisted(
    folder: &Path,
    connection: &mut Connection,
    mut paths: Vec<String>,
) -> Result<(), StoreError> {
    // Nobody moves a file to its place while this lasts.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let listed: BTreeSet<String> =
        catalog::segments(&transaction, None)?.into_iter().map(|segment| segment.path).collect();
    paths.retain(|path| !listed.contains(path));
    if !paths.is_empty() {
        delete_unless_read(folder, &paths);
    }
    Ok(transaction.commit()?)
}

/// Deletes whatever a crash left behind.
pub(super) fn sweep(folder: &Path, connection: &mut Connection) -> Result<(), StoreError> {
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
