//! tar archives, compressed or not, in all formats: v7, ustar, GNU and pax.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::sync::Arc;

use tar::{EntryType, Header, PaxExtensions};
use tempfile::NamedTempFile;

use super::{
    CaptureError, FIRST_BYTES, FoundCapture, Input, MEMBERS_MAX, Member, MemberLocation, ReadOptions,
    first_packet_time, member_name, too_many_members, unpacking_reader,
};
use crate::capture::compression::Compression;
use crate::capture::foreign::is_tar;
use crate::capture::limits::is_limit;
use crate::capture::skipped::SkippedFiles;

/// Length of the blocks of a tar, in bytes.
pub(super) const BLOCK: u64 = BLOCK_LENGTH as u64;
const BLOCK_LENGTH: usize = 512;
/// Maximum number of bytes that are read of a long name or of a list of pax records. The limit of a path is 4
/// KiB on Linux (`PATH_MAX`).
const EXTENSION_MAX: u64 = 64 * 1024;

/// Returns the captures among a tar's members.
///
/// A compressed tar can only be read from its beginning, but captures are read in the order of their first
/// packets, and some are read twice. It is therefore unpacked once, into a temporary file in `TMPDIR` in
/// which each capture is compressed with a fast level of zstd.
pub(super) fn members(
    input: &Input,
    compression: Compression,
    options: &ReadOptions,
    skipped: &mut SkippedFiles,
) -> Result<Vec<FoundCapture>, CaptureError> {
    let failed = |error: io::Error| CaptureError::Io { input: input.to_string(), error };
    let file = File::open(input.path()).map_err(failed)?;
    let (source, spool) = match compression {
        Compression::None => (TarSource::from_file(file).map_err(failed)?, None),
        _ => {
            let source = unpacking_reader(file, compression, options.limits).map_err(failed)?;
            (TarSource::Stream(Box::new(source)), Some(CaptureSpool::new().map_err(failed)?))
        }
    };
    let mut walk = TarReader { input, source, at: 0, spool, options, found: Vec::new(), members: 0 };
    match walk.read_all(skipped) {
        Ok(()) => {}
        Err(TarError::Refused(error)) => return Err(error),
        Err(TarError::Failed(error)) if is_limit(&error) => return Err(failed(error)),
        Err(TarError::Failed(error)) => {
            skipped.note_error(format!(
                "{input}: damaged at byte {} of the tar ({error}); what follows is lost",
                walk.at
            ));
        }
    }
    Ok(walk.finish())
}

/// The reason why reading a tar ends early.
enum TarError {
    /// The archive is refused as a whole.
    Refused(CaptureError),
    /// The rest of the archive is damaged or cannot be read.
    Failed(io::Error),
}

impl From<io::Error> for TarError {
    fn from(error: io::Error) -> TarError {
        TarError::Failed(error)
    }
}

/// The bytes of a tar: a file with its length, in which members can be skipped by seeking, or a stream that
/// is unpacked.
enum TarSource<'a> {
    File(BufReader<File>, u64),
    Stream(Box<dyn Read + 'a>),
}

impl TarSource<'_> {
    fn from_file(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(TarSource::File(BufReader::new(file), length))
    }

    /// Skips up to `bytes` bytes from the offset `at`, and returns the number of bytes skipped.
    fn skip(&mut self, bytes: u64, at: u64) -> io::Result<u64> {
        match self {
            TarSource::File(file, length) => {
                let passed = bytes.min(length.saturating_sub(at));
                file.seek_relative(i64::try_from(passed).map_err(io::Error::other)?)?;
                Ok(passed)
            }
            TarSource::Stream(stream) => io::copy(&mut stream.take(bytes), &mut io::sink()),
        }
    }
}

impl Read for TarSource<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            TarSource::File(file, _) => file.read(into),
            TarSource::Stream(stream) => stream.read(into),
        }
    }
}

/// The data of the extension headers before a member.
#[derive(Default)]
struct Extension {
    /// The name of the member, if it replaces the one in the member's header.
    name: Option<Vec<u8>>,
    /// The length of the member in bytes, if it replaces the one in the member's header.
    size: Option<u64>,
    is_sparse: bool,
}

