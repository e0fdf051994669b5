//! Joining histories that were observed separately. The result is built in a temporary folder, which is
//! renamed when it is complete.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use crate::behavior::Profile;
use crate::history::{JoinSummary, Sensor};
use crate::packet::Timestamp;
use crate::sample::FamilyRenames;
use crate::store::StoreError;

use super::LocalStore;
use super::capture_rows;
use super::join_incidents::copy_incidents;
use super::join_sensor::JoinTarget;
use super::schema;
use super::{catalog, signature_rows, type_rows};

impl LocalStore {
    /// Joins histories into a folder that is empty or does not exist. `at` is the time of the notes on incidents that
    /// get another number.
    ///
    /// # Errors
    /// Fails if the folder is not empty, the histories cannot be joined, one of them is damaged, or the
    /// result cannot be written. The folder is then left as it was.
    pub fn join(
        sources: &[PathBuf],
        into: &Path,
        profile: &Profile,
        at: Timestamp,
    ) -> Result<JoinSummary, StoreError> {
        let is_empty = fs::read_dir(into).map_or(!into.exists(), |mut entries| entries.next().is_none());
        if !is_empty {
            return Err(StoreError::NotJoinable(format!(
                "{} is not empty; give a new folder",
                crate::escape::path(into)
            )));
        }
        let stores: Vec<LocalStore> =
            sources.iter().map(|path| LocalStore::open_to_read(path, profile)).collect::<Result<_, _>>()?;
        let parent = match into.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        fs::create_dir_all(&parent)?;
        let temporary = tempfile::Builder::new().prefix(".inga-merge-").tempdir_in(&parent)?;
        let mut result = LocalStore::create(temporary.path(), profile)?;
        let joined = result.copy_histories(&stores, at)?;
        drop(result);
        fs::rename(temporary.path(), into)?;
        File::open(&parent)?.sync_all()?;
        Ok(joined)
    }

    /// Copies the contents of all source histories into this one.
    fn copy_histories(&mut self, stores: &[LocalStore], at: Timestamp) -> Result<JoinSummary, StoreError> {
        let (folder, profile) = (self.folder.clone(), self.profile.clone());
        let mut joined = JoinSummary::default();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut sensors: BTreeMap<String, Sensor> = BTreeMap::new();
        let mut marks = Vec::new();
        let mut renames = FamilyRenames::default();
        for store in stores {
            renames.add_all(catalog::family_renames(&store.connection)?);
            marks.push(catalog::number_marks(&transaction, &catalog::mark_names(&store.connection)?)?);
            copy_types(&store.connection, &transaction, &profile)?;
            let signatures = signature_rows::signatures(&store.connection)?;
            signature_rows::put_signatures(&transaction, &signatures)?;
            for sample in catalog::samples(&store.connection)? {
                catalog::put_sample(&transaction, &sample)?;
            }
            for (_, sensor) in catalog::sensors(&store.connection)? {
                let known = sensors.entry(sensor.name.clone()).or_insert_with(|| sensor.clone());
                if *known != sensor {
                    let (name, path) = (&sensor.name, crate::escape::path(&store.folder));
                    let fault = format!(
                        "sensor `{name}` of {path} has other settings than in the histories before it"
                    );
                    return Err(StoreError::NotJoinable(fault));
                }
            }
        }
        if renames != FamilyRenames::default() {
            catalog::put_family_renames(&transaction, &renames)?;
        }
        for (id, (name, sensor)) in (1i64..).zip(&sensors) {
            schema::put_row(&transaction, "sensor", &[&id, name, &catalog::to_json(sensor)?])?;
            let mut target = JoinTarget { folder: &folder, connection: &transaction, id, sensor };
            target.copy_sensor(stores, &marks, &mut joined)?;
            joined.sensors += 1;
            joined.captures += capture_rows::capture_count(&transaction, id)?;
        }
        copy_incidents(stores, &transaction, at, &mut joined)?;
        transaction.commit()?;
        Ok(joined)
    }
}

/// Copies all types from one catalog to another.
fn copy_types(from: &Connection, to: &Connection, profile: &Profile) -> Result<(), StoreError> {
    let mut types = Vec::new();
    type_rows::each_type(from, &mut |number, parameters| {
        types.push((number, parameters));
        Ok(())
    })?;
    type_rows::put_types(to, &mut types.into_iter(), profile)
}
