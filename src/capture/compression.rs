//! Compression formats, recognized by a file's first bytes and never by its name.

use std::fmt;
use std::io::{self, BufReader, Read};

use liblzma::stream::{CONCATENATED, Stream};

/// The compression format of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// The capture is not compressed.
    None,
    /// gzip (RFC 1952), with any number of members.
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// The .xz format, with any number of streams.
    Xz,
    /// bzip2, with any number of streams.
    Bzip2,
    /// The LZ4 frame format.
    Lz4,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Xz => "xz",
            Compression::Bzip2 => "bzip2",
            Compression::Lz4 => "lz4",
        })
    }
}

/// Number of compressed bytes that are read at a time.
const BUFFER: usize = 128 * 1024;

impl Compression {
    /// Reads the first bytes of a source, enough to recognize its compression even if the source returns few
    /// bytes at a time. The caller must put them back in front of the source.
    pub(super) fn peek(source: &mut impl Read) -> io::Result<Vec<u8>> {
        const HEAD: u64 = 6;
        let mut head = Vec::new();
        source.take(HEAD).read_to_end(&mut head)?;
        Ok(head)
    }

    /// Returns the compression that the first bytes of a file indicate.
    pub(super) fn detect(head: &[u8]) -> Compression {
        match head {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            // A skippable frame may come first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Compression::Bzip2,
            [0x04, 0x22, 0x4d, 0x18, ..] => Compression::Lz4,
            _ => Compression::None,
        }
    }

    /// Returns a reader of the uncompressed bytes of a source. Decoders use at most `memory_bytes_max` bytes
    /// of memory. A source that is not compressed is returned without a buffer, because its readers have one.
    pub(super) fn open<'a>(
        self,
        source: impl Read + Send + 'a,
        memory_bytes_max: u64,
    ) -> io::Result<Box<dyn Read + Send + 'a>> {
        let buffered = |source| BufReader::with_capacity(BUFFER, source);
        Ok(match self {
            Compression::None => Box::new(source),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered(source))),
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered(source))?;
                decoder.window_log_max(zstd_window_log(memory_bytes_max))?;
                Box::new(decoder)
            }
            Compression::Xz => {
                // Reads any number of streams, as `xz` itself does.
                let stream = Stream::new_stream_decoder(memory_bytes_max, CONCATENATED)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(buffered(source), stream))
            }
            Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(buffered(source))),
            Compression::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(buffered(source))),
        })
    }

    /// Returns whether a decoder's error says that it would need more memory than it may use.
    pub(super) fn is_memory_error(self, error: &io::Error) -> bool {
        match self {
            Compression::Xz => {
                let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<liblzma::stream::Error>());
                matches!(cause, Some(liblzma::stream::Error::MemLimit | liblzma::stream::Error::Mem))
            }
            // The library passes on zstd's message and no error number.
            Compression::Zstd => error.to_string().contains("too much memory"),
            _ => false,
        }
    }
}

/// Returns the binary logarithm of the largest zstd window that fits into this memory. One mebibyte is
/// reserved for the decoder's other buffers; a zstd block has at most 128 KiB.
fn zstd_window_log(memory_bytes_max: u64) -> u32 {
    const BLOCK: u64 = 1 << 20;
    /// Bounds of libzstd on 64-bit machines (`ZSTD_WINDOWLOG_MIN` and `ZSTD_WINDOWLOG_MAX`).
    const LOGS: std::ops::RangeInclusive<u32> = 10..=31;
    let window = memory_bytes_max.saturating_sub(BLOCK).max(1);
    window.ilog2().clamp(*LOGS.start(), *LOGS.end())
}
