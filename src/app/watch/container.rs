//! The records of pcap and pcapng files that grow: where the last complete one ends, and which bytes a reader needs
//! before it.
//!
//! Only lengths are read here. What the records mean, and whether they are valid, is decided by `capture`.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// Maximum length of a record or block. A longer one is damage, and the file is left to the ordinary reader.
const RECORD_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Maximum length of the bytes that must precede records.
const HEAD_BYTES_MAX: usize = 1024 * 1024;

const PCAP_HEADER: usize = 24;
const BLOCK_START: u64 = 12;
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;

/// The kind of a file that can be continued at a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GrowingContainer {
    Pcap { little_endian: bool },
    PcapNg { little_endian: bool },
}

/// The part of a file between two offsets that begins and ends with complete records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CompleteRecords {
    /// The bytes that a reader needs before records at `from`: the header, or the sections' and interfaces' blocks.
    pub(super) head: Vec<u8>,
    /// Where the first record begins that was not read yet.
    pub(super) from: u64,
    /// Where the last complete record ends.
    pub(super) end: u64,
}

/// Returns the complete records of a file from an offset on, which must be the end of a record, or 0. At most `most`
/// bytes of records are taken, and one record more. `None` if the file is of another kind, too short to be known, or
/// damaged.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn complete_records(
    file: &mut (impl Read + Seek),
    from: u64,
    most: u64,
) -> io::Result<Option<CompleteRecords>> {
    let Some((mut reader, container)) = open(file)? else { return Ok(None) };
    match container {
        GrowingContainer::Pcap { little_endian } => {
            let mut head = vec![0; PCAP_HEADER];
            reader.read_exact(&mut head)?;
            let from = from.max(PCAP_HEADER as u64);
            reader.seek(SeekFrom::Start(from))?;
            let mut end = from;
            while end - from < most
                && let Some(length) = skip_record(&mut reader, little_endian)?
            {
                end += length;
            }
            Ok(Some(CompleteRecords { head, from, end }))
        }
        GrowingContainer::PcapNg { little_endian } => pcapng_records(reader, little_endian, from, most),
    }
}

/// Returns where the first record of a file ends; the bytes before it identify the file while it grows. `None` if it
/// is not complete, or the file is of another kind.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn first_record_end(file: &mut (impl Read + Seek)) -> io::Result<Option<u64>> {
    let Some((mut reader, container)) = open(file)? else { return Ok(None) };
    match container {
        GrowingContainer::Pcap { little_endian } => {
            reader.seek(SeekFrom::Start(PCAP_HEADER as u64))?;
            Ok(skip_record(&mut reader, little_endian)?.map(|length| PCAP_HEADER as u64 + length))
        }
        GrowingContainer::PcapNg { mut little_endian } => {
            let mut end = 0;
            while let Some(block) = Block::read(&mut reader, &mut little_endian)? {
                end += block.length;
                if !skip(&mut reader, block.length - BLOCK_START)? || end > HEAD_BYTES_MAX as u64 {
                    return Ok(None);
                }
                if !block.describes() {
                    return Ok(Some(end));
                }
            }
            Ok(None)
        }
    }
}

/// Returns a reader at the beginning of a file, and the file's kind.
fn open<F: Read + Seek>(file: &mut F) -> io::Result<Option<(BufReader<&mut F>, GrowingContainer)>> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let mut start = [0; PCAP_HEADER];
    let got = read_fully(&mut reader, &mut start)?;
    reader.seek(SeekFrom::Start(0))?;
    Ok(GrowingContainer::of(&start[..got]).map(|container| (reader, container)))
}

impl GrowingContainer {
    fn of(start: &[u8]) -> Option<GrowingContainer> {
        let word = |at: usize| -> Option<[u8; 4]> { start.get(at..at + 4)?.try_into().ok() };
        let first = word(0)?;
        let of = |word: u32| matches!(word, 0xa1b2_c3d4 | 0xa1b2_3c4d);
        if start.len() == PCAP_HEADER && of(u32::from_le_bytes(first)) {
            return Some(GrowingContainer::Pcap { little_endian: true });
        }
        if start.len() == PCAP_HEADER && of(u32::from_be_bytes(first)) {
            return Some(GrowingContainer::Pcap { little_endian: false });
        }
        let magic = word(8)?;
        match u32::from_le_bytes(first) == SECTION {
            true if magic == 0x1a2b_3c4d_u32.to_le_bytes() => {
                Some(GrowingContainer::PcapNg { little_endian: true })
            }
            true if magic == 0x1a2b_3c4d_u32.to_be_bytes() => {
                Some(GrowingContainer::PcapNg { little_endian: false })
            }
            _ => None,
        }
    }
}

fn number(bytes: &[u8], little_endian: bool) -> u32 {
    let four: [u8; 4] = bytes.try_into().unwrap_or_default();
    if little_endian { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) }
}

/// Skips a record of a pcap file and returns its length, or `None` if it is not complete.
fn skip_record(reader: &mut impl Read, little_endian: bool) -> io::Result<Option<u64>> {
    let mut header = [0; 16];
    if read_fully(reader, &mut header)? < header.len() {
        return Ok(None);
    }
    let bytes = u64::from(number(&header[8..12], little_endian));
    let complete = bytes <= RECORD_BYTES_MAX && skip(reader, bytes)?;
    Ok(complete.then_some(bytes + header.len() as u64))
}

