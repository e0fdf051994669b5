//! Reads containers that consist of records (or blocks), each with its length in front.

use std::io;

use super::bytes::ByteStream;
use super::frame_decoder::FrameDecoder;
use super::{CapturePosition, Problem};

/// The reason why a parser stops at a record.
pub(super) enum RecordStop {
    /// The record needs this number of bytes, which are not all buffered yet.
    NeedsBytes(usize),
    /// The record violates the format, so the beginning of the next record is unknown.
    Damaged,
    /// The header of another capture that was appended to this one.
    AnotherCapture,
}

/// The place where the records of a capture end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordsEnd {
    /// The end of the file, or damage, which is counted.
    File,
    /// The header of another capture, which has not been consumed.
    AnotherCapture,
}

/// Returns the 32-bit number at an offset of a record; 0 if the record is too short.
#[inline]
pub(super) fn u32_at(record: &[u8], at: usize, big_endian: bool) -> u32 {
    let bytes: [u8; 4] = record.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
    if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

/// Reads all records. `take` consumes the whole records of the buffered bytes, which begin at the given
/// offset of the capture, and returns the number of bytes consumed and the reason why it stopped. `least` is
/// the number of bytes that must be buffered for the first call.
pub(super) fn read(
    stream: &mut ByteStream<'_>,
    frames: &mut FrameDecoder<'_, '_>,
    least: usize,
    mut take: impl FnMut(&[u8], u64, &mut FrameDecoder<'_, '_>) -> (usize, RecordStop),
) -> io::Result<RecordsEnd> {
    let mut needed = least;
    while stream.fill_to(needed)? {
        let (taken, next) = take(stream.buffered(), stream.offset(), frames);
        stream.advance(taken);
        match next {
            RecordStop::NeedsBytes(bytes) => needed = bytes,
            RecordStop::Damaged => {
                frames.count_problem(Problem::DamagedRecord, CapturePosition::Byte(stream.offset()));
                return Ok(RecordsEnd::File);
            }
            RecordStop::AnotherCapture => return Ok(RecordsEnd::AnotherCapture),
        }
    }
    if !stream.buffered().is_empty() {
        frames.count_problem(Problem::TruncatedFile, CapturePosition::Byte(stream.offset()));
    }
    Ok(RecordsEnd::File)
}
