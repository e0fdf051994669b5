//! Determines what an output path leads to: a stream of the process, a device or pipe, or a regular file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Maximum number of symbolic links that are followed, as on Linux.
const LINKS_MAX: usize = 40;

/// What a path leads to.
#[derive(Debug)]
pub(super) enum OutputTarget {
    /// Standard output, under any name. If it were opened a second time, output would begin at the start of a
    /// redirected file.
    Stdout,
    /// Standard error.
    Stderr,
    /// A device, FIFO, socket or another open file of the process, which is written to directly.
    Stream(PathBuf),
    /// A file that exists, with all links followed; the handle can be written to.
    ExistingFile(PathBuf, File),
    /// A file that does not exist yet, with all links followed.
    NewFile(PathBuf),
}

impl OutputTarget {
    /// Determines what a path leads to. Nothing is changed or created.
    ///
    /// # Errors
    /// When it is a folder or a file that may not be written, or its symbolic links form a circle.
    pub(super) fn resolve(path: &Path) -> io::Result<OutputTarget> {
        let mut path = path.to_owned();
        for _ in 0..LINKS_MAX {
            if let Some(stream) = own_stream(&path) {
                return Ok(stream);
            }
            match fs::symlink_metadata(&path) {
                Ok(known) if known.is_symlink() => {
                    let to = fs::read_link(&path)?;
                    path = path.parent().unwrap_or(Path::new("")).join(to);
                }
                Ok(known) if known.is_dir() => {
                    return Err(io::Error::other("this is a folder; name a file in it"));
                }
                Ok(known) if known.is_file() => {
                    let file = OpenOptions::new().write(true).open(&path)?;
                    return Ok(OutputTarget::ExistingFile(path, file));
                }
                Ok(_) => return Ok(OutputTarget::Stream(path)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(OutputTarget::NewFile(path));
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("its symbolic links form a circle"))
    }
}

/// Returns the process's own stream that has this name on Unix systems.
fn own_stream(path: &Path) -> Option<OutputTarget> {
    let number = path.to_str().and_then(|name| match name {
        "/dev/stdout" => Some("1"),
        "/dev/stderr" => Some("2"),
        // A descriptor of another process; the target of its link need not be a path.
        _ if name.starts_with("/proc/") && name.contains("/fd/") && !name.starts_with("/proc/self/") => {
            Some(name)
        }
        _ => name.strip_prefix("/dev/fd/").or_else(|| name.strip_prefix("/proc/self/fd/")),
    })?;
    match number {
        "1" => Some(OutputTarget::Stdout),
        "2" => Some(OutputTarget::Stderr),
        _ => Some(OutputTarget::Stream(path.to_owned())),
    }
}

/// Opens a device, FIFO, socket or descriptor. A descriptor may belong to a file to which others have
/// written, so output is appended.
///
/// # Errors
/// When it does not exist or may not be written. Opening a FIFO blocks until it has a reader.
pub(super) fn open_stream(path: &Path) -> io::Result<Box<dyn Write>> {
    #[cfg(unix)]
    if fs::metadata(path).is_ok_and(|known| std::os::unix::fs::FileTypeExt::is_socket(&known.file_type())) {
        return Ok(Box::new(std::os::unix::net::UnixStream::connect(path)?));
    }
    Ok(Box::new(OpenOptions::new().append(true).open(path)?))
}
