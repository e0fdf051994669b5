//! Integration tests: one binary, one file a subject.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bars;
mod cli;
mod command;
mod corpora;
mod laws;
mod make;
mod observation;
mod projection;
mod shipped;
mod stores;
mod summary;
mod text;
mod tidy;
mod verdicts;
mod wire;
