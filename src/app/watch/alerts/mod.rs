//! Alerts of `watch`: the events for which one is raised, and the channels by which it is sent.

mod mute;
mod own_networks;
mod raise;
mod send;
mod syslog;

pub use mute::AlertMute;
pub(super) use mute::split_muted;
pub(super) use own_networks::own_network_alerts;
pub(super) use raise::{health_alerts, incident_alerts};
pub(super) use send::send_due;
pub use send::{AlertReceiver, AlertSettings};
pub use syslog::SyslogFormat;
