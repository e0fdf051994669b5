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
    /// What gives its bytes once, standard input or a pipe, spooled: some captures are read a second time.
    Spooled {
        /// For messages.
        name: String,
        /// Its bytes.
        file: Arc<TempPath>,
    },
}

impl Input {
    /// Where its bytes are.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Input::Path(path) => path,
            Input::Spooled { file, .. } => file,
        }
    }

    /// Whether it begins as compressed captures do.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        let peek = || Compression::peek(&mut File::open(self.path())?);
        peek().is_ok_and(|head| Compression::of(&head) != Compression::None)
    }

    fn spooled(name: String, mut source: impl Read) -> Result<Input, CaptureError> {
        let spool = NamedTempFile::new().and_then(|mut spool| {
            io::copy(&mut source, &mut spool)?;
            Ok(Arc::new(spool.into_temp_path()))
        });
        match spool {
            Ok(file) => Ok(Input::Spooled { name, file }),
            Err(error) => Err(CaptureError::Io { input: name, error }),
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Path(path) => f.write_str(&shown(path)),
            Input::Spooled { name, .. } => f.write_str(name),
        }
    }
}

/// A path for people: what is hidden or no UTF-8 is escaped.
#[must_use]
pub fn shown(path: &Path) -> String {
    crate::escape::path(path)
}

/// The captures behind the paths that a user gave.
#[derive(Clone, Debug, Default)]
pub struct Expanded {
    /// In the order given; those of a folder in the order of their first packets.
    pub inputs: Vec<Input>,
    /// Files of folders that are no captures, and why.
    pub skipped: Vec<(PathBuf, String)>,
}

/// Finds the captures: `-` is standard input, a folder is walked for files that are captures (hidden ones are passed
/// over), anything else is taken as a file whatever it is. Standard input and pipes are spooled.
///
/// # Errors
/// When a folder cannot be walked or has no capture.
pub fn expand(paths: &[PathBuf], options: &ReadOptions) -> Result<Expanded, CaptureError> {
    let mut expanded = Expanded::default();
    for path in paths {
        if path.as_os_str() == "-" {
            expanded.inputs.push(Input::spooled("-".to_owned(), io::stdin().lock())?);
        } else if path.is_dir() {
            walk(path, options, &mut expanded)?;
        } else if is_pipe(path) {
            let failed = |error| CaptureError::Io { input: shown(path), error };
            expanded.inputs.push(Input::spooled(shown(path), File::open(path).map_err(failed)?)?);
        } else {
            expanded.inputs.push(Input::Path(path.clone()));
        }
    }
    Ok(expanded)
}

/// Whether a path is that of a pipe, as a shell makes one of `<(zcat capture.gz)`.
fn is_pipe(path: &Path) -> bool {
    #[cfg(unix)]
    let is_pipe = |known: std::fs::Metadata| std::os::unix::fs::FileTypeExt::is_fifo(&known.file_type());
    #[cfg(not(unix))]
    let is_pipe = |_| false;
    std::fs::metadata(path).is_ok_and(is_pipe)
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
