//! Files that are not read.

/// Files that are not read, with the reasons.
#[derive(Debug, Default)]
pub struct SkippedFiles {
    /// Names of files in folders and archives that are not captures, each with the reason.
    pub other_files: Vec<(String, String)>,
    /// Number of further such files. Their names are not kept, because an archive may contain any number of
    /// them.
    pub other_files_unlisted: usize,
    /// Messages about captures that could not be read, each with the capture's name.
    pub errors: Vec<String>,
    /// Number of further such captures.
    pub errors_unlisted: usize,
}

/// Maximum number of entries in each of the two lists.
const LISTED_MAX: usize = 200;

impl SkippedFiles {
    /// Notes a file that is not a capture.
    pub(super) fn note_other_file(&mut self, name: String, why: String) {
        match self.other_files.len() < LISTED_MAX {
            true => self.other_files.push((name, why)),
            false => self.other_files_unlisted += 1,
        }
    }

    /// Notes a file that could not be read.
    pub(super) fn note_error(&mut self, error: String) {
        match self.errors.len() < LISTED_MAX {
            true => self.errors.push(error),
            false => self.errors_unlisted += 1,
        }
    }

    /// Returns the number of files that are not captures.
    pub(super) fn other_count(&self) -> usize {
        self.other_files.len() + self.other_files_unlisted
    }
}
