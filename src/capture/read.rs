//! Reads one capture: recognizes its format, passes on its packets, and reports its problems.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;

use crate::packet::{Clock, Packet, Timestamp};

use super::bytes::ByteStream;
use super::compression::Compression;
use super::frame_decoder::{FrameDecoder, note_order};
use super::limits::{CountingReader, LimitedReader, Limits};
use super::read_ahead::ReadAhead;
use super::records::RecordsEnd;
use super::text::{TcpdumpLikeness, TextOptions};
use super::{
    CaptureError, CapturePosition, CaptureSource, Input, PacketSink, Problem, Problems, foreign, pcap,
    pcapng, pcapng_header, text,
};

/// Number of bytes at the beginning of a capture by which its format is recognized.
const HEAD: usize = 4096;

/// Options for reading captures.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Options for tcpdump text.
    pub text: TextOptions,
    /// A counter of the stored bytes that were read, compressed or not, for progress.
    pub progress: Option<Arc<AtomicU64>>,
    /// Whether compressed captures are decompressed on a separate thread.
    pub read_ahead: bool,
    /// Limits on the resources that a file may consume.
    pub limits: Limits,
    /// The password of encrypted archives. `infected`, which is customary for malware, is tried as well.
    pub password: Option<String>,
    /// Whether text is read only if it is certainly tcpdump's, as for the files in a folder.
    pub only_certain_text: bool,
    /// Whether an archive lists its members that begin like JSON, which may be reports of sandboxes, as well as
    /// its captures.
    pub json_members: bool,
}

/// The container format of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// pcap.
    Pcap,
    /// pcapng.
    PcapNg,
    /// Text printed by tcpdump.
    Text,
}

/// The format of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureFormat {
    /// The container.
    pub container: Container,
    /// The compression around it.
    pub compression: Compression,
}

/// Formats the container and the compression, such as `pcap` or `pcapng (zstd)`.
impl fmt::Display for CaptureFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.container {
            Container::Pcap => "pcap",
            Container::PcapNg => "pcapng",
            Container::Text => "tcpdump text",
        })?;
        match self.compression {
            Compression::None => Ok(()),
            compression => write!(f, " ({compression})"),
        }
    }
}

/// The result of reading a capture.
#[derive(Clone, Debug)]
pub struct ReadReport {
    /// The number of packets passed on.
    pub packets: u64,
    /// The kind of its times.
    pub clock: Clock,
    /// Problems, counted by reason.
    pub problems: Problems,
    /// The format of the capture.
    pub format: CaptureFormat,
    /// The uncompressed length of the capture, in bytes.
    pub bytes: u64,
    /// Whether its times never run backwards.
    pub ordered: bool,
    /// Capture loss: the number of packets that the recorder dropped, if the capture states it.
    pub dropped: Option<u64>,
}

/// Streams all packets of a capture in their order in the file. Memory does not grow with the capture.
///
/// # Errors
/// Returns an error if the capture is empty, is not a capture, reaches a limit, or cannot be read. Damage
/// within the capture is counted in the report.
pub fn read(
    input: &Input,
    options: &ReadOptions,
    sink: &mut PacketSink<'_>,
) -> Result<ReadReport, CaptureError> {
    input.with_source(options, |source| stream_packets(source, &input.to_string(), options, None, sink))
}

/// Streams all packets like [`read`], and returns the identity of the capture as well: the BLAKE3 hash of its
/// uncompressed bytes. Hashing takes a tenth of the time of reading.
///
/// # Errors
/// Returns the same errors as [`read`].
pub fn read_hashed(
    input: &Input,
    options: &ReadOptions,
    sink: &mut PacketSink<'_>,
) -> Result<(ReadReport, [u8; 32]), CaptureError> {
    let mut hash = blake3::Hasher::new();
    let report = input.with_source(options, |source| {
        stream_packets(source, &input.to_string(), options, Some(&mut hash), sink)
    })?;
    Ok((report, *hash.finalize().as_bytes()))
}