/// The beginning of a block of a pcapng file.
struct Block {
    kind: u32,
    length: u64,
    start: [u8; 12],
}

impl Block {
    /// Reads the first 12 bytes of a block; `None` if they are not complete, or no block. A section's block says how
    /// the numbers from it on are written.
    fn read(reader: &mut impl Read, little_endian: &mut bool) -> io::Result<Option<Block>> {
        let mut start = [0; 12];
        if read_fully(reader, &mut start)? < start.len() {
            return Ok(None);
        }
        let kind = number(&start[..4], *little_endian);
        if kind == SECTION {
            *little_endian = start[8..12] == 0x1a2b_3c4d_u32.to_le_bytes();
        }
        let length = u64::from(number(&start[4..8], *little_endian));
        Ok((BLOCK_START..=RECORD_BYTES_MAX).contains(&length).then_some(Block { kind, length, start }))
    }

    /// Returns whether it describes blocks after it.
    fn describes(&self) -> bool {
        self.kind == SECTION || self.kind == INTERFACE
    }
}

/// Blocks before `from` are read too, because sections and interfaces are described among them.
fn pcapng_records(
    mut reader: impl Read,
    mut little_endian: bool,
    from: u64,
    most: u64,
) -> io::Result<Option<CompleteRecords>> {
    let (mut head, mut end) = (Vec::new(), 0);
    while end < from || end - from < most {
        let Some(block) = Block::read(&mut reader, &mut little_endian)? else { break };
        let rest = block.length - BLOCK_START;
        // At and after `from`, descriptions are a part of the records.
        if block.describes() && end < from {
            if block.kind == SECTION {
                head.clear();
            }
            head.extend(block.start);
            let got = io::copy(&mut (&mut reader).take(rest), &mut head)?;
            if got < rest || head.len() > HEAD_BYTES_MAX {
                return Ok(None);
            }
        } else if !skip(&mut reader, rest)? {
            break;
        }
        end += block.length;
    }
    Ok((end >= from).then_some(CompleteRecords { head, from, end }))
}

/// Reads as much as there is, up to the length of the buffer.
fn read_fully(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match reader.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

/// Skips bytes, and returns whether there were as many.
fn skip(reader: &mut impl Read, bytes: u64) -> io::Result<bool> {
    Ok(io::copy(&mut reader.take(bytes), &mut io::sink())? == bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn pcap(lengths: &[u32]) -> Vec<u8> {
        let mut bytes = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
        bytes.resize(PCAP_HEADER, 0);
        for length in lengths {
            bytes.extend([0; 8]);
            bytes.extend(length.to_le_bytes());
            bytes.extend(length.to_le_bytes());
            bytes.resize(bytes.len() + *length as usize, 1);
        }
        bytes
    }

    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(12 + body.len()).unwrap().to_be_bytes();
        [&kind.to_be_bytes(), &length, body, &length].concat().to_vec()
    }

    #[test]
    fn records_of_pcap_end_where_they_are_complete() {
        let bytes = pcap(&[10, 20, 30]);
        let ends = [24 + 26, 24 + 26 + 36, 24 + 26 + 36 + 46];
        for cut in 0..=bytes.len() {
            let mut file = Cursor::new(&bytes[..cut]);
            let found = complete_records(&mut file, 0, u64::MAX).unwrap();
            let end = ends.into_iter().filter(|end| *end <= cut as u64).max().unwrap_or(24);
            assert_eq!(found.map(|found| (found.from, found.end)), (cut >= 24).then_some((24, end)));
            assert_eq!(first_record_end(&mut file).unwrap(), (cut as u64 >= ends[0]).then_some(ends[0]));
        }
        let rest = complete_records(&mut Cursor::new(&bytes), ends[0], 1).unwrap().unwrap();
        assert_eq!((rest.from, rest.end, rest.head.len()), (ends[0], ends[1], 24));
        assert_eq!(complete_records(&mut Cursor::new(b"10:00:00 IP"), 0, 9).unwrap(), None);
    }

    #[test]
    fn blocks_of_pcapng_are_continued_behind_their_section_and_interfaces() {
        let section = block(SECTION, &[0x1a2b_3c4d_u32.to_be_bytes(), [0; 4], [255; 4], [255; 4]].concat());
        let (interface, packet) = (block(INTERFACE, &[0; 8]), block(6, &[0; 24]));
        let bytes = [&section[..], &interface, &packet, &interface, &packet, &packet[..9]].concat();
        let mut file = Cursor::new(&bytes);
        let first = (section.len() + interface.len() + packet.len()) as u64;
        assert_eq!(first_record_end(&mut file).unwrap(), Some(first));
        let whole = complete_records(&mut file, 0, u64::MAX).unwrap().unwrap();
        assert_eq!((whole.head.len(), whole.from, whole.end), (0, 0, bytes.len() as u64 - 9));
        let rest = complete_records(&mut file, first + interface.len() as u64, u64::MAX).unwrap().unwrap();
        assert_eq!(rest.head, [&section[..], &interface, &interface].concat());
        assert_eq!(rest.end, whole.end);
        assert_eq!(complete_records(&mut file, bytes.len() as u64, 9).unwrap(), None);
    }
}
