//! zip archives, whose members may be compressed, and encrypted with a password.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use zip::read::{ZipFile, ZipReadOptions};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::{
    CaptureError, Compression, FIRST_BYTES, FoundCapture, Input, MEMBERS_MAX, Member, MemberLocation,
    ReadOptions, archive_error, first_packet_time, member_name, too_many_members,
};
use crate::capture::limits::{LimitReached, LimitedReader};
use crate::capture::skipped::SkippedFiles;

/// The password with which malware and its captures are customarily encrypted.
const CUSTOMARY_PASSWORD: &str = "infected";
/// Maximum number of bytes that are read for an archive's directory. The directory is held in memory: an
/// entry has at least 46 bytes in the file and takes about 400 bytes in memory.
const DIRECTORY_BYTES_MAX: u64 = 16 << 20;

/// An archive whose directory was read. Members are read through clones, which share the file.
#[derive(Debug)]
pub(super) struct Archive(ZipArchive<SharedFile>);

impl Archive {
    /// Returns a reader of members with its own place in the file.
    pub(super) fn reader(&self) -> ZipArchive<SharedFile> {
        self.0.clone()
    }
}

/// Opens a member for reading. The error is a message for users.
pub(super) fn open_member<'a>(
    archive: &'a mut ZipArchive<SharedFile>,
    index: usize,
    options: &ReadOptions,
) -> Result<LimitedReader<ZipFile<'a, SharedFile>>, String> {
    let entry = archive.by_index_data(index).map_err(|error| error.to_string())?;
    let (is_encrypted, method) = (entry.encrypted(), entry.compression());
    let stored = entry.compressed_size();
    let unread = |error: ZipError| match error {
        ZipError::InvalidPassword => {
            format!("encrypted with another password than `{CUSTOMARY_PASSWORD}`; give it as --password")
        }
        ZipError::CompressionMethodNotSupported(_) => {
            format!(
                "compressed by {}, which inga does not read; unpack it with `7z x` first",
                method_name(method)
            )
        }
        other => format!("a damaged member ({other})"),
    };
    let password = match is_encrypted {
        true => Some(password_of(archive, index, options).map_err(unread)?),
        false => None,
    };
    let opened = ZipReadOptions::new().password(password.as_deref().map(str::as_bytes));
    let file = archive.by_index_with_options(index, opened).map_err(unread)?;
    let taken = Arc::new(AtomicU64::new(stored));
    Ok(LimitedReader::new(file, Compression::None, options.limits, taken))
}

/// Returns the password that opens an encrypted member: the user's, or else the customary one.
fn password_of(
    archive: &mut ZipArchive<SharedFile>,
    index: usize,
    options: &ReadOptions,
) -> Result<String, ZipError> {
    let given = options.password.iter().map(String::as_str);
    for password in given.chain([CUSTOMARY_PASSWORD]) {
        match archive.by_index_decrypt(index, password.as_bytes()) {
            Ok(_) => return Ok(password.to_owned()),
            Err(ZipError::InvalidPassword) => {}
            Err(other) => return Err(other),
        }
    }
    Err(ZipError::InvalidPassword)
}

fn method_name(method: CompressionMethod) -> String {
    format!("the method {method:?}").to_lowercase()
}

/// Returns the captures among a zip's members.
pub(super) fn members(
    input: &Input,
    options: &ReadOptions,
    skipped: &mut SkippedFiles,
) -> Result<Vec<FoundCapture>, CaptureError> {
    let archive = Arc::new(Archive(read_directory(input)?));
    let mut reader = archive.reader();
    if reader.has_duplicate_names() {
        skipped.note_error(format!(
            "{input}: several members have the same name; of these only the last is read"
        ));
    }
    let mut found = Vec::new();
    for index in 0..reader.len() {
        let entry = match reader.by_index_data(index) {
            Ok(entry) if entry.is_dir() => continue,
            Ok(entry) => entry,
            Err(error) => {
                skipped.note_error(format!("{input}: member {index}: {error}"));
                continue;
            }
        };
        let (name, stored) = (member_name(input, entry.name_raw()), entry.compressed_size());
        let first = match entry.is_symlink() {
            true => Err(UnreadReason::NoCapture("a link".to_owned())),
            false => member_first_time(&mut reader, index, options),
        };
        match first {
            Ok(first) => {
                let place = MemberLocation::Zip(Arc::clone(&archive), index);
                found.push((first, Input::Member(Member::new(name, stored, place))));
            }
            Err(UnreadReason::NoCapture(why)) => skipped.note_other_file(name, why),
            Err(UnreadReason::Failed(why)) => skipped.note_error(format!("{name}: {why}")),
        }
    }
    Ok(found)
}

/// The reason why a member is not read.
enum UnreadReason {
    /// The member is not a capture.
    NoCapture(String),
    /// The member is damaged, encrypted with another password, or compressed by an unknown method, so that it
    /// may be a capture.
    Failed(String),
}

