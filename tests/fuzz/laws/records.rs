//! Records of containers and the link layers within: each packet is what its bytes say, whatever is around them.

use inga::capture::{Container, ReadOptions};
use inga::packet::Packet;

use super::agree;
use super::capture::{Outcome, capture, read};

/// Link types that are known, by the numbers of tcpdump.org/linktypes.html.
const LINKS: [u16; 24] =
    [1, 1, 1, 0, 9, 10, 12, 14, 50, 51, 101, 104, 105, 107, 108, 113, 127, 149, 178, 226, 228, 229, 239, 276];
/// The moment of every packet here, in a whole second: 2009-03-02.
const SECONDS: u32 = 1_235_955_600;

/// A pcap with one record.
fn pcap(big_endian: bool, nanoseconds: bool, link: u16, frame: &[u8]) -> Vec<u8> {
    let word = |word: u32| if big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
    let version = if big_endian { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
    let magic = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let length = u32::try_from(frame.len()).unwrap_or(0);
    let mut file = [word(magic), version, word(0), word(0), word(65_535), word(link.into())].concat();
    file.extend([word(SECONDS), word(0), word(length), word(length)].concat());
    file.extend(frame);
    file
}

/// A pcapng with one packet.
fn pcapng(big_endian: bool, link: u16, frame: &[u8]) -> Vec<u8> {
    let word = |word: u32| if big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
    let half = |half: u16| if big_endian { half.to_be_bytes() } else { half.to_le_bytes() };
    let block = |kind: u32, body: &[u8]| {
        let padded = body.len().next_multiple_of(4);
        let length = word(u32::try_from(padded + 12).unwrap_or(0));
        [&word(kind)[..], &length, body, &vec![0; padded - body.len()], &length].concat()
    };
    let micros = u64::from(SECONDS) * 1_000_000;
    let (high, low) = ((micros >> 32) as u32, (micros & 0xffff_ffff) as u32);
    let length = word(u32::try_from(frame.len()).unwrap_or(0));
    [
        block(0x0a0d_0d0a, &[&word(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat()),
        block(1, &[&half(link)[..], &half(0), &word(0)].concat()),
        block(6, &[&word(0)[..], &word(high), &word(low), &length, &length, frame].concat()),
    ]
    .concat()
}

/// Packets with hashes of their payloads, and the number of each problem.
type Essence = (Vec<(Packet, u64)>, Vec<(String, u64)>);

fn essence(outcome: Outcome) -> Essence {
    (outcome.packets, outcome.problems)
}

/// One frame, its link type in front: all containers and byte orders give the same packet, and an Ethernet frame, for which
/// there is a short way, is read as the same bytes behind a cooked header, for which there is none.
pub(crate) fn frame(data: &[u8]) {
    let [first, second, frame @ ..] = data else { return };
    let link = match *first {
        255 => u16::from(*second),
        known => LINKS[usize::from(known) % LINKS.len()],
    };
    let options = ReadOptions::default();
    let one = essence(read(pcap(false, false, link, frame).as_slice(), &options));
    for (name, other) in [
        ("pcap, big endian", pcap(true, false, link, frame)),
        ("pcap, nanoseconds", pcap(false, true, link, frame)),
        ("pcap, big endian, nanoseconds", pcap(true, true, link, frame)),
        ("pcapng", pcapng(false, link, frame)),
        ("pcapng, big endian", pcapng(true, link, frame)),
    ] {
        agree(name, &one, &essence(read(other.as_slice(), &options)));
    }
    if let (1, Some((header, network))) = (link, frame.split_first_chunk::<14>())
        && header[12] >= 6
    {
        let cooked = [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0, header[12], header[13]], network].concat();
        let long_way = read(pcap(false, false, 113, &cooked).as_slice(), &options);
        agree("the long way", &one, &essence(long_way));
    }
}

/// A pcap as a whole: its laws, and its packets are those of its records, each read alone.
pub(crate) fn pcap_file(data: &[u8]) {
    capture(data);
    let whole = read(data, &ReadOptions::default());
    if whole.container == Some(Container::Pcap)
        && let Some(records) = plain_records(data)
    {
        let (link, records) = records;
        let mut alone = Vec::new();
        for record in records {
            alone.extend(read(pcap(false, false, link, record).as_slice(), &ReadOptions::default()).bare());
        }
        let timeless = |packets: Vec<Packet>| -> Vec<Packet> {
            packets.into_iter().map(|packet| packet.with_time(None)).collect()
        };
        agree("records alone", &timeless(whole.bare()), &timeless(alone));
    }
}

/// The records of a plain little-endian pcap by the letter of its format, up to the first that is not whole; none where
/// anything else is in it, which this reading leaves to inga.
fn plain_records(data: &[u8]) -> Option<(u16, Vec<&[u8]>)> {
    let word = |at: usize| -> Option<u32> {
        data.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes)
    };
    let link = u16::try_from(word(20)?).ok()?;
    if word(0)? != 0xa1b2_c3d4 {
        return None;
    }
    let (mut at, mut records) = (24, Vec::new());
    while let (Some(first), Some(captured)) = (word(at), word(at + 8)) {
        // Another file may begin here.
        if matches!(first, 0xa1b2_c3d4 | 0xd4c3_b2a1 | 0xa1b2_3c4d | 0x4d3c_b2a1 | 0x0a0d_0d0a) {
            return None;
        }
        let captured = usize::try_from(captured).ok()?;
        if captured > 0x0f_ffff {
            return None;
        }
        let Some(record) = data.get(at + 16..at + 16 + captured) else { break };
        records.push(record);
        at += 16 + captured;
    }
    Some((link, records))
}
