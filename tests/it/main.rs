//! Integration tests: one binary, one file a subject.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bars;
mod command;
mod corpora;
mod make;
mod shipped;
mod text;
