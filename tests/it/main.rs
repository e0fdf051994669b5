//! Integration tests: one binary, one file a subject.

mod corpora;
mod text;
