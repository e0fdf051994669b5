//! Histories that `inga observe` writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::darknet;
use crate::files::text;
use crate::process::{ONE, Program};

pub(crate) const INGA: &str = env!("CARGO_BIN_EXE_inga");

/// A folder, and the sensor that it is about.
#[derive(Clone)]
pub(crate) struct History {
    pub(crate) folder: PathBuf,
    prefix: u8,
}

impl History {
    pub(crate) fn new(folder: PathBuf, prefix: u8) -> History {
        History { folder, prefix }
    }

    /// Makes it anew, with a sensor that has seen nothing.
    pub(crate) fn reset(&self) {
        self.remove();
        let [four, six] = darknet::sensor(self.prefix);
        let folder = text(&self.folder);
        let words = [INGA, "sensor", "add", "s", "--history", folder, "--prefix", &four, "--prefix", &six];
        Program::new(ONE, &words).stdout();
    }

    pub(crate) fn remove(&self) {
        if self.folder.exists() {
            std::fs::remove_dir_all(&self.folder).expect("a folder of ours");
        }
    }

    /// Observes a capture.
    pub(crate) fn observe(&self, cores: &'static str, capture: &Path) -> Program {
        let folder = text(&self.folder);
        Program::new(cores, &[INGA, "observe", "--sensor", "s", "--history", folder, text(capture)])
    }

    /// Does all of it but writing the history.
    pub(crate) fn gather(&self, cores: &'static str, capture: &Path) -> Program {
        let folder = text(&self.folder);
        let words = [INGA, "observe", "--dry-run", "--sensor", "s", "--history", folder, text(capture)];
        Program::new(cores, &words)
    }

    /// Returns its segments: paths within it, and what they hold.
    pub(crate) fn segments(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut segments = BTreeMap::new();
        for entry in walkdir::WalkDir::new(&self.folder) {
            let path = entry.expect("a folder of ours").into_path();
            if path.extension().is_some_and(|ending| ending == "parquet") {
                let within = path.strip_prefix(&self.folder).expect("a path within").to_owned();
                segments.insert(within, std::fs::read(&path).expect("a segment"));
            }
        }
        segments
    }
}

/// A line of JSON a window.
pub(crate) fn windows(cores: &'static str, capture: &Path) -> Program {
    Program::new(cores, &[INGA, "fingerprint", "--format", "json", text(capture)])
}

/// Adds up a capture.
pub(crate) fn summary(cores: &'static str, capture: &Path) -> Program {
    Program::new(cores, &[INGA, "fingerprint", "--summary", "--format", "json", text(capture)])
}
