//! Adding, editing and removing sensors, and removing outages.

use rusqlite::TransactionBehavior;

use crate::history::{Outage, Sensor};
use crate::store::StoreError;

use super::capture_rows;
use super::{LocalStore, catalog, schema};

impl LocalStore {
    /// Adds a sensor; see the trait.
    pub(super) fn put_sensor(&mut self, sensor: &Sensor) -> Result<(), StoreError> {
        self.check_writable()?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match catalog::sensor(&transaction, &sensor.name) {
            Ok((_, known)) if known == *sensor => {}
            Ok(_) => return Err(StoreError::SensorExists(sensor.name.clone())),
            Err(StoreError::UnknownSensor(_)) => {
                let next = "SELECT coalesce(max(id), 0) + 1 FROM sensor";
                let id: i64 = transaction.query_row(next, [], |row| row.get(0))?;
                schema::put_row(&transaction, "sensor", &[&id, &sensor.name, &catalog::to_json(sensor)?])?;
            }
            Err(error) => return Err(error),
        }
        Ok(transaction.commit()?)
    }

    /// Replaces the settings of a sensor; see the trait.
    pub(super) fn replace_sensor(&mut self, name: &str, edited: &Sensor) -> Result<(), StoreError> {
        self.check_writable()?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (id, known) = catalog::sensor(&transaction, name)?;
        crate::store::edit::check_edit(&known, edited, &capture_rows::coverage(&transaction, id, &known)?)?;
        schema::put_row(&transaction, "sensor", &[&id, &edited.name, &catalog::to_json(edited)?])?;
        Ok(transaction.commit()?)
    }

    /// Removes a sensor with its stored data; see the trait.
    pub(super) fn delete_sensor(&mut self, name: &str) -> Result<(), StoreError> {
        self.check_writable()?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (id, _) = catalog::sensor(&transaction, name)?;
        let paths: Vec<String> =
            catalog::segments(&transaction, Some(id))?.into_iter().map(|one| one.path).collect();
        for table in ["outage", "capture", "day", "segment", "resume", "before_newest"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE sensor = ?1"), [id])?;
        }
        catalog::delete_kept_from(&transaction, id)?;
        transaction.execute("DELETE FROM sensor WHERE id = ?1", [id])?;
        transaction.commit()?;
        self.delete_files(&paths);
        Ok(())
    }

    /// Removes an outage, and returns whether it existed; see the trait.
    pub(super) fn delete_outage(&mut self, sensor: &str, outage: &Outage) -> Result<bool, StoreError> {
        self.check_writable()?;
        let sql = "DELETE FROM outage WHERE (sensor, first_day, last_day, reason) = (?1, ?2, ?3, ?4)";
        let (first, last) = (outage.first.to_string(), outage.last.to_string());
        let id = self.sensor_id(sensor)?;
        Ok(self.connection.execute(sql, (id, first, last, &outage.reason))? > 0)
    }
}
