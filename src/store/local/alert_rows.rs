//! Alerts and their deliveries as rows of the catalog.

use rusqlite::{Connection, TransactionBehavior};

use crate::incident::{Alert, Delivery};
use crate::packet::Timestamp;
use crate::store::{AlertStore, StoreError};

use super::LocalStore;
use super::catalog::{count_of_column, each_row, from_json, json_values, to_json};
use super::rows::column_of_count;
use super::schema::{has_table, put_row};

impl AlertStore for LocalStore {
    fn raise_alerts(&mut self, alerts: &[Alert], receivers: &[String]) -> Result<Vec<Alert>, StoreError> {
        self.check_writable()?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut raised: Vec<Alert> = Vec::new();
        for alert in alerts {
            if !is_raised(&transaction, &alert.key)? {
                put_row(&transaction, "alert", &[&alert.key, &alert.at.0, &to_json(alert)?])?;
                raised.push(alert.clone());
            }
        }
        if let Some(first) = raised.first() {
            let last: i64 =
                transaction.query_row("SELECT coalesce(max(id), 0) FROM delivery", [], |row| row.get(0))?;
            for (id, receiver) in (last + 1..).zip(receivers) {
                let attempts = column_of_count(0);
                let json = to_json(&raised)?;
                put_row(&transaction, "delivery", &[&id, receiver, &attempts, &first.at.0, &json])?;
            }
        }
        transaction.commit()?;
        Ok(raised)
    }

    fn alerts(&self) -> Result<Vec<Alert>, StoreError> {
        json_values(&self.connection, "alert", "SELECT alert FROM alert ORDER BY raised, key")
    }

    fn deliveries(&self) -> Result<Vec<Delivery>, StoreError> {
        let mut deliveries = Vec::new();
        if has_table(&self.connection, "delivery")? {
            let sql = "SELECT id, receiver, attempts, next, alerts FROM delivery ORDER BY id";
            each_row(&self.connection, sql, [], &mut |row| {
                deliveries.push(Delivery {
                    id: count_of_column(row.get(0)?)?,
                    receiver: row.get(1)?,
                    attempts: count_of_column(row.get(2)?)?,
                    next: Timestamp(row.get(3)?),
                    alerts: from_json(row.get_ref(4)?.as_str()?)?,
                });
                Ok(())
            })?;
        }
        Ok(deliveries)
    }

    fn put_delivery(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        self.check_writable()?;
        let Delivery { id, receiver, attempts, next, alerts } = delivery;
        let [id, attempts] = [*id, *attempts].map(column_of_count);
        put_row(&self.connection, "delivery", &[&id, receiver, &attempts, &next.0, &to_json(alerts)?])
    }

    fn remove_delivery(&mut self, id: u64) -> Result<(), StoreError> {
        self.check_writable()?;
        self.connection.execute("DELETE FROM delivery WHERE id = ?1", [column_of_count(id)])?;
        Ok(())
    }
}

fn is_raised(connection: &Connection, key: &str) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM alert WHERE key = ?1";
    let count: i64 = connection.prepare_cached(sql)?.query_row([key], |row| row.get(0))?;
    Ok(count > 0)
}
