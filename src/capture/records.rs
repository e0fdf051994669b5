//! Reads containers that consist of records (or blocks), each with its length in front.

use std::io;

use super::bytes::ByteStream;
use super::read::Frames;
use super::{Place, Problem};

/// The reason why a parser stops at a record.
pub(super) enum Next {
    /// The record needs this number of bytes, which are not all buffered yet.
    Bytes(usize),
    /// The record violates the format, so the beginning of the next record is unknown.
    Damaged,
    /// The header of another capture that was appended to this one.
    Another,
}

/// The place where the records of a capture end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The end of the file, or damage, which is counted.
    File,
    /// The header of another capture, which has not been consumed.
    Another,
}

/// Returns the 32-bit number at an offset of a record; 0 if the record is too short.
#[inline]
pub(super) fn word(record: &[u8], at: usize, big_endian: bool) -> u32 {
    let bytes: [u8; 4] = record.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
    if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

/// Reads all records. `take` consumes the whole records of the buffered bytes, which begin at the given
/// offset of the capture, and returns the number of bytes consumed and the reason why it stopped. `least` is
/// the number of bytes that must be buffered for the first call.
pub(super) fn read(
    stream: &mut ByteStream<'_>,
    frames: &mut Frames<'_, '_>,
    least: usize,
    mut take: impl FnMut(&[u8], u64, &mut Frames<'_, '_>) -> (usize, Next),
) -> io::Result<End> {
    let mut needed = least;
    while stream.want(needed)? {
        let (taken, next) = take(stream.ahead(), stream.offset(), frames);
        stream.pass(taken);
        match next {
            Next::Bytes(bytes) => needed = bytes,
            Next::Damaged => {
                frames.count(Problem::DamagedRecord, Place::Byte(stream.offset()));
                return Ok(End::File);
            }
            Next::Another => return Ok(End::Another),
        }
    }
    if !stream.ahead().is_empty() {
        frames.count(Problem::TruncatedFile, Place::Byte(stream.offset()));
    }
    Ok(End::File)
}
