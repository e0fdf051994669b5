//! Stores of one history that are opened to read and kept for the next question, so that a question does not open
//! files and index types again. A store that waits holds no state of the history: every question sees the newest one.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::behavior::Profile;
use crate::store::{LocalStore, TypeIndex};

use super::AppError;
use super::history_source::Readable;

/// Maximum number of stores that wait. Further ones are closed.
const WAITING_MAX: usize = 8;

/// The stores of a history that wait for a question, and what they share.
#[derive(Debug)]
pub struct HistoryReaders {
    folder: PathBuf,
    profile: Profile,
    types: TypeIndex,
    waiting: Mutex<Vec<LocalStore>>,
}

impl HistoryReaders {
    /// Creates the readers of a history in a folder. None is open yet.
    #[must_use]
    pub fn new(folder: &Path, profile: &Profile) -> HistoryReaders {
        HistoryReaders {
            folder: folder.to_owned(),
            profile: profile.clone(),
            types: TypeIndex::default(),
            waiting: Mutex::default(),
        }
    }

    /// Asks a store that sees the newest state of the history.
    ///
    /// # Errors
    /// When the folder has no history, or it cannot be read.
    pub fn ask<T>(&self, question: impl FnOnce(&Readable) -> T) -> Result<T, AppError> {
        let mut store = self.take()?;
        let answer = question(&store);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // A store that cannot give up its state must not wait: it would keep files from being deleted.
        if waiting.len() < WAITING_MAX && store.release().is_ok() {
            waiting.push(store);
        }
        Ok(answer)
    }

    fn take(&self) -> Result<LocalStore, AppError> {
        loop {
            // The lock is not held while the store is refreshed.
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut store) = next else {
                return Ok(LocalStore::open_to_read_with(&self.folder, &self.profile, &self.types)?);
            };
            // Another history may be in the folder now, or it cannot be read; then a new store says so.
            if store.refresh().unwrap_or(false) {
                return Ok(store);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Sensor, SensorKind};
    use crate::rules::Rules;

    fn names(readers: &HistoryReaders) -> Vec<String> {
        let sensors = readers.ask(|store| store.sensors()).unwrap().unwrap();
        sensors.into_iter().map(|sensor| sensor.name).collect()
    }

    #[test]
    fn a_kept_store_sees_the_newest_state_and_a_history_that_took_the_place_of_another() {
        let (folder, rules) = (tempfile::TempDir::new().unwrap(), Rules::shipped().unwrap());
        let path = folder.path().join("history");
        let readers = HistoryReaders::new(&path, &rules.profile);
        assert!(readers.ask(|_| ()).is_err(), "there is none yet");
        let add = |name: &str| {
            let prefixes = vec!["203.0.113.0/24".parse().unwrap()];
            let (name, kind, live) = (name.to_owned(), SensorKind::Dark, Vec::new());
            let sensor = Sensor { name, kind, prefixes, live, time_zone: "UTC".to_owned() };
            crate::app::history::add_sensor(&path, &sensor, &rules).unwrap();
        };
        add("I");
        assert_eq!(names(&readers), ["I"]);
        add("II");
        assert_eq!(names(&readers), ["I", "II"]);
        assert_eq!(readers.waiting.lock().unwrap().len(), 1);
        std::fs::remove_dir_all(&path).unwrap();
        add("III");
        assert_eq!(names(&readers), ["III"]);
    }
}
