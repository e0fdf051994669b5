//! Archives, whose members are separate captures. Members are streamed one by one, any number of times. No
//! file is ever written under a name that an archive gives.

mod tar;
mod zip;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::packet::Timestamp;

use super::compression::Compression;
use super::foreign::is_tar;
use super::limits::{LimitReached, LimitedReader, Limits};
use super::skipped::SkippedFiles;
use super::{CaptureError, CaptureSource, Input, ReadOptions, read_source};

/// Maximum number of members of one archive. A list of that many members takes about 40 MB with names of
/// usual length, and about 100 MB with the longest names that are kept. Archives of captures have a few
/// thousand members.
const MEMBERS_MAX: usize = 100_000;
/// Maximum number of characters of a member's name that are shown.
const NAME_MAX: usize = 200;
/// Number of bytes at the beginning of a member that are searched for its first packet.
const FIRST_BYTES: usize = 256 * 1024;

/// A file in an archive.
#[derive(Clone, Debug)]
pub struct Member {
    name: Arc<str>,
    /// Its length in the archive, in bytes.
    stored_bytes: u64,
    location: MemberLocation,
}

/// The place of a member's bytes.
#[derive(Clone, Debug)]
enum MemberLocation {
    /// A range of bytes of a file: of a tar, or of the temporary file into which a compressed tar was
    /// unpacked. `is_packed` says that the range is compressed with zstd.
    Range { file: Arc<Input>, at: u64, is_packed: bool },
    /// A member of a zip archive, by its index.
    Zip(Arc<zip::Archive>, usize),
}

/// A capture, with the time of its first packet.
pub(super) type FoundCapture = (Option<Timestamp>, Input);

impl Member {
    /// Returns the name shown in messages, which consists of the names of the archive and of the member:
    /// `archive.zip!run/dump.pcap`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the length of the member in the archive, in bytes.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// Opens the member and passes its bytes to `read`.
    pub(super) fn with_source<T>(
        &self,
        options: &ReadOptions,
        read: impl FnOnce(CaptureSource<'_>) -> Result<T, CaptureError>,
    ) -> Result<T, CaptureError> {
        let failed = |error: io::Error| CaptureError::Io { input: self.name.to_string(), error };
        match &self.location {
            MemberLocation::Range { file, at, is_packed } => {
                let mut file = File::open(file.path()).map_err(failed)?;
                file.seek(SeekFrom::Start(*at)).map_err(failed)?;
                let stored = file.take(self.stored_bytes);
                let bytes: Box<dyn Read + Send> = match is_packed {
                    true => Box::new(zstd::stream::read::Decoder::new(stored).map_err(failed)?),
                    false => Box::new(stored),
                };
                read(CaptureSource { bytes, is_unpacked: *is_packed })
            }
            MemberLocation::Zip(archive, index) => {
                let mut archive = archive.reader();
                let bytes = zip::open_member(&mut archive, *index, options)
                    .map_err(|why| failed(LimitReached::Other(why).into()))?;
                read(CaptureSource { bytes: Box::new(bytes), is_unpacked: true })
            }
        }
    }

    /// Creates a member. `name` is the result of the function [`member_name`], and `stored_bytes` the length in the
    /// archive, in bytes.
    fn new(name: String, stored: u64, place: MemberLocation) -> Member {
        Member { name: name.into(), stored_bytes: stored, location: place }
    }
}

/// Returns the captures in an archive, with the times of their first packets. Returns `None` for a file that
/// is not an archive or cannot be read; the reader of captures reports the reason later. Members that are not
/// captures are added to `skipped`.
///
/// # Errors
/// Returns an error if the archive is refused as a whole.
pub(super) fn members(
    input: &Input,
    options: &ReadOptions,
    skipped: &mut SkippedFiles,
) -> Result<Option<Vec<FoundCapture>>, CaptureError> {
    match archive_kind(input, options.limits) {
        Ok(Some(ArchiveKind::Tar(compression))) => {
            tar::members(input, compression, options, skipped).map(Some)
        }
        Ok(Some(ArchiveKind::Zip)) => zip::members(input, options, skipped).map(Some),
        Ok(None) | Err(_) => Ok(None),
    }
}

/// A kind of archive.
enum ArchiveKind {
    Tar(Compression),
    Zip,
}

/// Returns the kind of an archive by its first bytes.
fn archive_kind(input: &Input, limits: Limits) -> io::Result<Option<ArchiveKind>> {
    let mut file = File::open(input.path())?;
    let head = Compression::peek(&mut file)?;
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Ok(Some(ArchiveKind::Zip));
    }
    let compression = Compression::detect(&head);
    file.rewind()?;
    let mut block = Vec::new();
    compression.open(file, limits.memory_bytes_max)?.take(tar::BLOCK).read_to_end(&mut block)?;
    Ok(is_tar(&block).then_some(ArchiveKind::Tar(compression)))
}

