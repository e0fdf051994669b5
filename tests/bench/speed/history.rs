//! Histories that `inga observe` writes.

use std::path::{Path, PathBuf};

use crate::darknet;
use crate::files::text;
use crate::process::{ONE, Program};

pub(crate) const INGA: &str = env!("CARGO_BIN_EXE_inga");

/// A file, and the sensor that it is about.
#[derive(Clone)]
pub(crate) struct History {
    pub(crate) db: PathBuf,
    prefix: u8,
}

impl History {
    pub(crate) fn new(db: PathBuf, prefix: u8) -> History {
        History { db, prefix }
    }

    /// Makes it anew, with a sensor that has seen nothing.
    pub(crate) fn reset(&self) {
        self.remove();
        let [four, six] = darknet::sensor(self.prefix);
        let db = text(&self.db);
        let words = [INGA, "sensor", "add", "s", "--db", db, "--prefix", &four, "--prefix", &six];
        Program::new(ONE, &words).stdout();
    }

    pub(crate) fn remove(&self) {
        for ending in ["", "-wal", "-shm"] {
            let path = format!("{}{ending}", self.db.display());
            if Path::new(&path).exists() {
                std::fs::remove_file(path).expect("a file of ours");
            }
        }
    }

    /// Observes a capture.
    pub(crate) fn observe(&self, cores: &'static str, capture: &Path) -> Program {
        let db = text(&self.db);
        Program::new(cores, &[INGA, "observe", "--sensor", "s", "--db", db, text(capture)])
    }

    /// Does all of it but writing the history.
    pub(crate) fn gather(&self, cores: &'static str, capture: &Path) -> Program {
        let db = text(&self.db);
        Program::new(cores, &[INGA, "observe", "--dry-run", "--sensor", "s", "--db", db, text(capture)])
    }

    /// Asks it; a line of JSON a row.
    pub(crate) fn ask(&self, query: &str) -> String {
        let db = text(&self.db);
        Program::new(ONE, &[INGA, "sql", "--db", db, "--format", "json", query]).stdout()
    }
}

/// Adds up a capture.
/// A line of JSON a window.
pub(crate) fn windows(cores: &'static str, capture: &Path) -> Program {
    Program::new(cores, &[INGA, "fingerprint", "--format", "json", text(capture)])
}

pub(crate) fn summary(cores: &'static str, capture: &Path) -> Program {
    Program::new(cores, &[INGA, "fingerprint", "--summary", "--format", "json", text(capture)])
}
