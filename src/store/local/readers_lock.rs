//! The lock that readers hold on the files of a history.

use std::fs::{self, File, OpenOptions};
use std::path::Path;

use crate::store::StoreError;

/// The name of the lock file. Readers hold a shared lock on it while they read; files are deleted only under
/// an exclusive lock.
const READERS: &str = "readers.lock";

/// Creates the lock file of readers.
pub(super) fn create_readers_lock(history: &Path) -> Result<(), StoreError> {
    OpenOptions::new().create(true).append(true).open(history.join(READERS))?;
    Ok(())
}

/// Takes the readers' lock, which keeps all files of a history until it is dropped. Returns `None` if the
/// file cannot be locked (some read-only media); no process can delete files there either.
pub(super) fn lock_files(history: &Path) -> Option<File> {
    let file = File::open(history.join(READERS)).ok()?;
    file.lock_shared().ok()?;
    Some(file)
}

/// Deletes files, unless a reader holds the lock. Files that cannot be deleted now are deleted by the next
/// process that writes.
pub(super) fn delete_unless_read(history: &Path, paths: &[String]) {
    let Ok(file) = OpenOptions::new().append(true).open(history.join(READERS)) else { return };
    if file.try_lock().is_err() {
        return;
    }
    for path in paths {
        let _ = fs::remove_file(history.join(path));
    }
}
