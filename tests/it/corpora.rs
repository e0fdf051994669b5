//! Where the real captures are. They are no part of the project: tests that need them are skipped on a user's
//! clone, and fail where CI lacks them.

use std::path::{Path, PathBuf};

/// The folder of the corpora; `None`, with a line that says so, where there is none.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn corpora() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "CI needs the corpora at {}",
        folder.display()
    );
    eprintln!("skipped: no corpora at {}", folder.display());
    None
}
