//! Reading one capture: what it is, its packets, and what was wrong with it.

use std::fmt;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;

use crate::event::{Clock, Packet, Protocol, Timestamp};

use super::ahead::Ahead;
use super::bytes::ByteStream;
use super::compression::Compression;
use super::input::Source;
use super::limits::{Counted, Guarded, Limits};
use super::records::End;
use super::text::{self, Likeness, TextOptions};
use super::{
    CaptureError, Input, Place, Problem, Problems, Sink, foreign, header, link, pcap, pcapng, usual,
};

/// First bytes that tell what a capture is.
const HEAD: usize = 4096;

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// For tcpdump text.
    pub text: TextOptions,
    /// Counts the bytes that are read of the stored file, compressed or not, for progress.
    pub progress: Option<Arc<AtomicU64>>,
    /// Unpacks compressed captures on a thread of its own.
    pub ahead: bool,
    /// Limits on what a file may cost.
    pub limits: Limits,
    /// The password of encrypted archives; malware's usual one, `infected`, is always tried as well.
    pub password: Option<String>,
    /// Reads text only where it is tcpdump's beyond doubt, as for the files of a folder.
    pub only_certain_text: bool,
}

/// A container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// pcap.
    Pcap,
    /// pcapng.
    PcapNg,
    /// tcpdump's text.
    Text,
}

/// What a capture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The container.
    pub container: Container,
    /// The compression around it.
    pub compression: Compression,
}