/// Streams all packets of a capture from any source. `name` is used in messages.
///
/// # Errors
/// Returns the same errors as [`read`].
pub fn read_source(
    source: impl Read + Send,
    name: &str,
    options: &ReadOptions,
    sink: &mut PacketSink<'_>,
) -> Result<ReadReport, CaptureError> {
    stream_packets(CaptureSource { bytes: Box::new(source), is_unpacked: false }, name, options, None, sink)
}

/// Reads only the beginning of a capture, which is enough to find its format, its kind of times and its first
/// packet.
///
/// # Errors
/// Returns the same errors as [`read`].
pub fn read_head(
    input: &Input,
    options: &ReadOptions,
    sink: &mut PacketSink<'_>,
) -> Result<ReadReport, CaptureError> {
    /// Maximum number of bytes of the source that are read.
    const FIRST_BYTES: u64 = 256 * 1024;
    let options = ReadOptions { progress: None, read_ahead: false, ..options.clone() };
    input.with_source(&options, |CaptureSource { bytes, is_unpacked: unpacks }| {
        let bytes = Box::new(bytes.take(FIRST_BYTES));
        stream_packets(
            CaptureSource { bytes, is_unpacked: unpacks },
            &input.to_string(),
            &options,
            None,
            sink,
        )
    })
}

/// Streams the packets of a source, which may be compressed.
fn stream_packets(
    source: CaptureSource<'_>,
    name: &str,
    options: &ReadOptions,
    hash: Option<&mut blake3::Hasher>,
    sink: &mut PacketSink<'_>,
) -> Result<ReadReport, CaptureError> {
    let failed = |error: io::Error| CaptureError::Io { input: name.to_owned(), error };
    let CaptureSource { bytes: mut source, is_unpacked: unpacks } = source;
    let head = Compression::peek(&mut source).map_err(failed)?;
    if head.is_empty() {
        return Err(CaptureError::Empty { input: name.to_owned() });
    }
    let compression = Compression::detect(&head);
    // The first bytes were consumed to recognize the compression: put them back in front.
    let whole = io::Cursor::new(head).chain(source);
    let is_packed = unpacks || compression != Compression::None;
    let plain: Box<dyn Read + Send> = if compression == Compression::None {
        Box::new(whole)
    } else {
        let taken = Arc::default();
        let counted = CountingReader::new(whole, Arc::clone(&taken));
        let unpacked = compression.open(counted, options.limits.memory_bytes_max).map_err(failed)?;
        Box::new(LimitedReader::new(unpacked, compression, options.limits, taken))
    };
    thread::scope(|scope| {
        let plain: Box<dyn Read + '_> =
            if is_packed && options.read_ahead { Box::new(ReadAhead::start(scope, plain)) } else { plain };
        read_plain(ByteStream::new(plain, is_packed, hash), name, compression, options, sink)
    })
}

/// Streams the packets of an uncompressed source.
fn read_plain(
    mut stream: ByteStream<'_>,
    name: &str,
    compression: Compression,
    options: &ReadOptions,
    sink: &mut PacketSink<'_>,
) -> Result<ReadReport, CaptureError> {
    let failed = |error: io::Error| CaptureError::Io { input: name.to_owned(), error };
    stream.fill_to(HEAD).map_err(failed)?;
    let container = detect_container(&stream, name, compression, options)?;
    let format = CaptureFormat { container, compression };
    let mut frames = FrameDecoder::new(sink);
    let clock = read_container(&mut stream, container, options, &mut frames).map_err(failed)?;
    if let Some(problem) = stream_problem(&stream) {
        frames.count_problem(problem, CapturePosition::Byte(stream.offset()));
    }
    let (packets, ordered, dropped) = (frames.packets, frames.ordered, frames.dropped);
    let problems = frames.problems;
    let bytes = stream.finish().map_err(failed)?;
    Ok(ReadReport { packets, clock, problems, format, bytes, ordered, dropped })
}

/// Returns the problem with which a damaged compressed stream ended, if any.
fn stream_problem(stream: &ByteStream<'_>) -> Option<Problem> {
    stream.damage().map(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Problem::TruncatedFile,
        _ => Problem::DamagedRecord,
    })
}

