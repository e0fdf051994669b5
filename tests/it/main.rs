//! Integration tests: one binary, one file a subject.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alerts;
mod alike_scans;
mod archives;
mod bars;
mod cli;
mod command;
mod corpora;
mod families;
mod golden;
mod goldens;
mod held;
mod hostile;
mod incidents;
mod joined;
mod kept_samples;
mod laws;
mod layout;
mod limits;
mod make;
mod months;
mod observation;
mod outputs;
#[cfg(feature = "serve")]
mod page;
#[cfg(feature = "serve")]
mod page_api;
#[cfg(feature = "serve")]
mod page_live;
mod pictures;
mod projection;
mod readers;
mod recorded;
mod rules;
mod sandboxes;
mod scenarios;
mod sensors;
mod shipped;
mod signatures;
mod simulate;
mod six_months;
mod stores;
mod summary;
mod surges;
mod taken_back;
mod text;
mod tidy;
mod tshark;
mod tshark_probes;
mod verdicts;
mod victims;
mod walk;
mod watch;
mod wire;
