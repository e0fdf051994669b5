//! The classic pcap container: a header, then records.

use std::io;

use pcap_parser::pcap::{PcapHeader, parse_pcap_header};

use crate::event::Timestamp;

use super::Place;
use super::bytes::{ByteStream, RECORD_MAX};
use super::read::Frames;
use super::records::{self, Next, word};

const HEADER: usize = 24;

/// Why a file with a pcap's magic number is none that can be read.
pub(super) fn refusal(head: &[u8]) -> Option<String> {
    let (_, header) = parse_pcap_header(head).ok()?;
    (header.version_major != 2)
        .then(|| format!("a pcap of the unknown version {}.{}", header.version_major, header.version_minor))
}

/// Whether the first bytes are a pcap's.
pub(super) fn is_pcap(head: &[u8]) -> bool {
    parse_pcap_header(head).is_ok()
}

/// Reads all records.
pub(super) fn read(stream: &mut ByteStream<'_>, frames: &mut Frames<'_, '_>) -> io::Result<()> {
    stream.want(HEADER)?;
    let Ok((_, header)) = parse_pcap_header(stream.ahead()) else { return Ok(()) };
    stream.pass(HEADER);
    let format = Format::of(&header);
    records::read(stream, frames, format.head, |bytes, offset, frames| format.take(bytes, offset, frames))
}

/// How this file's records are to be read. Their four numbers are read here: through the library this loop took half
/// as long again.
struct Format {
    /// Bytes before a record's data.
    head: usize,
    big_endian: bool,
    nanoseconds: bool,
    link: i32,
    zone_seconds: i64,
}

impl Format {
    fn of(header: &PcapHeader) -> Format {
        Format {
            head: if header.is_modified_format() { 24 } else { 16 },
            big_endian: header.is_bigendian(),
            nanoseconds: header.is_nanosecond_precision(),
            // The upper bits tell of frame check sequences, which nobody reads here.
            link: header.network.0 & 0x03ff_ffff,
            zone_seconds: i64::from(header.thiszone),
        }
    }

    /// Hands on the whole records of some bytes; answers how many bytes they take, and what comes next.
    fn take(&self, bytes: &[u8], offset: u64, frames: &mut Frames<'_, '_>) -> (usize, Next) {
        let mut at = 0;
        while let Some(head) = bytes.get(at..at + self.head) {
            let [seconds, fraction, captured] = [0, 4, 8].map(|at| word(head, at, self.big_endian));
            let captured = usize::try_from(captured).unwrap_or(usize::MAX);
            if captured > RECORD_MAX {
                return (at, Next::Damaged);
            }
            let data = at + self.head;
            let Some(frame) = bytes.get(data..data + captured) else {
                return (at, Next::Bytes(self.head + captured));
            };
            frames.frame(self.link, frame, self.time(seconds, fraction), Place::Byte(offset + at as u64));
            at = data + captured;
        }
        (at, Next::Bytes(self.head))
    }

    fn time(&self, seconds: u32, fraction: u32) -> Option<Timestamp> {
        let unit = if self.nanoseconds { 1 } else { 1_000 };
        let start = Timestamp::from_parts(i64::from(seconds) - self.zone_seconds, 0)?;
        Some(start.plus_nanoseconds(i64::from(fraction) * unit))
    }
}
