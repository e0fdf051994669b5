//! What must hold for any bytes: one function a target, which panics where a law is broken.
//!
//! The same functions are driven twice: by `cargo test --test fuzz`, on the stable compiler, with seeds and a bounded
//! number of edits of them; and by libFuzzer (`fuzz_targets/`), for as long as somebody lets it run. They need nothing
//! but inga and, to list a changed segment as an attacker would, its SQLite and BLAKE3.

pub(crate) mod capture;
pub(crate) mod history;
pub(crate) mod records;
pub(crate) mod sandbox;
pub(crate) mod text;
pub(crate) mod words;
pub(crate) mod yaml;

use std::fmt::Debug;

/// Fails where two readings that should agree do not, with the place and a short form of both.
fn agree<T: PartialEq + Debug>(law: &str, one: &T, other: &T) {
    assert!(one == other, "{law}: {} and {}", short(one), short(other));
}

fn short(value: &impl Debug) -> String {
    let whole = format!("{value:?}");
    whole.chars().take(2_000).collect()
}

/// A number made of some bytes, to choose by.
fn number(data: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    hasher.finish()
}
