//! I/O: reads packets from packet captures and text logs of any origin.

mod archive;
mod bytes;
mod compression;
mod error;
mod expand;
mod fast_path;
mod foreign;
mod frame_decoder;
mod header;
mod limits;
mod link;
mod link_cooked;
mod link_ethernet;
mod link_filter;
mod link_names;
mod pcap;
mod pcapng;
mod pcapng_header;
mod plain;
mod probe;
mod problems;
mod read;
mod read_ahead;
mod records;
mod skipped;
pub mod text;

pub use archive::{Member, begins_like_json};
pub use compression::Compression;
pub use error::CaptureError;
pub use expand::{ExpandedPaths, expand, expand_file};
pub use limits::{Limits, RATIO_USUAL, format_bytes};
pub use plain::with_uncompressed;
pub use problems::{CapturePosition, Problem, ProblemCount, Problems};
pub use read::{
    CaptureFormat, Container, ReadOptions, ReadReport, read, read_hashed, read_head, read_source,
    sort_by_time,
};
pub use skipped::SkippedFiles;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tempfile::{NamedTempFile, TempPath};

use crate::packet::Packet;
use limits::CountingReader;

/// The function to which a reader passes each packet, with the payload after the outer header (empty where
/// the source has none).
pub type PacketSink<'a> = dyn FnMut(&Packet, &[u8]) + 'a;

/// One capture, which can be read any number of times.
#[derive(Clone, Debug)]
pub enum Input {
    /// A file.
    Path(PathBuf),
    /// Standard input or a pipe, copied to a temporary file, because some captures are read twice.
    Spooled {
        /// The name shown in messages.
        name: String,
        /// The temporary file. It is deleted when the last reference to it is dropped.
        file: Arc<TempPath>,
    },
    /// A member of an archive.
    Member(Member),
}

/// The bytes of a capture, which may still be compressed.
struct CaptureSource<'a> {
    bytes: Box<dyn Read + Send + 'a>,
    /// Whether the bytes are decompressed from a member of an archive while they are read. A read error then
    /// means a damaged member and not a failure of the system.
    is_unpacked: bool,
}

impl Input {
    /// Returns the path of the file that holds the bytes; the path is empty for a member of an archive.
    fn path(&self) -> &Path {
        match self {
            Input::Path(path) => path,
            Input::Spooled { file, .. } => file,
            Input::Member(_) => Path::new(""),
        }
    }

    /// Returns the path of the file that the user named or that lies in a folder; `None` for standard input, a
    /// pipe or a member of an archive.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Input::Path(path) => Some(path),
            Input::Spooled { .. } | Input::Member(_) => None,
        }
    }

    /// Returns the stored length of the capture in bytes, or 0 if it is unknown.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        match self {
            Input::Path(_) | Input::Spooled { .. } => {
                std::fs::metadata(self.path()).map_or(0, |file| file.len())
            }
            Input::Member(member) => member.stored_bytes(),
        }
    }

    /// Returns whether the capture is compressed, according to its first bytes, or is a member of an archive.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        let peek = || Compression::peek(&mut File::open(self.path())?);
        match self {
            Input::Member(_) => true,
            _ => peek().is_ok_and(|head| Compression::detect(&head) != Compression::None),
        }
    }

    /// Opens the capture and passes its bytes to `read`. The number of stored bytes that are read is added to
    /// the progress counter of the options.
    fn with_source<T>(
        &self,
        options: &ReadOptions,
        read: impl FnOnce(CaptureSource<'_>) -> Result<T, CaptureError>,
    ) -> Result<T, CaptureError> {
        let counted = |bytes| -> Box<dyn Read + Send + '_> {
            match &options.progress {
                Some(progress) => Box::new(CountingReader::new(bytes, Arc::clone(progress))),
                None => bytes,
            }
        };
        match self {
            Input::Member(member) => {
                let answer = member.with_source(options, read);
                // The bytes that `read` receives are already decompressed, but progress counts stored bytes.
                if let Some(progress) = &options.progress {
                    progress.fetch_add(member.stored_bytes(), Ordering::Relaxed);
                }
                answer
            }
            _ => {
                let failed = |error: io::Error| CaptureError::Io { input: self.to_string(), error };
                let file = File::open(self.path()).map_err(failed)?;
                read(CaptureSource { bytes: counted(Box::new(file)), is_unpacked: false })
            }
        }
    }

    /// Copies a source to a temporary file. `name` is shown in messages.
    ///
    /// # Errors
    /// Returns an error if the source cannot be read, or the file cannot be written.
    pub fn spooled(name: String, mut source: impl Read) -> Result<Input, CaptureError> {
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
            Input::Path(path) => f.write_str(&crate::escape::path(path)),
            Input::Spooled { name, .. } => f.write_str(name),
            Input::Member(member) => f.write_str(member.name()),
        }
    }
}
