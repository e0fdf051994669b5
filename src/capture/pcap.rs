//! The classic pcap container: a header, then records.

use std::io;

use pcap_parser::pcap::{PcapHeader, parse_pcap_header};

use crate::event::Timestamp;

use super::Place;
use super::bytes::{ByteStream, RECORD_MAX};
use super::pcapng;
use super::read::Frames;
use super::records::{self, End, Next, word};

pub(super) const HEADER: usize = 24;
/// Magic numbers: of microseconds, of nanoseconds, and of the records with more fields that some old systems wrote.
const MAGIC: [u32; 3] = [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34];
/// Version 2.4, which every writer has used since 1998, as headers of either byte order have it, read as little-endian.
const VERSION: [u32; 2] = [0x0004_0002, 0x0400_0200];
/// The bits of a header's field that hold the link type; the bits above describe frame check sequences.
const LINK_MAX: i32 = 0x03ff_ffff;

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

/// Returns whether another capture begins here, within a file: the bytes are a header, which no record of a capture
/// looks like. Returns `None` where there are too few bytes to decide.
pub(super) fn begins(bytes: &[u8]) -> Option<bool> {
    let magic = word(bytes, 0, true);
    if !MAGIC.contains(&magic) && !MAGIC.contains(&magic.swap_bytes()) {
        return Some(false);
    }
    let header = bytes.get(..HEADER)?;
    Some(parse_pcap_header(header).is_ok_and(|(_, header)| {
        let link = header.network.0 & LINK_MAX;
        (header.version_major, header.version_minor) == (2, 4) && header.snaplen > 0 && link <= 0xffff
    }))
}

/// Reads all records, up to the header of another capture where one was appended.
///
/// The time zone in the header is ignored: every writer puts 0 there, and tcpdump and tshark ignore it, too.
pub(super) fn read(stream: &mut ByteStream<'_>, frames: &mut Frames<'_, '_>) -> io::Result<End> {
    stream.want(HEADER)?;
    let Ok((_, header)) = parse_pcap_header(stream.ahead()) else { return Ok(End::File) };
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
}

impl Format {
    fn of(header: &PcapHeader) -> Format {
        Format {
            head: if header.is_modified_format() { 24 } else { 16 },
            big_endian: header.is_bigendian(),
            nanoseconds: header.is_nanosecond_precision(),
            link: header.network.0 & LINK_MAX,
        }
    }

    /// Hands on the whole records of some bytes; answers how many bytes they take, and what comes next.
    fn take(&self, bytes: &[u8], offset: u64, frames: &mut Frames<'_, '_>) -> (usize, Next) {
        let mut at = 0;
        while let Some(head) = bytes.get(at..at + self.head) {
            let [seconds, fraction, captured] = [0, 4, 8].map(|at| word(head, at, self.big_endian));
            let captured = usize::try_from(captured).unwrap_or(usize::MAX);
            if VERSION.contains(&word(head, 4, false)) {
                // A header has its version where a record has the fraction of its second.
                match begins(&bytes[at..]) {
                    Some(true) => return (at, Next::Another),
                    Some(false) => {}
                    None => return (at, Next::Bytes(HEADER)),
                }
            }
            if captured > RECORD_MAX {
                let another = pcapng::begins(&bytes[at..]);
                return (at, if another { Next::Another } else { Next::Damaged });
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
        let start = Timestamp::from_parts(i64::from(seconds), 0)?;
        Some(start.plus_nanoseconds(i64::from(fraction) * unit))
    }
}
