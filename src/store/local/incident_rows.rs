//! Incidents and the health of sensors as rows of the catalog.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::incident::{FollowedCapture, Incident, SensorHealth};
use crate::store::incidents::next_revision;
use crate::store::{IncidentStore, StoreError};

use super::LocalStore;
use super::catalog::{self, count_of_column, each_row, from_json, json_values, to_json};
use super::rows::column_of_count;
use super::schema::{has_table, put_row};

impl IncidentStore for LocalStore {
    fn incidents(&self) -> Result<Vec<Incident>, StoreError> {
        json_values(&self.connection, "incident", "SELECT incident FROM incident ORDER BY number")
    }

    fn put_incidents(&mut self, incidents: &[Incident]) -> Result<(), StoreError> {
        self.check_writable()?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for incident in incidents {
            let next = next_revision(incident, stored_revision(&transaction, incident.number)?)?;
            let [number, revision] = [next.number, next.revision].map(column_of_count);
            put_row(&transaction, "incident", &[&number, &revision, &to_json(&next)?])?;
        }
        Ok(transaction.commit()?)
    }

    fn sensor_healths(&self) -> Result<Vec<SensorHealth>, StoreError> {
        json_values(&self.connection, "health", "SELECT health FROM health ORDER BY sensor")
    }

    fn put_sensor_healths(&mut self, healths: &[SensorHealth]) -> Result<(), StoreError> {
        self.check_writable()?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for health in healths {
            put_row(&transaction, "health", &[&health.sensor, &to_json(health)?])?;
        }
        Ok(transaction.commit()?)
    }

    fn segment_count(&self, sensor: &str) -> Result<u64, StoreError> {
        let (id, _) = catalog::sensor(&self.connection, sensor)?;
        let sql = "SELECT count(*) FROM segment WHERE sensor = ?1";
        count_of_column(self.connection.prepare_cached(sql)?.query_row([id], |row| row.get(0))?)
    }

    fn followed_captures(&self, sensor: &str) -> Result<BTreeMap<String, FollowedCapture>, StoreError> {
        let mut all = BTreeMap::new();
        if has_table(&self.connection, "followed")? {
            let sql = "SELECT key, followed FROM followed WHERE sensor = ?1";
            each_row(&self.connection, sql, [sensor], &mut |row| {
                all.insert(row.get(0)?, from_json(row.get_ref(1)?.as_str()?)?);
                Ok(())
            })?;
        }
        Ok(all)
    }

    fn put_followed_capture(
        &mut self,
        sensor: &str,
        key: &str,
        followed: &FollowedCapture,
    ) -> Result<(), StoreError> {
        self.check_writable()?;
        put_row(&self.connection, "followed", &[&sensor, &key, &to_json(followed)?])
    }
}

fn stored_revision(connection: &Connection, number: u64) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT revision FROM incident WHERE number = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let stored: Option<i64> = statement.query_row([column_of_count(number)], |row| row.get(0)).optional()?;
    stored.map(count_of_column).transpose()
}
