//! Passes on the uncompressed bytes of a file or member, whatever they are.

use std::io::{self, Read};
use std::sync::Arc;

use super::compression::Compression;
use super::limits::{CountingReader, LimitedReader};
use super::{CaptureError, CaptureSource, Input, ReadOptions};

/// Opens an input and passes its uncompressed bytes to `read`. A read error reports damaged compressed
/// data, a reached limit, or a failure of the system.
///
/// # Errors
/// Returns an error if the input cannot be opened or its decoder would need too much memory.
pub fn with_uncompressed<T>(
    input: &Input,
    options: &ReadOptions,
    read: impl FnOnce(&mut dyn Read) -> T,
) -> Result<T, CaptureError> {
    let failed = |error: io::Error| CaptureError::Io { input: input.to_string(), error };
    input.with_source(options, |CaptureSource { mut bytes, .. }| {
        let head = Compression::peek(&mut bytes).map_err(failed)?;
        let compression = Compression::detect(&head);
        // The first bytes were consumed to recognize the compression: put them back in front.
        let mut whole = io::Cursor::new(head).chain(bytes);
        if compression == Compression::None {
            return Ok(read(&mut whole));
        }
        let taken = Arc::default();
        let counted = CountingReader::new(whole, Arc::clone(&taken));
        let unpacked = compression.open(counted, options.limits.memory_bytes_max).map_err(failed)?;
        Ok(read(&mut LimitedReader::new(unpacked, compression, options.limits, taken)))
    })
}
