//! Integration tests: one binary, one file a subject.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod corpora;
mod text;
