//! Replaces a file as a whole or not at all.
//!
//! The new content is written to a temporary file in the same folder, which then replaces the old file in one
//! step: at any moment the name leads to the old file or to the new one. The mode is kept, and owner and
//! group as far as the process may set them. Other hard links of the old file keep the old content.
//!
//! Where the folder refuses a second file or the replacement (a folder that may not be written, a file
//! mounted by itself, another owner's file in a folder like `/tmp`), the whole content is first written to a
//! temporary file elsewhere and then copied into the old file. Only a failure of that copy, such as a full
//! disk, can then leave a part of the new content in the file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::target::OutputTarget;

/// A file that is being written; if it is dropped without [`commit`](Replacement::commit), nothing changes.
#[derive(Debug)]
pub struct Replacement {
    out: BufWriter<ReplacementFile>,
    path: PathBuf,
    old: Option<File>,
}

/// Where the content is kept until all of it is written.
#[derive(Debug)]
enum ReplacementFile {
    /// In a file in the same folder.
    Beside(NamedTempFile),
    /// In the system's folder for temporary files, without a name.
    Elsewhere(File),
}

impl ReplacementFile {
    fn file(&mut self) -> &mut File {
        match self {
            ReplacementFile::Beside(part) => part.as_file_mut(),
            ReplacementFile::Elsewhere(file) => file,
        }
    }
}

impl Write for ReplacementFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Replacement {
    /// Begins to write a regular file, existing or not; symbolic links are followed.
    ///
    /// # Errors
    /// When the file may not be written, or is not a regular file.
    pub fn begin(path: &Path) -> io::Result<Replacement> {
        match OutputTarget::resolve(path)? {
            OutputTarget::ExistingFile(path, file) => Replacement::create(path, Some(file)),
            OutputTarget::NewFile(path) => Replacement::create(path, None),
            _ => Err(io::Error::other("this is no regular file")),
        }
    }

    pub(super) fn create(path: PathBuf, old: Option<File>) -> io::Result<Replacement> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let part = match (create_beside(folder, old.is_some()), &old) {
            (Ok(part), _) => ReplacementFile::Beside(part),
            (Err(error), Some(_)) if refuses_exchange(&error) => {
                ReplacementFile::Elsewhere(tempfile::tempfile()?)
            }
            (Err(error), _) => return Err(error),
        };
        Ok(Replacement { out: BufWriter::new(part), path, old })
    }

    /// Replaces the file by the new content.
    ///
    /// # Errors
    /// When the content cannot be written. The old file is then unchanged, unless a copy in place failed,
    /// which the error says.
    pub fn commit(self) -> io::Result<()> {
        let Replacement { out, path, old } = self;
        let part = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        let mut part = match (part, &old) {
            (ReplacementFile::Beside(part), None) => {
                part.as_file().sync_data()?;
                return part.persist(&path).map(drop).map_err(|failed| failed.error);
            }
            (ReplacementFile::Beside(part), Some(old)) => {
                keep_attributes(old, part.as_file())?;
                // The content must be on the disk before the file gets the name, so that after a power failure the
                // name leads to the whole old or the whole new file.
                part.as_file().sync_data()?;
                match part.persist(&path) {
                    Ok(_) => return Ok(()),
                    Err(failed) if refuses_exchange(&failed.error) => ReplacementFile::Beside(failed.file),
                    Err(failed) => return Err(failed.error),
                }
            }
            (part, _) => part,
        };
        let Some(old) = old else { return Err(io::Error::other("there is no file to be written in place")) };
        copy_in_place(part.file(), old).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!(
                    "written in place, since its folder refuses to replace it, and now incomplete: {error}"
                ),
            )
        })
    }
}

/// Creates a temporary file in the folder. A new file has the permissions that the process's mask allows. A
/// replacement gets the mode of the old file later; until then it is readable by its owner alone.
fn create_beside(folder: &Path, replaces: bool) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(if replaces { 0o600 } else { 0o666 }));
    builder.tempfile_in(folder)
}

/// Returns whether an error says that the folder refuses a second file or the replacement, though the file
/// itself may be writable.
fn refuses_exchange(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | ResourceBusy | CrossesDevices)
}

/// Gives the new file the old one's mode, and its owner and group as far as the process may set them.
#[cfg(unix)]
fn keep_attributes(old: &File, new: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let (known, mine) = (old.metadata()?, new.metadata()?);
    let mut same = (known.uid(), known.gid()) == (mine.uid(), mine.gid());
    if !same {
        // A process that may not change the owner may still be allowed to set the group.
        same = fchown(new, Some(known.uid()), Some(known.gid())).is_ok();
        if !same {
            let _group_kept = fchown(new, None, Some(known.gid()));
        }
    }
    // The set-user-ID bit of one owner's file must not be kept in another owner's.
    let mode = known.mode() & if same { 0o7777 } else { 0o777 };
    new.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn keep_attributes(old: &File, new: &File) -> io::Result<()> {
    new.set_permissions(old.metadata()?.permissions())
}

/// Copies the content into the old file.
fn copy_in_place(content: &mut File, mut old: File) -> io::Result<()> {
    content.rewind()?;
    let length = io::copy(content, &mut old)?;
    old.set_len(length)?;
    old.sync_data()
}
