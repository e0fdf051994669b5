//! The classic pcap container: a header, then records.

use std::io;

use pcap_parser::nom;
use pcap_parser::pcap::{
    PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header,
};

use crate::event::Timestamp;

use super::bytes::{ByteStream, RECORD_MAX};
use super::read::Frames;
use super::{Place, Problem};

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
    let reader = Records::of(&header);
    while stream.want(reader.head)? {
        let captured = reader.captured(stream.ahead());
        if captured > RECORD_MAX {
            frames.count(Problem::DamagedRecord, Place::Byte(stream.offset()));
            return Ok(());
        }
        if !stream.want(reader.head + captured)? {
            break;
        }
        let Ok((_, record)) = (reader.parse)(stream.ahead()) else { break };
        let time = reader.time(record.ts_sec, record.ts_usec);
        frames.frame(reader.link, record.data, time, Place::Byte(stream.offset()));
        stream.pass(reader.head + captured);
    }
    if !stream.ahead().is_empty() {
        frames.count(Problem::TruncatedFile, Place::Byte(stream.offset()));
    }
    Ok(())
}

type Parse =
    for<'a> fn(
        &'a [u8],
    )
        -> nom::IResult<&'a [u8], pcap_parser::LegacyPcapBlock<'a>, pcap_parser::PcapError<&'a [u8]>>;

/// How this file's records are to be read.
struct Records {
    parse: Parse,
    /// Bytes before a record's data.
    head: usize,
    big_endian: bool,
    nanoseconds: bool,
    link: i32,
    zone_seconds: i64,
}

impl Records {
    fn of(header: &PcapHeader) -> Records {
        let big_endian = header.is_bigendian();
        let modified = header.is_modified_format();
        let parse: Parse = match (modified, big_endian) {
            (true, _) => parse_pcap_frame_modified,
            (false, true) => parse_pcap_frame_be,
            (false, false) => parse_pcap_frame,
        };
        Records {
            parse,
            head: if modified { 24 } else { 16 },
            big_endian,
            nanoseconds: header.is_nanosecond_precision(),
            // The upper bits tell of frame check sequences, which nobody reads here.
            link: header.network.0 & 0x03ff_ffff,
            zone_seconds: i64::from(header.thiszone),
        }
    }

    fn captured(&self, record: &[u8]) -> usize {
        let bytes: [u8; 4] = record.get(8..12).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        let length = if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        usize::try_from(length).unwrap_or(usize::MAX)
    }

    fn time(&self, seconds: u32, fraction: u32) -> Option<Timestamp> {
        let unit = if self.nanoseconds { 1 } else { 1_000 };
        let start = Timestamp::from_parts(i64::from(seconds) - self.zone_seconds, 0)?;
        Some(start.plus_nanoseconds(i64::from(fraction) * unit))
    }
}
