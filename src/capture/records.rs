//! Records of a container that come one after the other, each with its length in front.

use std::io;

use super::bytes::ByteStream;
use super::read::Frames;
use super::{Place, Problem};

/// What a stretch of bytes ends with.
pub(super) enum Next {
    /// A record of which so many bytes must lie ahead.
    Bytes(usize),
    /// A record that breaks the format: nobody knows where the next one begins.
    Damaged,
    /// The header of another capture that was appended to this one.
    Another,
}

/// Where the records of a capture end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At the end of the file, or at damage, which is counted.
    File,
    /// At the header of another capture, which has not been read yet.
    Another,
}

/// Four bytes of a record as a number; 0 where they are not there.
#[inline]
pub(super) fn word(record: &[u8], at: usize, big_endian: bool) -> u32 {
    let bytes: [u8; 4] = record.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
    if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

/// Reads all records. `take` takes the whole ones of each stretch of bytes that was read ahead, which begins at an offset,
/// and answers how many bytes they are and what comes next: the next stretch begins with that. `least` bytes must lie
/// ahead for a first one.
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
