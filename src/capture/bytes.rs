//! A buffered stream of a capture's uncompressed bytes, from which a parser takes whole records. Optionally
//! hashes all bytes.

use std::io::{self, BufRead, Read};

use super::limits::is_limit;

/// Bytes requested from the source at a time. A chunk of this size is still in the processor's cache when it
/// is parsed.
const CHUNK: usize = 64 * 1024;
/// Maximum length of a record, in bytes; a longer record is counted as damage. The buffer grows beyond this
/// length by at most a chunk and a record header.
pub(super) const RECORD_MAX: usize = 16 * 1024 * 1024;

/// A stream that buffers as many bytes as a parser needs to see a whole record, and that knows its offset.
pub(super) struct ByteStream<'a> {
    source: Box<dyn Read + 'a>,
    /// Receives all bytes, if the caller needs their hash.
    hash: Option<&'a mut blake3::Hasher>,
    buffer: Vec<u8>,
    /// Start of the bytes that are buffered and not yet consumed.
    start: usize,
    /// End of these bytes; the buffer behind it is free.
    end: usize,
    /// Offset of the first buffered byte in the uncompressed capture.
    offset: u64,
    /// Whether the end of the source was reached.
    ended: bool,
    /// The error with which a damaged compressed stream ended, if any.
    damage: Option<io::Error>,
    /// Whether an error of the source ends the stream instead of failing it.
    tolerates_damage: bool,
}

impl<'a> ByteStream<'a> {
    /// Creates a stream. With `tolerates_damage`, an error of the source counts as damage to the capture (a
    /// compressed stream) instead of a failure of the system. An error that reports a reached limit always
    /// fails.
    pub(super) fn new(
        source: Box<dyn Read + 'a>,
        forgiving: bool,
        hash: Option<&'a mut blake3::Hasher>,
    ) -> ByteStream<'a> {
        ByteStream {
            source,
            hash,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            offset: 0,
            ended: false,
            damage: None,
            tolerates_damage: forgiving,
        }
    }

    /// Returns the bytes that are buffered and not yet consumed.
    pub(super) fn buffered(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Returns the offset of the first buffered byte in the uncompressed capture.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the error with which a damaged compressed stream ended, if any.
    pub(super) fn damage(&self) -> Option<&io::Error> {
        self.damage.as_ref()
    }

    /// Reads until at least `bytes` bytes are buffered. Returns whether that many were available.
    pub(super) fn fill_to(&mut self, bytes: usize) -> io::Result<bool> {
        while self.buffered().len() < bytes && !self.ended {
            self.fill()?;
        }
        Ok(self.buffered().len() >= bytes)
    }

    /// Consumes `bytes` bytes, or all buffered bytes if they are fewer.
    pub(super) fn advance(&mut self, bytes: usize) {
        let bytes = bytes.min(self.buffered().len());
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Reads the rest of the source without parsing it, so that the hash covers all bytes. Returns the total
    /// number of bytes.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        while !self.ended {
            self.advance(self.buffered().len());
            self.fill()?;
        }
        self.advance(self.buffered().len());
        Ok(self.offset)
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.buffer.len() < self.end + CHUNK {
            self.buffer.resize(self.end + CHUNK, 0);
        }
        // Never request more than a chunk, even if there is more room: BLAKE3 is fastest on inputs whose
        // length is a power of two.
        let room = &mut self.buffer[self.end..self.end + CHUNK];
        let got = loop {
            match self.source.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let got = match got {
            Ok(got) => got,
            Err(error) if self.tolerates_damage && !is_limit(&error) => {
                self.damage = Some(error);
                0
            }
            Err(error) => return Err(error),
        };
        if let Some(hash) = &mut self.hash {
            hash.update(&self.buffer[self.end..self.end + got]);
        }
        self.end += got;
        self.ended = got == 0;
        Ok(())
    }
}

/// Copies bytes that a reader has buffered, or that it buffers next.
pub(super) fn read_buffered(from: &mut impl BufRead, into: &mut [u8]) -> io::Result<usize> {
    let ahead = from.fill_buf()?;
    let count = ahead.len().min(into.len());
    into[..count].copy_from_slice(&ahead[..count]);
    from.consume(count);
    Ok(count)
}

impl Read for ByteStream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, into)
    }
}

impl BufRead for ByteStream<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.fill_to(1)?;
        Ok(self.buffered())
    }

    fn consume(&mut self, count: usize) {
        self.advance(count);
    }
}
