//! Finds the analyses of sandboxes, lone reports and captures behind paths.

use std::io::Read;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::capture::{Input, ReadOptions, read_head, with_uncompressed};

/// Names of reports in the folder of an analysis. The first that can be read is used.
const REPORTS: [&str; 7] = [
    "overview.json",
    "analysis.json",
    "reports/report.json",
    "reports/lite.json",
    "report.json",
    "lite.json",
    "report_triage.json",
];
/// File name endings of compressed reports and captures; the empty ending stands for an uncompressed file.
pub(super) const PACKED: [&str; 6] = ["", ".gz", ".zst", ".xz", ".bz2", ".lz4"];
/// Maximum depth of folders below a path.
const DEPTH_MAX: usize = 16;
/// Maximum number of files and folders that are looked at.
const ENTRIES_MAX: usize = 1_000_000;
/// Maximum number of files that are passed over by name.
const LISTED_MAX: usize = 200;

/// Something that can be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ImportCandidate {
    /// The folder of an analysis, and its reports in the order in which they are tried.
    Analysis(PathBuf, Vec<PathBuf>),
    /// A report that lies alone. `is_certain` is false for a file in a folder that may be JSON of any kind.
    Report {
        /// The file.
        path: PathBuf,
        /// Whether the user named the file.
        is_certain: bool,
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
            ImportCandidate::Analysis(path, _)
            | ImportCandidate::Report { path, .. }
            | ImportCandidate::Capture { path, .. } => path,
        }
    }
}

/// The analyses, reports and captures that a search of paths found, and the files that it left out.
#[derive(Debug, Default)]
pub(super) struct DiscoveredPaths {
    pub(super) candidates: Vec<ImportCandidate>,
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
        if !is_json_object(&path, options) {
            return self.candidates.push(ImportCandidate::Capture { path, is_certain: true });
        }
        // `reports/report.json` of an analysis is imported with the captures of the analysis.
        let of_folder = path.parent().and_then(|folder| {
            let above = folder.parent().filter(|_| folder.ends_with("reports"));
            let folder = above.unwrap_or(folder);
            reports_in(folder).contains(&path).then(|| folder.to_owned())
        });
        self.candidates.push(match of_folder {
            Some(folder) => ImportCandidate::Analysis(folder, vec![path]),
            None => ImportCandidate::Report { path, is_certain: true },
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
            self.pass(folder.to_owned(), "a sample of inga's own; it has a report.yaml".to_owned());
            return true;
        }
        let reports = reports_in(folder);
        let is_analysis = !reports.is_empty();
        if is_analysis {
            self.candidates.push(ImportCandidate::Analysis(folder.to_owned(), reports));
        }
        is_analysis
    }

    /// Adds a file of a folder that is not an analysis.
    fn add_entry(&mut self, path: PathBuf, options: &ReadOptions) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let is_named_json = PACKED.iter().any(|packed| name.ends_with(&format!(".json{packed}")));
        if is_named_json {
            return self.candidates.push(ImportCandidate::Report { path, is_certain: false });
        }
        if name.starts_with("dump_sorted.pcap") || name.starts_with("dump_mixed.pcap") {
            return self.pass(path, "a copy of dump.pcap in another order".to_owned());
        }
        let options = ReadOptions { only_certain_text: true, ..options.clone() };
        let input = Input::Path(path.clone());
        let is_archive =
            [".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.zst"].iter().any(|end| name.ends_with(end));
        match read_head(&input, &options, &mut |_, _| {}) {
            Err(error) if !is_archive => self.pass(path, error.reason()),
            _ => self.candidates.push(ImportCandidate::Capture { path, is_certain: false }),
        }
    }
}

/// Returns the reports in the folder of an analysis, in the order in which they are tried.
fn reports_in(folder: &Path) -> Vec<PathBuf> {
    let mut reports = Vec::new();
    for name in REPORTS {
        let packed = PACKED.iter().map(|packed| folder.join(format!("{name}{packed}")));
        reports.extend(packed.filter(|path| is_file(path)));
    }
    reports
}

/// Returns whether a path is a file and not a link.
pub(super) fn is_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|known| known.is_file())
}

/// Returns whether a file begins like a JSON object.
pub(super) fn is_json_object(path: &Path, options: &ReadOptions) -> bool {
    /// Number of bytes that are looked at; blanks may come first.
    const FIRST_BYTES: u64 = 256;
    let mut first = Vec::new();
    let read = with_uncompressed(&Input::Path(path.to_owned()), options, |bytes| {
        // What could be read before an error decides.
        let _read = bytes.take(FIRST_BYTES).read_to_end(&mut first);
    });
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first);
    read.is_ok() && text.trim_ascii_start().starts_with(b"{")
}