/// Reads a container, and all further captures that are appended to it.
fn read_container(
    stream: &mut ByteStream<'_>,
    container: Container,
    options: &ReadOptions,
    frames: &mut FrameDecoder<'_, '_>,
) -> io::Result<Clock> {
    let mut container = container;
    loop {
        let end = match container {
            Container::Pcap => pcap::read(stream, frames)?,
            Container::PcapNg => pcapng::read(stream, frames)?,
            Container::Text => return read_text(stream, options, frames),
        };
        if end == RecordsEnd::File {
            break;
        }
        frames.count_problem(Problem::AnotherCapture, CapturePosition::Byte(stream.offset()));
        let is_pcapng = pcapng_header::is_pcapng(stream.buffered());
        container = if is_pcapng { Container::PcapNg } else { Container::Pcap };
    }
    Ok(if frames.last_time.is_some() || frames.packets == 0 { Clock::Absolute } else { Clock::None })
}

fn read_text(
    stream: &mut ByteStream<'_>,
    options: &ReadOptions,
    frames: &mut FrameDecoder<'_, '_>,
) -> io::Result<Clock> {
    let FrameDecoder { sink, problems, packets, ordered, last_time: last, .. } = frames;
    let mut count = |packet: &Packet, payload: &[u8]| {
        *packets += 1;
        note_order(packet.time(), last, ordered);
        sink(packet, payload);
    };
    text::read(stream, &options.text, problems, &mut count).map(|summary| summary.clock)
}

/// Recognizes the container by the first bytes.
fn detect_container(
    stream: &ByteStream<'_>,
    name: &str,
    compression: Compression,
    options: &ReadOptions,
) -> Result<Container, CaptureError> {
    let head = stream.buffered();
    let refused =
        |looks_like: String, remedy| CaptureError::NotACapture { input: name.to_owned(), looks_like, remedy };
    if head.is_empty() {
        return Err(match stream.damage() {
            Some(error) => refused(format!("damaged {compression} data ({error})"), ""),
            None => CaptureError::Empty { input: name.to_owned() },
        });
    }
    let refusal =
        if pcapng_header::is_pcapng(head) { pcapng_header::refusal(head) } else { pcap::refusal(head) };
    if let Some(why) = refusal {
        return Err(refused(why, "; rewrite it with `editcap -F pcap`"));
    }
    if pcapng_header::is_pcapng(head) {
        Ok(Container::PcapNg)
    } else if pcap::is_pcap(head) {
        Ok(Container::Pcap)
    } else {
        match text::tcpdump_likeness(head) {
            TcpdumpLikeness::Certain => Ok(Container::Text),
            TcpdumpLikeness::Possible if !options.only_certain_text => Ok(Container::Text),
            TcpdumpLikeness::Possible => Err(refused(
                "text with other lines besides tcpdump's".to_owned(),
                "; if it is a log of tcpdump, give that file alone",
            )),
            TcpdumpLikeness::Foreign(writer) => Err(refused(writer.looks_like.to_owned(), writer.remedy)),
            TcpdumpLikeness::None => {
                let (looks_like, remedy) = foreign::describe(head);
                let within = match compression {
                    Compression::None => String::new(),
                    compression => format!(" within {compression}"),
                };
                Err(refused(format!("{looks_like}{within}"), remedy))
            }
        }
    }
}

/// Sorts packets by time and keeps the order of packets with equal times. A packet without a time stays
/// behind the packet before it. Returns the previous index of each packet.
pub fn sort_by_time(packets: &mut Vec<Packet>) -> Vec<usize> {
    let mut last = None;
    let mut keyed: Vec<(Option<Timestamp>, usize)> = packets
        .iter()
        .enumerate()
        .map(|(at, packet)| {
            last = packet.time().or(last);
            (last, at)
        })
        .collect();
    keyed.sort();
    *packets = keyed.iter().map(|(_, at)| packets[*at]).collect();
    keyed.into_iter().map(|(_, at)| at).collect()
}
