//! Writes results to standard output, to a device or pipe, or to a file, which is replaced as a whole or not
//! at all. Everything that inga writes except histories is written here.

mod replacement;
mod target;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::AppError;

pub use replacement::Replacement;
use target::{OutputTarget, open_stream};

/// A destination for results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// A path. A regular file is replaced once everything is written; a device or pipe is written to
    /// directly.
    File(PathBuf),
}

impl Output {
    /// Returns the output for a path; `-`, or no path, is standard output.
    #[must_use]
    pub fn from_path(path: Option<&Path>) -> Output {
        match path {
            None => Output::Stdout,
            Some(path) if path.as_os_str() == "-" => Output::Stdout,
            Some(path) => Output::File(path.to_owned()),
        }
    }

    /// Writes a result. It is no error if the reader of a pipe has closed it.
    ///
    /// # Errors
    /// When the output cannot be written to. An existing file is then unchanged (but see [`Replacement`] for
    /// folders that may not be written), and no temporary file is left.
    pub fn write(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), AppError> {
        match self {
            Output::Stdout => {
                to_stream(io::stdout().lock(), write).map_err(|error| AppError::file(Path::new("-"), error))
            }
            Output::File(path) => write_file(path, write).map_err(|error| AppError::file(path, error)),
        }
    }

    /// Writes a result in pieces, which `make` produces and which may fail.
    ///
    /// # Errors
    /// As [`write`](Output::write), and the error that `make` returns.
    pub fn write_pieces(
        &self,
        make: impl FnOnce(&mut Pieces<'_>) -> Result<(), AppError>,
    ) -> Result<(), AppError> {
        let mut made = Ok(());
        let written = self.write(|out| {
            let mut pieces = Pieces { out, failed: None };
            made = make(&mut pieces);
            if let Some(error) = pieces.failed {
                // `make` stopped because a piece could not be written; the write error has the reason.
                made = Ok(());
                return Err(error);
            }
            if made.is_ok() { Ok(()) } else { Err(io::Error::other("not all of it was made")) }
        });
        made.and(written)
    }
}

/// An output that is written to piece by piece.
pub struct Pieces<'a> {
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl Pieces<'_> {
    /// Writes another piece.
    ///
    /// # Errors
    /// When the piece cannot be written; the caller then makes no more pieces.
    pub fn put<T>(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> Result<T, AppError> {
        write(self.out).map_err(|error| {
            let stop = AppError::Usage(error.to_string());
            self.failed = Some(error);
            stop
        })
    }
}

fn closed_pipe(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// Writes to a stream, which cannot be replaced as a whole.
fn to_stream(out: impl Write, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let done = write(&mut out).and_then(|()| out.flush());
    if done.is_err() {
        // Otherwise dropping the buffer would try to write the rest of it once more.
        drop(out.into_parts());
    }
    done.or_else(closed_pipe)
}

fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = match OutputTarget::resolve(path)? {
        OutputTarget::Stdout => return to_stream(io::stdout().lock(), write),
        OutputTarget::Stderr => return to_stream(io::stderr().lock(), write),
        OutputTarget::Stream(path) => return to_stream(open_stream(&path)?, write),
        OutputTarget::ExistingFile(path, old) => Replacement::create(path, Some(old))?,
        OutputTarget::NewFile(path) => Replacement::create(path, None)?,
    };
    write(&mut file)?;
    file.commit()
}

/// A folder for temporary files, which is removed with everything in it when the value is dropped.
#[derive(Debug)]
pub struct TemporaryFolder(tempfile::TempDir);

impl TemporaryFolder {
    /// Creates the folder.
    ///
    /// # Errors
    /// When the system's folder for temporary files cannot be written to.
    pub fn new() -> Result<TemporaryFolder, AppError> {
        let folder = tempfile::TempDir::with_prefix("inga-");
        folder.map(TemporaryFolder).map_err(|error| AppError::file(&std::env::temp_dir(), error))
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Creates a folder for results, with its parent folders.
///
/// # Errors
/// When the folder cannot be created; the message says so if a file is in its place.
pub fn make_folder(folder: &Path) -> Result<(), AppError> {
    std::fs::create_dir_all(folder).map_err(|error| match folder.exists() && !folder.is_dir() {
        true => AppError::file(folder, io::Error::other("this is a file; a folder is needed here")),
        false => AppError::file(folder, error),
    })
}
