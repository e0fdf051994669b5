//! Where results go: standard output, or a file that is there whole or not at all.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::AppError;

/// A place for results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// A file, replaced when all is written.
    File(PathBuf),
}

impl Output {
    /// `-`, or nothing, is standard output.
    #[must_use]
    pub fn of(path: Option<&Path>) -> Output {
        match path {
            None => Output::Stdout,
            Some(path) if path.as_os_str() == "-" => Output::Stdout,
            Some(path) => Output::File(path.to_owned()),
        }
    }

    /// Writes a result. A reader that closed the pipe is no error.
    ///
    /// # Errors
    /// When the place cannot be written to; a file that was there is then unchanged.
    pub fn write(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), AppError> {
        match self {
            Output::Stdout => {
                let mut out = BufWriter::new(io::stdout().lock());
                let done = write(&mut out).and_then(|()| out.flush());
                done.or_else(closed_pipe).map_err(|error| AppError::file(Path::new("-"), error))
            }
            Output::File(path) => write_file(path, write).map_err(|error| AppError::file(path, error)),
        }
    }

    /// Writes a result that is made meanwhile, which can fail, too.
    ///
    /// # Errors
    /// As [`write`](Output::write), and what `make` answers.
    pub fn write_pieces(
        &self,
        make: impl FnOnce(&mut Pieces<'_>) -> Result<(), AppError>,
    ) -> Result<(), AppError> {
        let mut made = Ok(());
        let written = self.write(|out| {
            let mut pieces = Pieces { out, failed: None };
            made = make(&mut pieces);
            if let Some(error) = pieces.failed {
                // Whoever made the pieces was told to stop, and why is told here.
                made = Ok(());
                return Err(error);
            }
            if made.is_ok() { Ok(()) } else { Err(io::Error::other("not all of it was made")) }
        });
        made.and(written)
    }
}

/// A place that is written to piece by piece.
pub struct Pieces<'a> {
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl Pieces<'_> {
    /// Writes another piece.
    ///
    /// # Errors
    /// When it cannot be written, for whoever makes the pieces to stop.
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

/// A file that others may read as far as the process's mask lets them: it becomes the result.
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = new_file(folder)?;
    let mut out = BufWriter::new(file.as_file_mut());
    write(&mut out)?;
    out.flush()?;
    drop(out);
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