impl Extension {
    /// Adds the data of a pax extended header.
    fn add_pax(&mut self, records: &[u8]) {
        for record in PaxExtensions::new(records).flatten() {
            match record.key_bytes() {
                b"path" => self.name = Some(record.value_bytes().to_vec()),
                b"size" => self.size = record.value().ok().and_then(|size| size.parse().ok()),
                key if key.starts_with(b"GNU.sparse.") => self.is_sparse = true,
                _ => {}
            }
        }
    }
}

/// The state of reading a tar from its beginning.
struct TarReader<'a> {
    input: &'a Input,
    source: TarSource<'a>,
    /// Offset of the next byte in the tar.
    at: u64,
    /// The temporary file for the captures of a compressed tar.
    spool: Option<CaptureSpool>,
    options: &'a ReadOptions,
    /// The captures found so far. Their inputs are placeholders until `finish` replaces them.
    found: Vec<(FoundCapture, TarEntry)>,
    /// Number of members found so far.
    members: usize,
}

/// A capture's name for messages, its offset and length in bytes, and whether it was compressed with zstd.
type TarEntry = (String, u64, u64, bool);

impl TarReader<'_> {
    /// Reads all members.
    fn read_all(&mut self, skipped: &mut SkippedFiles) -> Result<(), TarError> {
        let mut extension = Extension::default();
        while let Some(block) = self.read_block()? {
            if !is_tar(&block) {
                let error = io::Error::new(io::ErrorKind::InvalidData, "no header where one must be");
                return Err(error.into());
            }
            let header = Header::from_byte_slice(&block);
            let size = extension.size.unwrap_or(header.entry_size()?);
            match header.entry_type() {
                EntryType::GNULongName => {
                    let mut name = self.read_extension(size)?;
                    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
                    extension.name = Some(name);
                    continue;
                }
                EntryType::XHeader => {
                    let records = self.read_extension(size)?;
                    extension.add_pax(&records);
                    continue;
                }
                EntryType::GNULongLink | EntryType::XGlobalHeader => {
                    self.read_extension(size)?;
                    continue;
                }
                kind => self.read_member(header, kind, size, std::mem::take(&mut extension), skipped)?,
            }
        }
        Ok(())
    }

    /// Reads the next header. Returns `None` at the end, which is a block of zeros or the end of the file.
    fn read_block(&mut self) -> io::Result<Option<Vec<u8>>> {
        let block = self.read_bytes(BLOCK)?;
        match block.len() as u64 {
            0 => Ok(None),
            BLOCK => Ok(block.iter().any(|byte| *byte != 0).then_some(block)),
            _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "ends within a header")),
        }
    }

    /// Reads `count` bytes, or fewer at the end of the file.
    fn read_bytes(&mut self, count: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.source.by_ref().take(count).read_to_end(&mut bytes)?;
        self.at += bytes.len() as u64;
        Ok(bytes)
    }

    /// Skips `count` bytes.
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let passed = self.source.skip(count, self.at)?;
        self.at += passed;
        match passed == count {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "ends within a member")),
        }
    }

    /// Reads the data of an extension header, at most [`EXTENSION_MAX`] bytes, and skips the rest.
    fn read_extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let begin = self.at;
        let bytes = self.read_bytes(size.min(EXTENSION_MAX))?;
        self.skip_to(begin, size)?;
        Ok(bytes)
    }

    /// Skips the rest of data that begins at `begin` and has `size` bytes, and the padding of its last block.
    fn skip_to(&mut self, begin: u64, size: u64) -> io::Result<()> {
        let overflow = || io::Error::new(io::ErrorKind::InvalidData, "a member of an absurd length");
        let end = size.checked_next_multiple_of(BLOCK).and_then(|size| begin.checked_add(size));
        let rest = end.ok_or_else(overflow)?.saturating_sub(self.at);
        self.skip(rest)
    }

    /// Reads the member behind a header, or skips it with a reason.
    fn read_member(
        &mut self,
        header: &Header,
        kind: EntryType,
        size: u64,
        extension: Extension,
        skipped: &mut SkippedFiles,
    ) -> Result<(), TarError> {
        self.members += 1;
        if self.members > MEMBERS_MAX {
            return Err(TarError::Refused(too_many_members(self.input)));
        }
        let begin = self.at;
        let path = extension.name.unwrap_or_else(|| header.path_bytes().into_owned());
        let why = match kind {
            _ if extension.is_sparse => Some("a sparse file; unpack the archive first"),
            EntryType::GNUSparse => Some("a sparse file; unpack the archive first"),
            EntryType::Regular | EntryType::Continuous if path.ends_with(b"/") => None,
            EntryType::Regular | EntryType::Continuous => {
                self.add_file(&path, size, skipped)?;
                return Ok(self.skip_to(begin, size)?);
            }
            EntryType::Directory => None,
            EntryType::Symlink | EntryType::Link => Some("a link"),
            _ => Some("no file"),
        };
        if let Some(why) = why {
            skipped.note_other_file(member_name(self.input, &path), why.to_owned());
        }
        // Links and folders have no data, whatever size their headers state.
        let has_data = !matches!(kind, EntryType::Symlink | EntryType::Link | EntryType::Directory);
        Ok(self.skip_to(begin, if has_data { size } else { 0 })?)
    }

    /// Adds a regular file to the captures found, or to the skipped files if it is not a capture.
    fn add_file(&mut self, path: &[u8], size: u64, skipped: &mut SkippedFiles) -> io::Result<()> {
        let begin = self.at;
        let head = self.read_bytes(size.min(FIRST_BYTES as u64))?;
        let first = match first_packet_time(&head, self.options) {
            Ok(first) => first,
            Err(why) => {
                skipped.note_other_file(member_name(self.input, path), why);
                return Ok(());
            }
        };
        let (at, stored, is_packed, end) = match &mut self.spool {
            None => (begin, size, false, Ok(())),
            Some(spool) => {
                let rest = (&mut self.source).take(size - head.len() as u64);
                let (at, read, end) = spool.append(&head, rest)?;
                self.at += read;
                (at, spool.end - at, Compression::detect(&head) == Compression::None, end)
            }
        };
        let held = (member_name(self.input, path), at, stored, is_packed);
        // `finish` fills in the place when all captures are in the temporary file.
        self.found.push(((first, self.input.clone()), held));
        end
    }

    /// Returns the captures found, with their places.
    fn finish(self) -> Vec<FoundCapture> {
        let TarReader { input, spool, found, .. } = self;
        let file = Arc::new(match spool {
            Some(spool) => {
                Input::Spooled { name: input.to_string(), file: Arc::new(spool.file.into_temp_path()) }
            }
            None => input.clone(),
        });
        let place = |((first, _), (name, at, stored, is_packed)): (FoundCapture, TarEntry)| {
            let place = MemberLocation::Range { file: Arc::clone(&file), at, is_packed };
            (first, Input::Member(Member::new(name, stored, place)))
        };
        found.into_iter().map(place).collect()
    }
}

