//! Which captures to read: files, standard input, folders.

use std::fmt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::event::Timestamp;

use super::{CaptureError, ReadOptions, read};

/// One capture to be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// A file.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Path(path) => f.write_str(&shown(path)),
            Input::Stdin => f.write_str("-"),
        }
    }
}

/// A path for people: control characters and what is no UTF-8 are escaped.
#[must_use]
pub fn shown(path: &Path) -> String {
    path.to_string_lossy()
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

/// The captures behind the paths that a user gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// In the order given; those of a folder in the order of their first packets.
    pub inputs: Vec<Input>,
    /// Files of folders that are no captures, and why.
    pub skipped: Vec<(PathBuf, String)>,
}

/// Finds the captures: `-` is standard input, a folder is walked for files that are captures (hidden ones are
/// passed over), anything else is taken as a file whatever it is.
///
/// # Errors
/// When a folder cannot be walked or has no capture.
pub fn expand(paths: &[PathBuf], options: &ReadOptions) -> Result<Expanded, CaptureError> {
    let mut expanded = Expanded::default();
    for path in paths {
        if path.as_os_str() == "-" {
            expanded.inputs.push(Input::Stdin);
        } else if path.is_dir() {
            walk(path, options, &mut expanded)?;
        } else {
            expanded.inputs.push(Input::Path(path.clone()));
        }
    }
    Ok(expanded)
}

fn walk(folder: &Path, options: &ReadOptions, expanded: &mut Expanded) -> Result<(), CaptureError> {
    let mut found: Vec<(Option<Timestamp>, Input)> = Vec::new();
    let skipped_before = expanded.skipped.len();
    let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
    let entries = WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !hidden(entry.file_name()));
    for entry in entries {
        let entry = entry.map_err(|error| CaptureError::Io { input: shown(folder), error: error.into() })?;
        if !entry.file_type().is_file() {
            continue;
        }
        let input = Input::Path(entry.path().to_owned());
        match first_time(&input, options) {
            Ok(first) => found.push((first, input)),
            Err(error @ CaptureError::Io { .. }) => return Err(error),
            Err(error) => expanded.skipped.push((entry.path().to_owned(), error.to_string())),
        }
    }
    if found.is_empty() {
        let skipped = expanded.skipped.len() - skipped_before;
        return Err(CaptureError::NoCapture { input: shown(folder), skipped });
    }
    found.sort();
    expanded.inputs.extend(found.into_iter().map(|(_, input)| input));
    Ok(())
}

/// The time of a capture's first packet, read from its first bytes alone.
fn first_time(input: &Input, options: &ReadOptions) -> Result<Option<Timestamp>, CaptureError> {
    /// Bytes that hold a first packet.
    const FIRST_BYTES: u64 = 256 * 1024;
    let Input::Path(path) = input else { return Ok(None) };
    let failed = |error| CaptureError::Io { input: input.to_string(), error };
    let file = std::fs::File::open(path).map_err(failed)?;
    let head = std::io::Read::take(file, FIRST_BYTES);
    let mut first = None;
    let options = ReadOptions { progress: None, ..options.clone() };
    read::read_source(head, &input.to_string(), &options, &mut |packet, _| first = first.or(packet.time))?;
    Ok(first)
}
