//! The part of a store that remembers alerts, and what of them is still to be sent.

use crate::incident::{Alert, Delivery};

use super::StoreError;

/// A store of alerts and their deliveries.
///
/// # Errors
/// Every method fails if the backend fails or stored data is damaged.
pub trait AlertStore {
    /// Stores those of the alerts whose key was never stored, with a delivery of all of them together to each of the
    /// receivers, completely or not at all. Returns these alerts.
    fn raise_alerts(&mut self, alerts: &[Alert], receivers: &[String]) -> Result<Vec<Alert>, StoreError>;

    /// Returns all alerts, ascending by time.
    fn alerts(&self) -> Result<Vec<Alert>, StoreError>;

    /// Returns what is still to be sent, ascending by id.
    fn deliveries(&self) -> Result<Vec<Delivery>, StoreError>;

    /// Stores a delivery in place of the one with its id.
    fn put_delivery(&mut self, delivery: &Delivery) -> Result<(), StoreError>;

    /// Removes a delivery that was sent or given up.
    fn remove_delivery(&mut self, id: u64) -> Result<(), StoreError>;
}
