//! The files of an analysis, which lie in a folder or in an archive.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::capture::{Input, ReadOptions, expand_file, with_uncompressed};

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
/// File names of the capture of a run. `dump_sorted.pcap` and `dump_mixed.pcap` are never used: the packets of the
/// first are ordered by flow, and the second contains decrypted copies of encrypted packets.
const CAPTURES: [&str; 2] = ["dump.pcap", "dump.pcapng"];
/// File name endings of compressed reports and captures; the empty ending stands for an uncompressed file.
pub(super) const PACKED: [&str; 6] = ["", ".gz", ".zst", ".xz", ".bz2", ".lz4"];
/// Maximum number of tasks of an analysis.
const TASKS_MAX: usize = 100;

/// The files of an analysis, or of a task of it.
#[derive(Clone, Debug)]
pub(super) enum AnalysisFiles<'a> {
    /// Those in a folder.
    Folder(PathBuf),
    /// Those in an archive, below a folder of it; the empty name stands for the archive itself.
    Archive(&'a ArchiveFiles, String),
}

impl AnalysisFiles<'_> {
    /// Returns the folder, for messages.
    pub(super) fn source(&self) -> PathBuf {
        match self {
            AnalysisFiles::Folder(folder) => folder.clone(),
            AnalysisFiles::Archive(archive, root) => archive.source(root),
        }
    }

    /// Returns the file with a name, which may be compressed.
    pub(super) fn file(&self, name: &str) -> Option<Input> {
        PACKED.iter().find_map(|packed| self.exact(&format!("{name}{packed}")))
    }

    fn exact(&self, name: &str) -> Option<Input> {
        match self {
            AnalysisFiles::Folder(folder) => {
                Some(folder.join(name)).filter(|path| is_file(path)).map(Input::Path)
            }
            AnalysisFiles::Archive(archive, root) => archive.files.get(&below(root, name)).cloned(),
        }
    }

    /// Returns the reports with their names, in the order in which they are tried.
    pub(super) fn reports(&self) -> Vec<(String, Input)> {
        let names = REPORTS.iter().flat_map(|name| PACKED.map(|packed| format!("{name}{packed}")));
        names.filter_map(|name| self.exact(&name).map(|input| (name, input))).collect()
    }

    /// Returns the capture of the run.
    ///
    /// # Errors
    /// The reason why there is none, for messages.
    pub(super) fn capture(&self) -> Result<Input, String> {
        if let Some(input) = CAPTURES.iter().find_map(|name| self.file(name)) {
            return Ok(input);
        }
        if let AnalysisFiles::Folder(folder) = self {
            let names =
                CAPTURES.iter().flat_map(|name| PACKED.map(|packed| (name, format!("{name}{packed}"))));
            for (name, packed) in names {
                if folder.join(packed).is_symlink() {
                    return Err(format!("{name} is a symbolic link, which is not followed"));
                }
            }
        }
        let others = ["dump_sorted.pcap", "dump_mixed.pcap"];
        Err(match others.into_iter().find(|name| self.exact(name).is_some()) {
            Some(other) => format!("no dump.pcap; {other}, which is in another order, is not used"),
            None => "no capture (dump.pcap or dump.pcapng)".to_owned(),
        })
    }

    /// Returns the tasks of an analysis by name: the folders in it that have a capture or a report.
    pub(super) fn tasks(&self) -> BTreeMap<String, Self> {
        let has_file = |task: &Self| {
            CAPTURES
                .into_iter()
                .chain(["report_triage.json", "task.json"])
                .any(|name| task.file(name).is_some())
        };
        let mut tasks = BTreeMap::new();
        for name in self.folders() {
            let task = match self {
                AnalysisFiles::Folder(folder) => AnalysisFiles::Folder(folder.join(&name)),
                AnalysisFiles::Archive(archive, root) => AnalysisFiles::Archive(archive, below(root, &name)),
            };
            if tasks.len() < TASKS_MAX && has_file(&task) {
                tasks.insert(name, task);
            }
        }
        tasks
    }

    /// Returns the names of the folders in this one.
    fn folders(&self) -> BTreeSet<String> {
        match self {
            AnalysisFiles::Folder(folder) => {
                let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
                let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
                folders.filter_map(|entry| entry.file_name().into_string().ok()).collect()
            }
            AnalysisFiles::Archive(archive, root) => {
                let prefix = below(root, "");
                let names = archive.files.keys().filter_map(|name| name.strip_prefix(&prefix));
                names.filter_map(|name| name.split_once('/')).map(|(folder, _)| folder.to_owned()).collect()
            }
        }
    }
}

/// Returns the name of a member below a folder of an archive.
fn below(root: &str, name: &str) -> String {
    if root.is_empty() { name.to_owned() } else { format!("{root}/{name}") }
}

/// The captures and JSON texts in an archive.
#[derive(Debug)]
pub(super) struct ArchiveFiles {
    archive: PathBuf,
    /// By name, as the archive gives it. A name is only compared, and never used as a path.
    files: BTreeMap<String, Input>,
    /// Messages about members that could not be read.
    pub(super) failed: Vec<String>,
}