/// Returns a member's name for messages, escaped and shortened, because an attacker may have chosen it.
fn member_name(archive: &Input, member: &[u8]) -> String {
    let member = String::from_utf8_lossy(member);
    let mut escaped = crate::escape::path(std::path::Path::new(member.as_ref()));
    if escaped.chars().count() > NAME_MAX {
        escaped = escaped.chars().take(NAME_MAX).chain(['…']).collect();
    }
    format!("{archive}!{escaped}")
}

/// Returns the time of a member's first packet, or the reason why the member is not a capture. Both follow
/// from its first bytes.
fn first_packet_time(head: &[u8], options: &ReadOptions) -> Result<Option<Timestamp>, String> {
    if options.json_members && is_json(head, options) {
        return Ok(None);
    }
    let options =
        ReadOptions { progress: None, read_ahead: false, only_certain_text: true, ..options.clone() };
    let mut first = None;
    read_source(head, "", &options, &mut |packet, _| first = first.or(packet.time()))
        .map(|_| first)
        .map_err(|error| error.reason())
}

/// Returns whether a member, which may be compressed, begins like JSON. `head` has its first bytes.
fn is_json(head: &[u8], options: &ReadOptions) -> bool {
    /// Number of bytes that are looked at; blanks may come first.
    const JSON_BYTES: u64 = 256;
    let compression = Compression::detect(head);
    let mut first = Vec::new();
    if let Ok(bytes) = compression.open(head, options.limits.memory_bytes_max) {
        // What could be read before the end of the head decides.
        let _read = bytes.take(JSON_BYTES).read_to_end(&mut first);
    }
    begins_like_json(&first)
}

/// Returns whether the first bytes of a text are those of a JSON object.
#[must_use]
pub fn begins_like_json(first: &[u8]) -> bool {
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    text.trim_ascii_start().starts_with(b"{")
}

/// Returns the error for an archive that is refused as a whole.
fn archive_error(archive: &Input, why: impl Into<String>) -> CaptureError {
    CaptureError::Archive { input: archive.to_string(), why: why.into() }
}

/// Returns the error for an archive with too many members.
fn too_many_members(archive: &Input) -> CaptureError {
    let remedy = "unpack it and give inga the folder";
    archive_error(archive, format!("an archive with more than {MEMBERS_MAX} members; {remedy}"))
}

/// Returns a reader of a file's uncompressed bytes that fails when a limit is reached.
fn unpacking_reader(
    file: File,
    compression: Compression,
    limits: Limits,
) -> io::Result<LimitedReader<Box<dyn Read + Send>>> {
    use super::limits::CountingReader;
    let taken = Arc::default();
    let counted = CountingReader::new(BufReader::new(file), Arc::clone(&taken));
    let unpacked = compression.open(counted, limits.memory_bytes_max)?;
    Ok(LimitedReader::new(unpacked, compression, limits, taken))
}
