//! Opens a history from any source.

use std::path::PathBuf;

use crate::rules::Rules;
use crate::store::{HistoryStore, LocalStore};

use super::{AppError, CaptureOptions, Notices, darknet};

/// A history that can be asked.
pub type Readable = dyn HistoryStore;
/// A history that was opened to read.
pub type OpenHistory = Box<Readable>;

/// The source of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistorySource {
    /// A history folder that `inga observe` filled.
    Folder(PathBuf),
    /// A folder of captures with its `sensors.yaml`, read into a temporary history.
    Darknet(PathBuf),
}

impl HistorySource {
    /// Opens the history, or reads the captures into a temporary one. Adds a notice for each sensor whose
    /// older sightings were dropped.
    ///
    /// # Errors
    /// When the folder does not exist, the history is refused, or a capture of a darknet folder cannot be
    /// read.
    pub fn open(
        &self,
        options: &CaptureOptions,
        rules: &Rules,
        notices: &mut Notices,
    ) -> Result<OpenHistory, AppError> {
        let store = match self {
            HistorySource::Folder(path) => LocalStore::open_to_read(path, &rules.profile)?,
            HistorySource::Darknet(folder) => darknet::load(folder, options, rules, notices)?,
        };
        for sensor in store.sensors()? {
            if let Some(from) = store.sightings_kept_from(&sensor.name)? {
                notices.add(format!(
                    "sensor {}: sightings before {from} were dropped; of days before only totals and single types are \
                     answered",
                    sensor.name
                ));
            }
        }
        Ok(Box::new(store))
    }
}