/// Like `pcap` or `pcapng (zstd)`.
impl fmt::Display for Format {
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

/// What reading a capture found.
#[derive(Clone, Debug)]
pub struct ReadReport {
    /// Packets handed on.
    pub packets: u64,
    /// What its times mean.
    pub clock: Clock,
    /// What could not be read.
    pub problems: Problems,
    /// What it is.
    pub format: Format,
    /// How many bytes it has, uncompressed.
    pub bytes: u64,
    /// Whether its times never went backwards.
    pub ordered: bool,
    /// Packets that the recorder lost, where the capture says so.
    pub dropped: Option<u64>,
}

/// Streams every packet of one capture, in its own order. Memory does not grow with the capture.
///
/// # Errors
/// When the capture is empty, is none, or the system fails. Damage within is counted in the report.
pub fn read(input: &Input, options: &ReadOptions, sink: &mut Sink<'_>) -> Result<ReadReport, CaptureError> {
    input.with_source(options, |source| stream(source, &input.to_string(), options, None, sink))
}

/// As [`read`], and answers what the capture is known by: the BLAKE3 hash of its uncompressed bytes. That takes a
/// tenth of the reading.
///
/// # Errors
/// As [`read`].
pub fn read_hashed(
    input: &Input,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<(ReadReport, [u8; 32]), CaptureError> {
    let mut hash = blake3::Hasher::new();
    let report = input
        .with_source(options, |source| stream(source, &input.to_string(), options, Some(&mut hash), sink))?;
    Ok((report, *hash.finalize().as_bytes()))
}

/// Streams a capture from any source; `name` is for messages.
///
/// # Errors
/// As [`read`].
pub fn read_source(
    source: impl Read + Send,
    name: &str,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<ReadReport, CaptureError> {
    stream(Source { bytes: Box::new(source), unpacks: false }, name, options, None, sink)
}

/// Reads only a capture's first bytes, which are enough to find its format and its clock.
///
/// # Errors
/// As [`read`].
pub fn head(input: &Input, options: &ReadOptions, sink: &mut Sink<'_>) -> Result<ReadReport, CaptureError> {
    /// Number of bytes in which the first packet is looked for.
    const FIRST_BYTES: u64 = 256 * 1024;
    let options = ReadOptions { progress: None, ahead: false, ..options.clone() };
    input.with_source(&options, |Source { bytes, unpacks }| {
        let bytes = Box::new(bytes.take(FIRST_BYTES));
        stream(Source { bytes, unpacks }, &input.to_string(), &options, None, sink)
    })
}

fn stream(
    source: Source<'_>,
    name: &str,
    options: &ReadOptions,
    hash: Option<&mut blake3::Hasher>,
    sink: &mut Sink<'_>,
) -> Result<ReadReport, CaptureError> {
    let failed = |error: io::Error| CaptureError::Io { input: name.to_owned(), error };
    let Source { bytes: mut source, unpacks } = source;
    let head = Compression::peek(&mut source).map_err(failed)?;
    if head.is_empty() {
        return Err(CaptureError::Empty { input: name.to_owned() });
    }
    let compression = Compression::of(&head);
    // The first bytes were read to recognize the compression: put them back in front.
    let whole = io::Cursor::new(head).chain(source);
    let is_packed = unpacks || compression != Compression::None;
    let plain: Box<dyn Read + Send> = if compression == Compression::None {
        Box::new(whole)
    } else {
        let taken = Arc::default();
        let counted = Counted::new(whole, Arc::clone(&taken));
        let unpacked = compression.open(counted, options.limits.memory_bytes_max).map_err(failed)?;
        Box::new(Guarded::new(unpacked, compression, options.limits, taken))
    };
    thread::scope(|scope| {
        let plain: Box<dyn Read + '_> =
            if is_packed && options.ahead { Box::new(Ahead::start(scope, plain)) } else { plain };
        read_plain(ByteStream::new(plain, is_packed, hash), name, compression, options, sink)
    })
}

/// Reads what is no longer compressed.
fn read_plain(
    mut stream: ByteStream<'_>,
    name: &str,
    compression: Compression,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<ReadReport, CaptureError> {
    let failed = |error: io::Error| CaptureError::Io { input: name.to_owned(), error };
    stream.want(HEAD).map_err(failed)?;
    let container = container_of(&stream, name, compression, options)?;
    let format = Format { container, compression };
    let mut frames = Frames::new(sink);
    let clock = read_container(&mut stream, container, options, &mut frames).map_err(failed)?;
    if let Some(problem) = broken(&stream) {
        frames.count(problem, Place::Byte(stream.offset()));
    }
    let (packets, ordered, dropped) = (frames.packets, frames.ordered, frames.dropped);
    let problems = frames.problems;
    let bytes = stream.finish().map_err(failed)?;
    Ok(ReadReport { packets, clock, problems, format, bytes, ordered, dropped })
}

fn broken(stream: &ByteStream<'_>) -> Option<Problem> {
    stream.broken().map(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Problem::TruncatedFile,
        _ => Problem::DamagedRecord,
    })
}

fn read_container(
    stream: &mut ByteStream<'_>,
    container: Container,
    options: &ReadOptions,
    frames: &mut Frames<'_, '_>,
) -> io::Result<Clock> {
    let mut container = container;
    loop {
        let end = match container {
            Container::Pcap => pcap::read(stream, frames)?,
            Container::PcapNg => pcapng::read(stream, frames)?,
            Container::Text => return read_text(stream, options, frames),
        };
        if end == End::File {
            break;
        }
        frames.count(Problem::AnotherCapture, Place::Byte(stream.offset()));
        let is_pcapng = pcapng::is_pcapng(stream.ahead());
        container = if is_pcapng { Container::PcapNg } else { Container::Pcap };
    }
    Ok(if frames.last.is_some() || frames.packets == 0 { Clock::Absolute } else { Clock::None })
}

fn read_text(
    stream: &mut ByteStream<'_>,
    options: &ReadOptions,
    frames: &mut Frames<'_, '_>,
) -> io::Result<Clock> {
    let Frames { sink, problems, packets, ordered, last, .. } = frames;
    let mut count = |packet: &Packet, payload: &[u8]| {
        *packets += 1;
        note_order(packet.time(), last, ordered);
        sink(packet, payload);
    };
    text::read(stream, &options.text, problems, &mut count).map(|summary| summary.clock)
}

fn container_of(
    stream: &ByteStream<'_>,
    name: &str,
    compression: Compression,
    options: &ReadOptions,
) -> Result<Container, CaptureError> {
    let head = stream.ahead();
    let refused =
        |looks_like: String, remedy| CaptureError::NotACapture { input: name.to_owned(), looks_like, remedy };
    if head.is_empty() {
        return Err(match stream.broken() {
            Some(error) => refused(format!("damaged {compression} data ({error})"), ""),
            None => CaptureError::Empty { input: name.to_owned() },
        });
    }
    let refusal = if pcapng::is_pcapng(head) { pcapng::refusal(head) } else { pcap::refusal(head) };
    if let Some(why) = refusal {
        return Err(refused(why, "; rewrite it with `editcap -F pcap`"));
    }
    if pcapng::is_pcapng(head) {
        Ok(Container::PcapNg)
    } else if pcap::is_pcap(head) {
        Ok(Container::Pcap)
    } else {
        match text::likeness(head) {
            Likeness::Certain => Ok(Container::Text),
            Likeness::Possible if !options.only_certain_text => Ok(Container::Text),
            Likeness::Possible => Err(refused(
                "text with other lines besides tcpdump's".to_owned(),
                "; if it is a log of tcpdump, give that file alone",
            )),
            Likeness::Foreign(writer) => Err(refused(writer.looks_like.to_owned(), writer.remedy)),
            Likeness::None => {
                let (looks_like, remedy) = foreign::looks_like(head);
                let within = match compression {
                    Compression::None => String::new(),
                    compression => format!(" within {compression}"),
                };
                Err(refused(format!("{looks_like}{within}"), remedy))
            }
        }
    }
}

/// Sorts by time and keeps the order of equal times; a packet without a time stays behind the one before it.
/// Answers, for each place, where its packet stood.
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

fn note_order(time: Option<Timestamp>, last: &mut Option<Timestamp>, ordered: &mut bool) {
    if time.is_some() {
        *ordered &= *last <= time;
        *last = time;
    }
}

/// Takes frames of a container, hands on packets, counts the rest.
pub(super) struct Frames<'a, 'b> {
    sink: &'a mut Sink<'b>,
    /// The packet at hand.
    packet: Packet,
    problems: Problems,
    packets: u64,
    ordered: bool,
    last: Option<Timestamp>,
    dropped: Option<u64>,
}

impl<'a, 'b> Frames<'a, 'b> {
    fn new(sink: &'a mut Sink<'b>) -> Frames<'a, 'b> {
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let packet = Packet::new(nowhere, nowhere, Protocol::Arp);
        Frames {
            sink,
            packet,
            problems: Problems::default(),
            packets: 0,
            ordered: true,
            last: None,
            dropped: None,
        }
    }

    pub(super) fn count(&mut self, problem: Problem, place: Place) {
        self.problems.count(problem, place);
    }

    /// Replaces an earlier number of lost packets of one interface by a later one.
    pub(super) fn lose(&mut self, earlier: Option<u64>, later: u64) {
        let others = self.dropped.unwrap_or(0).saturating_sub(earlier.unwrap_or(0));
        self.dropped = Some(others.saturating_add(later));
    }

    #[inline]
    pub(super) fn frame(&mut self, link: i32, frame: &[u8], time: Option<Timestamp>, place: Place) {
        if link == link::ETHERNET
            && let Some(payload) = usual::read(frame, time, &mut self.packet)
        {
            return self.hand_on(payload);
        }
        let packet = &mut self.packet;
        let decoded =
            link::strip(link, frame).and_then(|(network, data)| header::decode(network, data, packet));
        match decoded {
            Ok((payload, problem)) => {
                *packet = packet.with_time(time);
                self.hand_on(payload);
                problem.into_iter().for_each(|problem| self.problems.count(problem, place));
            }
            Err(problem) => self.problems.count(problem, place),
        }
    }

    #[inline]
    fn hand_on(&mut self, payload: &[u8]) {
        note_order(self.packet.time(), &mut self.last, &mut self.ordered);
        self.packets += 1;
        (self.sink)(&self.packet, payload);
    }
}
