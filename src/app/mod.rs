//! Use cases (layer F5), one file per use case. They combine the pure rooms with files, captures and stores;
//! `cli` and `web` only call them.

pub mod check;
pub mod cohort;
pub mod correlate;
pub mod covers;
pub mod darknet;
pub mod evaluate;
pub mod events;
pub mod explain;
pub mod fingerprint;
pub mod history;
pub mod host;
pub mod kinds;
pub mod marks;
pub mod observe;
pub mod output;
pub mod png;
pub mod project;
pub mod rules;
pub mod sandbox;
pub mod sensors;
pub mod series;
mod share;
pub mod simulate;
pub mod summary;
pub mod surges;
pub mod taken_back;
pub mod tile;

mod asked;
mod confined;
mod error;
mod gather;
mod ledger;
mod pipeline;
mod reading;
mod recorded;
mod suspects;
mod yaml_file;

pub use error::AppError;
pub use reading::{CaptureOptions, Notices};
pub use recorded::Overlap;
pub use share::threads;