impl ArchiveFiles {
    /// Lists the captures and JSON texts in an archive; `None` for a file that is no archive.
    ///
    /// # Errors
    /// When the archive is refused, or has neither.
    pub(super) fn list(path: &Path, options: &ReadOptions) -> Result<Option<ArchiveFiles>, String> {
        let options = ReadOptions { json_members: true, ..options.clone() };
        let found = expand_file(path, &options).map_err(|error| error.to_string())?;
        let prefix = format!("{}!", crate::escape::path(path));
        let mut files = BTreeMap::new();
        for input in found.inputs {
            let name = input.to_string();
            let Some(name) = name.strip_prefix(&prefix).filter(|_| input.file().is_none()) else {
                return Ok(None);
            };
            let name = name.trim_start_matches("./").trim_start_matches('/').to_owned();
            files.insert(name, input);
        }
        let mut failed = found.skipped.errors;
        if found.skipped.errors_unlisted > 0 {
            failed.push(format!("{} more members could not be read", found.skipped.errors_unlisted));
        }
        Ok(Some(ArchiveFiles { archive: path.to_owned(), files, failed }))
    }

    /// Returns a folder of the archive, for messages.
    fn source(&self, root: &str) -> PathBuf {
        if root.is_empty() {
            return self.archive.clone();
        }
        let mut source = self.archive.clone().into_os_string();
        source.push(format!("!{root}"));
        source.into()
    }

    /// Returns the analyses in the archive: the folders with a report that lie in no other such folder.
    pub(super) fn analyses(&self) -> Vec<AnalysisFiles<'_>> {
        let mut roots: BTreeSet<&str> = self.files.keys().filter_map(|name| root_of_report(name)).collect();
        let all = roots.clone();
        roots.retain(|root| !all.iter().any(|other| other != root && is_in(root, other)));
        roots.into_iter().map(|root| AnalysisFiles::Archive(self, root.to_owned())).collect()
    }

    /// Returns the files outside of analyses, with their names.
    pub(super) fn others(&self, analyses: &[AnalysisFiles<'_>]) -> Vec<(&str, &Input)> {
        let is_outside = |name: &str| {
            analyses.iter().all(|one| match one {
                AnalysisFiles::Archive(_, root) => !is_in(name, root),
                AnalysisFiles::Folder(_) => true,
            })
        };
        let files = self.files.iter().map(|(name, input)| (name.as_str(), input));
        files.filter(|(name, _)| is_outside(name)).collect()
    }
}

/// Returns whether a member or folder of an archive lies in a folder of it.
fn is_in(name: &str, folder: &str) -> bool {
    folder.is_empty() || name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns the folder of the analysis whose report a member of an archive is.
fn root_of_report(name: &str) -> Option<&str> {
    let mut roots = Vec::new();
    for report in REPORTS {
        for packed in PACKED {
            let Some(rest) = name.strip_suffix(packed).and_then(|name| name.strip_suffix(report)) else {
                continue;
            };
            if rest.is_empty() || rest.ends_with('/') {
                roots.push(rest.trim_end_matches('/'));
            }
        }
    }
    // `a/reports/report.json` is the report of `a`, and not of `a/reports`.
    roots.into_iter().min_by_key(|root| root.len())
}

/// Returns whether a folder has a report.
pub(super) fn has_report(folder: &Path) -> bool {
    !AnalysisFiles::Folder(folder.to_owned()).reports().is_empty()
}

/// Returns the folder of the analysis that a report belongs to, if it is one.
pub(super) fn folder_of_report(report: &Path) -> Option<PathBuf> {
    let folder = report.parent()?;
    let above = folder.parent().filter(|_| folder.ends_with("reports"));
    let folder = above.unwrap_or(folder);
    let reports = AnalysisFiles::Folder(folder.to_owned()).reports();
    reports.iter().any(|(_, input)| input.file() == Some(report)).then(|| folder.to_owned())
}

/// Returns whether a path is a file and not a link.
pub(super) fn is_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|known| known.is_file())
}

/// Returns whether a file begins like a JSON object.
pub(super) fn is_json_object(input: &Input, options: &ReadOptions) -> bool {
    /// Number of bytes that are looked at; blanks may come first.
    const FIRST_BYTES: u64 = 256;
    let mut first = Vec::new();
    let read = with_uncompressed(input, options, |bytes| {
        // What could be read before an error decides.
        let _read = std::io::Read::read_to_end(&mut std::io::Read::take(bytes, FIRST_BYTES), &mut first);
    });
    read.is_ok() && crate::capture::begins_like_json(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_an_analysis_follows_from_the_name_of_its_report() {
        for (name, root) in [
            ("a/b/reports/report.json", Some("a/b")),
            ("a/reports/lite.json.gz", Some("a")),
            ("report.json", Some("")),
            ("reports/report.json", Some("")),
            ("a/overview.json", Some("a")),
            ("a/my-report.json", None),
            ("a/dump.pcap", None),
        ] {
            assert_eq!(root_of_report(name), root, "{name}");
        }
    }
}
