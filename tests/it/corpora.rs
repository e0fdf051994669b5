//! Where the real captures are. They are not a part of the project: a test that needs them has
//! `#[cfg_attr(not(corpora), ignore = "needs the corpora")]`, which the build script decides, and CI requires them.

use std::path::{Path, PathBuf};

/// Returns the folder of the corpora.
pub(crate) fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora")
}

#[test]
fn ci_has_what_the_tests_need() {
    let present = [("corpora", cfg!(corpora)), ("tshark", cfg!(tshark)), ("tcpdump", cfg!(tcpdump))];
    let missing: Vec<&str> =
        present.into_iter().filter(|(_, is_here)| !is_here).map(|(name, _)| name).collect();
    let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!is_ci || missing.is_empty(), "CI needs {missing:?}; the corpora at {}", corpora().display());
}
