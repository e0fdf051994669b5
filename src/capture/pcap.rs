//! The classic pcap container: a file header, then packet records.

use std::io;

use pcap_parser::pcap::{PcapHeader, parse_pcap_header};

use crate::packet::Timestamp;

use super::CapturePosition;
use super::bytes::{ByteStream, RECORD_MAX};
use super::frame_decoder::FrameDecoder;
use super::pcapng_header;
use super::records::{self, RecordStop, RecordsEnd, u32_at};

/// Length of the file header, in bytes.
pub(super) const HEADER: usize = 24;
/// Magic numbers of files with microseconds, with nanoseconds, and with the longer record headers of some old
/// systems.
const MAGIC: [u32; 3] = [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34];
/// Version 2.4, which every writer has used since 1998, in little-endian and in big-endian headers. Both are
/// read as a little-endian number.
const VERSION: [u32; 2] = [0x0004_0002, 0x0400_0200];
/// Mask of the bits of a file header that hold the link type. The bits above describe frame check sequences.
const LINK_MAX: i32 = 0x03ff_ffff;

/// Returns the reason why a file with the magic number of pcap cannot be read.
pub(super) fn refusal(head: &[u8]) -> Option<String> {
    let (_, header) = parse_pcap_header(head).ok()?;
    (header.version_major != 2)
        .then(|| format!("a pcap of the unknown version {}.{}", header.version_major, header.version_minor))
}

/// Returns whether the first bytes are a pcap header.
pub(super) fn is_pcap(head: &[u8]) -> bool {
    parse_pcap_header(head).is_ok()
}

/// Returns whether the header of another capture begins here, within a file. No record has the form of a file
/// header. Returns `None` if there are too few bytes to decide.
pub(super) fn begins_capture(bytes: &[u8]) -> Option<bool> {
    let magic = u32_at(bytes, 0, true);
    if !MAGIC.contains(&magic) && !MAGIC.contains(&magic.swap_bytes()) {
        return Some(false);
    }
    let header = bytes.get(..HEADER)?;
    Some(parse_pcap_header(header).is_ok_and(|(_, header)| {
        let link = header.network.0 & LINK_MAX;
        (header.version_major, header.version_minor) == (2, 4) && header.snaplen > 0 && link <= 0xffff
    }))
}

/// Reads all records up to the end, or up to the header of another capture that was appended.
///
/// The time zone in the header is ignored: every writer sets it to 0, and tcpdump and tshark ignore it as
/// well.
pub(super) fn read(stream: &mut ByteStream<'_>, frames: &mut FrameDecoder<'_, '_>) -> io::Result<RecordsEnd> {
    stream.fill_to(HEADER)?;
    let Ok((_, header)) = parse_pcap_header(stream.buffered()) else { return Ok(RecordsEnd::File) };
    stream.advance(HEADER);
    let format = RecordFormat::from_header(&header);
    records::read(stream, frames, format.head, |bytes, offset, frames| {
        format.read_records(bytes, offset, frames)
    })
}

/// The record format of a file. Record headers are decoded here by hand, because with pcap-parser this loop
/// took 1.5 times as long.
struct RecordFormat {
    /// Length of a record header, in bytes.
    head: usize,
    big_endian: bool,
    nanoseconds: bool,
    link: i32,
}

impl RecordFormat {
    fn from_header(header: &PcapHeader) -> RecordFormat {
        RecordFormat {
            head: if header.is_modified_format() { 24 } else { 16 },
            big_endian: header.is_bigendian(),
            nanoseconds: header.is_nanosecond_precision(),
            link: header.network.0 & LINK_MAX,
        }
    }

    /// Passes on all whole records in `bytes`, which begin at `offset` of the capture. Returns the number of
    /// bytes that they take, and what comes next.
    fn read_records(
        &self,
        bytes: &[u8],
        offset: u64,
        frames: &mut FrameDecoder<'_, '_>,
    ) -> (usize, RecordStop) {
        let mut at = 0;
        while let Some(head) = bytes.get(at..at + self.head) {
            let [seconds, fraction, captured] = [0, 4, 8].map(|at| u32_at(head, at, self.big_endian));
            let captured = usize::try_from(captured).unwrap_or(usize::MAX);
            if VERSION.contains(&u32_at(head, 4, false)) {
                // A file header has its version where a record header has the fraction of the second.
                match begins_capture(&bytes[at..]) {
                    Some(true) => return (at, RecordStop::AnotherCapture),
                    Some(false) => {}
                    None => return (at, RecordStop::NeedsBytes(HEADER)),
                }
            }
            if captured > RECORD_MAX {
                let another = pcapng_header::is_readable(&bytes[at..]);
                return (at, if another { RecordStop::AnotherCapture } else { RecordStop::Damaged });
            }
            let data = at + self.head;
            let Some(frame) = bytes.get(data..data + captured) else {
                return (at, RecordStop::NeedsBytes(self.head + captured));
            };
            frames.decode(
                self.link,
                frame,
                self.time(seconds, fraction),
                CapturePosition::Byte(offset + at as u64),
            );
            at = data + captured;
        }
        (at, RecordStop::NeedsBytes(self.head))
    }

    /// Returns the time of a record; `None` if a timestamp cannot hold it.
    fn time(&self, seconds: u32, fraction: u32) -> Option<Timestamp> {
        let unit = if self.nanoseconds { 1 } else { 1_000 };
        let start = Timestamp::from_parts(i64::from(seconds), 0)?;
        Some(start.plus_nanoseconds(i64::from(fraction) * unit))
    }
}
