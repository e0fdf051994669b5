//! Limits on the resources that a hostile or damaged file may consume, and the reader that enforces the
//! limits on compressed data.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Compression;

const MEBIBYTE: u64 = 1 << 20;
const GIBIBYTE: u64 = 1 << 30;

/// Limits that a user may raise. Each protects a resource: memory, time, or space for temporary files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum memory of a decoder, in bytes. xz and zstd files state how much they need: 65 MiB after
    /// `xz -9` and 128 MiB after `zstd --long`. Decoders of gzip, bzip2 and lz4 use less than 16 MiB for any
    /// file.
    pub memory_bytes_max: u64,
    /// Maximum uncompressed size, in bytes, of a file that unpacks to more than [`RATIO_USUAL`] times its
    /// size. A capture with a usual ratio may have any size, because it is streamed.
    pub unpacked_bytes_max: u64,
    /// Maximum number of packets of a capture that must be held in memory: a sandbox run, which takes about
    /// 350 bytes per packet, or a capture that runs backwards in time, which takes about 200 bytes per packet
    /// while it is sorted.
    pub packets_held_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory_bytes_max: 256 * MEBIBYTE,
            unpacked_bytes_max: 4 * GIBIBYTE,
            packets_held_max: 4_000_000,
        }
    }
}

/// Maximum usual ratio of uncompressed to compressed size. Captures compress by a factor of 5 to 20, and
/// floods of identical packets by 100. Data with a higher ratio than this one is suspected to be a
/// decompression bomb, which reaches 1,000 (deflate) or 100,000.
pub const RATIO_USUAL: u64 = 200;

/// A limit that was reached. It is passed on as the cause of an [`io::Error`], because it is detected while
/// reading.
#[derive(Debug, thiserror::Error)]
pub(super) enum LimitReached {
    #[error(
        "unpacking this {compression} data takes more than the {} of memory that is allowed; if the file is genuine, raise --memory-limit", format_bytes(*.limit)
    )]
    Memory { compression: Compression, limit: u64 },
    #[error(
        "unpacks to more than {} and to more than {RATIO_USUAL} times its size, as decompression bombs do; if the file is genuine, raise --unpack-limit", format_bytes(*.limit)
    )]
    Unpacked { limit: u64 },
    /// Another limit; the message includes a remedy.
    #[error("{0}")]
    Other(String),
}

impl From<LimitReached> for io::Error {
    fn from(limit: LimitReached) -> io::Error {
        io::Error::other(limit)
    }
}

/// Returns whether an error reports a reached limit. Such a file is refused as a whole, whereas of a damaged
/// file the part before the damage is used.
pub(super) fn is_limit(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|cause| cause.is::<LimitReached>())
}

/// Formats a number of bytes in GiB or MiB if it is a multiple of one of them, and otherwise in bytes.
#[must_use]
pub fn format_bytes(bytes: u64) -> String {
    match bytes {
        _ if bytes > 0 && bytes.is_multiple_of(GIBIBYTE) => format!("{} GiB", bytes / GIBIBYTE),
        _ if bytes > 0 && bytes.is_multiple_of(MEBIBYTE) => format!("{} MiB", bytes / MEBIBYTE),
        _ => format!("{bytes} bytes"),
    }
}

/// A reader that counts the bytes read through it, for the check of the compression ratio or for progress.
pub(super) struct CountingReader<R> {
    source: R,
    count: Arc<AtomicU64>,
}

impl<R> CountingReader<R> {
    pub(super) fn new(source: R, count: Arc<AtomicU64>) -> CountingReader<R> {
        CountingReader { source, count }
    }
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.source.read(into)?;
        self.count.fetch_add(got as u64, Ordering::Relaxed);
        Ok(got)
    }
}

/// A reader of decompressed data that fails when a limit is reached.
pub(super) struct LimitedReader<R> {
    unpacked: R,
    compression: Compression,
    limits: Limits,
    /// Number of compressed bytes read so far.
    compressed_bytes: Arc<AtomicU64>,
    /// Number of uncompressed bytes returned so far.
    unpacked_bytes: u64,
}

impl<R> LimitedReader<R> {
    pub(super) fn new(
        unpacked: R,
        compression: Compression,
        limits: Limits,
        taken: Arc<AtomicU64>,
    ) -> LimitedReader<R> {
        LimitedReader { unpacked, compression, limits, compressed_bytes: taken, unpacked_bytes: 0 }
    }

    /// Replaces a decoder's error about its memory by one that names the limit.
    fn explain(&self, error: io::Error) -> io::Error {
        let (compression, limit) = (self.compression, self.limits.memory_bytes_max);
        if compression.is_memory_error(&error) {
            return LimitReached::Memory { compression, limit }.into();
        }
        error
    }
}

impl<R: Read> Read for LimitedReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.unpacked.read(into).map_err(|error| self.explain(error))?;
        self.unpacked_bytes += got as u64;
        let limit = self.limits.unpacked_bytes_max;
        if self.unpacked_bytes > limit
            && self.unpacked_bytes / RATIO_USUAL > self.compressed_bytes.load(Ordering::Relaxed)
        {
            return Err(LimitReached::Unpacked { limit }.into());
        }
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `bytes` zeros as if they had been unpacked from `taken` bytes.
    fn unpack(bytes: u64, taken: u64) -> io::Result<u64> {
        let limits = Limits { unpacked_bytes_max: 10_000, ..Limits::default() };
        let zeros = io::repeat(0).take(bytes);
        let mut guarded =
            LimitedReader::new(zeros, Compression::Gzip, limits, Arc::new(AtomicU64::new(taken)));
        io::copy(&mut guarded, &mut io::sink())
    }

    #[test]
    fn what_unpacks_to_much_more_than_its_size_is_stopped() {
        assert_eq!(unpack(10_000, 1).unwrap(), 10_000);
        assert_eq!(unpack(1_000_000, 1_000_000 / RATIO_USUAL).unwrap(), 1_000_000);
        let stopped = unpack(1_000_000, 10).unwrap_err();
        assert!(is_limit(&stopped) && stopped.to_string().contains("--unpack-limit"), "{stopped}");
        assert!(!is_limit(&io::Error::other("damage")));
    }

    #[test]
    fn sizes_are_shown_in_their_own_unit() {
        assert_eq!(
            [4 * GIBIBYTE, 256 * MEBIBYTE, 1000].map(format_bytes),
            ["4 GiB", "256 MiB", "1000 bytes"]
        );
    }
}
