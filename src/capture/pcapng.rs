//! The pcapng container: sections of blocks, each section with its own byte order and interfaces.

use std::io;

use pcap_parser::pcapng::{Block, parse_block_be, parse_block_le};

use crate::event::Timestamp;

use super::bytes::{ByteStream, RECORD_MAX};
use super::read::Frames;
use super::{Place, Problem};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const MAGIC: u32 = 0x1a2b_3c4d;
/// The smallest block: type, length, length again.
const BLOCK_MIN: usize = 12;
/// Interfaces remembered of one section; more are a hostile file.
const INTERFACES_MAX: usize = 65_536;

/// Whether the first bytes are a pcapng's.
pub(super) fn is_pcapng(head: &[u8]) -> bool {
    head.starts_with(&SECTION_HEADER.to_le_bytes()) && byte_order(head).is_some()
}

/// Why a pcapng cannot be read at all.
pub(super) fn refusal(head: &[u8]) -> Option<String> {
    let big_endian = byte_order(head)?;
    let number = |at: usize| -> Option<u16> {
        let bytes: [u8; 2] = head.get(at..at + 2)?.try_into().ok()?;
        Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let (major, minor) = (number(12)?, number(14)?);
    // 1.2 was written by mistake for 1.0 and is the same (draft-ietf-opsawg-pcapng, section header block).
    (major != 1 || !matches!(minor, 0 | 2))
        .then(|| format!("a pcapng of the unknown version {major}.{minor}"))
}

/// Whether a section is big endian; `None` when its magic number is neither way round.
fn byte_order(section: &[u8]) -> Option<bool> {
    let magic: [u8; 4] = section.get(8..12)?.try_into().ok()?;
    match (u32::from_be_bytes(magic), u32::from_le_bytes(magic)) {
        (MAGIC, _) => Some(true),
        (_, MAGIC) => Some(false),
        _ => None,
    }
}

/// One interface of a section.
struct Interface {
    link: i32,
    snap_length: usize,
    /// Units a second; `None` where 64 bits do not hold them, and times are then unknown.
    resolution: Option<u64>,
    offset_seconds: i64,
}

struct Section {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

/// Reads all blocks.
pub(super) fn read(stream: &mut ByteStream<'_>, frames: &mut Frames<'_, '_>) -> io::Result<()> {
    let mut section = Section { big_endian: false, interfaces: Vec::new() };
    while stream.want(BLOCK_MIN)? {
        let place = Place::Byte(stream.offset());
        let is_section = stream.ahead().starts_with(&SECTION_HEADER.to_le_bytes());
        if is_section {
            let Some(big_endian) = byte_order(stream.ahead()) else {
                frames.count(Problem::DamagedRecord, place);
                return Ok(());
            };
            section = Section { big_endian, interfaces: Vec::new() };
        }
        let length = section.length(stream.ahead());
        if !(BLOCK_MIN..=RECORD_MAX).contains(&length) || !length.is_multiple_of(4) {
            frames.count(Problem::DamagedRecord, place);
            return Ok(());
        }
        if !stream.want(length)? {
            break;
        }
        section.block(&stream.ahead()[..length], place, frames);
        stream.pass(length);
    }
    if !stream.ahead().is_empty() {
        frames.count(Problem::TruncatedFile, Place::Byte(stream.offset()));
    }
    Ok(())
}

impl Section {
    fn length(&self, block: &[u8]) -> usize {
        let bytes: [u8; 4] = block.get(4..8).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        let length = if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        usize::try_from(length).unwrap_or(usize::MAX)
    }

    fn block(&mut self, bytes: &[u8], place: Place, frames: &mut Frames<'_, '_>) {
        let parsed = if self.big_endian { parse_block_be(bytes) } else { parse_block_le(bytes) };
        match parsed {
            Err(_) => frames.count(Problem::DamagedRecord, place),
            Ok((_, Block::InterfaceDescription(block))) => {
                if self.interfaces.len() >= INTERFACES_MAX {
                    frames.count(Problem::DamagedRecord, place);
                    return;
                }
                self.interfaces.push(Interface {
                    link: block.linktype.0,
                    snap_length: usize::try_from(block.snaplen).unwrap_or(usize::MAX),
                    resolution: units_a_second(block.if_tsresol),
                    offset_seconds: block.ts_offset(),
                });
            }
            Ok((_, Block::EnhancedPacket(block))) => {
                let interface = usize::try_from(block.if_id).ok().and_then(|id| self.interfaces.get(id));
                let Some(interface) = interface else {
                    frames.count(Problem::UnknownInterface, place);
                    return;
                };
                let captured = usize::try_from(block.caplen).unwrap_or(usize::MAX).min(block.data.len());
                let time = interface.time(u64::from(block.ts_high) << 32 | u64::from(block.ts_low));
                frames.frame(interface.link, &block.data[..captured], time, place);
            }
            Ok((_, Block::SimplePacket(block))) => {
                let Some(interface) = self.interfaces.first() else {
                    frames.count(Problem::UnknownInterface, place);
                    return;
                };
                // A simple packet is as long as it was on the wire, unless the interface cut it.
                let snap_length = if interface.snap_length == 0 { usize::MAX } else { interface.snap_length };
                let wire = usize::try_from(block.origlen).unwrap_or(usize::MAX);
                let captured = wire.min(snap_length).min(block.data.len());
                frames.count(Problem::NoTime, place);
                frames.frame(interface.link, &block.data[..captured], None, place);
            }
            Ok(_) => {}
        }
    }
}

/// The option `if_tsresol`: a negative power of ten, or of two where the highest bit is set. (The library's own
/// reading of it knows no power of two.)
fn units_a_second(option: u8) -> Option<u64> {
    let power = u32::from(option & 0x7f);
    if option & 0x80 == 0 { 10u64.checked_pow(power) } else { 1u64.checked_shl(power) }
}

impl Interface {
    /// A count of the interface's units since 1970; `None` for a time that 64 bits of nanoseconds do not hold.
    fn time(&self, units: u64) -> Option<Timestamp> {
        let resolution = self.resolution?;
        let seconds = i64::try_from(units / resolution).ok()?.checked_add(self.offset_seconds)?;
        let fraction = u128::from(units % resolution) * 1_000_000_000 / u128::from(resolution);
        Timestamp::from_parts(seconds, u32::try_from(fraction).ok()?)
    }
}
