//! Seeds that the project makes itself: small inputs of every kind, and one of each kind that was ever read wrongly.
//!
//! A new seed is one line in the list of its kind: what it is about, and its bytes.

pub(crate) mod capture;
pub(crate) mod history;
pub(crate) mod packed;
pub(crate) mod sandbox;
pub(crate) mod text;
pub(crate) mod words;
pub(crate) mod yaml;

/// What each is about, and its bytes.
pub(crate) type Seeds = Vec<(&'static str, Vec<u8>)>;

/// Seeds out of texts.
fn texts(all: &[(&'static str, &str)]) -> Seeds {
    all.iter().map(|(about, text)| (*about, text.as_bytes().to_vec())).collect()
}
