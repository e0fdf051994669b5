//! Captures of every container and compression, as bytes.

use std::io::{self, Read};

use inga::capture::{Container, ReadOptions, read_source};
use inga::packet::{Clock, Packet};

use super::{agree, number};

/// What reading came to: packets, each with a number made of its payload, and all that was said.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) packets: Vec<(Packet, u64)>,
    pub(crate) said: String,
    /// What was counted, without the places, which containers do not share.
    pub(crate) problems: Vec<(String, u64)>,
    pub(crate) clock: Option<Clock>,
    pub(crate) container: Option<Container>,
    pub(crate) is_packed: bool,
}

impl Outcome {
    /// The packets alone.
    pub(crate) fn bare(&self) -> Vec<Packet> {
        self.packets.iter().map(|(packet, _)| *packet).collect()
    }
}

/// Reads a capture from a source.
pub(crate) fn read(source: impl Read + Send, options: &ReadOptions) -> Outcome {
    let mut packets = Vec::new();
    let read = read_source(source, "fuzzed", options, &mut |packet, payload| {
        packets.push((*packet, number(payload)));
    });
    match read {
        Ok(report) => {
            agree("packets are counted", &report.packets, &(packets.len() as u64));
            let problems: Vec<(String, u64)> =
                report.problems.iter().map(|(problem, tally)| (problem.to_string(), tally.count)).collect();
            let counted: u64 = problems.iter().map(|(_, count)| count).sum();
            // Nothing is handed on or counted that takes no byte; this bounds the steps of reading.
            assert!(packets.len() as u64 <= report.bytes / 8 + 1, "{} packets", packets.len());
            assert!(counted <= report.bytes + 2, "{counted} problems in {} bytes", report.bytes);
            Outcome {
                said: format!("{report:?}"),
                problems,
                clock: Some(report.clock),
                container: Some(report.format.container),
                is_packed: report.format.to_string().ends_with(')'),
                packets,
            }
        }
        Err(error) => Outcome {
            said: error.to_string(),
            problems: Vec::new(),
            clock: None,
            container: None,
            is_packed: false,
            packets,
        },
    }
}

/// Gives its bytes in pieces: one at a time while they are few, then in pieces of all sizes.
struct Pieces<'a> {
    rest: &'a [u8],
    size: usize,
    grows: bool,
}

impl<'a> Pieces<'a> {
    fn of(bytes: &'a [u8]) -> Pieces<'a> {
        Pieces { rest: bytes, size: 1, grows: bytes.len() > 2_048 }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let size = self.size.min(into.len()).min(self.rest.len());
        let (piece, rest) = self.rest.split_at(size);
        into[..size].copy_from_slice(piece);
        self.rest = rest;
        self.size = if self.grows { self.size % 999 + 1 } else { 1 };
        Ok(size)
    }
}

/// Whatever the bytes: reading ends, says the same each time, by pieces and with a thread that unpacks, and what is read of
/// the beginning of a capture is the beginning of what is read of it.
pub(crate) fn capture(data: &[u8]) {
    let options = ReadOptions::default();
    let whole = read(data, &options);
    agree("read again", &whole, &read(data, &options));
    same_or_damaged(data, &whole, "read in pieces", &read(Pieces::of(data), &options));
    if whole.is_packed {
        let ahead = ReadOptions { read_ahead: true, ..ReadOptions::default() };
        same_or_damaged(data, &whole, "unpacked ahead", &read(data, &ahead));
    }
    let random = number(data);
    for cut in [random, random >> 16, random >> 32] {
        cut_at(data, &whole, usize::try_from(cut & 0xffff).unwrap_or(0) % (data.len() + 1));
    }
}

/// The same is read, but for what is compressed and damaged: a decoder may meet the damage before it has given all that
/// stands before it, and how much it has given depends on how much it was asked for.
fn same_or_damaged(data: &[u8], whole: &Outcome, law: &str, other: &Outcome) {
    if is_compressed(data) && (whole.container.is_none() || !whole.problems.is_empty()) {
        let (one, other) = (&whole.packets, &other.packets);
        assert!(one.starts_with(other) || other.starts_with(one), "{law}: other packets");
    } else {
        agree(law, whole, other);
    }
}

fn is_compressed(data: &[u8]) -> bool {
    let magics: [&[u8]; 5] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh", b"\x04\x22\x4d\x18"];
    magics.iter().any(|magic| data.starts_with(magic)) || data.get(1..4) == Some(b"\x2a\x4d\x18")
}

/// [`capture`], cut at every byte.
pub(crate) fn capture_cut_everywhere(data: &[u8]) {
    let whole = read(data, &ReadOptions::default());
    for at in 0..data.len() {
        cut_at(data, &whole, at);
    }
}

fn cut_at(data: &[u8], whole: &Outcome, at: usize) {
    if whole.container.is_none() {
        return;
    }
    let cut = read(&data[..at], &ReadOptions::default());
    if whole.container == Some(Container::Text) {
        // A line that is cut may say something else, and what times of a log mean shows in what follows.
        let timeless = |outcome: &Outcome| -> Vec<Packet> {
            outcome.packets.iter().map(|(packet, _)| packet.with_time(None)).collect()
        };
        let (cut, whole) = (timeless(&cut), timeless(whole));
        let sure = cut.len().saturating_sub(1);
        assert!(whole.starts_with(&cut[..sure]), "cut at byte {at}: {} packets, not the first", cut.len());
    } else {
        assert!(whole.packets.starts_with(&cut.packets), "cut at byte {at}: not the first packets");
    }
}

/// Reads as a telescope does, without keeping anything: what memory this takes is bounded.
pub(crate) fn stream(data: &[u8]) {
    let mut last = None;
    let _ = read_source(data, "fuzzed", &ReadOptions::default(), &mut |packet, _| last = Some(*packet));
}