/// Returns the time of a member's first packet, or the reason why the member is not read.
fn member_first_time(
    reader: &mut ZipArchive<SharedFile>,
    index: usize,
    options: &ReadOptions,
) -> Result<Option<crate::packet::Timestamp>, UnreadReason> {
    let is_encrypted = reader.by_index_data(index).is_ok_and(|entry| entry.encrypted());
    let mut head = Vec::new();
    let member = open_member(reader, index, options).map_err(UnreadReason::Failed)?;
    let read = member.take(FIRST_BYTES as u64).read_to_end(&mut head);
    match (first_packet_time(&head, options), read) {
        (Ok(first), _) => Ok(first),
        (Err(_), Err(error)) => Err(UnreadReason::Failed(format!("a damaged member ({error})"))),
        // One wrong password in 256 passes the check of the older cipher (ZipCrypto).
        (Err(why), Ok(_)) if is_encrypted => {
            Err(UnreadReason::NoCapture(format!("{why}, or the password is wrong")))
        }
        (Err(why), Ok(_)) => Err(UnreadReason::NoCapture(why)),
    }
}

/// Reads an archive's directory. Refuses a damaged archive, and one with too many or overlapping members.
fn read_directory(input: &Input) -> Result<ZipArchive<SharedFile>, CaptureError> {
    let failed = |error: ZipError| match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            CaptureError::Io { input: input.to_string(), error }
        }
        other => archive_error(
            input,
            format!("a damaged or cut zip archive ({other}); transfer it again, or mend it with `zip -FF`"),
        ),
    };
    let file = SharedFile::open(input).map_err(|error| failed(error.into()))?;
    let archive = ZipArchive::new(file.clone()).map_err(failed)?;
    if archive.len() > MEMBERS_MAX {
        return Err(too_many_members(input));
    }
    file.remove_limit();
    let mut ranges = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(failed)?;
        // A local header has at least 30 bytes and the name.
        let least = 30 + entry.name_raw().len() as u64;
        let begin = entry.header_start();
        ranges.push((begin, begin.saturating_add(least).saturating_add(entry.compressed_size())));
    }
    ranges.sort_unstable();
    if ranges.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        return Err(archive_error(
            input,
            "a zip archive whose members overlap, as those of decompression bombs do",
        ));
    }
    Ok(archive)
}

/// A file that several readers share, each with its own position in it.
#[derive(Debug)]
pub(super) struct SharedFile {
    file: Arc<Mutex<File>>,
    length: u64,
    /// Position of the next byte that is read.
    at: u64,
    /// Bytes that were read ahead. The first of them is at `buffer_at` in the file.
    buffer: Vec<u8>,
    buffer_at: u64,
    /// Number of bytes that all readers together may still read; `u64::MAX` for no limit.
    bytes_left: Arc<AtomicU64>,
}

impl Clone for SharedFile {
    fn clone(&self) -> SharedFile {
        let (file, left) = (Arc::clone(&self.file), Arc::clone(&self.bytes_left));
        SharedFile {
            file,
            length: self.length,
            at: self.at,
            buffer: Vec::new(),
            buffer_at: 0,
            bytes_left: left,
        }
    }
}

impl SharedFile {
    fn open(input: &Input) -> io::Result<SharedFile> {
        let file = File::open(input.path())?;
        let length = file.metadata()?.len();
        let (file, left) = (Arc::new(Mutex::new(file)), Arc::new(AtomicU64::new(DIRECTORY_BYTES_MAX)));
        Ok(SharedFile { file, length, at: 0, buffer: Vec::new(), buffer_at: 0, bytes_left: left })
    }

    /// Removes the limit on the number of bytes read.
    fn remove_limit(&self) {
        self.bytes_left.store(u64::MAX, Ordering::Relaxed);
    }

    /// Reads ahead from the current position. After an error the buffer is empty.
    fn fill(&mut self) -> io::Result<()> {
        const AHEAD: usize = 32 * 1024;
        let mut ahead = std::mem::take(&mut self.buffer);
        ahead.resize(AHEAD, 0);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let got = file.read(&mut ahead)?;
        ahead.truncate(got);
        (self.buffer, self.buffer_at) = (ahead, self.at);
        Ok(())
    }

    /// Subtracts bytes from the number that may still be read; fails if there are not so many left.
    fn spend(&self, bytes: usize) -> io::Result<()> {
        let left = self.bytes_left.load(Ordering::Relaxed);
        if left == u64::MAX {
            return Ok(());
        }
        let why = "a zip archive whose directory is larger than 16 MiB; unpack it and give inga the folder";
        let rest = left.checked_sub(bytes as u64).ok_or_else(|| LimitReached::Other(why.to_owned()))?;
        self.bytes_left.store(rest, Ordering::Relaxed);
        Ok(())
    }
}

impl Read for SharedFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let end = self.buffer_at.saturating_add(self.buffer.len() as u64);
        if !(self.buffer_at..end).contains(&self.at) {
            self.fill()?;
        }
        let from = usize::try_from(self.at - self.buffer_at).map_err(io::Error::other)?;
        let ahead = self.buffer.get(from..).unwrap_or_default();
        let count = ahead.len().min(into.len());
        into[..count].copy_from_slice(&ahead[..count]);
        self.at = self.at.saturating_add(count as u64);
        self.spend(count)?;
        Ok(count)
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "a place before the file's beginning");
        self.at = at.ok_or_else(before)?;
        Ok(self.at)
    }
}
