//! A capture's uncompressed bytes as a stream with a look ahead, hashed as they pass where somebody wants that.

use std::io::{self, BufRead, Read};

use super::limits::is_limit;

/// Bytes asked for at a time: few enough that what is read is still in the processor's cache when it is looked at.
const CHUNK: usize = 64 * 1024;
/// The longest record that is looked at whole; a longer one is damage. The buffer never grows beyond it by
/// more than a chunk.
pub(super) const RECORD_MAX: usize = 16 * 1024 * 1024;

/// Reads ahead, so that a parser sees whole records, and knows where it stands.
pub(super) struct ByteStream<'a> {
    source: Box<dyn Read + 'a>,
    /// Takes all bytes, where somebody wants their hash.
    hash: Option<&'a mut blake3::Hasher>,
    buffer: Vec<u8>,
    /// What lies ahead begins here …
    start: usize,
    /// … and ends here; what is behind is room for more.
    end: usize,
    offset: u64,
    ended: bool,
    /// Whether the source broke off: a damaged compressed stream.
    broken: Option<io::Error>,
    forgiving: bool,
}

impl<'a> ByteStream<'a> {
    /// `forgiving`: an error of the source is damage of the capture (a compressed stream), not of the system. An error
    /// because a limit was reached is not forgiven.
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
            broken: None,
            forgiving,
        }
    }

    /// What lies ahead, as far as it is read.
    pub(super) fn ahead(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The offset of what lies ahead.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Why the compressed stream broke off, if it did.
    pub(super) fn broken(&self) -> Option<&io::Error> {
        self.broken.as_ref()
    }

    /// Reads until so many bytes lie ahead; answers whether they do.
    pub(super) fn want(&mut self, bytes: usize) -> io::Result<bool> {
        while self.ahead().len() < bytes && !self.ended {
            self.fill()?;
        }
        Ok(self.ahead().len() >= bytes)
    }

    /// Leaves bytes behind, at most those ahead.
    pub(super) fn pass(&mut self, bytes: usize) {
        let bytes = bytes.min(self.ahead().len());
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Reads to the end without looking, so that the hash is that of all bytes. Answers how many they are.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        while !self.ended {
            self.pass(self.ahead().len());
            self.fill()?;
        }
        self.pass(self.ahead().len());
        Ok(self.offset)
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.buffer.len() < self.end + CHUNK {
            self.buffer.resize(self.end + CHUNK, 0);
        }
        // No more than that, though there may be more room: bytes are hashed quickest in powers of two.
        let room = &mut self.buffer[self.end..self.end + CHUNK];
        let got = loop {
            match self.source.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let got = match got {
            Ok(got) => got,
            Err(error) if self.forgiving && !is_limit(&error) => {
                self.broken = Some(error);
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

/// Reads what is in a reader's buffer, or what it buffers next.
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
        self.want(1)?;
        Ok(self.ahead())
    }

    fn consume(&mut self, count: usize) {
        self.pass(count);
    }
}
