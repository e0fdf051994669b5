//! Use cases (layer F5), one file per use case. They combine the pure rooms with files, captures and stores;
//! `cli` and `web` only call them.

pub mod behavior_view;
pub mod check;
pub mod cohort;
pub mod correlate;
pub mod darknet;
pub mod declared_span;
pub mod demo;
pub mod dns_names;
pub mod evaluate;
pub mod explain;
pub mod family_members;
pub mod filter_notation;
pub mod fingerprint;
pub mod history;
pub mod history_readers;
pub mod history_source;
pub mod host;
pub mod incidents;
pub mod live;
pub mod lookup;
pub mod observe;
pub mod output;
pub mod overview;
pub mod own_hosts;
pub mod packets;
mod parallel;
pub mod plot_dates;
pub mod png;
pub mod project;
pub mod removal;
pub mod rules;
pub mod sample_details;
pub mod sample_family;
pub mod sample_import;
mod sample_probes;
pub mod sandbox;
pub mod sensors;
pub mod series;
pub mod simulate;
pub mod summary;
pub mod surges;
pub mod tile;
pub mod types;
pub mod watch;

mod admission;
mod behavior_lookup;
mod behavior_series;
mod capture_path;
mod error;
mod pipeline;
mod reading;
mod suspects;
mod type_assigner;
mod yaml_file;

pub use admission::Overlap;
pub use error::AppError;
pub use parallel::thread_count;
pub use reading::{CaptureOptions, Notices};

use crate::packet::Timestamp;

/// Returns the account of the user, if the environment names it.
#[must_use]
pub fn account() -> Option<String> {
    let named = |name| std::env::var(name).ok().filter(|account| !account.is_empty());
    ["USER", "USERNAME"].into_iter().find_map(named)
}

/// Returns the current time.
#[must_use]
pub fn now() -> Timestamp {
    // Nanoseconds since 1970 fit into 64 bits until 2262.
    Timestamp(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX))
}
