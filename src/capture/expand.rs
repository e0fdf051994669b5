//! Finds the captures behind the paths that a user gave: files, standard input, folders and archives.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::packet::Timestamp;

use super::archive::{self, FoundCapture};
use super::read::read_head;
use super::skipped::SkippedFiles;
use super::{CaptureError, Input, ReadOptions};

/// The captures that were found behind some paths.
#[derive(Debug, Default)]
pub struct ExpandedPaths {
    /// The captures in the order of the paths. Those of one folder or archive are in the order of their first
    /// packets.
    pub inputs: Vec<Input>,
    /// Files that were not read, with the reasons.
    pub skipped: SkippedFiles,
}

/// Finds the captures behind paths. `-` is standard input. A folder is searched for files that are captures,
/// except hidden ones. An archive is treated like a folder. Any other file is assumed to be a capture,
/// whatever it contains. Standard input and pipes are copied to temporary files. If at least one path has
/// captures, a path that cannot be read is only recorded as skipped.
///
/// # Errors
/// Returns an error if there is no capture at all.
pub fn expand(paths: &[PathBuf], options: &ReadOptions) -> Result<ExpandedPaths, CaptureError> {
    let mut expanded = ExpandedPaths::default();
    let mut failed: Option<CaptureError> = None;
    for path in paths {
        if let Err(error) = expanded.add(path, options)
            && let Some(earlier) = failed.replace(error)
        {
            expanded.skipped.note_error(earlier.to_string());
        }
    }
    match failed {
        Some(error) if expanded.inputs.is_empty() => Err(error),
        Some(error) => {
            expanded.skipped.note_error(error.to_string());
            Ok(expanded)
        }
        None => Ok(expanded),
    }
}

/// Finds the captures behind one file, like [`expand`]. The file may be an archive, but neither a folder nor
/// standard input.
///
/// # Errors
/// Returns an error if the file is an archive that is refused or contains no capture.
pub fn expand_file(path: &Path, options: &ReadOptions) -> Result<ExpandedPaths, CaptureError> {
    let mut expanded = ExpandedPaths::default();
    expanded.add_input(Input::Path(path.to_owned()), options)?;
    Ok(expanded)
}

impl ExpandedPaths {
    fn add(&mut self, path: &Path, options: &ReadOptions) -> Result<(), CaptureError> {
        if path.as_os_str() == "-" {
            self.add_input(Input::spooled("-".to_owned(), io::stdin().lock())?, options)
        } else if path.is_dir() {
            self.add_folder(path, options)
        } else if is_pipe(path) {
            let failed = |error| CaptureError::Io { input: crate::escape::path(path), error };
            let pipe = File::open(path).map_err(failed)?;
            self.add_input(Input::spooled(crate::escape::path(path), pipe)?, options)
        } else {
            self.add_input(Input::Path(path.to_owned()), options)
        }
    }

    fn add_input(&mut self, input: Input, options: &ReadOptions) -> Result<(), CaptureError> {
        let passed_before = self.skipped.other_count();
        match archive::members(&input, options, &mut self.skipped)? {
            Some(found) => self.add_found(found, &input.to_string(), "archive", passed_before),
            None => {
                self.inputs.push(input);
                Ok(())
            }
        }
    }

    /// Adds the captures in a folder and its subfolders.
    fn add_folder(&mut self, folder: &Path, options: &ReadOptions) -> Result<(), CaptureError> {
        let passed_before = self.skipped.other_count();
        let options = ReadOptions { only_certain_text: true, ..options.clone() };
        let mut found: Vec<FoundCapture> = Vec::new();
        let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
        let entries = WalkDir::new(folder)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || !hidden(entry.file_name()));
        for entry in entries {
            match entry {
                Ok(entry) if entry.file_type().is_file() => {
                    self.add_file(Input::Path(entry.into_path()), &options, &mut found);
                }
                Ok(_) => {}
                // A subfolder that cannot be read must not prevent the others from being read.
                Err(error) => {
                    let name = crate::escape::path(error.path().unwrap_or(folder));
                    self.skipped.note_error(format!("{name}: {}", io::Error::from(error)));
                }
            }
        }
        self.add_found(found, &crate::escape::path(folder), "folder", passed_before)
    }

    /// Adds a file of a folder if it is a capture, or the captures in it if it is an archive.
    fn add_file(&mut self, input: Input, options: &ReadOptions, found: &mut Vec<FoundCapture>) {
        match archive::members(&input, options, &mut self.skipped) {
            Ok(Some(members)) => return found.extend(members),
            Ok(None) => {}
            Err(error) => return self.skipped.note_error(error.to_string()),
        }
        match first_packet_time(&input, options) {
            Ok(first) => found.push((first, input)),
            Err(error @ CaptureError::Io { .. }) => self.skipped.note_error(error.to_string()),
            Err(error) => self.skipped.note_other_file(input.to_string(), error.reason()),
        }
    }

    /// Adds the captures of one folder or archive in the order of their first packets.
    fn add_found(
        &mut self,
        mut found: Vec<FoundCapture>,
        name: &str,
        what: &'static str,
        passed_before: usize,
    ) -> Result<(), CaptureError> {
        if found.is_empty() {
            let skipped = self.skipped.other_count() - passed_before;
            let first =
                self.skipped.other_files.get(passed_before).map(|(name, why)| format!(": {name}: {why}"));
            let failed = self.skipped.errors.last().map(|error| format!("; {error}"));
            let why = first.or(failed).unwrap_or_default();
            return Err(CaptureError::NoCapture { input: name.to_owned(), what, skipped, why });
        }
        // The sort is stable: captures that begin at the same time stay in the order of their names or of
        // their places in the archive.
        found.sort_by_key(|(first, _)| *first);
        self.inputs.extend(found.into_iter().map(|(_, input)| input));
        Ok(())
    }
}

/// Returns whether a path is that of a pipe, such as a shell creates for `<(zcat capture.gz)`.
fn is_pipe(path: &Path) -> bool {
    #[cfg(unix)]
    let is_pipe = |known: std::fs::Metadata| std::os::unix::fs::FileTypeExt::is_fifo(&known.file_type());
    #[cfg(not(unix))]
    let is_pipe = |_| false;
    std::fs::metadata(path).is_ok_and(is_pipe)
}

/// Returns the time of a capture's first packet.
fn first_packet_time(input: &Input, options: &ReadOptions) -> Result<Option<Timestamp>, CaptureError> {
    let mut first = None;
    read_head(input, options, &mut |packet, _| first = first.or(packet.time()))?;
    Ok(first)
}
