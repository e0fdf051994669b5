//! Finds the analyses of sandboxes, lone reports and captures behind paths.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::capture::{Input, ReadOptions, read_head};
use crate::sample::SandboxReport;

use super::files::{PACKED, folder_of_report, has_report, is_file, is_json_object};

/// Maximum depth of folders below a path.
const DEPTH_MAX: usize = 16;
/// Maximum number of files and folders that are looked at.
const ENTRIES_MAX: usize = 1_000_000;
/// Maximum number of files that are passed over by name.
const LISTED_MAX: usize = 200;

/// Something that can be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ImportCandidate {
    /// The folder of an analysis.
    Analysis(PathBuf),
    /// A report that lies alone. `is_certain` is false for a file in a folder that may be JSON of any kind.
    Report {
        /// The file.
        path: PathBuf,
        /// Whether the user named the file.
        is_certain: bool,
        /// The report, if it was read already.
        report: Option<Box<SandboxReport>>,
    },
    /// A capture or an archive of captures.
    Capture {
        /// The file.
        path: PathBuf,
        /// Whether the user named the file.
        is_certain: bool,
    },
}

impl ImportCandidate {
    /// Returns the path, for messages.
    pub(super) fn path(&self) -> &Path {
        match self {
            ImportCandidate::Analysis(path)
            | ImportCandidate::Report { path, .. }
            | ImportCandidate::Capture { path, .. } => path,
        }
    }
}

/// The analyses, reports and captures that a search of paths found, and the files that it left out.
#[derive(Debug, Default)]
pub(super) struct DiscoveredPaths {
    pub(super) candidates: Vec<ImportCandidate>,
    /// Sample reports of inga's own in the folders that were searched.
    pub(super) own_reports: Vec<PathBuf>,
    /// Paths that could not be read, with the reasons.
    pub(super) failed: Vec<(PathBuf, String)>,
    /// Files that are neither reports nor captures, with the reasons.
    pub(super) passed: Vec<(PathBuf, String)>,
    /// Number of further such files.
    pub(super) passed_more: u64,
    entries: usize,
}

impl DiscoveredPaths {
    /// Notes a file that is not imported.
    pub(super) fn pass(&mut self, path: PathBuf, why: String) {
        match self.passed.len() < LISTED_MAX {
            true => self.passed.push((path, why)),
            false => self.passed_more += 1,
        }
    }

    /// Adds the file, or searches the folder, that the user named.
    pub(super) fn add(&mut self, path: &Path, options: &ReadOptions) {
        match std::fs::metadata(path) {
            Err(error) => self.failed.push((path.to_owned(), error.to_string())),
            Ok(known) if known.is_dir() => self.add_folder(path, options),
            Ok(known) if !known.is_file() => {
                self.failed.push((path.to_owned(), "neither a file nor a folder".to_owned()));
            }
            Ok(_) => self.add_file(path, options),
        }
    }

    fn add_file(&mut self, path: &Path, options: &ReadOptions) {
        let path = path.to_owned();
        match is_json_object(&Input::Path(path.clone()), options) {
            true => self.add_report(path, None),
            false => self.candidates.push(ImportCandidate::Capture { path, is_certain: true }),
        }
    }

    /// Adds a report that the user named, and which may have been read.
    pub(super) fn add_report(&mut self, path: PathBuf, report: Option<Box<SandboxReport>>) {
        // `reports/report.json` of an analysis is imported with the captures of the analysis.
        self.candidates.push(match folder_of_report(&path) {
            Some(folder) => ImportCandidate::Analysis(folder),
            None => ImportCandidate::Report { path, is_certain: true, report },
        });
    }

    /// Searches a folder. Symbolic links in it are not followed.
    fn add_folder(&mut self, folder: &Path, options: &ReadOptions) {
        let is_hidden = |entry: &DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
        let mut entries = WalkDir::new(folder).max_depth(DEPTH_MAX).sort_by_file_name().into_iter();
        while let Some(entry) = entries.next() {
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                let why = format!("more than {ENTRIES_MAX} files and folders; the rest was not searched");
                return self.failed.push((folder.to_owned(), why));
            }
            match entry {
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_owned();
                    self.failed.push((path, std::io::Error::from(error).to_string()));
                }
                Ok(entry) if entry.depth() > 0 && is_hidden(&entry) => {
                    if entry.file_type().is_dir() {
                        entries.skip_current_dir();
                    }
                }
                Ok(entry) if entry.file_type().is_dir() => {
                    if self.is_analysis(entry.path()) {
                        entries.skip_current_dir();
                    }
                }
                Ok(entry) if entry.file_type().is_file() => self.add_entry(entry.into_path(), options),
                Ok(entry) if entry.path_is_symlink() => {
                    self.pass(entry.into_path(), "a symbolic link".to_owned());
                }
                Ok(_) => {}
            }
        }
    }

    /// Adds a folder if it is an analysis. Returns whether it is complete, so that it is not searched.
    fn is_analysis(&mut self, folder: &Path) -> bool {
        if is_file(&folder.join("report.yaml")) {
            self.own_reports.push(folder.join("report.yaml"));
            return true;
        }
        let is_analysis = has_report(folder);
        if is_analysis {
            self.candidates.push(ImportCandidate::Analysis(folder.to_owned()));
        }
        is_analysis
    }

    /// Adds a file of a folder that is not an analysis.
    fn add_entry(&mut self, path: PathBuf, options: &ReadOptions) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let is_named_json = PACKED.iter().any(|packed| name.ends_with(&format!(".json{packed}")));
        if is_named_json {
            return self.candidates.push(ImportCandidate::Report { path, is_certain: false, report: None });
        }
        if name.starts_with("dump_sorted.pcap") || name.starts_with("dump_mixed.pcap") {
            return self.pass(path, "a copy of dump.pcap in another order".to_owned());
        }
        match head_error(&path, options) {
            Some(why) => self.pass(path, why),
            None => self.candidates.push(ImportCandidate::Capture { path, is_certain: false }),
        }
    }
}

/// Returns whether a file is a capture, or has the name of an archive.
pub(super) fn is_capture(path: &Path, options: &ReadOptions) -> bool {
    head_error(path, options).is_none()
}

/// Returns the reason why a file is neither a capture nor an archive by its name; `None` if it is one.
fn head_error(path: &Path, options: &ReadOptions) -> Option<String> {
    const ARCHIVES: [&str; 6] = [".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.zst"];
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    if ARCHIVES.iter().any(|end| name.ends_with(end)) {
        return None;
    }
    let options = ReadOptions { only_certain_text: true, ..options.clone() };
    let read = read_head(&Input::Path(path.to_owned()), &options, &mut |_, _| {});
    read.err().map(|error| error.reason())
}