/// The temporary file with the captures of a compressed tar, one after another.
struct CaptureSpool {
    file: NamedTempFile,
    /// Number of bytes written.
    end: u64,
}

impl CaptureSpool {
    fn new() -> io::Result<CaptureSpool> {
        Ok(CaptureSpool { file: NamedTempFile::new()?, end: 0 })
    }

    /// Appends a capture, and compresses it unless it is already compressed. Returns its offset, the number
    /// of bytes read from `rest`, and the error with which `rest` ended. The bytes before such an error are
    /// kept.
    fn append(&mut self, head: &[u8], rest: impl Read) -> io::Result<(u64, u64, io::Result<()>)> {
        /// Compression level of zstd; level 1 is about as fast as a disk.
        const LEVEL: i32 = 1;
        let begin = self.end;
        let (read, ended) = if Compression::detect(head) == Compression::None {
            let mut packed = zstd::stream::write::Encoder::new(self.file.as_file(), LEVEL)?;
            packed.write_all(head)?;
            let answer = copy(rest, &mut packed)?;
            packed.finish()?;
            answer
        } else {
            let mut file = self.file.as_file();
            file.write_all(head)?;
            copy(rest, &mut file)?
        };
        self.end = self.file.as_file().stream_position()?;
        Ok((begin, read, ended))
    }
}

/// Copies a source up to its end or to its first read error. Returns the number of bytes copied and that
/// error within `Ok`; a write error is returned as `Err`.
fn copy(mut from: impl Read, to: &mut impl Write) -> io::Result<(u64, io::Result<()>)> {
    let mut buffer = vec![0; 64 * 1024];
    let mut copied = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok((copied, Ok(()))),
            Ok(got) => {
                to.write_all(&buffer[..got])?;
                copied += got as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok((copied, Err(error))),
        }
    }
}
