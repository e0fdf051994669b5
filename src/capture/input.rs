//! Which captures to read: files, standard input, folders.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::{NamedTempFile, TempPath};
use walkdir::WalkDir;

use crate::event::Timestamp;

use super::compression::Compression;
use super::{CaptureError, ReadOptions, ReadReport, Sink, read_source};

/// One capture to be read, as often as need be.
#[derive(Clone, Debug)]
pub enum Input {
    /// A file.
    Path(PathBuf),
    /// Standard input, spooled: a capture that runs backwards is read a second time.
    Stdin(Arc<TempPath>),
}

impl Input {
    /// Where its bytes are.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Input::Path(path) => path,
            Input::Stdin(spool) => spool,
        }
    }

    /// Whether it is a file that begins as compressed ones do. What cannot be read twice is not looked at.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        let is_file = std::fs::metadata(self.path()).is_ok_and(|known| known.is_file());
        let peek = || Compression::peek(&mut File::open(self.path())?);
        is_file && peek().is_ok_and(|head| Compression::of(&head) != Compression::None)
    }

    fn stdin() -> io::Result<Input> {
        let mut spool = NamedTempFile::new()?;
        io::copy(&mut io::stdin().lock(), &mut spool)?;
        Ok(Input::Stdin(Arc::new(spool.into_temp_path())))
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Path(path) => f.write_str(&shown(path)),
            Input::Stdin(_) => f.write_str("-"),
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
#[derive(Clone, Debug, Default)]
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
            let failed = |error| CaptureError::Io { input: "-".to_owned(), error };
            expanded.inputs.push(Input::stdin().map_err(failed)?);
        } else if path.is_dir() {
            walk(path, options, &mut expanded)?;
        } else {
            expanded.inputs.push(Input::Path(path.clone()));
        }
    }
    Ok(expanded)
}

fn walk(folder: &Path, options: &ReadOptions, expanded: &mut Expanded) -> Result<(), CaptureError> {
    let mut found: Vec<(Option<Timestamp>, PathBuf)> = Vec::new();
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
            Ok(first) => found.push((first, entry.into_path())),
            Err(error @ CaptureError::Io { .. }) => return Err(error),
            Err(error) => expanded.skipped.push((entry.path().to_owned(), error.to_string())),
        }
    }
    if found.is_empty() {
        let skipped = expanded.skipped.len() - skipped_before;
        return Err(CaptureError::NoCapture { input: shown(folder), skipped });
    }
    found.sort();
    expanded.inputs.extend(found.into_iter().map(|(_, path)| Input::Path(path)));
    Ok(())
}

/// The time of a capture's first packet.
fn first_time(input: &Input, options: &ReadOptions) -> Result<Option<Timestamp>, CaptureError> {
    let mut first = None;
    head(input, options, &mut |packet, _| first = first.or(packet.time()))?;
    Ok(first)
}

/// Reads a capture's first bytes alone: enough to tell its format and its clock.
///
/// # Errors
/// As [`read`](super::read()).
pub fn head(input: &Input, options: &ReadOptions, sink: &mut Sink<'_>) -> Result<ReadReport, CaptureError> {
    /// Bytes that hold a first packet.
    const FIRST_BYTES: u64 = 256 * 1024;
    let failed = |error| CaptureError::Io { input: input.to_string(), error };
    let file = File::open(input.path()).map_err(failed)?;
    let options = ReadOptions { progress: None, ahead: false, ..options.clone() };
    read_source(file.take(FIRST_BYTES), &input.to_string(), &options, sink)
}
