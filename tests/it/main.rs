//! Integration tests: one binary, one file a subject.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bars;
mod cli;
mod command;
mod corpora;
mod hostile;
mod laws;
mod make;
mod months;
mod observation;
mod pictures;
mod projection;
mod scenarios;
mod shipped;
mod simulate;
mod six_months;
mod stores;
mod summary;
mod surges;
mod text;
mod tidy;
mod verdicts;
mod wire;
