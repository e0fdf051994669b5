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
