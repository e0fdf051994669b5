//! Alerts and their deliveries in memory.

use std::collections::BTreeMap;

use crate::incident::{Alert, Delivery};
use crate::store::{AlertStore, StoreError};

use super::MemoryStore;

/// The alerts of a history by key, and their deliveries by id.
#[derive(Debug, Default)]
pub(super) struct AlertMaps {
    alerts: BTreeMap<String, Alert>,
    deliveries: BTreeMap<u64, Delivery>,
}

impl AlertStore for MemoryStore {
    fn raise_alerts(&mut self, alerts: &[Alert], receivers: &[String]) -> Result<Vec<Alert>, StoreError> {
        let AlertMaps { alerts: known, deliveries } = &mut self.alert_maps;
        let mut raised: Vec<Alert> = Vec::new();
        for alert in alerts {
            if !known.contains_key(&alert.key) {
                known.insert(alert.key.clone(), alert.clone());
                raised.push(alert.clone());
            }
        }
        let Some(first) = raised.first() else { return Ok(raised) };
        let last = deliveries.last_key_value().map_or(0, |(id, _)| *id);
        for (id, receiver) in (last + 1..).zip(receivers) {
            let (receiver, alerts) = (receiver.clone(), raised.clone());
            deliveries.insert(id, Delivery { id, receiver, attempts: 0, next: first.at, alerts });
        }
        Ok(raised)
    }

    fn alerts(&self) -> Result<Vec<Alert>, StoreError> {
        let mut alerts: Vec<Alert> = self.alert_maps.alerts.values().cloned().collect();
        alerts.sort_by(|a, b| (a.at, &a.key).cmp(&(b.at, &b.key)));
        Ok(alerts)
    }

    fn deliveries(&self) -> Result<Vec<Delivery>, StoreError> {
        Ok(self.alert_maps.deliveries.values().cloned().collect())
    }

    fn put_delivery(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        self.alert_maps.deliveries.insert(delivery.id, delivery.clone());
        Ok(())
    }

    fn remove_delivery(&mut self, id: u64) -> Result<(), StoreError> {
        self.alert_maps.deliveries.remove(&id);
        Ok(())
    }
}
